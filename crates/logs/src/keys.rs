//! The keys that a line names, such as the ids of blocks.
//!
//! Nearly every pattern of keys is a fixed word and some classes of characters after it (`blk_-?\d+`). Such a pattern
//! is searched without an automaton: the word by `memmem`, the classes by a table. All others, and a candidate with
//! characters outside ASCII behind it, go to the regular expression itself, so both ways give the same keys.

use std::ops::Range;

use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::layout::LayoutError;

/// No expression of keys is longer.
const PATTERN_BYTES_MAX: usize = 1_024;
/// Memory of the compiled expression, and of what searching it builds up.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Matches looked at in one line. Some expressions read the line to its end for every match; this keeps that bounded.
const MATCHES_MAX: usize = 4_096;
/// A longer run of a class is left to the expression, so that near misses inside each other stay cheap.
const RUN_BYTES_MAX: usize = 256;
const WHAT: &str = "keys";

/// The keys that a line names, such as `blk_-?\d+`.
#[derive(Clone, Debug)]
pub struct Keys {
    regex: Regex,
    /// The group that is the key: 1 if the pattern has one, else the whole match.
    group: usize,
    plain: Option<Plain>,
}

/// A pattern that is a word and then runs of classes, of which none can begin with what the one before may hold.
#[derive(Clone, Debug)]
struct Plain {
    word: Finder<'static>,
    runs: Vec<Run>,
}

/// `least..=most` bytes of a class.
#[derive(Clone, Debug)]
struct Run {
    class: Box<[bool; 128]>,
    least: usize,
    most: usize,
}

/// What lies at a candidate.
enum Candidate {
    Ends(usize),
    Nothing,
    /// The table cannot tell.
    Unsure,
}

impl Keys {
    /// Keys that [`Keys::find`] keeps of one line.
    pub const MAX: usize = 64;

    /// Compiles a regular expression; its group 1 is the key, or the whole match if it has none.
    /// Errors: `Regex`, also if it matches the empty text or compiles to more than a megabyte; `TooLarge`.
    pub fn new(pattern: &str) -> Result<Self, LayoutError> {
        if pattern.len() > PATTERN_BYTES_MAX {
            let size = pattern.len();
            return Err(LayoutError::TooLarge { what: WHAT, size, unit: "bytes", size_max: PATTERN_BYTES_MAX });
        }
        let regex =
            RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).build();
        let regex = regex.map_err(|error| regex_error(WHAT, pattern, &error))?;
        let refuse = |why: &str| LayoutError::Regex { what: WHAT, pattern: pattern.to_owned(), why: why.to_owned() };
        if regex.is_match("") {
            return Err(refuse("it matches the empty text, so every place of a line; ask for at least one character"));
        }
        let group = match regex.captures_len() {
            1 => 0,
            2 => 1,
            _ => {
                return Err(refuse(
                    "it has several groups; keep `(…)` around the key and write `(?:…)` for the others",
                ));
            }
        };
        let plain = regex_syntax::parse(pattern).ok().filter(|_| group == 0).and_then(|hir| Plain::of(&hir));
        Ok(Self { regex, group, plain })
    }

    /// Puts the distinct keys of a line, in order of first appearance, into `into`, which is cleared. Returns how many
    /// more there are than [`Keys::MAX`], which the caller counts: appearances of keys that are not among those kept, in
    /// the first 4,096 matches.
    pub fn find(&self, line: &str, into: &mut Vec<Range<u32>>) -> usize {
        into.clear();
        // Ranges are of 32 bits; no record is as large.
        let line = &line[..line.floor_char_boundary(u32::MAX as usize)];
        let mut beyond = 0;
        let mut matches = 0;
        let mut from = 0;
        while let Some((key, end)) = self.next(line, from) {
            beyond += usize::from(!keep(line, key, into));
            matches += 1;
            if matches == MATCHES_MAX {
                break;
            }
            from = end;
        }
        beyond
    }

    /// The next key from `from` on, and where to go on after it.
    fn next(&self, line: &str, from: usize) -> Option<(Range<usize>, usize)> {
        if let Some(plain) = &self.plain {
            let mut at = from;
            while let Some(begin) = plain.word.find(&line.as_bytes()[at..]).map(|found| at + found) {
                match plain.at(line.as_bytes(), begin) {
                    Candidate::Ends(end) => return Some((begin..end, end)),
                    Candidate::Nothing => at = begin + 1,
                    Candidate::Unsure => return self.next_by_regex(line, begin),
                }
            }
            return None;
        }
        self.next_by_regex(line, from)
    }

    fn next_by_regex(&self, line: &str, from: usize) -> Option<(Range<usize>, usize)> {
        if self.group == 0 {
            let found = self.regex.find_at(line, from)?;
            return Some((found.range(), found.end()));
        }
        let mut from = from;
        loop {
            let found = self.regex.captures_at(line, from)?;
            let whole = found.get(0)?;
            // A group can be absent in a match, or empty: then that match names no key.
            match found.get(self.group).filter(|key| !key.is_empty()) {
                Some(key) => return Some((key.range(), whole.end())),
                None => from = whole.end(),
            }
        }
    }
}

