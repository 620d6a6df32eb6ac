//! Memory that was poisoned is rebuilt as if the interval had never been.

use std::sync::Arc;

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::status::{Status, get};
use lapwing_pipeline::task::Task;
use lapwing_vocabulary::time::SECOND;
use lapwing_vocabulary::{EventTime, Records};

use crate::outputs::{json, of_topic};
use crate::setup::{HEAD, plan, records_of};
use crate::stream::{Event, NOW, START};

const FEATURES: &str = "[features]\nusual = { zscore = \"bytes\", baseline = \"1h\" }\nevents_1h = { count = \"*\", over = \"1h\" }\n\
                        [outputs]\nfeatures = true\n";
/// Seconds of the interval.
const POISONED: std::ops::Range<i64> = 40..60;

fn without(entity: Option<&str>) -> Arc<Plan> {
    let time = |second: i64| EventTime(START + second * SECOND).to_rfc3339();
    let entity = entity.map_or_else(String::new, |entity| format!(", entity = \"{entity}\""));
    let interval = format!("{{ from = \"{}\", to = \"{}\"{entity} }}", time(POISONED.start), time(POISONED.end));
    plan(&format!("{HEAD}{FEATURES}[state]\nleave_out = [{interval}]\n"), &[])
}

fn event(host: &str, second: i64) -> Vec<u8> {
    let is_poison = host == "a" && POISONED.contains(&second);
    let bytes = if is_poison { 1_000_000 } else { 100 + second % 7 };
    let at = START + second * SECOND;
    Event { id: format!("{host}{second}"), host: host.into(), at, bytes, errors: 0.0, service: "dns" }.json()
}

/// A second of two hosts each.
fn history() -> Records {
    records_of(&(0..100).flat_map(|second| [event("a", second), event("b", second)]).collect::<Vec<_>>())
}

/// What the features of the next event of a host are.
fn next(task: &mut Task, host: &str) -> String {
    let records = records_of(&[event(host, 101)]);
    let product = task.process(&records, 0..1, &Status::default(), &HandClock::at(NOW)).unwrap();
    let row = json(of_topic(&product.outputs, "small.enriched")[0]);
    format!("{} {}", row["usual"], row["events_1h"])
}

#[test]
fn a_replay_that_leaves_the_interval_out_gives_the_memory_of_a_past_without_it() {
    let (plain, cut) = (plan(&format!("{HEAD}{FEATURES}"), &[]), without(Some("a")));
    let (mut poisoned, mut mended, mut clean) =
        (Task::new(&plain, 0, &[]).unwrap(), Task::new(&cut, 0, &[]).unwrap(), Task::new(&plain, 0, &[]).unwrap());
    let status = Status::default();
    poisoned.replay(&history(), 0..200, &status).unwrap();
    mended.replay(&history(), 0..200, &status).unwrap();
    assert_eq!((mended.take_left_out(), mended.take_left_out()), (20, 0), "twenty seconds of one host");
    let good = (0..100).flat_map(|second| [("a", second), ("b", second)]);
    let good = good.filter(|(host, second)| *host == "b" || !POISONED.contains(second));
    let good = records_of(&good.map(|(host, second)| event(host, second)).collect::<Vec<_>>());
    clean.replay(&good, 0..good.len(), &status).unwrap();
    let both = |task: &mut Task| ["a", "b"].map(|host| next(task, host));
    let (poisoned, mended, clean) = (both(&mut poisoned), both(&mut mended), both(&mut clean));
    assert_eq!(mended, clean);
    assert_ne!(poisoned[0], mended[0]);
}

#[test]
fn live_events_of_the_interval_are_counted_and_not_put_out() {
    for (entity, left_out) in [(Some("a"), 20), (Some("nobody"), 0), (None, 40)] {
        let (mut task, status) = (Task::new(&without(entity), 0, &[]).unwrap(), Status::default());
        let history = history();
        let product = task.process(&history, 0..history.len(), &status, &HandClock::at(NOW)).unwrap();
        assert_eq!(of_topic(&product.outputs, "small.enriched").len(), 200 - left_out, "{entity:?}");
        assert_eq!(get(&status.left_out), left_out as u64);
        assert_eq!(get(&status.processed), 200 - left_out as u64);
    }
}
