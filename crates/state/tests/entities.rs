//! Entities: found by key, forgotten by time, moved to disk and back, frozen while they change. The twin is a map that
//! does the same slowly.

mod common;

use std::collections::HashMap;
use std::path::Path;

use common::{content, decoded, encoded, table_of};
use lapwing_state::{EntityTable, Kind, StateError};
use proptest::prelude::*;

fn refused(bytes: &[u8], width: usize) -> String {
    match decoded(bytes, vec![0.0; width]).unwrap_err() {
        StateError::Malformed { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn a_key_keeps_its_slot_and_new_entities_start_with_the_initial_words() {
    let mut table = EntityTable::new(vec![0.0, f64::INFINITY]);
    assert_eq!(table.slot("b", i64::MIN).unwrap(), (0, true));
    assert_eq!(table.slot("", i64::MIN).unwrap(), (1, true));
    assert_eq!(table.slot("b", i64::MIN).unwrap(), (0, false));
    table.words_mut(0).unwrap()[0] = 5.0;
    assert_eq!(table.words(0).unwrap(), &[5.0, f64::INFINITY]);
    assert_eq!(
        (&table.peek(0).unwrap()[..], &table.peek(1).unwrap()[..]),
        (&[5.0, f64::INFINITY][..], &[0.0, f64::INFINITY][..])
    );
    assert_eq!((table.len(), table.key(0), table.find(""), table.find("x")), (2, Some("b"), Some(1), None));
    assert!(table.memory_bytes() > 2 * 16, "two entities of two words, and a key");
}

#[test]
fn an_entity_last_seen_long_ago_is_new_whether_it_was_removed_or_not() {
    for hand in [false, true] {
        let mut table = table_of(&[("a", 1.0, 100), ("b", 2.0, 200)], 0.5);
        if hand {
            assert_eq!(table.expire(150, 10), 1);
            assert_eq!((table.len(), table.find("a"), table.key(0)), (1, None, None));
        }
        assert_eq!(table.slot("a", 150).unwrap(), (0, true));
        assert_eq!((&table.peek(0).unwrap()[..], table.last_seen(0), table.expired()), (&[0.5][..], None, 1));
        assert_eq!(table.slot("b", 200).unwrap(), (1, false), "seen at the very limit");
    }
}

#[test]
fn the_hand_looks_at_as_many_slots_as_it_is_told_and_goes_round() {
    let mut table = table_of(&[("a", 0.0, 1), ("b", 0.0, 9), ("c", 0.0, 1), ("d", 0.0, 1)], 0.0);
    assert_eq!((table.expire(5, 1), table.expire(5, 2), table.expire(5, 1), table.expire(5, 100)), (1, 1, 1, 0));
    assert_eq!((table.len(), table.expired()), (1, 3));
    table.slot("e", i64::MIN).unwrap();
    table.slot("f", i64::MIN).unwrap();
    assert_eq!((table.find("e"), table.find("f"), table.slots()), (Some(0), Some(2), 4), "lowest free slots first");
}

#[test]
fn an_older_event_does_not_make_an_entity_older() {
    let mut table = table_of(&[("a", 0.0, 100)], 0.0);
    table.seen(0, 50);
    assert_eq!(table.last_seen(0), Some(100));
    table.seen(0, i64::MAX);
    assert_eq!((table.last_seen(0), table.expire(i64::MAX, 1)), (Some(i64::MAX - 1), 1), "the last time is no mark");
}

#[test]
fn a_guess_is_used_only_if_it_is_right() {
    let mut table = table_of(&[("a", 0.0, 10), ("b", 0.0, 20)], 0.0);
    let mut guesses = [None; 3];
    table.find_ahead(["a", "b", "c"].into_iter(), &mut guesses);
    assert_eq!(guesses, [Some(0), Some(1), None]);
    assert_eq!(table.slot_guessed("b", guesses[1], 20).unwrap(), (1, false));
    assert_eq!(table.slot_guessed("a", guesses[0], 15).unwrap(), (0, true), "expired");
    assert_eq!(table.slot_guessed("c", guesses[0], 0).unwrap(), (2, true));
    assert_eq!(table.slot_guessed("b", Some(77), 20).unwrap(), (1, false));
}

#[test]
fn entities_without_words_are_entities_too() {
    let mut table = EntityTable::new(vec![]);
    table.slot("a", i64::MIN).unwrap();
    let mut back = decoded(&encoded(&mut table, Kind::Full), vec![]).unwrap();
    assert_eq!((back.len(), back.find("a")), (1, Some(0)));
    assert!(back.words(0).unwrap().is_empty());
}

#[test]
fn entities_larger_than_a_chunk_have_one_each() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EntityTable::with_budget(vec![1.0; 5000], 1, &folder.path().join("spill")).unwrap();
    for number in 0..40 {
        let (slot, _) = table.slot(&number.to_string(), i64::MIN).unwrap();
        table.words_mut(slot).unwrap()[4999] = f64::from(number);
    }
    assert_eq!((table.words(3).unwrap()[4999], table.peek(39).unwrap()[4999]), (3.0, 39.0));
    assert_eq!(table.spill_traffic().0, 1, "only one was read back");
}

#[test]
fn spilled_entities_come_back_and_memory_stays_within_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/spill");
    let budget = 1 << 20;
    let mut table = EntityTable::with_budget(vec![0.0; 64], budget, &path).unwrap();
    for number in 0..10_000_u32 {
        let (slot, _) = table.slot(&number.to_string(), i64::MIN).unwrap();
        table.words_mut(slot).unwrap()[63] = f64::from(number);
    }
    assert!(table.memory_bytes() <= budget + 8192, "{} bytes held", table.memory_bytes());
    for number in (0..10_000_u32).rev() {
        let slot = table.find(&number.to_string()).unwrap();
        assert_eq!(table.words_mut(slot).unwrap()[63], f64::from(number));
    }
    drop(table);
    assert!(!path.exists(), "nothing outlives the table");
}

#[test]
fn what_others_take_of_the_budget_goes_to_disk_at_once_and_comes_back_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let budget = 2 << 20;
    let mut table = EntityTable::with_budget(vec![0.0; 64], budget, &folder.path().join("spill")).unwrap();
    for number in 0..2_000_u32 {
        let (slot, _) = table.slot(&number.to_string(), i64::MIN).unwrap();
        table.words_mut(slot).unwrap()[63] = f64::from(number);
    }
    assert_eq!(table.spill_traffic().1, 0, "all fit");
    table.reserve(budget / 2).unwrap();
    assert!(table.memory_bytes() <= budget / 2 + 8192, "{} bytes held", table.memory_bytes());
    // However much others need, a few stay.
    table.reserve(usize::MAX).unwrap();
    assert!(table.memory_bytes() > 0);
    table.reserve(0).unwrap();
    for number in 0..2_000_u32 {
        let slot = table.find(&number.to_string()).unwrap();
        assert_eq!(table.words(slot).unwrap()[63], f64::from(number));
    }
    let read = table.spill_traffic().0;
    for number in 0..2_000_u32 {
        let slot = table.find(&number.to_string()).unwrap();
        table.words(slot).unwrap();
    }
    assert_eq!(table.spill_traffic().0, read, "all are in memory again");
}

