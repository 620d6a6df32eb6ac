//! What scored windows do, one story each.

mod scored;

use lapwing_features::{
    Arrival, Cause, Closed, Placement, ScoredWindowError, ScoredWindowSpec, ScoredWindows, WindowColumn, WindowKind,
    WindowMeasure,
};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, SECOND};
use scored::{Driver, all_near, count, ev, full, session, sliding, spec, tumbling};

const TAKEN: Placement = Placement::Taken { amended: false };
const AMENDED: Placement = Placement::Taken { amended: true };

/// Begin and end in seconds, cause, revision, events, sum.
type Told = (i64, i64, Cause, u32, u64, f64);

fn told(row: &Closed) -> Told {
    (row.start.0 / SECOND, row.end.0 / SECOND, row.cause, row.revision, row.events, row.values[2])
}

fn take(driver: &mut Driver) -> Vec<Told> {
    driver.take().iter().map(told).collect()
}

#[test]
fn a_tumbling_window_is_told_when_the_watermark_reaches_its_end() {
    let mut driver = Driver::new(spec(tumbling(10), 0, None), 3);
    assert_eq!(driver.observe(&ev("a", 1, 0, 5.0)), TAKEN);
    assert_eq!(driver.observe(&ev("a", 9, 1, f64::NAN)), TAKEN);
    assert_eq!(driver.observe(&ev("a", 12, 2, 1.0)), TAKEN);
    assert_eq!(driver.windows.next_deadline(), Some(EventTime(10 * SECOND)));
    assert_eq!(take(&mut driver), []);
    driver.observe(&ev("b", 13, 3, 1.0));
    let rows = driver.take();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.key.as_str(), told(row)), ("a", (0, 10, Cause::Final, 0, 2, 5.0)));
    assert_eq!((row.first_offset, row.last_offset, row.offsets.as_slice()), (0, 1, &[0, 1][..]));
    let expected = [2.0, 1.0, 5.0, 5.0, 5.0, 5.0, f64::NAN, 5.0, 5.0, 1.0];
    assert!(all_near(&row.values, &expected) && row.before.is_none(), "{row:?}");
}

#[test]
fn a_late_event_amends_its_window_and_the_row_before_is_told() {
    let mut driver = Driver::new(spec(tumbling(10), 5, None), 0);
    driver.observe(&ev("a", 1, 0, 5.0));
    driver.observe(&ev("b", 11, 1, 1.0));
    assert_eq!(driver.observe(&ev("a", 2, 2, 7.0)), AMENDED);
    assert_eq!(driver.observe(&ev("c", 3, 3, 9.0)), TAKEN, "nothing had been told of this one");
    let rows = driver.take();
    assert_eq!(
        rows.iter().map(told).collect::<Vec<_>>(),
        [(0, 10, Cause::Final, 0, 1, 5.0), (0, 10, Cause::Amended, 1, 2, 12.0), (0, 10, Cause::Final, 0, 1, 9.0)]
    );
    assert_eq!(rows[1].before.as_deref().map(|before| before[2]), Some(5.0));
}

#[test]
fn too_late_is_told_with_by_how_much_the_lateness_was_too_short() {
    let too_late = |by: i64| Placement::TooLate { by_micros: by };
    let mut driver = Driver::new(spec(tumbling(10), 5, None), 0);
    driver.observe(&ev("a", 15, 0, 5.0));
    assert_eq!(driver.observe(&ev("a", 9, 1, 5.0)), too_late(1));
    driver.observe(&ev("a", 20, 2, 5.0));
    assert_eq!(driver.observe(&ev("b", 9, 3, 5.0)), too_late(5 * SECOND + 1));
    assert_eq!((driver.windows.too_late(), driver.windows.len()), (2, 2));
    let mut longer = Driver::new(spec(tumbling(10), 10, None), 0);
    longer.observe(&ev("a", 19, 0, 5.0));
    assert_eq!(longer.observe(&ev("b", 9, 1, 5.0)), TAKEN);
}

