use std::sync::Arc;

use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::score::Model;
use lapwing_pipeline::status::get;
use lapwing_vocabulary::time::{MINUTE, SECOND};
use lapwing_vocabulary::{AlertStatus, EventTime};
use serde_json::Value;

use crate::outputs::{alerts, json, of_topic};
use crate::setup::{HEAD, by_hand, fitted, plan};
use crate::stream::{Chance, Event, START, ordinary};

/// Minutes of a host, amended for two minutes more.
pub(crate) const MINUTES: &str = r#"
[window]
kind = "tumbling"
size = "1m"
allowed_lateness = "2m"
[window.columns]
total = { sum = "bytes" }
largest = { max = "bytes" }
[features]
total_vs_usual = { zscore = "total", baseline = "1h" }
[detect.spike]
method = "robust_zscore"
inputs = ["total", "total_vs_usual"]
[decide]
alert_rate = 0.02
[outputs]
features = true
"#;

fn event(number: i64, at: i64, bytes: i64) -> Vec<u8> {
    Event { id: format!("e{number}"), host: "a".into(), at, bytes, errors: 0.0, service: "dns" }.json()
}

fn minutes() -> Arc<Plan> {
    plan(&format!("{HEAD}{MINUTES}"), &[])
}

fn rows(hand: &lapwing_pipeline::by_hand::ByHand) -> Vec<Value> {
    of_topic(&hand.outputs, "small.enriched").into_iter().map(json).collect()
}

#[test]
fn a_window_becomes_one_row_when_the_watermark_reaches_its_end() {
    let mut hand = by_hand(&minutes(), &[], None);
    hand.feed(&[event(1, START, 10), event(2, START + 59 * SECOND, 30), event(3, START + 89 * SECOND, 5)]).unwrap();
    assert!(rows(&hand).is_empty(), "the watermark is 30 s behind the newest event");
    hand.feed(&[event(4, START + 90 * SECOND, 5)]).unwrap();
    let rows = rows(&hand);
    assert_eq!(rows.len(), 1);
    let expected = [
        ("host", Value::from("a")),
        ("window_start", "2026-01-01T00:00:00.000000Z".into()),
        ("window_end", "2026-01-01T00:01:00.000000Z".into()),
        ("window_events", 2.into()),
        ("window_seconds", 60.0.into()),
        ("total", 40.0.into()),
        ("largest", 30.0.into()),
        ("window_revision", 0.into()),
        ("window_cause", "final".into()),
    ];
    for (name, value) in expected {
        assert_eq!(rows[0][name], value, "{name} of {}", rows[0]);
    }
}

#[test]
fn a_late_event_amends_its_window_and_one_that_is_too_late_goes_to_late() {
    let mut hand = by_hand(&minutes(), &[], None);
    hand.feed(&[event(1, START, 10), event(2, START + 2 * MINUTE, 1), event(3, START + 30 * SECOND, 90)]).unwrap();
    let rows = rows(&hand);
    assert_eq!((rows[0]["total"].as_f64(), rows[0]["window_cause"].as_str()), (Some(10.0), Some("final")));
    assert_eq!((rows[1]["total"].as_f64(), rows[1]["window_cause"].as_str()), (Some(100.0), Some("amended")));
    assert_eq!(rows[1]["window_revision"], 1);
    hand.feed(&[event(4, START + 10 * MINUTE, 1), event(5, START + 30 * SECOND, 90)]).unwrap();
    assert_eq!(of_topic(&hand.outputs, "small.late").len(), 1);
    assert_eq!((get(&hand.status.late), get(&hand.status.processed)), (1, 4));
}

#[test]
fn a_tick_closes_windows_and_leaves_a_marker() {
    let mut hand = by_hand(&minutes(), &[], None);
    hand.feed(&[event(1, START, 10)]).unwrap();
    let due = hand.task().due().expect("a window is open");
    assert_eq!(due, EventTime(START + MINUTE + 30 * SECOND));
    hand.tick(due).unwrap();
    assert_eq!(rows(&hand).len(), 1);
    let markers = of_topic(&hand.outputs, "small.markers");
    assert_eq!(markers.len(), 1);
    assert_eq!(json(markers[0])["offset"], 1, "it stands before the record that comes next");
    assert_eq!(markers[0].partition, Some(0));
}

#[test]
fn at_the_end_of_files_windows_close_without_a_marker() {
    let files = "[connect.files]\ninputs = [\"in.jsonl\"]\noutputs = \"out\"\n";
    let plan = plan(&format!("{HEAD}{MINUTES}{files}"), &[]);
    let mut hand = by_hand(&plan, &[], None);
    hand.feed(&[event(1, START, 10), event(2, START + 3 * MINUTE, 10)]).unwrap();
    while let Some(due) = hand.task().due() {
        hand.tick(due).unwrap();
        assert_ne!(hand.task().due(), Some(due), "what was due is done");
    }
    assert_eq!(rows(&hand).len(), 2);
    assert!(of_topic(&hand.outputs, "small.markers").is_empty());
}

