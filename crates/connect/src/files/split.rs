//! Bytes arrive in arbitrary pieces; records leave whole. What is kept of an unfinished record is bounded, however long
//! it gets.

use memchr::{memchr, memchr2};

use super::options::OVERSIZE_KEPT_BYTES;

const QUOTE: u8 = b'"';
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whole records, laid end to end.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    /// End of each record, and its original length if it was cut.
    ends: Vec<(usize, Option<u64>)>,
}

impl Chunk {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// A record, and its original length if it was cut.
    pub(super) fn record(&self, index: usize) -> (&[u8], Option<u64>) {
        let start = if index == 0 { 0 } else { self.ends[index - 1].0 };
        let (end, cut) = self.ends[index];
        (&self.bytes[start..end], cut)
    }

    /// Appends a record; an empty one is none.
    pub(super) fn push(&mut self, record: &[u8], cut: Option<u64>) {
        if !record.is_empty() {
            self.bytes.extend_from_slice(record);
            self.ends.push((self.bytes.len(), cut));
        }
    }

    pub(super) fn drop_first(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let start = self.ends[count - 1].0;
        self.bytes.drain(..start);
        self.ends.drain(..count);
        self.ends.iter_mut().for_each(|(end, _)| *end -= start);
    }
}

/// Where a record ends.
#[derive(Clone, Copy, Debug)]
enum Rule {
    Line,
    /// A line break within quotes does not end the record. A quote opens a value only at its beginning (`None`:
    /// anywhere), because unquoted values may hold quotes; a doubled quote is one quote (RFC 4180).
    Csv {
        delimiter: Option<u8>,
    },
}

/// Cuts a stream of bytes into records.
#[derive(Debug)]
pub(super) struct Splitter {
    // Given.
    rule: Rule,
    record_bytes_max: usize,
    // Changing: the unfinished record.
    kept: Vec<u8>,
    length: u64,
    quoted: bool,
    /// The last byte seen of it.
    previous: Option<u8>,
    /// Whether that byte closed a quoted value.
    closed: bool,
    /// Whether nothing was finished yet.
    first: bool,
}

impl Splitter {
    pub(super) fn lines(record_bytes_max: usize) -> Self {
        Self::new(Rule::Line, record_bytes_max)
    }

    pub(super) fn csv(delimiter: u8, record_bytes_max: usize) -> Self {
        Self::new(Rule::Csv { delimiter: Some(delimiter) }, record_bytes_max)
    }

    pub(super) fn quoted_anywhere(record_bytes_max: usize) -> Self {
        Self::new(Rule::Csv { delimiter: None }, record_bytes_max)
    }

    fn new(rule: Rule, record_bytes_max: usize) -> Self {
        Self {
            rule,
            record_bytes_max,
            kept: Vec::new(),
            length: 0,
            quoted: false,
            previous: None,
            closed: false,
            first: true,
        }
    }

    /// Takes the next bytes and appends the records that they finish.
    pub(super) fn split(&mut self, mut data: &[u8], chunk: &mut Chunk) {
        while let Some(end) = self.find_end(data) {
            self.end_record(&data[..end], chunk);
            data = &data[end + 1..];
        }
        self.keep(data);
    }

    /// The last record, which no line break ends.
    pub(super) fn finish(&mut self, chunk: &mut Chunk) {
        self.end_record(&[], chunk);
    }

    fn find_end(&mut self, data: &[u8]) -> Option<usize> {
        match self.rule {
            Rule::Line => memchr(b'\n', data),
            Rule::Csv { delimiter } => self.find_csv_end(data, delimiter),
        }
    }

    fn find_csv_end(&mut self, data: &[u8], delimiter: Option<u8>) -> Option<usize> {
        let (mut at, mut closed_at) = (0, None);
        loop {
            let found = if self.quoted { memchr(QUOTE, &data[at..]) } else { memchr2(QUOTE, b'\n', &data[at..]) };
            let Some(place) = found.map(|found| at + found) else {
                if let Some(last) = data.last() {
                    self.previous = Some(*last);
                    self.closed = closed_at == Some(data.len() - 1);
                }
                return None;
            };
            if self.quoted {
                self.quoted = false;
                closed_at = Some(place);
            } else if data[place] == b'\n' {
                return Some(place);
            } else {
                let previous = if place == 0 { self.previous } else { Some(data[place - 1]) };
                let doubled = if place == 0 { self.closed } else { closed_at == Some(place - 1) };
                self.quoted = doubled || previous.is_none() || delimiter.is_none() || previous == delimiter;
            }
            at = place + 1;
        }
    }

