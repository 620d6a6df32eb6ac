use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use lapwing_vocabulary::{PortError, Processing};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use tracing::Level;

use super::native;

/// Target of librdkafka's own log lines.
pub(super) const LOG_TARGET: &str = "librdkafka";

/// Properties that what the pipeline promises depends on: the value they must have, or `None` where the pipeline alone decides.
const FIXED: [(&str, Option<&str>); 9] = [
    ("enable.auto.commit", Some("false")),
    ("enable.auto.offset.store", Some("false")),
    ("enable.idempotence", Some("true")),
    ("enable.partition.eof", Some("true")),
    ("isolation.level", Some("read_committed")),
    ("partition.assignment.strategy", Some("cooperative-sticky")),
    ("group.protocol", Some("classic")),
    ("group.id", None),
    ("transactional.id", None),
];

/// For both kinds of client.
const COMMON: [(&str, &str); 4] = [
    ("client.id", "lapwing"),
    // A restarted broker is found again within a second; the client's own default is ten.
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.keepalive.enable", "true"),
    ("log.connection.close", "false"),
];

/// For consumers. Data is answered at once whatever the waits say (`fetch.min.bytes` is 1); the short waits are about
/// partitions that are added or sought to while a fetch is under way, and about refilling a drained queue.
///
/// Under overload the lag grows and memory does not. A worker holds at most: `queued.max.messages.kbytes` of fetched
/// records, or `queued.min.messages` small ones; one answer of `fetch.max.bytes`, as compressed as it is, per
/// broker; and 16 MiB that are about to be handed out. Measured for a worker that stands still before more than that
/// (`examples/kafka_speed.rs`): 45 to 51 MiB with records of 500 bytes, 19 MiB with two million records of 10 bytes.
const CONSUMER: [(&str, &str); 8] = [
    ("auto.offset.reset", "earliest"),
    ("session.timeout.ms", "10000"),
    ("fetch.wait.max.ms", "50"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.error.backoff.ms", "50"),
    // Bound the fetched records of one worker, over all its partitions: bytes, and small records, whose overhead of
    // some 200 bytes each does not count as bytes.
    ("queued.max.messages.kbytes", "32768"),
    ("queued.min.messages", "50000"),
    ("topic.metadata.refresh.interval.ms", "60000"),
];

/// An answer of a broker to a fetch has at most this size, or that of one record if that is larger. What arrives after
/// the bounds above are reached is at most this. Units: bytes.
const FETCH_BYTES_MAX: usize = 8 << 20;

/// For producers. What waits to be sent or acknowledged is bounded by `queue.buffering.max.kbytes` (64 MiB) and by
/// `queue.buffering.max.messages`; when either is reached, appending waits. Keys go to the same partitions as with Kafka's Java client.
const PRODUCER: [(&str, &str); 9] = [
    ("partitioner", "murmur2_random"),
    ("compression.type", "lz4"),
    ("linger.ms", "5"),
    ("queue.buffering.max.kbytes", "65536"),
    ("queue.buffering.max.messages", "500000"),
    // The broker refuses the next transaction until it has marked the last one in every log, a matter of a few
    // milliseconds: asking again soon halves the time of small epochs.
    ("retry.backoff.ms", "10"),
    ("retry.backoff.max.ms", "500"),
    // A report per delivered batch would have to be fetched before a flush is over.
    ("delivery.report.only.error", "true"),
    // A topic that does not exist is reported after this time.
    ("topic.metadata.propagation.max.ms", "5000"),
];

/// How to reach Kafka.
#[derive(Clone)]
pub struct KafkaConnection {
    /// Client properties by librdkafka's names; they win over Lapwing's defaults. `bootstrap.servers` must be there.
    pub properties: BTreeMap<String, String>,
    /// How long an unreachable broker is tried before giving up.
    pub give_up_after: Duration,
    /// Size of the largest record that can be written. Units: bytes.
    pub max_record_bytes: usize,
}

/// What a worker's transport needs to know.
#[derive(Clone)]
pub struct KafkaOptions {
    /// Client properties by librdkafka's names; they win over Lapwing's defaults. `bootstrap.servers` must be there.
    pub properties: BTreeMap<String, String>,
    /// Topic to read.
    pub topic: String,
    /// Consumer group; every worker of a pipeline names the same one.
    pub group: String,
    /// What readers of the outputs may see after a crash.
    pub processing: Processing,
    /// Identity of this worker's producer: different for every worker that runs, the same after its restart, so that
    /// what a crash left open is aborted at once. Not used with [`Processing::AtLeastOnce`].
    pub transactional_id: String,
    /// How long an unreachable broker is tried before giving up.
    pub give_up_after: Duration,
    /// Size of the largest record that can be written. Units: bytes.
    pub max_record_bytes: usize,
}

impl KafkaOptions {
    /// The part that says how to reach Kafka.
    pub fn connection(&self) -> KafkaConnection {
        KafkaConnection {
            properties: self.properties.clone(),
            give_up_after: self.give_up_after,
            max_record_bytes: self.max_record_bytes,
        }
    }
}

impl fmt::Debug for KafkaConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConnection")
            .field("properties", &Redacted(&self.properties))
            .field("give_up_after", &self.give_up_after)
            .field("max_record_bytes", &self.max_record_bytes)
            .finish()
    }
}

