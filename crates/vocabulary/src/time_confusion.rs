//! An event time far from its arrival is often right but for one mistake, and the mistake shows in the distance: a
//! factor of a thousand, whole hours to the second, the first day of some calendar. [`explain_offset`](crate::time_confusion::explain_offset) looks at one
//! event and proposes; it takes some events for confused that are only late, such as one in 300 that come hours late at
//! random. So [`ConfusionTally`](crate::time_confusion::ConfusionTally) counts over a stream, and speaks when one mistake explains many.

use crate::stored::{Malformed, Reader};
use crate::time::{DAY, EventTime, HOUR, MINUTE, SECOND, format_duration};
use chrono::{DateTime, Datelike, Utc};
use std::collections::BTreeMap;
use std::fmt;

/// Version of [`ConfusionTally::encode`].
pub const TALLY_VERSION: u8 = 1;
/// Fewer events than this are chance.
pub const EVENTS_MIN: u64 = 20;
/// A mistake is reported if it explains at least one in so many events. Chance explains fewer than one in 100.
pub const SHARE_MIN: u64 = 5;

/// A mistake that explains an event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confusion {
    /// Time since 1970 a thousand, a million or a thousand million times too small.
    TooSmall {
        /// 1, 2 or 3.
        thousands: u8,
    },
    /// Time since 1970 a thousand times too large.
    TooLarge,
    /// A year of two digits, taken as it stands.
    TwoDigitYear,
    /// The right day, a hundred years ago.
    Century,
    /// A date that stands for none.
    Default(Place),
    /// Counted from another day than 1970-01-01, or from a week that has come round.
    Epoch(Place),
    /// Local time taken for UTC.
    Zone {
        /// Ahead of the arrival if above 0, else behind. Units: minutes.
        minutes: i16,
    },
}

/// A row of the table of its mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u8);

/// Dates that stand for none, as seconds since 1970, and where they come from. A clock that starts there goes on.
const DEFAULTS: [(i64, &str); 12] = [
    (0, "1970-01-01: an unset clock, or an empty field read as 0"),
    (946_684_800, "2000-01-01: an unset clock"),
    (315_532_800, "1980-01-01: an unset clock"),
    (315_964_800, "1980-01-06: a GPS receiver without a fix"),
    (978_307_200, "2001-01-01: an empty field in Apple's calendar"),
    (-2_208_988_800, "1900-01-01: an empty field, or a time without a date"),
    (-2_209_161_600, "1899-12-30: a time of day without a date, from a spreadsheet"),
    (-2_082_844_800, "1904-01-01: an empty field in the calendar of old Apple and camera formats"),
    (-11_644_473_600, "1601-01-01: an empty field in Windows' calendar"),
    (-62_135_596_800, "0001-01-01: an empty field in .NET's or Go's calendar"),
    (253_402_214_400, "9999-12-31: an end left open"),
    (2_147_483_647, "2038-01-19: the largest second of 32 bits"),
];

/// Days from which others count, by the seconds that are missing, and how to tell.
const EPOCHS: [(i64, &str); 7] = [
    (315_964_800, "seconds since 1980-01-06 (GPS) read as since 1970"),
    (619_315_200, "the GPS week began again after 1024; the receiver needs new firmware"),
    (946_684_800, "seconds since 2000-01-01 (PostgreSQL, meters) read as since 1970"),
    (978_307_200, "seconds since 2001-01-01 (Apple) read as since 1970"),
    (-2_208_988_800, "seconds since 1900-01-01 (NTP) read as since 1970"),
    (-2_082_844_800, "seconds since 1904-01-01 (old Apple, cameras) read as since 1970"),
    (-11_644_473_600, "time since 1601-01-01 (Windows) read as since 1970"),
];

/// Offsets from UTC in use that are no whole hours. Units: minutes, without sign.
const ODD_ZONES: [i64; 11] = [150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825];
/// The zone furthest from UTC. Units: minutes.
const ZONE_MAX: i64 = 14 * 60;
/// What an event may take to arrive and still be recognised as off by whole hours, and by how much clocks differ. Wider
/// would take more late events for confused by chance.
const ZONE_DELAY: std::ops::RangeInclusive<i64> = -SECOND..=5 * SECOND;

/// Names the mistake that explains the distance of an event from its arrival; `None` if there is none, or none is
/// recognised. Meant for events that are late or refused; an event that arrives as it happens is never explained.
pub fn explain_offset(event: EventTime, arrived: EventTime) -> Option<Confusion> {
    unit(event, arrived)
        .or_else(|| default_date(event, arrived))
        .or_else(|| epoch(event, arrived))
        .or_else(|| year(event, arrived))
        .or_else(|| zone(event, arrived))
}

