use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;

use super::cell::{self, Cell, Unfit};
use super::schema::{Kind, Schema};

/// Columns under construction: cells go in row by row, a record batch comes out.
pub(super) struct Columns {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
}

/// One column under construction. A value that turns out not to fit takes its whole row back by [`Column::truncate`].
struct Column {
    name: String,
    kind: Kind,
    integers: Vec<i64>,
    floats: Vec<f64>,
    flags: Vec<bool>,
    text: Vec<u8>,
    ends: Vec<i32>,
    valid: Vec<bool>,
    nulls: usize,
}

/// Why a row was refused.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) column: usize,
}

impl Columns {
    pub(super) fn new(schema: &Schema) -> Self {
        let columns = schema.fields.iter().map(|field| Column::new(&field.name, field.kind)).collect();
        Self { schema: schema.arrow(), columns, rows: 0 }
    }

    /// Appends one row; returns how many of its values were coerced. On `Err` the row leaves no trace.
    pub(super) fn push(&mut self, cells: &[Cell], record: &[u8]) -> Result<u32, Misfit> {
        let mut coerced = 0;
        for (index, (column, cell)) in self.columns.iter_mut().zip(cells).enumerate() {
            match column.push(*cell, record) {
                Ok(was_coerced) => coerced += u32::from(was_coerced),
                Err(Unfit) => {
                    for column in &mut self.columns {
                        column.truncate(self.rows);
                    }
                    return Err(Misfit { column: index });
                }
            }
        }
        self.rows += 1;
        Ok(coerced)
    }

    /// Takes the last row back.
    pub(super) fn pop(&mut self) {
        self.rows -= 1;
        for column in &mut self.columns {
            column.truncate(self.rows);
        }
    }

    /// Value of a time column in the last row. Units: microseconds since the epoch.
    pub(super) fn last_time(&self, column: usize) -> Option<i64> {
        let column = &self.columns[column];
        column.valid.last().copied().unwrap_or(false).then(|| column.integers.last().copied()).flatten()
    }

    /// Whether a column is null in the last row.
    pub(super) fn last_is_null(&self, column: usize) -> bool {
        !self.columns[column].valid.last().copied().unwrap_or(false)
    }

    pub(super) fn finish(&mut self) -> RecordBatch {
        let rows = std::mem::take(&mut self.rows);
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(|column| column.finish(rows)).collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .expect("every column has as many values as rows were pushed")
    }
}

impl Column {
    fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            integers: Vec::new(),
            floats: Vec::new(),
            flags: Vec::new(),
            text: Vec::new(),
            ends: Vec::new(),
            valid: Vec::new(),
            nulls: 0,
        }
    }

    fn push(&mut self, cell: Cell, record: &[u8]) -> Result<bool, Unfit> {
        let (valid, coerced) = match self.kind {
            Kind::Int | Kind::Time => {
                let read =
                    if self.kind == Kind::Int { cell::read_int(cell, record)? } else { cell::read_time(cell, record)? };
                self.integers.push(read.value.unwrap_or(0));
                (read.value.is_some(), read.coerced)
            }
            Kind::Float => {
                let read = cell::read_float(cell, record)?;
                self.floats.push(read.value.unwrap_or(0.0));
                (read.value.is_some(), read.coerced)
            }
            Kind::Bool => {
                let read = cell::read_bool(cell, record)?;
                self.flags.push(read.value.unwrap_or(false));
                (read.value.is_some(), read.coerced)
            }
            Kind::Text => {
                let read = cell::read_text(cell, record, &mut self.text)?;
                // A batch is bounded in bytes far below 2 GiB, so its text is too.
                self.ends.push(i32::try_from(self.text.len()).map_err(|_| Unfit)?);
                (read.is_some(), read.unwrap_or(false))
            }
        };
        self.valid.push(valid);
        self.nulls += usize::from(!valid);
        Ok(coerced)
    }

    fn truncate(&mut self, rows: usize) {
        self.integers.truncate(rows);
        self.floats.truncate(rows);
        self.flags.truncate(rows);
        self.ends.truncate(rows);
        self.text.truncate(self.ends.last().map_or(0, |end| *end as usize));
        while self.valid.len() > rows {
            self.nulls -= usize::from(self.valid.pop() == Some(false));
        }
    }

    fn finish(&mut self, rows: usize) -> ArrayRef {
        let valid = std::mem::replace(&mut self.valid, Vec::with_capacity(rows));
        let nulls = (std::mem::take(&mut self.nulls) > 0).then(|| NullBuffer::from(valid));
        match self.kind {
            Kind::Int => {
                let values = std::mem::replace(&mut self.integers, Vec::with_capacity(rows));
                Arc::new(Int64Array::new(ScalarBuffer::from(values), nulls))
            }
            Kind::Time => {
                let values = std::mem::replace(&mut self.integers, Vec::with_capacity(rows));
                Arc::new(TimestampMicrosecondArray::new(ScalarBuffer::from(values), nulls).with_timezone("UTC"))
            }
            Kind::Float => {
                let values = std::mem::replace(&mut self.floats, Vec::with_capacity(rows));
                Arc::new(Float64Array::new(ScalarBuffer::from(values), nulls))
            }
            Kind::Bool => {
                let values = std::mem::replace(&mut self.flags, Vec::with_capacity(rows));
                Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls))
            }
            Kind::Text => Arc::new(self.finish_text(rows, nulls)),
        }
    }

    fn finish_text(&mut self, rows: usize, nulls: Option<NullBuffer>) -> StringArray {
        let ends = std::mem::replace(&mut self.ends, Vec::with_capacity(rows));
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        offsets.extend(ends);
        let room = self.text.len();
        let text = std::mem::replace(&mut self.text, Vec::with_capacity(room));
        StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), text.into(), nulls)
            .unwrap_or_else(|error| unreachable!("column {}: records are checked as UTF-8 first: {error}", self.name))
    }
}
