use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use lapwing_vocabulary::Partition;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use tracing::{debug, error, info, warn};

use super::fault::code_of;
use super::options::LOG_TARGET;
use super::subscribed::Subscribed;

/// A change of assignment, in the order in which the group decided.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Taken over; acknowledged already.
    Assigned(Vec<Partition>),
    /// To be given up; waits for the worker's release.
    Revoked(Vec<Partition>),
    /// Gone; acknowledged already.
    Lost(Vec<Partition>),
}

/// Holds a value between librdkafka's callbacks and the worker. A panic while it is held cannot leave it half changed.
#[derive(Debug, Default)]
struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Client-wide complaints of librdkafka: the last one is the reason given when a broker stays unreachable.
#[derive(Debug, Default)]
pub(super) struct Complaints(Shared<Option<(RDKafkaErrorCode, String)>>);

impl Complaints {
    /// The last complaint since the one before was taken.
    pub(super) fn take(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.0.with(Option::take)
    }

    fn keep(&self, error: &KafkaError, reason: &str) {
        debug!(%error, reason, "the Kafka client complains");
        self.0.with(|last| *last = Some((code_of(error), reason.to_string())));
    }
}

/// Passes a line of librdkafka's log on. A property that concerns only the other kind of client is no fault here: the
/// same table serves both.
fn pass_on(level: RDKafkaLogLevel, facility: &str, line: &str) {
    match level {
        RDKafkaLogLevel::Warning if facility == "CONFWARN" => debug!(target: LOG_TARGET, facility, "{line}"),
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            error!(target: LOG_TARGET, facility, "{line}");
        }
        // Lost connections come as errors, but are retried.
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => warn!(target: LOG_TARGET, facility, "{line}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!(target: LOG_TARGET, facility, "{line}"),
        RDKafkaLogLevel::Debug => debug!(target: LOG_TARGET, facility, "{line}"),
    }
}

/// What the consumer's callbacks leave for the worker.
#[derive(Debug, Default)]
pub(super) struct ConsumerSide {
    subscribed: Arc<Subscribed>,
    changes: Shared<VecDeque<Change>>,
    /// Set when the worker is gone, so that revocations are acknowledged without it.
    closing: AtomicBool,
    /// Client-wide complaints.
    pub(super) complaints: Complaints,
}

impl ConsumerSide {
    /// That of a consumer of these topics.
    pub(super) fn new(subscribed: Arc<Subscribed>) -> Self {
        Self { subscribed, ..Self::default() }
    }

    /// The next change of assignment.
    pub(super) fn next_change(&self) -> Option<Change> {
        self.changes.with(VecDeque::pop_front)
    }

    /// Acknowledges every later revocation without asking.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }
}

impl ClientContext for ConsumerSide {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        pass_on(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.complaints.keep(&error, reason);
    }
}

impl ConsumerContext for ConsumerSide {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions = self.subscribed.lanes(list);
        let change = if kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            acknowledge_assignment(consumer);
            Change::Assigned(partitions)
        } else if consumer.closed() {
            // The group is left: nobody waits for an acknowledgement any more, and a question would never be answered.
            Change::Lost(partitions)
        } else if consumer.assignment_lost() || self.closing.load(Ordering::SeqCst) {
            give_up(consumer, &partitions);
            Change::Lost(partitions)
        } else {
            Change::Revoked(partitions)
        };
        debug!(?change, "the group changed the assignment");
        self.changes.with(|changes| changes.push_back(change));
    }
}

fn acknowledge_assignment(consumer: &BaseConsumer<ConsumerSide>) {
    if let Err(error) = consumer.incremental_assign(&TopicPartitionList::new()) {
        warn!(%error, "the new assignment could not be acknowledged");
    }
}

/// Takes `partitions` from librdkafka, which acknowledges their revocation. Only those that were resumed are there.
pub(super) fn give_up(consumer: &BaseConsumer<ConsumerSide>, partitions: &[Partition]) {
    let subscribed = &consumer.context().subscribed;
    let mut fetching = TopicPartitionList::new();
    if let Ok(assigned) = consumer.assignment() {
        let lane = |element: &TopicPartitionListElem<'_>| subscribed.lane(element.topic(), element.partition());
        let given_up = |lane: Option<Partition>| lane.is_some_and(|lane| partitions.contains(&lane));
        for element in assigned.elements().iter().filter(|element| given_up(lane(element))) {
            fetching.add_partition(element.topic(), element.partition());
        }
    }
    if let Err(error) = consumer.incremental_unassign(&fetching) {
        warn!(%error, "the revocation could not be acknowledged");
    }
}

/// A record that could not be delivered.
#[derive(Clone, Debug)]
pub(super) struct Undelivered {
    /// Why.
    pub(super) code: RDKafkaErrorCode,
    /// Topic it was to go to.
    pub(super) topic: String,
    /// Partition it was to go to, or a negative number where the client had not chosen one yet.
    pub(super) partition: Partition,
    /// Size of its value, 0 where it is not known. Units: bytes.
    pub(super) bytes: usize,
}

/// What the producer's callbacks leave for the worker.
#[derive(Debug, Default)]
pub(super) struct ProducerSide {
    undelivered: Shared<Option<Undelivered>>,
    /// Client-wide complaints.
    pub(super) complaints: Complaints,
}

impl ProducerSide {
    /// The first record that could not be delivered since the last look.
    pub(super) fn take_undelivered(&self) -> Option<Undelivered> {
        self.undelivered.with(Option::take)
    }
}

impl ClientContext for ProducerSide {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        pass_on(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.complaints.keep(&error, reason);
    }
}

impl ProducerContext for ProducerSide {
    type DeliveryOpaque = ();

    fn delivery(&self, delivered: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = delivered {
            let failed = Undelivered {
                code: code_of(error),
                topic: message.topic().to_string(),
                partition: message.partition(),
                bytes: message.payload_len(),
            };
            self.undelivered.with(|kept| _ = kept.get_or_insert(failed));
        }
    }
}
