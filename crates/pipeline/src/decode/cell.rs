use lapwing_vocabulary::EventTime;

use super::schema::Kind;

/// What a scanner found for one column: its shape, and where its bytes lie in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) shape: Shape,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The shape of a value before its type is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The field is absent, null, or an empty CSV field.
    Missing,
    /// A number without fraction and exponent.
    Integer,
    /// Any other number.
    Decimal,
    /// Text without escapes; `start..end` excludes the quotes.
    Text,
    /// JSON text with escapes.
    Escaped,
    /// `true`.
    True,
    /// `false`.
    False,
    /// An object or array, as its JSON text.
    Nested,
    /// A CSV field: text whose type is told by the schema alone, so reading it as a number is no coercion.
    Untyped,
    /// A moment that the scanner has read already: microseconds since the epoch, in place of the bounds.
    Moment,
}

impl Cell {
    pub(super) const MISSING: Self = Self { shape: Shape::Missing, start: 0, end: 0 };

    /// A moment in microseconds since the epoch.
    pub(super) fn moment(micros: i64) -> Self {
        Self { shape: Shape::Moment, start: (micros >> 32) as u32, end: micros as u32 }
    }

    fn micros(self) -> i64 {
        (i64::from(self.start as i32) << 32) | i64::from(self.end)
    }

    /// Its text; empty for a moment, whose number stands in place of the bounds.
    pub(super) fn bytes(self, record: &[u8]) -> &[u8] {
        if self.shape == Shape::Moment {
            return &[];
        }
        &record[self.start as usize..self.end as usize]
    }
}

/// A value read as the type of its column. `coerced` marks one that was not written in that type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Read<T> {
    pub(super) value: Option<T>,
    pub(super) coerced: bool,
}

impl<T> Read<T> {
    fn plain(value: T) -> Self {
        Self { value: Some(value), coerced: false }
    }

    fn coerced(value: T) -> Self {
        Self { value: Some(value), coerced: true }
    }

    const NULL: Self = Self { value: None, coerced: false };
    const COERCED_NULL: Self = Self { value: None, coerced: true };
}

/// The value cannot be read as the column's type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit;

pub(super) fn read_int(cell: Cell, record: &[u8]) -> Result<Read<i64>, Unfit> {
    let bytes = cell.bytes(record);
    match cell.shape {
        Shape::Missing => Ok(Read::NULL),
        Shape::Integer => integer(bytes).map(Read::plain).ok_or(Unfit),
        Shape::Decimal => whole(bytes).map(Read::coerced).ok_or(Unfit),
        Shape::True => Ok(Read::coerced(1)),
        Shape::False => Ok(Read::coerced(0)),
        Shape::Text | Shape::Untyped => {
            let text = bytes.trim_ascii();
            if means_missing(text) {
                return Ok(if cell.shape == Shape::Untyped { Read::NULL } else { Read::COERCED_NULL });
            }
            match (cell.shape, integer(text)) {
                (Shape::Untyped, Some(value)) => Ok(Read::plain(value)),
                (_, value) => value.or_else(|| whole(text)).map(Read::coerced).ok_or(Unfit),
            }
        }
        Shape::Escaped | Shape::Nested | Shape::Moment => Err(Unfit),
    }
}

pub(super) fn read_float(cell: Cell, record: &[u8]) -> Result<Read<f64>, Unfit> {
    let bytes = cell.bytes(record);
    match cell.shape {
        Shape::Missing => Ok(Read::NULL),
        Shape::Integer | Shape::Decimal => finite(bytes).map(Read::plain).ok_or(Unfit),
        Shape::True => Ok(Read::coerced(1.0)),
        Shape::False => Ok(Read::coerced(0.0)),
        Shape::Text | Shape::Untyped => {
            let text = bytes.trim_ascii();
            if means_missing(text) {
                return Ok(if cell.shape == Shape::Untyped { Read::NULL } else { Read::COERCED_NULL });
            }
            let value = finite(text).ok_or(Unfit)?;
            Ok(if cell.shape == Shape::Untyped { Read::plain(value) } else { Read::coerced(value) })
        }
        Shape::Escaped | Shape::Nested | Shape::Moment => Err(Unfit),
    }
}

pub(super) fn read_bool(cell: Cell, record: &[u8]) -> Result<Read<bool>, Unfit> {
    match cell.shape {
        Shape::Missing => Ok(Read::NULL),
        Shape::True => Ok(Read::plain(true)),
        Shape::False => Ok(Read::plain(false)),
        Shape::Integer | Shape::Text | Shape::Untyped => match cell.bytes(record).trim_ascii() {
            b"1" | b"true" | b"True" | b"TRUE" => Ok(Read::coerced(true)),
            b"0" | b"false" | b"False" | b"FALSE" => Ok(Read::coerced(false)),
            text if means_missing(text) => Ok(Read::COERCED_NULL),
            _ => Err(Unfit),
        },
        Shape::Decimal | Shape::Escaped | Shape::Nested | Shape::Moment => Err(Unfit),
    }
}

pub(super) fn read_time(cell: Cell, record: &[u8]) -> Result<Read<i64>, Unfit> {
    let bytes = cell.bytes(record);
    match cell.shape {
        Shape::Missing => Ok(Read::NULL),
        Shape::Integer => integer(bytes).and_then(EventTime::from_integer).map(|time| Read::plain(time.0)).ok_or(Unfit),
        Shape::Decimal => finite(bytes).and_then(EventTime::from_number).map(|time| Read::plain(time.0)).ok_or(Unfit),
        Shape::Text | Shape::Untyped => {
            let text = std::str::from_utf8(bytes).map_err(|_| Unfit)?;
            if means_missing(text.trim().as_bytes()) {
                return Ok(Read::COERCED_NULL);
            }
            EventTime::parse(text).map(|time| Read::plain(time.0)).ok_or(Unfit)
        }
        Shape::Moment => Ok(Read::plain(cell.micros())),
        Shape::True | Shape::False | Shape::Escaped | Shape::Nested => Err(Unfit),
    }
}

