use std::time::Duration;

use lapwing_vocabulary::{Epoch, OutputRecord, PortError};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tracing::{debug, warn};

use super::context::{ProducerSide, Undelivered};
use super::fault::{self, Meaning};
use super::native;
use super::options::{KafkaConnection, configuration_fault};
use super::patience::{CALL_MAX, Deadline};
use super::reach;

/// One wait for records in flight; between two of them undelivered ones are looked at.
const FLUSH_STEP: Duration = Duration::from_millis(20);
/// One attempt to abort. It waits for reports that only we can serve, so it is short and repeated.
const ABORT_STEP: Duration = Duration::from_millis(100);

/// Why an epoch was not committed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Aborted; the producer can go on.
    Aborted(String),
    /// Aborted because the group has a newer generation than the membership that was handed in; this worker may still
    /// be part of it.
    Stale(String),
    /// The producer cannot go on: its identity was taken over, or the outcome is open. A new one finds out.
    Spent(String),
    /// Aborted, and would fail again; a person is needed.
    Operator(PortError),
    /// No answer in time; the outcome is open. A new producer finds out.
    Unreachable(PortError),
}

/// A producer that writes epochs, all or none.
pub(super) struct Transactions {
    producer: BaseProducer<ProducerSide>,
    connection: KafkaConnection,
    transactional_id: String,
}

impl Transactions {
    /// Opens the producer: fences every earlier one of the same name, and ends what it left open.
    pub(super) fn open(connection: &KafkaConnection, transactional_id: &str) -> Result<Self, PortError> {
        let config = connection.transactional(transactional_id)?;
        let producer: BaseProducer<ProducerSide> =
            config.create_with_context(ProducerSide::default()).map_err(|error| configuration_fault(&error))?;
        let opened = Self { producer, connection: connection.clone(), transactional_id: transactional_id.to_string() };
        opened.init(Deadline::after(connection.give_up_after))?;
        Ok(opened)
    }

    fn init(&self, deadline: Deadline) -> Result<(), PortError> {
        let what = format!("open the transactional producer `{}`", self.transactional_id);
        loop {
            let Err(error) = self.producer.init_transactions(deadline.for_one_call()) else { return Ok(()) };
            self.producer.poll(Duration::ZERO);
            let retriable = matches!(&error, KafkaError::Transaction(error) if error.is_retriable());
            let (code, reason) = self.reason(&error);
            if !retriable && fault::meaning(code) != Meaning::Denied {
                return Err(PortError::Operator(format!("{what}: {reason}")));
            }
            reach::still_waiting(&self.connection, &what, code, &reason, deadline)?;
        }
    }

    /// A complaint of the client says more than that time ran out.
    fn reason(&self, error: &KafkaError) -> (Code, String) {
        let own = fault::code_of(error);
        let complaint = self.producer.context().complaints.take();
        complaint.filter(|_| own == Code::OperationTimedOut).unwrap_or_else(|| (own, error.to_string()))
    }

    /// Writes an epoch. `positions` are those of the source topic, with the membership they are committed under.
    pub(super) fn commit(
        &self,
        epoch: &Epoch,
        positions: Option<(&TopicPartitionList, &ConsumerGroupMetadata)>,
    ) -> Result<(), Failure> {
        let deadline = Deadline::after(self.connection.give_up_after);
        self.producer.context().take_undelivered();
        self.step("begin", deadline, |_| self.producer.begin_transaction())?;
        for output in &epoch.outputs {
            self.send(output, deadline)?;
        }
        if let Some((list, member)) = positions {
            // The records are on their way meanwhile.
            let send = |wait| self.producer.send_offsets_to_transaction(list, member, wait);
            self.step("commit the positions", deadline, send)?;
        }
        self.deliver(deadline)?;
        self.step("commit", deadline, |wait| self.producer.commit_transaction(wait))
    }

    fn send(&self, output: &OutputRecord, deadline: Deadline) -> Result<(), Failure> {
        match enqueue(&self.producer, output, deadline) {
            Ok(()) => Ok(()),
            Err(KafkaError::MessageProduction(Code::QueueFull)) => Err(self.out_of_time(deadline)),
            Err(error) => Err(self.undelivered(&not_taken(&error, output))),
        }
    }

    /// Waits until all records are with the broker.
    fn deliver(&self, deadline: Deadline) -> Result<(), Failure> {
        loop {
            let flushed = native::flush(self.producer.client(), FLUSH_STEP);
            self.producer.poll(Duration::ZERO);
            if let Some(failed) = self.producer.context().take_undelivered() {
                return Err(self.undelivered(&failed));
            }
            if flushed {
                return Ok(());
            }
            if deadline.passed() {
                return Err(self.out_of_time(deadline));
            }
        }
    }

    fn out_of_time(&self, deadline: Deadline) -> Failure {
        let seconds = deadline.span().as_secs_f64();
        let reason = self.producer.context().complaints.take().map_or("records stay queued".into(), |(_, text)| text);
        Failure::Unreachable(fault::unreachable(self.connection.address(), "commit an epoch", seconds, &reason))
    }

    fn undelivered(&self, failed: &Undelivered) -> Failure {
        if let Some(spent) = self.spent() {
            return spent;
        }
        let aborted = self.abort();
        let Undelivered { code, topic, .. } = failed;
        match (reach::refused(self.producer.client(), &self.connection, failed), aborted) {
            (Some(error), _) => Failure::Operator(error),
            (None, true) => Failure::Aborted(format!("epoch aborted: a record to topic `{topic}` failed: {code}")),
            (None, false) => Failure::Spent(format!("epoch not committed: a record to topic `{topic}` failed: {code}")),
        }
    }

