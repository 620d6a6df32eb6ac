use std::time::Duration;

use lapwing_vocabulary::port::Producer;
use lapwing_vocabulary::{OutputRecord, PortError};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer as _};

use super::context::ProducerSide;
use super::fault::{self, Meaning};
use super::native;
use super::options::{KafkaConnection, configuration_fault};
use super::patience::Deadline;
use super::reach;
use super::transaction::{enqueue, too_large};

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
            Some((code, topic)) => Err(self.undelivered(code, &topic, 0)),
            None => Ok(()),
        }
    }

    fn undelivered(&self, code: Code, topic: &str, bytes: usize) -> PortError {
        let address = self.connection.address();
        let what = format!("write to topic `{topic}`");
        match fault::meaning(code) {
            Meaning::NoTopic => reach::missing_topic(self.producer.client(), address, topic),
            Meaning::TooLarge => too_large(topic, bytes),
            Meaning::Denied => fault::denied(address, &what, &code.to_string()),
            Meaning::Unreachable => {
                let seconds = self.connection.give_up_after.as_secs_f64();
                fault::unreachable(address, &what, seconds, &code.to_string())
            }
            _ => PortError::Operator(format!("{what}: {code}")),
        }
    }
}

impl Producer for KafkaProducer {
    fn append(&mut self, records: Vec<OutputRecord>) -> Result<(), PortError> {
        self.check()?;
        for record in &records {
            // A record that finds the queue full gets its own time: the queue empties while records are delivered.
            match enqueue(&self.producer, record, Deadline::after(self.connection.give_up_after)) {
                Ok(()) => {}
                Err(KafkaError::MessageProduction(Code::QueueFull)) => {
                    return Err(self.undelivered(Code::MessageTimedOut, &record.topic, 0));
                }
                Err(error) => {
                    return Err(self.undelivered(fault::code_of(&error), &record.topic, record.value.len()));
                }
            }
        }
        self.check()
    }

    fn flush(&mut self) -> Result<(), PortError> {
        // The client itself gives a record up after the same time; its reason is better than ours.
        let deadline = Deadline::after(self.connection.give_up_after + Duration::from_secs(5));
        loop {
            let flushed = native::flush(self.producer.client(), FLUSH_STEP);
            self.check()?;
            if flushed {
                return Ok(());
            }
            if deadline.passed() {
                return Err(self.undelivered(Code::MessageTimedOut, "(any)", 0));
            }
        }
    }
}
