use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lapwing_vocabulary::port::{Assignment, Backlog};
use lapwing_vocabulary::{Epoch, Header, Offset, Partition, Polled, PortError, Records, Transport};

use super::fault::FileError;
use super::options::{FileOptions, HEADER_OVERSIZE, is_standard};
use super::reader::{Arrival, Bell, Reader};
use super::sink::Sink;
use super::split::Chunk;

/// A record's size as long as none was seen, to estimate what is left of a file. Units: bytes.
const RECORD_BYTES_GUESS: u64 = 500;

/// The inputs and outputs of a pipeline that runs on files. There is one worker: outputs and positions of all inputs
/// are committed together.
pub struct FileTransport {
    // Given.
    options: FileOptions,
    bell: Arc<Bell>,
    // Changing.
    inputs: Vec<Input>,
    sink: Sink,
    announced: bool,
    /// Index of the input whose turn it is.
    turn: usize,
    // Counted.
    unplaced: u64,
}

/// One input and how far it has been read.
struct Input {
    // Given.
    path: PathBuf,
    name: Arc<str>,
    /// Size of the file when it was opened; 0 where it is not known.
    size: u64,
    // Changing.
    /// First record to deliver; `None` until the worker resumes.
    next: Option<Offset>,
    reader: Option<Reader>,
    /// Records at hand, and the index of the first that was not delivered.
    chunk: Option<(Chunk, usize)>,
    finished: bool,
    header: Option<Vec<u8>>,
    // Counted.
    /// Bytes that the reader took from the file.
    progress: Arc<AtomicU64>,
}

impl FileTransport {
    /// Opens the outputs, cutting off what was not committed, and makes sure that the inputs are there.
    /// Errors: `Operator` if a file is missing or may not be used, or another process has the output folder; `Corrupt`
    /// if the output folder does not read back.
    pub fn open(options: FileOptions) -> Result<Self, PortError> {
        let inputs: Result<Vec<Input>, FileError> = options.inputs.iter().map(|path| Input::new(path)).collect();
        let inputs = inputs?;
        if options.inputs.iter().filter(|path| is_standard(path)).count() > 1 {
            return Err(PortError::Operator("standard input (`-`) can be given once only".to_owned()));
        }
        let sink = Sink::open(&options)?;
        Ok(Self { options, bell: Arc::default(), inputs, sink, announced: false, turn: 0, unplaced: 0 })
    }

    /// Returns the first record of a CSV file, which names its columns; `None` before any of it was read.
    pub fn header(&self, partition: Partition) -> Option<&[u8]> {
        self.inputs.get(usize::try_from(partition).ok()?)?.header.as_deref()
    }

    /// Returns the number of committed outputs that had no place to go: of other topics than the one for standard
    /// output, or all where there are no outputs.
    pub fn unplaced(&self) -> u64 {
        self.unplaced
    }

    /// Starts the readers that should run: of all inputs when following, else of the first that is not finished.
    fn start_readers(&mut self) -> Result<(), PortError> {
        for input in &mut self.inputs {
            let Some(next) = input.next.filter(|_| !input.finished) else { continue };
            if input.reader.is_none() && input.chunk.is_none() {
                input.progress.store(0, Ordering::Relaxed);
                let (path, progress) = (input.path.clone(), input.progress.clone());
                input.reader = Some(Reader::start(&self.options, path, next, progress, self.bell.clone())?);
            }
            if !self.options.follow {
                break;
            }
        }
        Ok(())
    }

    /// Records of the next input that has some.
    fn take_records(&mut self, records_max: usize) -> Result<Option<Records>, PortError> {
        let count = self.inputs.len();
        for index in (0..count).map(|step| (self.turn + step) % count) {
            self.inputs[index].receive()?;
            if let Some(records) = self.inputs[index].take(index as Partition, records_max, self.options.clock) {
                self.turn = if self.options.follow { (index + 1) % count } else { index };
                return Ok(Some(records));
            }
        }
        Ok(None)
    }

    fn input(&mut self, partition: Partition) -> Result<&mut Input, PortError> {
        let count = self.inputs.len();
        let found = usize::try_from(partition).ok().and_then(|index| self.inputs.get_mut(index));
        found
            .ok_or_else(|| PortError::Operator(format!("there is no input {partition}, counted from 0, among {count}")))
    }
}

impl Input {
    fn new(path: &Path) -> Result<Self, FileError> {
        let size = if is_standard(path) {
            0
        } else {
            let fault = |source| FileError::Open { path: path.display().to_string(), source };
            std::fs::metadata(path).map_err(fault)?.len()
        };
        Ok(Self {
            path: path.to_owned(),
            name: Arc::from(path.to_string_lossy()),
            size,
            next: None,
            reader: None,
            chunk: None,
            finished: false,
            header: None,
            progress: Arc::default(),
        })
    }

