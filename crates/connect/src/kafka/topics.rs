use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use lapwing_vocabulary::port::{TopicLayout, TopicState, Topics};
use lapwing_vocabulary::{Offset, Partition, PortError, Records};
use rdkafka::admin::{AdminClient, AdminOptions, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::metadata::Metadata;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use tracing::info;

use super::context::{ConsumerSide, ProducerSide};
use super::fault;
use super::inbox::Inbox;
use super::options::{KafkaConnection, configuration_fault};
use super::patience::{self, Deadline};
use super::reach;
use super::transport::fetched;

/// Group name of the reader. It is never joined and commits nothing; librdkafka assigns partitions only to a named one.
const READER_GROUP: &str = "lapwing-reader";

/// Between two looks at whether a transaction has ended.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Settings of a topic that are always worth showing; others only where they were changed for it.
const SHOWN: [&str; 6] = [
    "cleanup.policy",
    "retention.ms",
    "retention.bytes",
    "max.message.bytes",
    "min.insync.replicas",
    "compression.type",
];

/// Makes, describes and reads topics, outside any group.
pub struct KafkaTopics {
    connection: KafkaConnection,
    admin: AdminClient<ProducerSide>,
    reader: BaseConsumer<ConsumerSide>,
    /// Sees the end of the log where the reader sees the end of what is decided. Made when it is needed; reads nothing.
    surveyor: Option<BaseConsumer<ConsumerSide>>,
}

impl KafkaTopics {
    /// Connects.
    pub fn open(connection: KafkaConnection) -> Result<Self, PortError> {
        let admin = connection
            .admin()?
            .create_with_context(ProducerSide::default())
            .map_err(|error| configuration_fault(&error))?;
        let reader = connection
            .consumer(READER_GROUP)?
            .create_with_context(ConsumerSide::default())
            .map_err(|error| configuration_fault(&error))?;
        let topics = Self { connection, admin, reader, surveyor: None };
        topics.metadata(None)?;
        Ok(topics)
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.connection.give_up_after)
    }

    fn metadata(&self, topic: Option<&str>) -> Result<Metadata, PortError> {
        let complaints = &self.reader.context().complaints;
        reach::metadata(self.reader.client(), complaints, &self.connection, topic, self.deadline())
    }

    /// The partitions of a topic and the copies of each; `None` if the topic does not exist.
    fn partitions(&self, name: &str) -> Result<Option<(usize, usize)>, PortError> {
        let answer = self.metadata(Some(name))?;
        let found = answer.topics().iter().find(|topic| topic.name() == name && topic.error().is_none());
        Ok(found.map(|topic| {
            let copies = topic.partitions().first().map_or(0, |partition| partition.replicas().len());
            (topic.partitions().len(), copies)
        }))
    }

    /// Waits until every partition of a new topic has a leader, so that it can be used at once.
    fn await_leaders(&self, name: &str, partitions: i32) -> Result<(), PortError> {
        let deadline = self.deadline();
        loop {
            let all = self.metadata(None)?;
            let ready = all.topics().iter().find(|topic| topic.name() == name).is_some_and(|topic| {
                let led = topic.partitions().iter().filter(|partition| partition.leader() >= 0).count();
                i32::try_from(led) == Ok(partitions)
            });
            if ready {
                return Ok(());
            }
            if deadline.passed() {
                let text = format!("create topic `{name}`: its partitions have no leader yet");
                return Err(PortError::Unreachable(text));
            }
            patience::pause(Duration::from_millis(20));
        }
    }

    /// First offset, and the end of what is decided: a reader of committed records sees no further.
    fn ends(&self, name: &str, partition: Partition) -> Result<(Offset, Offset), PortError> {
        self.ends_for(&self.reader, name, partition)
    }

    fn ends_for(
        &self,
        client: &BaseConsumer<ConsumerSide>,
        name: &str,
        partition: Partition,
    ) -> Result<(Offset, Offset), PortError> {
        let deadline = self.deadline();
        loop {
            let error = match client.fetch_watermarks(name, partition, deadline.for_one_call()) {
                Ok(ends) => return Ok(ends),
                Err(error) => error,
            };
            let what = format!("look up the ends of {name}[{partition}]");
            reach::still_waiting(&self.connection, &what, fault::code_of(&error), &error.to_string(), deadline)?;
        }
    }

    fn settings(&self, name: &str) -> Result<Vec<(String, String)>, PortError> {
        let options = AdminOptions::new().request_timeout(Some(self.connection.give_up_after));
        let answer = wait_for(self.admin.describe_configs(&[ResourceSpecifier::Topic(name)], &options));
        let what = format!("read the settings of topic `{name}`");
        let resources = answer.map_err(|error| self.refused(&what, &error))?;
        let mut settings = Vec::new();
        for resource in resources {
            let resource = resource.map_err(|code| self.refused(&what, &KafkaError::AdminOp(code)))?;
            let told = resource.entries.into_iter().filter(|entry| {
                let changed = entry.source == ConfigSource::DynamicTopic;
                !entry.is_sensitive && (changed || SHOWN.contains(&entry.name.as_str()))
            });
            settings.extend(told.filter_map(|entry| Some((entry.name, entry.value?))));
        }
        settings.sort();
        Ok(settings)
    }

    fn refused(&self, what: &str, error: &KafkaError) -> PortError {
        let code = match error {
            KafkaError::AdminOp(code) => *code,
            other => fault::code_of(other),
        };
        let address = self.connection.address();
        match fault::meaning(code) {
            fault::Meaning::Denied => fault::denied(address, what, &error.to_string()),
            fault::Meaning::Unreachable => {
                let seconds = self.connection.give_up_after.as_secs_f64();
                fault::unreachable(address, what, seconds, &error.to_string())
            }
            _ => PortError::Operator(format!("{what}: {error}")),
        }
    }

    /// Reads until the end of the partition or until `records_max` records are there.
    fn gather(
        &self,
        name: &str,
        partition: Partition,
        start: Offset,
        records_max: usize,
    ) -> Result<Records, PortError> {
        let topic = Arc::<str>::from(name);
        let mut inbox = Inbox::default();
        let deadline = self.deadline();
        while !inbox.is_full(records_max) {
            match self.reader.poll(deadline.for_one_call()) {
                Some(Ok(message)) if message.partition() == partition && message.offset() >= start => {
                    inbox.push(&topic, partition, fetched(&message));
                }
                Some(Ok(_)) => {}
                Some(Err(KafkaError::PartitionEOF(ended))) if ended == partition => break,
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => {
                    let what = format!("read {name}[{partition}]");
                    let code = fault::code_of(&error);
                    reach::still_waiting(&self.connection, &what, code, &error.to_string(), deadline)?;
                }
                None if deadline.passed() => {
                    let what = format!("read {name}[{partition}]");
                    let seconds = deadline.span().as_secs_f64();
                    return Err(fault::unreachable(self.connection.address(), &what, seconds, "no answer"));
                }
                None => {}
            }
        }
        Ok(inbox.take(records_max).unwrap_or_else(|| Records::new(topic, partition)))
    }
}

