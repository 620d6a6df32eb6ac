//! What lies in the source log, and what must become of each record. The fates come from how the records were made and
//! from a twin of the watermark of three lines; the pipeline is not asked.

use std::collections::HashSet;
use std::sync::Arc;

use lapwing_pipeline::join::STREAM_HEADER;
use lapwing_vocabulary::time::{HOUR, MINUTE, SECOND};
use lapwing_vocabulary::{EventTime, Header, Offset, Records};

use crate::chance::{Chance, Stream};

/// Event time of the first event: 2026-01-01T00:00:00Z.
pub const START: i64 = 1_767_225_600_000_000;
/// When the records were appended: so late that none lies in the future by chance.
pub const NOW: i64 = START + 24 * HOUR;
/// As `watermark` of the pipelines says.
const LATENESS_MICROS: i64 = 30 * SECOND;
/// How often a record of a joined topic follows. Units: in a thousand.
const JOINED_RATE: u64 = 400;
/// Name of the source topic.
pub const TOPIC: &str = "events";

/// What must become of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is put out enriched, with an alert or without.
    Enriched,
    /// It is put out as a dead letter.
    Dead,
    /// It is put out as late.
    Late,
    /// The query leaves it out.
    Filtered,
    /// It is left out because its id was seen before.
    Repeat,
    /// It is remembered for the events that it is joined to.
    Joined,
}

/// One record of the source.
#[derive(Clone, Debug)]
pub struct SourceRecord {
    /// Its place.
    pub offset: Offset,
    /// Its bytes.
    pub value: Arc<[u8]>,
    /// Its key, where that matters.
    pub key: Option<Arc<[u8]>>,
    /// The join it belongs to, if it is no event.
    pub stream: Option<&'static str>,
    /// What must become of it.
    pub fate: Fate,
}

impl SourceRecord {
    /// Appends it to a batch, as the forwarder has written it.
    pub fn push(&self, records: &mut Records) {
        let header = |name: &str| Header { name: STREAM_HEADER.to_owned(), value: name.as_bytes().to_vec() };
        let headers = self.stream.map(header).into_iter().collect();
        records.push(self.offset, NOW, self.key.as_deref(), &self.value, headers);
    }
}

/// The source log of a story: for each partition its records, in order.
#[derive(Clone, Debug)]
pub struct Source {
    /// At least one, none empty.
    pub partitions: Vec<Vec<SourceRecord>>,
}

impl Source {
    /// Draws the log of a story. With `noise_is_filtered` the query leaves events of one service out.
    pub fn new(seed: u64, noise_is_filtered: bool) -> Self {
        Self::draw(seed, noise_is_filtered, 0)
    }

    /// Draws the log of a story with records of joined topics among the events.
    pub fn joined(seed: u64) -> Self {
        Self::draw(seed, false, JOINED_RATE)
    }

    fn draw(seed: u64, noise_is_filtered: bool, joined: u64) -> Self {
        let mut chance = Chance::new(seed, Stream::Source);
        let count = chance.between(1, 3);
        let records = chance.between(100, 400) / count;
        let partitions = (0..count).map(|_| partition(records, noise_is_filtered, joined, &mut chance)).collect();
        Self { partitions }
    }
}

/// An event before it is written.
#[derive(Clone, Debug)]
struct Event {
    id: String,
    host: u64,
    at: i64,
    bytes: u64,
    errors: f64,
    service: &'static str,
}

impl Event {
    fn json(&self) -> String {
        let Self { id, host, at, bytes, errors, service } = self;
        let at = EventTime(*at).to_rfc3339();
        format!(
            r#"{{"id":"{id}","host":"h{host}","at":"{at}","bytes":{bytes},"errors":{errors},"service":"{service}"}}"#
        )
    }
}

fn ordinary(number: u64, chance: &mut Chance) -> Event {
    let host = chance.below(6);
    let level = 500 * (1 + host);
    Event {
        id: format!("e{number}"),
        host,
        at: START + HOUR + number as i64 * 700_000 - chance.below(20) as i64 * SECOND,
        bytes: level + chance.below(level),
        errors: chance.below(50) as f64 / 1000.0,
        service: ["dns", "http", "http", "ssh"][chance.below(4) as usize],
    }
}

