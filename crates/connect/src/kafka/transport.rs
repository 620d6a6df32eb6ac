use std::sync::Arc;
use std::time::Duration;

use lapwing_vocabulary::port::{Assignment, Backlog};
use lapwing_vocabulary::{Epoch, Offset, Partition, Polled, PortError, Transport};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use tracing::{debug, info, warn};

use super::context::{self, ConsumerSide};
use super::fault::{self, Meaning};
use super::holdings::{Holdings, Notice};
use super::inbox::{Fetched, Inbox};
use super::native;
use super::options::{KafkaConnection, KafkaOptions, configuration_fault};
use super::outbox::{Group, Outbox};
use super::patience::Deadline;
use super::reach;
use super::subscribed::Subscribed;
use super::transaction::Failure;

/// One worker: a member of the consumer group, and the producer of its epochs.
pub struct KafkaTransport {
    // Given.
    options: KafkaOptions,
    connection: KafkaConnection,
    subscribed: Arc<Subscribed>,
    // Changing.
    consumer: BaseConsumer<ConsumerSide>,
    /// `None` after it was fenced or left an outcome open; the next poll opens a new one.
    outbox: Option<Outbox>,
    holdings: Holdings,
    inbox: Inbox,
    /// Since when no broker answers, as the moment to give up.
    outage: Option<Deadline>,
    /// The moment to give up looking up where new partitions start.
    announcing: Option<Deadline>,
}

impl KafkaTransport {
    /// Connects, fences an earlier worker of the same transactional name, and joins the group.
    pub fn open(options: KafkaOptions) -> Result<Self, PortError> {
        Self::open_with(options, &[])
    }

    /// As [`KafkaTransport::open`], reading `others` besides the topic of the options, as one: their partitions go by
    /// [`lane`](lapwing_vocabulary::position::lane), the options' topic first.
    pub fn open_with(options: KafkaOptions, others: &[&str]) -> Result<Self, PortError> {
        let names: Vec<&str> = std::iter::once(options.topic.as_str()).chain(others.iter().copied()).collect();
        let subscribed = Arc::new(Subscribed::new(&names));
        let connection = options.connection();
        let config = connection.consumer(&options.group)?;
        let consumer: BaseConsumer<ConsumerSide> = config
            .create_with_context(ConsumerSide::new(subscribed.clone()))
            .map_err(|error| configuration_fault(&error))?;
        let deadline = Deadline::after(connection.give_up_after);
        let complaints = &consumer.context().complaints;
        for name in &names {
            reach::existing_topic(consumer.client(), complaints, &connection, name, deadline)?;
        }
        let outbox = Outbox::open(&connection, &options)?;
        consumer
            .subscribe(&names)
            .map_err(|error| PortError::Operator(format!("subscribe to {}: {error}", subscribed.shown())))?;
        info!(topics = subscribed.shown(), group = options.group, "joined the consumer group");
        Ok(Self {
            subscribed,
            options,
            connection,
            consumer,
            outbox: Some(outbox),
            holdings: Holdings::default(),
            inbox: Inbox::default(),
            outage: None,
            announcing: None,
        })
    }

    /// Takes what librdkafka has ready, without waiting, until `records_max` records lie here.
    fn drain(&mut self, records_max: usize) -> Result<(), PortError> {
        while !self.inbox.is_full(records_max) {
            if !self.receive(Duration::ZERO)? {
                break;
            }
        }
        Ok(())
    }

    /// Waits for one message or event; whether there may be more.
    fn receive(&mut self, wait: Duration) -> Result<bool, PortError> {
        match self.consumer.poll(wait) {
            Some(Ok(message)) => {
                keep(&mut self.holdings, &mut self.inbox, &self.subscribed, &message);
                self.outage = None;
                Ok(true)
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                // Of which topic it does not say; then markers at the end of a partition count as backlog.
                if !self.subscribed.is_several() {
                    self.holdings.exhausted(partition, self.end_of(partition));
                }
                self.outage = None;
                Ok(true)
            }
            Some(Err(error)) => self.consumer_fault(&error).map(|()| true),
            None => Ok(false),
        }
    }