#[test]
fn rows_that_are_due_at_once_are_ordered_by_end_then_entity_then_start() {
    let mut driver = Driver::new(spec(session(5, None), 0, None), 100);
    for (offset, (key, second)) in [("b", 20), ("c", 1), ("b", 0), ("a", 20), ("a", 1), ("b", 1)].iter().enumerate() {
        driver.observe(&ev(key, *second, offset as i64, 0.0));
    }
    driver.advance(50);
    let order: Vec<(String, i64, i64)> =
        driver.take().iter().map(|row| (row.key.clone(), row.start.0 / SECOND, row.end.0 / SECOND)).collect();
    let expected = [("a", 1, 6), ("b", 0, 6), ("c", 1, 6), ("a", 20, 25), ("b", 20, 25)];
    assert_eq!(order, expected.map(|(key, start, end)| (key.to_owned(), start, end)));
}

#[test]
fn an_event_that_bridges_two_told_sessions_amends_the_older_and_withdraws_the_younger() {
    let mut driver = Driver::new(spec(session(5, None), 60, None), 0);
    driver.observe(&ev("a", 0, 0, 1.0));
    driver.observe(&ev("a", 8, 1, 2.0));
    driver.observe(&ev("b", 30, 2, 0.0));
    assert_eq!(take(&mut driver), [(0, 5, Cause::Final, 0, 1, 1.0), (8, 13, Cause::Final, 0, 1, 2.0)]);
    assert_eq!(driver.observe(&ev("a", 4, 3, 4.0)), AMENDED);
    let rows = driver.take();
    let expected = [(8, 13, Cause::Amended, 1, 0, 0.0), (0, 13, Cause::Amended, 1, 3, 7.0)];
    assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), expected);
    let before: Vec<Option<f64>> = rows.iter().map(|row| row.before.as_ref().map(|before| before[2])).collect();
    assert_eq!(before, [Some(2.0), Some(1.0)]);
}

#[test]
fn a_told_session_that_a_late_event_makes_go_on_is_told_again_at_its_new_end() {
    let mut driver = Driver::new(spec(session(5, None), 60, None), 0);
    driver.observe(&ev("a", 0, 0, 1.0));
    driver.observe(&ev("b", 6, 1, 0.0));
    assert_eq!(driver.observe(&ev("a", 4, 2, 2.0)), AMENDED);
    assert_eq!(take(&mut driver), [(0, 5, Cause::Final, 0, 1, 1.0)]);
    driver.advance(9);
    assert_eq!(take(&mut driver), [(0, 9, Cause::Amended, 1, 2, 3.0)]);
}

#[test]
fn a_session_ends_at_its_age_even_if_events_keep_coming() {
    let mut driver = Driver::new(spec(session(5, Some(10)), 0, None), 0);
    for second in 0..25 {
        driver.observe(&ev("a", second, second, 1.0));
    }
    let expected = [(0, 10, Cause::Final, 0, 10, 10.0), (10, 20, Cause::Final, 0, 10, 10.0)];
    assert_eq!(take(&mut driver), expected);
}

#[test]
fn a_count_is_told_with_its_last_event_and_a_rest_when_its_time_is_over() {
    let mut driver = Driver::new(spec(count(3, Some(10), None), 0, None), 0);
    for (offset, second) in [0, 1, 4, 4, 20].into_iter().enumerate() {
        driver.observe(&ev("a", second, offset as i64, 1.0));
    }
    assert_eq!(take(&mut driver), [(0, 4, Cause::Final, 0, 3, 3.0), (4, 14, Cause::Final, 0, 1, 1.0)]);
    assert_eq!(driver.observe(&ev("a", 19, 5, 1.0)), Placement::TooLate { by_micros: SECOND });
}

#[test]
fn sliding_windows_are_told_each_step_and_a_late_event_amends_those_that_have_ended() {
    let mut driver = Driver::new(spec(sliding(20, 10), 30, None), 0);
    driver.observe(&ev("a", 5, 0, 1.0));
    driver.observe(&ev("a", 25, 1, 2.0));
    assert_eq!(take(&mut driver), [(-10, 10, Cause::Final, 0, 1, 1.0), (0, 20, Cause::Final, 0, 1, 1.0)]);
    assert_eq!(driver.observe(&ev("a", 15, 2, 4.0)), AMENDED);
    assert_eq!(take(&mut driver), [(0, 20, Cause::Amended, 1, 2, 5.0)]);
    driver.observe(&ev("a", 14, 3, 1.0));
    assert_eq!(take(&mut driver), [(0, 20, Cause::Amended, 2, 3, 6.0)]);
    driver.advance(40);
    assert_eq!(take(&mut driver), [(10, 30, Cause::Final, 0, 3, 7.0), (20, 40, Cause::Final, 0, 1, 2.0)]);
}