/// Ordinary events as values, for models to be fitted to.
pub fn ordinary_values(count: u64, seed: u64) -> Vec<Vec<u8>> {
    let mut chance = Chance::new(seed, Stream::Fitting);
    (0..count).map(|number| ordinary(number, &mut chance).json().into_bytes()).collect()
}

/// What a value is, before lateness is judged.
enum Made {
    Sound(Event),
    Broken(String),
}

fn partition(records: u64, noise_is_filtered: bool, joined: u64, chance: &mut Chance) -> Vec<SourceRecord> {
    // Logs that lost their beginning to retention, or hold markers of transactions between their records.
    let mut offset = if chance.hits(200) { chance.between(1, 5000) as Offset } else { 0 };
    let gaps = if chance.hits(300) { chance.between(1, 300) } else { 0 };
    let strange = chance.between(0, 200);
    let mut newest: Option<i64> = None;
    let mut before: Option<Event> = None;
    let mut seen = HashSet::new();
    let mut made = Vec::with_capacity(records as usize);
    for number in 0..records {
        let (value, fate) = match make(number, strange, before.as_ref(), chance) {
            Made::Broken(value) => (value, Fate::Dead),
            Made::Sound(event) => {
                let fate = if noise_is_filtered && event.service == "noise" {
                    Fate::Filtered
                } else if !seen.insert(event.id.clone()) {
                    // A story is shorter than ids are remembered.
                    Fate::Repeat
                } else {
                    judge(event.at, &mut newest)
                };
                let value = event.json();
                before = Some(event);
                (value, fate)
            }
        };
        made.push(SourceRecord { offset, value: value.into_bytes().into(), key: None, stream: None, fate });
        offset += 1 + if chance.hits(gaps) { chance.between(1, 4) as Offset } else { 0 };
        while chance.hits(joined) {
            made.push(side(number, offset, chance));
            offset += 1;
        }
    }
    made
}

/// A record of a joined topic: a login near the time of the event before, or a new role of a host, or none any more.
fn side(number: u64, offset: Offset, chance: &mut Chance) -> SourceRecord {
    let Event { host, at, .. } = ordinary(number, chance);
    let (stream, value) = match chance.below(5) {
        0 => ("roles", format!(r#"{{"host":"h{host}","role":"{}"}}"#, ["web", "db", "mail"][chance.below(3) as usize])),
        1 => ("roles", String::new()),
        _ => ("logins", format!(r#"{{"host":"h{host}","at":"{}","n":{offset}}}"#, EventTime(at).to_rfc3339())),
    };
    let key = Some(format!("h{host}").into_bytes().into());
    SourceRecord { offset, value: value.into_bytes().into(), key, stream: Some(stream), fate: Fate::Joined }
}

/// The watermark's twin.
fn judge(at: i64, newest: &mut Option<i64>) -> Fate {
    let fate = if newest.is_some_and(|newest| at < newest - LATENESS_MICROS) { Fate::Late } else { Fate::Enriched };
    *newest = Some(newest.map_or(at, |newest| newest.max(at)));
    fate
}

/// An ordinary event, or `strange` times in a thousand something else.
fn make(number: u64, strange: u64, before: Option<&Event>, chance: &mut Chance) -> Made {
    let event = ordinary(number, chance);
    if !chance.hits(strange) {
        return Made::Sound(event);
    }
    let sound = |event| Made::Sound(event);
    let replaced = |from: &str, to: &str| Made::Broken(event.json().replace(from, to));
    match chance.below(12) {
        0 => sound(Event { at: event.at - 10 * MINUTE, ..event }),
        1 => Made::Broken("{\"id\":\"cut off".to_owned()),
        2 => replaced("\"bytes\":", "\"bytes\":\"many\",\"was\":"),
        3 => Made::Broken(Event { at: NOW + 2 * HOUR, ..event }.json()),
        4 => replaced("\"host\":", "\"host\":null,\"was\":"),
        5 => replaced("\"at\":", "\"when\":"),
        6 => replaced("\"id\":\"", &format!("\"id\":\"{}", "x".repeat(600))),
        7 => sound(Event { service: "noise", ..event }),
        // The producer has sent the record before once more.
        8 => sound(before.cloned().unwrap_or(event)),
        9 => sound(Event { errors: 0.9, ..event }),
        _ => sound(Event { bytes: event.bytes * 500, errors: 0.9, ..event }),
    }
}
