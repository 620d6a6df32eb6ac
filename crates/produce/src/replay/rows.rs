use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;

use csv::{ErrorKind, StringRecord};

use super::counts::ReplayCounts;
use super::input::open;
use super::multiline::Multiline;
use super::options::{ReplayFormat, ReplayOptions};
use super::pattern::compile;
use crate::error::ProduceError;

/// One row of a file.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Line of the file, from 1; of several lines the first.
    pub(crate) line: u64,
    pub(crate) body: Body,
}

/// What a row holds.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// The line without its end; or the lines of one record.
    Line(Vec<u8>),
    /// Cells of a CSV row, as many as the header has.
    Cells(StringRecord),
}

/// The rows of a file, from its start.
pub(crate) struct Rows {
    path: PathBuf,
    reader: Reader,
    line: u64,
    done: bool,
    counts: Arc<ReplayCounts>,
}

enum Reader {
    Lines(Box<dyn BufRead + Send>),
    Records(Box<Multiline>),
    Csv { reader: Box<csv::Reader<Box<dyn BufRead + Send>>>, header: Vec<String> },
}

impl Rows {
    pub(crate) fn open(options: &ReplayOptions, counts: Arc<ReplayCounts>) -> Result<Self, ProduceError> {
        let start = options.multiline_start.as_deref().map(|start| compile("multiline start", start)).transpose()?;
        let input = open(&options.path)?;
        let reader = match start {
            Some(start) => Reader::Records(Box::new(Multiline::new(start, input))),
            None => Reader::Lines(input),
        };
        let mut rows = Self { path: options.path.clone(), reader, line: 0, done: false, counts };
        if options.format == ReplayFormat::Csv {
            rows.read_header()?;
        }
        Ok(rows)
    }

    /// Names of the columns; empty unless the file is CSV.
    pub(crate) fn header(&self) -> &[String] {
        match &self.reader {
            Reader::Csv { header, .. } => header,
            Reader::Lines(_) | Reader::Records(_) => &[],
        }
    }

    fn read_header(&mut self) -> Result<(), ProduceError> {
        let input = std::mem::replace(&mut self.reader, Reader::Lines(Box::new(std::io::empty())));
        let Reader::Lines(input) = input else { return Ok(()) };
        let mut reader = csv::ReaderBuilder::new().from_reader(input);
        let header = match reader.headers() {
            Ok(header) => header.clone(),
            Err(error) => return Err(self.csv_fault(error)),
        };
        let mut names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        if let Some(first) = names.first_mut() {
            *first = first.trim_start_matches('\u{feff}').to_owned();
        }
        self.line = 1;
        if let Some(twice) = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
            return Err(self.malformed(1, format!("column `{}` is named twice in the header", twice.1)));
        }
        self.reader = Reader::Csv { reader: Box::new(reader), header: names };
        Ok(())
    }

    fn malformed(&self, line: u64, problem: String) -> ProduceError {
        ProduceError::Malformed { path: self.path.clone(), line, problem }
    }

    fn read_fault(&mut self, source: std::io::Error) -> ProduceError {
        // What follows an unreadable place cannot be told from it: the file ends here.
        self.done = true;
        ProduceError::Read { path: self.path.clone(), line: self.line, source }
    }

    fn csv_fault(&mut self, error: csv::Error) -> ProduceError {
        let line = error.position().map_or(self.line + 1, csv::Position::line);
        let text = error.to_string();
        match error.into_kind() {
            ErrorKind::Io(source) => self.read_fault(source),
            ErrorKind::UnequalLengths { expected_len, len, .. } => {
                self.malformed(line, format!("{len} cells where the header names {expected_len}"))
            }
            ErrorKind::Utf8 { err, .. } => self.malformed(line, format!("not UTF-8: {err}")),
            _ => self.malformed(line, text),
        }
    }

    fn next_line(&mut self) -> Option<Result<Row, ProduceError>> {
        let Reader::Lines(reader) = &mut self.reader else { return None };
        loop {
            let mut bytes = Vec::new();
            match reader.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) => self.line += 1,
                Err(source) => return Some(Err(self.read_fault(source))),
            }
            while matches!(bytes.last(), Some(b'\n' | b'\r')) {
                bytes.pop();
            }
            if !bytes.iter().all(u8::is_ascii_whitespace) {
                return Some(Ok(Row { line: self.line, body: Body::Line(bytes) }));
            }
        }
    }

    fn next_record(&mut self) -> Option<Result<Row, ProduceError>> {
        let Reader::Records(reader) = &mut self.reader else { return None };
        let record = reader.record();
        self.line = reader.lines();
        match record {
            Ok(record) => record.map(|record| {
                if record.is_cut {
                    self.counts.cut_one();
                }
                Ok(Row { line: record.line, body: Body::Line(record.bytes) })
            }),
            Err(source) => Some(Err(self.read_fault(source))),
        }
    }

    fn next_cells(&mut self) -> Option<Result<Row, ProduceError>> {
        let Reader::Csv { reader, .. } = &mut self.reader else { return None };
        let mut cells = StringRecord::new();
        match reader.read_record(&mut cells) {
            Ok(false) => None,
            Ok(true) => {
                self.line = cells.position().map_or(self.line + 1, csv::Position::line);
                Some(Ok(Row { line: self.line, body: Body::Cells(cells) }))
            }
            Err(error) => Some(Err(self.csv_fault(error))),
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Row, ProduceError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &self.reader {
            _ if self.done => None,
            Reader::Lines(_) => self.next_line(),
            Reader::Records(_) => self.next_record(),
            Reader::Csv { .. } => self.next_cells(),
        }
    }
}
