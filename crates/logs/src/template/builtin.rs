use std::net::Ipv6Addr;

use super::mask::Span;

/// A mask that is matched by hand, because a message is read faster so than by a dozen patterns.
///
/// A match begins after and ends before something that is no letter and no digit; of several ends the last one counts.
/// Bytes beyond ASCII count as letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    Url,
    Email,
    Uuid,
    Mac,
    Ip,
    Path,
    Hex,
    Duration,
    Size,
    Number,
}

/// The names, in the order of [`Builtin::ALL`].
pub(super) const NAMES: [&str; 10] = ["url", "email", "uuid", "mac", "ip", "path", "hex", "duration", "size", "number"];

/// What a byte is, as a set of bits.
pub(super) mod class {
    pub(in super::super) const BLANK: u16 = 1;
    pub(super) const DIGIT: u16 = 1 << 1;
    pub(super) const HEX_LETTER: u16 = 1 << 2;
    pub(super) const LETTER: u16 = 1 << 3;
    pub(super) const BEYOND: u16 = 1 << 4;
    pub(super) const DOT: u16 = 1 << 5;
    pub(super) const COLON: u16 = 1 << 6;
    pub(super) const SIGN: u16 = 1 << 7;
    pub(super) const SLASH: u16 = 1 << 8;
    pub(super) const BACKSLASH: u16 = 1 << 9;
    pub(super) const AT: u16 = 1 << 10;
    /// Other characters that a path, or the first part of an address, may hold.
    pub(super) const IN_PATH: u16 = 1 << 11;
    pub(super) const IN_EMAIL: u16 = 1 << 12;

    /// What letters and digits are here.
    pub(super) const WORD: u16 = DIGIT | HEX_LETTER | LETTER | BEYOND;
    /// A token without any of these holds no value.
    pub(in super::super) const TRIGGER: u16 = DIGIT | SLASH | BACKSLASH | AT;
    /// A run of digits in front of anything else is a number and nothing more.
    pub(super) const GOES_ON: u16 = WORD | DOT | COLON | SIGN | AT | IN_EMAIL;

    const fn of(byte: u8) -> u16 {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => BLANK,
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX_LETTER,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            0x80.. => BEYOND,
            b'.' => DOT,
            b':' => COLON,
            b'+' | b'-' => SIGN,
            b'/' => SLASH,
            b'\\' => BACKSLASH,
            b'@' => AT,
            b'%' | b'_' => IN_PATH | IN_EMAIL,
            b'=' | b'~' | b'$' | b'#' | b',' => IN_PATH,
            _ => 0,
        }
    }

    pub(in super::super) static OF: [u16; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = of(byte as u8);
            byte += 1;
        }
        table
    };
}
use class::{AT, BACKSLASH, BEYOND, COLON, DIGIT, DOT, HEX_LETTER, IN_EMAIL, IN_PATH, LETTER, OF, SIGN, SLASH, WORD};

fn is(byte: u8, class: u16) -> bool {
    OF[usize::from(byte)] & class != 0
}

/// Length of the run of bytes of a class at the start of a text.
fn run(text: &[u8], class: u16) -> usize {
    text.iter().position(|byte| !is(*byte, class)).unwrap_or(text.len())
}

/// Whether a match may end here.
fn ends(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| !is(*byte, WORD))
}

impl Builtin {
    pub(super) const ALL: [Self; 10] = [
        Self::Url,
        Self::Email,
        Self::Uuid,
        Self::Mac,
        Self::Ip,
        Self::Path,
        Self::Hex,
        Self::Duration,
        Self::Size,
        Self::Number,
    ];

    pub(super) fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// What a token must hold, each of the two sets at least once, for a match to be in it; and what a match begins with.
    const fn needs(self) -> (u16, u16, u16) {
        match self {
            Self::Url => (SLASH, COLON, LETTER | HEX_LETTER),
            Self::Email => (AT, DOT, DIGIT | LETTER | HEX_LETTER),
            Self::Uuid => (DIGIT, SIGN, DIGIT | HEX_LETTER),
            Self::Mac => (DIGIT, COLON | SIGN, DIGIT | HEX_LETTER),
            Self::Ip => (DIGIT, DOT | COLON, DIGIT | HEX_LETTER | COLON | SLASH),
            Self::Path => (SLASH | BACKSLASH, WORD, SLASH | LETTER | HEX_LETTER),
            Self::Hex => (DIGIT, LETTER | HEX_LETTER, DIGIT | HEX_LETTER),
            Self::Duration | Self::Size => (DIGIT, LETTER | HEX_LETTER, DIGIT),
            Self::Number => (DIGIT, DIGIT, DIGIT | SIGN),
        }
    }

