use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lapwing_vocabulary::{Offset, OutputRecord, PortError};
use tracing::{info, warn};

use super::line::append_line;
use super::options::{FileOptions, is_standard};
use super::positions::Positions;
use crate::owner::{FolderOwner, io_fault};
use crate::topic_name;

/// Name of the positions file in the output folder.
const POSITIONS_FILE: &str = "positions";
/// Name under which the next positions are written before they replace the last.
const POSITIONS_NEXT_FILE: &str = "positions.next";

/// Where an epoch's outputs go.
pub(super) enum Sink {
    /// Nowhere: the inputs are only read.
    None,
    /// One topic to standard output, the others nowhere. There are no positions.
    Standard { topic: String },
    /// A folder with a file per topic, and positions.
    Folder(FolderSink),
}

impl Sink {
    pub(super) fn open(options: &FileOptions) -> Result<Self, PortError> {
        match &options.outputs {
            None => Ok(Self::None),
            Some(place) if is_standard(place) => Ok(Self::Standard { topic: options.stdout_topic.clone() }),
            Some(folder) => FolderSink::open(folder).map(Self::Folder),
        }
    }

    /// First record of an input not yet consumed.
    pub(super) fn position(&self, input: &str) -> Option<Offset> {
        match self {
            Self::Folder(folder) => folder.committed.inputs.get(input).copied(),
            Self::None | Self::Standard { .. } => None,
        }
    }

    /// Commits an epoch; returns the number of outputs that have no place to go.
    pub(super) fn commit(
        &mut self,
        outputs: &[OutputRecord],
        positions: &[(String, Offset)],
    ) -> Result<u64, PortError> {
        match self {
            Self::None => Ok(outputs.len() as u64),
            Self::Standard { topic } => write_standard(topic, outputs),
            Self::Folder(folder) => folder.commit(outputs, positions).map(|()| 0),
        }
    }
}

fn write_standard(topic: &str, outputs: &[OutputRecord]) -> Result<u64, PortError> {
    let (mut lines, mut written) = (Vec::new(), 0);
    for record in outputs.iter().filter(|record| &*record.topic == topic) {
        append_line(&mut lines, record);
        written += 1;
    }
    let mut standard = io::stdout().lock();
    let outcome = standard.write_all(&lines).and_then(|()| standard.flush());
    outcome.map_err(|error| io_fault("write to standard output", &error))?;
    Ok(outputs.len() as u64 - written)
}

/// Output files with what of them is committed.
pub(super) struct FolderSink {
    folder: PathBuf,
    committed: Positions,
    files: BTreeMap<String, File>,
    _owner: FolderOwner,
}

