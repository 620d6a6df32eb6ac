//! Entities: found by key, kept in order, written and read back to the last bit.

use lapwing_state::{EntityTable, StateError};
use proptest::prelude::*;

fn encoded(table: &EntityTable) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.encode(&mut bytes).unwrap();
    bytes
}

fn refused(bytes: &[u8], initial: Vec<f64>) -> String {
    match EntityTable::decode(bytes, initial).unwrap_err() {
        StateError::Malformed { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn a_key_keeps_its_slot_and_new_entities_start_with_the_initial_words() {
    let mut table = EntityTable::new(vec![0.0, f64::INFINITY]);
    assert_eq!((table.slot(b"b"), table.slot(b""), table.slot(b"b")), ((0, true), (1, true), (0, false)));
    table.words_mut(0)[0] = 5.0;
    assert_eq!((table.words(0), table.words(1)), (&[5.0, f64::INFINITY][..], &[0.0, f64::INFINITY][..]));
    assert_eq!((table.len(), table.key(0), table.find(b""), table.find(b"x")), (2, &b"b"[..], Some(1), None));
    assert!(table.memory_bytes() > 2 * 16, "two entities of two words, and a key");
}

#[test]
fn slots_survive_growth_and_follow_the_order_of_first_appearance() {
    let mut table = EntityTable::new(vec![0.0]);
    for number in 0..10_000_usize {
        let slot = table.slot(number.to_string().as_bytes());
        assert_eq!(slot, (number, true));
        table.words_mut(number)[0] = number as f64;
    }
    for (number, (key, words)) in table.iter().enumerate() {
        assert_eq!((key, words), (number.to_string().as_bytes(), &[number as f64][..]));
    }
    assert_eq!(table.slot(b"7777"), (7777, false));
}

#[test]
fn entities_without_words_are_entities_too() {
    let mut table = EntityTable::new(vec![]);
    table.slot(b"a");
    let back = EntityTable::decode(&encoded(&table), vec![]).unwrap();
    assert_eq!((back.len(), back.words(0).len(), back.find(b"a")), (1, 0, Some(0)));
}

#[test]
fn words_that_are_zero_take_one_bit() {
    let mut table = EntityTable::new(vec![0.0; 240]);
    table.slot(b"host-1");
    table.words_mut(0)[17] = 1.0;
    assert_eq!(encoded(&table).len(), 12 + 4 + 6 + 30 + 8);
}

#[test]
fn what_is_not_a_table_is_refused_with_the_reason() {
    let mut table = EntityTable::new(vec![0.0; 3]);
    table.slot(b"a");
    let good = encoded(&table);
    assert!(refused(&good, vec![0.0; 4]).ends_with("3 words per entity, 4 expected"));
    assert!(refused(&[&good[..], b"x"].concat(), vec![0.0; 3]).ends_with("1 bytes left over"));
    let mut twice = [&good[..], &good[12..]].concat();
    twice[4] = 2;
    assert!(refused(&twice, vec![0.0; 3]).ends_with("an entity is there twice"));
    let mut mask = good.clone();
    *mask.last_mut().unwrap() = 0b1000;
    assert!(refused(&mask, vec![0.0; 3]).ends_with("a mask is longer than its entity"));
    let mut many = good;
    many[4..12].fill(0xff);
    assert!(refused(&many, vec![0.0; 3]).ends_with("4 bytes wanted, 0 left"));
}

proptest! {
    // Each case also cuts the bytes at every length.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_table_is_read_back_to_the_last_bit(
        keys in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 0..30),
        width in 0..20_usize,
        bits in prop::collection::vec(prop_oneof![Just(0_u64), Just(1 << 63), any::<u64>()], 600),
    ) {
        let mut table = EntityTable::new(vec![0.0; width]);
        for (number, key) in keys.iter().enumerate() {
            let (slot, _) = table.slot(key);
            for (word, bits) in table.words_mut(slot).iter_mut().zip(&bits[number * width..]) {
                *word = f64::from_bits(*bits);
            }
        }
        let bytes = encoded(&table);
        let back = EntityTable::decode(&bytes, vec![0.0; width]).unwrap();
        prop_assert_eq!(encoded(&back), bytes.clone());
        for ((key, words), (other, others)) in table.iter().zip(back.iter()) {
            prop_assert_eq!(key, other);
            prop_assert!(words.iter().zip(others).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
        for length in 0..bytes.len() {
            prop_assert!(EntityTable::decode(&bytes[..length], vec![0.0; width]).is_err());
        }
    }

}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let start = [&2_u32.to_le_bytes()[..], &bytes].concat();
        let _ = EntityTable::decode(&start, vec![0.0; 2]);
        let _ = EntityTable::decode(&bytes, vec![0.0; 2]);
    }
}
