//! What a part of a line can be, and how many bytes it takes.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use super::FieldKind;
use crate::time::TimeFormat;

/// The longest text of an IPv6 address with an IPv4 one inside and a zone.
const IP_BYTES_MAX: usize = 64;

/// A kind of `%{kind:field}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Time(TimeFormat),
    Integer,
    Number,
    Hex,
    Word,
    Ip,
    Uuid,
    Quoted,
    Structured,
    Path,
    NotSpace,
    Data,
    Rest,
}

/// Every kind that is no time: its name, its names in grok patterns, and what it stands for.
const KINDS: [(Kind, &[&str], &str); 12] = [
    (Kind::Integer, &["integer", "int", "posint", "nonnegint"], "a whole number of at most 64 bits"),
    (Kind::Number, &["number", "base10num"], "a number"),
    (Kind::Hex, &["hex", "base16num"], "hexadecimal digits, with or without `0x`"),
    (Kind::Word, &["word", "loglevel"], "letters, digits and `_`"),
    (Kind::Ip, &["ip", "ipv4", "ipv6"], "an IP address"),
    (Kind::Uuid, &["uuid"], "a UUID"),
    (Kind::Quoted, &["quoted", "quotedstring", "qs"], "text in double quotes"),
    (Kind::Structured, &["structured"], "structured data as in RFC 5424, or `-`"),
    (Kind::Path, &["path", "unixpath", "winpath"], "a path from a root"),
    (Kind::NotSpace, &["notspace", "hostname", "iporhost", "user"], "text without blanks"),
    (Kind::Data, &["data"], "text"),
    (Kind::Rest, &["rest", "greedydata"], "the rest of the line"),
];
/// Names of times in grok patterns.
const GROK_TIMES: [(&str, TimeFormat); 3] = [
    ("timestamp_iso8601", TimeFormat::Iso8601),
    ("syslogtimestamp", TimeFormat::Syslog),
    ("httpdate", TimeFormat::Apache),
];

impl Kind {
    /// The kind of a name, in either case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let time = TimeFormat::ALL.into_iter().find(|format| format.name() == name);
        let time = time.or_else(|| GROK_TIMES.iter().find(|(grok, _)| *grok == name).map(|(_, format)| *format));
        let other = || KINDS.iter().find(|(_, names, _)| names.contains(&name.as_str())).map(|(kind, ..)| *kind);
        time.map(Self::Time).or_else(other)
    }

    /// Our own names.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(_, names, _)| names[0]).chain(TimeFormat::ALL.into_iter().map(TimeFormat::name))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Time(format) => format.name(),
            other => other.row().1[0],
        }
    }

    /// In words, for a message.
    pub(super) fn in_words(self) -> String {
        match self {
            Self::Time(format) => format!("a time of the form {}", format.form()),
            other => other.row().2.to_owned(),
        }
    }

    pub(super) fn field_kind(self) -> FieldKind {
        match self {
            Self::Time(_) => FieldKind::Time,
            Self::Integer => FieldKind::Integer,
            Self::Number => FieldKind::Float,
            _ => FieldKind::Text,
        }
    }

    /// Whether only what follows says where it ends.
    pub(super) fn ends_with_next(self) -> bool {
        matches!(self, Self::Path | Self::NotSpace | Self::Data)
    }

    /// What of the text's beginning belongs to the field, and how many bytes are used up with it. For kinds that know
    /// their own end.
    pub(super) fn take(self, text: &[u8]) -> Option<(Range<usize>, usize)> {
        let length = match self {
            Self::Time(format) => format.span(text),
            Self::Integer => integer(text),
            Self::Number => number(text),
            Self::Hex => hex(text),
            Self::Word => some(count(text, is_word)),
            Self::Ip => ip(text),
            Self::Uuid => uuid(text),
            Self::Structured => structured(text),
            Self::Quoted => return quoted(text).map(|end| (1..end, end + 1)),
            Self::Path | Self::NotSpace | Self::Data | Self::Rest => None,
        }?;
        Some((0..length, length))
    }

    fn row(self) -> &'static (Self, &'static [&'static str], &'static str) {
        KINDS.iter().find(|(kind, ..)| *kind == self).expect("every kind that is no time is in the table")
    }
}

