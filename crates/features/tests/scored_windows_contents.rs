//! What windows keep besides single values: counts of codes, sequences, texts; and what they leave out.

mod scored;

use lapwing_features::{
    Cause, Closed, Placement, ScoredWindowError, ScoredWindowSpec, ScoredWindows, Texts, WindowColumn, WindowKind,
    WindowMeasure,
};
use lapwing_vocabulary::time::SECOND;
use scored::{Driver, all_near, count, ev, full, session, sliding, spec, tumbling};

fn with(kind: WindowKind, lateness: i64, columns: Vec<WindowColumn>) -> ScoredWindowSpec {
    ScoredWindowSpec { columns, ..spec(kind, lateness, None) }
}

fn codes(labels: &[&str]) -> WindowColumn {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    WindowColumn { labels, ..WindowColumn::new("code", WindowMeasure::Counts, Some("x")) }
}

fn path(length: usize) -> WindowColumn {
    WindowColumn { length, ..WindowColumn::new("path", WindowMeasure::Sequence, Some("x")) }
}

fn events_of(rows: &[Closed]) -> Vec<(Cause, u32, u64)> {
    rows.iter().map(|row| (row.cause, row.revision, row.events)).collect()
}

#[test]
fn codes_count_at_their_labels_and_all_else_in_one_slot() {
    let mut driver = Driver::new(with(tumbling(10), 0, vec![codes(&["open", "read"])]), 0);
    assert_eq!(driver.windows.names(), ["code_open", "code_read", "code_other"]);
    for (offset, value) in [1.0, 2.0, 2.0, 0.0, 3.0, -1.0, 1.5, f64::NAN].into_iter().enumerate() {
        driver.observe(&ev("a", 1, offset as i64, value));
    }
    driver.advance(10);
    assert_eq!(driver.take()[0].values, [1.0, 2.0, 4.0]);
}

#[test]
fn a_sequence_holds_the_oldest_values_however_they_come() {
    let mut driver = Driver::new(with(tumbling(100), 0, vec![path(3)]), 50);
    assert_eq!(driver.windows.names(), ["path_1", "path_2", "path_3"]);
    for (offset, (second, value)) in [(9, 9.0), (5, 5.0), (1, f64::NAN), (9, 10.0), (2, 2.0)].into_iter().enumerate() {
        driver.observe(&ev("a", second, offset as i64, value));
    }
    driver.observe(&ev("b", 7, 9, 7.0));
    driver.advance(100);
    let rows = driver.take();
    assert_eq!(rows[0].values, [2.0, 5.0, 9.0]);
    assert!(all_near(&rows[1].values, &[7.0, f64::NAN, f64::NAN]), "{:?}", rows[1].values);
}

#[test]
fn a_span_goes_from_the_oldest_to_the_newest_event_that_has_a_value() {
    let span = |column: Option<&str>| WindowColumn::new(column.unwrap_or("all"), WindowMeasure::Span, column);
    let mut driver = Driver::new(with(session(60, None), 0, vec![span(Some("x")), span(None)]), 50);
    for (offset, (second, value)) in [(30, 1.0), (2, f64::NAN), (12, 1.0)].into_iter().enumerate() {
        driver.observe(&ev("a", second, offset as i64, value));
    }
    driver.observe(&ev("b", 5, 3, f64::NAN));
    driver.advance(200);
    let rows = driver.take();
    assert!(all_near(&rows[0].values, &[f64::NAN, 0.0]), "{:?}", rows[0].values);
    assert_eq!(rows[1].values, [18.0, 28.0]);
}

#[test]
fn a_window_of_too_few_events_gives_no_row_until_late_events_make_them_enough() {
    let mut driver = Driver::new(ScoredWindowSpec { events_min: 3, ..spec(tumbling(10), 20, Some(2)) }, 0);
    driver.observe(&ev("a", 1, 0, 1.0));
    driver.observe(&ev("b", 11, 1, 1.0));
    assert_eq!((driver.take().len(), driver.windows.small()), (0, 1));
    assert_eq!(driver.windows.inspect("a")[0].rows, 0);
    let quiet = Placement::Taken { amended: false };
    assert_eq!(driver.observe(&ev("a", 2, 2, 1.0)), quiet, "nothing was told that it could amend");
    assert_eq!((driver.take().len(), driver.windows.small()), (0, 2));
    assert_eq!(driver.observe(&ev("a", 3, 3, 1.0)), quiet);
    assert_eq!(events_of(&driver.take()), [(Cause::Final, 0, 3)]);
    assert_eq!(driver.observe(&ev("a", 4, 4, 1.0)), Placement::Taken { amended: true });
    assert_eq!(events_of(&driver.take()), [(Cause::Amended, 1, 4)]);
}

