use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray};
use npyz::{DType, Deserialize, NpyFile, Order, TypeChar};
use zip::ZipArchive;

use super::csv_file::{batch, schema};
use super::{BATCH_ROWS, Column, Kind, Visit, open};
use crate::error::EvaluateError;

/// Most numbers of an archive; they are all held. 2 GiB.
const NUMBERS_MAX: u64 = 1 << 28;
/// The rows of an archive.
const ROWS: &str = "X";
/// Their labels.
const LABELS: &str = "y";

/// An archive with an array `X` of rows and, mostly, an array `y` of labels.
#[derive(Debug)]
pub(super) struct NpzFile {
    columns: Vec<Column>,
    /// One after the other.
    values: Vec<Vec<f64>>,
}

impl NpzFile {
    pub(super) fn open(path: &Path) -> Result<Self, EvaluateError> {
        let refuse = |error: &dyn std::fmt::Display| EvaluateError::data(path, error);
        let mut archive = ZipArchive::new(open(path)?).map_err(|error| refuse(&error))?;
        let plain = |name: &[u8]| String::from_utf8_lossy(name).trim_end_matches(".npy").to_owned();
        let names: Vec<String> = archive.file_names_raw().map(plain).collect();
        if !names.iter().any(|name| name == ROWS) {
            let text = format!("the archive has no array `{ROWS}` of rows; it has {}", crate::error::quoted(&names));
            return Err(refuse(&text));
        }
        let rows = Array::read(&mut archive, ROWS).map_err(|text| refuse(&format!("array `{ROWS}`: {text}")))?;
        let mut values = rows.columns();
        let mut columns: Vec<Column> =
            (1..=values.len()).map(|number| Column { name: format!("column_{number}"), kind: Kind::Number }).collect();
        if names.iter().any(|name| name == LABELS) {
            let labels =
                Array::read(&mut archive, LABELS).map_err(|text| refuse(&format!("array `{LABELS}`: {text}")))?;
            if labels.values.len() != rows.rows {
                let (found, expected) = (labels.values.len(), rows.rows);
                return Err(refuse(&format!("`{LABELS}` has {found} values, `{ROWS}` has {expected} rows")));
            }
            values.push(labels.values);
            columns.push(Column { name: LABELS.to_owned(), kind: Kind::Number });
        }
        Ok(Self { columns, values })
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(super) fn rows(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }

    pub(super) fn visit(&self, wanted: &[Column], each: Visit<'_>) -> Result<(), EvaluateError> {
        let place = |column: &Column| self.columns.iter().position(|other| other.name == column.name);
        let places: Vec<usize> =
            wanted.iter().map(|column| place(column).expect("wanted columns are looked up before")).collect();
        let schema = schema(wanted);
        for start in (0..self.rows()).step_by(BATCH_ROWS) {
            let end = self.rows().min(start + BATCH_ROWS);
            let arrays = wanted.iter().zip(&places).map(|(column, place)| {
                let values = &self.values[*place][start..end];
                match column.kind {
                    Kind::Number => Arc::new(Float64Array::from(values.to_vec())) as ArrayRef,
                    Kind::Text => Arc::new(values.iter().map(|value| text(*value)).collect::<StringArray>()),
                }
            });
            each(start, &batch(&schema, arrays.collect(), end - start))?;
        }
        Ok(())
    }
}

fn text(value: f64) -> Option<String> {
    (!value.is_nan()).then(|| value.to_string())
}

/// Numbers with their shape.
struct Array {
    values: Vec<f64>,
    rows: usize,
    width: usize,
    order: Order,
}

impl Array {
    fn read(archive: &mut ZipArchive<File>, name: &str) -> Result<Self, String> {
        let entry = archive.by_name(&format!("{name}.npy")).map_err(|error| error.to_string())?;
        // Each number has at most 8 bytes; the header is small.
        let array = NpyFile::new(entry.take(NUMBERS_MAX * 8 + (1 << 16))).map_err(|error| error.to_string())?;
        let (rows, width) = match *array.shape() {
            [rows] => (rows, 1),
            [rows, width] => (rows, width),
            ref shape => return Err(format!("it has {} dimensions, 1 or 2 are read", shape.len())),
        };
        if rows.checked_mul(width).is_none_or(|numbers| numbers > NUMBERS_MAX) {
            return Err(format!("{rows} × {width} numbers, {NUMBERS_MAX} are possible; write it as Parquet"));
        }
        let order = array.order();
        let values = numbers(array)?;
        if values.len() as u64 != rows * width || width == 0 {
            return Err(format!("{} numbers found, {rows} × {width} announced", values.len()));
        }
        Ok(Self { values, rows: rows as usize, width: width as usize, order })
    }

    /// The values of each column.
    fn columns(&self) -> Vec<Vec<f64>> {
        let column = |column: usize| match self.order {
            Order::Fortran => self.values[column * self.rows..][..self.rows].to_vec(),
            Order::C => self.values.iter().skip(column).step_by(self.width).copied().collect(),
        };
        (0..self.width).map(column).collect()
    }
}

/// All numbers of an array, whatever their type.
fn numbers<R: Read>(array: NpyFile<R>) -> Result<Vec<f64>, String> {
    let DType::Plain(kind) = array.dtype() else { return Err("it holds records, not numbers".to_owned()) };
    match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 8) => converted(array, |value: f64| value),
        (TypeChar::Float, 4) => converted(array, |value: f32| f64::from(value)),
        (TypeChar::Int, 8) => converted(array, |value: i64| value as f64),
        (TypeChar::Int, 4) => converted(array, |value: i32| f64::from(value)),
        (TypeChar::Int, 2) => converted(array, |value: i16| f64::from(value)),
        (TypeChar::Int, 1) => converted(array, |value: i8| f64::from(value)),
        (TypeChar::Uint, 8) => converted(array, |value: u64| value as f64),
        (TypeChar::Uint, 4) => converted(array, |value: u32| f64::from(value)),
        (TypeChar::Uint, 2) => converted(array, |value: u16| f64::from(value)),
        (TypeChar::Uint, 1) => converted(array, |value: u8| f64::from(value)),
        (TypeChar::Bool, _) => converted(array, |value: bool| f64::from(u8::from(value))),
        _ => Err(format!("it holds {kind}, which is no number")),
    }
}

fn converted<R: Read, T: Deserialize>(array: NpyFile<R>, number: impl Fn(T) -> f64) -> Result<Vec<f64>, String> {
    let values = array.data::<T>().map_err(|error| error.to_string())?;
    values.map(|value| value.map(&number).map_err(|error| error.to_string())).collect()
}
