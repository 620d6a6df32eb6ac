//! Scored windows against a slow, obvious twin, however events come, stop and are cut.

mod scored;

use std::collections::BTreeMap;

use lapwing_features::{Cause, Closed, Placement, ScoredWindowSpec, ScoredWindows, Texts, WindowKind};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::SECOND;
use proptest::prelude::*;
use scored::twin::Twin;
use scored::{Driver, Ev, all_near, count, ev, full, same_rows, session, sliding, spec, tumbling};

const ROOM: usize = 1_000_000;

fn kind() -> impl Strategy<Value = WindowKind> {
    prop_oneof![
        Just(tumbling(10)),
        Just(sliding(20, 5)),
        Just(sliding(6, 6)),
        Just(session(6, None)),
        Just(session(6, Some(15))),
        Just(session(6, Some(4))),
        Just(count(4, Some(6), None)),
        Just(count(3, Some(8), Some(12))),
        Just(count(5, None, Some(9))),
    ]
}

fn any_spec() -> impl Strategy<Value = ScoredWindowSpec> {
    let early = prop_oneof![2 => Just(None), 1 => (1..8_i64).prop_map(Some)];
    // The smallest count of `kind` is 3.
    let events_min = prop_oneof![2 => Just(1), 1 => 2..4_u64];
    let texts = prop_oneof![Just(None), (1..6_usize, 1..12_usize).prop_map(Some)];
    (kind(), prop_oneof![Just(0), 1..40_i64], early, events_min, texts).prop_map(
        |(kind, lateness, early, events_min, texts)| {
            let early = early.filter(|_| !matches!(kind, WindowKind::Sliding { .. }));
            let texts = texts.map(|(events, bytes)| Texts { events, bytes });
            ScoredWindowSpec { events_min, texts, ..full(spec(kind, lateness, early)) }
        },
    )
}

/// Events of three entities: time mostly moves on, sometimes back, sometimes far ahead.
fn events(most: usize) -> impl Strategy<Value = Vec<Ev>> {
    let step = prop_oneof![6 => 0..3_i64, 2 => -12..0_i64, 1 => -40..40_i64];
    let value = prop_oneof![8 => (-9..9_i32).prop_map(f64::from), 1 => Just(f64::NAN)];
    prop::collection::vec((0..3_usize, step, value), 1..most).prop_map(|drawn| {
        let mut second = 0;
        let place = |(offset, (key, step, value)): (usize, (usize, i64, f64))| {
            second += step;
            ev(["a", "b", "c"][key], second, offset as i64, value)
        };
        drawn.into_iter().enumerate().map(place).collect()
    })
}

/// The last row of each window that is not withdrawn.
fn last_rows(rows: &[Closed]) -> BTreeMap<(String, EventTime), Closed> {
    let mut last = BTreeMap::new();
    for row in rows {
        last.insert((row.key.clone(), row.start), row.clone());
    }
    last.retain(|_, row| row.events > 0);
    last
}

