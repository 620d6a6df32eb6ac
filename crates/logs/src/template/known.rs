use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;

use super::PARAMETER;
use super::error::TemplateError;
use super::mask::Masks;
use super::seed::{SEED_TEMPLATES_MAX, SeedTemplate, refusal};

/// Another usual way to write a parameter.
const PARAMETER_TOO: &str = "[*]";

/// The known templates, the most specific one first.
///
/// The longest literal of each is its anchor. One pass over the message finds all anchors in it; only templates whose
/// anchor is there are tried, the one with the most literal characters first, so the first that fits is the answer.
#[derive(Debug)]
pub(super) struct Known {
    patterns: Vec<Pattern>,
    anchors: Anchors,
}

/// Which patterns a message may fit.
#[derive(Debug)]
struct Anchors {
    literals: Option<AhoCorasick>,
    /// Ranks of the patterns that have a literal as their anchor.
    ranks: Vec<Vec<u32>>,
    /// Ranks of patterns without any literal.
    always: Vec<u32>,
}

/// A template as its literals and what is between them.
#[derive(Debug)]
struct Pattern {
    /// Place in the list of seeds, from 0.
    seed: u32,
    literals: Vec<Finder<'static>>,
    /// Whether it begins, and ends, with a parameter.
    open: (bool, bool),
    characters: usize,
}

/// The text cut at its parameters, which are told as where they are.
fn parameters(text: &str, masks: &Masks) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let known = [PARAMETER, PARAMETER_TOO].into_iter().chain(masks.tokens());
        match known.filter(|token| rest.starts_with(token)).map(str::len).max() {
            // Two side by side are one: where the first ends and the second begins nobody could say.
            Some(length) => match found.last_mut() {
                Some(last) if last.end == at => (last.end, at) = (at + length, at + length),
                _ => {
                    found.push(at..at + length);
                    at += length;
                }
            },
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    found
}

impl Pattern {
    fn new(number: usize, text: &str, masks: &Masks) -> Self {
        let text = text.trim_ascii();
        let gaps = parameters(text, masks);
        let mut at = 0;
        let mut literals = Vec::new();
        for gap in gaps.iter().cloned().chain(std::iter::once(text.len()..text.len())) {
            literals.push(&text[at..gap.start]);
            at = gap.end;
        }
        let open = (literals.first().is_some_and(|l| l.is_empty()), literals.last().is_some_and(|l| l.is_empty()));
        literals.retain(|literal| !literal.is_empty());
        Self {
            seed: u32::try_from(number).expect("their number is bounded"),
            characters: literals.iter().map(|literal| literal.chars().count()).sum(),
            literals: literals.iter().map(|literal| Finder::new(literal.as_bytes()).into_owned()).collect(),
            open,
        }
    }

    fn anchor(&self) -> Option<&[u8]> {
        // The first of the longest ones; `max_by_key` would give the last.
        let lengths = self.literals.iter().map(Finder::needle);
        lengths.rev().max_by_key(|literal| literal.len())
    }

    /// Whether a message fits. `is_cut`: there is more of it, so that only a parameter may end it.
    /// `gaps` gets what the parameters stand for, each literal as far left as it goes.
    fn fits(&self, text: &[u8], is_cut: bool, mut gaps: Option<&mut Vec<Range<usize>>>) -> bool {
        if is_cut && !self.open.1 {
            return false;
        }
        let (mut at, mut gap) = (0, 0);
        for (i, literal) in self.literals.iter().enumerate() {
            let length = literal.needle().len();
            let is_first = i == 0 && !self.open.0;
            let is_last = i + 1 == self.literals.len() && !self.open.1;
            let found = match (is_first, is_last) {
                (true, true) => (text == literal.needle()).then_some(0),
                (true, false) => text.starts_with(literal.needle()).then_some(0),
                (false, true) => {
                    (text.len() >= at + length && text.ends_with(literal.needle())).then(|| text.len() - length)
                }
                (false, false) => literal.find(&text[at..]).map(|found| at + found),
            };
            let Some(found) = found else { return false };
            if let Some(gaps) = gaps.as_deref_mut()
                && !is_first
            {
                gaps.push(gap..found);
            }
            at = found + length;
            gap = at;
        }
        if let Some(gaps) = gaps
            && self.open.1
        {
            gaps.push(gap..text.len());
        }
        true
    }
}

