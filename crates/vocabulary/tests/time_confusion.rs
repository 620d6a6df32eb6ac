//! Event times that are wrong by a mistake: which one is named, and when it is reported.

use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};
use lapwing_vocabulary::time_confusion::{Confusion, ConfusionTally, explain_offset};

fn at(text: &str) -> EventTime {
    EventTime::parse(text).unwrap()
}

const ARRIVED: &str = "2026-03-02T09:14:07.125Z";

/// What is said of an event that came at `ARRIVED`.
fn said(event: EventTime) -> String {
    explain_offset(event, at(ARRIVED)).map_or("nothing".into(), |confusion| confusion.to_string())
}

#[test]
fn a_wrong_unit_is_named() {
    let happened = at(ARRIVED).0 - 3 * SECOND;
    for (event, words) in [
        (happened / 1_000, "1000 times too early after 1970"),
        (happened / 1_000_000, "a million times too early"),
        (happened / 1_000_000_000, "a thousand million times too early"),
        (happened * 1_000, "1000 times too late"),
        ((happened - 3 * 365 * DAY) / 1_000, "1000 times too early"),
    ] {
        let said = said(EventTime(event));
        assert!(said.starts_with(words) && said.ends_with("name the unit of the time field"), "{event}: {said}");
    }
}

#[test]
fn local_time_without_its_zone_is_named() {
    let arrived = at(ARRIVED);
    let off = |micros: i64| explain_offset(EventTime(arrived.0 + micros), arrived);
    assert_eq!(
        off(2 * HOUR - 2 * SECOND).unwrap().to_string(),
        "2 h ahead of its arrival, to the second: local time of UTC+2 without its zone? write the offset or convert to \
         UTC"
    );
    assert_eq!(
        off(-3 * HOUR - 30 * MINUTE).unwrap().to_string(),
        "3 h 30 min behind its arrival, to the second: local time of UTC-3:30 without its zone? write the offset or \
         convert to UTC"
    );
    for minutes in [-840, -720, -300, -60, 60, 330, 345, 525, 765, 840] {
        let expected = Some(Confusion::Zone { minutes });
        let micros = i64::from(minutes) * MINUTE;
        for delay in [-SECOND, 0, SECOND, 5 * SECOND] {
            assert_eq!(off(micros - delay), expected, "{minutes} min, {delay} us");
        }
        for delay in [-SECOND - 1, 5 * SECOND + 1, 40 * SECOND] {
            assert_eq!(off(micros - delay), None, "{minutes} min, {delay} us");
        }
    }
    for minutes in [-15, 0, 15, 30, 45, 75, 135, 855, 900] {
        assert_eq!(off(minutes * MINUTE), None, "{minutes} min is no zone");
    }
}

#[test]
fn dates_that_stand_for_none_are_named() {
    for (text, words) in [
        ("1970-01-01T00:00:00Z", "1970-01-01: an unset clock"),
        ("1970-01-01T03:20:11Z", "1970-01-01: an unset clock"),
        ("1969-12-31T23:00:00Z", "1970-01-01: an unset clock"),
        ("2000-01-01T00:00:05Z", "2000-01-01"),
        ("1980-01-06T00:00:00Z", "1980-01-06: a GPS"),
        ("1899-12-30T09:14:07Z", "1899-12-30"),
        ("1900-01-01T00:00:00Z", "1900-01-01"),
        ("0001-01-01T00:00:00Z", "0001-01-01"),
        ("9999-12-31T23:59:59Z", "9999-12-31"),
        ("2038-01-19T03:14:07Z", "2038-01-19"),
    ] {
        let said = said(at(text));
        assert!(said.starts_with(words), "{text}: {said}");
    }
    let new_year = at("2000-01-01T00:00:05Z");
    assert_eq!(explain_offset(new_year, EventTime(new_year.0 + 20 * MINUTE)), None, "late on that very day");
}

#[test]
fn other_calendars_and_short_years_are_named() {
    for (text, words) in [
        ("0026-03-02T09:14:05Z", "a year of two digits"),
        ("1926-03-02T09:14:05Z", "100 years before its arrival"),
        ("1995-03-02T09:14:05Z", "11323d behind its arrival: seconds since 2001-01-01 (Apple)"),
        ("2006-07-17T09:14:05Z", "7168d behind its arrival: the GPS week"),
        ("2096-03-01T09:14:05Z", "25567d ahead of its arrival: seconds since 1900-01-01 (NTP)"),
    ] {
        let said = said(at(text));
        assert!(said.starts_with(words), "{text}: {said}");
    }
}

