//! A line taken through the steps of a layout.

use std::ops::Range;

use super::LayoutField;
use super::error::LineMisfit;
use super::kind::{Kind, begins_path};
use crate::time::excerpt;

/// How often a line may be tried anew where a text could end at several places or a part may be absent. Real headers
/// need a handful; each try costs at most the length of the line.
const TRIES_MAX: u32 = 256;

/// One step of a layout. Fields are places in the layout's list.
#[derive(Debug)]
pub(super) enum Step {
    /// These very bytes.
    Literal(Box<[u8]>),
    /// One or more blanks or tabs; before the rest also the end of the line.
    Blank { may_end: bool },
    /// A part that knows where it ends.
    Part { kind: Kind, field: Option<usize> },
    /// A part that ends where the following steps can go on.
    Until { kind: Kind, field: Option<usize>, ends: Ends },
    /// Everything that is left, further lines too.
    Rest { field: Option<usize> },
    /// The steps up to `end` may be absent. `field` is the first one that they, or later steps, fill.
    Optional { end: usize, field: usize },
}

/// The bytes with which the steps after a text can begin.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) bytes: Vec<u8>,
    /// Whether the text may also run to the end of the line.
    pub(super) line: bool,
}

/// The furthest place that a line reached, and the step that failed there.
pub(super) struct Place {
    at: usize,
    step: usize,
}

struct Run<'a> {
    steps: &'a [Step],
    /// The whole event without line breaks at its end.
    text: &'a [u8],
    /// Its first line.
    line: &'a [u8],
    into: &'a mut [Option<Range<u32>>],
    tries: u32,
    furthest: Place,
}

/// Fills in the ranges of the fields, all `None` before.
pub(super) fn split(steps: &[Step], text: &str, into: &mut [Option<Range<u32>>]) -> Result<(), Place> {
    let text = text.trim_end_matches(['\r', '\n']).as_bytes();
    if u32::try_from(text.len()).is_err() {
        return Err(Place { at: u32::MAX as usize, step: steps.len() });
    }
    let line = match memchr::memchr(b'\n', text) {
        Some(end) => text[..end].strip_suffix(b"\r").unwrap_or(&text[..end]),
        None => text,
    };
    let mut run = Run { steps, text, line, into, tries: 0, furthest: Place { at: 0, step: 0 } };
    if run.go(0, 0) { Ok(()) } else { Err(run.furthest) }
}

impl Run<'_> {
    /// Whether the line from `at` on goes through the steps from `step` on.
    fn go(&mut self, mut step: usize, mut at: usize) -> bool {
        while let Some(current) = self.steps.get(step) {
            let here = &self.line[at..];
            let taken = match current {
                Step::Literal(literal) => here.starts_with(literal).then_some(literal.len()),
                Step::Blank { may_end } => match here.iter().position(|byte| !is_blank(*byte)).unwrap_or(here.len()) {
                    0 => (*may_end && here.is_empty()).then_some(0),
                    blanks => Some(blanks),
                },
                Step::Part { kind, field } => kind.take(here).map(|(range, length)| {
                    self.set(*field, at + range.start..at + range.end);
                    length
                }),
                Step::Until { .. } => return self.until(step, at),
                Step::Rest { field } => {
                    self.set(*field, at..self.text.len());
                    return true;
                }
                Step::Optional { end, field } => {
                    if self.again() && self.go(step + 1, at) {
                        return true;
                    }
                    self.into[*field..].fill(None);
                    step = *end;
                    continue;
                }
            };
            let Some(taken) = taken else { return self.fail(step, at) };
            at += taken;
            step += 1;
        }
        // What no field takes must not vanish.
        let done = at == self.text.len() || (self.line.len() == self.text.len() && blank(&self.line[at..]));
        done || self.fail(step, at)
    }

    /// A text that ends at the first place from which the line goes through.
    fn until(&mut self, step: usize, at: usize) -> bool {
        let Step::Until { kind, field, ends } = &self.steps[step] else { return false };
        let here = &self.line[at..];
        let limit = match kind {
            Kind::Data => here.len(),
            _ => memchr::memchr2(b' ', b'\t', here).unwrap_or(here.len()),
        };
        let least = usize::from(*kind != Kind::Data);
        if limit < least || (*kind == Kind::Path && !begins_path(here)) {
            return self.fail(step, at);
        }
        let mut from = least;
        while let Some(end) = ends.find(here, from, limit) {
            if self.can_begin(step + 1, at + end) {
                if !self.again() {
                    return self.fail(step, at);
                }
                self.set(*field, at..at + end);
                if self.go(step + 1, at + end) {
                    return true;
                }
            }
            from = end + 1;
        }
        self.fail(step + 1, at + limit)
    }

    /// Whether a literal is there; a cheap look that costs no try.
    fn can_begin(&self, step: usize, at: usize) -> bool {
        match self.steps.get(step) {
            Some(Step::Literal(literal)) => self.line[at..].starts_with(literal),
            _ => true,
        }
    }

    fn set(&mut self, field: Option<usize>, range: Range<usize>) {
        if let Some(field) = field {
            // The length of the text was checked.
            self.into[field] = Some(range.start as u32..range.end as u32);
        }
    }

    fn again(&mut self) -> bool {
        self.tries += 1;
        self.tries <= TRIES_MAX
    }

    fn fail(&mut self, step: usize, at: usize) -> bool {
        if at >= self.furthest.at {
            self.furthest = Place { at, step };
        }
        false
    }
}

impl Ends {
    /// The first possible end from `from` up to and with `limit`.
    fn find(&self, here: &[u8], from: usize, limit: usize) -> Option<usize> {
        if from > limit {
            return None;
        }
        let window = &here[from..here.len().min(limit + 1)];
        let found = match self.bytes.as_slice() {
            [] => None,
            [a] => memchr::memchr(*a, window),
            [a, b] => memchr::memchr2(*a, *b, window),
            [a, b, c] => memchr::memchr3(*a, *b, *c, window),
            many => window.iter().position(|byte| many.contains(byte)),
        };
        found.map(|found| from + found).or_else(|| (self.line && limit == here.len()).then_some(limit))
    }
}

impl Place {
    /// The error that names what was expected.
    pub(super) fn misfit(&self, steps: &[Step], fields: &[LayoutField], line: &str) -> LineMisfit {
        let rest = line.get(self.at..).unwrap_or_default();
        let rest = rest.trim_end_matches(['\r', '\n']);
        let found = if rest.is_empty() { "the end of the line".to_owned() } else { format!("`{}`", excerpt(rest)) };
        let (field, expected) = match steps.get(self.step) {
            None => (None, "the end of the line".to_owned()),
            Some(Step::Literal(literal)) => (None, format!("`{}`", excerpt(&String::from_utf8_lossy(literal)))),
            Some(Step::Blank { .. }) => (None, "a blank".to_owned()),
            Some(Step::Optional { .. } | Step::Rest { .. }) => (None, "the rest of the header".to_owned()),
            Some(Step::Part { kind, field } | Step::Until { kind, field, .. }) => {
                let name = field.map(|field| fields[field].name.clone());
                let what = kind.in_words();
                let expected = name.as_ref().map_or_else(|| what.clone(), |name| format!("`{name}`, {what}"));
                (name, expected)
            }
        };
        LineMisfit { field, expected, at: self.at, found }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| is_blank(*byte))
}