impl Topics for KafkaTopics {
    fn create(&mut self, name: &str, layout: &TopicLayout) -> Result<bool, PortError> {
        let settings = topic_settings(layout);
        // -1 leaves the number of copies to the broker.
        let replication = TopicReplication::Fixed(layout.replication.map_or(-1, i32::from));
        let mut topic = NewTopic::new(name, layout.partitions, replication);
        for (setting, value) in &settings {
            topic = topic.set(setting, value);
        }
        let wait = Some(self.connection.give_up_after);
        let options = AdminOptions::new().request_timeout(wait).operation_timeout(wait);
        let what = format!("create topic `{name}`");
        let answers =
            wait_for(self.admin.create_topics(&[topic], &options)).map_err(|error| self.refused(&what, &error))?;
        for answer in answers {
            match answer {
                Ok(_) => {}
                Err((_, Code::TopicAlreadyExists)) => return Ok(false),
                Err((_, code)) => return Err(self.refused(&what, &KafkaError::AdminOp(code))),
            }
        }
        self.await_leaders(name, layout.partitions)?;
        Ok(true)
    }

    fn describe(&mut self, name: &str) -> Result<Option<TopicState>, PortError> {
        let Some((partitions, copies)) = self.partitions(name)? else { return Ok(None) };
        let ends =
            (0..partitions as Partition).map(|partition| self.ends(name, partition)).collect::<Result<_, _>>()?;
        let mut settings = self.settings(name)?;
        settings.insert(0, ("replication.factor".to_string(), copies.to_string()));
        Ok(Some(TopicState { name: name.to_string(), partitions: ends, settings }))
    }

    fn list(&mut self) -> Result<Vec<String>, PortError> {
        let all = self.metadata(None)?;
        let names = all.topics().iter().map(|topic| topic.name()).filter(|name| !reach::internal(name));
        let mut names = names.map(String::from).collect::<Vec<_>>();
        names.sort();
        Ok(names)
    }

