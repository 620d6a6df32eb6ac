use std::sync::Arc;

use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::score::Model;
use lapwing_vocabulary::time::{DAY, HOUR};
use lapwing_vocabulary::{Alert, EventTime, Severity};

use crate::outputs::{alert_of, of_topic, position};
use crate::setup::{DETECT, HEAD, by_hand, fitted, plan};
use crate::stream::{Event, NOW, ordinary};

const TYPES: &str = r#"
[decide.types.failing]
when = "errors > 5"
severity = "critical"
[decide.types.flaky]
when = "errors > 1"
severity = "info"
"#;

/// Places of the planted events in the stream.
const FAILING: usize = 300;
const FLAKY: usize = 320;
const HUGE: usize = 340;

fn planted() -> Vec<Event> {
    let mut events = ordinary(400, 9);
    events[FAILING].errors = 9.0;
    events[FLAKY].errors = 3.0;
    events[HUGE].bytes *= 1000;
    events
}

fn typed() -> (Arc<Plan>, Arc<Model>) {
    let plan = plan(&format!("{HEAD}{DETECT}{TYPES}"), &[]);
    let model = fitted(&plan, &[], 1);
    (plan, model)
}

fn run(plan: &Arc<Plan>, model: &Arc<Model>, now: i64) -> (Vec<Alert>, Vec<Vec<u8>>) {
    let mut hand = by_hand(plan, &[], Some(model.clone()));
    hand.clock.set(now);
    let alerts = hand.feed(&planted().iter().map(Event::json).collect::<Vec<_>>()).unwrap();
    let written = of_topic(&hand.outputs, "small.alerts").into_iter().map(|record| record.value.clone()).collect();
    (alerts, written)
}

fn at(alerts: &[Alert], offset: usize) -> &Alert {
    alerts.iter().find(|alert| alert.positions == [position(offset as i64)]).expect("the planted event raises an alert")
}

#[test]
fn the_first_declared_type_that_holds_names_the_alert_and_its_urgency() {
    let (plan, model) = typed();
    let (alerts, _) = run(&plan, &model, NOW);
    let named = |offset| (at(&alerts, offset).kind.as_str(), at(&alerts, offset).severity);
    assert_eq!(named(FAILING), ("failing", Severity::Critical));
    assert_eq!(named(FLAKY), ("flaky", Severity::Info));
    assert_eq!(named(HUGE).0, "anomaly");
    let huge = at(&alerts, HUGE);
    let expected = match (1.0 - huge.score) / (1.0 - huge.threshold) {
        ratio if ratio <= 0.01 => Severity::Critical,
        ratio if ratio <= 0.1 => Severity::Error,
        _ => Severity::Warning,
    };
    assert_eq!(huge.severity, expected);
}

#[test]
fn an_alert_says_what_was_found_where_and_by_whom() {
    let (plan, model) = typed();
    let (alerts, _) = run(&plan, &model, NOW);
    let (alert, event) = (at(&alerts, FAILING), &planted()[FAILING]);
    assert_eq!((alert.pipeline.as_str(), alert.model.as_str()), ("small", "small@1"));
    assert_eq!((alert.entity.as_str(), alert.event_id.as_deref()), (event.host.as_str(), Some(event.id.as_str())));
    assert_eq!(alert.event_time, EventTime(event.at).to_rfc3339());
    let detectors: Vec<&str> = alert.detectors.iter().map(|score| score.detector.as_str()).collect();
    assert_eq!(detectors, ["spike", "forest", "column_vote"]);
    assert!(alert.detectors.iter().all(|score| score.tail_probability > 0.0 && score.tail_probability <= 1.0));
    let first = &alert.contributions[0];
    assert_eq!((first.input.as_str(), first.actual), ("errors", Some(9.0)));
    assert!((0.0..=0.05).contains(&first.expected), "errors are usually 0 to 0.05: {first:?}");
    assert!(alert.contributions.is_sorted_by(|a, b| a.share >= b.share));
    assert!(alert.contributions.iter().map(|part| part.share).sum::<f64>() <= 1.0 + 1e-9);
    assert!(
        alert.summary.starts_with(&format!("failing on {}: errors 9 (usually 0.", event.host)),
        "{}",
        alert.summary
    );
    assert_eq!(alert.threshold, 0.99);
    assert!(alert.score >= alert.threshold);
}

#[test]
fn a_thousandfold_size_is_explained_by_its_size() {
    let (plan, model) = typed();
    let (alerts, _) = run(&plan, &model, NOW);
    let named: Vec<&str> = at(&alerts, HUGE).contributions.iter().map(|part| part.input.as_str()).collect();
    assert!(named[0].starts_with("bytes"), "{named:?}");
}

#[test]
fn ids_are_one_per_finding_and_the_same_in_every_run() {
    let (plan, model) = typed();
    let (alerts, _) = run(&plan, &model, NOW);
    let mut ids: Vec<&str> = alerts.iter().map(|alert| alert.id.as_str()).collect();
    assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), alerts.len());
    // The same event found by another version of the model is the same finding.
    let (again, _) =
        run(&plan, &Arc::new(Model { version: 2, name: "small".into(), ensemble: model.ensemble.clone() }), NOW);
    assert_eq!(at(&again, FAILING).id, at(&alerts, FAILING).id);
    assert_eq!(at(&again, FAILING).model, "small@2");
}

#[test]
fn an_alert_record_is_the_alert_as_json_keyed_by_entity() {
    let (plan, model) = typed();
    let mut hand = by_hand(&plan, &[], Some(model));
    let alerts = hand.feed(&planted().iter().map(Event::json).collect::<Vec<_>>()).unwrap();
    let records = of_topic(&hand.outputs, "small.alerts");
    assert_eq!(records.len(), alerts.len());
    for (record, alert) in records.into_iter().zip(&alerts) {
        assert_eq!(&alert_of(record), alert);
        assert_eq!(record.key.as_deref(), Some(alert.entity.as_bytes()));
        assert_eq!(serde_json::to_vec(&alert_of(record)).unwrap(), record.value);
        let value: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
        assert_eq!(
            (value["type"].as_str(), value["severity"].as_str()),
            (Some(alert.kind.as_str()), Some(alert.severity.name()))
        );
    }
}

#[test]
fn nothing_in_an_alert_depends_on_when_it_was_computed() {
    let (plan, model) = typed();
    let (early, late) = (run(&plan, &model, NOW), run(&plan, &model, NOW + 400 * DAY + HOUR + 1));
    assert!(early.0.len() >= 3);
    assert_eq!(early, late);
}