/// Appends the text of a cell to `into`. `Ok(None)` is null; otherwise whether the value was coerced.
pub(super) fn read_text(cell: Cell, record: &[u8], into: &mut Vec<u8>) -> Result<Option<bool>, Unfit> {
    let bytes = cell.bytes(record);
    match cell.shape {
        Shape::Missing => return Ok(None),
        Shape::Escaped => unescape(bytes, into)?,
        _ => into.extend_from_slice(bytes),
    }
    Ok(Some(!matches!(cell.shape, Shape::Text | Shape::Escaped | Shape::Untyped | Shape::Nested)))
}

/// Spellings of "no value" that programs write into text and CSV fields.
fn means_missing(text: &[u8]) -> bool {
    matches!(text, b"" | b"NaN" | b"nan" | b"NA" | b"N/A" | b"null" | b"NULL" | b"None" | b"\\N")
}

fn integer(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut magnitude = 0_u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// A decimal that stands for a whole number, such as `3.0` or `1e3`.
fn whole(bytes: &[u8]) -> Option<i64> {
    let value = finite(bytes)?;
    // Beyond 2^53 a float no longer names one whole number.
    (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then_some(value as i64)
}

fn finite(bytes: &[u8]) -> Option<f64> {
    if bytes.len() <= 15
        && let Some(value) = integer(bytes)
    {
        return Some(value as f64);
    }
    fast_float2::parse::<f64, _>(bytes).ok().filter(|value| value.is_finite())
}

/// Resolves JSON escapes. A lone surrogate has no UTF-8 form and is refused.
/// Source: RFC 8259, section 7.
pub(super) fn unescape(bytes: &[u8], into: &mut Vec<u8>) -> Result<(), Unfit> {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            into.push(bytes[at]);
            at += 1;
            continue;
        }
        let plain = match bytes.get(at + 1).ok_or(Unfit)? {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                let (character, length) = unicode_escape(&bytes[at..])?;
                into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at += length;
                continue;
            }
            other => *other,
        };
        into.push(plain);
        at += 2;
    }
    Ok(())
}

fn unicode_escape(bytes: &[u8]) -> Result<(char, usize), Unfit> {
    let unit = |from: usize| -> Result<u32, Unfit> {
        let digits = bytes.get(from..from + 4).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or(Unfit)?;
        u32::from_str_radix(digits, 16).map_err(|_| Unfit)
    };
    let first = unit(2)?;
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first).map(|character| (character, 6)).ok_or(Unfit);
    }
    if bytes.get(6..8) != Some(b"\\u") {
        return Err(Unfit);
    }
    let second = unit(8)?;
    if !(0xDC00..0xE000).contains(&second) {
        return Err(Unfit);
    }
    let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    char::from_u32(code).map(|character| (character, 12)).ok_or(Unfit)
}

/// How a value is described in messages.
pub(super) fn describe(cell: Cell, record: &[u8], kind: Kind) -> String {
    let shown: String = String::from_utf8_lossy(cell.bytes(record)).chars().take(40).collect();
    let wanted = match kind {
        Kind::Int => "a whole number of 64 bits",
        Kind::Float => "a finite number",
        Kind::Text => "text",
        Kind::Bool => "true or false",
        Kind::Time => "a time (RFC 3339, or seconds to nanoseconds since 1970)",
    };
    format!("is not {wanted}: `{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(shape: Shape, text: &str) -> Cell {
        Cell { shape, start: 0, end: text.len() as u32 }
    }

    #[test]
    fn numbers_written_otherwise_are_coerced_and_what_is_no_number_is_refused() {
        let int = |shape, text: &str| read_int(cell(shape, text), text.as_bytes());
        assert_eq!(int(Shape::Integer, "-9223372036854775808"), Ok(Read::plain(i64::MIN)));
        assert_eq!(int(Shape::Integer, "9223372036854775808"), Err(Unfit));
        assert_eq!(int(Shape::Decimal, "3.0"), Ok(Read::coerced(3)));
        assert_eq!(int(Shape::Decimal, "3.5"), Err(Unfit));
        assert_eq!(int(Shape::Text, "17"), Ok(Read::coerced(17)));
        assert_eq!(int(Shape::Untyped, "17"), Ok(Read::plain(17)));
        assert_eq!(int(Shape::Untyped, "NaN"), Ok(Read::NULL));
        assert_eq!(int(Shape::Text, "many"), Err(Unfit));
    }

    #[test]
    fn infinities_are_refused_and_nan_is_missing() {
        let float = |shape, text: &str| read_float(cell(shape, text), text.as_bytes());
        assert_eq!(float(Shape::Decimal, "1e999"), Err(Unfit));
        assert_eq!(float(Shape::Text, "inf"), Err(Unfit));
        assert_eq!(float(Shape::Text, "NaN"), Ok(Read::COERCED_NULL));
        assert_eq!(float(Shape::Integer, "12345678901234567890"), Ok(Read::plain(12_345_678_901_234_567_890.0)));
        assert_eq!(float(Shape::Decimal, "0.25"), Ok(Read::plain(0.25)));
    }

    #[test]
    fn escapes_become_characters() {
        let mut text = Vec::new();
        unescape(br#"a\"\\\/\n\u00e9\ud83d\ude00"#, &mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "a\"\\/\né😀");
        assert_eq!(unescape(br"\ud83d", &mut Vec::new()), Err(Unfit));
    }
}