/// The events in an order in which none is behind a newer one by more than so many seconds.
fn shuffled(events: &[Ev], delays: &[i64]) -> Vec<Ev> {
    let mut delayed: Vec<(i64, Ev)> =
        events.iter().zip(delays.iter().cycle()).map(|(event, delay)| (event.second + delay, event.clone())).collect();
    delayed.sort_by_key(|(second, _)| *second);
    delayed.into_iter().map(|(_, event)| event).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_and_placement_is_that_of_the_twin(spec in any_spec(), events in events(60), lag in 0..15_i64) {
        let (mut driver, mut twin) = (Driver::new(spec.clone(), lag), Twin::new(spec));
        for event in &events {
            let placement = driver.observe(event);
            let watermark = (driver.newest.unwrap() - lag) * SECOND;
            let (expected, rows) = twin.observe(event, watermark);
            prop_assert_eq!(placement, expected, "{:?}", event);
            let got = driver.take();
            prop_assert!(same_rows(&got, &rows), "after {event:?}\ngot {got:#?}\nthe twin says {rows:#?}");
        }
        for second in [0, 3, 8, 200, 400] {
            let second = driver.newest.unwrap() + second;
            driver.advance(second);
            let (got, rows) = (driver.take(), twin.advance(second * SECOND));
            prop_assert!(same_rows(&got, &rows), "at {second}\ngot {got:#?}\nthe twin says {rows:#?}");
        }
        prop_assert_eq!(driver.windows.small(), twin.small);
        prop_assert_eq!(driver.windows.len(), 0);
        prop_assert_eq!(driver.windows.next_deadline(), None);
    }

    #[test]
    fn stopped_anywhere_and_restored_it_goes_on_the_same(
        spec in any_spec(), events in events(60), lag in 0..15_i64, stop in 0..60_usize, room in 2..30_usize,
    ) {
        let mut whole = Driver::with_room(spec.clone(), lag, room);
        let mut parts = Driver::with_room(spec.clone(), lag, room);
        for (number, event) in events.iter().enumerate() {
            if number == stop {
                let bytes = parts.windows.encode();
                parts.windows = ScoredWindows::decode(spec.clone(), room, &bytes).unwrap();
                prop_assert_eq!(parts.windows.encode(), bytes);
            }
            prop_assert_eq!(whole.observe(event), parts.observe(event));
            let (expected, got) = (whole.take(), parts.take());
            prop_assert_eq!(format!("{expected:?}"), format!("{got:?}"));
            prop_assert_eq!(whole.windows.next_deadline(), parts.windows.next_deadline());
            prop_assert!(whole.windows.len() <= room);
        }
        prop_assert_eq!(whole.windows.encode(), parts.windows.encode());
        let counted = |windows: &ScoredWindows| {
            (windows.forced(), windows.forgotten(), windows.too_late(), windows.small())
        };
        prop_assert_eq!(counted(&whole.windows), counted(&parts.windows));
    }

    #[test]
    fn telling_the_watermark_at_the_cut_of_a_batch_changes_nothing(
        spec in any_spec(), events in events(60), lag in 0..15_i64, cuts in prop::collection::vec(any::<bool>(), 60),
    ) {
        let (mut whole, mut cut) = (Driver::new(spec.clone(), lag), Driver::new(spec, lag));
        for (event, is_cut) in events.iter().zip(cuts) {
            whole.observe(event);
            cut.observe(event);
            if is_cut {
                let second = cut.newest.unwrap() - lag;
                cut.advance(second);
                cut.windows.next_deadline();
            }
            prop_assert_eq!(whole.windows.encode(), cut.windows.encode());
        }
        prop_assert_eq!(format!("{:?}", whole.take()), format!("{:?}", cut.take()));
    }

    #[test]
    fn shuffled_within_the_lateness_the_last_rows_are_the_same(
        kind in prop_oneof![Just(tumbling(10)), Just(sliding(20, 5)), Just(session(6, None))],
        events in events(60),
        delays in prop::collection::vec(0..25_i64, 1..20),
        lag in 0..10_i64,
        early in prop_oneof![Just(None), Just(Some(3))],
    ) {
        let mut events = events;
        events.sort_by_key(|event| event.second);
        let early = early.filter(|_| !matches!(kind, WindowKind::Sliding { .. }));
        let run = |events: &[Ev]| {
            // Whoever is late by 25 seconds is behind the watermark by 25 seconds less its lag.
            let mut driver = Driver::new(full(spec(kind.clone(), 25 - lag, early)), lag);
            for event in events {
                assert!(matches!(driver.observe(event), Placement::Taken { .. }), "{event:?}");
            }
            driver.advance(10_000);
            last_rows(&driver.take())
        };
        let (ordered, mixed) = (run(&events), run(&shuffled(&events, &delays)));
        prop_assert_eq!(ordered.keys().collect::<Vec<_>>(), mixed.keys().collect::<Vec<_>>());
        for (a, b) in ordered.values().zip(mixed.values()) {
            let place = |row: &Closed| (row.end, row.events, row.offsets.clone(), row.texts.clone());
            prop_assert_eq!(place(a), place(b));
            prop_assert!(all_near(&a.values, &b.values), "{:?} {:?}", a, b);
        }
    }

    #[test]
    fn without_room_windows_are_closed_early_and_no_event_vanishes(
        kind in prop_oneof![Just(tumbling(10)), Just(session(6, None)), Just(count(4, Some(6), None))],
        events in events(60), lag in 0..15_i64, room in 1..4_usize,
    ) {
        let mut driver = Driver::with_room(spec(kind, 0, None), lag, room);
        let taken = events.iter().filter(|event| {
            let placement = driver.observe(event);
            matches!(placement, Placement::Taken { .. })
        }).count();
        prop_assert!(driver.windows.len() <= room);
        driver.advance(10_000);
        let rows = driver.take();
        prop_assert!(rows.iter().all(|row| row.cause == Cause::Final));
        prop_assert_eq!(rows.iter().map(|row| row.events).sum::<u64>(), taken as u64);
    }

    #[test]
    fn sliding_windows_without_room_are_told_before_their_oldest_pane_goes(
        events in events(60), lag in 0..15_i64, room in 1..4_usize,
    ) {
        let mut events = events;
        events.sort_by_key(|event| event.second);
        let rows_with = |room: usize| {
            let mut driver = Driver::with_room(spec(sliding(20, 5), 0, None), lag, room);
            events.iter().for_each(|event| {
                driver.observe(event);
                assert!(driver.windows.len() <= room);
            });
            driver.advance(10_000);
            driver.take()
        };
        let name = |row: &Closed| (row.key.clone(), row.start);
        let (ample, scarce) = (rows_with(ROOM), rows_with(room));
        let mut names: Vec<_> = scarce.iter().map(name).collect();
        names.sort();
        names.dedup();
        let mut expected: Vec<_> = ample.iter().map(name).collect();
        expected.sort();
        prop_assert_eq!(names, expected);
    }

    #[test]
    fn bytes_that_were_damaged_are_refused_or_read_but_never_panic(
        spec in any_spec(), events in events(30), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(), is_cut in any::<bool>(),
    ) {
        let mut driver = Driver::new(spec.clone(), 5);
        events.iter().for_each(|event| { driver.observe(event); });
        let mut bytes = driver.windows.encode();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        match ScoredWindows::decode(spec, 3, &bytes) {
            Err(fault) => prop_assert!(fault.contains("at byte"), "{fault}"),
            Ok(windows) => {
                driver.windows = windows;
                events.iter().for_each(|event| { driver.observe(event); });
                driver.advance(1_000_000);
            }
        }
    }

    #[test]
    fn times_at_the_ends_of_the_scale_do_not_overflow(
        spec in any_spec(),
        times in prop::collection::vec(
            (prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), any::<i64>()], any::<bool>()), 1..20),
    ) {
        let mut driver = Driver::new(spec, 0);
        for (time, moves) in times {
            let arrival =
                lapwing_features::Arrival { key: "a", time: EventTime(time), offset: time, inputs: &[], text: None };
            let watermark = moves.then_some(EventTime(time));
            driver.windows.observe(arrival, watermark, &mut driver.rows);
            driver.windows.inspect("a");
            driver.windows.memory_bytes();
        }
        driver.windows.advance(EventTime(i64::MAX), &mut driver.rows);
    }
}
