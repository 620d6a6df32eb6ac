use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::clock::Clock;
use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::references::References;
use lapwing_pipeline::score::Model;
use lapwing_pipeline::settings::Pipeline;
use lapwing_pipeline::status::get;
use lapwing_vocabulary::time::SECOND;
use lapwing_vocabulary::{Offset, OutputRecord};
use serde_json::json as value;

use crate::fake::{AfterCommit, Cut, Death, Fleet, Script};
use crate::outputs::{alerts, assert_same_outputs, json, of_topic, source_of};
use crate::setup::{FULL, HOSTS, by_hand, compile, fitted, hosts, settings, worker_head};
use crate::stream::with_spikes;

/// Other roles, other weights: whoever replays with the wrong version computes other features.
const OTHER: &str = "host,role,weight\nh0,new,7.5\nh1,new,0.1\nh2,new,3.0\nh3,new,8.0\nh4,new,0.7\nh5,new,2.0\n";
/// Records of one poll, and of one epoch.
const POLL: usize = 20;
const EVENTS: usize = 400;

/// A pipeline with its table in a file, and what it reads.
struct World {
    plan: Arc<Plan>,
    model: Arc<Model>,
    source: Vec<Vec<u8>>,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

/// Commits after every poll, so also before the first record.
const EACH_POLL: &str = "5ms";
/// Commits after every second poll, so for the first time when there are records already.
const EACH_SECOND_POLL: &str = "20ms";

impl World {
    fn new(commit_interval: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let head = worker_head().replace("20ms", commit_interval);
        let checked: Pipeline = settings(&format!("{head}{FULL}"), folder.path());
        let plan = compile(checked, &hosts(HOSTS)).unwrap();
        let model = fitted(&plan, &hosts(HOSTS), 1);
        let file = folder.path().join("hosts.csv");
        Self { plan, model, source: with_spikes(EVENTS, 11, 40), file, _folder: folder }
    }