#[test]
fn an_early_row_comes_once_for_what_has_changed() {
    let mut driver = Driver::new(spec(tumbling(60), 0, Some(10)), 0);
    driver.observe(&ev("a", 1, 0, 1.0));
    driver.observe(&ev("a", 2, 1, 1.0));
    driver.advance(10);
    assert_eq!(take(&mut driver), []);
    driver.advance(50);
    assert_eq!(take(&mut driver), [(0, 60, Cause::Early, 0, 2, 2.0)]);
    driver.observe(&ev("a", 52, 2, 1.0));
    assert_eq!(driver.windows.next_deadline(), Some(EventTime(60 * SECOND)));
    driver.advance(100);
    assert_eq!(take(&mut driver), [(0, 60, Cause::Final, 1, 3, 3.0)], "not an early and a final row at once");
}

#[test]
fn without_room_what_is_only_kept_goes_before_what_is_open() {
    let mut driver = Driver::with_room(spec(tumbling(10), 60, None), 0, 2);
    driver.observe(&ev("a", 1, 0, 1.0));
    driver.observe(&ev("a", 11, 1, 1.0));
    driver.observe(&ev("b", 12, 2, 1.0));
    assert_eq!((driver.windows.forgotten(), driver.windows.forced()), (1, 0));
    driver.take();
    driver.observe(&ev("c", 13, 3, 1.0));
    let rows = driver.take();
    assert_eq!((rows[0].key.as_str(), told(&rows[0])), ("a", (10, 20, Cause::Final, 0, 1, 1.0)));
    assert_eq!((driver.windows.forgotten(), driver.windows.forced(), driver.windows.len()), (1, 1, 2));
}

#[test]
fn what_is_open_and_kept_of_an_entity_can_be_looked_at() {
    let mut driver = Driver::new(spec(sliding(20, 10), 15, None), 0);
    driver.observe(&ev("a", 5, 0, 1.0));
    driver.observe(&ev("a", 12, 1, 2.0));
    let seen: Vec<_> =
        driver.windows.inspect("a").iter().map(|w| (w.end.0 / SECOND, w.kept, w.rows, w.events)).collect();
    assert_eq!(seen, [(10, true, 1, 1), (20, false, 0, 2), (30, false, 0, 1)]);
    assert_eq!(driver.windows.inspect("b"), []);
    assert!(driver.windows.memory_bytes() > 200);
}

