//! The positions file, format 1: text, one fact per line, names as JSON strings.
//!
//! ```text
//! lapwing positions 1
//! input OFFSET "PATH"         first record of an input not yet consumed
//! output LENGTH "NAME"        committed length of an output file, in bytes; what lies beyond is not committed
//! crc32 CHECKSUM              CRC-32 (IEEE) of all lines above, in hexadecimal
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use lapwing_vocabulary::Offset;

const FIRST_LINE: &str = "lapwing positions 1";

/// What an output folder has committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Positions {
    /// First record not yet consumed, by the path of the input.
    pub(super) inputs: BTreeMap<String, Offset>,
    /// Committed length, by the name of the output file.
    pub(super) outputs: BTreeMap<String, u64>,
}

impl Positions {
    pub(super) fn encode(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        // Writing to a string cannot fail.
        for (path, offset) in &self.inputs {
            let _ = writeln!(text, "input {offset} {}", serde_json::Value::from(path.as_str()));
        }
        for (name, length) in &self.outputs {
            let _ = writeln!(text, "output {length} {}", serde_json::Value::from(name.as_str()));
        }
        let checksum = crc32fast::hash(text.as_bytes());
        let _ = writeln!(text, "crc32 {checksum:08x}");
        text
    }

    /// Reads a positions file; the error says what is wrong with it.
    pub(super) fn decode(text: &str) -> Result<Self, String> {
        if text.lines().next() != Some(FIRST_LINE) {
            return Err(format!("its first line is not `{FIRST_LINE}`"));
        }
        let (body, checksum) =
            text.strip_suffix('\n').and_then(|text| text.rsplit_once("crc32 ")).ok_or("it has no checksum")?;
        if u32::from_str_radix(checksum, 16) != Ok(crc32fast::hash(body.as_bytes())) {
            return Err("its checksum does not fit".to_owned());
        }
        let mut positions = Self::default();
        for line in body.lines().skip(1) {
            positions.read_line(line).ok_or_else(|| format!("`{line}` is not understood"))?;
        }
        Ok(positions)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let (kind, rest) = line.split_once(' ')?;
        let (number, name) = rest.split_once(' ')?;
        let name: String = serde_json::from_str(name).ok()?;
        match kind {
            "input" => _ = self.inputs.insert(name, number.parse().ok()?),
            "output" => _ = self.outputs.insert(name, number.parse().ok()?),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = include_str!("../../tests/golden/positions_1.txt");

    #[test]
    fn format_1_is_the_golden_file() {
        let inputs = BTreeMap::from([("in/a \"b\".jsonl".to_owned(), 42)]);
        let positions = Positions { inputs, outputs: BTreeMap::from([("alerts.jsonl".to_owned(), 1000)]) };
        assert_eq!(positions.encode(), GOLDEN);
        assert_eq!(Positions::decode(GOLDEN), Ok(positions));
    }

    #[test]
    fn a_damaged_or_later_file_is_refused_with_the_reason() {
        let damaged = GOLDEN.replace("1000", "1001");
        assert_eq!(Positions::decode(&damaged), Err("its checksum does not fit".to_owned()));
        let later = GOLDEN.replace("positions 1", "positions 2");
        assert!(Positions::decode(&later).unwrap_err().contains("first line"));
        for end in 0..GOLDEN.len() {
            assert!(Positions::decode(&GOLDEN[..end]).is_err(), "cut at {end}");
        }
    }
}
