//! The form of each time format, and its parts.

use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::SECOND;

use super::civil::{Clock, Date, within};
use super::{Day, EpochUnit, Fault, TimeFormat, Written};

/// Digits of a fraction of a second; more would be finer than anything that keeps time.
const FRACTION_DIGITS_MAX: usize = 9;
/// Two-digit years from here on are of the 20th century, those before of the 21st.
const PIVOT_YEAR: i64 = 70;
const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

pub(super) fn span(format: TimeFormat, text: &[u8]) -> Option<usize> {
    match format {
        TimeFormat::Hdfs => fits(b"000000 000000", text),
        TimeFormat::Bgl => fits(b"0000-00-00-00.00.00.000000", text),
        TimeFormat::Log4j => fits(b"0000-00-00 00:00:00,000", text),
        TimeFormat::Spark => fits(b"00/00/00 00:00:00", text),
        TimeFormat::Iso8601 => {
            fits(b"0000-00-00", text)?;
            let separator = text.get(10)?;
            fits(b"00:00:00", text.get(11..)?)?;
            let end = 19 + fraction_span(&text[19..]);
            matches!(separator, b'T' | b't' | b' ').then(|| end + zone_span(&text[end..]))
        }
        TimeFormat::Apache => {
            fits(b"00/aaa/0000:00:00:00 ", text)?;
            month_named(&text[3..6])?;
            matches!(text.get(21)?, b'+' | b'-').then_some(())?;
            fits(b"0000", &text[22..])?;
            Some(26)
        }
        TimeFormat::Syslog => {
            fits(b"aaa ", text)?;
            month_named(&text[..3])?;
            let day = syslog_day(text)?;
            fits(b" 00:00:00", &text[day..])?;
            Some(day + 9)
        }
        TimeFormat::Clock => {
            fits(b"00:00:00", text)?;
            Some(8 + fraction_span(&text[8..]))
        }
        TimeFormat::Epoch(_) => {
            let whole = digits_span(text);
            (whole > 0)
                .then(|| whole + if text[whole..].first() == Some(&b'.') { fraction_span(&text[whole..]) } else { 0 })
        }
    }
}

/// The parts of a text of which `span` says that it has the form.
pub(super) fn written(format: TimeFormat, text: &[u8]) -> Result<Written, Fault> {
    let (day, clock) = match format {
        TimeFormat::Hdfs => (date2(text, [0, 2, 4]), clock(text, [7, 9, 11], 0)),
        TimeFormat::Spark => (date2(text, [0, 3, 6]), clock(text, [9, 12, 15], 0)),
        TimeFormat::Bgl => (date4(text), clock(text, [11, 14, 17], number(&text[20..26]))),
        TimeFormat::Log4j => (date4(text), clock(text, [11, 14, 17], number(&text[20..23]) * 1_000)),
        TimeFormat::Iso8601 => return iso8601(text),
        TimeFormat::Apache => return apache(text),
        TimeFormat::Syslog => {
            let end = syslog_day(text).ok_or(Fault::Form)?;
            let month = month_named(&text[..3]).ok_or(Fault::Form)?;
            let day = number(text[4..end].trim_ascii_start());
            (Day::WithoutYear { month, day }, clock(text, [end + 1, end + 4, end + 7], 0))
        }
        TimeFormat::Clock => (Day::None, clock(text, [0, 3, 6], fraction_micros(&text[8..])?)),
        TimeFormat::Epoch(_) => return Err(Fault::Form),
    };
    Ok(Written { day, clock, zone_seconds: None })
}

fn iso8601(text: &[u8]) -> Result<Written, Fault> {
    let end = 19 + fraction_span(&text[19..]);
    let clock = clock(text, [11, 14, 17], fraction_micros(&text[19..end])?);
    Ok(Written { day: date4(text), clock, zone_seconds: zone_seconds(&text[end..])? })
}

fn apache(text: &[u8]) -> Result<Written, Fault> {
    let month = month_named(&text[3..6]).ok_or(Fault::Form)?;
    let date = Date { year: number(&text[7..11]), month, day: two(text, 0) };
    let clock = clock(text, [12, 15, 18], 0);
    Ok(Written { day: Day::Full(date), clock, zone_seconds: zone_seconds(&text[21..])? })
}

