use lapwing_vocabulary::PortError;
use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::Metadata;
use tracing::warn;

use super::context::{Complaints, Undelivered};
use super::fault::{self, Meaning};
use super::options::KafkaConnection;
use super::patience::{self, Deadline};
use crate::partitioner::no_partition;

/// Shortest time between two attempts that fail at once.
const BETWEEN_ATTEMPTS: std::time::Duration = std::time::Duration::from_millis(250);

/// Topics that Kafka keeps for itself.
pub(super) fn internal(topic: &str) -> bool {
    topic.starts_with("__")
}

/// Asks for metadata until a broker answers: of `topic`, or of all topics.
pub(super) fn metadata<C: ClientContext>(
    client: &Client<C>,
    complaints: &Complaints,
    connection: &KafkaConnection,
    topic: Option<&str>,
    deadline: Deadline,
) -> Result<Metadata, PortError> {
    loop {
        let error = match client.fetch_metadata(topic, deadline.for_one_call()) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        let (code, reason) = complaints.take().unwrap_or_else(|| (fault::code_of(&error), error.to_string()));
        still_waiting(connection, "connect", code, &reason, deadline)?;
    }
}

/// Says that Kafka cannot be reached yet, lets some time pass, and fails when waiting longer makes no sense.
pub(super) fn still_waiting(
    connection: &KafkaConnection,
    what: &str,
    code: Code,
    reason: &str,
    deadline: Deadline,
) -> Result<(), PortError> {
    let address = connection.address();
    if fault::meaning(code) == Meaning::Denied {
        return Err(fault::denied(address, what, reason));
    }
    if deadline.passed() {
        return Err(fault::unreachable(address, what, deadline.span().as_secs_f64(), reason));
    }
    warn!(address, reason, gives_up_in_seconds = deadline.remaining().as_secs(), "{what}: kafka does not answer");
    patience::pause(BETWEEN_ATTEMPTS.min(deadline.remaining()));
    Ok(())
}

/// Checks that `topic` exists; otherwise names those whose names are near.
pub(super) fn existing_topic<C: ClientContext>(
    client: &Client<C>,
    complaints: &Complaints,
    connection: &KafkaConnection,
    topic: &str,
    deadline: Deadline,
) -> Result<(), PortError> {
    let all = metadata(client, complaints, connection, None, deadline)?;
    if all.topics().iter().any(|known| known.name() == topic) {
        return Ok(());
    }
    Err(missing(topic, connection.address(), &names(&all)))
}

fn names(all: &Metadata) -> Vec<&str> {
    all.topics().iter().map(|known| known.name()).collect()
}

/// What a person must mend before an undelivered record can be written; `None` if trying again may help.
pub(super) fn refused<C: ClientContext>(
    client: &Client<C>,
    connection: &KafkaConnection,
    failed: &Undelivered,
) -> Option<PortError> {
    let (address, topic) = (connection.address(), &failed.topic);
    match fault::meaning(failed.code) {
        Meaning::NoTopic => Some(missing_place(client, address, failed)),
        Meaning::TooLarge => Some(too_large(topic, failed.bytes)),
        Meaning::Denied => Some(fault::denied(address, &format!("write to topic `{topic}`"), &failed.code.to_string())),
        Meaning::Unreachable | Meaning::Fenced | Meaning::Other => None,
    }
}

/// The text for a topic or partition that is not there; names near topics if a broker still answers.
fn missing_place<C: ClientContext>(client: &Client<C>, address: &str, failed: &Undelivered) -> PortError {
    let all = client.fetch_metadata(None, patience::CALL_MAX).ok();
    let found = all.iter().flat_map(Metadata::topics).find(|known| known.name() == failed.topic);
    let partitions = found.map(|topic| topic.partitions().len() as i32);
    let exists = partitions.is_some_and(|count| (0..count).contains(&failed.partition));
    if failed.code == Code::UnknownPartition && !exists && (all.is_none() || found.is_some()) {
        return no_partition(&failed.topic, failed.partition, partitions);
    }
    missing(&failed.topic, address, &all.as_ref().map(names).unwrap_or_default())
}

/// The number of partitions of a topic as a broker says it now; the client's own idea may be minutes old.
pub(super) fn partitions<C: ClientContext>(client: &Client<C>, topic: &str) -> Option<i32> {
    let answer = client.fetch_metadata(Some(topic), patience::CALL_MAX).ok()?;
    answer.topics().iter().find(|known| known.name() == topic).map(|topic| topic.partitions().len() as i32)
}

/// The text for a record that is larger than allowed.
fn too_large(topic: &str, bytes: usize) -> PortError {
    let size = if bytes > 0 { format!("of {bytes} bytes ") } else { String::new() };
    PortError::Operator(format!(
        "a record {size}to topic `{topic}` is too large: raise `max.message.bytes` of the topic, or \
         `message.max.bytes` in [connect.kafka] if it is set there"
    ))
}

fn missing(topic: &str, address: &str, existing: &[&str]) -> PortError {
    let mut near = existing
        .iter()
        .filter(|name| !internal(name))
        .map(|name| (strsim::jaro_winkler(topic, name), *name))
        .filter(|(score, _)| *score > 0.7)
        .collect::<Vec<_>>();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let near = near.iter().take(3).map(|(_, name)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let near = if near.is_empty() { String::new() } else { format!("; near: {near}") };
    PortError::Operator(format!(
        "topic `{topic}` does not exist on Kafka at {address}{near}; create it with `lapwing topics create PIPELINE`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_topic_names_the_near_ones_and_the_remedy() {
        let text = missing("sensor_mesages", "here:1", &["__consumer_offsets", "sensor_messages", "zzz"]).to_string();
        assert!(text.contains("near: `sensor_messages`;") && text.contains("lapwing topics create"), "{text}");
    }
}
