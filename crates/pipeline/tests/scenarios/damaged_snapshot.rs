use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::score::Model;
use lapwing_pipeline::status::get;

use crate::fake::{Cut, Death, Fleet, Script, undisturbed};
use crate::outputs::assert_same_outputs;
use crate::setup::worker_pipeline;
use crate::stream::messy;

/// A fleet whose only worker died after several snapshots, and their files, oldest first.
fn died(plan: &Arc<Plan>, model: &Arc<Model>) -> (Fleet, Vec<PathBuf>) {
    let fleet = Fleet::new(plan, model, &[messy(400, 21)]);
    let script = Script { death: Some(Death::Before(62)), ..Script::calm(vec![0], Cut::Even(8)) };
    assert!(fleet.run_to_death(script));
    // Their names begin with their offsets, so they sort by age.
    let mut files: Vec<PathBuf> = fs::read_dir(fleet.snapshots()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 2, "a full snapshot and changes after it: {files:?}");
    (fleet, files)
}

/// Finishes the work of the one that died; returns how many records were replayed.
fn finish(fleet: &Fleet, plan: &Arc<Plan>, model: &Arc<Model>, story: &str) -> u64 {
    fleet.finish(vec![0], Cut::Even(8));
    let (expected, _) = undisturbed(plan, model, &[messy(400, 21)], Cut::Even(8));
    assert_same_outputs(&fleet.log.outputs(), &expected, story);
    get(&fleet.status.replayed)
}

fn flip_a_bit(file: &PathBuf) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_damaged_newest_snapshot_gives_way_to_the_one_before() {
    let (plan, model) = worker_pipeline();
    let (whole, _) = died(&plan, &model);
    let replayed = finish(&whole, &plan, &model, "nothing damaged");
    let (damaged, files) = died(&plan, &model);
    flip_a_bit(files.last().unwrap());
    let more = finish(&damaged, &plan, &model, "the newest is damaged");
    assert!(more > replayed, "{more} records were replayed instead of {replayed}");
    let consumed_before = damaged.log.committed(0).unwrap() as u64;
    assert!(more < consumed_before, "the older snapshot was not used");
}

#[test]
fn a_snapshot_cut_short_gives_way_too() {
    let (plan, model) = worker_pipeline();
    let (fleet, files) = died(&plan, &model);
    let newest = files.last().unwrap();
    let bytes = fs::read(newest).unwrap();
    fs::write(newest, &bytes[..bytes.len() - 7]).unwrap();
    finish(&fleet, &plan, &model, "the newest is cut short");
}

#[test]
fn a_damaged_full_snapshot_takes_the_changes_after_it_along() {
    let (plan, model) = worker_pipeline();
    let (fleet, files) = died(&plan, &model);
    flip_a_bit(&files[0]);
    let replayed = finish(&fleet, &plan, &model, "the full snapshot is damaged");
    assert!(replayed > 0, "changes were taken up without what they change");
}

#[test]
fn without_any_good_snapshot_the_memory_is_rebuilt_from_the_first_record() {
    let (plan, model) = worker_pipeline();
    let (fleet, files) = died(&plan, &model);
    let committed = fleet.log.committed(0).unwrap() as u64;
    files.iter().for_each(flip_a_bit);
    assert_eq!(finish(&fleet, &plan, &model, "all are damaged"), committed);
}
