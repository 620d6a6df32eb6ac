use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use lapwing_vocabulary::Offset;

use super::fault::FileError;
use super::gather::Gather;
use super::input::{self, Packing, read_fault};
use super::options::{FileOptions, is_standard};
use super::split::{Chunk, Splitter};

const READ_BYTES: usize = 256 << 10;
/// A chunk is handed over when it has this size. Units: bytes.
const CHUNK_BYTES: usize = 512 << 10;
/// Chunks read ahead; together with their size it bounds the memory of an input.
const CHUNKS_AHEAD: usize = 4;
/// How often a followed file is looked at when it does not grow.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(20);

/// What a reader hands over.
#[derive(Debug)]
pub(super) enum Arrival {
    /// The first record of a CSV file.
    Header(Vec<u8>),
    /// The next records.
    Records(Chunk),
    /// There are no more.
    End,
    /// Reading stopped here.
    Failed(FileError),
}

/// Told by readers that something arrived, whichever of them it was.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    pub(super) fn rings(&self) -> u64 {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.rung.notify_all();
    }

    /// Waits until it has rung more often than `seen`; `false` if it did not within `wait`.
    pub(super) fn wait(&self, seen: u64, wait: Duration) -> bool {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.rung.wait_timeout_while(rings, wait, |rings| *rings == seen);
        !outcome.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

/// The thread of one input, reading ahead. Dropping it ends the thread and waits for it, except when that waits for
/// standard input, which cannot be interrupted: it ends with the process, or at the next line.
pub(super) struct Reader {
    arrivals: Option<Receiver<Arrival>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts reading an input at the record `from`.
    pub(super) fn start(
        options: &FileOptions,
        path: PathBuf,
        from: Offset,
        progress: Arc<AtomicU64>,
        bell: Arc<Bell>,
    ) -> Result<Self, FileError> {
        let follow = options.follow && !is_standard(&path);
        let name = || path.display().to_string();
        if follow && Packing::of(&path) != Packing::Plain {
            return Err(FileError::NotFollowable { path: name() });
        }
        let splitter = if options.csv {
            Splitter::csv(options.csv_delimiter, options.record_bytes_max)
        } else {
            Splitter::lines(options.record_bytes_max)
        };
        let source = input::open(&path, progress)?;
        let regular = std::fs::metadata(&path).is_ok_and(|metadata| metadata.is_file());
        let identity = match follow {
            true => Some(Identity::of(&path).map_err(|source| FileError::Open { path: name(), source })?),
            false => None,
        };
        let (sender, arrivals) = sync_channel(CHUNKS_AHEAD);
        let (stop, stopped) = channel();
        let joined = !is_standard(&path);
        let header = options.csv && options.csv_header;
        let work = Work {
            path,
            from,
            header,
            prompt: follow || !regular,
            identity,
            sender,
            stopped,
            bell,
            splitter,
            gather: options.begins.clone().map(|begins| Gather::new(begins, options.record_bytes_max)),
            chunk: Chunk::default(),
            records: 0,
            taken: 0,
        };
        let thread = std::thread::Builder::new().name("lapwing-read".to_owned()).spawn(move || work.run(source));
        let thread = thread.map_err(|source| FileError::Open { path: "a reading thread".to_owned(), source })?;
        Ok(Self { arrivals: Some(arrivals), stop: Some(stop), thread: joined.then_some(thread) })
    }

    /// What arrived, if anything.
    pub(super) fn take(&self) -> Option<Arrival> {
        self.arrivals.as_ref().and_then(|arrivals| arrivals.try_recv().ok())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Either end of the thread's waits: for room, or for the file to grow.
        self.arrivals = None;
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by itself.
            let _ = thread.join();
        }
    }
}

/// Why a thread stops before the end of its input: nobody listens any more, or reading failed.
enum Stop {
    Unheard,
    Failed(FileError),
}