#[test]
fn a_session_that_was_too_small_and_goes_on_has_its_early_and_final_rows() {
    let mut driver = Driver::new(ScoredWindowSpec { events_min: 2, ..spec(session(10, None), 60, Some(2)) }, 0);
    driver.observe(&ev("a", 0, 0, 1.0));
    driver.observe(&ev("b", 10, 1, 1.0));
    assert_eq!((driver.take().len(), driver.windows.small()), (0, 1));
    driver.observe(&ev("a", 9, 2, 1.0));
    driver.advance(12);
    assert_eq!(events_of(&driver.take()), [(Cause::Early, 0, 2)]);
    driver.advance(19);
    assert_eq!(events_of(&driver.take()), [(Cause::Final, 1, 2)]);
}

#[test]
fn sliding_windows_of_too_few_events_give_no_rows_even_without_room() {
    let few = ScoredWindowSpec { events_min: 2, ..spec(sliding(20, 10), 30, None) };
    let mut driver = Driver::new(few.clone(), 0);
    driver.observe(&ev("a", 5, 0, 1.0));
    driver.observe(&ev("a", 15, 1, 1.0));
    driver.advance(40);
    assert_eq!(events_of(&driver.take()), [(Cause::Final, 0, 2)]);
    assert_eq!(driver.windows.small(), 2);
    let mut scarce = Driver::with_room(few, 0, 1);
    scarce.observe(&ev("a", 5, 0, 1.0));
    scarce.observe(&ev("b", 5, 1, 1.0));
    assert_eq!((scarce.take().len(), scarce.windows.forced(), scarce.windows.small()), (0, 2, 2));
}

#[test]
fn the_texts_of_the_oldest_and_newest_events_are_kept_and_cut_between_characters() {
    let texts = Some(Texts { events: 3, bytes: 4 });
    let mut driver = Driver::new(ScoredWindowSpec { texts, ..spec(session(5, None), 60, None) }, 0);
    for offset in 0..8 {
        driver.observe(&ev("a", offset, offset, 1.0));
    }
    driver.observe(&ev("a", 12, 20, 1.0));
    driver.advance(17);
    let rows = driver.take();
    let kept = |row: &Closed| -> Vec<(i64, i64, String, bool)> {
        let show = |text: &lapwing_features::WindowText| {
            (text.offset, text.time.0 / SECOND, text.text.to_string(), text.is_cut)
        };
        row.texts.iter().map(show).collect()
    };
    // The text of event 0 is "é0ü1": two characters of two bytes.
    let text = |offset: i64| (offset, offset, format!("é{offset}"), true);
    assert_eq!(kept(&rows[0]), [text(0), text(1), text(7)]);
    assert_eq!(kept(&rows[1]), [(20, 12, "é20".to_owned(), true)]);
    driver.observe(&ev("a", 11, 10, 1.0));
    let rows = driver.take();
    assert_eq!(events_of(&rows), [(Cause::Amended, 1, 0), (Cause::Amended, 1, 10)]);
    assert_eq!((rows[0].texts.len(), kept(&rows[1])[2].0), (0, 20), "a withdrawn row has none");
}