    fn resume(&mut self, offset: Offset) -> Result<(), FileError> {
        if is_standard(&self.path) {
            if offset != self.next.unwrap_or(0) {
                return Err(FileError::StandardInput { wanted: offset });
            }
            self.next = Some(offset);
            return Ok(());
        }
        (self.next, self.reader, self.chunk, self.finished) = (Some(offset), None, None, false);
        Ok(())
    }

    /// Takes what the reader has handed over, until there are records.
    fn receive(&mut self) -> Result<(), PortError> {
        while self.chunk.is_none() {
            let Some(arrival) = self.reader.as_ref().and_then(Reader::take) else { return Ok(()) };
            match arrival {
                Arrival::Header(header) => self.header = Some(header),
                Arrival::Records(chunk) => self.chunk = Some((chunk, 0)),
                Arrival::End => (self.reader, self.finished) = (None, true),
                Arrival::Failed(error) => {
                    self.reader = None;
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, partition: Partition, records_max: usize, clock: fn() -> i64) -> Option<Records> {
        let (chunk, first) = self.chunk.as_mut()?;
        let end = chunk.len().min(first.saturating_add(records_max));
        let next = self.next.as_mut()?;
        let (now, mut records) = (clock(), Records::new(self.name.clone(), partition));
        for index in *first..end {
            let (value, cut) = chunk.record(index);
            let headers = cut.map(oversize).into_iter().collect();
            records.push(*next, now, None, value, headers);
            *next += 1;
        }
        *first = end;
        if end == chunk.len() {
            self.chunk = None;
        }
        Some(records)
    }

    /// An estimate, from the bytes that are left and the size of the records so far.
    fn backlog(&self) -> u64 {
        if self.finished {
            return 0;
        }
        let progress = self.progress.load(Ordering::Relaxed);
        let at_hand = self.chunk.as_ref().map_or(0, |(chunk, first)| (chunk.len() - first) as u64);
        let read = self.next.unwrap_or(0) as u64 + at_hand;
        let record_bytes = progress.checked_div(read).unwrap_or(RECORD_BYTES_GUESS).max(1);
        at_hand + self.size.saturating_sub(progress) / record_bytes
    }
}

fn oversize(length: u64) -> Header {
    Header { name: HEADER_OVERSIZE.to_owned(), value: length.to_string().into_bytes() }
}

impl Transport for FileTransport {
    fn poll(&mut self, records_max: usize, wait: Duration) -> Result<Polled, PortError> {
        if !self.announced {
            self.announced = true;
            let assignment = |(index, input): (usize, &Input)| Assignment {
                partition: index as Partition,
                committed: self.sink.position(&input.name),
                earliest: 0,
            };
            return Ok(Polled::Assigned(self.inputs.iter().enumerate().map(assignment).collect()));
        }
        loop {
            let seen = self.bell.rings();
            self.start_readers()?;
            if let Some(records) = self.take_records(records_max.max(1))? {
                return Ok(Polled::Records(records));
            }
            if self.inputs.iter().all(|input| input.finished) {
                return Ok(Polled::End);
            }
            // One that has just finished makes way for the next.
            let waits = self.inputs.iter().any(|input| input.reader.is_some());
            let may_start = self.inputs.iter().any(|input| input.next.is_some() && !input.finished);
            if (waits || !may_start) && !self.bell.wait(seen, wait) {
                return Ok(Polled::Idle);
            }
        }
    }

    fn resume(&mut self, partition: Partition, offset: Offset) -> Result<(), PortError> {
        Ok(self.input(partition)?.resume(offset.max(0))?)
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), PortError> {
        for partition in partitions {
            let input = self.input(*partition)?;
            (input.next, input.reader, input.chunk) = (None, None, None);
        }
        Ok(())
    }

    fn commit(&mut self, epoch: Epoch) -> Result<(), PortError> {
        if epoch.is_empty() {
            return Ok(());
        }
        let mut positions = Vec::with_capacity(epoch.positions.len());
        for (partition, offset) in epoch.positions {
            let input = self.input(partition)?;
            // Standard input cannot be resumed: its position would be a promise that nobody can keep.
            if !is_standard(&input.path) {
                positions.push((input.name.to_string(), offset));
            }
        }
        self.unplaced += self.sink.commit(&epoch.outputs, &positions)?;
        Ok(())
    }

    fn backlog(&mut self) -> Result<Backlog, PortError> {
        Ok(Backlog { records: self.inputs.iter().map(Input::backlog).sum() })
    }
}
