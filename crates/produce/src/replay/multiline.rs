use std::io::{BufRead, Error, Read};

use regex::bytes::Regex;

/// Most lines of one record.
pub const RECORD_LINES_MAX: usize = 500;
/// Most bytes of one record, the line feeds between its lines included.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Lines put together to records: one that does not begin a record belongs to the one before.
pub(crate) struct Multiline {
    start: Regex,
    reader: Box<dyn BufRead + Send>,

    /// The line that begins the next record.
    ahead: Option<Text>,

    lines: u64,
}

/// A line, or some that belong together with line feeds between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// Number of its first line, from 1.
    pub(crate) line: u64,
    pub(crate) bytes: Vec<u8>,
    /// Whether what is beyond the bounds is left out.
    pub(crate) is_cut: bool,
}

impl Multiline {
    pub(crate) fn new(start: Regex, reader: Box<dyn BufRead + Send>) -> Self {
        Self { start, reader, ahead: None, lines: 0 }
    }

    /// Lines read so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// The next record that is not blank. Lines before the first that begins one are a record of their own: a file may
    /// begin amid one.
    pub(crate) fn record(&mut self) -> Result<Option<Text>, Error> {
        loop {
            let Some(mut record) = self.gather()? else { return Ok(None) };
            let filled = record.bytes.trim_ascii_end().len();
            record.bytes.truncate(filled);
            if filled > 0 {
                return Ok(Some(record));
            }
        }
    }

    fn gather(&mut self) -> Result<Option<Text>, Error> {
        let first = match self.ahead.take() {
            Some(first) => Some(first),
            None => self.read()?,
        };
        let Some(mut record) = first else { return Ok(None) };
        let mut lines = 1;
        while let Some(text) = self.read()? {
            if self.start.is_match(&text.bytes) {
                self.ahead = Some(text);
                break;
            }
            let is_whole = lines < RECORD_LINES_MAX && append(&mut record.bytes, &text.bytes);
            record.is_cut |= text.is_cut || !is_whole;
            lines += 1;
        }
        Ok(Some(record))
    }

    /// The next line without its end.
    fn read(&mut self) -> Result<Option<Text>, Error> {
        let mut bytes = Vec::new();
        // One byte more, by which a line that is too long is known.
        let read = (&mut self.reader).take(RECORD_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.lines += 1;
        let is_cut = read > RECORD_BYTES_MAX && bytes.last() != Some(&b'\n');
        if is_cut {
            bytes.truncate(RECORD_BYTES_MAX);
            self.reader.skip_until(b'\n')?;
        }
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        Ok(Some(Text { line: self.lines, bytes, is_cut }))
    }
}

/// Appends a line, or as much of it as there is room for. Returns whether all of it is there.
fn append(record: &mut Vec<u8>, line: &[u8]) -> bool {
    let Some(room) = (RECORD_BYTES_MAX - record.len()).checked_sub(1) else { return false };
    record.push(b'\n');
    record.extend_from_slice(&line[..line.len().min(room)]);
    line.len() <= room
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &[u8]) -> Vec<Text> {
        let start = Regex::new("^#").expect("a pattern");
        let mut lines = Multiline::new(start, Box::new(std::io::Cursor::new(text.to_vec())));
        std::iter::from_fn(|| lines.record().expect("memory is readable")).collect()
    }

    #[test]
    fn lines_that_begin_no_record_belong_to_the_one_before() {
        let found = records(b"amid\n  one\n\n#a\r\n at b\n\n at c\n\n\n#d");
        let text = |line, bytes: &[u8]| Text { line, bytes: bytes.to_vec(), is_cut: false };
        assert_eq!(found, [text(1, b"amid\n  one"), text(4, b"#a\n at b\n\n at c"), text(10, b"#d")]);
        assert_eq!(records(b"\n\n \n"), []);
    }

    #[test]
    fn a_record_of_too_many_lines_is_cut_and_the_next_one_is_whole() {
        let most = format!("#{}", "\nx".repeat(RECORD_LINES_MAX - 1));
        assert!(!records(most.as_bytes())[0].is_cut);
        let found = records(format!("{most}\ny\nz\n#next\nw").as_bytes());
        assert_eq!((found.len(), &found[0].bytes[..], found[0].is_cut), (2, most.as_bytes(), true));
        assert_eq!((found[1].line, &found[1].bytes[..], found[1].is_cut), (503, &b"#next\nw"[..], false));
    }

    #[test]
    fn a_record_of_too_many_bytes_is_cut_be_it_one_line_or_several() {
        let exact = "x".repeat(RECORD_BYTES_MAX);
        for (text, is_cut) in [(exact.clone(), false), (format!("{exact}y"), true), (format!("{exact}\n\n"), true)] {
            let found = records(format!("{text}\n#next").as_bytes());
            assert_eq!((found.len(), found[0].is_cut, found[0].bytes.len()), (2, is_cut, RECORD_BYTES_MAX));
            assert_eq!(found[1].bytes, b"#next");
        }
        let two = format!("#\n{exact}\n#next");
        assert_eq!(records(two.as_bytes())[0].bytes.len(), RECORD_BYTES_MAX);
    }
}
