//! Snapshots in a folder: written whole, listed in order, cleaned, and restored past those that cannot be read.

use std::fs;

use lapwing_state::snapshot::encode;
use lapwing_state::{Header, Identity, SnapshotStore, StateError, restore};

fn identity(digest: &str) -> Identity {
    Identity { pipeline: "p".into(), topic: "t".into(), partition: 2, graph_digest: digest.into() }
}

fn snapshot(digest: &str, offset: i64) -> Vec<u8> {
    encode(&Header { identity: identity(digest), offset }, &[("at", &offset.to_le_bytes())]).unwrap()
}

fn store() -> (tempfile::TempDir, SnapshotStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SnapshotStore::open(folder.path().join("state/deep")).unwrap();
    (folder, store)
}

#[test]
fn snapshots_are_listed_by_partition_in_the_order_of_offsets() {
    let (_folder, store) = store();
    for (partition, offset) in [(2, 100), (2, 9), (1, 50), (2, i64::MAX), (12, 1)] {
        store.write(partition, offset, format!("{partition}@{offset}").as_bytes()).unwrap();
    }
    fs::write(store.folder().join("partition-00002-offset-12.snapshot"), "of another hand").unwrap();
    fs::write(store.folder().join("notes.txt"), "of another hand").unwrap();
    assert_eq!(store.list(2).unwrap(), [9, 100, i64::MAX]);
    assert_eq!(store.list(3).unwrap(), [0; 0]);
    assert_eq!(store.read(2, 100).unwrap(), b"2@100");
    assert!(store.folder().join("partition-00002-offset-0000000000000000100.snapshot").exists());
}

#[test]
fn a_snapshot_written_again_replaces_the_first() {
    let (_folder, store) = store();
    store.write(0, 5, b"first").unwrap();
    store.write(0, 5, b"second").unwrap();
    assert_eq!((store.list(0).unwrap(), store.read(0, 5).unwrap()), (vec![5], b"second".to_vec()));
}

#[test]
fn cleaning_keeps_the_newest_and_removes_what_dead_writers_left() {
    let (_folder, store) = store();
    for offset in [10, 20, 30, 40] {
        store.write(2, offset, b"x").unwrap();
    }
    store.write(1, 5, b"x").unwrap();
    let left = store.folder().join("partition-00002-offset-0000000000000000050.1.unfinished");
    fs::write(&left, "half").unwrap();
    assert_eq!(store.list(2).unwrap(), [10, 20, 30, 40], "what is unfinished is not listed");
    assert_eq!(store.clean(2, 2).unwrap(), 2);
    assert_eq!((store.list(2).unwrap(), store.list(1).unwrap()), (vec![30, 40], vec![5]));
    assert!(!left.exists());
    assert_eq!((store.clean(2, 0).unwrap(), store.list(2).unwrap()), (1, vec![40]));
}

#[test]
fn errors_name_the_file_and_the_remedy() {
    let (folder, store) = store();
    let missing = store.read(2, 7).unwrap_err();
    assert!(matches!(missing, StateError::Missing { partition: 2, offset: 7, .. }), "{missing}");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let text = SnapshotStore::open(&file).unwrap_err().to_string();
    assert!(text.contains("file") && text.ends_with("a file is in the way: move it elsewhere"), "{text}");
    fs::remove_dir_all(store.folder()).unwrap();
    let gone = store.write(2, 7, b"x").unwrap_err().to_string();
    assert!(gone.starts_with("write snapshot ") && gone.contains("offset-0000000000000000007.snapshot"), "{gone}");
}

#[test]
fn a_failed_write_leaves_nothing_that_is_listed() {
    let (_folder, store) = store();
    // A folder of the snapshot's own name lets the rename fail, after everything was written.
    fs::create_dir(store.folder().join("partition-00002-offset-0000000000000000007.snapshot")).unwrap();
    let fault = store.write(2, 7, b"x").unwrap_err();
    assert!(matches!(fault, StateError::Storage { act: "write snapshot", .. }), "{fault}");
    assert_eq!(fs::read_dir(store.folder()).unwrap().count(), 1);
}

#[test]
fn the_newest_that_can_be_read_is_restored() {
    let (_folder, store) = store();
    for offset in [10, 20] {
        store.write(2, offset, &snapshot("now", offset)).unwrap();
    }
    store.write(2, 30, &snapshot("then", 30)).unwrap();
    store.write(2, 40, &snapshot("now", 40)[..50]).unwrap();
    store.write(2, 45, &snapshot("now", 44)).unwrap();
    store.write(2, 60, &snapshot("now", 60)).unwrap();
    let restored = restore(&store, &identity("now"), Some(50), 0).unwrap();
    assert_eq!(restored.snapshot.unwrap().section("at").unwrap(), 20_i64.to_le_bytes());
    let recovery = restored.recovery;
    assert_eq!((recovery.snapshot, recovery.replay_from, recovery.live_from), (Some(20), 20, 50));
    let [(45, StateError::Malformed { .. }), (40, StateError::Torn { .. }), (30, StateError::OtherFeatures { .. })] =
        &restored.refused[..]
    else {
        panic!("{:?}", restored.refused)
    };
}

#[test]
fn when_none_can_be_read_everything_is_replayed() {
    let (_folder, store) = store();
    store.write(2, 10, b"LAPW").unwrap();
    let restored = restore(&store, &identity("now"), Some(50), 3).unwrap();
    assert!(restored.snapshot.is_none() && restored.refused.len() == 1);
    assert_eq!((restored.recovery.replay_from, restored.recovery.live_from), (3, 50));
    let fresh = restore(&store, &identity("now"), None, 3).unwrap();
    assert_eq!((fresh.recovery.live_from, fresh.refused.len()), (3, 0));
}