#[test]
fn memory_grows_with_the_codes_seen_and_texts_are_counted() {
    let labels: Vec<String> = (0..1_000).map(|code| format!("c{code}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let used = |columns: Vec<WindowColumn>, texts: Option<Texts>| {
        let mut driver = Driver::new(ScoredWindowSpec { texts, ..with(tumbling(10), 0, columns) }, 0);
        (0..20).for_each(|offset| {
            driver.observe(&ev("a", 1, offset, (offset % 3 + 900) as f64));
        });
        driver.windows.memory_bytes()
    };
    let plain = used(vec![WindowColumn::new("n", WindowMeasure::Count, None)], None);
    let counted = used(vec![codes(&labels)], None);
    assert!(counted < plain + 200, "{plain} {counted}");
    let texts = used(vec![codes(&labels)], Some(Texts { events: 8, bytes: 100 }));
    let of_text = "é10ü900".len();
    assert!(texts > counted + 8 * of_text, "{counted} {texts}");
}

#[test]
fn contents_that_cannot_be_kept_are_refused_with_the_remedy() {
    let fault = |column: WindowColumn| with(tumbling(10), 0, vec![column]).check().unwrap_err().to_string();
    assert!(fault(codes(&[])).contains("has 0 labels; give 1 to 1000"));
    assert!(fault(codes(&vec!["x"; 1_001])).contains("has 1001 labels"));
    assert!(fault(codes(&["a", ""])).contains("the label of code 2 is empty"));
    assert!(fault(codes(&["a", "a"])).contains("`code_a` is used twice"));
    assert!(fault(codes(&["other"])).contains("`code_other` is used twice"));
    assert!(fault(path(0)).contains("length 0 is not possible; choose 1 to 256"));
    assert!(fault(path(257)).contains("length 257"));
    let stray = |measure| WindowColumn { measure, ..codes(&["a"]) };
    assert!(fault(stray(WindowMeasure::Sum)).contains("labels does nothing for `sum`"));
    assert!(fault(WindowColumn { length: 3, ..codes(&["a"]) }).contains("a length does nothing for `counts`"));
    assert!(fault(WindowColumn { column: None, ..codes(&["a"]) }).contains("`counts` needs a column"));
    let few = |kind, events_min| ScoredWindowSpec { events_min, ..spec(kind, 0, None) }.check();
    assert_eq!(few(tumbling(10), 0), Err(ScoredWindowError::EventsMinZero));
    let above = ScoredWindowError::EventsMinAboveCount { events_min: 4, events: 3 };
    assert_eq!(few(count(3, Some(1), None), 4), Err(above));
    assert_eq!(few(count(3, Some(1), None), 3), Ok(()));
    let texts = |events, bytes| {
        ScoredWindowSpec { texts: Some(Texts { events, bytes }), ..spec(tumbling(10), 0, None) }.check()
    };
    assert_eq!(texts(0, 10), Err(ScoredWindowError::Texts { what: "events", given: 0, most: 32 }));
    assert_eq!(texts(3, 4_097), Err(ScoredWindowError::Texts { what: "bytes", given: 4_097, most: 4_096 }));
    assert_eq!(texts(32, 4_096), Ok(()));
}

#[test]
fn a_state_of_other_contents_is_refused_but_the_fewest_events_may_change() {
    let state_of = |spec: &ScoredWindowSpec| Driver::new(spec.clone(), 0).windows.encode();
    let reads = |spec: &ScoredWindowSpec, bytes: &[u8]| ScoredWindows::decode(spec.clone(), 10, bytes).is_ok();
    let own = full(spec(tumbling(10), 0, None));
    let bytes = state_of(&own);
    let mut others: Vec<ScoredWindowSpec> = vec![own.clone(); 4];
    let many = own.columns.len();
    others[0].columns[many - 5].labels[2].push('!');
    others[1].columns[many - 3].length += 1;
    others[2].texts = None;
    others[3].texts = Some(Texts { events: 5, bytes: 5 });
    assert!(reads(&own, &bytes));
    assert!(others.iter().all(|other| !reads(other, &bytes)));
    assert!(reads(&ScoredWindowSpec { events_min: 9, ..own }, &bytes));
    let slide = full(spec(sliding(20, 10), 0, None));
    assert!(!reads(&ScoredWindowSpec { events_min: 9, ..slide.clone() }, &state_of(&slide)));
}

#[test]
fn the_values_of_a_row_have_names_in_their_order() {
    let names = full(spec(tumbling(10), 0, None)).outputs();
    assert_eq!(names.len(), 10 + 4 + 71 + 4 + 2);
    assert_eq!([&names[13], &names[84], &names[88], &names[89]], ["few_other", "many_other", "path_4", "x_seconds"]);
}
