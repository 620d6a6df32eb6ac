//! An equality join without streams. The planner's own hash join keeps its table between runs only together with
//! counters that grow with each run; an index built once and probed row by row has neither, keeps the order of the
//! events by construction, and costs a few microseconds for a small batch.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::{DataFusionError, JoinType, NullEquality, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// No further row has the same key.
const END: u32 = u32::MAX;

/// What becomes of an event, by whether its key is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One row per match, and one with nulls if there is none.
    Keep,
    /// One row per match.
    Inner,
    /// The event alone, if there is a match.
    Semi,
    /// The event alone, if there is no match.
    Anti,
}

/// A reference table indexed by the join's key, and how to join a batch with it.
#[derive(Debug)]
pub(crate) struct Lookup {
    kind: Kind,
    /// Key expressions over the events.
    keys: Vec<Arc<dyn PhysicalExpr>>,
    converter: Option<RowConverter>,
    table: RecordBatch,
    table_keys: Keys,
    /// First row of each key.
    first: HashTable<u32>,
    /// Next row of the same key, or [`END`].
    next: Vec<u32>,
    /// For each output column, its place in table columns followed by event columns.
    columns: Vec<usize>,
    schema: SchemaRef,
}

/// Keys of a batch, comparable as bytes.
#[derive(Debug)]
enum Keys {
    /// A single text column: its own bytes.
    Text(StringArray),
    /// Anything else, encoded.
    Rows(Rows, Option<NullBuffer>),
}

impl Keys {
    /// Key of row `index`; `None` if any of its parts is null, because null equals nothing.
    fn get(&self, index: usize) -> Option<&[u8]> {
        match self {
            Self::Text(values) => values.is_valid(index).then(|| values.value(index).as_bytes()),
            Self::Rows(rows, nulls) => {
                nulls.as_ref().is_none_or(|nulls| nulls.is_valid(index)).then(|| rows.row(index).data())
            }
        }
    }
}

/// Whether [`Lookup`] can stand for this join, whose right side is the events.
pub(crate) fn replaces(join: &HashJoinExec) -> bool {
    let (left, right) = (join.left().schema(), join.right().schema());
    let same_types = join.on().iter().all(|(a, b)| match (a.data_type(&left), b.data_type(&right)) {
        (Ok(a), Ok(b)) => a == b && RowConverter::supports_fields(&[SortField::new(a)]),
        _ => false,
    });
    same_types
        && kind_of(*join.join_type()).is_some()
        && join.filter().is_none()
        && !join.null_aware
        && join.null_equality() == NullEquality::NullEqualsNothing
}

fn kind_of(join: JoinType) -> Option<Kind> {
    match join {
        JoinType::Right => Some(Kind::Keep),
        JoinType::Inner => Some(Kind::Inner),
        JoinType::RightSemi => Some(Kind::Semi),
        JoinType::RightAnti => Some(Kind::Anti),
        _ => None,
    }
}

impl Lookup {
    /// Indexes `table`, the rows of the join's left side. Call only if [`replaces`] says so.
    pub(crate) fn build(join: &HashJoinExec, table: RecordBatch) -> Result<Self> {
        let kind = kind_of(*join.join_type()).ok_or_else(|| unsupported("its kind"))?;
        let (table_exprs, keys): (Vec<_>, Vec<_>) = join.on().iter().cloned().unzip();
        let types: Vec<DataType> =
            table_exprs.iter().map(|key| key.data_type(&table.schema())).collect::<Result<_>>()?;
        let converter = match types.as_slice() {
            [DataType::Utf8] => None,
            _ => Some(RowConverter::new(types.into_iter().map(SortField::new).collect())?),
        };
        let table_keys = encode(&table_exprs, converter.as_ref(), &table)?;
        let (first, next) = index(&table_keys, table.num_rows())?;
        let all = match kind {
            Kind::Keep | Kind::Inner => table.num_columns() + join.right().schema().fields().len(),
            Kind::Semi | Kind::Anti => join.right().schema().fields().len(),
        };
        // A semi join outputs event columns only, so its places are shifted behind those of the table.
        let shift = if matches!(kind, Kind::Semi | Kind::Anti) { table.num_columns() } else { 0 };
        let columns = match &join.projection {
            Some(projection) => projection.iter().map(|at| at + shift).collect(),
            None => (shift..all + shift).collect(),
        };
        let schema = join.schema();
        Ok(Self { kind, keys, converter, table, table_keys, first, next, columns, schema })
    }

