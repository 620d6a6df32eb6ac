//! Plain data files as typed columns: CSV, Parquet, numpy archives.
//!
//! Opening a file looks at all of it once: types hold for every row, rows are counted, and what is broken is told with
//! its place. Reading then streams batches, as often as needed; nothing but one batch is held.

/// Text files of separated values.
mod csv_file;
/// Parquet files.
mod parquet_file;
/// Numpy archives.
mod npz_file;
/// The names of the columns of a well-known file that comes without them.
mod kdd;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{EvaluateError, unknown_name};
use csv_file::CsvFile;
use npz_file::NpzFile;
use parquet_file::ParquetFile;

/// Rows of a batch: enough to keep all threads busy, few enough to stay in the caches.
pub(crate) const BATCH_ROWS: usize = 16_384;

/// What a column is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 64-bit numbers; missing is NaN. Yes and no are 1 and 0, moments are numbers since 1970.
    Number,
    /// Text; missing is null.
    Text,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name, without blanks around it.
    pub name: String,
    /// What it is read as.
    pub kind: Kind,
}

/// A data file that has been looked through once.
#[derive(Debug)]
pub struct DataFile {
    path: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Csv(CsvFile),
    Parquet(ParquetFile),
    Npz(NpzFile),
}

/// Whether a file's name says that it is no text.
fn claims_other_than_text(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    extension.eq_ignore_ascii_case("parquet") || extension.eq_ignore_ascii_case("npz")
}

/// Takes the batches of a file: the number of the first row, and the rows.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(usize, &RecordBatch) -> Result<(), EvaluateError>;

impl DataFile {
    /// Looks through a file; its first bytes say what it is. Errors: `NoFile`, `Data` with the place of the fault.
    pub fn open(path: &Path) -> Result<Self, EvaluateError> {
        let start = first_bytes(path)?;
        let content = match start.as_slice() {
            [] => return Err(EvaluateError::data(path, "the file is empty")),
            [b'P', b'A', b'R', b'1', ..] => Content::Parquet(ParquetFile::open(path)?),
            [b'P', b'K', 3, 4, ..] => Content::Npz(NpzFile::open(path)?),
            _ if claims_other_than_text(path) => {
                return Err(EvaluateError::data(path, "it does not begin as its name says; is it damaged, or text?"));
            }
            _ => Content::Csv(CsvFile::open(path)?),
        };
        let file = Self { path: path.to_owned(), content };
        if file.rows() == 0 {
            return Err(EvaluateError::data(path, "the file has no rows"));
        }
        u32::try_from(file.rows()).map_err(|_| EvaluateError::data(path, "more than 4,294,967,295 rows"))?;
        Ok(file)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its columns in order.
    pub fn columns(&self) -> &[Column] {
        match &self.content {
            Content::Csv(file) => file.columns(),
            Content::Parquet(file) => file.columns(),
            Content::Npz(file) => file.columns(),
        }
    }

    /// Number of its rows.
    pub fn rows(&self) -> usize {
        match &self.content {
            Content::Csv(file) => file.rows(),
            Content::Parquet(file) => file.rows(),
            Content::Npz(file) => file.rows(),
        }
    }

    /// Reads the wanted columns of all rows in order; any column can be read as text. Errors: `Data`, and those of
    /// the visitor.
    pub(crate) fn visit(&self, wanted: &[Column], each: Visit<'_>) -> Result<(), EvaluateError> {
        match &self.content {
            Content::Csv(file) => file.visit(wanted, each),
            Content::Parquet(file) => file.visit(wanted, each),
            Content::Npz(file) => file.visit(wanted, each),
        }
    }

    /// Refuses a name that no column has. Errors: `Setting`, with the nearest name.
    pub(crate) fn require(&self, name: &str, what: &str) -> Result<(), EvaluateError> {
        let known: Vec<&str> = self.columns().iter().map(|column| column.name.as_str()).collect();
        match known.contains(&name) {
            true => Ok(()),
            false => {
                let hint = unknown_name(name, &known);
                Err(EvaluateError::setting(format!("{} has no {what} `{name}`: {hint}", self.path.display())))
            }
        }
    }

    /// SHA-256 of its bytes in hexadecimal digits. Errors: `NoFile`.
    pub(crate) fn digest(&self) -> Result<String, EvaluateError> {
        let mut file = open(&self.path)?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).map_err(|error| EvaluateError::data(&self.path, error))? {
                0 => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
                read => digest.update(&buffer[..read]),
            }
        }
    }
}

fn open(path: &Path) -> Result<File, EvaluateError> {
    let refuse = |text: &dyn std::fmt::Display| EvaluateError::NoFile(format!("open {}: {text}", path.display()));
    let file = File::open(path).map_err(|error| refuse(&error))?;
    match path.is_dir() {
        true => Err(refuse(&"this is a folder; name a file")),
        false if !path.is_file() => Err(refuse(&"this is no plain file, and it is read several times; store it first")),
        false => Ok(file),
    }
}

fn first_bytes(path: &Path) -> Result<Vec<u8>, EvaluateError> {
    let mut start = Vec::new();
    open(path)?.take(4).read_to_end(&mut start).map_err(|error| EvaluateError::data(path, error))?;
    Ok(start)
}

/// Names as they are shown: without blanks around them, numbered where empty, a repeated one with its number behind it.
fn clean_names(names: impl Iterator<Item = String>) -> Vec<String> {
    let (mut clean, mut used) = (Vec::new(), HashSet::new());
    // Where the numbering of a name goes on: counting from 2 each time would take for ever where all are alike.
    let mut next: HashMap<String, usize> = HashMap::new();
    for (place, name) in names.enumerate() {
        let name = name.trim().trim_start_matches('\u{feff}');
        let name = if name.is_empty() { format!("column_{}", place + 1) } else { name.to_owned() };
        let mut unique = name.clone();
        let count = next.entry(name.clone()).or_insert(2);
        while !used.insert(unique.clone()) {
            unique = format!("{name}_{count}");
            *count += 1;
        }
        clean.push(unique);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_equal_names_are_numbered_and_no_name_comes_twice() {
        let names = ["a", " a_2", "", "a", "a"].map(str::to_owned);
        assert_eq!(clean_names(names.into_iter()), ["a", "a_2", "column_3", "a_3", "a_4"]);
        let many = clean_names(std::iter::repeat_n("a".to_owned(), 20_000));
        assert_eq!(many.last().map(String::as_str), Some("a_20000"));
    }
}
