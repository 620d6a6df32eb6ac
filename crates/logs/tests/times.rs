//! Times as logs write them, against tables and against chrono.

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use lapwing_logs::{Layout, TimeMisfit};
use proptest::prelude::*;

/// 2026-11-21T20:00:00Z.
const ARRIVED: i64 = 1_795_291_200_000_000;
const DAY: i64 = 86_400_000_000;

fn layout(kind: &str) -> Layout {
    Layout::pattern(&format!("%{{{kind}:time}}")).expect("the kind exists")
}

fn read(kind: &str, text: &str) -> Result<i64, TimeMisfit> {
    layout(kind).time(0, text, ARRIVED)
}

fn utc(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

#[test]
fn every_format_reads_its_example() {
    let table = [
        ("hdfs_time", "081109 203518", "2008-11-09T20:35:18Z"),
        ("hdfs_time", "700101 000000", "1970-01-01T00:00:00Z"),
        ("hdfs_time", "691231 235959", "2069-12-31T23:59:59Z"),
        ("bgl_time", "2005-06-03-15.42.50.363779", "2005-06-03T15:42:50.363779Z"),
        ("iso8601", "2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z"),
        ("iso8601", "2026-01-01t10:00:00z", "2026-01-01T10:00:00Z"),
        ("iso8601", "2026-01-01 10:00:00", "2026-01-01T10:00:00Z"),
        ("iso8601", "2026-01-01 10:00:00,123456789", "2026-01-01T10:00:00.123456Z"),
        ("iso8601", "2026-01-01T10:00:00.5+02:00", "2026-01-01T08:00:00.5Z"),
        ("iso8601", "2026-01-01T10:00:00-0730", "2026-01-01T17:30:00Z"),
        ("iso8601", "2026-01-01T10:00:00+02", "2026-01-01T08:00:00Z"),
        ("iso8601", "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("iso8601", "0000-02-29T00:00:00Z", "0000-02-29T00:00:00Z"),
        ("log4j_time", "2026-01-01 10:00:00,123", "2026-01-01T10:00:00.123Z"),
        ("syslog_time", "Nov  9 20:35:18", "2026-11-09T20:35:18Z"),
        ("syslog_time", "nov 9 20:35:18", "2026-11-09T20:35:18Z"),
        ("syslog_time", "Nov 09 20:35:18", "2026-11-09T20:35:18Z"),
        ("apache_time", "10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36Z"),
        ("spark_time", "17/06/09 20:10:40", "2017-06-09T20:10:40Z"),
        ("clock", "20:35:18,250", "2026-11-21T20:35:18.25Z"),
        ("epoch", "0", "1970-01-01T00:00:00Z"),
        ("epoch", "1117838570", "2005-06-03T22:42:50Z"),
        ("epoch", "1117838570.25", "2005-06-03T22:42:50.25Z"),
        ("epoch", "1117838570363", "2005-06-03T22:42:50.363Z"),
        ("epoch", "1117838570363779", "2005-06-03T22:42:50.363779Z"),
        ("epoch", "1117838570363779123", "2005-06-03T22:42:50.363779Z"),
        ("epoch_s", "1117838570", "2005-06-03T22:42:50Z"),
        ("epoch_ms", "1117838570363.5", "2005-06-03T22:42:50.3635Z"),
        ("epoch_us", "1117838570363779", "2005-06-03T22:42:50.363779Z"),
        ("epoch_ns", "1117838570363779123", "2005-06-03T22:42:50.363779Z"),
    ];
    for (kind, text, expected) in table {
        assert_eq!(read(kind, text), Ok(utc(expected)), "{kind} {text}");
    }
}

#[test]
fn what_is_out_of_range_is_named() {
    let table = [
        ("hdfs_time", "081309 203518", "month 13 is not in 1..=12"),
        ("hdfs_time", "080009 203518", "month 0 is not in 1..=12"),
        ("hdfs_time", "090229 203518", "day 29 is not in 1..=28"),
        ("hdfs_time", "081109 243518", "hour 24 is not in 0..=23"),
        ("bgl_time", "2005-04-31-15.42.50.363779", "day 31 is not in 1..=30"),
        ("bgl_time", "2005-06-03-15.60.50.363779", "minute 60 is not in 0..=59"),
        ("iso8601", "1900-02-29T10:00:00Z", "day 29 is not in 1..=28"),
        ("iso8601", "2026-01-01T10:00:60Z", "second 60 is not in 0..=59"),
        ("iso8601", "2026-01-01T10:59:61Z", "second 61 is not in 0..=60"),
        ("iso8601", "2026-01-01T10:00:00+24:00", "zone hour 24 is not in 0..=23"),
        ("iso8601", "2026-01-01T10:00:00+0260", "zone minute 60 is not in 0..=59"),
        ("iso8601", "2026-01-01T10:00:00.1234567890Z", "number of digits of the fraction 10 is not in 0..=9"),
        ("syslog_time", "Feb 30 20:35:18", "day 30 is not in 1..=29"),
        ("syslog_time", "Nov  0 20:35:18", "day 0 is not in 1..=30"),
        ("apache_time", "32/Oct/2000:13:55:36 -0700", "day 32 is not in 1..=31"),
        ("spark_time", "17/06/31 20:10:40", "day 31 is not in 1..=30"),
        ("clock", "25:00:00", "hour 25 is not in 0..=23"),
        ("epoch_s", "9223372036855", "number 9223372036855 is not in 0..=9223372036853"),
        ("epoch", "99999999999999999999", "number of digits 20 is not in 1..=18"),
    ];
    for (kind, text, expected) in table {
        let error = read(kind, text).unwrap_err();
        assert!(matches!(error, TimeMisfit::Range { .. }), "{kind} {text}: {error}");
        assert_eq!(error.to_string(), format!("time `{text}`: {expected}"));
    }
}

#[test]
fn another_form_is_refused_with_the_right_one() {
    let table = [
        ("hdfs_time", "2008-11-09 20:35:18"),
        ("bgl_time", "2005-06-03-15.42.50"),
        ("iso8601", "2026-01-01T10:00"),
        ("iso8601", "2026-01-01_10:00:00"),
        ("iso8601", "2026-01-01T10:00:00."),
        ("iso8601", "2026-01-01T10:00:00 Z"),
        ("log4j_time", "2026-01-01 10:00:00,12"),
        ("log4j_time", "2026-01-01 10:00:00,1234"),
        ("syslog_time", "Nox  9 20:35:18"),
        ("syslog_time", "Nov   9 20:35:18"),
        ("apache_time", "10/Oct/2000:13:55:36"),
        ("spark_time", "17/06/09 20:10:40 "),
        ("clock", "7:00:00"),
        ("epoch", "-5"),
        ("epoch", "1e9"),
        ("epoch", ""),
    ];
    for (kind, text) in table {
        assert!(matches!(read(kind, text), Err(TimeMisfit::Form { .. })), "{kind} {text}");
    }
    let error = read("spark_time", "yesterday\n").unwrap_err().to_string();
    assert_eq!(error, r"`yesterday\n` is no time of the form yy/MM/dd HH:mm:ss, such as `17/06/09 20:10:40`");
}

#[test]
fn a_missing_year_is_the_nearest_to_the_arrival() {
    let syslog = layout("syslog_time");
    let read = |text: &str, arrived: &str| syslog.time(0, text, utc(arrived)).unwrap();
    assert_eq!(read("Dec 31 23:59:59", "2026-01-01T00:00:05Z"), utc("2025-12-31T23:59:59Z"));
    assert_eq!(read("Jan  1 00:00:01", "2025-12-31T23:59:58Z"), utc("2026-01-01T00:00:01Z"));
    assert_eq!(read("Jul  1 00:00:00", "2026-06-30T00:00:00Z"), utc("2026-07-01T00:00:00Z"));
    assert_eq!(read("Feb 29 12:00:00", "2026-01-01T00:00:00Z"), utc("2024-02-29T12:00:00Z"));
    assert_eq!(read("Feb 29 12:00:00", "1900-03-01T00:00:00Z"), utc("1896-02-29T12:00:00Z"));
    for arrived in [i64::MIN, -1, 0, i64::MAX] {
        assert!(syslog.time(0, "Feb 29 12:00:00", arrived).is_ok());
    }
}

#[test]
fn a_missing_day_is_the_nearest_to_the_arrival() {
    let clock = layout("clock").with_offset(7_200);
    let read = |text: &str, arrived: &str| clock.time(0, text, utc(arrived)).unwrap();
    assert_eq!(read("01:59:59", "2026-01-01T00:00:05Z"), utc("2025-12-31T23:59:59Z"));
    assert_eq!(read("02:00:01", "2025-12-31T23:59:58Z"), utc("2026-01-01T00:00:01Z"));
    for arrived in [i64::MIN, -1, 0, i64::MAX] {
        assert!(clock.time(0, "12:00:00", arrived).is_ok());
    }
}

#[test]
fn the_offset_is_of_times_without_a_zone() {
    let read = |kind: &str, text: &str| layout(kind).with_offset(-7 * 3_600).time(0, text, ARRIVED).unwrap();
    assert_eq!(read("bgl_time", "2005-06-03-15.42.50.363779"), utc("2005-06-03T22:42:50.363779Z"));
    assert_eq!(read("iso8601", "2026-01-01 10:00:00"), utc("2026-01-01T17:00:00Z"));
    assert_eq!(read("iso8601", "2026-01-01 10:00:00Z"), utc("2026-01-01T10:00:00Z"));
    assert_eq!(read("epoch", "1117838570"), utc("2005-06-03T22:42:50Z"));
    assert_eq!(read("syslog_time", "Dec 31 17:00:00"), utc("2027-01-01T00:00:00Z"));
}

#[test]
fn a_field_that_is_no_time_is_refused() {
    let layout = Layout::pattern("%{word:a} %{rest:b}").unwrap();
    assert_eq!(layout.time(0, "x", 0), Err(TimeMisfit::NoTime { field: 0 }));
    assert_eq!(layout.time(7, "x", 0), Err(TimeMisfit::NoTime { field: 7 }));
}

/// Each format with chrono's name for it, and what it can tell of a moment.
const FORMATS: [(&str, &str); 7] = [
    ("hdfs_time", "%y%m%d %H%M%S"),
    ("spark_time", "%y/%m/%d %H:%M:%S"),
    ("bgl_time", "%Y-%m-%d-%H.%M.%S.%6f"),
    ("iso8601", "%Y-%m-%dT%H:%M:%S%.9f"),
    ("iso8601", "%Y-%m-%d %H:%M:%S"),
    ("log4j_time", "%Y-%m-%d %H:%M:%S,%3f"),
    ("apache_time", "%d/%b/%Y:%H:%M:%S +0000"),
];

fn truth(text: &str, format: &str) -> Option<i64> {
    NaiveDateTime::parse_from_str(text, format).ok().map(|time| time.and_utc().timestamp_micros())
}

proptest! {
    #[test]
    fn a_moment_that_chrono_writes_is_read_as_chrono_reads_it(micros in 0..4_102_444_800_000_000_i64, which in 0..FORMATS.len()) {
        let (kind, format) = FORMATS[which];
        let text = DateTime::from_timestamp_micros(micros).unwrap().format(format).to_string();
        // The two-digit year 69 is 2069 for both.
        prop_assert_eq!(read(kind, &text).ok(), truth(&text, format), "{}", text);
    }

    #[test]
    fn digits_that_chrono_refuses_are_refused(
        year in 0..100_u32, month in 0..14_u32, day in 0..33_u32, hour in 0..26_u32, minute in 0..62_u32,
        second in prop_oneof![0..60_u32, 61..70_u32], which in 0..FORMATS.len(),
    ) {
        let (kind, format) = FORMATS[which];
        let name = ["Xyz", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Abc"];
        let text = format
            .replace("%Y", &format!("20{year:02}")).replace("%y", &format!("{year:02}")).replace("%m", &format!("{month:02}"))
            .replace("%d", &format!("{day:02}")).replace("%H", &format!("{hour:02}")).replace("%M", &format!("{minute:02}"))
            .replace("%S", &format!("{second:02}")).replace("%.9f", ".123456789").replace("%6f", "123456")
            .replace("%3f", "123").replace("%b", name[month as usize]);
        prop_assert_eq!(read(kind, &text).ok(), truth(&text, format), "{}", text);
    }

    #[test]
    fn a_zone_is_read_as_chrono_reads_it(micros in 0..4_102_444_800_000_000_i64, minutes in -1_439..1_440_i32) {
        let zone = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
        let time = DateTime::from_timestamp_micros(micros).unwrap().with_timezone(&zone);
        for format in ["%Y-%m-%dT%H:%M:%S%.6f%:z", "%Y-%m-%d %H:%M:%S%.6f%z"] {
            prop_assert_eq!(read("iso8601", &time.format(format).to_string()), Ok(micros));
        }
        let apache = time.format("%d/%b/%Y:%H:%M:%S %z").to_string();
        prop_assert_eq!(read("apache_time", &apache), Ok(micros.div_euclid(1_000_000) * 1_000_000));
    }

    #[test]
    fn a_time_without_a_year_is_that_of_the_year_it_arrives_in_or_a_neighbour(
        micros in 0..4_102_444_800_000_000_i64, late in -170 * DAY..170 * DAY,
    ) {
        let micros = micros / 1_000_000 * 1_000_000;
        let time = DateTime::from_timestamp_micros(micros).unwrap();
        let syslog = layout("syslog_time").time(0, &time.format("%b %e %H:%M:%S").to_string(), micros + late);
        prop_assert_eq!(syslog, Ok(micros), "{}-{}", time.year(), time.month());
        let clock = layout("clock").time(0, &time.format("%H:%M:%S").to_string(), micros + late % (DAY / 2));
        prop_assert_eq!(clock, Ok(micros), "{}", time.hour());
    }

    #[test]
    fn an_epoch_is_told_by_its_size(seconds in 1_000_000_000..4_102_444_800_i64, nanos in 0..1_000_000_000_i64) {
        let micros = seconds * 1_000_000 + nanos / 1_000;
        prop_assert_eq!(read("epoch", &seconds.to_string()), Ok(seconds * 1_000_000));
        prop_assert_eq!(read("epoch", &format!("{seconds}.{nanos:09}")), Ok(micros));
        prop_assert_eq!(read("epoch", &(micros / 1_000).to_string()), Ok(micros / 1_000 * 1_000));
        prop_assert_eq!(read("epoch", &micros.to_string()), Ok(micros));
        prop_assert_eq!(read("epoch", &(seconds * 1_000_000_000 + nanos).to_string()), Ok(micros));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(\\PC{0,40}|[0-9 :.,/TZ+-]{0,30}|[A-Za-z]{3} [0-9 :]{10,12})", arrived in any::<i64>()) {
        for kind in ["hdfs_time", "bgl_time", "iso8601", "log4j_time", "syslog_time", "apache_time", "spark_time", "clock", "epoch"] {
            let _ = layout(kind).with_offset(i32::MIN).time(0, &text, arrived);
        }
    }
}
