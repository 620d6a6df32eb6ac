use lapwing_produce::{ProduceError, Telemetry, TelemetryOptions, Volume};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, MINUTE, SECOND};
use serde_json::{Map, Value};

/// Hosts of the scenario, which are the keys of the records.
pub(crate) const HOSTS: usize = 200;
/// 2026-01-01T00:00:00Z: events of the past are never refused, whatever the clock says.
const START: EventTime = EventTime(1_767_225_600 * SECOND);
/// The fields of an event that the pipeline reads. The others would only make millions of events large.
const FIELDS: [&str; 12] = [
    "utc",
    "uuid",
    "host_id",
    "protocol_type",
    "src_bytes",
    "dst_bytes",
    "num_failed_logins",
    "count",
    "serror_rate",
    "rerror_rate",
    "diff_srv_rate",
    "label",
];

/// One event, ready to be appended.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Its identity: the uuid as a number.
    pub(crate) id: u128,
    /// Record key: the host.
    pub(crate) key: Option<Vec<u8>>,
    /// Record value: a JSON object.
    pub(crate) value: Vec<u8>,
}

/// A day of so many events; the same seed and number give the same ones.
pub(crate) fn scenario(seed: u64, total: u64) -> Result<impl Iterator<Item = Event> + Send, ProduceError> {
    let mut options = TelemetryOptions {
        seed,
        hosts: HOSTS,
        start: START,
        span_micros: DAY,
        volume: Volume::Total(total),
        quiet_micros: 10 * MINUTE,
        ..TelemetryOptions::default()
    };
    options.anomalies.share = 0.02;
    Ok(Telemetry::new(options)?.map(|event| slim(event.key, &event.value)))
}

fn slim(key: Option<Vec<u8>>, value: &[u8]) -> Event {
    let mut object: Map<String, Value> = serde_json::from_slice(value).expect("the scenario writes JSON objects");
    object.retain(|name, _| FIELDS.contains(&name.as_str()));
    let id = object.get("uuid").and_then(Value::as_str).and_then(|text| number(text.as_bytes()));
    let value = serde_json::to_vec(&object).expect("what was read as JSON is written as JSON");
    Event { id: id.expect("every event of the scenario has a uuid"), key, value }
}

/// The identity of an event in a record: the first field called `uuid`, as the number it stands for.
pub(crate) fn id_of(value: &[u8]) -> Option<u128> {
    const NAME: &[u8] = b"\"uuid\":\"";
    let at = value.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let length = value[at..].iter().position(|byte| *byte == b'"')?;
    number(&value[at..at + length])
}

/// The number that 32 hexadecimal digits stand for; hyphens between them do not count.
pub(crate) fn number(text: &[u8]) -> Option<u128> {
    let mut digits = 0;
    let mut number = 0_u128;
    for byte in text.iter().filter(|byte| **byte != b'-') {
        number = (number << 4) | u128::from(char::from(*byte).to_digit(16)?);
        digits += 1;
    }
    (digits == 32).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_slim_events_and_each_has_its_identity() {
        let values = |seed| scenario(seed, 300).unwrap().map(|event| event.value).collect::<Vec<_>>();
        assert_eq!(values(7), values(7));
        assert_ne!(values(7), values(8));
        let events = scenario(7, 300).unwrap().collect::<Vec<_>>();
        assert_eq!(events.len(), 300);
        for event in &events {
            assert_eq!(id_of(&event.value), Some(event.id));
            assert!(event.value.len() < 450, "{} bytes", event.value.len());
        }
    }

    #[test]
    fn an_identity_is_32_hexadecimal_digits_with_or_without_hyphens() {
        assert_eq!(number(b"00000000-0000-0000-0000-0000000000ff"), Some(255));
        assert_eq!(number(b"000000000000000000000000000000ff"), Some(255));
        assert_eq!(number(b"ff"), None);
        assert_eq!(number(b"0000000000000000000000000000000g"), None);
        assert_eq!(id_of(b"{\"uuid\":null}"), None);
    }
}