    /// Joins a batch of events, in their order.
    pub(crate) fn join(&self, events: &RecordBatch) -> Result<RecordBatch> {
        let keys = encode(&self.keys, self.converter.as_ref(), events)?;
        let (table_rows, event_rows) = self.matches(&keys, events.num_rows());
        let rows = event_rows.len();
        let untouched = rows == events.num_rows() && event_rows.iter().enumerate().all(|(i, row)| i == *row as usize);
        let event_rows = UInt32Array::from(event_rows);
        let table_rows = UInt32Array::from(table_rows);
        let width = self.table.num_columns();
        let gather = |column: &usize| -> Result<ArrayRef> {
            Ok(match column.checked_sub(width) {
                None => take(self.table.column(*column), &table_rows, None)?,
                Some(column) if untouched => events.column(column).clone(),
                Some(column) => take(events.column(column), &event_rows, None)?,
            })
        };
        let columns = self.columns.iter().map(gather).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }

    /// Pairs of table row and event row, by event and then by table row.
    fn matches(&self, keys: &Keys, events: usize) -> (Vec<Option<u32>>, Vec<u32>) {
        let wanted = if matches!(self.kind, Kind::Keep | Kind::Inner) { events } else { 0 };
        let (mut table_rows, mut event_rows) = (Vec::with_capacity(wanted), Vec::with_capacity(events));
        for event in 0..events {
            let found = keys.get(event).and_then(|key| self.find(key));
            match (self.kind, found) {
                (Kind::Keep | Kind::Inner, Some(first)) => {
                    let mut row = first;
                    while row != END {
                        table_rows.push(Some(row));
                        event_rows.push(event as u32);
                        row = self.next[row as usize];
                    }
                }
                (Kind::Keep, None) => {
                    table_rows.push(None);
                    event_rows.push(event as u32);
                }
                (Kind::Semi, Some(_)) | (Kind::Anti, None) => event_rows.push(event as u32),
                (Kind::Inner | Kind::Semi, None) | (Kind::Anti, Some(_)) => {}
            }
        }
        (table_rows, event_rows)
    }

    fn find(&self, key: &[u8]) -> Option<u32> {
        self.first.find(hash(key), |row| self.table_keys.get(*row as usize) == Some(key)).copied()
    }
}

fn hash(key: &[u8]) -> u64 {
    FixedState::with_seed(0).hash_one(key)
}

/// Indexes keys: the first row of each, and for each row the next one of the same key.
fn index(keys: &Keys, rows: usize) -> Result<(HashTable<u32>, Vec<u32>)> {
    if rows >= END as usize {
        return Err(unsupported("a table of more than four thousand million rows"));
    }
    let (mut first, mut next) = (HashTable::with_capacity(rows), vec![END; rows]);
    // From the end, so that each chain starts with the earliest row.
    for row in (0..rows).rev() {
        let Some(key) = keys.get(row) else { continue };
        let same = |other: &u32| keys.get(*other as usize) == Some(key);
        let rehash = |other: &u32| keys.get(*other as usize).map_or(0, hash);
        match first.entry(hash(key), same, rehash) {
            Entry::Occupied(mut entry) => {
                next[row] = *entry.get();
                *entry.get_mut() = row as u32;
            }
            Entry::Vacant(entry) => {
                entry.insert(row as u32);
            }
        }
    }
    Ok((first, next))
}

fn encode(keys: &[Arc<dyn PhysicalExpr>], converter: Option<&RowConverter>, batch: &RecordBatch) -> Result<Keys> {
    let columns: Vec<ArrayRef> =
        keys.iter().map(|key| key.evaluate(batch)?.into_array(batch.num_rows())).collect::<Result<_>>()?;
    let Some(converter) = converter else {
        return columns[0].as_string_opt::<i32>().cloned().map(Keys::Text).ok_or_else(|| unsupported("its key's type"));
    };
    let nulls =
        columns.iter().fold(None, |all, column| NullBuffer::union(all.as_ref(), column.logical_nulls().as_ref()));
    Ok(Keys::Rows(converter.convert_columns(&columns)?, nulls))
}

fn unsupported(what: &str) -> DataFusionError {
    DataFusionError::Execution(format!("this join cannot be indexed: {what}"))
}
