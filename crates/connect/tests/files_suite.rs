//! The transport suite on files. A topic is a folder of input files, one per partition; outputs go to one folder.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use lapwing_connect::files::{FileOptions, FileTransport};
use lapwing_connect::partitioner::partition_of_key;
use lapwing_connect::suite::{self, Abilities, Committed, Fixture};
use lapwing_vocabulary::{OutputRecord, PortError, Transport};
use tempfile::TempDir;

struct Files {
    folder: TempDir,
}

impl Files {
    fn inputs(&self, topic: &str) -> Vec<PathBuf> {
        let folder = self.folder.path().join(topic);
        let count = fs::read_dir(&folder).map_or(1, Iterator::count);
        (0..count).map(|partition| folder.join(partition.to_string())).collect()
    }
}

impl Fixture for Files {
    fn abilities(&self) -> Abilities {
        Abilities { metadata: false, several_workers: false, finite: true }
    }

    fn create(&mut self, subject: &str, partitions: i32) -> Arc<str> {
        let folder = self.folder.path().join(subject);
        fs::create_dir(&folder).unwrap();
        (0..partitions).for_each(|partition| fs::write(folder.join(partition.to_string()), "").unwrap());
        Arc::from(subject)
    }

    fn produce(&mut self, records: Vec<OutputRecord>) {
        for record in records {
            let inputs = self.inputs(&record.topic);
            let partition = partition_of_key(record.key.as_deref().unwrap(), inputs.len() as i32);
            let mut file = fs::OpenOptions::new().append(true).open(&inputs[partition as usize]).unwrap();
            file.write_all(&[&record.value[..], b"\n"].concat()).unwrap();
        }
    }

    fn open(&mut self, topic: &str, _: &str, _: usize, _: usize) -> Result<Box<dyn Transport>, PortError> {
        let options = FileOptions {
            inputs: self.inputs(topic),
            csv: false,
            csv_header: false,
            csv_delimiter: b',',
            begins: None,
            outputs: Some(self.folder.path().join("outputs")),
            follow: false,
            stdout_topic: String::new(),
            record_bytes_max: 1 << 20,
            clock: || 0,
        };
        Ok(Box::new(FileTransport::open(options)?))
    }

    fn committed(&mut self, topic: &str) -> Vec<Committed> {
        let path = self.folder.path().join("outputs").join(format!("{topic}.jsonl"));
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = |line: &str| Committed { key: None, value: line.into(), headers: Vec::new(), timestamp: 0 };
        text.lines().map(line).collect()
    }
}

#[test]
fn files_do_what_every_transport_must() {
    suite::run(|| Files { folder: tempfile::tempdir().unwrap() });
}