    /// Keeps bytes of the unfinished record, as far as they are wanted.
    fn keep(&mut self, data: &[u8]) {
        self.length += data.len() as u64;
        let limit = if self.is_oversize() { self.kept_when_cut() } else { self.record_bytes_max };
        let room = limit.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&data[..room.min(data.len())]);
        self.kept.truncate(limit);
    }

    fn is_oversize(&self) -> bool {
        self.length > self.record_bytes_max as u64
    }

    fn kept_when_cut(&self) -> usize {
        self.record_bytes_max.min(OVERSIZE_KEPT_BYTES)
    }

    fn end_record(&mut self, tail: &[u8], chunk: &mut Chunk) {
        let fits = self.length + tail.len() as u64 <= self.record_bytes_max as u64;
        if self.kept.is_empty() && self.length == 0 && fits {
            // The common case: the whole record lies in this piece.
            let record = self.trimmed(tail);
            chunk.push(record, None);
        } else {
            self.keep(tail);
            let cut = self.is_oversize().then_some(self.length);
            let record = self.trimmed(&self.kept);
            chunk.push(record, cut);
        }
        self.first &= chunk.is_empty();
        self.kept.clear();
        (self.length, self.quoted, self.previous, self.closed) = (0, false, None, false);
    }

    fn trimmed<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        let record = if self.first { record.strip_prefix(BYTE_ORDER_MARK).unwrap_or(record) } else { record };
        record.strip_suffix(b"\r").unwrap_or(record)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(mut splitter: Splitter, data: &[u8], piece: usize) -> Vec<(String, Option<u64>)> {
        let mut chunk = Chunk::default();
        data.chunks(piece).for_each(|piece| splitter.split(piece, &mut chunk));
        splitter.finish(&mut chunk);
        (0..chunk.len())
            .map(|index| (String::from_utf8_lossy(chunk.record(index).0).into_owned(), chunk.record(index).1))
            .collect()
    }

    fn texts(splitter: fn() -> Splitter, data: &str) -> Vec<String> {
        let whole = records(splitter(), data.as_bytes(), usize::MAX);
        for piece in 1..data.len() + 1 {
            assert_eq!(records(splitter(), data.as_bytes(), piece), whole, "in pieces of {piece}");
        }
        whole.into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn lines_lose_their_ends_and_empty_ones_are_no_records() {
        let lines = || Splitter::lines(100);
        assert_eq!(texts(lines, "\u{feff}a\r\n\n\r\n\"b\nc"), ["a", "\"b", "c"]);
        assert_eq!(texts(lines, "a\n"), ["a"]);
        assert_eq!(texts(lines, ""), [""; 0]);
    }

    #[test]
    fn a_quoted_csv_value_spans_lines_and_a_stray_quote_does_not() {
        let csv = || Splitter::csv(b',', 100);
        assert_eq!(texts(csv, "a,\"x\ny\",b\nc,d\n"), ["a,\"x\ny\",b", "c,d"]);
        assert_eq!(texts(csv, "\"x \"\"\n\"\" y\"\nz"), ["\"x \"\"\n\"\" y\"", "z"]);
        assert_eq!(texts(csv, "5\" pipe,a\n6\" pipe,b"), ["5\" pipe,a", "6\" pipe,b"]);
        assert_eq!(texts(csv, "\"\",a\n\"\"\"\",b"), ["\"\",a", "\"\"\"\",b"]);
        assert_eq!(texts(csv, "never,\"closed\nx"), ["never,\"closed\nx"]);
    }

    #[test]
    fn a_long_record_is_cut_and_its_length_told() {
        let data = [vec![b'x'; 300_000], b"\nshort\n".to_vec()].concat();
        for piece in [7, 4096, 1 << 20] {
            let found = records(Splitter::lines(100_000), &data, piece);
            assert_eq!((found[0].0.len(), found[0].1), (64 << 10, Some(300_000)));
            assert_eq!(found[1], ("short".to_owned(), None));
        }
        let mut splitter = Splitter::lines(100_000);
        (0..1000).for_each(|_| splitter.split(&[b'x'; 10_000], &mut Chunk::default()));
        assert!(splitter.kept.capacity() <= 200_000, "memory stays bounded");
    }

    #[test]
    fn dropping_the_first_records_leaves_the_others() {
        let mut chunk = Chunk::default();
        Splitter::lines(10).split(b"a\nbb\nccc\n", &mut chunk);
        chunk.drop_first(2);
        assert_eq!((chunk.len(), chunk.record(0)), (1, (&b"ccc"[..], None)));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_records(data in "[a,\"\r\n]{0,60}", piece in 1_usize..20) {
            for splitter in [|| Splitter::lines(20), || Splitter::csv(b',', 20)] {
                let whole = records(splitter(), data.as_bytes(), usize::MAX);
                prop_assert_eq!(records(splitter(), data.as_bytes(), piece), whole);
            }
        }
    }
}
