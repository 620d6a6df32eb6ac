use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lapwing_connect::embedded::{EmbeddedLog, LogOptions};
use lapwing_vocabulary::port::Topics;
use serde_json::Value;

use super::World;
use super::pipeline::Shape;

/// What a run left behind.
pub(crate) struct Outputs {
    /// Values of enriched events.
    pub(crate) enriched: Vec<Vec<u8>>,
    /// Values of alerts, sorted by their bytes, so that the order of partitions plays no part.
    pub(crate) alerts: Vec<Vec<u8>>,
}

impl Outputs {
    /// Reads the output topics of a run.
    pub(crate) fn read(topics: &mut dyn Topics, shape: &Shape) -> Self {
        let mut alerts = topic_values(topics, &shape.alerts());
        alerts.sort();
        Self { enriched: topic_values(topics, &shape.enriched()), alerts }
    }

    /// Checks that each event was enriched once and no alert is there twice.
    pub(crate) fn assert_exactly_once(&self, uuids: &[String]) {
        assert_each_once(uuids, &field_values(&self.enriched, "uuid"));
        let ids = field_values(&self.alerts, "id");
        let mut distinct = ids.clone();
        distinct.sort();
        distinct.dedup();
        assert_each_once(&distinct, &ids);
        assert!(!ids.is_empty(), "no alert was raised: there is nothing to compare");
    }
}

/// Topics of the embedded log; no process may be using it.
pub(crate) fn embedded(world: &World) -> Box<dyn Topics> {
    Box::new(EmbeddedLog::open(&world.path("log"), LogOptions::default()).unwrap().topics())
}

/// One field of every event of a source topic.
pub(crate) fn events_of(topics: &mut dyn Topics, topic: &str, name: &str) -> Vec<String> {
    field_values(&topic_values(topics, topic), name)
}

/// Every committed value of a topic, partition after partition; nothing if there is no such topic.
pub(crate) fn topic_values(topics: &mut dyn Topics, name: &str) -> Vec<Vec<u8>> {
    let Some(state) = topics.describe(name).unwrap() else { return Vec::new() };
    let mut values = Vec::new();
    for (partition, (first, _)) in state.partitions.iter().enumerate() {
        let mut next = *first;
        loop {
            let records = topics.read(name, partition as i32, next, 10_000).unwrap();
            let Some(last) = records.last_offset() else { break };
            values.extend((0..records.len()).map(|index| records.value(index).to_vec()));
            next = last + 1;
        }
    }
    values
}

/// A field of JSON objects, as text.
pub(crate) fn field_values<B: AsRef<[u8]>>(objects: &[B], name: &str) -> Vec<String> {
    objects.iter().map(|object| field(object.as_ref(), name)).collect()
}

/// A field of a JSON object, as text.
pub(crate) fn field(object: &[u8], name: &str) -> String {
    let value: Value = serde_json::from_slice(object).unwrap();
    match &value[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The JSON objects of a file of lines.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    lines_text(path).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines of a file; none if it is not there.
pub(crate) fn lines_text(path: &Path) -> Vec<String> {
    match fs::read_to_string(path) {
        Ok(text) => text.lines().map(str::to_owned).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// Checks that what was found is what was expected, each once.
pub(crate) fn assert_each_once(expected: &[String], found: &[String]) {
    let mut times: BTreeMap<&str, usize> = expected.iter().map(|id| (id.as_str(), 0)).collect();
    let mut strange = Vec::new();
    for id in found {
        match times.get_mut(id.as_str()) {
            Some(count) => *count += 1,
            None => strange.push(id),
        }
    }
    let with = |wrong: fn(usize) -> bool| times.iter().filter(|(_, n)| wrong(**n)).map(|(id, _)| *id).collect();
    let (lost, doubled): (Vec<&str>, Vec<&str>) = (with(|times| times == 0), with(|times| times > 1));
    assert!(
        lost.is_empty() && doubled.is_empty() && strange.is_empty(),
        "{} lost (first {:?}), {} there more than once (first {:?}), {} strange (first {:?})",
        lost.len(),
        lost.first(),
        doubled.len(),
        doubled.first(),
        strange.len(),
        strange.first()
    );
}
