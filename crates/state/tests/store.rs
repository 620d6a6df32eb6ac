//! Snapshots in a place: written whole, listed in order, cleaned, and restored past those that cannot be read.

mod common;

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use common::{identity, make, parts, table_of};
use lapwing_state::{
    EntityTable, Features, Kind, Link, LocalFolder, Plan, Restored, SnapshotPlace, SnapshotStore, StateError, Written,
    restore,
};

struct World {
    _folder: tempfile::TempDir,
    path: PathBuf,
    store: SnapshotStore,
    table: EntityTable,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/deep");
    let store = SnapshotStore::open(&path).unwrap();
    World { _folder: folder, path, store, table: table_of(&[("a", 0.0, 1)], 0.0) }
}

impl World {
    /// Writes a snapshot in which the one entity's word is the offset.
    fn write(&mut self, plan: Plan, offset: i64) -> Written {
        self.table.words_mut(0).unwrap()[0] = offset as f64;
        let parts = parts("now", offset, plan.kind(), &mut [("entities", &mut self.table)]);
        self.store.write(plan, parts).unwrap()
    }

    /// Writes a chain: the first a full one, the others changes.
    fn chain(&mut self, offsets: &[i64]) {
        let mut written = self.write(Plan::Full, offsets[0]);
        for (number, offset) in offsets.iter().enumerate().skip(1) {
            let plan = Plan::Delta { base: offsets[0], link: number as u16, previous: written.checksum };
            written = self.write(plan, *offset);
        }
    }

    fn restore(&self, committed: i64) -> Restored {
        restore(&self.store, &identity("now"), Features::Same, Some(committed), 0, &mut make).unwrap()
    }

    /// The word of the one entity after a restart.
    fn word(restored: Restored) -> f64 {
        restored.snapshot.unwrap().take_table("entities").unwrap().peek(0).unwrap()[0]
    }

    fn file(&self, start: &str) -> PathBuf {
        let mut names = fs::read_dir(&self.path).unwrap().map(|entry| entry.unwrap().path());
        names.find(|path| path.file_name().unwrap().to_str().unwrap().contains(start)).unwrap()
    }

    fn offsets(&self) -> Vec<i64> {
        self.store.list(3).unwrap().iter().map(|link| link.offset).collect()
    }

    fn damage(&self, start: &str) {
        let path = self.file(start);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }
}

fn refusals(restored: &Restored) -> Vec<(i64, String)> {
    restored.refused.iter().map(|(link, fault)| (link.offset, fault.to_string())).collect()
}

#[test]
fn snapshots_are_listed_by_partition_from_old_to_new() {
    let mut world = world();
    world.chain(&[100, 120]);
    world.chain(&[9]);
    world.chain(&[i64::MAX]);
    for name in [
        "partition-00003-offset-12.snapshot",
        "partition-00012-offset-0000000000000000001.snapshot",
        "partition-00003-offset-0000000000000000012-base-0000000000000000009-link-00000.delta",
        "partition-00003-offset-0000000000000000012-base-0000000000000000009-link-99999.delta",
        "notes.txt",
    ] {
        fs::write(world.path.join(name), "of another hand").unwrap();
    }
    let link = |base, link, offset| Link { offset, base, link };
    let expected = [Link::full(9), Link::full(100), link(100, 1, 120), Link::full(i64::MAX)];
    assert_eq!(world.store.list(3).unwrap(), expected);
    assert_eq!(world.store.list(4).unwrap(), []);
    assert!(world.path.join("partition-00003-offset-0000000000000000100.snapshot").exists());
}

#[test]
fn a_full_snapshot_written_again_replaces_the_first_and_what_continued_it() {
    let mut world = world();
    world.chain(&[5, 7, 8]);
    world.table.slot("b", i64::MIN).unwrap();
    world.chain(&[5]);
    assert_eq!(world.offsets(), [5]);
    assert_eq!(world.restore(9).snapshot.unwrap().take_table("entities").unwrap().len(), 2);
}

#[test]
fn cleaning_keeps_two_chains_and_removes_what_dead_writers_left() {
    let mut world = world();
    for chain in [&[10, 12][..], &[20, 22], &[30]] {
        world.chain(chain);
    }
    let left = world.path.join("partition-00003-offset-0000000000000000050.snapshot.1.unfinished");
    fs::write(&left, "half").unwrap();
    assert_eq!(world.offsets(), [10, 12, 20, 22, 30], "what is unfinished is not listed");
    assert_eq!(world.store.clean(4, Link::full(30)).unwrap(), 0);
    assert!(left.exists(), "of another partition's owner");
    assert_eq!(world.store.clean(3, Link::full(30)).unwrap(), 2);
    assert_eq!((world.offsets(), left.exists()), (vec![20, 22, 30], false));
}

