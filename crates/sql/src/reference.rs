use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use sha2::{Digest, Sha256};

use crate::error::SqlError;
use crate::formats;

/// The largest reference file that is read: a table is held in memory, whole, by every worker that joins with it.
pub const REFERENCE_BYTES_MAX: u64 = 1 << 30;

/// A small table that events are joined with, held in memory. Cloning shares the data.
#[derive(Debug, Clone)]
pub struct ReferenceTable {
    name: String,
    batch: RecordBatch,
    digest: String,
    fingerprint: Option<Fingerprint>,
}

impl ReferenceTable {
    /// Reads a table from a file ending in `.csv` (with a header line), `.json`, `.jsonl` or `.ndjson` (objects one
    /// after the other, or one array of them) or `.parquet`. Column types follow from the values.
    /// Errors: `Table`.
    pub fn read(name: &str, path: &Path) -> Result<Self, SqlError> {
        let fault = |reason: String| SqlError::Table { table: name.to_owned(), reason };
        let place = |error: io::Error| fault(format!("{}: {error}", path.display()));
        // Taken before reading: a change while reading is then seen as a change later.
        let fingerprint = Fingerprint::of(path).map_err(place)?;
        let bytes = read_bounded(path).map_err(place)?;
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let mut table = Self::from_bytes(name, ending, &bytes).map_err(|error| match error {
            SqlError::Table { reason, .. } => fault(format!("{}: {reason}", path.display())),
            other => other,
        })?;
        table.fingerprint = Some(fingerprint);
        Ok(table)
    }

    /// Reads a table from the bytes of a file that would have `ending` (`csv`, `json`, `jsonl`, `ndjson`, `parquet`).
    /// Errors: `Table`.
    pub fn from_bytes(name: &str, ending: &str, bytes: &[u8]) -> Result<Self, SqlError> {
        let batch = formats::parse(ending, bytes)
            .and_then(formats::plain_columns)
            .map_err(|reason| SqlError::Table { table: name.to_owned(), reason })?;
        Ok(Self { name: name.to_owned(), batch, digest: hex(&Sha256::digest(bytes)), fingerprint: None })
    }

    /// Makes a table of rows that are in memory already; its digest is of the column names, types and values.
    /// Errors: `Table` if a column's type cannot be compared.
    pub fn from_batch(name: &str, batch: RecordBatch) -> Result<Self, SqlError> {
        let fault = |reason: String| SqlError::Table { table: name.to_owned(), reason };
        let batch = formats::plain_columns(batch).map_err(fault)?;
        let digest = digest_of(&batch).map_err(|error| fault(error.to_string()))?;
        Ok(Self { name: name.to_owned(), batch, digest, fingerprint: None })
    }

    /// Name by which queries call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Its columns.
    pub fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    /// Its rows.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// SHA-256 of the file's bytes, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// State of the file it was read from, as it was just before; `None` if it was not read from a path.
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.fingerprint.as_ref()
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that a file growing while it is read is noticed as well.
    File::open(path)?.take(REFERENCE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > REFERENCE_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {REFERENCE_BYTES_MAX} bytes; keep only the columns and rows that queries use"),
        ));
    }
    Ok(bytes)
}

fn digest_of(batch: &RecordBatch) -> Result<String, arrow::error::ArrowError> {
    let mut sha = Sha256::new();
    for field in batch.schema().fields() {
        sha.update(format!("{}\0{}\0", field.name(), field.data_type()));
    }
    let fields = batch.schema().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let rows = RowConverter::new(fields)?.convert_columns(batch.columns())?;
    for row in &rows {
        sha.update((row.data().len() as u64).to_le_bytes());
        sha.update(row.data());
    }
    Ok(hex(&sha.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What tells cheaply that a file has changed: its size and time of modification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    path: PathBuf,
    modified: SystemTime,
    size: u64,
}

impl Fingerprint {
    /// Takes the fingerprint of a file. Errors: those of the file system.
    pub fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { path: path.to_owned(), modified: metadata.modified()?, size: metadata.len() })
    }

    /// Whether the file differs now. Errors: those of the file system, such as a file that is gone while it is being
    /// replaced: ask again later.
    pub fn changed(&self) -> io::Result<bool> {
        Ok(Self::of(&self.path)? != *self)
    }

    /// Time of modification.
    pub fn modified(&self) -> SystemTime {
        self.modified
    }

    /// Units: bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}
