use std::sync::Arc;

use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::score::Model;
use lapwing_pipeline::status::get;

use crate::fake::{Cut, Death, Fleet, Script, undisturbed};
use crate::outputs::{alerts, assert_same_outputs, of_topic};
use crate::setup::{DETECT, fitted, plan, worker_head};
use crate::stream::{messy, with_spikes};

const SWITCHED: &str =
    "alert_rate = 0.01\nrest = \"10m\"\nrelease = 0.6\nlikelihood = { recent = \"5s\", over = \"1h\" }";
/// Committed position at which another model comes into force.
const CHANGE: i64 = 200;
const POLL: usize = 20;

fn pipeline(decide: &str) -> (Arc<Plan>, Arc<Model>, Arc<Model>) {
    let detect = DETECT.replace("alert_rate = 0.01", decide);
    let plan = plan(&format!("{}{detect}", worker_head().replace("20ms", "5ms")), &[]);
    let models = [1, 2].map(|version| fitted(&plan, &[], version));
    let [first, second] = models;
    (plan, first, second)
}

fn source() -> Vec<Vec<Vec<u8>>> {
    vec![with_spikes(400, 3, 25)]
}

#[test]
fn an_entity_at_rest_is_flagged_less_often_and_what_is_held_back_is_counted() {
    let told = |decide: &str| {
        let (plan, model, _) = pipeline(decide);
        let fleet = Fleet::new(&plan, &model, &source());
        fleet.finish(vec![0], Cut::Even(POLL));
        let held = get(&fleet.status.suppressed_open) + get(&fleet.status.suppressed_no_news);
        (alerts(&fleet.log.outputs()).len() as u64, held)
    };
    let (plain, none) = told("alert_rate = 0.01");
    let (rested, held) = told("alert_rate = 0.01\nrest = \"10m\"\nrelease = 0.6");
    assert_eq!(none, 0);
    assert!(rested > 0 && rested < plain && held >= plain - rested, "{rested} of {plain}, {held} held back");
}

#[test]
fn dying_anywhere_changes_no_alert_though_alerts_depend_on_earlier_scores() {
    let (plan, model, _) = pipeline(SWITCHED);
    let source = vec![messy(250, 1), with_spikes(200, 51, 20)];
    let (expected, calls) = undisturbed(&plan, &model, &source, Cut::Seeded(1));
    assert!(!alerts(&expected).is_empty());
    for death in (1..=calls.all).step_by(2).map(Death::Before) {
        let fleet = Fleet::new(&plan, &model, &source);
        assert!(fleet.run_to_death(Script { death: Some(death), ..Script::calm(vec![0, 1], Cut::Seeded(1)) }));
        fleet.finish(vec![0, 1], Cut::Seeded(7));
        let rows = |outputs| {
            let mut rows: Vec<_> =
                ["small.alerts", "small.enriched"].iter().flat_map(|topic| of_topic(outputs, topic)).collect();
            rows.sort_by(|a, b| (&a.topic, &a.key, &a.value).cmp(&(&b.topic, &b.key, &b.value)));
            rows.into_iter().map(|row| row.value.clone()).collect::<Vec<_>>()
        };
        assert!(rows(&fleet.log.outputs()) == rows(&expected), "{death:?}");
    }
}

/// Runs with a change of the model in the middle, and a death.
fn run_with_change(death: Option<Death>) -> Fleet {
    let (plan, first, second) = pipeline(SWITCHED);
    let fleet = Fleet::new(&plan, &first, &source());
    let script = |death| Script {
        death,
        after_commit: Some(fleet.replacing_at(CHANGE, &second)),
        ..Script::calm(vec![0], Cut::Even(POLL))
    };
    if fleet.run_to_death(script(death)) {
        assert!(!fleet.run_to_death(script(None)));
    }
    fleet
}

#[test]
fn a_replay_scores_with_the_model_that_was_in_force_then() {
    let calm = run_with_change(None);
    let expected = calm.log.outputs();
    let markers = of_topic(&expected, "small.markers");
    assert_eq!(markers.len(), 2, "each model is told once");
    let calls = calm.calls.lock().unwrap().all;
    for death in (calls / 2..calls).map(Death::Before) {
        assert_same_outputs(&run_with_change(Some(death)).log.outputs(), &expected, &format!("{death:?}"));
    }
}

#[test]
fn a_detector_may_raise_a_type_by_itself() {
    let vote = "alert_rate = 0.000001\n[decide.types.far]\nwhen = \"bytes_vs_usual > 0\"\ndetector = \"spike\"\nalert_rate = 0.02";
    let (plan, model, _) = pipeline(vote);
    let fleet = Fleet::new(&plan, &model, &source());
    fleet.finish(vec![0], Cut::Even(POLL));
    let told = alerts(&fleet.log.outputs());
    assert!(told.iter().any(|alert| alert.kind == "far" && alert.score < alert.threshold), "{}", told.len());
    assert!(told.iter().all(|alert| alert.kind == "far" || alert.score >= alert.threshold));
}
