//! Events of several lines put together.

use lapwing_logs::{Layout, LayoutError, LinesCut, Multiline, MultilineStart};
use proptest::prelude::*;

/// The events of some lines, as text.
fn events(multiline: &mut Multiline, lines: &[&[u8]]) -> Vec<String> {
    let mut events: Vec<Vec<u8>> = lines.iter().filter_map(|line| multiline.push(line)).collect();
    events.extend(multiline.finish());
    events.iter().map(|event| String::from_utf8_lossy(event).into_owned()).collect()
}

#[test]
fn a_stack_trace_stays_with_its_line() {
    let lines: [&[u8]; 5] = [
        b"2026-01-01T10:00:00Z ERROR failed",
        b"java.io.IOException: disk\r\n",
        b"\tat a.B.c(B.java:1)",
        b"2026-01-01T10:00:01Z INFO on",
        b"",
    ];
    let expected = [
        "2026-01-01T10:00:00Z ERROR failed\njava.io.IOException: disk\n\tat a.B.c(B.java:1)",
        "2026-01-01T10:00:01Z INFO on\n",
    ];
    let starts = [
        MultilineStart::Layout(Layout::named("iso8601").unwrap()),
        MultilineStart::pattern(r"^\d{4}-\d\d-\d\d").unwrap(),
    ];
    for start in starts {
        let mut multiline = Multiline::new(start, 100, 10_000);
        assert_eq!(events(&mut multiline, &lines), expected);
        assert_eq!(multiline.finish(), None);
        assert_eq!(multiline.cut(), LinesCut::default());
    }
}

#[test]
fn indented_and_empty_lines_go_on() {
    let mut multiline = Multiline::new(MultilineStart::Indented, 100, 10_000);
    let lines: [&[u8]; 5] = [b"  lost head", b"  more", b"a", b"", b"b"];
    assert_eq!(events(&mut multiline, &lines), ["  lost head\n  more", "a\n", "b"]);
}

#[test]
fn rubbish_between_events_stands_alone() {
    let mut multiline = Multiline::new(MultilineStart::Layout(Layout::named("hdfs").unwrap()), 9, 999);
    let lines: [&[u8]; 3] = [b"081109 203518 1 INFO a: x", b"\xff\xfe", b"081109 203518 1 INFO a: y"];
    assert_eq!(events(&mut multiline, &lines).len(), 3);
}

#[test]
fn long_events_keep_their_first_lines_and_the_others_are_counted() {
    let mut multiline = Multiline::new(MultilineStart::Indented, 2, 1_000);
    assert_eq!(events(&mut multiline, &[b"a", b" b", b" c", b" d", b"e"]), ["a\n b", "e"]);
    assert_eq!(multiline.cut(), LinesCut { lines: 2, bytes: 6 });

    let mut multiline = Multiline::new(MultilineStart::Indented, 100, 6);
    // Once a line is missing, no later one closes the gap.
    assert_eq!(events(&mut multiline, &[b"abc", b" too long", b" x"]), ["abc"]);
    assert_eq!(multiline.cut(), LinesCut { lines: 2, bytes: 13 });
    // `ü` is not cut in two; rubbish is cut where the bound is.
    assert_eq!(events(&mut multiline, &["abcdeü".as_bytes(), b"\x80\x80\x80\x80\x80\x80\x80"])[0], "abcde");
    assert_eq!(multiline.cut(), LinesCut { lines: 4, bytes: 16 });
}

#[test]
fn an_expression_that_cannot_work_is_refused() {
    let error = MultilineStart::pattern("[").unwrap_err();
    assert!(error.to_string().starts_with("start of an event `[`: "), "{error}");
    assert!(matches!(MultilineStart::pattern(r"\w{500}\w{500}"), Err(LayoutError::Regex { .. })));
}

proptest! {
    #[test]
    fn no_byte_vanishes_uncounted(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>().prop_filter("one line", |b| !matches!(b, b'\n' | b'\r')), 0..20), 0..30),
        lines_max in 0..5_usize, bytes_max in 0..40_usize,
    ) {
        let mut multiline = Multiline::new(MultilineStart::Indented, lines_max, bytes_max);
        let mut events: Vec<Vec<u8>> = lines.iter().filter_map(|line| multiline.push(line)).collect();
        events.extend(multiline.finish());
        prop_assert!(events.iter().all(|event| event.len() <= bytes_max.max(1)));
        let out: usize = events.iter().map(Vec::len).sum();
        // Every event but for its first line has a line break for each line.
        let given = lines.iter().map(Vec::len).sum::<usize>() + lines.len() - events.len();
        prop_assert_eq!(out as u64 + multiline.cut().bytes, given as u64);
    }
}