#[test]
fn what_is_frozen_stays_while_its_chunks_go_to_disk_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut table = EntityTable::with_budget(vec![0.0; 64], 1, &folder.path().join("spill")).unwrap();
    let fill = |table: &mut EntityTable, word: f64| {
        for number in 0..1000_u32 {
            let (slot, _) = table.slot(&number.to_string(), i64::MIN).unwrap();
            table.words_mut(slot).unwrap().fill(word + f64::from(number));
        }
    };
    fill(&mut table, 0.5);
    let before = content(&table);
    let full = table.freeze(Kind::Full);
    let writer = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        full.encode(&mut bytes).map(|()| bytes)
    });
    fill(&mut table, 0.25);
    let changes = table.freeze(Kind::Delta);
    let after = content(&table);
    fill(&mut table, 0.125);
    let back = decoded(&writer.join().unwrap().unwrap(), vec![0.0; 64]).unwrap();
    assert_eq!(content(&back), before);
    let mut bytes = Vec::new();
    changes.encode(&mut bytes).unwrap();
    assert_eq!(content(&common::read(&bytes, back).unwrap()), after);
}

#[test]
fn a_spill_file_that_cannot_be_made_is_named() {
    let fault = EntityTable::with_budget(vec![0.0], 1, Path::new("/dev/null/spill")).unwrap_err().to_string();
    assert!(fault.starts_with("create the spill file /dev/null/spill: "), "{fault}");
}