#[test]
fn what_is_only_late_stays_unexplained() {
    let arrived = at(ARRIVED);
    for text in ["2026-03-02T09:14:00Z", "2026-03-02T08:59:59Z", "2026-03-01T09:14:07Z", "2024-06-05T01:02:03Z"] {
        assert_eq!(explain_offset(at(text), arrived), None, "{text}");
    }
    for event in [i64::MIN, i64::MIN / 2, i64::MAX / 2, i64::MAX] {
        for arrived in [i64::MIN, 0, arrived.0, i64::MAX] {
            assert!(!matches!(
                explain_offset(EventTime(event), EventTime(arrived)),
                Some(Confusion::Zone { .. }) | Some(Confusion::TooSmall { .. })
            ));
        }
    }
}

#[test]
fn random_lateness_is_explained_by_chance_only_rarely() {
    let arrived = at(ARRIVED);
    let mut seed = 1_u64;
    let explained = (0..20_000).filter(|_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let late = (seed >> 20) as i64 % (14 * HOUR);
        explain_offset(EventTime(arrived.0 - late), arrived).is_some()
    });
    let share = explained.count() as f64 / 20_000.0;
    assert!(share < 0.005, "{share}");
}

/// `confused` events two hours ahead, and as many more that are plainly late.
fn tally(confused: u64, plain: u64) -> ConfusionTally {
    let (mut tally, arrived) = (ConfusionTally::new(), at(ARRIVED));
    (0..confused).for_each(|_| tally.observe(EventTime(arrived.0 + 2 * HOUR), arrived));
    (0..plain).for_each(|_| tally.observe(EventTime(arrived.0 - 7 * MINUTE), arrived));
    tally
}

#[test]
fn a_mistake_is_reported_when_it_explains_many() {
    assert_eq!(tally(19, 0).finding(), None, "fewer than 20");
    assert_eq!(tally(20, 81).finding(), None, "less than a fifth");
    let finding = tally(20, 80).finding().unwrap();
    assert!(finding.to_string().starts_with("20 of 100 late or refused events: 2 h ahead"), "{finding}");
}

#[test]
fn of_two_mistakes_that_explain_as_many_the_answer_is_always_the_same() {
    let arrived = at(ARRIVED);
    let (mut one, mut other) = (ConfusionTally::new(), ConfusionTally::new());
    (0..30).for_each(|_| one.observe(EventTime(arrived.0 + HOUR), arrived));
    (0..30).for_each(|_| other.observe(EventTime(arrived.0 - HOUR), arrived));
    let (mut left, mut right) = (one.clone(), other.clone());
    left.merge(&other);
    right.merge(&one);
    assert_eq!((left.finding(), &left), (right.finding(), &right));
    assert_eq!(left.finding().unwrap().confusion, Confusion::Zone { minutes: -60 });
}

#[test]
fn a_tally_reads_back_and_nothing_else_does() {
    let mut tally = tally(3, 4);
    for event in ["1970-01-01T00:00:00Z", "0026-03-02T09:14:05Z", "2006-07-17T09:14:05Z", "1970-01-21T12:00:00Z"] {
        tally.observe(at(event), at(ARRIVED));
    }
    let mut bytes = Vec::new();
    tally.encode(&mut bytes);
    assert_eq!(bytes, include_bytes!("golden/confusion-tally-1.bin"), "raise TALLY_VERSION, keep the old reader");
    assert_eq!(ConfusionTally::decode(&bytes).unwrap(), tally);
    for length in 0..bytes.len() {
        assert!(ConfusionTally::decode(&bytes[..length]).is_err(), "cut to {length}");
    }
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut other = bytes.clone();
            other[place] ^= 1 << bit;
            if let Ok(read) = ConfusionTally::decode(&other) {
                let mut again = Vec::new();
                read.encode(&mut again);
                assert_eq!(again, other, "what reads back is what is written");
                let _ = read.finding().map(|finding| finding.to_string());
            }
        }
    }
    let mut newer = bytes.clone();
    newer[0] = 2;
    let error = ConfusionTally::decode(&newer).unwrap_err().to_string();
    assert!(error.contains("version 2, this program reads version 1"), "{error}");
}
