//! A JSON scanner that knows what it is looking for.
//!
//! Records of one stream nearly always carry the same keys in the same order, written by the same serialiser. So the
//! scanner remembers, from the records before, the exact bytes that stand between one value and the next
//! (`,"src_bytes":`) and compares whole keys at once; only where a record differs is a key looked up. Values that no
//! column wants are checked and skipped, never built. The grammar is that of RFC 8259, strictly: what passes here can
//! be spliced into enriched output without a second look.

use std::collections::HashMap;

use super::cell::{Cell, Shape, unescape};
use super::schema::Schema;

/// Deepest nesting that is followed; deeper records are refused rather than risk the stack.
const DEPTH_MAX: u32 = 64;
/// Keys remembered; a stream with more distinct keys than this is looked up key by key beyond them.
const EXPECTED_MAX: usize = 512;

/// What to do with the value of a key.
#[derive(Clone, Debug)]
enum Target {
    Skip,
    Column(u16),
    Object(u16),
}

/// The keys of one object that matter, and what they lead to.
#[derive(Debug, Default)]
struct Node {
    children: HashMap<Vec<u8>, Target>,
}

/// A remembered key: the bytes from the end of the value before to the start of its own value.
#[derive(Debug)]
struct Expected {
    literal: Box<[u8]>,
    target: Target,
}

/// Finds the columns of a schema in JSON objects.
#[derive(Debug)]
pub(super) struct Scanner {
    nodes: Vec<Node>,
    expected: Vec<Expected>,
    place: HashMap<Vec<u8>, usize>,
}

/// What is wrong with a record, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) at: usize,
    pub(super) wanted: &'static str,
}

type Scan<T> = Result<T, Malformed>;

impl Scanner {
    pub(super) fn new(schema: &Schema) -> Self {
        let mut nodes = vec![Node::default()];
        for (column, field) in schema.fields.iter().enumerate() {
            let mut node = 0;
            let (last, parents) = field.path.split_last().expect("a field's path has at least one key");
            for key in parents {
                node = child_object(&mut nodes, node, key.as_bytes());
            }
            nodes[node].children.insert(last.as_bytes().to_vec(), Target::Column(column as u16));
        }
        Self { nodes, expected: Vec::new(), place: HashMap::new() }
    }

    /// Scans one record into `cells`, one per column. Fields that are absent stay [`Cell::MISSING`]; of a repeated key
    /// the last counts. The record must be valid UTF-8 already.
    pub(super) fn scan(&mut self, record: &[u8], cells: &mut [Cell]) -> Scan<()> {
        cells.fill(Cell::MISSING);
        let mut cursor = Cursor { bytes: record, at: 0 };
        cursor.skip_space();
        if cursor.peek() != Some(b'{') {
            return Err(cursor.malformed("an object"));
        }
        let mut next = 0;
        let mut first = true;
        loop {
            // Nearly always the next key is the one that followed last time.
            let index = match self.expected.get(next) {
                Some(expected) if cursor.rest().starts_with(&expected.literal) => {
                    cursor.at += expected.literal.len();
                    Some(next)
                }
                _ => match self.look_up(&mut cursor, first)? {
                    Some(found) => found,
                    None => break,
                },
            };
            first = false;
            let target = match index {
                Some(index) => {
                    next = index + 1;
                    &self.expected[index].target
                }
                None => &Target::Skip,
            };
            match *target {
                Target::Skip => cursor.skip_value(0)?,
                Target::Column(column) => cells[column as usize] = cursor.value()?,
                Target::Object(node) => scan_object(&self.nodes, node as usize, &mut cursor, cells, 1)?,
            }
        }
        cursor.skip_space();
        if cursor.at == record.len() { Ok(()) } else { Err(cursor.malformed("the end of the record")) }
    }

    /// Reads a key the slow way. `Ok(None)` is the end of the object; `Ok(Some(None))` a key beyond the memory.
    fn look_up(&mut self, cursor: &mut Cursor<'_>, first: bool) -> Scan<Option<Option<usize>>> {
        let start = cursor.at;
        let Some(key) = cursor.key(first)? else { return Ok(None) };
        if let Some(index) = self.place.get(key.as_ref()) {
            return Ok(Some(Some(*index)));
        }
        let target = self.nodes[0].children.get(key.as_ref()).cloned().unwrap_or(Target::Skip);
        let wanted = !matches!(target, Target::Skip);
        if self.expected.len() >= EXPECTED_MAX && !wanted {
            return Ok(Some(None));
        }
        let index = self.expected.len();
        self.expected.push(Expected { literal: cursor.bytes[start..cursor.at].into(), target });
        self.place.insert(key.into_owned(), index);
        Ok(Some(Some(index)))
    }
}

