//! The transport suite on the embedded log.

use std::sync::Arc;

use lapwing_connect::embedded::{EmbeddedLog, LogOptions};
use lapwing_connect::suite::{self, Abilities, Committed, Fixture};
use lapwing_vocabulary::port::{Producer, TopicLayout, Topics};
use lapwing_vocabulary::{OutputRecord, PortError, Transport};
use tempfile::TempDir;

struct Embedded {
    log: EmbeddedLog,
    _folder: TempDir,
}

impl Embedded {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(folder.path(), LogOptions::default()).unwrap();
        Self { log, _folder: folder }
    }
}

impl Fixture for Embedded {
    fn abilities(&self) -> Abilities {
        Abilities { metadata: true, several_workers: true, finite: false }
    }

    fn create(&mut self, subject: &str, partitions: i32) -> Arc<str> {
        let layout = TopicLayout {
            partitions,
            replication: None,
            retention_micros: None,
            retention_bytes: None,
            compact: false,
        };
        assert!(self.log.topics().create(subject, &layout).unwrap());
        Arc::from(subject)
    }

    fn produce(&mut self, records: Vec<OutputRecord>) {
        self.log.producer().append(records).unwrap();
    }

    fn open(
        &mut self,
        topic: &str,
        group: &str,
        worker: usize,
        workers: usize,
    ) -> Result<Box<dyn Transport>, PortError> {
        Ok(Box::new(self.log.transport(topic, group, worker, workers)?))
    }

    fn committed(&mut self, topic: &str) -> Vec<Committed> {
        let mut topics = self.log.topics();
        let partitions = topics.describe(topic).unwrap().unwrap().partitions;
        let mut found = Vec::new();
        for partition in 0..partitions.len() {
            let records = topics.read(topic, partition as i32, 0, usize::MAX).unwrap();
            found.extend((0..records.len()).map(|index| Committed {
                key: records.key(index).map(<[u8]>::to_vec),
                value: records.value(index).to_vec(),
                headers: records.headers(index).to_vec(),
                timestamp: records.timestamp(index),
            }));
        }
        found
    }
}

#[test]
fn the_embedded_log_does_what_every_transport_must() {
    suite::run(Embedded::new);
}

#[test]
fn the_embedded_log_reads_several_topics_as_one() {
    suite::run_several(Embedded::new, |fixture, topics| {
        Ok(Box::new(fixture.log.transport_of(topics, "several", 0, 1)?))
    });
}