    fn end_of(&self, lane: Partition) -> Option<Offset> {
        let (_, c_name, partition) = self.subscribed.place(lane)?;
        native::cached_end(self.consumer.client(), c_name, partition)
    }

    /// Acts on an error of the consumer; most are retried by librdkafka itself.
    fn consumer_fault(&mut self, error: &KafkaError) -> Result<(), PortError> {
        let address = self.connection.address();
        match fault::meaning(fault::code_of(error)) {
            // A broker that is just starting may say so of a topic that is there.
            Meaning::NoTopic => {
                let deadline = Deadline::after(self.options.give_up_after);
                let (client, complaints) = (self.consumer.client(), &self.consumer.context().complaints);
                let names = self.subscribed.names();
                let exists = |name| reach::existing_topic(client, complaints, &self.connection, name, deadline);
                names.into_iter().try_for_each(exists)
            }
            Meaning::Denied => {
                let what = format!("read topic {}", self.subscribed.shown());
                Err(fault::denied(address, &what, &error.to_string()))
            }
            Meaning::Fenced => Err(PortError::Operator(format!(
                "read topic {}: {error}: another worker uses the same `group.instance.id` of [connect.kafka]",
                self.subscribed.shown()
            ))),
            Meaning::Unreachable => {
                self.outage.get_or_insert_with(|| Deadline::after(self.options.give_up_after));
                Ok(())
            }
            _ => {
                warn!(%error, topics = self.subscribed.shown(), "the consumer reports a fault and goes on");
                Ok(())
            }
        }
    }

    /// While no broker answered last time: asks again, and gives up when it took too long.
    fn check_outage(&mut self) -> Result<(), PortError> {
        let Some(deadline) = self.outage else { return Ok(()) };
        let Err(error) = self.consumer.fetch_metadata(Some(&self.options.topic), deadline.for_one_call()) else {
            info!(address = self.connection.address(), "kafka answers again");
            self.outage = None;
            return Ok(());
        };
        let complaint = self.consumer.context().complaints.take();
        let (code, reason) = complaint.unwrap_or_else(|| (fault::code_of(&error), error.to_string()));
        reach::still_waiting(&self.connection, "read", code, &reason, deadline)
    }

    /// The next change of assignment that the worker must know of.
    fn next_change(&mut self) -> Option<Polled> {
        while let Some(change) = self.consumer.context().next_change() {
            let notice = self.holdings.change(change);
            self.finish_revocation();
            let (partitions, polled): (_, fn(Vec<Partition>) -> Polled) = match notice {
                Notice::None => continue,
                Notice::Leaving(partitions) => (partitions, Polled::Revoked),
                Notice::Lost(partitions) => (partitions, Polled::Lost),
            };
            for partition in &partitions {
                self.inbox.discard(*partition);
            }
            return Some(polled(partitions));
        }
        None
    }

    fn finish_revocation(&mut self) {
        if let Some(partitions) = self.holdings.finished_revocation() {
            context::give_up(&self.consumer, &partitions);
            debug!(?partitions, "gave partitions up");
        }
    }

    /// Tells the worker of new partitions and where the group stands on them. One attempt; `None` if the broker has no
    /// answer yet, so that the group's changes are served between two attempts.
    fn announce(&mut self, partitions: &[Partition]) -> Result<Option<Polled>, PortError> {
        let give_up_after = self.options.give_up_after;
        let deadline = *self.announcing.get_or_insert_with(|| Deadline::after(give_up_after));
        match self.look_up(partitions, deadline) {
            Ok(found) => {
                self.announcing = None;
                for (assignment, end) in &found {
                    self.holdings.announced(assignment.partition, *end);
                }
                Ok(Some(Polled::Assigned(found.into_iter().map(|(assignment, _)| assignment).collect())))
            }
            Err(error) => {
                let what = format!("look up committed positions of topic {}", self.subscribed.shown());
                // The broker keeps such positions back; it looks like silence.
                let hint = "or a transaction that never ended holds them: see `kafka-transactions.sh find-hanging`";
                let reason = format!("{error}, {hint}");
                reach::still_waiting(&self.connection, &what, fault::code_of(&error), &reason, deadline)?;
                Ok(None)
            }
        }
    }