    /// Nothing has happened yet, and the table is as at first.
    fn fleet(&self) -> Fleet {
        std::fs::write(&self.file, HOSTS).unwrap();
        Fleet::new(&self.plan, &self.model, std::slice::from_ref(&self.source))
    }
}

/// Replaces the table once `offset` is committed, and lets the time pass after which tables are looked at again.
fn replace_at(offset: Offset, file: &Path, clock: &Arc<HandClock>) -> AfterCommit {
    let (file, clock) = (file.to_owned(), clock.clone());
    let mut done = false;
    Box::new(move |positions| {
        if !done && positions.iter().any(|(_, committed)| *committed >= offset) {
            done = true;
            std::fs::write(&file, OTHER).unwrap();
            clock.set(clock.wall_micros() + 2 * SECOND);
        }
    })
}

/// What comes out if the first `offset` records see the first version, and all others the second.
fn switched_at(world: &World, offset: usize) -> Vec<OutputRecord> {
    let mut hand = by_hand(&world.plan, &hosts(HOSTS), Some(world.model.clone()));
    hand.feed(&world.source[..offset]).unwrap();
    let other = hosts(OTHER).remove(0);
    hand.task().enrich_mut().replace_table(other).unwrap();
    hand.feed(&world.source[offset..]).unwrap();
    hand.outputs
}

/// Offset of the first event that saw the second version.
fn switch_of(outputs: &[OutputRecord]) -> usize {
    let enriched = of_topic(outputs, "small.enriched");
    let saw_other = |record: &&OutputRecord| json(record)["role"] == value!("new");
    let first = enriched.into_iter().find(saw_other).expect("the second version came into force");
    source_of(first).expect("enriched records name their source").1 as usize
}

#[test]
fn a_new_version_counts_from_the_next_epoch_on() {
    let world = World::new(EACH_POLL);
    let fleet = world.fleet();
    let after_commit = Some(replace_at(200, &world.file, &fleet.clock));
    assert!(!fleet.run_to_death(Script { after_commit, ..Script::calm(vec![0], Cut::Even(POLL)) }));
    let outputs = fleet.log.outputs();
    assert_eq!(switch_of(&outputs), 200);
    assert!(alerts(&outputs).len() > 5);
    assert_same_outputs(&outputs, &switched_at(&world, 200), "switched at 200");
}

/// Lets the table change once `change_at` is committed and the process die at each of `calls`. Whatever happens, some
/// one position must explain all outputs: the first version before it, the second after it, in features as well.
fn die_around_the_change(world: &World, change_at: Offset, calls: impl Iterator<Item = usize>) {
    for death in calls.flat_map(|call| [Death::Before(call), Death::After(call)]) {
        let fleet = world.fleet();
        let after_commit = || Some(replace_at(change_at, &world.file, &fleet.clock));
        let calm = || Script { after_commit: after_commit(), ..Script::calm(vec![0], Cut::Even(POLL)) };
        if fleet.run_to_death(Script { death: Some(death), ..calm() }) {
            assert!(!fleet.run_to_death(calm()));
        }
        let outputs = fleet.log.outputs();
        let expected = switched_at(world, switch_of(&outputs));
        assert_same_outputs(&outputs, &expected, &format!("changed at {change_at}, {death:?}"));
    }
}

#[test]
fn dying_around_a_change_leaves_the_old_version_before_it_and_the_new_one_after() {
    // Call 21 commits the first 200 records.
    die_around_the_change(&World::new(EACH_POLL), 200, (18..27).chain([38]));
}

#[test]
fn dying_around_a_change_at_the_very_first_commit_does_so_too() {
    die_around_the_change(&World::new(EACH_SECOND_POLL), 1, 2..6);
}

#[test]
fn a_table_that_changes_while_nobody_runs_does_not_reach_back() {
    for commit_interval in [EACH_POLL, EACH_SECOND_POLL] {
        let world = World::new(commit_interval);
        for call in [2, 4, 6, 20] {
            let fleet = world.fleet();
            let dying = Script { death: Some(Death::After(call)), ..Script::calm(vec![0], Cut::Even(POLL)) };
            assert!(fleet.run_to_death(dying));
            let after_commit = Some(replace_at(0, &world.file, &fleet.clock));
            std::fs::write(&world.file, OTHER).unwrap();
            assert!(!fleet.run_to_death(Script { after_commit, ..Script::calm(vec![0], Cut::Even(POLL)) }));
            let outputs = fleet.log.outputs();
            let story = format!("a commit each {commit_interval}, died after call {call}");
            assert_same_outputs(&outputs, &switched_at(&world, switch_of(&outputs)), &story);
        }
    }
}

/// A run in whose middle the table becomes `broken`; nothing of it must ever be seen.
fn break_the_table(broken: &str) {
    let world = World::new(EACH_POLL);
    let fleet = world.fleet();
    let (file, clock, text) = (world.file.clone(), fleet.clock.clone(), broken.to_owned());
    let after_commit: AfterCommit = Box::new(move |positions| {
        if positions == [(0, 100)] {
            std::fs::write(&file, &text).unwrap();
            clock.set(clock.wall_micros() + 2 * SECOND);
        }
    });
    let ended = fleet.run(Script { after_commit: Some(after_commit), ..Script::calm(vec![0], Cut::Even(POLL)) });
    assert!(ended.is_ok(), "{broken:?}: {ended:?}");
    let mut hand = by_hand(&world.plan, &hosts(HOSTS), Some(world.model.clone()));
    hand.feed(&world.source).unwrap();
    assert_same_outputs(&fleet.log.outputs(), &hand.outputs, broken);
    assert_eq!(get(&fleet.status.reload_failures), 1, "{broken:?}");
}

#[test]
fn a_version_that_cannot_be_read_leaves_the_one_before_in_force() {
    break_the_table("host,role,weight\nh0\n");
}

#[test]
fn a_version_without_a_column_that_the_query_reads_leaves_the_one_before_in_force() {
    break_the_table("host,role\nh0,web\n");
}

#[test]
fn workers_that_start_at_the_same_time_keep_one_copy_of_each_version() {
    let folder = tempfile::tempdir().unwrap();
    let tables = settings(&format!("{}{FULL}", worker_head()), folder.path()).enrich.tables.clone();
    for round in 0..20 {
        std::fs::write(folder.path().join("hosts.csv"), format!("{HOSTS}h{round},late,1.0\n")).unwrap();
        let (copies, barrier) = (folder.path().join("copies"), Barrier::new(8));
        let open = || {
            barrier.wait();
            References::open(&tables, Some(copies.clone())).map(|references| references.latest()[0].digest().to_owned())
        };
        let opened: Vec<Result<String, String>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(opened.iter().all(|digest| digest.is_ok() && *digest == opened[0]), "round {round}: {opened:?}");
        assert_eq!(std::fs::read_dir(&copies).unwrap().count(), round + 1, "one file for each version, and no other");
    }
}
