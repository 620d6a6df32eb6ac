//! Lines that belong to one event, such as the frames of a stack trace, put together again.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use crate::keys::regex_error;
use crate::layout::{Layout, LayoutError};

/// No expression for the beginning of a line is longer.
const PATTERN_BYTES_MAX: usize = 1_024;
/// Memory of the compiled expression, and of what searching it builds up.
const COMPILED_BYTES_MAX: usize = 1 << 20;
const WHAT: &str = "start of an event";

/// How the first line of an event is told from the others.
#[derive(Clone, Debug)]
pub enum MultilineStart {
    /// It matches this expression; see [`MultilineStart::pattern`].
    Pattern(Regex),
    /// It has the header of this layout.
    Layout(Layout),
    /// It is neither empty nor begins with a blank or tab.
    Indented,
}

/// What the bounds of an event cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinesCut {
    /// Lines that are missing in an event, or of which a part is.
    pub lines: u64,
    /// Bytes of them that are missing.
    pub bytes: u64,
}

/// Puts the lines of one event together: a line that does not begin an event belongs to the one before. Bounded: of a
/// longer event the first lines are kept.
#[derive(Debug)]
pub struct Multiline {
    start: MultilineStart,
    lines_max: usize,
    bytes_max: usize,
    /// The event that is being put together, and its lines; none at the beginning.
    event: Option<(Vec<u8>, usize)>,
    /// Whether a line of the event was cut off: then no later one is put in.
    full: bool,
    /// Reused by `Layout`.
    ranges: Vec<Option<Range<u32>>>,
    cut: LinesCut,
}

impl MultilineStart {
    /// A regular expression that is searched in every line; `^` ties it to the beginning.
    /// Errors: `Regex`, `TooLarge`.
    pub fn pattern(pattern: &str) -> Result<Self, LayoutError> {
        if pattern.len() > PATTERN_BYTES_MAX {
            let size = pattern.len();
            return Err(LayoutError::TooLarge { what: WHAT, size, unit: "bytes", size_max: PATTERN_BYTES_MAX });
        }
        let regex =
            RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).build();
        regex.map(Self::Pattern).map_err(|error| regex_error(WHAT, pattern, &error))
    }

    /// Whether a line, without its line break, begins an event. `ranges` is room for the work.
    pub fn begins(&self, line: &[u8], ranges: &mut Vec<Option<Range<u32>>>) -> bool {
        match self {
            Self::Pattern(regex) => regex.is_match(line),
            // Rubbish stands alone: joined to the event before, it would spoil that one too.
            Self::Layout(layout) => std::str::from_utf8(line).map_or(true, |line| layout.split(line, ranges).is_ok()),
            Self::Indented => !matches!(line, [] | [b' ' | b'\t', ..]),
        }
    }
}

impl Multiline {
    /// `lines_max` and `bytes_max` bound one event, line breaks between its lines included; at least 1 of each is kept.
    pub fn new(start: MultilineStart, lines_max: usize, bytes_max: usize) -> Self {
        Self {
            start,
            lines_max: lines_max.max(1),
            bytes_max: bytes_max.max(1),
            event: None,
            full: false,
            ranges: Vec::new(),
            cut: LinesCut::default(),
        }
    }

    /// Takes the next line, without its line break or with it. Returns the event before it if this line begins another.
    pub fn push(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.event.is_some() && !self.begins(line) {
            self.append(line);
            return None;
        }
        let kept = floor_char_boundary(line, self.bytes_max);
        self.count_cut(line.len() - kept);
        self.full = kept < line.len();
        self.event.replace((line[..kept].to_vec(), 1)).map(|(event, _)| event)
    }

    /// The event that is being put together, at the end of the input or after a pause.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        self.event.take().map(|(event, _)| event)
    }

    /// What the bounds have cut off so far.
    pub fn cut(&self) -> LinesCut {
        self.cut
    }

    fn begins(&mut self, line: &[u8]) -> bool {
        self.start.begins(line, &mut self.ranges)
    }

    fn append(&mut self, line: &[u8]) {
        let Some((event, lines)) = &mut self.event else { return };
        let fits = *lines < self.lines_max && event.len() + 1 + line.len() <= self.bytes_max;
        if self.full || !fits {
            self.full = true;
            self.count_cut(line.len() + 1);
            return;
        }
        event.push(b'\n');
        event.extend_from_slice(line);
        *lines += 1;
    }

    fn count_cut(&mut self, bytes: usize) {
        self.cut.lines += u64::from(bytes > 0);
        self.cut.bytes += bytes as u64;
    }
}

/// The longest beginning of at most so many bytes that cuts no character in two.
fn floor_char_boundary(line: &[u8], bytes_max: usize) -> usize {
    let Some(after) = line.get(bytes_max) else { return line.len() };
    let is_inside = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
    let back = if is_inside(*after) {
        line[..bytes_max].iter().rev().take(3).position(|byte| !is_inside(*byte))
    } else {
        None
    };
    // Bytes that are no UTF-8 are cut where the bound is.
    bytes_max - back.map_or(0, |back| back + 1)
}
