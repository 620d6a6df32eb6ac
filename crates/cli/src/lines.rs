//! A producer that writes each record's value as a line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use lapwing_vocabulary::port::Producer;
use lapwing_vocabulary::{OutputRecord, PortError};

use crate::failure::{Failure, IO};

/// Writes each record's value as a line.
pub struct LineProducer {
    /// Where to.
    pub writer: Box<dyn Write + Send>,
}

impl Producer for LineProducer {
    fn append(&mut self, records: Vec<OutputRecord>) -> Result<(), PortError> {
        for record in records {
            let written = self.writer.write_all(&record.value).and_then(|()| self.writer.write_all(b"\n"));
            written.map_err(|error| PortError::Storage(format!("write lines: {error}")))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PortError> {
        let flushed = self.writer.flush();
        flushed.map_err(|error| PortError::Storage(format!("write lines: {error}")))
    }
}

/// A producer that writes lines to a file or standard output.
pub fn line_producer(path: &Path) -> Result<LineProducer, Failure> {
    let writer: Box<dyn Write + Send> = if path.as_os_str() == "-" {
        Box::new(BufWriter::with_capacity(1 << 20, std::io::stdout()))
    } else {
        let file = File::create(path);
        let file = file.map_err(|error| Failure::new(IO, format!("create {}: {error}", path.display())))?;
        Box::new(BufWriter::with_capacity(1 << 20, file))
    };
    Ok(LineProducer { writer })
}