#[test]
fn what_is_not_a_table_is_refused_with_the_reason() {
    let mut table = table_of(&[("a", 1.0, 7)], 0.0);
    let good = encoded(&mut table, Kind::Full);
    assert!(refused(&good, 4).ends_with("1 words per entity, 4 expected"));
    let record = |slot: u32, key: &str, time: i64, mask: u8| {
        let mut bytes = [slot.to_le_bytes(), (key.len() as u32).to_le_bytes()].concat();
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(&time.to_le_bytes());
        bytes.push(mask);
        bytes
    };
    let of = |records: &[Vec<u8>]| {
        let block = |bytes: &[u8]| {
            [&(bytes.len() as u32).to_le_bytes()[..], &(bytes.len() as u32).to_le_bytes(), bytes].concat()
        };
        [block(&[1, 0, 0, 0, 0, 0, 0, 0]), block(&records.concat()), vec![0; 4]].concat()
    };
    assert_eq!(decoded(&of(&[record(0, "a", 7, 0)]), vec![0.0]).unwrap().len(), 1);
    assert!(refused(&of(&[record(0, "a", 7, 0), record(1, "a", 7, 0)]), 1).ends_with("an entity is there twice"));
    assert!(refused(&of(&[record(1, "a", 7, 0)]), 1).ends_with("slot 1 comes before the slots below it"));
    assert!(refused(&of(&[record(0, "a", 7, 2)]), 1).ends_with("a mask is longer than its entity"));
    assert!(refused(&of(&[record(0, "a", i64::MAX, 0)]), 1).ends_with("an entity has the event time of a free slot"));
    assert!(refused(&of(&[record(0, "a", 7, 1)]), 1).ends_with("8 bytes wanted, 0 left"));
    assert!(refused(&[9; 20], 1).contains("a block of"));
}

/// What happens to a table.
#[derive(Clone, Debug)]
enum Act {
    Event { key: u8, time: i64, value: u64 },
    Peek { key: u8 },
    Expire { slots: usize },
    Ahead { by: i64 },
    Snapshot { restart: bool },
    FailedSnapshot,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => (any::<u8>(), -30..5_i64, any::<u64>()).prop_map(|(key, time, value)| Act::Event { key, time, value }),
        3 => any::<u8>().prop_map(|key| Act::Peek { key }),
        2 => (0..40_usize).prop_map(|slots| Act::Expire { slots }),
        3 => (0..20_i64).prop_map(|by| Act::Ahead { by }),
        2 => any::<bool>().prop_map(|restart| Act::Snapshot { restart }),
        1 => Just(Act::FailedSnapshot),
    ]
}

/// Short, long and wide keys.
fn name(key: u8) -> String {
    format!("{key}").repeat(1 + usize::from(key) % 11)
}

/// The slow twin: words and newest event time by key; nothing is removed, what is too old counts as absent.
#[derive(Default)]
struct Twin(HashMap<String, (Vec<u64>, i64)>);

impl Twin {
    fn event(&mut self, key: &str, initial: &[f64], before: i64) -> (&mut (Vec<u64>, i64), bool) {
        let new = self.0.get(key).is_none_or(|(_, last)| *last < before);
        if new {
            self.0.insert(key.to_owned(), (initial.iter().map(|word| word.to_bits()).collect(), i64::MIN));
        }
        (self.0.get_mut(key).unwrap(), new)
    }
}