    /// Length of the match at the start of a text that reaches to the end of its token; 0 if there is none.
    fn length(self, text: &[u8]) -> usize {
        match self {
            Self::Url => url(text),
            Self::Email => email(text),
            Self::Uuid => groups(text, &[8, 4, 4, 4, 12], b"-"),
            Self::Mac => groups(text, &[2; 6], b":-"),
            Self::Ip => ip(text),
            Self::Path => path(text),
            Self::Hex => hex(text),
            Self::Duration => duration(text),
            Self::Size => size(text),
            Self::Number => number(text),
        }
    }
}

/// Leaves out what ends a sentence rather than a value.
fn without_stop(text: &[u8], stops: &[u8]) -> usize {
    text.iter().rposition(|byte| !stops.contains(byte)).map_or(0, |last| last + 1)
}

/// `scheme://` and what follows up to a blank, a quote or a bracket.
fn url(text: &[u8]) -> usize {
    // The longest registered schemes have far fewer letters.
    let scheme = run(&text[..text.len().min(16)], DIGIT | LETTER | HEX_LETTER | SIGN | DOT);
    let Some(rest) = text[scheme..].strip_prefix(b"://") else { return 0 };
    let length = rest.iter().position(|byte| br#""'<>()[]{}|\^`"#.contains(byte)).unwrap_or(rest.len());
    let length = without_stop(&rest[..length], b".,;:!?");
    let end = scheme + 3 + length;
    if length > 0 && ends(text, end) { end } else { 0 }
}

/// `local@domain.letters`; lengths as in RFC 5321, 4.5.3.1.
fn email(text: &[u8]) -> usize {
    let local = run(&text[..text.len().min(65)], DIGIT | LETTER | HEX_LETTER | DOT | SIGN | IN_EMAIL);
    if local > 64 || text.get(local) != Some(&b'@') {
        return 0;
    }
    let domain = &text[local + 1..];
    let domain = &domain[..run(&domain[..domain.len().min(255)], DIGIT | LETTER | HEX_LETTER | DOT | SIGN)];
    let is_end = |end: &usize| {
        let top = domain[..*end].iter().rev().take_while(|byte| is(**byte, LETTER | HEX_LETTER)).count();
        let before = &domain[..end - top];
        top >= 2
            && ends(text, local + 1 + end)
            && before.len() >= 2
            && before.ends_with(b".")
            && is(before[before.len() - 2], WORD)
    };
    (1..=domain.len()).rev().find(is_end).map_or(0, |end| local + 1 + end)
}

/// Groups of hexadecimal digits of given lengths with one and the same separator between them; without a decimal digit
/// they may be words.
fn groups(text: &[u8], lengths: &[usize], separators: &[u8]) -> usize {
    let Some(separator) = text.get(lengths[0]).filter(|byte| separators.contains(byte)) else { return 0 };
    let mut at = 0;
    for (i, length) in lengths.iter().enumerate() {
        if i > 0 {
            if text.get(at) != Some(separator) {
                return 0;
            }
            at += 1;
        }
        if text.len() < at + length || run(&text[at..at + length], DIGIT | HEX_LETTER) < *length {
            return 0;
        }
        at += length;
    }
    if ends(text, at) && text[..at].iter().any(u8::is_ascii_digit) { at } else { 0 }
}

/// An address of version 4, with a port or without, or of version 6; Java prints a slash before it.
fn ip(text: &[u8]) -> usize {
    let slash = usize::from(text.first() == Some(&b'/'));
    let rest = &text[slash..];
    match ip4(rest).max(ip6(rest)) {
        0 => 0,
        length => slash + length,
    }
}

fn ip4(text: &[u8]) -> usize {
    let mut at = 0;
    for group in 0..4 {
        if group > 0 {
            if text.get(at) != Some(&b'.') {
                return 0;
            }
            at += 1;
        }
        let digits = run(&text[at..], DIGIT);
        if !(1..=3).contains(&digits) {
            return 0;
        }
        at += digits;
    }
    if text.get(at) == Some(&b':') {
        let port = run(&text[at + 1..], DIGIT);
        if (1..=5).contains(&port) && ends(text, at + 1 + port) {
            return at + 1 + port;
        }
    }
    if ends(text, at) { at } else { 0 }
}

fn ip6(text: &[u8]) -> usize {
    // No address is written in more characters.
    let longest = run(&text[..text.len().min(45)], DIGIT | HEX_LETTER | COLON | DOT);
    let text_of = &text[..longest];
    if text_of.iter().filter(|byte| **byte == b':').count() < 2 || !text_of.iter().any(u8::is_ascii_digit) {
        return 0;
    }
    let is_address = |end: &usize| {
        let text = &text_of[..*end];
        // `::` and names such as `a::b` read as addresses too: without a digit it is none.
        let is_read = std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
        is_read && text.iter().any(u8::is_ascii_digit)
    };
    (2..=longest).rev().filter(|end| ends(text, *end)).find(is_address).unwrap_or(0)
}

/// `/name…`, or `C:\name…`.
fn path(text: &[u8]) -> usize {
    let inside = WORD | DOT | SIGN | SLASH | COLON | AT | IN_PATH;
    let (root, inside) = match text {
        [b'/', ..] => (1, inside),
        [_, b':', b'\\', ..] => (3, inside | BACKSLASH),
        _ => return 0,
    };
    // Something of a name must come soon: `/...` and `//` are none.
    let marks = run(&text[root..text.len().min(root + 3)], DOT | SIGN | IN_PATH);
    if !text.get(root + marks).is_some_and(|byte| is(*byte, WORD)) {
        return 0;
    }
    let end = without_stop(&text[..run(text, inside)], b".,:");
    if ends(text, end) { end } else { 0 }
}

/// `0x…`, or six and more hexadecimal digits with a letter and a decimal digit among them.
fn hex(text: &[u8]) -> usize {
    let (prefix, digits) = match text {
        [b'0', b'x' | b'X', rest @ ..] => (2, run(rest, DIGIT | HEX_LETTER)),
        _ => (0, run(text, DIGIT | HEX_LETTER)),
    };
    let has = |class| text[..digits].iter().any(|byte| is(*byte, class));
    let is_number = if prefix > 0 { digits > 0 } else { digits >= 6 && has(DIGIT) && has(HEX_LETTER) };
    if is_number && ends(text, prefix + digits) { prefix + digits } else { 0 }
}

/// Digits, and a fraction if there is one.
fn decimal(text: &[u8]) -> usize {
    let whole = run(text, DIGIT);
    match text.get(whole) {
        Some(b'.') if whole > 0 => match run(&text[whole + 1..], DIGIT) {
            0 => whole,
            fraction => whole + 1 + fraction,
        },
        _ => whole,
    }
}

/// A number with its unit right behind it.
fn quantity(text: &[u8], units: &[&[u8]]) -> usize {
    let number = decimal(text);
    // The longest unit has three letters, one of them of two bytes at most.
    let unit = run(&text[number..text.len().min(number + 5)], LETTER | HEX_LETTER | BEYOND);
    if number > 0 && units.contains(&&text[number..number + unit]) { number + unit } else { 0 }
}

/// `5ms`, `1h30m`, `0.5s`.
fn duration(text: &[u8]) -> usize {
    const UNITS: [&[u8]; 11] =
        [b"ns", b"us", "\u{b5}s".as_bytes(), "\u{3bc}s".as_bytes(), b"ms", b"s", b"sec", b"m", b"min", b"h", b"d"];
    let (mut at, mut end) = (0, 0);
    loop {
        match quantity(&text[at..], &UNITS) {
            0 => return end,
            length => at += length,
        }
        if ends(text, at) {
            end = at;
        }
    }
}

/// `64MB`, `1.5GiB`, `512k`.
fn size(text: &[u8]) -> usize {
    const UNITS: [&[u8]; 17] = [
        b"B", b"k", b"K", b"M", b"G", b"T", b"kB", b"KB", b"MB", b"GB", b"TB", b"PB", b"KiB", b"MiB", b"GiB", b"TiB",
        b"PiB",
    ];
    let length = quantity(text, &UNITS);
    if ends(text, length) { length } else { 0 }
}

/// `-12`, `0.5`, `1e-9`.
fn number(text: &[u8]) -> usize {
    let sign = usize::from(is(text[0], SIGN));
    let whole = sign + run(&text[sign..], DIGIT);
    if whole == sign {
        return 0;
    }
    let fraction = sign + decimal(&text[sign..]);
    let exponent = match &text[fraction..] {
        [b'e' | b'E', b'+' | b'-', rest @ ..] => fraction + 2 + run(rest, DIGIT),
        [b'e' | b'E', rest @ ..] => fraction + 1 + run(rest, DIGIT),
        _ => fraction,
    };
    let has_exponent = exponent > fraction && is(text[exponent - 1], DIGIT);
    let exponent = if has_exponent { exponent } else { fraction };
    [exponent, fraction, whole].into_iter().find(|end| ends(text, *end)).unwrap_or(0)
}

/// Where a search for values stands: the token it is in, and what is in that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    token_end: usize,
    class: u16,
}

