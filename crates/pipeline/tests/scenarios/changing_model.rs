use crate::fake::{Cut, Death, Fleet, Script};
use crate::outputs::alerts;
use crate::setup::{DETECT, fitted, plan, worker_head};
use crate::stream::with_spikes;

const POLL: usize = 20;
/// Committed position at which the second version comes into force.
const CHANGE: i64 = 200;

/// Offsets and models of the alerts of a run in which the model is replaced in the middle.
fn run(death: Option<Death>) -> (Fleet, Vec<(i64, String)>) {
    let plan = plan(&format!("{}{DETECT}", worker_head().replace("20ms", "5ms")), &[]);
    let (first, second) = (fitted(&plan, &[], 1), fitted(&plan, &[], 2));
    let fleet = Fleet::new(&plan, &first, &[with_spikes(400, 3, 25)]);
    let script = |death| Script {
        death,
        after_commit: Some(fleet.replacing_at(CHANGE, &second)),
        ..Script::calm(vec![0], Cut::Even(POLL))
    };
    if fleet.run_to_death(script(death)) {
        assert!(!fleet.run_to_death(script(None)));
    }
    let told = alerts(&fleet.log.outputs()).into_iter().map(|alert| (alert.positions[0].offset, alert.model)).collect();
    (fleet, told)
}

#[test]
fn alerts_after_a_change_of_the_model_carry_the_new_version() {
    let (fleet, told) = run(None);
    assert!(told.iter().any(|(offset, _)| *offset < CHANGE) && told.iter().any(|(offset, _)| *offset >= CHANGE));
    for (offset, model) in &told {
        assert_eq!(model, if *offset < CHANGE { "small@1" } else { "small@2" }, "alert of event {offset}");
    }
    assert_eq!(fleet.status.model().as_deref(), Some("small@2"));
}

#[test]
fn a_process_that_dies_later_goes_on_with_the_new_version() {
    let (_, calm) = run(None);
    let (_, told) = run(Some(Death::Before(30)));
    assert_eq!(told, calm);
}
