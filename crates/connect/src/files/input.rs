use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::FileError;
use super::options::is_standard;
use super::split::{Chunk, Splitter};

const READ_BYTES: usize = 256 << 10;
/// A first line longer than this is cut. Units: bytes.
const FIRST_LINE_BYTES_MAX: usize = 1 << 20;

/// How the bytes of a file are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstandard,
}

impl Packing {
    /// By the ending of the name.
    pub(super) fn of(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstandard,
            _ => Self::Plain,
        }
    }
}

/// Opens a file, or standard input, for reading its unpacked bytes. `progress` counts the bytes taken from the file.
pub(super) fn open(path: &Path, progress: Arc<AtomicU64>) -> Result<Box<dyn Read + Send>, FileError> {
    if is_standard(path) {
        return Ok(Box::new(io::stdin()));
    }
    let fault = |source| FileError::Open { path: path.display().to_string(), source };
    let file = Counted { file: File::open(path).map_err(fault)?, progress };
    Ok(match Packing::of(path) {
        Packing::Plain => Box::new(file),
        // A file may hold several members one after another, as `cat a.gz b.gz` makes them; Zstandard likewise.
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, file))),
        Packing::Zstandard => Box::new(zstd::stream::read::Decoder::new(file).map_err(fault)?),
    })
}

/// Returns the first line of a file, unpacked, without its end: the names of the columns of a CSV file. `None` if the
/// file has none. A quoted value may hold line breaks. Errors: [`FileError`].
pub fn first_line(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let mut source = open(path, Arc::default())?;
    // A quote opens a value only behind a delimiter, which is not known here; the names of columns have no stray quotes.
    let mut splitter = Splitter::quoted_anywhere(FIRST_LINE_BYTES_MAX);
    let (mut buffer, mut chunk) = (vec![0; 8 << 10], Chunk::default());
    while chunk.is_empty() {
        match source.read(&mut buffer) {
            Ok(0) => {
                splitter.finish(&mut chunk);
                break;
            }
            Ok(read) => splitter.split(&buffer[..read], &mut chunk),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(read_fault(path, 0, source)),
        }
    }
    Ok((!chunk.is_empty()).then(|| chunk.record(0).0.to_vec()))
}

/// What a failed read means: a packed file that ends early or does not unpack is damaged.
pub(super) fn read_fault(path: &Path, records: i64, source: io::Error) -> FileError {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    let packed = Packing::of(path) != Packing::Plain;
    let path = path.display().to_string();
    if packed && matches!(source.kind(), InvalidData | InvalidInput | Other | UnexpectedEof) {
        return FileError::Damaged { path, records, source };
    }
    FileError::Read { path, records, source }
}

struct Counted {
    file: File,
    progress: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.progress.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
