use std::io::Write;

use super::block::write_name;
use super::scenario::Logs;
use crate::error::ProduceError;
use crate::produced::Produced;

/// Names of the columns of a file of labels: the block, 1 if something goes wrong with it, and what.
pub const LABELS_HEADER: &str = "block_id,label,type";

/// Records of the scenario; the truth about each block is written when a record names it for the first time.
#[derive(Debug)]
pub struct Labelled<W> {
    logs: Logs,
    labels: W,
    row: Vec<u8>,
}

impl<W: Write> Labelled<W> {
    /// Writes the header. Rows go to `labels` at once, a call each, so that the truth is never behind the records.
    /// Errors: `Write`.
    pub fn new(logs: Logs, labels: W) -> Result<Self, ProduceError> {
        let mut labelled = Self { logs, labels, row: Vec::new() };
        labelled.row.extend_from_slice(LABELS_HEADER.as_bytes());
        labelled.row.push(b'\n');
        labelled.write()?;
        Ok(labelled)
    }

    fn write(&mut self) -> Result<(), ProduceError> {
        let written = self.labels.write_all(&self.row).and_then(|()| self.labels.flush());
        self.row.clear();
        written.map_err(|source| ProduceError::Write { what: "labels", source })
    }
}

impl<W: Write> Iterator for Labelled<W> {
    type Item = Result<Produced, ProduceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.logs.next()?;
        for (id, kind) in self.logs.named_first() {
            write_name(&mut self.row, *id);
            let (label, name) = kind.map_or((",0,", ""), |kind| (",1,", kind.name()));
            self.row.extend_from_slice(label.as_bytes());
            self.row.extend_from_slice(name.as_bytes());
            self.row.push(b'\n');
        }
        if !self.row.is_empty()
            && let Err(fault) = self.write()
        {
            return Some(Err(fault));
        }
        Some(Ok(record))
    }
}
