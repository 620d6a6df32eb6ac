//! Chunks that do not fit the budget wait in a file. It is swap, not storage: nothing in it outlives the process. A
//! chunk always goes to a position that nobody holds, so that what a snapshot holds is never overwritten.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::StateError;

/// Positions are multiples of this: what the system reads and writes at once.
const ALIGNED_BYTES: usize = 4096;

/// The file; positions are given out and come back when the last holder lets go.
#[derive(Debug)]
pub(crate) struct SpillFile {
    path: PathBuf,
    /// Words of a chunk.
    words: usize,
    /// Bytes of a chunk, rounded up.
    stride: usize,
    #[cfg(unix)]
    file: File,
    #[cfg(not(unix))]
    file: Mutex<File>,
    positions: Mutex<Positions>,
}

#[derive(Debug, Default)]
struct Positions {
    next: u32,
    free: Vec<u32>,
}

/// A chunk in the file. Its position is free again when the last of them is dropped.
#[derive(Debug)]
pub(crate) struct Page {
    file: Arc<SpillFile>,
    position: u32,
}

impl SpillFile {
    /// Makes the file anew for chunks of `words` words; its folder is made if it is not there.
    pub(crate) fn create(path: &Path, words: usize) -> Result<Self, StateError> {
        let fault = |e| StateError::storage("create the spill file", path.display().to_string(), e);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(fault)?;
        }
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fault(e)),
            _ => {}
        }
        let file = File::options().read(true).write(true).create_new(true).open(path).map_err(fault)?;
        // An open file without a name vanishes with the process, however it ends.
        #[cfg(unix)]
        fs::remove_file(path).map_err(fault)?;
        #[cfg(not(unix))]
        let file = Mutex::new(file);
        let stride = (words * size_of::<f64>()).next_multiple_of(ALIGNED_BYTES);
        Ok(Self { path: path.to_owned(), words, stride, file, positions: Mutex::default() })
    }

    /// Writes a chunk to a free position.
    pub(crate) fn write(self: &Arc<Self>, words: &[f64], buffer: &mut Vec<u8>) -> Result<Page, StateError> {
        // Whole blocks are written, or the system would have to read the rest of them first.
        buffer.resize(self.stride, 0);
        for (bytes, word) in buffer.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let page = Page { file: self.clone(), position: self.take_position() };
        let at = u64::from(page.position) * self.stride as u64;
        self.write_at(buffer, at)
            .map_err(|e| StateError::storage("write the spill file", self.path.display().to_string(), e))?;
        Ok(page)
    }

    fn take_position(&self) -> u32 {
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        positions.free.pop().unwrap_or_else(|| {
            positions.next += 1;
            positions.next - 1
        })
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, at)
    }

    #[cfg(unix)]
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, at)
    }

    #[cfg(not(unix))]
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        use std::io::{Seek, SeekFrom, Write};
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }

    #[cfg(not(unix))]
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(bytes)
    }
}

#[cfg(not(unix))]
impl Drop for SpillFile {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the table is made again.
        let _ = fs::remove_file(&self.path);
    }
}

impl Page {
    /// Reads the chunk's words into `words`.
    pub(crate) fn read(&self, words: &mut [f64], buffer: &mut Vec<u8>) -> Result<(), StateError> {
        buffer.resize(self.file.stride, 0);
        let bytes = &mut buffer[..self.file.words * size_of::<f64>()];
        let at = u64::from(self.position) * self.file.stride as u64;
        self.file
            .read_at(bytes, at)
            .map_err(|e| StateError::storage("read the spill file", self.file.path.display().to_string(), e))?;
        for (bytes, word) in bytes.chunks_exact(8).zip(words) {
            *word = f64::from_le_bytes(bytes.try_into().expect("chunks have eight bytes"));
        }
        Ok(())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let mut positions = self.file.positions.lock().unwrap_or_else(PoisonError::into_inner);
        positions.free.push(self.position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_used_again_only_when_nobody_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = Arc::new(SpillFile::create(&folder.path().join("deep/spill"), 2).unwrap());
        let mut buffer = Vec::new();
        let first = Arc::new(file.write(&[1.0, 2.0], &mut buffer).unwrap());
        let held = first.clone();
        drop(first);
        let second = file.write(&[3.0, 4.0], &mut buffer).unwrap();
        let mut words = [0.0; 2];
        held.read(&mut words, &mut buffer).unwrap();
        assert_eq!((words, second.position), ([1.0, 2.0], 1));
        drop(held);
        assert_eq!(file.write(&[5.0, 6.0], &mut buffer).unwrap().position, 0);
    }
}