impl fmt::Debug for KafkaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaOptions")
            .field("topic", &self.topic)
            .field("group", &self.group)
            .field("processing", &self.processing)
            .field("transactional_id", &self.transactional_id)
            .field("connection", &self.connection())
            .finish()
    }
}

struct Redacted<'a>(&'a BTreeMap<String, String>);

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(name, value)| (name, if secret(name) { "…" } else { value.as_str() }));
        f.debug_map().entries(shown).finish()
    }
}

/// Whether a property's value must not be shown.
fn secret(name: &str) -> bool {
    ["password", "secret", "token", "credential", "jaas", "pem", "oauthbearer.config", "sasl.username", "assertion"]
        .iter()
        .any(|part| name.contains(part))
}

impl KafkaConnection {
    /// The brokers to start from, for messages.
    pub(super) fn address(&self) -> &str {
        ["bootstrap.servers", "metadata.broker.list"]
            .iter()
            .find_map(|name| self.properties.get(*name))
            .map_or("(no address)", String::as_str)
    }

    /// Refuses what cannot be changed, and says which property is missing or unknown.
    fn check(&self) -> Result<(), PortError> {
        let given = |name: &str| self.properties.get(name).is_some_and(|value| !value.trim().is_empty());
        if !given("bootstrap.servers") && !given("metadata.broker.list") {
            return Err(operator("`bootstrap.servers` is missing: host:port of one or more brokers"));
        }
        for (name, value) in &self.properties {
            let Some((_, needed)) = FIXED.iter().find(|(fixed, _)| fixed == name) else { continue };
            match needed {
                Some(needed) if needed == value => {}
                Some(needed) => {
                    let text =
                        format!("`{name}` must stay \"{needed}\": no loss and no repeat depend on it; leave it out");
                    return Err(operator(&text));
                }
                None => return Err(operator(&format!("`{name}` is chosen by the pipeline; leave it out"))),
            }
        }
        Ok(())
    }

    /// Properties of a consumer; without `group`, of one that joins none.
    pub(super) fn consumer(&self, group: &str) -> Result<ClientConfig, PortError> {
        let mut config = self.client(&CONSUMER)?;
        config.set("max.partition.fetch.bytes", self.max_record_bytes.clamp(1 << 20, 1_000_000_000).to_string());
        config.set("fetch.max.bytes", self.fetch_bytes_max().to_string());
        config.set("heartbeat.interval.ms", self.heartbeat_ms().to_string());
        self.finish(config, |name| name != "enable.idempotence" && name != "transactional.id", &[("group.id", group)])
    }

