use std::collections::BTreeMap;

use lapwing_pipeline::render::SOURCE_HEADER;
use lapwing_vocabulary::dead_letter::HEADER_PARTITION;
use lapwing_vocabulary::{Alert, Header, OutputRecord, Partition, Position};
use serde_json::Value;

/// A record without the moment at which it was written, which is the only part that may differ between runs.
pub(crate) type Timeless = (Option<Vec<u8>>, Vec<u8>, Vec<Header>);

/// Outputs by topic and by the partition of the source they came from, each in the order of writing. Between
/// partitions there is no order to compare.
pub(crate) fn by_origin(outputs: &[OutputRecord]) -> BTreeMap<(String, Partition), Vec<Timeless>> {
    let mut sorted: BTreeMap<_, Vec<Timeless>> = BTreeMap::new();
    // Markers are about workers, whose moments differ from run to run.
    for record in outputs.iter().filter(|record| !record.topic.ends_with(".markers")) {
        let origin = (record.topic.to_string(), source_partition(record));
        sorted.entry(origin).or_default().push((record.key.clone(), record.value.clone(), record.headers.clone()));
    }
    sorted
}

/// Fails at the first difference, naming topic, partition and place instead of printing thousands of records.
pub(crate) fn assert_same_outputs(found: &[OutputRecord], expected: &[OutputRecord], story: &str) {
    let (found, expected) = (by_origin(found), by_origin(expected));
    let counts = |sorted: &BTreeMap<(String, Partition), Vec<Timeless>>| {
        sorted.iter().map(|(origin, records)| (origin.clone(), records.len())).collect::<Vec<_>>()
    };
    for (origin, records) in &expected {
        let others = found.get(origin).map_or(&[][..], Vec::as_slice);
        if let Some(at) = records.iter().zip(others).position(|(one, other)| one != other) {
            let show = |(_, value, headers): &Timeless| format!("{} {}", String::from_utf8_lossy(value), told(headers));
            panic!(
                "{story}: {origin:?} record {at}\n found    {}\n expected {}",
                show(&others[at]),
                show(&records[at])
            );
        }
    }
    assert_eq!(counts(&found), counts(&expected), "{story}");
}

fn told(headers: &[Header]) -> String {
    let told = headers.iter().map(|header| format!("{}={}", header.name, String::from_utf8_lossy(&header.value)));
    told.collect::<Vec<_>>().join(" ")
}

fn source_partition(record: &OutputRecord) -> Partition {
    if let Some(partition) = header(record, HEADER_PARTITION) {
        return partition.parse().expect("a partition is a number");
    }
    match source_of(record) {
        Some((partition, _)) => partition,
        None => alert_of(record).positions[0].partition,
    }
}

/// Partition and offset that a record's source header names.
pub(crate) fn source_of(record: &OutputRecord) -> Option<(Partition, i64)> {
    let place = header(record, SOURCE_HEADER)?;
    let (_, place) = place.rsplit_once('[')?;
    let (partition, offset) = place.split_once("]@")?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

/// Value of the header of that name.
pub(crate) fn header(record: &OutputRecord, name: &str) -> Option<String> {
    let found = record.headers.iter().find(|header| header.name == name)?;
    Some(String::from_utf8(found.value.clone()).expect("our headers are text"))
}

/// Outputs of one topic.
pub(crate) fn of_topic<'a>(outputs: &'a [OutputRecord], topic: &str) -> Vec<&'a OutputRecord> {
    outputs.iter().filter(|record| &*record.topic == topic).collect()
}

pub(crate) fn alert_of(record: &OutputRecord) -> Alert {
    serde_json::from_slice(&record.value).expect("an alert record is an alert")
}

pub(crate) fn alerts(outputs: &[OutputRecord]) -> Vec<Alert> {
    of_topic(outputs, "small.alerts").into_iter().map(alert_of).collect()
}

pub(crate) fn json(record: &OutputRecord) -> Value {
    serde_json::from_slice(&record.value).expect("enriched output is JSON")
}

pub(crate) fn text(record: &OutputRecord) -> &str {
    std::str::from_utf8(&record.value).expect("enriched output is text")
}

pub(crate) fn position(offset: i64) -> Position {
    Position { topic: "events".into(), partition: 0, offset }
}
