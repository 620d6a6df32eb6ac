use std::time::Duration;

use lapwing_vocabulary::port::Producer;
use lapwing_vocabulary::{OutputRecord, PortError};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer as _};

use super::context::{ProducerSide, Undelivered};
use super::fault::{self, Meaning};
use super::native;
use super::options::{KafkaConnection, configuration_fault};
use super::patience::Deadline;
use super::reach;
use super::transaction::{enqueue, not_taken};

/// One wait for records in flight; between two of them undelivered ones are looked at.
const FLUSH_STEP: Duration = Duration::from_millis(20);

/// Appends records outside any epoch: idempotent, in order, with bounded memory.
pub struct KafkaProducer {
    connection: KafkaConnection,
    producer: BaseProducer<ProducerSide>,
}

impl KafkaProducer {
    /// Connects.
    pub fn open(connection: KafkaConnection) -> Result<Self, PortError> {
        let producer: BaseProducer<ProducerSide> = connection
            .producer()?
            .create_with_context(ProducerSide::default())
            .map_err(|error| configuration_fault(&error))?;
        let deadline = Deadline::after(connection.give_up_after);
        reach::metadata(producer.client(), &producer.context().complaints, &connection, None, deadline)?;
        Ok(Self { connection, producer })
    }

    /// Fails if a record could not be delivered since the last look.
    fn check(&self) -> Result<(), PortError> {
        self.producer.poll(Duration::ZERO);
        match self.producer.context().take_undelivered() {
            Some(failed) => Err(self.undelivered(&failed)),
            None => Ok(()),
        }
    }

    fn undelivered(&self, failed: &Undelivered) -> PortError {
        if let Some(refusal) = reach::refused(self.producer.client(), &self.connection, failed) {
            return refusal;
        }
        let what = format!("write to topic `{}`", failed.topic);
        match fault::meaning(failed.code) {
            Meaning::Unreachable => self.out_of_time(&what, &failed.code.to_string()),
            _ => PortError::Operator(format!("{what}: {}", failed.code)),
        }
    }

    fn out_of_time(&self, what: &str, reason: &str) -> PortError {
        let seconds = self.connection.give_up_after.as_secs_f64();
        fault::unreachable(self.connection.address(), what, seconds, reason)
    }

    /// An error after which this producer cannot go on, if there was one: a new one can.
    pub(super) fn fatal_error(&self) -> Option<String> {
        self.producer.client().fatal_error().map(|(_, text)| text)
    }

    /// Appends records in order.
    pub(super) fn append_all(&self, records: &[OutputRecord]) -> Result<(), PortError> {
        self.check()?;
        for record in records {
            // A record that finds the queue full gets its own time: the queue empties while records are delivered.
            match enqueue(&self.producer, record, Deadline::after(self.connection.give_up_after)) {
                Ok(()) => {}
                Err(KafkaError::MessageProduction(Code::QueueFull)) => {
                    let what = format!("write to topic `{}`", record.topic);
                    return Err(self.out_of_time(&what, "records stay queued"));
                }
                Err(error) => return Err(self.undelivered(&not_taken(&error, record))),
            }
        }
        self.check()
    }

    /// Waits until everything appended is with the brokers.
    pub(super) fn deliver(&self) -> Result<(), PortError> {
        // The client itself gives a record up after the same time; its reason is better than ours.
        let deadline = Deadline::after(self.connection.give_up_after + Duration::from_secs(5));
        loop {
            let flushed = native::flush(self.producer.client(), FLUSH_STEP);
            self.check()?;
            if flushed {
                return Ok(());
            }
            if deadline.passed() {
                return Err(self.out_of_time("write records", "records stay queued"));
            }
        }
    }
}

impl Producer for KafkaProducer {
    fn append(&mut self, records: Vec<OutputRecord>) -> Result<(), PortError> {
        self.append_all(&records)
    }

    fn flush(&mut self) -> Result<(), PortError> {
        self.deliver()
    }
}