/// Runs acts on a table and its twin; in the end, and at each restart, the files so far give the same table.
fn run(acts: &[Act], width: usize, budget: Option<usize>, folder: &Path) -> Result<(), TestCaseError> {
    let initial: Vec<f64> = (0..width).map(|word| if word % 3 == 0 { -0.0 } else { 0.0 }).collect();
    let fresh = |name: &str| match budget {
        None => EntityTable::new(initial.clone()),
        Some(bytes) => EntityTable::with_budget(initial.clone(), bytes, &folder.join(name)).unwrap(),
    };
    let (mut table, mut twin) = (fresh("live"), Twin::default());
    let (mut now, mut before) = (0, i64::MIN);
    let mut chain: Vec<Vec<u8>> = Vec::new();
    for act in acts {
        match *act {
            Act::Event { key, time, value } => {
                let (key, time) = (name(key), now + time);
                let ((words, last), new) = twin.event(&key, &initial, before);
                let found = table.slot(&key, before).unwrap();
                prop_assert_eq!(found.1, new);
                table.seen(found.0, time);
                *last = time.max(*last);
                if width > 0 {
                    table.words_mut(found.0).unwrap()[value as usize % width] = f64::from_bits(value);
                    words[value as usize % width] = value;
                }
            }
            Act::Peek { key } => {
                if let (Some(slot), Some((words, last))) = (table.find(&name(key)), twin.0.get(&name(key))) {
                    let bits: Vec<u64> = table.peek(slot).unwrap().iter().map(|word| word.to_bits()).collect();
                    prop_assert_eq!((&bits, table.last_seen(slot)), (words, Some(*last)));
                }
            }
            Act::Expire { slots } => {
                table.expire(before, slots);
            }
            Act::Ahead { by } => {
                now += by;
                before = now - 25;
            }
            Act::FailedSnapshot => {
                // Frozen and lost: its changes are told nowhere, so the next is a full one.
                drop(table.freeze(Kind::Delta));
                chain.clear();
            }
            Act::Snapshot { restart } => {
                let kind = if chain.is_empty() { Kind::Full } else { Kind::Delta };
                // Written only after the table has gone on.
                let frozen = table.freeze(kind);
                let at_freeze = content(&table);
                if let (Some(slot), true) = (table.find(&name(7)), width > 0) {
                    table.words_mut(slot).unwrap()[0] = 77.0;
                    twin.0.get_mut(&name(7)).unwrap().0[0] = 77.0_f64.to_bits();
                }
                let mut bytes = Vec::new();
                frozen.encode(&mut bytes).unwrap();
                chain.push(bytes);
                let restored = restored(&chain, fresh("restored"));
                prop_assert_eq!(content(&restored), at_freeze);
                prop_assert_eq!(restored.slots(), table.slots());
                if restart && table.find(&name(7)).is_none() {
                    table = self::restored(&chain, fresh("again"));
                }
            }
        }
    }
    for (key, (words, last)) in twin.0.iter().filter(|(_, (_, last))| *last >= before) {
        let slot = table.find(key).unwrap();
        let bits: Vec<u64> = table.words(slot).unwrap().iter().map(|word| word.to_bits()).collect();
        prop_assert_eq!((&bits, table.last_seen(slot)), (words, Some(*last)));
    }
    Ok(())
}

fn restored(chain: &[Vec<u8>], table: EntityTable) -> EntityTable {
    let mut table = Some(table);
    for bytes in chain {
        let before = table.take().unwrap();
        table = Some(common::read(bytes, before).unwrap());
    }
    table.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_is_the_slow_twin_and_a_chain_of_snapshots_gives_it_back(
        acts in prop::collection::vec(act(), 1..300),
        width in prop_oneof![Just(0_usize), 1..4_usize, Just(70), Just(300)],
    ) {
        run(&acts, width, None, Path::new(""))?;
    }

    #[test]
    fn it_is_the_slow_twin_with_less_memory_than_it_needs(
        acts in prop::collection::vec(act(), 1..300),
        width in prop_oneof![Just(130_usize), Just(300)],
    ) {
        let folder = tempfile::tempdir().unwrap();
        run(&acts, width, Some(0), folder.path())?;
    }

    #[test]
    fn restored_it_goes_on_to_the_same_bytes(
        first in prop::collection::vec(act(), 1..100),
        then in prop::collection::vec(act(), 1..100),
    ) {
        let go = |table: &mut EntityTable, acts: &[Act], now: &mut i64| {
            for act in acts {
                match *act {
                    Act::Event { key, time, value } => {
                        let (slot, _) = table.slot(&name(key), *now - 25).unwrap();
                        table.seen(slot, *now + time);
                        table.words_mut(slot).unwrap()[value as usize % 3] = f64::from_bits(value);
                        table.expire(*now - 25, 1);
                    }
                    Act::Ahead { by } => *now += by,
                    _ => {}
                }
            }
        };
        let (mut table, mut now) = (EntityTable::new(vec![0.0; 3]), 0);
        go(&mut table, &first, &mut now);
        let mut back = decoded(&encoded(&mut table, Kind::Full), vec![0.0; 3]).unwrap();
        let mut same = now;
        go(&mut table, &then, &mut now);
        go(&mut back, &then, &mut same);
        prop_assert_eq!(encoded(&mut back, Kind::Delta), encoded(&mut table, Kind::Delta));
        prop_assert_eq!(encoded(&mut back, Kind::Full), encoded(&mut table, Kind::Full));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let block = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes()[..], &(bytes.len() as u32).to_le_bytes(), bytes].concat();
        let records = [block(&[2, 0, 0, 0, 0, 0, 0, 0]), block(&bytes), vec![0; 4]].concat();
        for bytes in [&bytes, &records] {
            if let Ok(table) = decoded(bytes, vec![0.0; 2]) {
                prop_assert!(content(&table).len() <= bytes.len());
            }
        }
    }
}
