use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use csv::ByteRecord;
use flate2::bufread::MultiGzDecoder;

use super::{BATCH_ROWS, Column, Kind, Visit, clean_names, first_bytes, kdd, open};
use crate::error::EvaluateError;

/// Bytes of text in one column from which on a batch ends.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// Longest record that is read; bounds what a file without line breaks can make us hold. Units: bytes.
const RECORD_BYTES_MAX: usize = 16 << 20;
/// Most columns of a file.
const COLUMNS_MAX: usize = 16_384;
/// Rows looked at to tell a line of names from a row of words.
const ROWS_TO_KNOW_NAMES: usize = 1_000;
/// From so many columns on, 0, 1, 2, … in the first line are taken for names; fewer may be a row by chance.
const COLUMNS_TO_NUMBER: usize = 3;
/// What may separate values; of those that the first line holds, the most frequent one does.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A text file of separated values, plain or compressed.
#[derive(Debug)]
pub(super) struct CsvFile {
    path: PathBuf,
    delimiter: u8,
    named: bool,
    columns: Vec<Column>,
    rows: usize,
}

/// What a cell can be read as.
enum Reading {
    Missing,
    Number(f64),
    Flag(f64),
    Word,
}

impl CsvFile {
    pub(super) fn open(path: &Path) -> Result<Self, EvaluateError> {
        let delimiter = delimiter(path)?;
        let mut file = Self { path: path.to_owned(), delimiter, named: false, columns: Vec::new(), rows: 0 };
        let mut named = false;
        let mut kinds: Vec<Evidence> = Vec::new();
        let mut first: Option<ByteRecord> = None;
        let mut rows = 0;
        file.records(|record| {
            rows += 1;
            let Some(names) = &first else {
                check_width(record.len()).map_err(|text| EvaluateError::data(path, text))?;
                kinds.resize(record.len(), Evidence::default());
                named = !has_values(record);
                if !named {
                    kinds.iter_mut().zip(record).for_each(|(kind, cell)| kind.see(&read_cell(cell)));
                }
                first = Some(record.clone());
                return Ok(());
            };
            if named && rows <= ROWS_TO_KNOW_NAMES && repeats(names, record) {
                named = false;
                kinds.iter_mut().zip(names).for_each(|(kind, cell)| kind.see(&read_cell(cell)));
            }
            kinds.iter_mut().zip(record).for_each(|(kind, cell)| kind.see(&read_cell(cell)));
            Ok(())
        })?;
        let Some(first) = first else { return Err(EvaluateError::data(path, "the file has no rows")) };
        file.named = named;
        file.rows = rows - usize::from(file.named);
        let names = match (file.named, first.len()) {
            (true, _) => first.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect(),
            (false, width) if width == kdd::NAMES.len() => kdd::NAMES.map(str::to_owned).to_vec(),
            (false, width) => vec![String::new(); width],
        };
        let names = clean_names(names.into_iter());
        file.columns = names.into_iter().zip(kinds).map(|(name, kind)| Column { name, kind: kind.kind() }).collect();
        Ok(file)
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn visit(&self, wanted: &[Column], each: Visit<'_>) -> Result<(), EvaluateError> {
        let mut builder = Builder::of(wanted, &self.columns);
        let (mut start, mut skip) = (0, self.named);
        self.records(|record| {
            if std::mem::take(&mut skip) {
                return Ok(());
            }
            builder.add(record);
            if builder.is_full() {
                let batch = builder.finish();
                each(start, &batch)?;
                start += batch.num_rows();
            }
            Ok(())
        })?;
        match builder.rows {
            0 => Ok(()),
            _ => each(start, &builder.finish()),
        }
    }

    /// Reads all records; one of another width than the first is refused with its line.
    fn records(&self, mut each: impl FnMut(&ByteRecord) -> Result<(), EvaluateError>) -> Result<(), EvaluateError> {
        let since = Rc::new(Cell::new(0));
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .from_reader(Bounded { inner: decompressed(&self.path)?, since: since.clone() });
        let mut record = ByteRecord::new();
        let mut width = None;
        while reader.read_byte_record(&mut record).map_err(|error| EvaluateError::data(&self.path, error))? {
            let expected = *width.get_or_insert(record.len());
            if record.len() != expected {
                let line = record.position().map_or(0, csv::Position::line);
                let text =
                    format!("line {line} has {} values, the first has {expected}; mend or remove it", record.len());
                return Err(EvaluateError::data(&self.path, text));
            }
            since.set(0);
            each(&record)?;
        }
        Ok(())
    }
}

/// What the cells of a column have been so far.
#[derive(Clone, Copy, Debug)]
struct Evidence {
    numbers: bool,
    flags: bool,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { numbers: true, flags: true }
    }
}

impl Evidence {
    fn see(&mut self, cell: &Reading) {
        match cell {
            Reading::Missing => {}
            Reading::Number(_) => self.flags = false,
            Reading::Flag(_) => self.numbers = false,
            Reading::Word => (self.numbers, self.flags) = (false, false),
        }
    }

    fn kind(self) -> Kind {
        if self.numbers || self.flags { Kind::Number } else { Kind::Text }
    }
}

/// A name is no value of its own column: a line that later rows repeat in part is none of names.
fn repeats(names: &ByteRecord, record: &ByteRecord) -> bool {
    names.iter().zip(record).any(|(name, cell)| !name.trim_ascii().is_empty() && name == cell)
}