/// A model of minutes in which a few thousand bytes are usual.
fn model(plan: &Arc<Plan>) -> Arc<Model> {
    fitted(plan, &[], 1)
}

fn huge(number: i64, at: i64) -> Vec<u8> {
    event(number, at, 1 << 40)
}

#[test]
fn an_alert_of_a_window_says_which_and_is_withdrawn_when_it_no_longer_holds() {
    let plan = minutes();
    let mut hand = by_hand(&plan, &[], Some(model(&plan)));
    hand.feed(&[huge(1, START), event(2, START + 2 * MINUTE, 3_000)]).unwrap();
    let raised = alerts(&hand.outputs);
    assert_eq!(raised.len(), 1, "{raised:?}");
    let window = raised[0].window.as_ref().expect("the alert is about a window");
    assert_eq!((window.start.as_str(), window.events, window.revision), ("2026-01-01T00:00:00.000000Z", 1, 0));
    assert_eq!((raised[0].status, raised[0].positions.len()), (AlertStatus::Open, 1));
    // A correction of as much, late.
    hand.feed(&[event(3, START + SECOND, 3_000 - (1 << 40))]).unwrap();
    let told = alerts(&hand.outputs);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((told[1].status, &told[1].id), (AlertStatus::Withdrawn, &raised[0].id));
    assert_eq!(told[1].window.as_ref().map(|window| window.revision), Some(1));
}

#[test]
fn an_amended_alert_keeps_its_id() {
    let plan = minutes();
    let mut hand = by_hand(&plan, &[], Some(model(&plan)));
    hand.feed(&[huge(1, START), event(2, START + 2 * MINUTE, 3_000), huge(3, START + SECOND)]).unwrap();
    let told = alerts(&hand.outputs);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].id, told[1].id);
    assert!(told.iter().all(|alert| alert.status == AlertStatus::Open));
}

/// The last row of each window.
fn last_rows(values: &[Vec<u8>], sizes: &mut dyn FnMut() -> usize) -> Vec<(String, String, String)> {
    let plan = minutes();
    let mut hand = by_hand(&plan, &[], Some(model(&plan)));
    let mut rest = values;
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(sizes().min(rest.len()));
        hand.feed(batch).unwrap();
        rest = later;
    }
    while let Some(due) = hand.task().due() {
        hand.tick(due).unwrap();
    }
    let mut last = std::collections::BTreeMap::new();
    for row in rows(&hand) {
        let name = (row["host"].as_str().unwrap().to_owned(), row["window_start"].as_str().unwrap().to_owned());
        last.insert(name, format!("{} {} {}", row["window_events"], row["total"], row["largest"]));
    }
    last.into_iter().map(|((host, start), row)| (host, start, row)).collect()
}

#[test]
fn shuffled_within_the_lateness_allowed_the_last_row_of_every_window_is_the_same() {
    let events = ordinary(800, 3);
    let mut in_order = events.clone();
    in_order.sort_by_key(|event| event.at);
    let values = |events: &[Event]| events.iter().map(Event::json).collect::<Vec<_>>();
    let expected = last_rows(&values(&in_order), &mut || 800);
    assert!(expected.len() > 40);
    for seed in 0..4 {
        let mut chance = Chance::new(seed);
        let mut shuffled = in_order.clone();
        // Out of order by at most the watermark and the lateness allowed together.
        shuffled.sort_by_cached_key(|event| event.at + chance.below(140) as i64 * SECOND);
        assert_eq!(last_rows(&values(&shuffled), &mut || 1 + chance.below(60) as usize), expected, "seed {seed}");
    }
}

#[test]
fn batches_of_any_size_give_the_same_windows() {
    let values: Vec<Vec<u8>> = ordinary(800, 4).iter().map(Event::json).collect();
    let run = |size: usize| {
        let plan = minutes();
        let mut hand = by_hand(&plan, &[], Some(model(&plan)));
        values.chunks(size).for_each(|batch| {
            hand.feed(batch).unwrap();
        });
        // Between topics there is no order.
        let mut outputs: Vec<_> =
            hand.outputs.into_iter().map(|record| (record.topic, record.key, record.value)).collect();
        outputs.sort_by(|a, b| a.0.cmp(&b.0));
        outputs
    };
    let whole = run(800);
    assert!(whole.len() > 20);
    assert!(run(1) == whole && run(37) == whole);
}