    /// Committed and first position of each partition, and its end.
    fn look_up(&self, partitions: &[Partition], deadline: Deadline) -> KafkaResult<Vec<(Assignment, Offset)>> {
        let mut asked = TopicPartitionList::new();
        for (name, _, partition) in partitions.iter().filter_map(|lane| self.subscribed.place(*lane)) {
            asked.add_partition(name, partition);
        }
        let answer = self.consumer.committed_offsets(asked, deadline.for_one_call())?;
        let mut found = Vec::with_capacity(partitions.len());
        for element in answer.elements() {
            element.error()?;
            let (topic, partition) = (element.topic(), element.partition());
            let (earliest, end) = self.consumer.fetch_watermarks(topic, partition, deadline.for_one_call())?;
            let Some(partition) = self.subscribed.lane(topic, partition) else { continue };
            let committed = match element.offset() {
                KafkaOffset::Offset(offset) => Some(offset),
                _ => None,
            };
            found.push((Assignment { partition, committed, earliest }, end));
        }
        Ok(found)
    }

    /// Asks the broker again as long as it makes sense.
    fn patiently<T>(
        &self,
        what: &str,
        deadline: Deadline,
        ask: impl Fn(&Self) -> KafkaResult<T>,
    ) -> Result<T, PortError> {
        loop {
            let error = match ask(self) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let what = format!("{what} of topic {}", self.subscribed.shown());
            let code = fault::code_of(&error);
            reach::still_waiting(&self.connection, &what, code, &error.to_string(), deadline)?;
        }
    }

    /// Opens a new producer where the last one cannot go on.
    fn open_outbox(&mut self) -> Result<(), PortError> {
        if self.outbox.is_none() {
            self.outbox = Some(Outbox::open(&self.connection, &self.options)?);
        }
        Ok(())
    }

    /// Every partition will be announced again, from its committed position.
    fn begin_again(&mut self) {
        for partition in self.holdings.running() {
            self.inbox.discard(partition);
        }
        self.holdings.begin_again();
        self.finish_revocation();
    }

    fn restart(&mut self, text: String) -> PortError {
        warn!(reason = text, "begins again from the committed positions");
        self.begin_again();
        PortError::Restart(text)
    }

    fn failed(&mut self, failure: Failure) -> PortError {
        match failure {
            Failure::Aborted(text) | Failure::Stale(text) => self.restart(text),
            Failure::Spent(text) => {
                self.outbox = None;
                self.restart(text)
            }
            Failure::Operator(error) | Failure::Unreachable(error) => {
                // A new producer ends what this one left open before anything is read again.
                self.outbox = None;
                self.begin_again();
                error
            }
        }
    }

    fn write(&mut self, epoch: &Epoch) -> Result<Result<(), Failure>, PortError> {
        let mut list = TopicPartitionList::with_capacity(epoch.positions.len());
        for (lane, offset) in &epoch.positions {
            // Only lanes that are held come here, see `commit`.
            let Some((name, _, partition)) = self.subscribed.place(*lane) else { continue };
            list.add_partition_offset(name, partition, KafkaOffset::Offset(*offset))
                .map_err(|error| PortError::Operator(format!("position {offset} of {name}[{partition}]: {error}")))?;
        }
        self.open_outbox()?;
        let group = Group { consumer: &self.consumer, connection: &self.connection, name: &self.options.group };
        let outbox = self.outbox.as_ref().expect("it was opened above");
        Ok(outbox.write(epoch, &list, &group))
    }
}