fn child_object(nodes: &mut Vec<Node>, node: usize, key: &[u8]) -> usize {
    if let Some(Target::Object(child)) = nodes[node].children.get(key) {
        return *child as usize;
    }
    let child = nodes.len();
    nodes.push(Node::default());
    nodes[node].children.insert(key.to_vec(), Target::Object(child as u16));
    child
}

/// Follows a path into a nested object. A value that is no object leaves its columns missing.
fn scan_object(nodes: &[Node], node: usize, cursor: &mut Cursor<'_>, cells: &mut [Cell], depth: u32) -> Scan<()> {
    cursor.skip_space();
    if cursor.peek() != Some(b'{') || depth >= DEPTH_MAX {
        return cursor.skip_value(depth);
    }
    let mut first = true;
    while let Some(key) = cursor.key(first)? {
        first = false;
        match nodes[node].children.get(key.as_ref()) {
            None | Some(Target::Skip) => cursor.skip_value(depth)?,
            Some(Target::Column(column)) => cells[*column as usize] = cursor.value()?,
            Some(Target::Object(child)) => scan_object(nodes, *child as usize, cursor, cells, depth + 1)?,
        }
    }
    Ok(())
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn malformed(&self, wanted: &'static str) -> Malformed {
        Malformed { at: self.at, wanted }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Reads `{` or `,`, a key and `:`, up to the start of the value; `None` at `}`.
    fn key(&mut self, first: bool) -> Scan<Option<std::borrow::Cow<'a, [u8]>>> {
        self.skip_space();
        match (self.peek(), first) {
            (Some(b'}'), false) => {
                self.at += 1;
                return Ok(None);
            }
            (Some(b'{'), true) | (Some(b','), false) => self.at += 1,
            (_, true) => return Err(self.malformed("`{`")),
            (_, false) => return Err(self.malformed("`,` or `}`")),
        }
        self.skip_space();
        if first && self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(self.malformed("a key in quotes"));
        }
        let cell = self.string()?;
        let raw = cell.bytes(self.bytes);
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.malformed("`:`"));
        }
        self.at += 1;
        self.skip_space();
        if cell.shape == Shape::Text {
            return Ok(Some(raw.into()));
        }
        let mut key = Vec::new();
        unescape(raw, &mut key).map_err(|_| self.malformed("a key whose escapes are valid"))?;
        Ok(Some(key.into()))
    }

    /// Reads any value as a cell; objects and arrays as their text.
    fn value(&mut self) -> Scan<Cell> {
        self.skip_space();
        let start = self.at;
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true", Shape::True),
            Some(b'f') => self.word(b"false", Shape::False),
            Some(b'n') => self.word(b"null", Shape::Missing),
            Some(b'{' | b'[') => {
                self.skip_value(0)?;
                Ok(Cell { shape: Shape::Nested, start: start as u32, end: self.at as u32 })
            }
            _ => Err(self.malformed("a value")),
        }
    }

    fn word(&mut self, word: &[u8], shape: Shape) -> Scan<Cell> {
        if !self.rest().starts_with(word) {
            return Err(self.malformed("a value"));
        }
        let start = self.at as u32;
        self.at += word.len();
        Ok(Cell { shape, start, end: self.at as u32 })
    }

    fn string(&mut self) -> Scan<Cell> {
        self.at += 1;
        let start = self.at as u32;
        let mut shape = Shape::Text;
        loop {
            self.at += plain_length(self.rest());
            match self.peek() {
                Some(b'"') => {
                    let end = self.at as u32;
                    self.at += 1;
                    return Ok(Cell { shape, start, end });
                }
                Some(b'\\') => {
                    shape = Shape::Escaped;
                    self.escape()?;
                }
                Some(_) => return Err(self.malformed("an escape instead of a control character")),
                None => return Err(self.malformed("a closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Scan<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u')
                if self.bytes.get(self.at + 2..self.at + 6).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)) =>
            {
                self.at += 6;
            }
            _ => return Err(self.malformed("a valid escape")),
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Scan<Cell> {
        let start = self.at;
        let mut shape = Shape::Integer;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || (zero && whole > 1) {
            return Err(self.malformed("a number without leading zeros"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            shape = Shape::Decimal;
            if self.digits() == 0 {
                return Err(self.malformed("a digit after the point"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            shape = Shape::Decimal;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.malformed("a digit of the exponent"));
            }
        }
        Ok(Cell { shape, start: start as u32, end: self.at as u32 })
    }

    /// Checks a value and moves past it.
    fn skip_value(&mut self, depth: u32) -> Scan<()> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.skip_object(depth + 1),
            Some(b'[') => self.skip_array(depth + 1),
            _ => self.value().map(|_| ()),
        }
    }

    fn skip_object(&mut self, depth: u32) -> Scan<()> {
        if depth > DEPTH_MAX {
            return Err(self.malformed("at most 64 levels of nesting"));
        }
        let mut first = true;
        while self.key(first)?.is_some() {
            first = false;
            self.skip_value(depth)?;
        }
        Ok(())
    }

    fn skip_array(&mut self, depth: u32) -> Scan<()> {
        if depth > DEPTH_MAX {
            return Err(self.malformed("at most 64 levels of nesting"));
        }
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_value(depth)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.malformed("`,` or `]`")),
            }
        }
    }
}

