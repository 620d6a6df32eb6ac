use std::ops::RangeInclusive;

use lapwing_vocabulary::time::{DAY, format_duration};

/// Longest window, and longest lateness. Units: microseconds.
pub(super) const YEAR: i64 = 366 * DAY;
/// Longest retention: a hundred years. Units: microseconds.
pub(super) const CENTURY: i64 = 100 * YEAR;

/// Units of sizes, largest first of each kind.
const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Reads a size such as `10MiB`, `512kB`, `100B`. Units: bytes. `None` if it is not a whole number followed by one of
/// `B`, `KiB`, `MiB`, `GiB`, `kB`, `MB`, `GB`, or overflows.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..split].parse().ok()?;
    let name = text[split..].trim();
    let (_, unit) = SIZES.iter().find(|(unit, _)| *unit == name)?;
    number.checked_mul(*unit)
}

/// Writes a size in the largest unit that divides it, as [`parse_size`] reads it.
pub fn format_size(bytes: u64) -> String {
    let divides = |(_, unit): &&(&str, u64)| bytes > 0 && bytes.is_multiple_of(*unit);
    match SIZES.iter().find(divides) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

/// The allowed lengths of time, for people. `format_duration` has no unit for nothing at all.
pub(super) fn duration_bounds(range: &RangeInclusive<i64>) -> String {
    format!("{} to {}", show_duration(*range.start()), show_duration(*range.end()))
}

/// A length of time, for people and for the file.
pub(super) fn show_duration(micros: i64) -> String {
    if micros == 0 { "0s".to_owned() } else { format_duration(micros) }
}

/// Whether a name can stand in SQL without quotes: letters, digits, underscore, not a digit first, at most 64.
pub(super) fn is_identifier(name: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    first && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether a name holds only small letters, digits and `extra`, 1 to 64 of them.
pub(super) fn is_plain_name(name: &str, extra: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || extra.contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(allowed)
}

/// Whether Kafka accepts the name of a topic.
pub(super) fn is_topic_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=249).contains(&name.len()) && name.bytes().all(allowed) && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_alike() {
        for text in ["10MiB", "512KiB", "3GB", "7B", "5kB", "0B", "1500B"] {
            assert_eq!(format_size(parse_size(text).unwrap()), text);
        }
        assert_eq!(parse_size("10 MiB"), Some(10 << 20));
        for text in ["", "10", "MiB", "-1B", "1.5GiB", "10mb", "99999999999GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
