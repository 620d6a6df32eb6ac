use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::array::{BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use serde::{Deserialize, Serialize};

use crate::decode::schema::Kind;
use crate::settings::Join;

/// One value of a joined record. Times are whole numbers of microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Value {
    Null,
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(Box<str>),
}

/// The values of a joined record, in the order of its schema; shared by every event it was joined to.
pub(super) type Row = Arc<[Value]>;

/// What the bookkeeping of one remembered record or event takes besides its values. Units: bytes; an estimate.
pub(super) const BOOKKEEPING_BYTES: usize = 160;

/// How much is remembered of one topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Records.
    pub(super) rows_max: usize,
    /// Memory, by the estimate that is counted everywhere.
    pub(super) bytes_max: usize,
}

impl Bounds {
    pub(super) fn of(join: &Join) -> Self {
        let bytes_max = join.bytes_max.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        Self { rows_max: join.rows_max, bytes_max }
    }

    /// Whether this is too much.
    pub(super) fn are_passed(&self, rows: usize, bytes: usize) -> bool {
        rows > self.rows_max || bytes > self.bytes_max
    }

    /// Whatever either allows.
    pub(super) fn or(self, other: Self) -> Self {
        Self { rows_max: self.rows_max.max(other.rows_max), bytes_max: self.bytes_max.max(other.bytes_max) }
    }
}

/// Bytes of memory that a row takes.
pub(super) fn row_bytes(row: &Row) -> usize {
    let text = |value: &Value| if let Value::Text(text) = value { text.len() } else { 0 };
    row.iter().map(|value| size_of::<Value>() + text(value)).sum()
}

/// The values of one row of decoded columns, in the order of `kinds`.
pub(super) fn read_row(rows: &RecordBatch, kinds: &[Kind], row: usize) -> Row {
    kinds.iter().zip(rows.columns()).map(|(kind, column)| read_value(column, *kind, row)).collect()
}

fn read_value(column: &ArrayRef, kind: Kind, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match kind {
        Kind::Int => Value::Int(column.as_primitive::<Int64Type>().value(row)),
        Kind::Time => Value::Int(column.as_primitive::<TimestampMicrosecondType>().value(row)),
        Kind::Float => Value::Float(column.as_primitive::<Float64Type>().value(row)),
        Kind::Bool => Value::Bool(column.as_boolean().value(row)),
        Kind::Text => Value::Text(column.as_string::<i32>().value(row).into()),
    }
}

/// One column of matches; null where there is none.
pub(super) fn column(rows: &[Option<Row>], at: usize, kind: Kind) -> ArrayRef {
    let values = rows.iter().map(|row| row.as_ref().and_then(|row| row.get(at)));
    let whole = |value: Option<&Value>| if let Some(Value::Int(number)) = value { Some(*number) } else { None };
    match kind {
        Kind::Int => Arc::new(values.map(whole).collect::<Int64Array>()),
        Kind::Time => Arc::new(values.map(whole).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        Kind::Float => {
            let float =
                |value: Option<&Value>| if let Some(Value::Float(number)) = value { Some(*number) } else { None };
            Arc::new(values.map(float).collect::<Float64Array>())
        }
        Kind::Bool => {
            let flag = |value: Option<&Value>| if let Some(Value::Bool(flag)) = value { Some(*flag) } else { None };
            Arc::new(values.map(flag).collect::<BooleanArray>())
        }
        Kind::Text => {
            let texts = values.map(|value| match value {
                Some(Value::Text(text)) => Some(text.as_ref()),
                _ => None,
            });
            Arc::new(texts.collect::<StringArray>())
        }
    }
}