/// Length of the leading part that holds no quote, no backslash and no control character, eight bytes at a time.
/// Source of the bit tricks: Sean Eron Anderson, "Bit Twiddling Hacks", "Determine if a word has a byte less than n".
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("the chunk has eight bytes"));
        let quote = zero_byte(word ^ (ONES * u64::from(b'"')));
        let backslash = zero_byte(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let stop = quote | backslash | control;
        if stop != 0 {
            // The lowest flagged byte is exact: borrows only reach bytes above a true match.
            return at + (stop.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + bytes[at..].iter().take_while(|byte| **byte >= 0x20 && **byte != b'"' && **byte != b'\\').count()
}

#[cfg(test)]
mod tests {
    use super::super::schema::{Field, Kind};
    use super::*;

    fn scanner() -> Scanner {
        let city =
            Field { name: "city".into(), path: vec!["user".into(), "home".into(), "city".into()], kind: Kind::Text };
        Scanner::new(&Schema { fields: vec![Field::top("a", Kind::Int), Field::top("b", Kind::Text), city] })
    }

    fn scan(scanner: &mut Scanner, record: &str) -> Result<Vec<String>, Malformed> {
        let mut cells = [Cell::MISSING; 3];
        scanner.scan(record.as_bytes(), &mut cells)?;
        Ok(cells.iter().map(|cell| String::from_utf8(cell.bytes(record.as_bytes()).to_vec()).unwrap()).collect())
    }

    #[test]
    fn columns_are_found_in_any_order_and_at_any_depth() {
        let mut scanner = scanner();
        for _ in 0..2 {
            let plain = scan(&mut scanner, r#"{"a":1,"x":[1,{"a":9}],"b":"t","user":{"home":{"city":"Bern","n":1}}}"#);
            assert_eq!(plain.unwrap(), ["1", "t", "Bern"]);
            let turned = scan(&mut scanner, r#" { "user" : {"home":{"city":"Graz"}} , "b" : "u", "a" : 2 } "#);
            assert_eq!(turned.unwrap(), ["2", "u", "Graz"]);
            assert_eq!(scan(&mut scanner, r#"{"b":"v"}"#).unwrap(), ["", "v", ""]);
            assert_eq!(scan(&mut scanner, r#"{"user":7,"\u0061":3}"#).unwrap(), ["3", "", ""]);
            assert_eq!(scan(&mut scanner, "{}").unwrap(), ["", "", ""]);
        }
    }

    #[test]
    fn it_accepts_and_refuses_what_a_full_parser_does() {
        let texts = [
            "",
            "{",
            "}",
            "{}",
            "[]",
            "1",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{,"a":1}"#,
            r#"{"a":1}x"#,
            r#"{"a":01}"#,
            r#"{"a":-}"#,
            r#"{"a":1.}"#,
            r#"{"a":1e}"#,
            r#"{"a":1E+2}"#,
            r#"{"a":NaN}"#,
            r#"{"a":tru}"#,
            r#"{"a":true}"#,
            r#"{"x":"\q"}"#,
            r#"{"x":"\u12g4"}"#,
            "{\"x\":\"\u{1}\"}",
            r#"{"x":"é\\"}"#,
            r#"{"x":[1,2,]}"#,
            r#"{"x":[,]}"#,
            r#"{"x":[]}"#,
            r#"{"x":{"y":{}}}"#,
            r#"{"x":"abcdefgh\"ijklmnopq"}"#,
            r#"{"x":"abcdefg"#,
            r#"{"x":1 "y":2}"#,
            "{ }",
            r#"{"user":{"home":{"city":1},}}"#,
            r#"{"user":[}"#,
            "{\"a\":1}\n",
        ];
        let mut scanner = scanner();
        for text in texts {
            let full = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok();
            assert_eq!(scan(&mut scanner, text).is_ok(), full, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_exhausting_the_stack() {
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(scan(&mut scanner(), &deep).unwrap_err().wanted, "at most 64 levels of nesting");
    }
}