    /// A transaction is decided for a partition when the broker has written its end there, which comes after the commit
    /// itself: positions may be known before the records that belong to them can be read. An open one of a worker that is
    /// gone ends at the latest after `transaction.timeout.ms`.
    fn settle(&mut self, name: &str, partition: Partition) -> Result<(), PortError> {
        let surveyor = match self.surveyor.take() {
            Some(surveyor) => surveyor,
            None => {
                let mut config = self.connection.consumer(READER_GROUP)?;
                config.set("isolation.level", "read_uncommitted");
                let made = config.create_with_context(ConsumerSide::default());
                made.map_err(|error| configuration_fault(&error))?
            }
        };
        let seen = self.ends_for(&surveyor, name, partition);
        self.surveyor = Some(surveyor);
        let (_, end) = seen?;
        let deadline = self.deadline();
        let mut told = false;
        loop {
            let (_, decided) = self.ends(name, partition)?;
            if decided >= end {
                return Ok(());
            }
            if deadline.passed() {
                let seconds = deadline.span().as_secs_f64();
                return Err(PortError::Unreachable(format!(
                    "wait for open transactions in {name}[{partition}]: records {decided} to {end} are still undecided                      after {seconds:.1} s; see `kafka-transactions.sh find-hanging --topic {name}`"
                )));
            }
            if !std::mem::replace(&mut told, true) {
                info!(topic = name, partition, decided, end, "waits for the end of a transaction of another worker");
            }
            patience::pause(BETWEEN_LOOKS);
        }
    }

    fn read(
        &mut self,
        name: &str,
        partition: Partition,
        offset: Offset,
        records_max: usize,
    ) -> Result<Records, PortError> {
        let partitions = self.partitions(name)?.map_or(0, |(partitions, _)| partitions);
        if partition < 0 || partition as usize >= partitions {
            let complaints = &self.reader.context().complaints;
            reach::existing_topic(self.reader.client(), complaints, &self.connection, name, self.deadline())?;
            return Err(PortError::Operator(format!(
                "topic `{name}` has no partition {partition}: it has {partitions}"
            )));
        }
        let (earliest, end) = self.ends(name, partition)?;
        let start = offset.max(earliest);
        // An offset beyond the end would be read from the beginning.
        if start >= end || records_max == 0 {
            return Ok(Records::new(name.into(), partition));
        }
        let what = format!("read {name}[{partition}]");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(name, partition, KafkaOffset::Offset(start))
            .and_then(|()| self.reader.assign(&list))
            .map_err(|error| self.refused(&what, &error))?;
        let records = self.gather(name, partition, start, records_max);
        self.reader.unassign().map_err(|error| self.refused(&what, &error))?;
        records
    }
}

/// A layout in Kafka's names.
fn topic_settings(layout: &TopicLayout) -> Vec<(&'static str, String)> {
    let policy = match (layout.compact, layout.retention_micros.is_some() || layout.retention_bytes.is_some()) {
        (true, true) => "compact,delete",
        (true, false) => "compact",
        (false, _) => "delete",
    };
    let retention_ms = layout.retention_micros.map_or(-1, |micros| (micros / 1000).max(1));
    vec![
        ("cleanup.policy", policy.to_string()),
        ("retention.ms", retention_ms.to_string()),
        ("retention.bytes", layout.retention_bytes.unwrap_or(-1).to_string()),
    ]
}

/// Waits for an answer of the administrative client, whose own thread delivers it.
fn wait_for<F: Future>(answer: F) -> F::Output {
    struct Waiting(Thread);
    impl Wake for Waiting {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut answer = pin!(answer);
    let waker = Waker::from(Arc::new(Waiting(std::thread::current())));
    loop {
        match answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_becomes_kafkas_settings() {
        let forever = TopicLayout {
            partitions: 1,
            replication: None,
            retention_micros: None,
            retention_bytes: None,
            compact: false,
        };
        let of = |layout: &TopicLayout| topic_settings(layout).into_iter().map(|(_, value)| value).collect::<Vec<_>>();
        assert_eq!(of(&forever), ["delete", "-1", "-1"]);
        assert_eq!(of(&TopicLayout { compact: true, ..forever.clone() }), ["compact", "-1", "-1"]);
        let short = TopicLayout { compact: true, retention_micros: Some(5_000_000), ..forever };
        assert_eq!(of(&short), ["compact,delete", "5000", "-1"]);
    }
}
