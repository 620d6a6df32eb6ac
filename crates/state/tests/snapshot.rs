//! The snapshot formats: read back, refused when not whole or not ours, and readable for ever.

mod common;

use std::sync::OnceLock;

use common::{content, identity, make, parts, table_of};
use lapwing_state::snapshot::FORMAT_VERSION;
use lapwing_state::{
    EntityTable, Features, Identity, Kind, Link, Plan, Restored, SnapshotParts, SnapshotStore, StateError, restore,
};
use proptest::prelude::*;

const FULL_NAME: &str = "partition-00003-offset-0000000000000008812.snapshot";
const DELTA_NAME: &str = "partition-00003-offset-0000000000000009000-base-0000000000000008812-link-00001.delta";
const DIGEST: &str = "00112233445566778899aabbccddeeff";

fn store() -> (tempfile::TempDir, SnapshotStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SnapshotStore::open(folder.path()).unwrap();
    (folder, store)
}

/// A full snapshot and its changes, of two tables and two sections.
fn small() -> [Vec<u8>; 2] {
    static FILES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    FILES.get_or_init(write_small).clone()
}

fn write_small() -> [Vec<u8>; 2] {
    let (folder, store) = store();
    let mut entities = EntityTable::new(vec![0.0, f64::INFINITY, 0.0]);
    for (key, time) in [("host-1", 1_700_000_000_000_000), ("höst-2", 1_700_000_060_000_000), ("old", 1)] {
        let (slot, _) = entities.slot(key, i64::MIN).unwrap();
        entities.seen(slot, time);
    }
    entities.words_mut(1).unwrap().copy_from_slice(&[-0.0, 0.1, f64::MAX]);
    let mut peers = table_of(&[("a peer group with a name that is long", 1.5, 7)], 0.0);
    let both = &mut [("entities", &mut entities), ("peers", &mut peers)];
    let written = store.write(Plan::Full, parts(DIGEST, 8812, Kind::Full, both)).unwrap();
    entities.expire(2, 3);
    entities.words_mut(0).unwrap()[2] = 4.0;
    let both = &mut [("entities", &mut entities), ("peers", &mut peers)];
    let plan = Plan::Delta { base: 8812, link: 1, previous: written.checksum };
    store.write(plan, parts(DIGEST, 9000, Kind::Delta, both)).unwrap();
    [FULL_NAME, DELTA_NAME].map(|name| std::fs::read(folder.path().join(name)).unwrap())
}

/// Restores from files of these bytes.
fn restored(full: &[u8], delta: Option<&[u8]>, of: &Identity, features: Features) -> Restored {
    let (folder, store) = store();
    std::fs::write(folder.path().join(FULL_NAME), full).unwrap();
    if let Some(delta) = delta {
        std::fs::write(folder.path().join(DELTA_NAME), delta).unwrap();
    }
    restore(&store, of, features, Some(9000), 0, &mut make).unwrap()
}

/// Why the full snapshot was refused.
fn refused(full: &[u8], of: &Identity) -> StateError {
    let mut restored = restored(full, None, of, Features::Same);
    assert!(restored.snapshot.is_none());
    restored.refused.remove(0).1
}

/// The bytes with a new checksum, as only a writer with a fault, or with a purpose, would leave them.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..body]);
    bytes[body..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn what_is_written_is_read_back() {
    let [full, delta] = small();
    let mut snapshot = restored(&full, Some(&delta), &identity(DIGEST), Features::Same).snapshot.unwrap();
    assert_eq!((snapshot.header.offset, &snapshot.header.identity), (9000, &identity(DIGEST)));
    assert_eq!(
        (snapshot.section("at").unwrap(), snapshot.section("shared").unwrap()),
        (&9000_i64.to_le_bytes()[..], &[][..])
    );
    let missing = snapshot.section("baselines").unwrap_err().to_string();
    assert!(missing.contains("it has no section `baselines`"), "{missing}");
    let entities = snapshot.take_table("entities").unwrap();
    assert_eq!((entities.len(), entities.slots(), entities.find("old")), (2, 3, None));
    assert_eq!(entities.peek(0).unwrap()[..], [0.0, f64::INFINITY, 4.0]);
    assert_eq!((entities.peek(1).unwrap()[0].to_bits(), entities.last_seen(1)), (1 << 63, Some(1_700_000_060_000_000)));
    let peers = snapshot.take_table("peers").unwrap();
    assert_eq!((peers.key(0), peers.last_seen(0)), (Some("a peer group with a name that is long"), Some(7)));
    assert!(snapshot.take_table("peers").unwrap_err().to_string().contains("it has no table `peers`"));
}

#[test]
fn format_2_is_what_is_written_and_stays_readable() {
    let golden = [&include_bytes!("golden/snapshot-2.bin")[..], include_bytes!("golden/snapshot-2-delta.bin")];
    let [full, delta] = small();
    assert!(
        full == golden[0] && delta == golden[1],
        "the format changed: raise FORMAT_VERSION and keep the old reader"
    );
}

#[test]
fn format_1_stays_readable() {
    let golden = include_bytes!("golden/snapshot-1.bin");
    let mut snapshot = restored(golden, None, &identity(DIGEST), Features::Same).snapshot.unwrap();
    assert_eq!((snapshot.header.offset, snapshot.header.plan), (8812, Plan::Full));
    assert_eq!(
        (snapshot.section("shared").unwrap(), snapshot.section("watermark").unwrap()),
        (&[][..], &[1, 2, 3][..])
    );
    let mut table = snapshot.take_table("entities").unwrap();
    let words = |table: &EntityTable, slot| table.peek(slot).unwrap().to_vec();
    assert_eq!((table.key(1), words(&table, 0)), (Some("höst-2"), vec![0.0, f64::INFINITY, 0.0]));
    assert_eq!((words(&table, 1)[0].to_bits(), words(&table, 1)[1]), (1 << 63, 0.1));
    table.seen_all(5);
    assert_eq!((table.last_seen(1), table.expire(5, 2)), (Some(5), 0));
}

#[test]
fn torn_at_any_byte_it_is_refused_as_torn() {
    for whole in [&small()[0], &include_bytes!("golden/snapshot-1.bin").to_vec()] {
        for length in 0..whole.len() {
            match refused(&whole[..length], &identity(DIGEST)) {
                StateError::Torn { found, .. } => assert_eq!(found, length as u64),
                other => panic!("cut to {length} bytes: {other:?}"),
            }
        }
        let fault = refused(&[&whole[..], &[0]].concat(), &identity(DIGEST));
        assert!(matches!(fault, StateError::Torn { .. }), "{fault}");
    }
}

#[test]
fn any_byte_that_differs_is_noticed() {
    let whole = small()[0].clone();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let fault = refused(&damaged, &identity(DIGEST));
        let right = match at {
            0..8 => matches!(fault, StateError::NotASnapshot),
            8..10 => matches!(fault, StateError::Newer { .. }),
            _ if (whole.len() - 12..whole.len() - 4).contains(&at) => matches!(fault, StateError::Torn { .. }),
            _ => matches!(fault, StateError::Checksum { .. }),
        };
        assert!(right, "byte {at}: {fault}");
    }
}

