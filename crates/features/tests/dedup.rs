//! Repeats within a horizon against a slow, obvious twin, and the guarantees one by one.

use lapwing_features::Dedup;
use lapwing_features::dedup::{DEDUP_VERSION, hash_of};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{HOUR, SECOND};
use proptest::prelude::*;
use std::collections::HashMap;

fn bytes_of(dedup: &Dedup) -> Vec<u8> {
    let mut bytes = Vec::new();
    dedup.encode(&mut bytes);
    bytes
}

/// Remembers every id for ever, with the event time reached when it was last new.
#[derive(Default)]
struct Twin {
    progress: Option<i64>,
    originals: HashMap<u32, i64>,
}

/// What the guarantee says of an event.
#[derive(PartialEq, Debug)]
enum Must {
    Repeat,
    New,
    Either,
}

impl Twin {
    fn must(&mut self, id: u32, time: i64, horizon: i64) -> Must {
        let progress = self.progress.map_or(time, |seen| seen.max(time));
        self.progress = Some(progress);
        match self.originals.get(&id) {
            None => Must::New,
            Some(original) if progress - original <= horizon => Must::Repeat,
            Some(original) if progress - original >= horizon / 4 * 5 => Must::New,
            Some(_) => Must::Either,
        }
    }

    fn was_new(&mut self, id: u32) {
        self.originals.insert(id, self.progress.unwrap());
    }
}

/// Few ids, time that mostly creeps on, sometimes leaps and sometimes falls back.
fn events() -> impl Strategy<Value = Vec<(u32, i64)>> {
    let step = prop_oneof![8 => 0..6_i64, 2 => -60..0_i64, 1 => 0..400_i64];
    proptest::collection::vec((0..60_u32, step), 1..400)
}

