use std::sync::{Arc, OnceLock};

use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::score::Model;
use lapwing_pipeline::status::get;

use crate::fake::{Cut, Death, Fleet, Script, undisturbed};
use crate::outputs::{assert_same_outputs, json, of_topic};
use crate::setup::{fitted, plan, worker_head};
use crate::stream::{Event, ordinary};
use crate::windows::MINUTES;

/// A worker that takes a partition for idle after a hundred polls without a record.
fn pipeline() -> (Arc<Plan>, Arc<Model>) {
    static MADE: OnceLock<(Arc<Plan>, Arc<Model>)> = OnceLock::new();
    let make = || {
        let head = worker_head().replace("[source]", "[source]\nidle_after = \"1s\"");
        let plan = plan(&format!("{head}{MINUTES}"), &[]);
        let model = fitted(&plan, &[], 1);
        (plan, model)
    };
    MADE.get_or_init(make).clone()
}

fn source() -> Vec<Vec<Vec<u8>>> {
    vec![ordinary(150, 8).iter().map(Event::json).collect()]
}

/// The fake log says when it is read to its end; this many idle polls come before.
fn patient(death: Option<Death>) -> Script {
    Script { death, idle_polls: 20_000, ..Script::calm(vec![0], Cut::Even(10)) }
}

#[test]
fn an_idle_partition_closes_its_windows_by_the_wall_clock() {
    let (plan, model) = pipeline();
    let fleet = Fleet::new(&plan, &model, &source());
    assert!(!fleet.run_to_death(patient(None)));
    let outputs = fleet.log.outputs();
    let events: u64 = of_topic(&outputs, "small.enriched")
        .into_iter()
        .filter_map(|record| json(record)["window_events"].as_u64())
        .sum();
    assert_eq!(events, 150, "every event is in a window that was told");
    assert!(get(&fleet.status.ticks) > 0);
    assert_eq!(of_topic(&outputs, "small.markers").len() as u64, get(&fleet.status.ticks));
}

#[test]
fn what_a_tick_has_closed_is_not_told_again_after_a_crash() {
    let (plan, model) = pipeline();
    let fleet = Fleet::new(&plan, &model, &source());
    assert!(!fleet.run_to_death(patient(None)));
    let (expected, calls) = (fleet.log.outputs(), fleet.calls.lock().unwrap().clone());
    // Deaths around the commits that came when all records were read: the ticks.
    let ticks = &calls.commits[calls.commits.len() / 2..];
    for death in ticks.iter().flat_map(|call| [Death::Before(*call), Death::After(*call)]) {
        let fleet = Fleet::new(&plan, &model, &source());
        assert!(fleet.run_to_death(patient(Some(death))), "{death:?}");
        assert!(!fleet.run_to_death(patient(None)));
        let rows = |outputs: &[lapwing_vocabulary::OutputRecord]| {
            let rows = of_topic(outputs, "small.enriched").into_iter();
            rows.map(|record| (record.key.clone(), record.value.clone())).collect::<Vec<_>>()
        };
        assert!(rows(&fleet.log.outputs()) == rows(&expected), "{death:?}: other rows than undisturbed");
    }
}

#[test]
fn windows_go_on_after_crashes_as_if_nothing_had_happened() {
    let (plan, model) = pipeline();
    let (expected, calls) = undisturbed(&plan, &model, &source(), Cut::Even(10));
    for call in (1..calls.all).step_by(3) {
        let fleet = Fleet::new(&plan, &model, &source());
        let script = Script { death: Some(Death::Before(call)), ..Script::calm(vec![0], Cut::Even(10)) };
        assert!(fleet.run_to_death(script));
        fleet.finish(vec![0], Cut::Even(10));
        assert_same_outputs(&fleet.log.outputs(), &expected, &format!("dead before call {call}"));
    }
}