impl Known {
    /// Errors: `Seed`.
    pub(super) fn new(seed: &[SeedTemplate], masks: &Masks) -> Result<Self, TemplateError> {
        check(seed)?;
        let mut patterns: Vec<Pattern> =
            seed.iter().enumerate().map(|(number, seed)| Pattern::new(number, &seed.text, masks)).collect();
        patterns.sort_by_key(|pattern| (usize::MAX - pattern.characters, pattern.seed));
        let mut by_anchor: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
        let mut always = Vec::new();
        for (rank, pattern) in (0..).zip(&patterns) {
            match pattern.anchor() {
                Some(anchor) => by_anchor.entry(anchor).or_default().push(rank),
                None => always.push(rank),
            }
        }
        let (anchors, ranks): (Vec<&[u8]>, Vec<Vec<u32>>) = by_anchor.into_iter().unzip();
        let literals = (!anchors.is_empty())
            .then(|| AhoCorasick::new(anchors).expect("the number and length of templates are bounded"));
        Ok(Self { patterns, anchors: Anchors { literals, ranks, always } })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Returns the place in the list, from 0, of the most specific template that a message fits. `candidates` is room
    /// to work in.
    pub(super) fn find(
        &self,
        text: &[u8],
        is_cut: bool,
        candidates: &mut Vec<u32>,
        mut gaps: Option<&mut Vec<Range<usize>>>,
    ) -> Option<u32> {
        candidates.clear();
        candidates.extend_from_slice(&self.anchors.always);
        let literals = self.anchors.literals.as_ref();
        for found in literals.into_iter().flat_map(|literals| literals.find_overlapping_iter(text)) {
            candidates.extend_from_slice(&self.anchors.ranks[found.pattern().as_usize()]);
        }
        candidates.sort_unstable();
        candidates.dedup();
        let fitting = candidates.iter().find(|rank| {
            if let Some(gaps) = gaps.as_deref_mut() {
                gaps.clear();
            }
            self.patterns[**rank as usize].fits(text, is_cut, gaps.as_deref_mut())
        });
        fitting.map(|rank| self.patterns[*rank as usize].seed)
    }
}

/// Returns a template's text with every parameter that has no name written as `<*>`.
pub(super) fn canonical(text: &str, masks: &Masks) -> String {
    let text = text.trim_ascii();
    let mut written = String::with_capacity(text.len());
    let mut at = 0;
    for gap in parameters(text, masks) {
        written.push_str(&text[at..gap.start]);
        let token = &text[gap.clone()];
        written.push_str(if masks.tokens().any(|mask| mask == token) { token } else { PARAMETER });
        at = gap.end;
    }
    written.push_str(&text[at..]);
    written
}

fn check(seed: &[SeedTemplate]) -> Result<(), TemplateError> {
    let fault = |number: usize, reason: String| {
        let id = seed.get(number).map(|seed| seed.id.clone()).unwrap_or_default();
        TemplateError::Seed { number: number + 1, id, reason }
    };
    if seed.len() > SEED_TEMPLATES_MAX {
        return Err(fault(SEED_TEMPLATES_MAX, format!("more than {SEED_TEMPLATES_MAX} templates; leave out some")));
    }
    let mut first_of = BTreeMap::new();
    for (number, template) in seed.iter().enumerate() {
        if let Some(reason) = refusal(template) {
            return Err(fault(number, reason));
        }
        if let Some(first) = first_of.insert(template.id.as_str(), number) {
            return Err(fault(number, format!("template {} has the same id; rename one of the two", first + 1)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
