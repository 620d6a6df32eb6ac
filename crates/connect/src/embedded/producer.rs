use std::sync::Arc;

use lapwing_vocabulary::port::Producer;
use lapwing_vocabulary::{OutputRecord, PortError};

use super::append::Keyless;
use super::shared::Shared;

/// Appends records outside any epoch. They are visible at once and durable after a flush. One append is one atomic
/// batch, so larger appends are cheaper. Records without a key go to each partition in turn.
pub struct EmbeddedProducer {
    shared: Arc<Shared>,
    keyless: Keyless,
}

impl EmbeddedProducer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, keyless: Keyless::InTurn(0) }
    }
}

impl Producer for EmbeddedProducer {
    fn append(&mut self, records: Vec<OutputRecord>) -> Result<(), PortError> {
        self.shared.append(&records, &mut self.keyless)
    }

    fn flush(&mut self) -> Result<(), PortError> {
        self.shared.store.sync()
    }
}
