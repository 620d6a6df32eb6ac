use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::csv_file::{batch, schema};
use super::{BATCH_ROWS, Column, Kind, Visit, clean_names, open};
use crate::error::EvaluateError;

/// A Parquet file; its footer knows columns and rows.
#[derive(Debug)]
pub(super) struct ParquetFile {
    path: PathBuf,
    columns: Vec<Column>,
    rows: usize,
}

impl ParquetFile {
    pub(super) fn open(path: &Path) -> Result<Self, EvaluateError> {
        let refuse = |error: &dyn std::fmt::Display| EvaluateError::data(path, error);
        let builder = ParquetRecordBatchReaderBuilder::try_new(open(path)?).map_err(|error| refuse(&error))?;
        let fields = builder.schema().fields();
        let names = clean_names(fields.iter().map(|field| field.name().clone()));
        let kinds = fields.iter().map(|field| {
            let refused =
                || refuse(&format!("column `{}` is {}, neither number nor text", field.name(), field.data_type()));
            kind(field.data_type()).ok_or_else(refused)
        });
        let kinds: Vec<Kind> = kinds.collect::<Result<_, _>>()?;
        let columns = names.into_iter().zip(kinds).map(|(name, kind)| Column { name, kind }).collect();
        let rows = builder.metadata().file_metadata().num_rows();
        let held: i64 = builder.metadata().row_groups().iter().map(|group| group.num_rows()).sum();
        if held != rows {
            return Err(refuse(&format!("{rows} rows announced, {held} held")));
        }
        let rows = usize::try_from(rows).map_err(|_| refuse(&format!("{rows} rows announced")))?;
        Ok(Self { path: path.to_owned(), columns, rows })
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn visit(&self, wanted: &[Column], each: Visit<'_>) -> Result<(), EvaluateError> {
        let refuse = |error: &dyn std::fmt::Display| EvaluateError::data(&self.path, error);
        let builder = ParquetRecordBatchReaderBuilder::try_new(open(&self.path)?).map_err(|error| refuse(&error))?;
        let place = |column: &Column| self.columns.iter().position(|other| other.name == column.name);
        let places: Vec<usize> =
            wanted.iter().map(|column| place(column).expect("wanted columns are looked up before")).collect();
        let mut read = places.clone();
        read.sort_unstable();
        let mask = ProjectionMask::roots(builder.parquet_schema(), read.iter().copied());
        let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
        let schema = schema(wanted);
        let mut start = 0;
        for found in reader.map_err(|error| refuse(&error))? {
            let found = found.map_err(|error| refuse(&error))?;
            let arrays = wanted.iter().zip(&places).map(|(column, place)| {
                let array = found.column(read.partition_point(|other| other < place));
                converted(array, column.kind).map_err(|error| refuse(&format!("column `{}`: {error}", column.name)))
            });
            let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
            let rows: RecordBatch = batch(&schema, arrays, found.num_rows());
            each(start, &rows)?;
            start += rows.num_rows();
        }
        Ok(())
    }
}

/// What a column of that type is read as; `None` for nested ones and bytes.
fn kind(data_type: &DataType) -> Option<Kind> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Kind::Text),
        DataType::Dictionary(_, values) => kind(values),
        DataType::Boolean | DataType::Null => Some(Kind::Number),
        other if other.is_numeric() || other.is_temporal() => Some(Kind::Number),
        _ => None,
    }
}

fn converted(array: &ArrayRef, kind: Kind) -> Result<ArrayRef, arrow::error::ArrowError> {
    if kind == Kind::Text {
        return cast(array, &DataType::Utf8);
    }
    let numbers = match array.data_type().is_temporal() {
        true => cast(&cast(array, &DataType::Int64).or_else(|_| cast(array, &DataType::Int32))?, &DataType::Float64)?,
        false => cast(array, &DataType::Float64)?,
    };
    let numbers = numbers.as_primitive::<Float64Type>();
    Ok(std::sync::Arc::new(numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect::<Float64Array>()))
}