/// Whether a key is kept or was before.
fn keep(line: &str, key: Range<usize>, into: &mut Vec<Range<u32>>) -> bool {
    let text = |range: &Range<u32>| &line.as_bytes()[range.start as usize..range.end as usize];
    let key = key.start as u32..key.end as u32;
    if into.iter().any(|kept| text(kept) == text(&key)) {
        return true;
    }
    if into.len() == Keys::MAX {
        return false;
    }
    into.push(key);
    true
}

impl Plain {
    fn of(hir: &Hir) -> Option<Self> {
        let parts = match hir.kind() {
            HirKind::Concat(parts) => parts.as_slice(),
            _ => return None,
        };
        let (first, rest) = parts.split_first()?;
        let HirKind::Literal(word) = first.kind() else { return None };
        let runs = rest.iter().map(Run::of).collect::<Option<Vec<_>>>()?;
        // A run takes all it can, so the one behind must not need a part of it.
        let apart = |pair: &[Run]| (0..128).all(|byte| !(pair[0].class[byte] && pair[1].class[byte]));
        let neighbours_apart = (0..runs.len()).all(|at| {
            let reach = runs[at + 1..].iter().position(|run| run.least > 0).map_or(runs.len(), |n| at + n + 2);
            runs[at + 1..reach].iter().all(|later| apart(&[runs[at].clone(), later.clone()]))
        });
        neighbours_apart.then(|| Self { word: Finder::new(&word.0).into_owned(), runs })
    }

    fn at(&self, line: &[u8], begin: usize) -> Candidate {
        let mut at = begin + self.word.needle().len();
        for run in &self.runs {
            let here = &line[at..line.len().min(at.saturating_add(run.most.min(RUN_BYTES_MAX)))];
            let length = here.iter().position(|byte| !run.holds(*byte)).unwrap_or(here.len());
            let stopped_by_ascii = here.get(length).is_none_or(u8::is_ascii);
            if !stopped_by_ascii || length == RUN_BYTES_MAX {
                return Candidate::Unsure;
            }
            if length < run.least {
                return Candidate::Nothing;
            }
            at += length;
        }
        Candidate::Ends(at)
    }
}

impl Run {
    /// A class, or a greedy repetition of one; a literal character is a class too.
    fn of(hir: &Hir) -> Option<Self> {
        let (least, most, inner) = match hir.kind() {
            HirKind::Repetition(repetition) if repetition.greedy => {
                (repetition.min as usize, repetition.max.map_or(usize::MAX, |max| max as usize), &*repetition.sub)
            }
            _ => (1, 1, hir),
        };
        let mut class = Box::new([false; 128]);
        match inner.kind() {
            HirKind::Class(Class::Unicode(ranges)) => {
                for range in ranges.iter().filter(|range| range.start().is_ascii()) {
                    let end = range.end().min('\u{7f}');
                    (range.start()..=end).for_each(|c| class[c as usize] = true);
                }
            }
            HirKind::Class(Class::Bytes(ranges)) => {
                for range in ranges.iter().filter(|range| range.start().is_ascii()) {
                    (range.start()..=range.end().min(127)).for_each(|byte| class[byte as usize] = true);
                }
            }
            HirKind::Literal(literal) if literal.0.len() == 1 && literal.0[0].is_ascii() => {
                class[literal.0[0] as usize] = true;
            }
            _ => return None,
        }
        Some(Self { class, least, most })
    }

    fn holds(&self, byte: u8) -> bool {
        self.class.get(byte as usize).is_some_and(|holds| *holds)
    }
}

/// What a regular expression's own error says, without the drawing under it.
pub(crate) fn regex_error(what: &'static str, pattern: &str, error: &regex::Error) -> LayoutError {
    let why = match error {
        regex::Error::CompiledTooBig(limit) => format!("it compiles to more than {limit} bytes; make it simpler"),
        other => other.to_string().lines().last().unwrap_or_default().trim().to_owned(),
    };
    LayoutError::Regex { what, pattern: pattern.to_owned(), why }
}
