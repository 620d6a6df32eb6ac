//! Snapshots written beside the stream: planned, written, cleaned, and never lost track of.

mod common;

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use common::{content, identity, make, parts};
use lapwing_state::place::Writing;
use lapwing_state::{
    Done, EntityTable, Features, Kind, LocalFolder, Plan, SnapshotPlace, SnapshotStore, Snapshotter, StateError,
    restore,
};

/// A folder that can be made to fail, or to wait.
#[derive(Debug)]
struct Moody {
    folder: LocalFolder,
    fails: AtomicBool,
    gate: Mutex<()>,
}

impl SnapshotPlace for Moody {
    fn list(&self, prefix: &str) -> Result<Vec<String>, StateError> {
        self.folder.list(prefix)
    }

    fn get(&self, name: &str) -> Result<Box<dyn Read + Send>, StateError> {
        self.folder.get(name)
    }

    fn put(&self, name: &str, write: Writing<'_>) -> Result<(), StateError> {
        let _gate = self.gate.lock().unwrap();
        if self.fails.load(Ordering::SeqCst) {
            return Err(StateError::storage("write snapshot", name, std::io::Error::other("not today")));
        }
        self.folder.put(name, write)
    }

    fn delete(&self, name: &str) -> Result<(), StateError> {
        self.folder.delete(name)
    }

    fn describe(&self) -> String {
        self.folder.describe()
    }
}

struct World {
    _folder: tempfile::TempDir,
    place: Arc<Moody>,
    store: SnapshotStore,
    snapshotter: Snapshotter,
    table: EntityTable,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let place = LocalFolder::open(folder.path()).unwrap();
    let place = Arc::new(Moody { folder: place, fails: AtomicBool::new(false), gate: Mutex::new(()) });
    let store = SnapshotStore::new(place.clone());
    let mut table = EntityTable::new(vec![0.0; 8]);
    for number in 0..2000_u32 {
        let (slot, _) = table.slot(&number.to_string(), i64::MIN).unwrap();
        table.seen(slot, 1);
        table.words_mut(slot).unwrap()[3] = f64::from(number) / 7.0;
    }
    World { _folder: folder, place, snapshotter: Snapshotter::start(store.clone()).unwrap(), store, table }
}

impl World {
    /// Changes an entity and hands a snapshot over; returns what it is to be.
    fn submit(&mut self, offset: i64) -> Plan {
        let (slot, _) = self.table.slot(&offset.to_string(), i64::MIN).unwrap();
        self.table.words_mut(slot).unwrap()[0] = offset as f64;
        let plan = self.snapshotter.plan(3, offset).unwrap();
        let parts = parts("now", offset, plan.kind(), &mut [("entities", &mut self.table)]);
        self.snapshotter.submit(plan, parts);
        plan
    }

    fn written(&mut self, offset: i64) -> (Kind, Vec<Done>) {
        let plan = self.submit(offset);
        (plan.kind(), self.snapshotter.wait())
    }

    fn restored(&self, committed: i64) -> EntityTable {
        let restored = restore(&self.store, &identity("now"), Features::Same, Some(committed), 0, &mut make).unwrap();
        assert!(restored.refused.is_empty(), "{:?}", restored.refused);
        restored.snapshot.unwrap().take_table("entities").unwrap()
    }
}

#[test]
fn first_a_full_one_then_changes_and_each_gives_the_table_back() {
    let mut world = world();
    for (offset, expected) in [(10, Kind::Full), (20, Kind::Delta), (20, Kind::Delta), (30, Kind::Delta)] {
        let (kind, done) = world.written(offset);
        assert_eq!((kind, done.len(), done[0].offset), (expected, 1, offset));
        assert!(done[0].result.is_ok() && done[0].unclean.is_none());
        assert_eq!(content(&world.restored(offset)), content(&world.table));
    }
    world.snapshotter.forget(3);
    assert_eq!(world.written(40).0, Kind::Full);
}

#[test]
fn chains_follow_each_other_and_old_ones_go() {
    let mut world = world();
    let mut full = Vec::new();
    for offset in 1..=70 {
        if world.written(offset).0 == Kind::Full {
            full.push(offset);
        }
    }
    assert_eq!(full, [1, 22, 43, 64]);
    assert_eq!(
        world.store.list(3).unwrap().iter().map(|link| link.offset).collect::<Vec<_>>(),
        (43..=70).collect::<Vec<_>>()
    );
    assert_eq!(content(&world.restored(70)), content(&world.table));
    assert_eq!(world.restored(63).peek(63).unwrap()[0], 63.0);
}

#[test]
fn a_snapshot_holds_the_moment_of_its_freeze_however_late_it_is_written() {
    let mut world = world();
    let place = world.place.clone();
    let gate: MutexGuard<'_, ()> = place.gate.lock().unwrap();
    world.submit(10);
    let frozen = content(&world.table);
    assert!(world.snapshotter.is_busy(3) && world.snapshotter.plan(3, 20).is_none(), "one at a time");
    assert!(world.snapshotter.plan(4, 20).is_some(), "of each partition");
    for slot in 0..2000 {
        world.table.words_mut(slot).unwrap().fill(9.0);
    }
    world.table.expire(i64::MAX, 500);
    world.table.slot("late", i64::MIN).unwrap();
    assert!(world.snapshotter.poll().is_empty());
    drop(gate);
    assert_eq!(world.snapshotter.wait().len(), 1);
    assert_eq!(content(&world.restored(10)), frozen);
    assert_eq!(world.written(20).0, Kind::Delta);
    assert_eq!(content(&world.restored(20)), content(&world.table));
}

#[test]
fn after_a_failure_the_older_ones_stay_and_the_next_is_full() {
    let mut world = world();
    world.written(10);
    world.place.fails.store(true, Ordering::SeqCst);
    let (kind, done) = world.written(20);
    assert_eq!(kind, Kind::Delta);
    assert!(
        matches!(&done[0].result, Err(StateError::Storage { place, .. }) if place.contains("link-00001")),
        "{done:?}"
    );
    assert_eq!(content(&world.restored(30)).len(), 2000, "the one of 10");
    world.place.fails.store(false, Ordering::SeqCst);
    assert_eq!(world.written(30).0, Kind::Full);
    assert_eq!(content(&world.restored(30)), content(&world.table));
}

#[test]
fn what_was_handed_over_is_written_before_the_end() {
    let mut world = world();
    world.submit(10);
    drop(world.snapshotter);
    assert_eq!(world.store.list(3).unwrap().len(), 1);
}

#[test]
fn a_partition_let_go_while_its_snapshot_is_under_way_begins_a_new_chain() {
    let mut world = world();
    let place = world.place.clone();
    let gate = place.gate.lock().unwrap();
    world.submit(10);
    world.snapshotter.forget(3);
    drop(gate);
    assert!(world.snapshotter.wait()[0].result.is_ok());
    assert_eq!(world.written(20).0, Kind::Full, "changes would be told of a memory that nobody has");
}

#[test]
fn a_thread_that_has_ended_loses_no_snapshot_without_a_word() {
    let mut world = world();
    let place = world.place.clone();
    let poisoned = std::thread::spawn(move || {
        let _gate = place.gate.lock().unwrap();
        panic!("the place is broken from here on");
    });
    assert!(poisoned.join().is_err());
    for offset in [10, 20] {
        let (kind, done) = world.written(offset);
        assert_eq!((kind, done.len(), done[0].offset), (Kind::Full, 1, offset));
        let fault = done[0].result.as_ref().unwrap_err().to_string();
        assert!(fault.starts_with("hand over a snapshot to the thread that writes them: "), "{fault}");
    }
}