/// The ready masks in use.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    masks: Vec<(Builtin, u8)>,
    number: Option<u8>,
}

impl Ready {
    pub(super) fn add(&mut self, builtin: Builtin, mask: u8) {
        self.masks.push((builtin, mask));
        if builtin == Builtin::Number {
            self.number = Some(mask);
        }
    }

    /// Returns the first value at or after a place.
    pub(super) fn next(&self, text: &[u8], from: usize, scan: &mut Scan) -> Option<Span> {
        let mut at = from;
        loop {
            if at >= scan.token_end {
                at += run(&text[at..], class::BLANK);
                if at == text.len() {
                    return None;
                }
                scan.class = 0;
                scan.token_end = at;
                while let Some(byte) = text.get(scan.token_end).filter(|byte| !is(**byte, class::BLANK)) {
                    scan.class |= OF[usize::from(*byte)];
                    scan.token_end += 1;
                }
            }
            if scan.class & class::TRIGGER != 0
                && let Some(span) = self.next_in_token(text, at, scan.token_end, scan.class)
            {
                return Some(span);
            }
            at = scan.token_end;
        }
    }

    /// Returns the first value at or after a place in a token that ends at `end` and holds bytes of `class`.
    #[inline]
    pub(super) fn next_in_token(&self, text: &[u8], from: usize, end: usize, class: u16) -> Option<Span> {
        let mut is_inside = from > 0 && is(text[from - 1], WORD);
        for at in from..end {
            let of = OF[usize::from(text[at])];
            if !is_inside && let Some((length, mask)) = self.at(&text[at..end], of, class) {
                let place = |at: usize| u32::try_from(at).expect("the bytes looked at are bounded");
                return Some(Span { start: place(at), end: place(at + length), mask });
            }
            is_inside = of & WORD != 0;
        }
        None
    }

    /// The match at the start of a text, and whose it is.
    #[inline]
    fn at(&self, text: &[u8], first: u16, class: u16) -> Option<(usize, u8)> {
        if first & (DIGIT | SIGN) != 0
            && let Some(mask) = self.number
        {
            let sign = usize::from(first & SIGN != 0);
            let digits = run(&text[sign..], DIGIT);
            let goes_on = text.get(sign + digits).is_some_and(|byte| is(*byte, class::GOES_ON));
            if digits > 0 && !goes_on {
                return Some((sign + digits, mask));
            }
        }
        let may = |builtin: Builtin| {
            let (one, other, begins) = builtin.needs();
            class & one != 0 && class & other != 0 && first & begins != 0
        };
        self.masks.iter().filter(|(builtin, _)| may(*builtin)).find_map(|(builtin, mask)| {
            let length = builtin.length(text);
            (length > 0).then_some((length, *mask))
        })
    }
}

#[cfg(test)]
mod tests;