    /// Does one step of a transaction, again as long as the client says that this helps.
    fn step(&self, name: &str, deadline: Deadline, act: impl Fn(Duration) -> KafkaResult<()>) -> Result<(), Failure> {
        let what = format!("{name} an epoch");
        loop {
            let Err(error) = act(deadline.for_one_call()) else { return Ok(()) };
            self.producer.poll(Duration::ZERO);
            let KafkaError::Transaction(cause) = &error else {
                return Err(self.after_failed_step(&what, &error, false));
            };
            if !cause.is_retriable() || cause.is_fatal() {
                return Err(self.after_failed_step(&what, &error, cause.txn_requires_abort()));
            }
            let (code, reason) = self.reason(&error);
            match reach::still_waiting(&self.connection, &what, code, &reason, deadline) {
                Ok(()) => {}
                Err(PortError::Operator(text)) => return Err(Failure::Operator(PortError::Operator(text))),
                Err(error) => return Err(Failure::Unreachable(error)),
            }
        }
    }

    fn after_failed_step(&self, what: &str, error: &KafkaError, abortable: bool) -> Failure {
        if let Some(spent) = self.spent() {
            return spent;
        }
        let code = fault::code_of(error);
        let undelivered = self.producer.context().take_undelivered();
        let aborted = abortable && self.abort();
        if let Some(failed) = undelivered.filter(|_| aborted) {
            return self.undelivered(&failed);
        }
        match (fault::meaning(code), aborted) {
            (Meaning::Denied, _) => {
                Failure::Operator(fault::denied(self.connection.address(), what, &error.to_string()))
            }
            (_, true) if stale(code) => Failure::Stale(format!("{what}: aborted: {error}")),
            (_, true) => Failure::Aborted(format!("{what}: aborted: {error}")),
            (_, false) => Failure::Spent(format!("{what}: {error}")),
        }
    }

    /// A fatal error of the client, if it has one.
    fn spent(&self) -> Option<Failure> {
        let (code, text) = self.producer.client().fatal_error()?;
        Some(Failure::Spent(match fault::meaning(code) {
            Meaning::Fenced => format!(
                "epoch not committed: the producer `{}` was fenced: another worker has opened the same name, or the \
                 transaction timed out ({text})",
                self.transactional_id
            ),
            _ => format!("epoch not committed: {text}"),
        }))
    }

    /// Aborts what is open; whether the producer can go on. An open transaction ends by its timeout otherwise.
    fn abort(&self) -> bool {
        let deadline = Deadline::after(CALL_MAX);
        loop {
            let Err(error) = self.producer.abort_transaction(ABORT_STEP) else { break };
            while self.producer.in_flight_count() > 0 && !deadline.passed() {
                self.producer.poll(Duration::from_millis(1));
            }
            let again = matches!(&error, KafkaError::Transaction(error) if error.is_retriable());
            if !again || deadline.passed() {
                warn!(%error, "an epoch could not be aborted; the broker will abort it");
                return false;
            }
        }
        // What the abort purged is reported as undelivered.
        self.producer.poll(Duration::ZERO);
        self.producer.context().take_undelivered();
        debug!(transactional_id = self.transactional_id, "aborted an epoch");
        true
    }
}

/// Whether an error says that the group has moved on.
pub(super) fn stale(code: Code) -> bool {
    matches!(code, Code::IllegalGeneration | Code::UnknownMemberId | Code::RebalanceInProgress)
}

/// A record that the client did not even take.
pub(super) fn not_taken(error: &KafkaError, output: &OutputRecord) -> Undelivered {
    Undelivered {
        code: fault::code_of(error),
        topic: output.topic.to_string(),
        partition: output.partition.unwrap_or(-1),
        bytes: output.value.len(),
    }
}

/// Hands a record to the client; a full queue is served until there is room or time is over. So the records on their
/// way never take more than `queue.buffering.max.kbytes`.
pub(super) fn enqueue(
    producer: &BaseProducer<ProducerSide>,
    output: &OutputRecord,
    deadline: Deadline,
) -> KafkaResult<()> {
    // Zero would mean "now" to the client.
    let timestamp = output.timestamp.div_euclid(1000).max(1);
    let mut record = BaseRecord::to(&output.topic).payload(&output.value).timestamp(timestamp);
    if let Some(key) = &output.key {
        record = record.key(key);
    }
    if let Some(partition) = output.partition {
        // The client takes negative numbers for "choose one".
        if partition < 0 {
            return Err(KafkaError::MessageProduction(Code::UnknownPartition));
        }
        record = record.partition(partition);
    }
    if !output.headers.is_empty() {
        let empty = OwnedHeaders::new_with_capacity(output.headers.len());
        let add = |list: OwnedHeaders, header: &lapwing_vocabulary::Header| {
            list.insert(Header { key: &header.name, value: Some(&header.value) })
        };
        record = record.headers(output.headers.iter().fold(empty, add));
    }
    let mut asked = false;
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(Code::QueueFull), back)) if !deadline.passed() => {
                native::flush(producer.client(), Duration::from_millis(1));
                producer.poll(Duration::ZERO);
                record = back;
            }
            // The partition may have been added since the client last asked.
            Err((KafkaError::MessageProduction(Code::UnknownPartition), back)) if !asked => {
                asked = true;
                if reach::partitions(producer.client(), &output.topic) <= output.partition {
                    return Err(KafkaError::MessageProduction(Code::UnknownPartition));
                }
                record = back;
            }
            Err((error, _)) => return Err(error),
        }
    }
}
