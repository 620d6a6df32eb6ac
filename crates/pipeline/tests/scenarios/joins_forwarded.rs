use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::forward::Forwarder;
use lapwing_pipeline::join::STREAM_HEADER;
use lapwing_pipeline::status::Status;
use lapwing_vocabulary::position::lane;
use lapwing_vocabulary::{Header, OutputRecord, Partition};

use crate::fake::{Calls, Cut, Death, FakeTransport, Log, Script};
use crate::outputs::header;
use crate::setup::{DETECT, HEAD, plan};
use crate::stream::{NOW, ordinary};

/// A stream by the entity, and a table by another column.
const JOINS: &str = r#"
[join.logins]
topic = "logins"
key = "host"
time = "at"
within = "40s"
schema = { host = "text", at = "time" }
[join.services]
topic = "services"
key = "name"
table = true
on = "service"
schema = { name = "text", owner = "text" }
"#;

/// Three lanes of events, two of logins that say they are events, one of services.
fn source() -> BTreeMap<Partition, Vec<Vec<u8>>> {
    let mut lanes: BTreeMap<Partition, Vec<Vec<u8>>> = BTreeMap::new();
    let mut push = |topic, partition, value| lanes.entry(lane(topic, partition).unwrap()).or_default().push(value);
    let mut events = ordinary(120, 5);
    // In every lane one after the other, so that their merged order is exact.
    events.sort_by_key(|event| event.at);
    for (number, event) in events.iter().enumerate() {
        push(0, number as Partition % 3, event.json());
        let at = lapwing_vocabulary::EventTime(event.at).to_rfc3339();
        push(1, number as Partition % 2, format!(r#"{{"host":"{}","at":"{at}"}}"#, event.host).into_bytes());
    }
    push(1, 0, b"no login".to_vec());
    push(2, 0, br#"{"name":"http","owner":"web"}"#.to_vec());
    push(2, 0, Vec::new());
    lanes
}

/// A producer that gives its records headers of ours fools nobody.
fn dress(value: &[u8]) -> (Option<Vec<u8>>, Vec<Header>) {
    let header = Header { name: STREAM_HEADER.to_owned(), value: b"services".to_vec() };
    (value.is_empty().then(|| b"http".to_vec()), vec![header])
}

fn forward(log: &Arc<Log>, script: Script) -> bool {
    let plan = plan(&format!("{HEAD}{JOINS}{DETECT}"), &[]);
    let clock = Arc::new(HandClock::at(NOW));
    let transport = FakeTransport::new(log, &clock, script, &Arc::new(std::sync::Mutex::new(Calls::default())));
    let forwarder = Forwarder::new(transport, &plan, ("again", 4), Arc::<Status>::default(), clock).unwrap();
    forwarder.run(&AtomicBool::new(false)).is_ok()
}

fn forwarded(cut: Cut) -> Vec<OutputRecord> {
    let log = Log::dressed(source(), dress);
    assert!(forward(&log, Script::calm(log.partitions(), cut)));
    log.outputs()
}

fn stream(record: &OutputRecord) -> Option<String> {
    let streams = record.headers.iter().filter(|header| header.name == STREAM_HEADER).count();
    assert!(streams <= 1, "one stream, and it is ours that says which");
    header(record, STREAM_HEADER)
}

#[test]
fn records_name_their_stream_and_lie_with_their_entity_or_everywhere() {
    let outputs = forwarded(Cut::Even(20));
    let of = |name: Option<&str>| outputs.iter().filter(|record| stream(record).as_deref() == name).collect::<Vec<_>>();
    assert_eq!((of(None).len(), of(Some("logins")).len(), of(Some("services")).len()), (120, 121, 8));
    for record in of(None).into_iter().chain(of(Some("logins"))) {
        let host = serde_json::from_slice::<serde_json::Value>(&record.value).ok();
        let host = host.and_then(|value| value["host"].as_str().map(str::to_owned));
        assert_eq!((record.key.clone(), record.partition), (host.map(String::into_bytes), None));
    }
    let services = of(Some("services"));
    let places: Vec<_> = services.iter().map(|record| (record.partition.unwrap(), record.value.is_empty())).collect();
    let [rows, deletions] = [false, true].map(|deletes| places.iter().filter(move |(_, empty)| *empty == deletes));
    assert_eq!(rows.map(|(partition, _)| *partition).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(deletions.map(|(partition, _)| *partition).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(services.iter().all(|record| record.key.as_deref() == Some(b"http")));
    let places: Vec<String> =
        of(Some("logins")).iter().map(|record| header(record, "lapwing.source").unwrap()).collect();
    assert!(places.iter().any(|place| place.contains("[1]@")) && !places.iter().any(|place| place.contains("[10")));
}

#[test]
fn a_login_comes_before_the_event_of_the_same_moment() {
    // A lane at a time, as a backlog comes.
    let outputs = forwarded(Cut::Even(1_000));
    let mut logins: BTreeMap<String, usize> = BTreeMap::new();
    let mut events: BTreeMap<String, usize> = BTreeMap::new();
    for (at, record) in outputs.iter().enumerate() {
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(&record.value) else { continue };
        let Some(moment) = value["at"].as_str() else { continue };
        let first = if stream(record).is_some() { &mut logins } else { &mut events };
        first.entry(format!("{moment} {}", value["host"])).or_insert(at);
    }
    assert!(events.len() > 50 && events.iter().all(|(moment, at)| logins[moment] < *at));
}

#[test]
fn dead_at_any_call_and_started_again_nothing_is_lost_or_doubled() {
    let places = |outputs: &[OutputRecord]| {
        let place = |record: &OutputRecord| (stream(record), header(record, "lapwing.source"), record.partition);
        let mut places: Vec<_> = outputs.iter().map(place).collect();
        places.sort();
        places
    };
    let expected = places(&forwarded(Cut::Even(10)));
    for call in 2..50 {
        let log = Log::dressed(source(), dress);
        let death = Some(if call % 2 == 0 { Death::Before(call) } else { Death::After(call) });
        forward(&log, Script { death, ..Script::calm(log.partitions(), Cut::Even(10)) });
        assert!(forward(&log, Script::calm(log.partitions(), Cut::Even(10))));
        assert_eq!(places(&log.outputs()), expected, "call {call}");
    }
}