/// A line of names holds no numbers, unless they number the columns from 0 or 1.
fn has_values(record: &ByteRecord) -> bool {
    let beyond = |(place, cell): (usize, &[u8])| match read_cell(cell) {
        Reading::Number(number) => Some(number - place as f64),
        _ => None,
    };
    let beyond: Vec<f64> = record.iter().enumerate().filter_map(beyond).collect();
    let all = |first: f64| beyond.iter().all(|offset| *offset == first);
    let numbered = beyond.len() >= COLUMNS_TO_NUMBER && (all(0.0) || all(1.0));
    !beyond.is_empty() && !numbered
}

fn check_width(width: usize) -> Result<(), String> {
    match width <= COLUMNS_MAX {
        true => Ok(()),
        false => Err(format!("{width} columns, {COLUMNS_MAX} are possible")),
    }
}

fn read_cell(cell: &[u8]) -> Reading {
    let cell = cell.trim_ascii();
    if let Ok(number) = fast_float2::parse::<f64, _>(cell) {
        return if number.is_nan() { Reading::Missing } else { Reading::Number(number) };
    }
    let is = |words: &[&str]| words.iter().any(|word| cell.eq_ignore_ascii_case(word.as_bytes()));
    match () {
        () if is(&["", "na", "n/a", "nan", "null", "none", "?", "-"]) => Reading::Missing,
        () if is(&["true", "yes"]) => Reading::Flag(1.0),
        () if is(&["false", "no"]) => Reading::Flag(0.0),
        () => Reading::Word,
    }
}

/// Columns of a batch under construction.
struct Builder {
    schema: Arc<Schema>,
    places: Vec<usize>,
    cells: Vec<Cells>,
    rows: usize,
}

enum Cells {
    Numbers(Vec<f64>),
    Texts(StringBuilder),
}

impl Builder {
    fn of(wanted: &[Column], present: &[Column]) -> Self {
        let place = |column: &Column| present.iter().position(|other| other.name == column.name);
        let cells = |column: &Column| match column.kind {
            Kind::Number => Cells::Numbers(Vec::new()),
            Kind::Text => Cells::Texts(StringBuilder::new()),
        };
        Self {
            schema: schema(wanted),
            places: wanted.iter().map(|column| place(column).expect("wanted columns are looked up before")).collect(),
            cells: wanted.iter().map(cells).collect(),
            rows: 0,
        }
    }

    fn add(&mut self, record: &ByteRecord) {
        for (cells, place) in self.cells.iter_mut().zip(&self.places) {
            let cell = &record[*place];
            match cells {
                Cells::Numbers(numbers) => numbers.push(match read_cell(cell) {
                    Reading::Number(number) | Reading::Flag(number) => number,
                    Reading::Missing | Reading::Word => f64::NAN,
                }),
                Cells::Texts(texts) => match String::from_utf8_lossy(cell.trim_ascii()) {
                    text if text.is_empty() => texts.append_null(),
                    text => texts.append_value(text),
                },
            }
        }
        self.rows += 1;
    }

    /// Whether the rows so far are a batch: long cells fill one sooner, for its text has a bound.
    fn is_full(&self) -> bool {
        let long = |cells: &Cells| matches!(cells, Cells::Texts(texts) if texts.values_slice().len() >= TEXT_BYTES_MAX);
        self.rows == BATCH_ROWS || self.cells.iter().any(long)
    }

    fn finish(&mut self) -> RecordBatch {
        let arrays = self.cells.iter_mut().map(|cells| match cells {
            Cells::Numbers(numbers) => Arc::new(Float64Array::from(std::mem::take(numbers))) as ArrayRef,
            Cells::Texts(texts) => Arc::new(texts.finish()),
        });
        batch(&self.schema, arrays.collect(), std::mem::take(&mut self.rows))
    }
}

pub(super) fn schema(wanted: &[Column]) -> Arc<Schema> {
    let field = |column: &Column| {
        let data_type = match column.kind {
            Kind::Number => DataType::Float64,
            Kind::Text => DataType::Utf8,
        };
        Field::new(&column.name, data_type, true)
    };
    Arc::new(Schema::new(wanted.iter().map(field).collect::<Vec<_>>()))
}

/// A batch that knows its number of rows also without columns.
pub(super) fn batch(schema: &Arc<Schema>, arrays: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), arrays, &options).expect("arrays are built after the schema")
}

/// The file's text; the first bytes say how it is compressed.
fn decompressed(path: &Path) -> Result<Box<dyn Read>, EvaluateError> {
    let start = first_bytes(path)?;
    let file = BufReader::with_capacity(1 << 16, open(path)?);
    Ok(match start.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            Box::new(zstd::Decoder::with_buffer(file).map_err(|error| EvaluateError::data(path, error))?)
        }
        _ => Box::new(file),
    })
}

/// The most frequent of the delimiters in the first line.
fn delimiter(path: &Path) -> Result<u8, EvaluateError> {
    let mut start = Vec::new();
    let text = decompressed(path)?;
    text.take(1 << 16).read_to_end(&mut start).map_err(|error| EvaluateError::data(path, error))?;
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| line.iter().filter(|byte| *byte == delimiter).count();
    Ok(DELIMITERS.into_iter().rev().max_by_key(count).filter(|delimiter| count(delimiter) > 0).unwrap_or(b','))
}

/// Stops a record without end, such as that of a quote that is never closed.
struct Bounded {
    inner: Box<dyn Read>,
    /// Bytes read since the last record ended; whoever takes records sets it back.
    since: Rc<Cell<usize>>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since.get() > RECORD_BYTES_MAX {
            let text = format!("a record is longer than {RECORD_BYTES_MAX} bytes; is a quote left open?");
            return Err(io::Error::other(text));
        }
        let read = self.inner.read(buffer)?;
        self.since.set(self.since.get() + read);
        Ok(read)
    }
}
