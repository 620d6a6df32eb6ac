use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::forward::Forwarder;
use lapwing_pipeline::status::{Status, get};
use lapwing_vocabulary::OutputRecord;

use crate::fake::{Calls, Cut, Death, FakeTransport, Happening, Log, Script};
use crate::outputs::header;
use crate::setup::{DETECT, HEAD, plan};
use crate::stream::{NOW, ordinary};

/// Ordinary events, shared out among three partitions without regard to their hosts.
fn source() -> Vec<Vec<Vec<u8>>> {
    let mut partitions = vec![Vec::new(); 3];
    for (number, event) in ordinary(300, 5).iter().enumerate() {
        partitions[number % 3].push(event.json());
    }
    partitions[1].insert(10, b"{\"no\":\"event\"}".to_vec());
    partitions
}

/// Runs a forwarder over the log; answers whether it came to the end.
fn forward(log: &Arc<Log>, script: Script, status: &Arc<Status>) -> bool {
    let plan = plan(&format!("{HEAD}{DETECT}"), &[]);
    let clock = Arc::new(HandClock::at(NOW));
    let transport = FakeTransport::new(log, &clock, script, &Arc::new(std::sync::Mutex::new(Calls::default())));
    let forwarder = Forwarder::new(transport, &plan, ("again", 3), status.clone(), clock).unwrap();
    forwarder.run(&AtomicBool::new(false)).is_ok()
}

fn sources(outputs: &[OutputRecord]) -> Vec<String> {
    outputs.iter().map(|record| header(record, "lapwing.source").expect("it says where it was")).collect()
}

#[test]
fn every_record_is_forwarded_once_keyed_by_its_entity_and_as_it_was() {
    let (log, status) = (Log::new(source()), Arc::new(Status::default()));
    assert!(forward(&log, Script::calm(log.partitions(), Cut::Even(20)), &status));
    let outputs = log.outputs();
    assert_eq!((outputs.len(), get(&status.repartitioned)), (301, 301));
    let mut places = sources(&outputs);
    places.sort();
    places.dedup();
    assert_eq!(places.len(), 301);
    for record in &outputs {
        match serde_json::from_slice::<serde_json::Value>(&record.value).unwrap()["host"].as_str() {
            Some(host) => assert_eq!(record.key.as_deref(), Some(host.as_bytes())),
            None => assert_eq!(record.key, None, "what does not decode goes on without a key"),
        }
        assert_eq!(record.timestamp, NOW);
    }
}

#[test]
fn a_backlog_is_merged_by_event_time() {
    let (log, status) = (Log::new(source()), Arc::new(Status::default()));
    // A partition at a time, as a backlog comes.
    assert!(forward(&log, Script::calm(log.partitions(), Cut::Even(1_000)), &status));
    let at = |record: &OutputRecord| {
        let event = serde_json::from_slice::<serde_json::Value>(&record.value).unwrap();
        event["at"].as_str().and_then(lapwing_vocabulary::EventTime::parse)
    };
    let times: Vec<i64> = log.outputs().iter().filter_map(at).map(|time| time.0).collect();
    let (mut newest, mut disorder) = (i64::MIN, 0);
    for time in times {
        newest = newest.max(time);
        disorder = disorder.max(newest - time);
    }
    // The events themselves are up to 20 s out of order.
    assert!(disorder < 60_000_000, "{disorder} µs");
}

#[test]
fn deaths_and_lost_partitions_lose_and_double_nothing() {
    let mut expected = BTreeMap::new();
    {
        let log = Log::new(source());
        assert!(forward(&log, Script::calm(log.partitions(), Cut::Even(10)), &Arc::default()));
        for place in sources(&log.outputs()) {
            expected.insert(place, 1);
        }
    }
    for call in 2..40 {
        let log = Log::new(source());
        let happenings = BTreeMap::from([(3, Happening::Lose(vec![1]))]);
        let death = Some(if call % 2 == 0 { Death::Before(call) } else { Death::After(call) });
        let script = Script { death, happenings, ..Script::calm(log.partitions(), Cut::Even(10)) };
        forward(&log, script, &Arc::default());
        assert!(forward(&log, Script::calm(log.partitions(), Cut::Even(10)), &Arc::default()));
        let mut found = BTreeMap::new();
        sources(&log.outputs()).into_iter().for_each(|place| *found.entry(place).or_insert(0) += 1);
        assert_eq!(found, expected, "call {call}");
    }
}