impl Transport for KafkaTransport {
    fn poll(&mut self, records_max: usize, wait: Duration) -> Result<Polled, PortError> {
        let records_max = records_max.max(1);
        let deadline = Deadline::after(wait);
        self.open_outbox()?;
        loop {
            self.drain(records_max)?;
            if let Some(change) = self.next_change() {
                return Ok(change);
            }
            let unannounced = self.holdings.unannounced();
            if unannounced.is_empty() {
                self.announcing = None;
            } else if let Some(assigned) = self.announce(&unannounced)? {
                return Ok(assigned);
            }
            if let Some(records) = self.inbox.take(records_max) {
                return Ok(Polled::Records(records));
            }
            self.check_outage()?;
            if deadline.passed() {
                return Ok(Polled::Idle);
            }
            self.receive(deadline.remaining())?;
        }
    }

    fn resume(&mut self, partition: Partition, offset: Offset) -> Result<(), PortError> {
        if !self.holdings.may_resume(partition) {
            return Err(self.restart(format!("{} does not belong to this worker", self.subscribed.show(partition))));
        }
        let deadline = Deadline::after(self.options.give_up_after);
        self.patiently("start reading", deadline, |transport| transport.start(partition, offset, deadline))?;
        self.inbox.discard(partition);
        self.holdings.resumed(partition, offset);
        Ok(())
    }

    fn release(&mut self, partitions: &[Partition]) -> Result<(), PortError> {
        self.holdings.release(partitions);
        self.finish_revocation();
        Ok(())
    }

    fn commit(&mut self, epoch: Epoch) -> Result<(), PortError> {
        if epoch.is_empty() {
            return Ok(());
        }
        if let Some((partition, _)) =
            epoch.positions.iter().find(|(partition, _)| !self.holdings.may_commit(*partition))
        {
            let place = self.subscribed.show(*partition);
            let text = format!("epoch not committed: {place} no longer belongs to this worker");
            return Err(self.restart(text));
        }
        match self.write(&epoch)? {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.failed(failure)),
        }
    }

    fn backlog(&mut self) -> Result<Backlog, PortError> {
        let mut records = 0;
        for partition in self.holdings.running() {
            let end = self.end_of(partition);
            records += self.inbox.count(partition) as u64 + self.holdings.unfetched(partition, end);
        }
        Ok(Backlog { records })
    }
}

impl KafkaTransport {
    /// Hands a partition to librdkafka, or moves it if it is there already.
    fn start(&self, lane: Partition, offset: Offset, deadline: Deadline) -> KafkaResult<()> {
        // Only lanes that are held are resumed.
        let Some((name, _, partition)) = self.subscribed.place(lane) else { return Ok(()) };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(name, partition, KafkaOffset::Offset(offset))?;
        if self.consumer.assignment()?.find_partition(name, partition).is_none() {
            return self.consumer.incremental_assign(&list);
        }
        let moved = self.consumer.seek_partitions(list, deadline.for_one_call())?;
        moved.elements().iter().try_for_each(|element| element.error())
    }
}

impl Drop for KafkaTransport {
    /// Leaves the group: a revocation that waits for the worker would otherwise block the client's end.
    fn drop(&mut self) {
        self.consumer.context().close();
        let Ok(held) = self.consumer.assignment() else { return };
        context::give_up(&self.consumer, &self.subscribed.lanes(&held));
    }
}

/// Copies a message into the inbox if it is to be delivered.
fn keep(holdings: &mut Holdings, inbox: &mut Inbox, subscribed: &Subscribed, message: &BorrowedMessage<'_>) {
    let Some(lane) = subscribed.lane(message.topic(), message.partition()) else { return };
    let Some((topic, _, _)) = subscribed.place(lane) else { return };
    if holdings.admit(lane, message.offset()) {
        inbox.push(topic, lane, fetched(message));
    }
}

/// A message as a record; Kafka counts milliseconds, we count microseconds.
pub(super) fn fetched<'a>(message: &'a BorrowedMessage<'_>) -> Fetched<'a> {
    Fetched {
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().unwrap_or(0).saturating_mul(1000),
        key: message.key(),
        value: message.payload().unwrap_or_default(),
        headers: native::headers(message),
    }
}
