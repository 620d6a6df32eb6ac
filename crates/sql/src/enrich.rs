use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{SchemaRef, UInt32Type};

use crate::compile::{Compiled, compile};
use crate::error::SqlError;
use crate::events_table::{ROW, Slot};
use crate::near::hint;
use crate::query::Query;
use crate::reference::ReferenceTable;
use crate::session::Waiter;
use crate::steps::Route;

/// A query over `events` and reference tables, planned once.
///
/// In the query the batch is the table `events`, and each reference table goes by its name. Each event gives at most
/// one row. An equality join with a reference table is an index built when planning; other joins and subqueries work
/// too, but cost a fresh look at the table for every batch.
#[derive(Debug)]
pub struct Enricher {
    query: Query,
    events: SchemaRef,
    needed: Option<Vec<String>>,
    waiter: Waiter,

    tables: Vec<ReferenceTable>,
    route: Route,
    schema: SchemaRef,
    leaf: SchemaRef,
    /// 0, 1, 2, …: the row column of a batch is the beginning of it.
    rows: UInt32Array,
}

/// Rows made from a batch of events.
#[derive(Debug, Clone)]
pub struct Enriched {
    /// The rows, in the order of the events.
    pub rows: RecordBatch,
    /// For each row, its event's place in the batch. Ascending, without repeats.
    pub origin: Vec<u32>,
    /// Rows left out because their event matched several rows of a reference table: the first one in the file counts.
    pub duplicates: usize,
    /// Events for which the query failed (a division by zero, a text that is not a number), with the reason.
    pub failed: Vec<(u32, String)>,
}

impl Enricher {
    /// Plans `query` over events of schema `events`. Errors: all but `Table`, `Changed`, `Batch`.
    pub fn plan(query: &str, events: &SchemaRef, tables: &[ReferenceTable]) -> Result<Self, SqlError> {
        Self::build(Query::parse(query)?, events.clone(), tables.to_vec(), None)
    }

    /// Keeps only the output columns named `needed`, so that what only the others need is neither read nor computed.
    /// Errors: `Unknown` for a name that is not an output column.
    pub fn narrow(self, needed: &[String]) -> Result<Self, SqlError> {
        Self::build(self.query, self.events, self.tables, Some(needed.to_vec()))
    }

    fn build(
        query: Query,
        events: SchemaRef,
        tables: Vec<ReferenceTable>,
        needed: Option<Vec<String>>,
    ) -> Result<Self, SqlError> {
        let (waiter, slot) = (Waiter::new(), Slot::default());
        let Compiled { plan, task, schema, leaf } =
            compile(&query, &events, &tables, needed.as_deref(), &slot, &waiter)?;
        let route = Route::prepare(plan, task, slot, &waiter).map_err(|error| SqlError::from_running(&error))?;
        let rows = UInt32Array::from(Vec::<u32>::new());
        Ok(Self { query, events, needed, waiter, tables, route, schema, leaf, rows })
    }

    /// Columns of the output.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Event columns that the plan reads; the others need not be decoded.
    pub fn events_columns(&self) -> Vec<String> {
        let names = self.leaf.fields().iter().map(|field| field.name());
        names.filter(|name| *name != ROW).cloned().collect()
    }

    /// Whether the query asks for every event column by `*` or `e.*`.
    pub fn has_wildcard(&self) -> bool {
        self.query.has_wildcard()
    }

    /// The reference tables in use.
    pub fn tables(&self) -> &[ReferenceTable] {
        &self.tables
    }

    /// Puts a new version of a reference table in the place of the one of the same name; it counts from the next
    /// batch on. Errors: `Unknown` if there is no such table; `Changed` if the output would have other columns. After
    /// an error the old version stays in use.
    pub fn replace_table(&mut self, table: ReferenceTable) -> Result<(), SqlError> {
        let name = table.name().to_owned();
        let mut tables = self.tables.clone();
        let Some(old) = tables.iter_mut().find(|old| old.name() == name) else {
            let names: Vec<String> = tables.iter().map(|table| table.name().to_owned()).collect();
            let hint = hint(&name, &names);
            return Err(SqlError::Unknown { what: "table", name, place: String::new(), hint });
        };
        let columns_changed = difference(&old.schema(), &table.schema());
        *old = table;
        let next = Self::build(self.query.clone(), self.events.clone(), tables, self.needed.clone());
        let next = match (next, columns_changed) {
            (Ok(next), _) => next,
            (Err(error), Some(change)) => {
                return Err(SqlError::Changed { table: name, difference: format!("{change}, and so: {error}") });
            }
            (Err(error), None) => return Err(error),
        };
        let read =
            difference(&self.leaf, &next.leaf).map(|change| format!("the columns read from events change: {change}"));
        if let Some(difference) = difference(&self.schema, &next.schema).or(read) {
            return Err(SqlError::Changed { table: name, difference });
        }
        *self = next;
        Ok(())
    }