    /// Properties of a producer outside transactions.
    pub(super) fn producer(&self) -> Result<ClientConfig, PortError> {
        let mut config = self.client(&PRODUCER)?;
        config.set("message.timeout.ms", self.give_up_after.as_millis().clamp(1000, 300_000).to_string());
        self.finish(config, |name| name == "enable.idempotence", &[])
    }

    /// Properties of a transactional producer. A whole epoch is handed over at once, so little lingering suffices.
    pub(super) fn transactional(&self, transactional_id: &str) -> Result<ClientConfig, PortError> {
        let mut config = self.client(&PRODUCER)?;
        config.set("linger.ms", "2");
        config.set("transaction.timeout.ms", "15000");
        self.finish(config, |name| name == "enable.idempotence", &[("transactional.id", transactional_id)])
    }

    /// Properties of an administrative client.
    pub(super) fn admin(&self) -> Result<ClientConfig, PortError> {
        let config = self.client(&[])?;
        self.finish(config, |_| false, &[])
    }

    fn client(&self, defaults: &[(&str, &str)]) -> Result<ClientConfig, PortError> {
        self.check()?;
        let mut config = ClientConfig::new();
        for (name, value) in COMMON.iter().chain(defaults) {
            config.set(*name, *value);
        }
        config.set("message.max.bytes", self.message_bytes_max().to_string());
        config.set_log_level(log_level());
        Ok(config)
    }

    /// Lays the caller's properties over the defaults and the fixed ones over both, then has librdkafka check them.
    fn finish(
        &self,
        mut config: ClientConfig,
        fixed: impl Fn(&str) -> bool,
        own: &[(&str, &str)],
    ) -> Result<ClientConfig, PortError> {
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        for (name, value) in FIXED {
            match value {
                Some(value) if fixed(name) => config.set(name, value),
                _ => config.remove(name),
            };
        }
        for (name, value) in own {
            config.set(*name, *value);
        }
        config.create_native_config().map_err(|error| configuration_fault(&error))?;
        Ok(config)
    }

    /// The client refuses to fetch less at once than its largest record has.
    fn fetch_bytes_max(&self) -> usize {
        let given = self.properties.get("message.max.bytes").and_then(|value| value.parse().ok());
        FETCH_BYTES_MAX.max(given.unwrap_or_else(|| self.message_bytes_max()))
    }

    /// Room for a record's headers and the batch around it.
    fn message_bytes_max(&self) -> usize {
        (self.max_record_bytes + 4096).clamp(1_000_000, 1_000_000_000)
    }

    /// A third of the session, at most a second: a rebalance is noticed by the next heartbeat.
    fn heartbeat_ms(&self) -> u64 {
        let session = self.properties.get("session.timeout.ms").and_then(|value| value.parse::<u64>().ok());
        session.map_or(1000, |session| (session / 3).clamp(1, 1000))
    }
}

/// Says in which table a refused property stands, without showing secrets.
pub(super) fn configuration_fault(error: &KafkaError) -> PortError {
    let (reason, name) = match error {
        KafkaError::ClientConfig(_, reason, name, _) => (reason.as_str(), name.as_str()),
        KafkaError::ClientCreation(reason) => (reason.as_str(), ""),
        other => return operator(&other.to_string()),
    };
    let shown = if secret(name) { format!("the value of `{name}` is refused") } else { reason.to_string() };
    let lower = reason.to_lowercase();
    let without_tls = ["openssl not available", "ssl support not available", "recompile librdkafka"];
    if without_tls.iter().any(|sign| lower.contains(sign)) {
        return operator(&format!("{shown}; this build has no TLS: build with `--features tls` or `tls-vendored`"));
    }
    if lower.contains("no such configuration property") {
        let near = nearest(name).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return operator(&format!("librdkafka knows no property `{name}`{near}"));
    }
    operator(&shown)
}