fn timed(events: Vec<(u32, i64)>) -> impl Iterator<Item = (u32, i64)> {
    events.into_iter().scan(-500, |now, (id, step)| {
        *now += step.max(0);
        Some((id, *now + step.min(0)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn within_the_horizon_it_agrees_with_the_twin(events in events(), quarter in 1..50_i64) {
        let horizon = quarter * 4;
        let (mut dedup, mut twin) = (Dedup::new(horizon, 1_000), Twin::default());
        for (id, time) in timed(events) {
            let must = twin.must(id, time, horizon);
            let repeat = dedup.is_repeat(&id.to_le_bytes(), EventTime(time));
            match must {
                Must::Repeat => prop_assert!(repeat, "id {} at {} is a repeat", id, time),
                Must::New => prop_assert!(!repeat, "id {} at {} is new", id, time),
                Must::Either => {}
            }
            if !repeat {
                twin.was_new(id);
            }
        }
        prop_assert_eq!(dedup.forgotten(), 0);
    }

    #[test]
    fn the_newest_three_quarters_of_the_bound_are_remembered(
        events in events(), quarter in 1..50_i64, ids_max in 4..40_usize,
    ) {
        let horizon = quarter * 4;
        let (mut dedup, mut twin) = (Dedup::new(horizon, ids_max), Twin::default());
        let (mut new_ids, mut repeats) = (Vec::new(), 0);
        for (id, time) in timed(events) {
            let must = twin.must(id, time, horizon);
            let repeat = dedup.is_repeat(&id.to_le_bytes(), EventTime(time));
            let safe = &new_ids[new_ids.len().saturating_sub(ids_max - ids_max / 4)..];
            if must == Must::Repeat && safe.contains(&id) {
                prop_assert!(repeat, "id {} at {} is one of the newest", id, time);
            }
            prop_assert!(must != Must::New || !repeat);
            if repeat {
                repeats += 1;
            } else {
                new_ids.push(id);
                twin.was_new(id);
            }
            prop_assert!(dedup.len() <= ids_max);
        }
        prop_assert_eq!(dedup.repeats(), repeats);
        prop_assert!(dedup.forgotten() <= new_ids.len() as u64);
    }

    #[test]
    fn stopped_anywhere_and_restored_it_goes_on_alike(
        events in events(), quarter in 1..50_i64, ids_max in 4..40_usize, stop in 0..400_usize,
    ) {
        let mut whole = Dedup::new(quarter * 4, ids_max);
        let mut halting = whole.clone();
        for (index, (id, time)) in timed(events).enumerate() {
            if index == stop {
                let bytes = bytes_of(&halting);
                halting = Dedup::decode(&bytes).unwrap();
                prop_assert_eq!(bytes_of(&halting), bytes);
            }
            let id = id.to_le_bytes();
            prop_assert_eq!(whole.is_repeat(&id, EventTime(time)), halting.is_repeat(&id, EventTime(time)));
        }
        prop_assert_eq!(bytes_of(&whole), bytes_of(&halting));
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_as_they_stand(flips in proptest::collection::vec((0..400_usize, 0..8), 1..4)) {
        let mut bytes = bytes_of(&small());
        for (place, bit) in flips {
            let place = place % bytes.len();
            bytes[place] ^= 1_u8 << bit;
        }
        if let Ok(mut read) = Dedup::decode(&bytes) {
            prop_assert_eq!(bytes_of(&read), bytes);
            read.is_repeat(b"one more", EventTime(i64::MAX));
        }
    }
}

fn small() -> Dedup {
    let mut dedup = Dedup::new(HOUR, 8);
    for (index, id) in ["a", "b", "a", "c", "höst-7/19", "d", "a long id, longer than sixteen bytes"].iter().enumerate()
    {
        dedup.is_repeat(id.as_bytes(), EventTime(1_772_000_000 * SECOND + index as i64 * HOUR / 8));
    }
    dedup
}

#[test]
fn format_1_stays_readable_and_is_what_is_written() {
    let golden = include_bytes!("golden/dedup-1.bin");
    let why = "raise DEDUP_VERSION and keep the old reader; or the hash changed, and a restart forgets all ids";
    assert_eq!(bytes_of(&small()), golden, "{why}");
    let read = Dedup::decode(golden).unwrap();
    assert_eq!((read.len(), read.repeats(), read.forgotten()), (small().len(), 1, small().forgotten()));
}

#[test]
fn a_repeat_at_the_end_of_the_horizon_is_recognised_and_none_after_five_quarters() {
    for start in [-1_000, -1, 0, 7, 24, 25] {
        for moved in 0..200 {
            let mut dedup = Dedup::new(100, 1_000);
            assert!(!dedup.is_repeat(b"a", EventTime(start)));
            dedup.is_repeat(b"b", EventTime(start + moved));
            let repeat = dedup.is_repeat(b"a", EventTime(start));
            assert!(repeat || moved > 100, "{moved} after {start}");
            assert!(!repeat || moved < 125, "{moved} after {start}");
        }
    }
}

#[test]
fn an_old_event_is_remembered_from_when_it_came() {
    let mut dedup = Dedup::new(100, 1_000);
    dedup.is_repeat(b"now", EventTime(10_000));
    assert!(!dedup.is_repeat(b"late", EventTime(5)));
    dedup.advance(EventTime(10_100));
    assert!(dedup.is_repeat(b"late", EventTime(5)));
}

#[test]
fn a_repeat_does_not_renew_its_id() {
    let mut dedup = Dedup::new(100, 1_000);
    let repeats: Vec<i64> = (0..300).step_by(10).filter(|time| !dedup.is_repeat(b"a", EventTime(*time))).collect();
    assert_eq!(repeats, [0, 130, 250], "once in a horizon it is new, five quarters at most");
}

#[test]
fn what_the_bound_takes_is_counted() {
    let mut dedup = Dedup::new(HOUR, 100);
    for id in 0..1_000_u32 {
        assert!(!dedup.is_repeat(&id.to_le_bytes(), EventTime(0)));
    }
    assert!((75..=100).contains(&dedup.len()), "{}", dedup.len());
    assert_eq!(dedup.forgotten() + dedup.len() as u64, 1_000);
    dedup.advance(EventTime(2 * HOUR));
    assert!(dedup.is_empty());
    assert_eq!(dedup.forgotten(), 1_000 - 100, "what the horizon takes is not");
}

#[test]
fn times_and_settings_at_the_ends_of_the_scale_do_not_overflow() {
    for horizon in [i64::MIN, 0, 1, 3, i64::MAX] {
        for ids_max in [0, 1, 5, usize::MAX] {
            let mut dedup = Dedup::new(horizon, ids_max);
            for time in [i64::MIN, -1, 0, i64::MAX, i64::MIN] {
                dedup.is_repeat(b"a", EventTime(time));
                dedup.is_repeat(&time.to_le_bytes(), EventTime(time));
                let bytes = bytes_of(&dedup);
                assert_eq!(bytes_of(&Dedup::decode(&bytes).unwrap()), bytes);
            }
            assert!(dedup.horizon_micros() >= horizon);
        }
    }
}

#[test]
fn once_a_horizon_has_passed_ids_take_ten_to_sixteen_bytes() {
    let mut dedup = Dedup::new(4_000, 1_000_000);
    for id in 0..60_000_u32 {
        dedup.is_repeat(&id.to_le_bytes(), EventTime(i64::from(id) / 10));
        if id >= 40_000 && id % 1_000 == 0 {
            let each = dedup.memory_bytes() as f64 / dedup.len() as f64;
            assert!((8.0..16.5).contains(&each), "{each} bytes per id at {id}");
        }
    }
}

#[test]
fn bytes_of_others_are_refused_with_their_place() {
    let whole = bytes_of(&small());
    for length in 0..whole.len() {
        assert!(Dedup::decode(&whole[..length]).is_err(), "cut to {length}");
    }
    let refused = |place: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[place] = byte;
        Dedup::decode(&bytes).unwrap_err().to_string()
    };
    let version = refused(0, DEDUP_VERSION + 1);
    assert_eq!(
        version,
        "read the event ids at byte 1: version 2, this program reads version 1; take an older snapshot, or rebuild it \
         by replay"
    );
    assert!(refused(1, whole[1] ^ 1).contains("hashed in another way"));
    let endless = [&whole[..58], &[0xff; 8], &[0; 8]].concat();
    assert!(Dedup::decode(&endless).is_err(), "a count of ids beyond the bytes takes no memory");
}

#[test]
fn the_empty_id_is_an_id() {
    let mut dedup = Dedup::new(HOUR, 100);
    assert!(!dedup.is_repeat(b"", EventTime(0)));
    assert!(dedup.is_repeat_hash(hash_of(b""), EventTime(0)));
    assert!(!dedup.is_repeat_hash(0, EventTime(0)), "a hash of 0 is a hash");
    assert!(dedup.is_repeat_hash(0, EventTime(0)));
}
