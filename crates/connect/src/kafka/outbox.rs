use std::time::Duration;

use lapwing_vocabulary::{Epoch, PortError, Processing};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::context::ConsumerSide;
use super::fault::{self, Meaning};
use super::native::{self, PositionsCommit};
use super::options::{KafkaConnection, KafkaOptions};
use super::patience::{self, Deadline};
use super::producer::KafkaProducer;
use super::reach;
use super::transaction::{Failure, Transactions, stale};

/// How long a commit waits for the client to learn the group's newer generation; heartbeats tell within a second.
const GENERATION_WAIT: Duration = Duration::from_secs(3);
/// Time between two attempts meanwhile.
const GENERATION_STEP: Duration = Duration::from_millis(20);

/// Writes a worker's epochs.
pub(super) enum Outbox {
    /// Outputs and positions in one transaction.
    Transactions(Transactions),
    /// Outputs first, and positions once the brokers have acknowledged all of them.
    Acknowledged(KafkaProducer),
}

impl Outbox {
    pub(super) fn open(connection: &KafkaConnection, options: &KafkaOptions) -> Result<Self, PortError> {
        Ok(match options.processing {
            Processing::ExactlyOnce => Self::Transactions(Transactions::open(connection, &options.transactional_id)?),
            Processing::AtLeastOnce => Self::Acknowledged(KafkaProducer::open(connection.clone())?),
        })
    }

    /// Writes an epoch; `positions` are those of the source topic, empty if it has none.
    pub(super) fn write(
        &self,
        epoch: &Epoch,
        positions: &TopicPartitionList,
        group: &Group<'_>,
    ) -> Result<(), Failure> {
        match self {
            Self::Transactions(producer) if positions.count() == 0 => producer.commit(epoch, None),
            Self::Transactions(producer) => group.as_member(|_| {
                let member = group.consumer.group_metadata().filter(|_| group.is_member());
                let member = member.ok_or_else(|| group.left())?;
                producer.commit(epoch, Some((positions, &member)))
            }),
            Self::Acknowledged(producer) => {
                if positions.count() == 0 {
                    return deliver(producer, epoch);
                }
                if !group.is_member() {
                    return Err(group.left());
                }
                deliver(producer, epoch)?;
                let deadline = Deadline::after(group.connection.give_up_after);
                group.as_member(|group| group.commit(positions, deadline))
            }
        }
    }
}

/// Writes the outputs of an epoch and waits until the brokers have all of them.
fn deliver(producer: &KafkaProducer, epoch: &Epoch) -> Result<(), Failure> {
    let delivered = producer.append_all(&epoch.outputs).and_then(|()| producer.deliver());
    delivered.map_err(|error| match (producer.fatal_error(), error) {
        (Some(text), _) => Failure::Spent(format!("epoch not committed: {text}")),
        (None, PortError::Operator(text)) => Failure::Operator(PortError::Operator(text)),
        (None, error) => Failure::Unreachable(error),
    })
}

/// The membership that positions are committed under.
pub(super) struct Group<'a> {
    pub(super) consumer: &'a BaseConsumer<ConsumerSide>,
    pub(super) connection: &'a KafkaConnection,
    pub(super) name: &'a str,
}

impl Group<'_> {
    /// The partitions stay ours until we release them, so the same positions may go out under the newer generation as
    /// soon as the client has learnt it; or it learns that we are out.
    fn as_member(&self, commit: impl Fn(&Self) -> Result<(), Failure>) -> Result<(), Failure> {
        let deadline = Deadline::after(GENERATION_WAIT);
        loop {
            match commit(self) {
                Err(Failure::Stale(_)) if !deadline.passed() => patience::pause(GENERATION_STEP),
                outcome => return outcome,
            }
        }
    }

    fn is_member(&self) -> bool {
        native::is_group_member(self.consumer.client())
    }

    fn left(&self) -> Failure {
        Failure::Aborted(format!("epoch not committed: this worker is no member of group `{}`", self.name))
    }

    /// Commits positions and waits for the coordinator's answer.
    fn commit(&self, positions: &TopicPartitionList, deadline: Deadline) -> Result<(), Failure> {
        if !self.is_member() {
            return Err(self.left());
        }
        loop {
            let Err(code) = self.ask(positions, deadline) else { return Ok(()) };
            self.check(code, deadline)?;
        }
    }

    /// One commit, as long as an answer may come; it is said now and then that there is none.
    fn ask(&self, positions: &TopicPartitionList, deadline: Deadline) -> Result<(), Code> {
        let sent = PositionsCommit::send(self.consumer.client(), positions)?;
        loop {
            if let Some(answer) = sent.answer(deadline.for_one_call()) {
                return answer;
            }
            if deadline.passed() {
                return Err(Code::OperationTimedOut);
            }
            tracing::warn!(address = self.connection.address(), "the positions are not acknowledged yet");
        }
    }

    /// Says what a refusal means; `Ok` if the same commit may succeed now.
    fn check(&self, code: Code, deadline: Deadline) -> Result<(), Failure> {
        let what = format!("commit the positions of group `{}`", self.name);
        if stale(code) {
            return Err(Failure::Stale(format!("{what}: {code}: outputs that were written already will be repeated")));
        }
        match fault::meaning(code) {
            Meaning::Unreachable => reach::still_waiting(self.connection, &what, code, &code.to_string(), deadline)
                .map_err(Failure::Unreachable),
            Meaning::Denied => {
                Err(Failure::Operator(fault::denied(self.connection.address(), &what, &code.to_string())))
            }
            Meaning::NoTopic | Meaning::Fenced | Meaning::TooLarge | Meaning::Other => {
                Err(Failure::Aborted(format!("{what}: {code}")))
            }
        }
    }
}