/// The known property nearest to a misspelt one.
fn nearest(name: &str) -> Option<String> {
    // Properties without a default value, which librdkafka does not list.
    let unlisted = ["bootstrap.servers", "sasl.username", "sasl.password", "ssl.ca.location", "group.instance.id"];
    let names = native::property_names().into_iter().chain(unlisted.map(String::from));
    let scored = names.map(|known| (strsim::jaro_winkler(name, &known), known));
    scored.filter(|(score, _)| *score > 0.85).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

fn operator(text: &str) -> PortError {
    PortError::Operator(format!("[connect.kafka]: {text}"))
}

/// Asks librdkafka only for the lines that somebody listens to.
fn log_level() -> RDKafkaLogLevel {
    if tracing::enabled!(target: LOG_TARGET, Level::DEBUG) {
        RDKafkaLogLevel::Debug
    } else if tracing::enabled!(target: LOG_TARGET, Level::INFO) {
        RDKafkaLogLevel::Info
    } else {
        RDKafkaLogLevel::Warning
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(properties: &[(&str, &str)]) -> KafkaConnection {
        let mut all = BTreeMap::from([("bootstrap.servers".to_string(), "127.0.0.1:1".to_string())]);
        all.extend(properties.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        KafkaConnection { properties: all, give_up_after: Duration::from_secs(1), max_record_bytes: 1 << 20 }
    }

    fn refusal(properties: &[(&str, &str)]) -> String {
        match connection(properties).consumer("g") {
            Err(PortError::Operator(text)) => text,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn a_given_property_wins_over_the_default() {
        let config = connection(&[("fetch.wait.max.ms", "7"), ("linger.ms", "33")]);
        assert_eq!(config.consumer("g").unwrap().get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(config.transactional("t").unwrap().get("linger.ms"), Some("33"));
    }

    #[test]
    fn what_is_fetched_at_once_is_bounded_but_holds_the_largest_record() {
        let of =
            |connection: KafkaConnection| connection.consumer("g").unwrap().get("fetch.max.bytes").map(str::to_owned);
        assert_eq!(of(connection(&[])), Some((8 << 20).to_string()));
        assert_eq!(of(connection(&[("message.max.bytes", "20000000")])), Some("20000000".to_string()));
        let large = KafkaConnection { max_record_bytes: 30 << 20, ..connection(&[]) };
        assert_eq!(of(large), Some(((30 << 20) + 4096).to_string()));
        assert_eq!(of(connection(&[("fetch.max.bytes", "2000000")])), Some("2000000".to_string()));
    }

    #[test]
    fn what_exactly_once_depends_on_is_refused_by_name() {
        for (name, value) in [
            ("enable.auto.commit", "true"),
            ("isolation.level", "read_uncommitted"),
            ("enable.idempotence", "false"),
            ("transactional.id", "mine"),
            ("group.id", "mine"),
            ("partition.assignment.strategy", "range"),
        ] {
            let text = refusal(&[(name, value)]);
            assert!(text.contains(name) && text.contains("[connect.kafka]"), "{text}");
        }
        assert!(connection(&[("isolation.level", "read_committed")]).consumer("g").is_ok());
    }

    #[test]
    fn an_unknown_property_names_itself_its_table_and_the_nearest_one() {
        let text = refusal(&[("fetch.wait.max.mss", "7")]);
        assert!(text.contains("[connect.kafka]") && text.contains("`fetch.wait.max.ms`"), "{text}");
    }

    #[cfg(not(any(feature = "tls", feature = "tls-vendored")))]
    #[test]
    fn tls_in_a_build_without_it_says_which_feature_to_build() {
        let text = refusal(&[("security.protocol", "ssl")]);
        assert!(text.contains("--features tls"), "{text}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", connection(&[("sasl.password", "hunter2"), ("client.id", "seen")]));
        assert!(!shown.contains("hunter2") && shown.contains("seen"), "{shown}");
    }

    #[test]
    fn a_missing_address_is_named() {
        let nowhere = KafkaConnection { properties: BTreeMap::new(), ..connection(&[]) };
        let Err(PortError::Operator(text)) = nowhere.admin() else { panic!("accepted") };
        assert!(text.contains("bootstrap.servers"), "{text}");
    }
}