struct Work {
    // Given.
    path: PathBuf,
    from: Offset,
    header: bool,
    /// Whether somebody may be waiting for the little there is: of a pipe, or of a file that grows.
    prompt: bool,
    identity: Option<Identity>,
    sender: SyncSender<Arrival>,
    stopped: Receiver<()>,
    bell: Arc<Bell>,
    // Changing.
    splitter: Splitter,
    gather: Option<Gather>,
    chunk: Chunk,
    /// Records that were handed over or skipped.
    records: Offset,
    /// Bytes read.
    taken: u64,
}

impl Work {
    fn run(mut self, source: Box<dyn Read + Send>) {
        let last = match self.read(source) {
            Ok(()) => Arrival::End,
            Err(Stop::Failed(error)) => Arrival::Failed(error),
            Err(Stop::Unheard) => return,
        };
        // Nobody listening is no fault here.
        let _ = self.send(last);
    }

    fn read(&mut self, mut source: Box<dyn Read + Send>) -> Result<(), Stop> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match source.read(&mut buffer) {
                Ok(0) if self.identity.is_some() => {
                    self.hand_over()?;
                    self.check_resumed()?;
                    self.wait_for_growth()?;
                }
                Ok(0) => {
                    self.splitter.finish(&mut self.chunk);
                    self.hand_over()?;
                    if let Some(gather) = &mut self.gather {
                        let mut last = Chunk::default();
                        gather.finish(&mut last);
                        self.hand_over_records(last)?;
                    }
                    return self.check_resumed();
                }
                Ok(read) => {
                    self.taken += read as u64;
                    self.splitter.split(&buffer[..read], &mut self.chunk);
                    if self.chunk.bytes() >= CHUNK_BYTES || (self.prompt && read < READ_BYTES) {
                        self.hand_over()?;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.hand_over()?;
                    return Err(Stop::Failed(read_fault(&self.path, self.records, error)));
                }
            }
        }
    }

    /// Hands over the records read so far, less the header and those consumed before.
    fn hand_over(&mut self) -> Result<(), Stop> {
        let mut chunk = std::mem::take(&mut self.chunk);
        if self.header && !chunk.is_empty() {
            self.header = false;
            self.send(Arrival::Header(chunk.record(0).0.to_vec()))?;
            chunk.drop_first(1);
        }
        if let Some(gather) = &mut self.gather {
            chunk = gather.gather(&chunk);
        }
        self.hand_over_records(chunk)
    }

    fn hand_over_records(&mut self, mut chunk: Chunk) -> Result<(), Stop> {
        let known = (self.from - self.records).clamp(0, chunk.len() as i64);
        self.records += chunk.len() as Offset;
        chunk.drop_first(known as usize);
        if chunk.is_empty() { Ok(()) } else { self.send(Arrival::Records(chunk)) }
    }

    fn send(&self, message: Arrival) -> Result<(), Stop> {
        let sent = self.sender.send(message).map_err(|_| Stop::Unheard);
        self.bell.ring();
        sent
    }

    /// At the end of the input: whether the record to resume at was reached.
    fn check_resumed(&self) -> Result<(), Stop> {
        if self.records >= self.from {
            return Ok(());
        }
        let (path, wanted, records) = (self.path.display().to_string(), self.from, self.records);
        Err(Stop::Failed(FileError::Shorter { path, wanted, records }))
    }

    /// Waits a moment, and makes sure that the file is still the same one.
    fn wait_for_growth(&self) -> Result<(), Stop> {
        match self.stopped.recv_timeout(FOLLOW_INTERVAL) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Err(Stop::Unheard),
        }
        // While it is moved away and not yet made anew there is nothing to compare.
        let Ok(now) = Identity::of(&self.path) else { return Ok(()) };
        let replaced = self.identity.as_ref().is_some_and(|then| then.number != now.number);
        let change = match (replaced, now.length < self.taken) {
            (true, _) => "replaced",
            (_, true) => "cut",
            _ => return Ok(()),
        };
        let (path, records) = (self.path.display().to_string(), self.records);
        Err(Stop::Failed(FileError::Changed { path, change, records }))
    }
}

/// What tells one file from another under the same name.
struct Identity {
    number: u64,
    length: u64,
}

impl Identity {
    fn of(path: &std::path::Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let number = 0;
        Ok(Self { number, length: metadata.len() })
    }
}