#[test]
fn distinct_values_beyond_sixty_four_are_estimated() {
    let mut driver = Driver::new(spec(tumbling(10), 0, None), 0);
    (0..1000).for_each(|number| {
        driver.observe(&ev("a", 1, number, number as f64 / 8.0));
    });
    let bytes = driver.windows.encode();
    driver.windows = ScoredWindows::decode(spec(tumbling(10), 0, None), 10, &bytes).unwrap();
    assert_eq!(driver.windows.encode(), bytes);
    driver.advance(10);
    let row = &driver.take()[0];
    assert!((row.values[9] / 1000.0 - 1.0).abs() < 0.1, "{}", row.values[9]);
    assert_eq!(row.offsets, (0..8).chain(992..1000).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_computed_is_refused_with_the_remedy() {
    let fault = |spec: &ScoredWindowSpec| spec.check().map_err(|error| error.to_string());
    let of = |kind: WindowKind| fault(&spec(kind, 0, None));
    assert_eq!(
        of(WindowKind::Tumbling { size_micros: 999 }).unwrap_err(),
        "window: size = 999us is not possible; choose between 1ms and 366d"
    );
    assert!(of(session(5, Some(-1))).unwrap_err().contains("age_max = "));
    assert!(of(sliding(10, 20)).unwrap_err().contains("choose a step of at most 10s"));
    assert!(of(sliding(25, 10)).unwrap_err().contains("choose a size of 20s"));
    assert!(of(sliding(61, 1)).unwrap_err().contains("61 steps, 60 are possible"));
    assert_eq!(spec(count(0, Some(1), None), 0, None).check(), Err(ScoredWindowError::NoEvents));
    assert_eq!(spec(count(3, None, None), 0, None).check(), Err(ScoredWindowError::Unbounded));
    assert_eq!(spec(sliding(20, 10), 0, Some(1)).check(), Err(ScoredWindowError::EarlySliding));
    assert!(fault(&spec(tumbling(10), -1, None)).unwrap_err().contains("between 0us and 366d"));
    assert!(fault(&spec(tumbling(10), 367 * DAY / SECOND, None)).unwrap_err().contains("allowed_lateness"));
    let with = |columns: Vec<WindowColumn>| ScoredWindowSpec { columns, ..spec(tumbling(10), 0, None) }.check();
    let column = |name: &str, measure| WindowColumn::new(name, measure, None);
    let count = column("n", WindowMeasure::Count);
    assert_eq!(with(Vec::new()), Err(ScoredWindowError::NoColumns));
    assert_eq!(with(vec![column("", WindowMeasure::Count)]), Err(ScoredWindowError::EmptyName { number: 1 }));
    assert_eq!(with(vec![count.clone(), count]), Err(ScoredWindowError::DuplicateName { name: "n".into() }));
    let missing = ScoredWindowError::MissingColumn { name: "s".into(), measure: "sum" };
    assert_eq!(with(vec![column("s", WindowMeasure::Sum)]), Err(missing));
}

#[test]
fn bytes_of_other_windows_or_another_format_are_refused() {
    let bytes = Driver::new(spec(tumbling(10), 0, None), 0).windows.encode();
    let fault = |spec: ScoredWindowSpec, bytes: &[u8]| ScoredWindows::decode(spec, 10, bytes).unwrap_err();
    assert!(fault(spec(tumbling(20), 0, None), &bytes).contains("of another kind or have other columns"));
    assert!(ScoredWindows::decode(spec(tumbling(10), 99, Some(1)), 10, &bytes).is_ok());
    let mut newer = bytes.clone();
    newer[0] = 3;
    assert!(fault(spec(tumbling(10), 0, None), &newer).contains("format version 3 is not known"));
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(fault(spec(tumbling(10), 0, None), &longer).contains("bytes left over"));
}

/// The state of which the golden files hold the bytes.
fn golden(spec: &ScoredWindowSpec) -> ScoredWindows {
    let mut driver = Driver::new(spec.clone(), 5);
    for (offset, second) in [0, 3, 9, 2, 22, 14, 30, 18, 1, 33].into_iter().enumerate() {
        let key = ["ä", "b"][offset % 2];
        driver.observe(&ev(key, second, offset as i64, second as f64 / 4.0));
    }
    (0..70).for_each(|offset| {
        driver.observe(&ev("many", 30, 100 + offset, offset as f64));
    });
    driver.windows
}

#[test]
fn states_of_version_1_stay_readable() {
    let stored: [(ScoredWindowSpec, &[u8]); 2] = [
        (spec(session(4, Some(20)), 30, Some(7)), include_bytes!("scored/sessions_v1.bin")),
        (spec(sliding(20, 5), 30, None), include_bytes!("scored/sliding_v1.bin")),
    ];
    for (spec, bytes) in stored {
        let read = ScoredWindows::decode(spec.clone(), 100, bytes).unwrap();
        assert_eq!(read.encode(), golden(&spec).encode());
    }
}

#[test]
fn states_of_version_2_stay_readable() {
    let few = |kind, early| ScoredWindowSpec { events_min: 2, ..full(spec(kind, 30, early)) };
    let stored: [(ScoredWindowSpec, &[u8]); 2] = [
        (few(session(4, Some(20)), Some(7)), include_bytes!("scored/sessions_v2.bin")),
        (few(sliding(20, 5), None), include_bytes!("scored/sliding_v2.bin")),
    ];
    for (spec, bytes) in stored {
        let windows = golden(&spec);
        assert!(windows.small() > 0 && windows.encode() == bytes);
        assert_eq!(ScoredWindows::decode(spec, 100, bytes).unwrap().encode(), bytes);
    }
}

#[test]
fn before_there_is_a_watermark_nothing_is_told_and_nothing_is_too_late() {
    let mut windows = ScoredWindows::new(spec(tumbling(10), 0, None), 10).unwrap();
    let mut out = Vec::new();
    for second in [100, 0] {
        let arrival = Arrival { key: "a", time: EventTime(second * SECOND), offset: 0, inputs: &[1.0], text: None };
        assert_eq!(windows.observe(arrival, None, &mut out), TAKEN);
    }
    assert_eq!((out.len(), windows.len(), windows.columns().len(), windows.names().len()), (0, 2, 1, 10));
}
