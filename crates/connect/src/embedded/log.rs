use std::path::Path;
use std::sync::Arc;

use lapwing_vocabulary::PortError;

use super::options::LogOptions;
use super::producer::EmbeddedProducer;
use super::shared::Shared;
use super::topics::EmbeddedTopics;
use super::transport::EmbeddedTransport;

/// The embedded log: a handle, cheap to clone. The last handle, transport, producer or reader to go closes the log.
#[derive(Clone)]
pub struct EmbeddedLog {
    shared: Arc<Shared>,
}

impl EmbeddedLog {
    /// Opens the log in a folder, or makes an empty one there.
    /// Errors: `Operator` if another process has it or the folder cannot be used, `Corrupt` if its files do not read
    /// back, `Storage` if the disk is full or fails.
    pub fn open(folder: &Path, options: LogOptions) -> Result<Self, PortError> {
        Ok(Self { shared: Arc::new(Shared::open(folder, options)?) })
    }

    /// Takes a worker's share of a topic on behalf of a group: the partitions whose number modulo `workers` is
    /// `worker`. An earlier worker that held some of them loses them, and can no longer commit.
    /// Errors: `Operator` if there is no such topic.
    pub fn transport(
        &self,
        topic: &str,
        group: &str,
        worker: usize,
        workers: usize,
    ) -> Result<EmbeddedTransport, PortError> {
        self.transport_of(&[topic], group, worker, workers)
    }

    /// As [`EmbeddedLog::transport`], of several topics at once, whose partitions go by
    /// [`lane`](lapwing_vocabulary::position::lane).
    pub fn transport_of(
        &self,
        topics: &[&str],
        group: &str,
        worker: usize,
        workers: usize,
    ) -> Result<EmbeddedTransport, PortError> {
        if worker >= workers {
            return Err(PortError::Operator(format!("there is no worker {worker} among {workers}, counted from 0")));
        }
        EmbeddedTransport::open(self.shared.clone(), topics, group, worker, workers)
    }

    /// A producer that appends outside any epoch.
    pub fn producer(&self) -> EmbeddedProducer {
        EmbeddedProducer::new(self.shared.clone())
    }

    /// Makes, describes and reads topics.
    pub fn topics(&self) -> EmbeddedTopics {
        EmbeddedTopics::new(self.shared.clone())
    }
}
