use std::sync::Arc;

use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::score::Model;

use crate::fake::{Cut, Death, Fleet, Script, undisturbed};
use crate::outputs::{alerts, assert_same_outputs, of_topic};
use crate::setup::worker_pipeline;
use crate::stream::{messy, with_spikes};

fn source(seed: u64) -> Vec<Vec<Vec<u8>>> {
    vec![messy(250, seed), with_spikes(200, seed + 50, 40)]
}

/// Lets a worker die as told and another one finish its work.
fn die_once(plan: &Arc<Plan>, model: &Arc<Model>, seed: u64, death: Death) -> Fleet {
    let fleet = Fleet::new(plan, model, &source(seed));
    let script = Script { death: Some(death), ..Script::calm(fleet.log.partitions(), Cut::Seeded(seed)) };
    assert!(fleet.run_to_death(script), "{death:?} of seed {seed} never came");
    fleet.finish(fleet.log.partitions(), Cut::Seeded(seed + 1000));
    fleet
}

#[test]
fn a_calm_run_puts_every_event_out_once() {
    let (plan, model) = worker_pipeline();
    let source = vec![with_spikes(200, 1, 40), with_spikes(100, 2, 0)];
    let (outputs, calls) = undisturbed(&plan, &model, &source, Cut::Seeded(1));
    assert_eq!(of_topic(&outputs, "small.enriched").len(), 300);
    assert!(alerts(&outputs).len() >= 5);
    assert!(calls.commits.len() > 4, "{calls:?}");
}

#[test]
fn how_polls_fall_changes_nothing() {
    let (plan, model) = worker_pipeline();
    let (expected, _) = undisturbed(&plan, &model, &source(3), Cut::Even(10_000));
    for seed in 1..4 {
        let (found, _) = undisturbed(&plan, &model, &source(3), Cut::Seeded(seed));
        assert_same_outputs(&found, &expected, &format!("cut by seed {seed}"));
    }
}

#[test]
fn dying_at_any_poll_or_commit_loses_and_doubles_nothing() {
    let (plan, model) = worker_pipeline();
    for seed in 1..=3 {
        let (expected, calls) = undisturbed(&plan, &model, &source(seed), Cut::Seeded(seed));
        let before = (1..=calls.all).map(Death::Before);
        for death in before.chain(calls.commits.iter().copied().map(Death::After)) {
            let fleet = die_once(&plan, &model, seed, death);
            assert_same_outputs(&fleet.log.outputs(), &expected, &format!("seed {seed}, {death:?}"));
        }
    }
}

#[test]
fn dying_again_and_again_still_gets_to_the_end() {
    let (plan, model) = worker_pipeline();
    for (seed, every) in [(1, 5), (2, 7), (3, 11)] {
        let (expected, _) = undisturbed(&plan, &model, &source(seed), Cut::Seeded(seed));
        let fleet = Fleet::new(&plan, &model, &source(seed));
        let life = |number: u64| Script {
            death: Some(if number.is_multiple_of(2) { Death::Before(every) } else { Death::After(every) }),
            ..Script::calm(fleet.log.partitions(), Cut::Seeded(seed * 100 + number))
        };
        let lives = (0..400).find(|number| !fleet.run_to_death(life(*number)) && fleet.log.is_consumed());
        assert!(lives.is_some_and(|lives| lives > 2), "seed {seed}: {lives:?} lives");
        assert_same_outputs(&fleet.log.outputs(), &expected, &format!("seed {seed}, dying every {every} calls"));
    }
}

#[test]
fn recovery_replays_from_the_snapshot_and_not_from_the_start() {
    let (plan, model) = worker_pipeline();
    let source = vec![with_spikes(400, 1, 40)];
    let fleet = Fleet::new(&plan, &model, &source);
    let script = Script { death: Some(Death::Before(60)), ..Script::calm(vec![0], Cut::Even(10)) };
    assert!(fleet.run_to_death(script));
    assert!(fleet.log.committed(0).is_some_and(|offset| offset > 300));
    fleet.finish(vec![0], Cut::Even(10));
    let replayed = lapwing_pipeline::status::get(&fleet.status.replayed);
    assert!(replayed < 150, "{replayed} records were replayed; a snapshot comes every hundred");
}