impl FolderSink {
    fn open(folder: &Path) -> Result<Self, PortError> {
        let owner = FolderOwner::claim(folder, "stop it, or give another output folder")?;
        let path = folder.join(POSITIONS_FILE);
        let committed = match std::fs::read_to_string(&path) {
            Ok(text) => Positions::decode(&text).map_err(|why| {
                PortError::Corrupt(format!(
                    "read {}: {why}: restore it, or start with an empty output folder",
                    path.display()
                ))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Positions::default(),
            Err(error) => return Err(io_fault(&format!("read {}", path.display()), &error)),
        };
        let mut sink = Self { folder: folder.to_owned(), committed, files: BTreeMap::new(), _owner: owner };
        sink.cut_tails()?;
        Ok(sink)
    }

    /// Takes away what was written by an epoch that was never committed.
    fn cut_tails(&mut self) -> Result<(), PortError> {
        for (name, length) in &self.committed.outputs {
            let path = self.folder.join(name);
            let fault = |error| io_fault(&format!("open {}", path.display()), &error);
            let file = OpenOptions::new().append(true).open(&path).map_err(fault)?;
            let found = file.metadata().map_err(fault)?.len();
            if found < *length {
                return Err(PortError::Corrupt(format!(
                    "open {}: it has {found} bytes and {length} were committed: restore it, or start with an empty \
                     output folder",
                    path.display()
                )));
            }
            if found > *length {
                info!(file = %path.display(), bytes = found - length, "cut off the tail of an epoch that was not committed");
                file.set_len(*length).map_err(fault)?;
            }
            self.files.insert(name.clone(), file);
        }
        Ok(())
    }

    fn commit(&mut self, outputs: &[OutputRecord], positions: &[(String, Offset)]) -> Result<(), PortError> {
        let lines = self.lines_by_file(outputs)?;
        let mut next = self.committed.clone();
        next.inputs.extend(positions.iter().cloned());
        for (name, lines) in &lines {
            *next.outputs.entry(name.clone()).or_default() += lines.len() as u64;
        }
        let written = self.append(&lines).and_then(|()| self.write_positions(&next));
        if let Err(error) = written {
            self.take_back();
            return Err(error);
        }
        self.committed = next;
        Ok(())
    }

    /// Lines by the name of the file they go to. Files that are new here are noted in the positions with the length
    /// they have, before anything is appended: a tail beyond that can then be told from what was there before.
    fn lines_by_file(&mut self, outputs: &[OutputRecord]) -> Result<BTreeMap<String, Vec<u8>>, PortError> {
        let mut lines: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for record in outputs {
            append_line(lines.entry(&record.topic).or_default(), record);
        }
        let mut named = BTreeMap::new();
        let mut next = self.committed.clone();
        for (topic, lines) in lines {
            topic_name::check(topic)?;
            let name = format!("{topic}.jsonl");
            if !self.committed.outputs.contains_key(&name) {
                let length = self.open_file(&name)?;
                next.outputs.insert(name.clone(), length);
            }
            named.insert(name, lines);
        }
        if next != self.committed {
            self.write_positions(&next)?;
            self.committed = next;
        }
        Ok(named)
    }

    fn open_file(&mut self, name: &str) -> Result<u64, PortError> {
        let path = self.folder.join(name);
        let fault = |error| io_fault(&format!("open {}", path.display()), &error);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(fault)?;
        let length = file.metadata().map_err(fault)?.len();
        self.files.insert(name.to_owned(), file);
        Ok(length)
    }

    fn append(&mut self, lines: &BTreeMap<String, Vec<u8>>) -> Result<(), PortError> {
        for (name, lines) in lines {
            let file = self.files.get_mut(name).expect("it was opened when its lines were collected");
            let outcome = file.write_all(lines).and_then(|()| file.sync_data());
            outcome.map_err(|error| io_fault(&format!("append to {}", self.folder.join(name).display()), &error))?;
        }
        Ok(())
    }

    /// Replaces the positions file; afterwards `next` is committed.
    fn write_positions(&self, next: &Positions) -> Result<(), PortError> {
        let path = self.folder.join(POSITIONS_FILE);
        let fault = |error| io_fault(&format!("write {}", path.display()), &error);
        let draft = self.folder.join(POSITIONS_NEXT_FILE);
        let mut file = File::create(&draft).map_err(fault)?;
        file.write_all(next.encode().as_bytes()).and_then(|()| file.sync_all()).map_err(fault)?;
        std::fs::rename(&draft, &path).map_err(fault)?;
        // From here on the epoch is visible, so this may no longer fail it.
        if let Err(error) = File::open(&self.folder).and_then(|folder| folder.sync_all()) {
            warn!(folder = %self.folder.display(), %error, "could not make sure that the folder is on disk");
        }
        Ok(())
    }

    /// Cuts the files back to what is committed. Where that fails, it happens at the next start.
    fn take_back(&mut self) {
        for (name, file) in &self.files {
            let Some(length) = self.committed.outputs.get(name) else { continue };
            if let Err(error) = file.set_len(*length) {
                warn!(file = name, %error, "could not cut off an epoch that failed; the next start does");
            }
        }
    }
}