/// How long before its arrival an event may lie once the mistake is mended. Long for a thousand, where nothing else
/// can be meant; short where a clock that began in 1970 comes by as well.
fn unit(event: EventTime, arrived: EventTime) -> Option<Confusion> {
    // Soon after 1970 every factor fits; there only tests and simulations are.
    if arrived.0 < 25 * 365 * DAY {
        return None;
    }
    if near(i128::from(event.0) / 1_000, arrived, 20 * 365 * DAY, DAY) {
        return Some(Confusion::TooLarge);
    }
    let cases = [(1, 1_000, 20 * 365 * DAY), (2, 1_000_000, 30 * DAY), (3, 1_000_000_000, 30 * DAY)];
    let fits = |(_, factor, before): &(u8, i128, i64)| {
        event.0 > 0 && near(i128::from(event.0) * factor, arrived, *before, DAY)
    };
    cases.into_iter().find(fits).map(|(thousands, ..)| Confusion::TooSmall { thousands })
}

/// Within the day, in any zone; and the date is not that of the arrival.
fn default_date(event: EventTime, arrived: EventTime) -> Option<Confusion> {
    let apart = i128::from(event.0).abs_diff(i128::from(arrived.0)) > 30 * DAY as u128;
    let fits = |(seconds, _): &(i64, &str)| {
        let from_start = i128::from(event.0) - i128::from(*seconds) * i128::from(SECOND);
        (i128::from(-14 * HOUR)..i128::from(36 * HOUR)).contains(&from_start)
    };
    DEFAULTS.iter().position(|default| apart && fits(default)).map(|place| Confusion::Default(Place(place as u8)))
}

fn epoch(event: EventTime, arrived: EventTime) -> Option<Confusion> {
    let mended = |seconds: i64| i128::from(event.0) + i128::from(seconds) * i128::from(SECOND);
    let fits = |(seconds, _): &(i64, &str)| near(mended(*seconds), arrived, HOUR, MINUTE);
    EPOCHS.iter().position(fits).map(|place| Confusion::Epoch(Place(place as u8)))
}

fn year(event: EventTime, arrived: EventTime) -> Option<Confusion> {
    let (date, now) = (date_of(event)?, date_of(arrived)?);
    let moved = |years: i32| date.with_year(date.year() + years).map(|moved| moved.timestamp_micros());
    let fits = |years: i32| moved(years).is_some_and(|moved| near(i128::from(moved), arrived, 30 * DAY, DAY));
    match date.year() {
        0..=99 if fits(now.year() - now.year().rem_euclid(100)) => Some(Confusion::TwoDigitYear),
        _ if fits(100) => Some(Confusion::Century),
        _ => None,
    }
}

fn date_of(time: EventTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(time.0)
}

fn zone(event: EventTime, arrived: EventTime) -> Option<Confusion> {
    let ahead = event.0.checked_sub(arrived.0)?;
    if ahead.checked_abs()? > (ZONE_MAX + 1) * MINUTE {
        return None;
    }
    let quarter = 15 * MINUTE;
    let minutes = (ahead + quarter / 2).div_euclid(quarter) * 15;
    let in_use = minutes != 0 && (minutes % 60 == 0 || ODD_ZONES.contains(&minutes.abs()));
    let fits = in_use && minutes.abs() <= ZONE_MAX && ZONE_DELAY.contains(&(minutes * MINUTE - ahead));
    fits.then_some(Confusion::Zone { minutes: minutes as i16 })
}

/// Whether a time lies at most `before` before the arrival and at most `after` after it.
fn near(micros: i128, arrived: EventTime, before: i64, after: i64) -> bool {
    (-i128::from(after)..=i128::from(before)).contains(&(i128::from(arrived.0) - micros))
}

impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall { thousands: 1 } => f.write_str(
                "1000 times too early after 1970: seconds read as milliseconds, or milliseconds as microseconds? name \
                 the unit of the time field",
            ),
            Self::TooSmall { thousands: 2 } => f.write_str(
                "a million times too early after 1970: seconds read as microseconds, or milliseconds as nanoseconds? \
                 name the unit of the time field",
            ),
            Self::TooSmall { .. } => f.write_str(
                "a thousand million times too early after 1970: seconds read as nanoseconds? name the unit of the \
                 time field",
            ),
            Self::TooLarge => f.write_str(
                "1000 times too late after 1970: milliseconds read as seconds, microseconds as milliseconds, or \
                 nanoseconds as microseconds? name the unit of the time field",
            ),
            Self::TwoDigitYear => f.write_str(
                "a year of two digits taken for one of the first century? write years with four digits, or name the \
                 format of the time field",
            ),
            Self::Century => f.write_str(
                "100 years before its arrival: a year of two digits put into the wrong century? write years with four \
                 digits",
            ),
            Self::Default(place) => {
                let (_, name) = DEFAULTS[usize::from(place.0)];
                write!(f, "{name}? set the clock of the producer, or leave out events without a time")
            }
            Self::Epoch(place) => {
                let (seconds, name) = EPOCHS[usize::from(place.0)];
                let days = format_duration(seconds.abs() / 86_400 * DAY);
                let side = if seconds > 0 { "behind" } else { "ahead of" };
                write!(f, "{days} {side} its arrival: {name}? convert it to UTC at the producer")
            }
            Self::Zone { minutes } => zone_text(f, i32::from(*minutes)),
        }
    }
}