/// Whether a path from a root begins here: `/var`, `C:\Users`, `\\host`.
pub(super) fn begins_path(text: &[u8]) -> bool {
    match text {
        [b'/', ..] | [b'\\', b'\\', ..] => true,
        [drive, b':', b'\\' | b'/', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    }
}

fn some(length: usize) -> Option<usize> {
    (length > 0).then_some(length)
}

fn count(text: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !belongs(*byte)).unwrap_or(text.len())
}

/// Letters outside ASCII are told by their bytes, all from 0x80 on.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn digits(text: &[u8]) -> usize {
    count(text, |byte| byte.is_ascii_digit())
}

fn sign(text: &[u8]) -> usize {
    usize::from(matches!(text.first(), Some(b'+' | b'-')))
}

fn integer(text: &[u8]) -> Option<usize> {
    let sign = sign(text);
    let digits = some(digits(&text[sign..]))?;
    let whole = &text[..sign + digits];
    // Eighteen digits always fit.
    let fits = digits <= 18 || std::str::from_utf8(whole).is_ok_and(|whole| whole.parse::<i64>().is_ok());
    fits.then_some(whole.len())
}

fn number(text: &[u8]) -> Option<usize> {
    let sign = sign(text);
    let mut end = sign + digits(&text[sign..]);
    let mut any = end > sign;
    if text.get(end) == Some(&b'.') {
        let fraction = digits(&text[end + 1..]);
        if fraction > 0 {
            end += 1 + fraction;
            any = true;
        }
    }
    if any && matches!(text.get(end), Some(b'e' | b'E')) {
        let from = end + 1 + self::sign(&text[end + 1..]);
        let exponent = digits(&text[from..]);
        end = if exponent > 0 { from + exponent } else { end };
    }
    any.then_some(end)
}

fn hex(text: &[u8]) -> Option<usize> {
    let from = if matches!(text, [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit()) { 2 } else { 0 };
    some(from + count(&text[from..], |byte| byte.is_ascii_hexdigit()))
}

/// The longest beginning that is an address; `10.0.0.1:80` and `fe80::1:` at the end of a clause hold one.
fn ip(text: &[u8]) -> Option<usize> {
    let text = &text[..text.len().min(IP_BYTES_MAX)];
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let run = &text[..count(text, is_part)];
    let first = some(run.iter().position(|byte| *byte == b':').unwrap_or(run.len()));
    if let Some(length) = first.filter(|length| is_ipv4(&run[..*length])) {
        return Some(length);
    }
    let without = |end: &[u8]| run.strip_suffix(end);
    let candidates = [Some(run), without(b"."), without(b":")];
    let is_ip = |run: &[u8]| std::str::from_utf8(run).is_ok_and(|run| run.parse::<Ipv6Addr>().is_ok());
    let ipv6 = candidates.into_iter().flatten().find(|run| is_ip(run)).map(<[u8]>::len);
    // `10.0.0.1.` ends a sentence.
    ipv6.or_else(|| without(b".").filter(|run| is_ipv4(run)).map(<[u8]>::len))
}

fn is_ipv4(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| matches!(text.parse(), Ok(IpAddr::V4(_))))
}

fn uuid(text: &[u8]) -> Option<usize> {
    let text = text.get(..36)?;
    let fits = text.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    fits.then_some(36)
}

/// Where the closing quote is. A backslash takes the byte behind it along.
fn quoted(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        match text[at] {
            b'"' => return Some(at),
            _ => at += 2,
        }
    }
}

/// `-`, or elements such as `[id name="value"]`, side by side. A bracket inside quotes closes nothing.
fn structured(text: &[u8]) -> Option<usize> {
    if text.first() == Some(&b'-') {
        return Some(1);
    }
    let mut end = 0;
    while text.get(end) == Some(&b'[') {
        let mut at = end + 1;
        loop {
            at += memchr::memchr2(b'"', b']', text.get(at..)?)?;
            if text[at] == b']' {
                break;
            }
            at += quoted(&text[at..])? + 1;
        }
        end = at + 1;
    }
    some(end)
}