#[test]
fn a_newer_format_is_named() {
    let mut newer = small()[0].clone();
    newer[8..10].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
    match refused(&sealed(newer), &identity(DIGEST)) {
        StateError::Newer { found: 3, known: 2 } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_snapshot_of_another_is_refused() {
    let [full, _] = small();
    for change in 0..2 {
        let mut other = identity(DIGEST);
        match change {
            0 => other.pipeline = "logs".into(),
            _ => other.topic = "lines".into(),
        }
        let text = refused(&full, &other).to_string();
        assert!(text.starts_with("read snapshot: it is of telemetry sensor_messages[3], not of "), "{text}");
        assert!(restored(&full, None, &other, Features::Any).snapshot.is_none(), "nor with any features");
    }
}

#[test]
fn a_snapshot_of_other_features_is_read_only_if_asked_for_and_tells_its_layout() {
    let [full, delta] = small();
    let now = identity("other");
    let fault = refused(&full, &now);
    assert!(matches!(fault, StateError::OtherFeatures { .. }), "{fault}");
    let snapshot = restored(&full, Some(&delta), &now, Features::Any).snapshot.unwrap();
    let found = snapshot.header.identity;
    assert_eq!((found.graph_digest.as_str(), &found.layout[..]), (DIGEST, &[1, 2, 3][..]));
    assert_eq!(content(&snapshot.tables[0].1).len(), 2);
}

#[test]
fn changes_of_other_features_do_not_continue_a_chain() {
    let (_folder, store) = store();
    let mut table = table_of(&[("a", 1.0, 1)], 0.0);
    let written = store.write(Plan::Full, parts("one", 10, Kind::Full, &mut [("t", &mut table)])).unwrap();
    let plan = Plan::Delta { base: 10, link: 1, previous: written.checksum };
    store.write(plan, parts("two", 20, Kind::Delta, &mut [("t", &mut table)])).unwrap();
    let restored = restore(&store, &identity("one"), Features::Any, Some(20), 0, &mut make).unwrap();
    assert_eq!(restored.recovery.snapshot, Some(10));
    let (link, fault) = &restored.refused[0];
    assert_eq!((link.offset, fault.to_string().contains("it continues a chain of other features")), (20, true));
}

#[test]
fn names_that_do_not_fit_are_refused_when_written_and_leave_nothing() {
    let (folder, store) = store();
    let long = Identity { pipeline: "p".repeat(65_536), ..identity(DIGEST) };
    let parts = SnapshotParts { identity: long, offset: 0, tables: Vec::new(), sections: Vec::new() };
    let fault = store.write(Plan::Full, parts).unwrap_err();
    assert!(matches!(fault, StateError::TooLong { length: 65_536, longest: 65_535, .. }), "{fault}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn large_sections_come_back_whole() {
    let (_folder, store) = store();
    let large: Vec<u8> = (0..1_000_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect();
    let sections = vec![("large".to_owned(), large.clone())];
    let parts = SnapshotParts { identity: identity(DIGEST), offset: 5, tables: Vec::new(), sections };
    let written = store.write(Plan::Full, parts).unwrap();
    assert!(written.bytes < large.len() as u64 / 2, "{} bytes of {}", written.bytes, large.len());
    let restored = restore(&store, &identity(DIGEST), Features::Same, Some(5), 0, &mut make).unwrap();
    assert!(restored.snapshot.unwrap().section("large").unwrap() == large);
    assert_eq!(store.list(3).unwrap(), [Link::full(5)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_it_panic_even_with_a_right_checksum(
        which in 0..3_usize,
        at in 10..400_usize,
        noise in prop::collection::vec(any::<u8>(), 1..24),
    ) {
        let [full, delta] = small();
        let mut files = [full, delta, include_bytes!("golden/snapshot-1.bin").to_vec()];
        let bytes = &mut files[which];
        // Length and checksum stay right.
        let last = bytes.len() - 12;
        let (at, end) = (at.min(last), (at + noise.len()).min(last));
        bytes[at..end].copy_from_slice(&noise[..end - at]);
        let bytes = sealed(std::mem::take(bytes));
        files[which] = bytes;
        let [full, delta, first] = &files;
        let full = if which == 2 { first } else { full };
        let delta = (which == 1).then_some(&delta[..]);
        restored(full, delta, &identity(DIGEST), Features::Any);
    }
}