fn zone_text(f: &mut fmt::Formatter<'_>, minutes: i32) -> fmt::Result {
    let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
    let (side, sign) = if minutes > 0 { ("ahead of", '+') } else { ("behind", '-') };
    let rest_text = if rest == 0 { String::new() } else { format!(" {rest} min") };
    let rest_digits = if rest == 0 { String::new() } else { format!(":{rest}") };
    write!(
        f,
        "{hours} h{rest_text} {side} its arrival, to the second: local time of UTC{sign}{hours}{rest_digits} without \
         its zone? write the offset or convert to UTC"
    )
}

impl Confusion {
    /// The number by which it is stored; it never changes its meaning.
    fn code(self) -> u16 {
        match self {
            Self::TooSmall { thousands } => u16::from(thousands),
            Self::TooLarge => 4,
            Self::TwoDigitYear => 5,
            Self::Century => 6,
            Self::Default(place) => 100 + u16::from(place.0),
            Self::Epoch(place) => 400 + u16::from(place.0),
            Self::Zone { minutes } => (2_000 + i32::from(minutes)) as u16,
        }
    }

    fn from_code(code: u16) -> Option<Self> {
        let in_table = |place: u16, length: usize| usize::from(place) < length;
        match code {
            1..=3 => Some(Self::TooSmall { thousands: code as u8 }),
            4 => Some(Self::TooLarge),
            5 => Some(Self::TwoDigitYear),
            6 => Some(Self::Century),
            100..400 if in_table(code - 100, DEFAULTS.len()) => Some(Self::Default(Place((code - 100) as u8))),
            400..700 if in_table(code - 400, EPOCHS.len()) => Some(Self::Epoch(Place((code - 400) as u8))),
            1_160..=2_840 if (code - 1_160).is_multiple_of(15) && code != 2_000 => {
                Some(Self::Zone { minutes: code as i16 - 2_000 })
            }
            _ => None,
        }
    }
}

/// One mistake that explains many events. Its text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The mistake.
    pub confusion: Confusion,
    /// Events it explains.
    pub events: u64,
    /// Late and refused events in all.
    pub of: u64,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} late or refused events: {}", self.events, self.of, self.confusion)
    }
}

/// How many late and refused events each mistake explains. At most about 150 counters, whatever comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfusionTally {
    events: u64,
    /// By code.
    counts: BTreeMap<u16, u64>,
}

impl ConfusionTally {
    /// No events yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a late or refused event, with what explains it.
    pub fn observe(&mut self, event: EventTime, arrived: EventTime) {
        self.events = self.events.saturating_add(1);
        if let Some(confusion) = explain_offset(event, arrived) {
            let count = self.counts.entry(confusion.code()).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Number of late and refused events.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Adds the events of another partition. The order of merging does not matter.
    pub fn merge(&mut self, other: &Self) {
        self.events = self.events.saturating_add(other.events);
        for (code, more) in &other.counts {
            let count = self.counts.entry(*code).or_default();
            *count = count.saturating_add(*more);
        }
    }

    /// The mistake that explains most events, if they are at least [`EVENTS_MIN`] and one in [`SHARE_MIN`].
    pub fn finding(&self) -> Option<Finding> {
        // Of two equal ones the lower code: `max_by_key` takes the last, so they are looked at from the end.
        let (code, events) = self.counts.iter().rev().max_by_key(|(_, count)| **count)?;
        let confusion = Confusion::from_code(*code).expect("only codes of mistakes are counted");
        let many = *events >= EVENTS_MIN && events.saturating_mul(SHARE_MIN) >= self.events;
        many.then_some(Finding { confusion, events: *events, of: self.events })
    }

    /// Appends the counts to `out`, the same bytes for the same events. All numbers are little-endian.
    ///
    /// ```text
    /// version    u8    1
    /// events     u64
    /// mistakes   u16
    /// each mistake, by ascending code:
    ///   code     u16
    ///   events   u64   at least 1
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(TALLY_VERSION);
        out.extend_from_slice(&self.events.to_le_bytes());
        out.extend_from_slice(&(self.counts.len() as u16).to_le_bytes());
        for (code, count) in &self.counts {
            out.extend_from_slice(&code.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
        }
    }

    /// Reads what [`ConfusionTally::encode`] has written. Errors: anything that it could not have written.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("the tally of confused times", bytes);
        reader.version(TALLY_VERSION)?;
        let mut tally = Self { events: reader.u64()?, counts: BTreeMap::new() };
        for _ in 0..reader.u16()? {
            let (code, count) = (reader.u16()?, reader.u64()?);
            let ascends = tally.counts.last_key_value().is_none_or(|(last, _)| *last < code);
            if Confusion::from_code(code).is_none() || !ascends || count == 0 {
                return Err(reader.fault(format!("a mistake of code {code} cannot be there")));
            }
            tally.counts.insert(code, count);
        }
        reader.end()?;
        let explained = tally.counts.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        if explained > tally.events {
            return Err(reader.fault("more events explained than there were"));
        }
        Ok(tally)
    }
}
