use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `,"name":`; the comma is left out right after an opening brace.
pub(crate) fn name(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends a whole number.
pub(crate) fn integer(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a share given in hundredths, as KDD'99 writes it: `0.07`.
pub(crate) fn hundredths(out: &mut Vec<u8>, share: u8) {
    out.extend_from_slice(&[b'0' + share / 100, b'.', b'0' + share / 10 % 10, b'0' + share % 10]);
}

/// Appends `.` and so many digits of a fraction: 7 hundredths are `.07`.
pub(crate) fn fraction(out: &mut Vec<u8>, parts: u64, digits: u32) {
    out.push(b'.');
    for place in (0..digits).rev() {
        out.push(b'0' + (parts / 10_u64.pow(place) % 10) as u8);
    }
}

/// Appends an angle with four decimals, some ten metres: `-3.7038`.
pub(crate) fn degrees(out: &mut Vec<u8>, degrees: f64) {
    let parts = (degrees.abs() * 1e4).round() as u64;
    if degrees < 0.0 && parts > 0 {
        out.push(b'-');
    }
    integer(out, parts / 10_000);
    fraction(out, parts % 10_000, 4);
}

/// Appends text that needs no escape.
pub(crate) fn plain(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

/// Appends any text, escaped where JSON asks for it.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&hex(byte));
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Appends an IPv4 address.
pub(crate) fn address(out: &mut Vec<u8>, address: [u8; 4]) {
    out.push(b'"');
    for (place, part) in address.into_iter().enumerate() {
        if place > 0 {
            out.push(b'.');
        }
        integer(out, u64::from(part));
    }
    out.push(b'"');
}

/// Appends 16 random bytes as a UUID of version 4.
pub(crate) fn uuid(out: &mut Vec<u8>, random: u128) {
    let mut bytes = random.to_be_bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = [b'-'; 38];
    text[0] = b'"';
    text[37] = b'"';
    let mut at = 1;
    for (place, byte) in bytes.into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at..at + 2].copy_from_slice(&hex(byte));
        at += 2;
    }
    out.extend_from_slice(&text);
}

fn hex(byte: u8) -> [u8; 2] {
    [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
}

/// Writes moments; remembers the date last written, because a million events share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calendar {
    day: Option<i64>,
    date: Vec<u8>,
}

impl Calendar {
    /// Appends a moment as RFC 3339 with microseconds, in quotes.
    pub(crate) fn moment(&mut self, out: &mut Vec<u8>, time: EventTime) {
        let day = time.0.div_euclid(DAY);
        if self.day != Some(day) {
            let whole = EventTime(day.saturating_mul(DAY)).to_rfc3339().into_bytes();
            let date_end = whole.iter().position(|byte| *byte == b'T').unwrap_or(whole.len());
            self.date = whole[..date_end].to_vec();
            self.day = Some(day);
        }
        let rest = time.0.rem_euclid(DAY);
        out.push(b'"');
        out.extend_from_slice(&self.date);
        for (mark, value) in [(b'T', rest / HOUR), (b':', rest / MINUTE % 60), (b':', rest / SECOND % 60)] {
            out.extend_from_slice(&[mark, b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
        }
        let mut micros = rest % SECOND;
        let mut digits = *b".000000Z\"";
        for place in (1..7).rev() {
            digits[place] = b'0' + (micros % 10) as u8;
            micros /= 10;
        }
        out.extend_from_slice(&digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_the_vocabulary_writes_them() {
        let mut calendar = Calendar::default();
        for micros in [0, 1, -1, 951_782_399_999_999, 1_767_225_600_000_000, 1_772_323_199_123_456] {
            let mut out = Vec::new();
            calendar.moment(&mut out, EventTime(micros));
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{}\"", EventTime(micros)));
        }
    }

    #[test]
    fn text_survives_a_json_parser() {
        let nasty = "a\"b\\c\n\u{1}ü";
        let mut out = Vec::new();
        text(&mut out, nasty);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), nasty);
    }

    #[test]
    fn angles_keep_sign_and_leading_zeros() {
        let mut out = Vec::new();
        for angle in [-3.7038, 0.00049, -0.00001, 103.82] {
            degrees(&mut out, angle);
            out.push(b' ');
        }
        assert_eq!(out, b"-3.7038 0.0005 0.0000 103.8200 ");
    }

    #[test]
    fn uuids_say_their_version_and_variant() {
        let mut out = Vec::new();
        uuid(&mut out, u128::MAX);
        assert_eq!(out, b"\"ffffffff-ffff-4fff-bfff-ffffffffffff\"");
    }
}
