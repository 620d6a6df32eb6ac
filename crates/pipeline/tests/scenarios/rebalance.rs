use std::collections::BTreeMap;

use lapwing_pipeline::worker::Ended;
use lapwing_vocabulary::Partition;

use crate::fake::{Cut, Death, Fleet, Happening, Script, undisturbed};
use crate::outputs::assert_same_outputs;
use crate::setup::worker_pipeline;
use crate::stream::{messy, with_spikes};

fn source(seed: u64) -> Vec<Vec<Vec<u8>>> {
    vec![messy(200, seed), with_spikes(200, seed + 50, 40), messy(150, seed + 90), with_spikes(100, seed + 70, 30)]
}

fn script(assigned: &[Partition], seed: u64, happenings: &[(usize, Happening)]) -> Script {
    let happenings: BTreeMap<usize, Happening> = happenings.iter().cloned().collect();
    Script { happenings, ..Script::calm(assigned.to_vec(), Cut::Seeded(seed)) }
}

#[test]
fn two_workers_put_out_what_one_does() {
    let (plan, model) = worker_pipeline();
    for seed in 1..=3 {
        let (expected, _) = undisturbed(&plan, &model, &source(seed), Cut::Seeded(seed));
        let fleet = Fleet::new(&plan, &model, &source(seed));
        let ended = fleet.run_together(vec![script(&[0, 2], seed, &[]), script(&[1, 3], seed + 9, &[])]);
        assert!(ended.iter().all(|ended| matches!(ended, Ok(Ended::AtEnd))), "{ended:?}");
        assert!(fleet.log.is_consumed());
        assert_same_outputs(&fleet.log.outputs(), &expected, &format!("seed {seed}"));
    }
}

#[test]
fn of_two_workers_one_dies_and_the_other_takes_its_partitions() {
    let (plan, model) = worker_pipeline();
    let (expected, _) = undisturbed(&plan, &model, &source(5), Cut::Seeded(5));
    for at in [1, 4, 9, 16, 23] {
        let fleet = Fleet::new(&plan, &model, &source(5));
        let dying = Script { death: Some(Death::Before(at)), ..script(&[0, 1], 5, &[]) };
        assert!(fleet.run_to_death(dying), "after {at} calls");
        let heir = script(&[2, 3], 6, &[(4, Happening::Assign(vec![0, 1]))]);
        assert!(!fleet.run_to_death(heir));
        assert!(fleet.log.is_consumed());
        assert_same_outputs(&fleet.log.outputs(), &expected, &format!("after {at} calls"));
    }
}

#[test]
fn a_partition_asked_back_is_committed_and_goes_on_elsewhere_where_it_stood() {
    let (plan, model) = worker_pipeline();
    let (expected, _) = undisturbed(&plan, &model, &source(6), Cut::Seeded(6));
    for poll in [2, 3, 6, 10, 15, 20] {
        let fleet = Fleet::new(&plan, &model, &source(6));
        let first = script(&[0, 1, 2, 3], 6, &[(poll, Happening::Revoke(vec![1, 2]))]);
        assert!(!fleet.run_to_death(first));
        let replayed = lapwing_pipeline::status::get(&fleet.status.replayed);
        fleet.finish(vec![1, 2], Cut::Seeded(7));
        assert!(fleet.log.is_consumed());
        assert_same_outputs(&fleet.log.outputs(), &expected, &format!("asked back at poll {poll}"));
        assert_eq!(lapwing_pipeline::status::get(&fleet.status.replayed), replayed, "a snapshot was handed over");
    }
}

#[test]
fn a_partition_that_was_lost_is_dropped_with_its_open_epoch() {
    let (plan, model) = worker_pipeline();
    let (expected, _) = undisturbed(&plan, &model, &source(8), Cut::Seeded(8));
    for poll in [2, 3, 5, 8, 13, 18] {
        let fleet = Fleet::new(&plan, &model, &source(8));
        let first = script(&[0, 1, 2, 3], 8, &[(poll, Happening::Lose(vec![0, 3]))]);
        assert!(!fleet.run_to_death(first));
        fleet.finish(vec![0, 3], Cut::Seeded(9));
        assert_same_outputs(&fleet.log.outputs(), &expected, &format!("lost at poll {poll}"));
    }
}

#[test]
fn a_partition_may_come_back_to_the_worker_that_lost_it() {
    let (plan, model) = worker_pipeline();
    let (expected, _) = undisturbed(&plan, &model, &source(4), Cut::Seeded(4));
    for poll in [3, 6, 11] {
        let fleet = Fleet::new(&plan, &model, &source(4));
        let back = [(poll, Happening::Lose(vec![0, 1])), (poll + 3, Happening::Assign(vec![0, 1]))];
        assert!(!fleet.run_to_death(script(&[0, 1, 2, 3], 4, &back)));
        assert!(fleet.log.is_consumed());
        assert_same_outputs(&fleet.log.outputs(), &expected, &format!("lost at poll {poll}"));
    }
}