/// Reads a number since 1970. A fraction is of its unit.
pub(super) fn epoch(unit: EpochUnit, text: &[u8]) -> Result<i64, Fault> {
    let (whole, fraction) = text.split_at(digits_span(text));
    let too_long = Fault::Range { part: "number of digits", value: whole.len() as i64, from: 1, to: 18 };
    let number = whole
        .iter()
        .try_fold(0_i64, |n, digit| n.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
        .ok_or(too_long)?;
    let unit = if unit == EpochUnit::BySize { unit_by_size(number) } else { unit };
    let fraction = fraction_nanos(fraction)?;
    let (micros, part) = match unit {
        EpochUnit::Millis => (number.checked_mul(1_000), fraction / 1_000_000),
        EpochUnit::Micros => (Some(number), 0),
        EpochUnit::Nanos => (Some(number / 1_000), 0),
        EpochUnit::Seconds | EpochUnit::BySize => (number.checked_mul(SECOND), fraction / 1_000),
    };
    let to = if unit == EpochUnit::Millis { i64::MAX / 1_000 } else { i64::MAX / SECOND };
    let micros = micros.and_then(|micros| micros.checked_add(part));
    micros.ok_or(Fault::Range { part: "number", value: number, from: 0, to: to - 1 })
}

/// The same borders as [`EventTime::from_integer`], found by asking it.
fn unit_by_size(number: i64) -> EpochUnit {
    match EventTime::from_integer(number) {
        Some(EventTime(micros)) if micros == number && number > 0 => EpochUnit::Micros,
        Some(EventTime(micros)) if micros < number => EpochUnit::Nanos,
        Some(EventTime(micros)) if micros == number.saturating_mul(1_000) && number > 0 => EpochUnit::Millis,
        _ => EpochUnit::Seconds,
    }
}

/// Whether a text begins as a picture shows, in which `0` is any digit and `a` any letter; then its length.
fn fits(picture: &[u8], text: &[u8]) -> Option<usize> {
    let text = text.get(..picture.len())?;
    let fits = picture.iter().zip(text).all(|(shown, byte)| match shown {
        b'0' => byte.is_ascii_digit(),
        b'a' => byte.is_ascii_alphabetic(),
        _ => shown == byte,
    });
    fits.then_some(picture.len())
}

fn digits_span(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}

/// A point or comma counts only with a digit behind it: it may end a sentence.
fn fraction_span(text: &[u8]) -> usize {
    match text {
        [b'.' | b',', rest @ ..] => match digits_span(rest) {
            0 => 0,
            digits => 1 + digits,
        },
        _ => 0,
    }
}

fn zone_span(text: &[u8]) -> usize {
    match text.first() {
        Some(b'Z' | b'z') => 1,
        Some(b'+' | b'-') => {
            [b"00:00".as_slice(), b"0000", b"00"].iter().find_map(|form| fits(form, &text[1..])).map_or(0, |n| n + 1)
        }
        _ => 0,
    }
}

/// `None` without a zone. Errors: hours or minutes out of range.
fn zone_seconds(text: &[u8]) -> Result<Option<i64>, Fault> {
    let (sign, hours) = match text {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        [_, ..] => return Ok(Some(0)),
        [] => return Ok(None),
    };
    let hour = two(hours, 0);
    let minute = if hours.len() > 2 { two(hours, hours.len() - 2) } else { 0 };
    within("zone hour", hour, 0, 23)?;
    within("zone minute", minute, 0, 59)?;
    Ok(Some(sign * (hour * 3_600 + minute * 60)))
}

/// Where the day of the month ends: `Nov  9`, `Nov 9`, `Nov 09`.
fn syslog_day(text: &[u8]) -> Option<usize> {
    let day = text.get(4..)?;
    [(b"00".as_slice(), 6), (b" 0", 6), (b"0", 5)].into_iter().find_map(|(form, end)| fits(form, day).map(|_| end))
}

fn month_named(name: &[u8]) -> Option<i64> {
    MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name)).map(|index| index as i64 + 1)
}

fn date4(text: &[u8]) -> Day {
    Day::Full(Date { year: number(&text[..4]), month: two(text, 5), day: two(text, 8) })
}

fn date2(text: &[u8], [year, month, day]: [usize; 3]) -> Day {
    let short = two(text, year);
    let century = if short >= PIVOT_YEAR { 1_900 } else { 2_000 };
    Day::Full(Date { year: century + short, month: two(text, month), day: two(text, day) })
}

fn clock(text: &[u8], [hour, minute, second]: [usize; 3], micros: i64) -> Clock {
    Clock { hour: two(text, hour), minute: two(text, minute), second: two(text, second), micros }
}

/// What is finer than a microsecond is cut off. Errors: more than nine digits.
fn fraction_micros(text: &[u8]) -> Result<i64, Fault> {
    Ok(fraction_nanos(text)? / 1_000)
}

/// Billionths, of a fraction with its point or comma, or of nothing.
fn fraction_nanos(text: &[u8]) -> Result<i64, Fault> {
    let digits = text.get(1..).unwrap_or_default();
    if digits.len() > FRACTION_DIGITS_MAX {
        let (value, to) = (digits.len() as i64, FRACTION_DIGITS_MAX as i64);
        return Err(Fault::Range { part: "number of digits of the fraction", value, from: 0, to });
    }
    Ok(number(digits) * 10_i64.pow((FRACTION_DIGITS_MAX - digits.len()) as u32))
}

fn two(text: &[u8], at: usize) -> i64 {
    number(&text[at..at + 2])
}

/// Of at most nine digits, checked before.
fn number(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |n, digit| n * 10 + i64::from(digit - b'0'))
}
