use std::collections::{BTreeMap, BTreeSet};

use lapwing_pipeline::status::get;

use crate::fake::{Cut, Fleet, Happening, Script, undisturbed};
use crate::outputs::{alerts, assert_same_outputs};
use crate::setup::worker_pipeline;
use crate::stream::{messy, with_spikes};

fn source(seed: u64) -> Vec<Vec<Vec<u8>>> {
    vec![messy(250, seed), with_spikes(200, seed + 50, 40)]
}

fn script(fleet: &Fleet, seed: u64, failing_commits: impl IntoIterator<Item = usize>) -> Script {
    let failing_commits: BTreeSet<usize> = failing_commits.into_iter().collect();
    Script { failing_commits, ..Script::calm(fleet.log.partitions(), Cut::Seeded(seed)) }
}

#[test]
fn a_commit_that_asks_for_a_restart_is_done_again_from_the_committed_positions() {
    let (plan, model) = worker_pipeline();
    for seed in 1..=3 {
        let (expected, calls) = undisturbed(&plan, &model, &source(seed), Cut::Seeded(seed));
        // The last commit is the subject of the next test.
        for number in 1..calls.commits.len() {
            let fleet = Fleet::new(&plan, &model, &source(seed));
            assert!(!fleet.run_to_death(script(&fleet, seed, [number])));
            assert!(fleet.log.is_consumed());
            assert_same_outputs(&fleet.log.outputs(), &expected, &format!("seed {seed}, commit {number} fails"));
            assert_eq!(
                fleet.status.alerts_total(),
                alerts(&expected).len() as u64,
                "alerts are counted when committed"
            );
            assert!(get(&fleet.status.epochs_aborted) > 0);
        }
    }
}

#[test]
fn a_restart_at_the_last_commit_of_a_finite_source_is_no_end() {
    let (plan, model) = worker_pipeline();
    for cut in [Cut::Even(10_000), Cut::Even(70), Cut::Seeded(1)] {
        let (expected, calls) = undisturbed(&plan, &model, &source(1), cut);
        let fleet = Fleet::new(&plan, &model, &source(1));
        let ended = fleet.run(Script { cut, ..script(&fleet, 1, [calls.commits.len()]) });
        assert!(ended.is_ok(), "{cut:?}: the worker gives up with its last epoch uncommitted: {ended:?}");
        assert!(fleet.log.is_consumed());
        assert_same_outputs(&fleet.log.outputs(), &expected, "the last commit fails");
    }
}

#[test]
fn commits_that_fail_in_a_row_delay_and_lose_nothing() {
    let (plan, model) = worker_pipeline();
    let (expected, _) = undisturbed(&plan, &model, &source(2), Cut::Seeded(2));
    let fleet = Fleet::new(&plan, &model, &source(2));
    assert!(!fleet.run_to_death(script(&fleet, 2, [1, 2, 3, 5, 6, 8])));
    assert_same_outputs(&fleet.log.outputs(), &expected, "six commits fail");
}

#[test]
fn a_poll_that_asks_for_a_restart_throws_the_open_epoch_away() {
    let (plan, model) = worker_pipeline();
    let (expected, _) = undisturbed(&plan, &model, &source(3), Cut::Seeded(3));
    for poll in [2, 3, 4, 9, 12] {
        let fleet = Fleet::new(&plan, &model, &source(3));
        let happenings = BTreeMap::from([(poll, Happening::Restart)]);
        assert!(!fleet.run_to_death(Script { happenings, ..script(&fleet, 3, []) }));
        assert!(fleet.log.is_consumed());
        assert_same_outputs(&fleet.log.outputs(), &expected, &format!("poll {poll} asks for a restart"));
    }
}

#[test]
fn a_commit_that_fails_while_partitions_are_handed_over_is_left_to_the_heir() {
    let (plan, model) = worker_pipeline();
    let (expected, _) = undisturbed(&plan, &model, &source(4), Cut::Seeded(4));
    for poll in [4, 7, 10] {
        let fleet = Fleet::new(&plan, &model, &source(4));
        let happenings = BTreeMap::from([(poll, Happening::Revoke(vec![1]))]);
        let failing = 1..4;
        assert!(!fleet.run_to_death(Script { happenings, ..script(&fleet, 4, failing) }));
        if !fleet.log.is_consumed() {
            fleet.finish(vec![1], Cut::Seeded(5));
        }
        assert_same_outputs(&fleet.log.outputs(), &expected, &format!("asked back at poll {poll}"));
    }
}
