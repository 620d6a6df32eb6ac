use lapwing_vocabulary::PortError;
use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::Metadata;
use tracing::warn;

use super::context::Complaints;
use super::fault::{self, Meaning};
use super::options::KafkaConnection;
use super::patience::{self, Deadline};

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

/// The text for a topic that a broker says is not there; names near ones if it still answers.
pub(super) fn missing_topic<C: ClientContext>(client: &Client<C>, address: &str, topic: &str) -> PortError {
    match client.fetch_metadata(None, patience::CALL_MAX) {
        Ok(all) => missing(topic, address, &names(&all)),
        Err(_) => missing(topic, address, &[]),
    }
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
