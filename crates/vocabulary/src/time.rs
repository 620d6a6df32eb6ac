use std::fmt;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Microseconds in one second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in one minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds in one hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds in one day.
pub const DAY: i64 = 24 * HOUR;

/// The moment at which an event happened, by the clock of whoever produced it.
/// Units: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(pub i64);

impl EventTime {
    /// Reads a moment from text: RFC 3339, or `YYYY-MM-DD HH:MM:SS[.fraction]` taken as UTC, or a number (see
    /// [`EventTime::from_number`]). `None` if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(time) = parse_common(text.as_bytes()) {
            return Some(time);
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Some(Self(time.timestamp_micros()));
        }
        for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"] {
            if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
                return Some(Self(time.and_utc().timestamp_micros()));
            }
        }
        text.parse::<f64>().ok().and_then(Self::from_number)
    }

    /// Reads a moment from a number since the epoch, its unit told by its size: seconds below 1e11 (year 5138),
    /// milliseconds below 1e14, microseconds below 1e17, nanoseconds above. `None` if negative or not finite.
    pub fn from_number(number: f64) -> Option<Self> {
        if !number.is_finite() || number < 0.0 {
            return None;
        }
        let micros = match number {
            n if n < 1e11 => n * 1e6,
            n if n < 1e14 => n * 1e3,
            n if n < 1e17 => n,
            n => n / 1e3,
        };
        Some(Self(micros.round() as i64))
    }

    /// Whole-number twin of [`EventTime::from_number`], without rounding.
    pub fn from_integer(number: i64) -> Option<Self> {
        match number {
            n if n < 0 => None,
            n if n < 100_000_000_000 => Some(Self(n * SECOND)),
            n if n < 100_000_000_000_000 => Some(Self(n * 1_000)),
            n if n < 100_000_000_000_000_000 => Some(Self(n)),
            n => Some(Self(n / 1_000)),
        }
    }

    /// RFC 3339 in UTC with microseconds; what cannot be written so (beyond year 262142) is written as a number.
    pub fn to_rfc3339(self) -> String {
        match DateTime::<Utc>::from_timestamp_micros(self.0) {
            Some(time) => time.to_rfc3339_opts(SecondsFormat::Micros, true),
            None => self.0.to_string(),
        }
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

/// `YYYY-MM-DD?HH:MM:SS[.fraction]Z` read without allocation: nearly every event carries this form, and the general
/// parser costs twenty times as much.
fn parse_common(text: &[u8]) -> Option<EventTime> {
    if text.len() < 20 || text[text.len() - 1] != b'Z' {
        return None;
    }
    let separators = [text[4], text[7], text[13], text[16]];
    if separators != [b'-', b'-', b':', b':'] || !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (digits(&text[0..4])?, digits(&text[5..7])?, digits(&text[8..10])?);
    let (hour, minute, second) = (digits(&text[11..13])?, digits(&text[14..16])?, digits(&text[17..19])?);
    let fraction = &text[19..text.len() - 1];
    let micros = match fraction {
        [] => 0,
        [b'.', rest @ ..] if (1..=9).contains(&rest.len()) => {
            let scale = 10_i64.pow(rest.len() as u32);
            digits(rest)? * SECOND / scale
        }
        _ => return None,
    };
    let month_days = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > month_days || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    Some(EventTime(days * DAY + hour * HOUR + minute * MINUTE + second * SECOND + micros))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0_i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar.
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Reads a length of time such as `250ms`, `90s`, `5m`, `1h`, `24h`, `7d`. Units: microseconds.
/// `None` if it is not a whole number followed by one of `us`, `ms`, `s`, `m`, `h`, `d`, or overflows.
pub fn parse_duration(text: &str) -> Option<i64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: i64 = text[..split].parse().ok()?;
    let unit = match text[split..].trim() {
        "us" => 1,
        "ms" => 1_000,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Writes a length of time in the largest unit that divides it, as [`parse_duration`] reads it.
pub fn format_duration(micros: i64) -> String {
    for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1_000, "ms")] {
        if micros != 0 && micros % unit == 0 {
            return format!("{}{name}", micros / unit);
        }
    }
    format!("{micros}us")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_and_the_general_parser_agree() {
        for text in
            ["2026-02-28T23:59:59Z", "2024-02-29T00:00:00.5Z", "1970-01-01T00:00:00.000001Z", "2000-03-01 12:00:00Z"]
        {
            let general = DateTime::parse_from_rfc3339(&text.replace(' ', "T")).unwrap().timestamp_micros();
            assert_eq!(parse_common(text.as_bytes()), Some(EventTime(general)), "{text}");
        }
        assert_eq!(EventTime::parse("2026-02-29T00:00:00Z"), None);
        assert_eq!(EventTime::parse("2026-01-01T01:00:00+01:00"), EventTime::parse("2026-01-01T00:00:00Z"));
        assert_eq!(EventTime::parse("2026-01-01 00:00:00"), EventTime::parse("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn the_unit_of_a_number_follows_from_its_size() {
        let expected = Some(EventTime(1_700_000_000 * SECOND));
        for number in ["1700000000", "1700000000000", "1700000000000000", "1700000000000000000", "1700000000.0"] {
            assert_eq!(EventTime::parse(number), expected, "{number}");
        }
        assert_eq!(EventTime::from_integer(-1), None);
        assert_eq!(EventTime::parse("NaN"), None);
    }

    #[test]
    fn durations_are_read_and_written_alike() {
        for text in ["250ms", "90s", "5m", "1h", "1d", "7us"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
        for text in ["", "5", "m", "-5m", "5 weeks", "99999999999999999d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
