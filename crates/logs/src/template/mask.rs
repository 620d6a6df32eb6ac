use regex::{Regex, RegexBuilder};

use super::builtin::{self, Builtin, Scan};
use super::error::TemplateError;

/// Most masks at once: a mask is one byte of a masked message.
const MASKS_MAX: usize = 64;
/// Most bytes of a pattern.
const PATTERN_BYTES_MAX: usize = 1_024;
/// Most bytes of a compiled pattern, and of its cache.
const PATTERN_PROGRAM_BYTES_MAX: usize = 1 << 20;

/// A kind of value in messages: what its pattern matches becomes the token `<NAME>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Its name: lower-case letters, digits and underscores; in templates it stands in capitals.
    pub name: String,
    /// A regular expression, as the crate `regex` reads it. Empty: the ready mask of that name.
    pub pattern: String,
}

impl Mask {
    /// Returns the ready mask of a name.
    pub fn named(name: &str) -> Option<Self> {
        let known = Builtin::ALL.iter().find(|builtin| builtin.name() == name)?;
        Some(Self { name: known.name().to_owned(), pattern: String::new() })
    }

    /// Returns the names of all ready masks, in the order in which they are best looked for.
    pub fn names() -> &'static [&'static str] {
        &builtin::NAMES
    }
}

/// Where a mask has found a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
    /// Place of the mask in the list.
    pub(super) mask: u8,
}

/// The masks of a miner, ready to look for.
#[derive(Debug)]
pub(super) struct Masks {
    tokens: Vec<String>,
    pub(super) ready: builtin::Ready,
    patterns: Vec<(u8, Regex)>,
}

impl Masks {
    /// Errors: `Mask`.
    pub(super) fn new(masks: &[Mask]) -> Result<Self, TemplateError> {
        let mut made = Self { tokens: Vec::new(), ready: builtin::Ready::default(), patterns: Vec::new() };
        for (number, mask) in (0_u8..).zip(masks) {
            let fault = |reason: String| TemplateError::Mask { name: mask.name.clone(), reason };
            if usize::from(number) == MASKS_MAX {
                return Err(fault(format!("more than {MASKS_MAX} masks; leave out some")));
            }
            check_name(&mask.name).map_err(fault)?;
            let token = format!("<{}>", mask.name.to_ascii_uppercase());
            if made.tokens.contains(&token) {
                return Err(fault("the name is used twice; rename one of the two".into()));
            }
            made.tokens.push(token);
            if mask.pattern.is_empty() {
                let known = Builtin::ALL.iter().find(|builtin| builtin.name() == mask.name);
                let names = || Mask::names().join(", ");
                let known = known.ok_or_else(|| fault(format!("no pattern, and no ready mask: {}", names())))?;
                made.ready.add(*known, number);
            } else {
                made.patterns.push((number, compile(&mask.pattern).map_err(fault)?));
            }
        }
        Ok(made)
    }

    /// Returns how the masks stand in texts, in their order.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().map(String::as_str)
    }

    pub(super) fn token(&self, mask: u8) -> &str {
        &self.tokens[usize::from(mask)]
    }

    pub(super) fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// Puts all values of a message into `spans`: always the leftmost next one; of several at one place that of the
    /// mask which is first in the list.
    pub(super) fn find_all(&self, text: &str, spans: &mut Vec<Span>) {
        spans.clear();
        let mut scan = Scan::default();
        let mut ready = self.ready.next(text.as_bytes(), 0, &mut scan);
        let mut found: Vec<Option<Span>> = self.patterns.iter().map(|pattern| find(pattern, text, 0)).collect();
        while let Some(span) = found.iter().copied().flatten().chain(ready).min_by_key(|span| (span.start, span.mask)) {
            spans.push(span);
            let at = span.end as usize;
            for (pattern, found) in self.patterns.iter().zip(&mut found) {
                if found.is_some_and(|found| found.start < span.end) {
                    *found = find(pattern, text, at);
                }
            }
            if ready.is_some_and(|ready| ready.start < span.end) {
                ready = self.ready.next(text.as_bytes(), at, &mut scan);
            }
        }
    }
}

/// The next match that holds anything: an empty one is no value.
fn find((mask, pattern): &(u8, Regex), text: &str, from: usize) -> Option<Span> {
    let mut from = from;
    while from <= text.len() {
        let found = pattern.find_at(text, from)?;
        if !found.is_empty() {
            let place = |at: usize| u32::try_from(at).expect("the bytes looked at are bounded");
            return Some(Span { start: place(found.start()), end: place(found.end()), mask: *mask });
        }
        from = found.end() + text[found.end()..].chars().next().map_or(1, char::len_utf8);
    }
    None
}

fn check_name(name: &str) -> Result<(), String> {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || name.len() > 32 || !name.chars().all(is_fine) {
        return Err("a name has 1 to 32 lower-case letters, digits and underscores; choose such a one".into());
    }
    Ok(())
}

fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("its pattern has {} bytes, more than {PATTERN_BYTES_MAX}; shorten it", pattern.len()));
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(PATTERN_PROGRAM_BYTES_MAX).dfa_size_limit(PATTERN_PROGRAM_BYTES_MAX);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "its pattern grows too large; repeat less".into(),
        other => format!("its pattern does not read: {other}"),
    })
}
