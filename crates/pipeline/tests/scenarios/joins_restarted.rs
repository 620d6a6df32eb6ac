use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use lapwing_pipeline::join::STREAM_HEADER;
use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::score::Model;
use lapwing_vocabulary::{Header, Partition};

use crate::fake::{Cut, Death, Fleet, Happening, Log, Script};
use crate::outputs::assert_same_outputs;
use crate::setup::{DETECT, fitted, plan, worker_head};
use crate::stream::ordinary;

/// Both kinds of join, and events that wait for one of them.
const JOINS: &str = r#"
[join.logins]
topic = "logins"
key = "host"
time = "at"
within = "40s"
match = "all"
schema = { host = "text", at = "time", login = "int" }
[join.roles]
topic = "roles"
key = "host"
table = true
schema = { host = "text", role = "text" }
"#;

fn pipeline() -> (Arc<Plan>, Arc<Model>) {
    static MADE: OnceLock<(Arc<Plan>, Arc<Model>)> = OnceLock::new();
    let make = || {
        let plan = plan(&format!("{}{JOINS}{DETECT}", worker_head()), &[]);
        let model = fitted(&plan, &[], 1);
        (plan, model)
    };
    MADE.get_or_init(make).clone()
}

/// Events with what is joined to them in between: a login after every third, a role after every tenth, deleted in turn.
fn source() -> BTreeMap<Partition, Vec<Vec<u8>>> {
    let values = |seed| {
        let mut values = Vec::new();
        for (number, event) in ordinary(150, seed).iter().enumerate() {
            let (host, at) = (&event.host, lapwing_vocabulary::EventTime(event.at + 5_000_000).to_rfc3339());
            values.push(event.json());
            if number % 3 == 0 {
                values.push(format!(r#"{{"host":"{host}","at":"{at}","login":{number}}}"#).into_bytes());
            }
            if number % 10 == 0 {
                values.push(format!(r#"{{"host":"{host}","role":"r{number}"}}"#).into_bytes());
            }
        }
        values
    };
    BTreeMap::from([(0, values(1)), (1, values(2))])
}

/// Names the stream of a record, as the forwarder does.
fn dress(value: &[u8]) -> (Option<Vec<u8>>, Vec<Header>) {
    let text = String::from_utf8_lossy(value);
    let streams = [("\"login\"", "logins"), ("\"role\"", "roles")];
    let stream = streams.iter().find(|(field, _)| text.contains(field));
    let header = |(_, name): &(&str, &str)| Header { name: STREAM_HEADER.to_owned(), value: name.as_bytes().to_vec() };
    (None, stream.map(header).into_iter().collect())
}

fn fleet() -> Fleet {
    let (plan, model) = pipeline();
    let mut fleet = Fleet::new(&plan, &model, &[]);
    fleet.log = Log::dressed(source(), dress);
    fleet
}

#[test]
fn dead_at_any_call_and_started_again_the_same_comes_out() {
    let undisturbed = fleet();
    undisturbed.finish(vec![0, 1], Cut::Seeded(1));
    let expected = undisturbed.log.outputs();
    let text = |record: &lapwing_vocabulary::OutputRecord| String::from_utf8_lossy(&record.value).into_owned();
    let joined =
        expected.iter().map(text).filter(|text| text.contains("\"logins_login\":1") && text.contains("_role\":\"r"));
    assert!(joined.count() > 20, "the story tells something");
    let calls = undisturbed.calls.lock().unwrap().clone();
    for call in 1..=calls.all {
        for death in [Death::Before(call), Death::After(call)] {
            let fleet = fleet();
            let script = Script { death: Some(death), ..Script::calm(vec![0, 1], Cut::Seeded(1)) };
            if fleet.run_to_death(script) {
                // Another cut: what comes out must not depend on it.
                fleet.finish(vec![0, 1], Cut::Seeded(call as u64));
            }
            assert_same_outputs(&fleet.log.outputs(), &expected, &format!("{death:?}"));
        }
    }
}

#[test]
fn partitions_that_move_take_what_waits_along() {
    let undisturbed = fleet();
    undisturbed.finish(vec![0, 1], Cut::Even(20));
    for poll in [3, 6, 9, 12] {
        let fleet = fleet();
        let happenings = BTreeMap::from([(poll, Happening::Revoke(vec![1]))]);
        fleet.run_to_death(Script { happenings, ..Script::calm(vec![0, 1], Cut::Even(20)) });
        fleet.finish(vec![1], Cut::Even(7));
        assert_same_outputs(&fleet.log.outputs(), &undisturbed.log.outputs(), &format!("poll {poll}"));
    }
}

#[test]
fn in_an_idle_partition_the_wall_clock_lets_the_events_go_that_wait() {
    let calm = fleet();
    calm.finish(vec![0, 1], Cut::Even(1_000));
    let enriched = |fleet: &Fleet| fleet.log.outputs().iter().filter(|out| out.topic.ends_with("enriched")).count();
    let idle = fleet();
    // A poll moves the clock by 10 ms; the source is idle after 30 s.
    let script = Script { idle_polls: 20_000, ..Script::calm(vec![0, 1], Cut::Even(1_000)) };
    assert!(!idle.run_to_death(script));
    assert!(enriched(&idle) > enriched(&calm), "{} and {}", enriched(&idle), enriched(&calm));
    let counts = idle.status.joins()["roles"];
    assert_eq!(counts.matched + counts.unmatched, 300, "every event has gone on");
    assert!(idle.log.outputs().iter().any(|record| record.topic.ends_with(".markers")));
}