#[test]
fn a_place_gives_what_was_put_and_names_what_is_missing() {
    let world = world();
    let place = LocalFolder::open(&world.path).unwrap();
    place.put("a-1", Box::new(|out| out.write_all(b"first"))).unwrap();
    place.put("a-1", Box::new(|out| out.write_all(b"second"))).unwrap();
    place.put("b-1", Box::new(|_| Ok(()))).unwrap();
    let mut bytes = Vec::new();
    place.get("a-1").unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!((place.list("a-").unwrap(), &bytes[..]), (vec!["a-1".to_owned()], &b"second"[..]));
    let fault = place.put("a-1", Box::new(|_| Err(std::io::Error::other("no"))));
    assert!(fault.unwrap_err().to_string().contains("a-1: no; "));
    place.delete("a-1").unwrap();
    place.delete("a-1").unwrap();
    let missing = place.get("a-1").err().unwrap();
    assert!(
        matches!(&missing, StateError::Missing { name, place } if name == "a-1" && place.ends_with("deep")),
        "{missing}"
    );
    assert_eq!(place.list("").unwrap(), ["b-1"]);
}

#[test]
fn errors_name_the_file_and_the_remedy() {
    let mut world = world();
    let file = world.path.join("file");
    fs::write(&file, "").unwrap();
    let text = SnapshotStore::open(&file).unwrap_err().to_string();
    assert!(text.contains("file") && text.ends_with("a file is in the way: move it elsewhere"), "{text}");
    // A folder of the snapshot's own name lets the rename fail, after everything was written.
    fs::create_dir(world.path.join("partition-00003-offset-0000000000000000007.snapshot")).unwrap();
    let seven = parts("now", 7, Kind::Full, &mut [("entities", &mut world.table)]);
    let fault = world.store.write(Plan::Full, seven).unwrap_err();
    assert!(matches!(fault, StateError::Storage { act: "write snapshot", .. }), "{fault}");
    assert_eq!(fs::read_dir(&world.path).unwrap().count(), 2);
    fs::remove_dir_all(&world.path).unwrap();
    let seven = parts("now", 7, Kind::Full, &mut [("entities", &mut world.table)]);
    let gone = world.store.write(Plan::Delta { base: 1, link: 1, previous: 0 }, seven).unwrap_err().to_string();
    assert!(gone.starts_with("write snapshot ") && gone.contains("offset-0000000000000000007-base"), "{gone}");
}

#[test]
fn a_damaged_change_gives_the_chain_up_to_it() {
    let mut world = world();
    world.chain(&[10, 20, 30, 40]);
    world.damage("0000030-base");
    let restored = world.restore(50);
    assert_eq!((restored.recovery.snapshot, restored.recovery.replay_from), (Some(20), 20));
    let [(40, forty), (30, thirty)] = &refusals(&restored)[..] else { panic!("{restored:?}") };
    assert!(forty.contains("checksum") && thirty.contains("link 2 does not read back"), "{forty}; {thirty}");
    assert_eq!(World::word(restored), 20.0);
}

#[test]
fn a_damaged_base_gives_the_older_chain() {
    let mut world = world();
    world.chain(&[10, 15]);
    world.chain(&[20, 30, 40]);
    world.damage("0000020.snapshot");
    let restored = world.restore(35);
    assert_eq!(restored.recovery.snapshot, Some(15));
    let offsets: Vec<i64> = restored.refused.iter().map(|(link, _)| link.offset).collect();
    assert_eq!((offsets, World::word(restored)), (vec![30, 20], 15.0));
}

#[test]
fn a_missing_link_is_said() {
    let mut world = world();
    world.chain(&[10, 20, 30]);
    fs::remove_file(world.file("0000020-base")).unwrap();
    let restored = world.restore(50);
    assert!(refusals(&restored)[0].1.contains("link 1 is missing"), "{restored:?}");
    assert_eq!(World::word(restored), 10.0);
}

#[test]
fn changes_upon_another_snapshot_are_refused() {
    let mut world = world();
    world.chain(&[10, 20]);
    let delta = world.file("0000020-base");
    let bytes = fs::read(&delta).unwrap();
    // A former owner that is not dead yet writes its own full snapshot at the same offset.
    world.table.slot("b", i64::MIN).unwrap();
    world.chain(&[10]);
    fs::write(delta, bytes).unwrap();
    let restored = world.restore(50);
    assert!(refusals(&restored)[0].1.contains("link 0 is another than it was made for"), "{restored:?}");
    assert_eq!(World::word(restored), 10.0);
}

#[test]
fn a_file_under_another_name_is_refused() {
    let mut world = world();
    world.chain(&[10]);
    fs::copy(world.file("0000010.snapshot"), world.path.join("partition-00003-offset-0000000000000000044.snapshot"))
        .unwrap();
    let restored = world.restore(50);
    assert!(refusals(&restored)[0].1.contains("the file's name says"), "{restored:?}");
    assert_eq!(restored.recovery.snapshot, Some(10));
}

#[test]
fn when_none_can_be_read_everything_is_replayed() {
    let mut world = world();
    world.chain(&[10]);
    world.damage("0000010.snapshot");
    let restored = world.restore(50);
    assert!(restored.snapshot.is_none() && restored.refused.len() == 1);
    assert_eq!((restored.recovery.replay_from, restored.recovery.live_from), (0, 50));
    let fresh = restore(&world.store, &identity("now"), Features::Same, None, 3, &mut make).unwrap();
    assert_eq!((fresh.recovery.live_from, fresh.refused.len()), (3, 0));
}