    /// Runs the query on a batch that has at least the columns of [`Enricher::events_columns`], in any order.
    /// An event for which the query fails is set aside in [`Enriched::failed`]; the others are not affected.
    /// Errors: `Batch`, `Run`. The batch must have fewer than 2³² rows.
    pub fn run(&mut self, batch: &RecordBatch) -> Result<Enriched, SqlError> {
        let leaf = self.read(batch)?;
        let rows = match self.route.run(leaf.clone(), &self.waiter) {
            Ok(rows) => return self.finish(rows, Vec::new()),
            // An error without any event is not the fault of one.
            Err(_) => self.attempt(leaf.slice(0, 0))?,
        };
        let (mut parts, mut failed) = (vec![rows], Vec::new());
        self.halve(leaf, &mut parts, &mut failed);
        let rows = arrow::compute::concat_batches(&parts[0].schema(), &parts);
        self.finish(rows.map_err(|error| SqlError::Run(error.to_string()))?, failed)
    }

    fn attempt(&self, leaf: RecordBatch) -> Result<RecordBatch, SqlError> {
        self.route.run(leaf, &self.waiter).map_err(|error| SqlError::from_running(&error))
    }

    /// Finds the events that make the query fail, by halves.
    fn halve(&self, leaf: RecordBatch, parts: &mut Vec<RecordBatch>, failed: &mut Vec<(u32, String)>) {
        match self.attempt(leaf.clone()) {
            Ok(rows) => parts.push(rows),
            Err(error) if leaf.num_rows() == 1 => {
                failed.push((row_numbers(leaf.columns(), &self.leaf)[0], error.to_string()))
            }
            Err(_) => {
                let half = leaf.num_rows() / 2;
                self.halve(leaf.slice(0, half), parts, failed);
                self.halve(leaf.slice(half, leaf.num_rows() - half), parts, failed);
            }
        }
    }

    /// Picks the columns of the plan's leaf from `batch`.
    fn read(&mut self, batch: &RecordBatch) -> Result<RecordBatch, SqlError> {
        let length = batch.num_rows();
        if self.rows.len() < length {
            self.rows = UInt32Array::from_iter_values(0..length as u32);
        }
        let column = |field: &Arc<arrow::datatypes::Field>| -> Result<ArrayRef, SqlError> {
            if field.name() == ROW {
                return Ok(Arc::new(self.rows.slice(0, length)));
            }
            let missing = || SqlError::Batch(format!("the batch has no column `{}`", field.name()));
            batch.column_by_name(field.name()).cloned().ok_or_else(missing)
        };
        let columns = self.leaf.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(length));
        RecordBatch::try_new_with_options(self.leaf.clone(), columns, &options)
            .map_err(|error| SqlError::Batch(format!("the batch is not as planned: {error}")))
    }

    /// Takes the origin off the rows, and what an event has too many of.
    fn finish(&self, rows: RecordBatch, failed: Vec<(u32, String)>) -> Result<Enriched, SqlError> {
        let origins = rows.column(rows.num_columns() - 1).as_primitive::<UInt32Type>().values().to_vec();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let visible = rows.columns()[..rows.num_columns() - 1].to_vec();
        let failure = |error: arrow::error::ArrowError| SqlError::Run(error.to_string());
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), visible, &options).map_err(failure)?;
        if origins.is_sorted_by(|a, b| a < b) {
            return Ok(Enriched { rows, origin: origins, duplicates: 0, failed });
        }
        let kept = first_of_each(&origins);
        let rows = take_record_batch(&rows, &UInt32Array::from(kept.clone())).map_err(failure)?;
        let duplicates = origins.len() - kept.len();
        let origin = kept.into_iter().map(|row| origins[row as usize]).collect();
        Ok(Enriched { rows, origin, duplicates, failed })
    }
}

/// Row numbers of a batch that the plan's leaf reads.
fn row_numbers<'a>(columns: &'a [ArrayRef], leaf: &SchemaRef) -> &'a [u32] {
    let at = leaf.index_of(ROW).expect("the query asks for the row column, so the leaf reads it");
    columns[at].as_primitive::<UInt32Type>().values()
}

/// Places of the first row of each origin, by ascending origin.
fn first_of_each(origins: &[u32]) -> Vec<u32> {
    let mut places: Vec<u32> = (0..origins.len() as u32).collect();
    places.sort_by_key(|place| origins[*place as usize]);
    places.dedup_by_key(|place| origins[*place as usize]);
    places
}

/// Says how the names and types of `new` differ from those of `old`.
fn difference(old: &SchemaRef, new: &SchemaRef) -> Option<String> {
    let describe = |schema: &SchemaRef| -> Vec<String> {
        schema.fields().iter().map(|field| format!("`{}` {}", field.name(), field.data_type())).collect()
    };
    let (old, new) = (describe(old), describe(new));
    if old == new {
        return None;
    }
    let (had, has): (HashSet<_>, HashSet<_>) = (old.iter().collect(), new.iter().collect());
    let list = |of: &[String], without: &HashSet<&String>| {
        of.iter().filter(|column| !without.contains(column)).cloned().collect::<Vec<_>>().join(", ")
    };
    match (list(&old, &has), list(&new, &had)) {
        (gone, come) if gone.is_empty() && come.is_empty() => Some("columns change their order".to_owned()),
        (gone, come) if gone.is_empty() => Some(format!("column {come} comes in")),
        (gone, come) if come.is_empty() => Some(format!("column {gone} goes")),
        (gone, come) => Some(format!("column {gone} becomes {come}")),
    }
}
