use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use sha2::{Digest, Sha256};

use super::cache::{Cache, Decision};
use super::error::TemplateError;
use super::known::{Known, canonical};
use super::line::{self, Limits, Line, WILD};
use super::mask::Masks;
use super::spec::TemplateSpec;
use super::tree::{Tree, hash_of, token_hash};
use super::{MinerCounts, Taken, Template, UNKNOWN};

/// No template.
const NONE: u32 = u32::MAX;

/// Gives each message its template, and learns templates on the way.
#[derive(Clone, Debug)]
pub struct Miner {
    // Given.
    pub(super) plan: Arc<Plan>,
    // Changing.
    /// The seed templates, and behind them [`UNKNOWN`].
    pub(super) fixed: Vec<Template>,
    pub(super) learned: Vec<Learned>,
    pub(super) tree: Tree,
    ids: HashSet<Arc<str>, FixedState>,
    /// The least and the most recently used learned template.
    ends: (u32, u32),
    cache: Cache,
    line: Line,
    candidates: Vec<u32>,
    gaps: Vec<Range<usize>>,
    // Counted.
    pub(super) counts: MinerCounts,
    held_bytes: usize,
}

/// What follows from the settings.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) spec: TemplateSpec,
    pub(super) masks: Masks,
    known: Known,
}

/// A learned template.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    pub(super) template: Template,
    /// Its tokens, as in a [`Line`].
    pub(super) masked: Vec<u8>,
    pub(super) leaf: u32,
    /// The message that made it, and the last one that had it, by their numbers.
    pub(super) created: u64,
    pub(super) used: u64,
    /// The one used next before it, and next after it.
    older: u32,
    newer: u32,
}

impl Miner {
    /// Errors: those of [`TemplateSpec::check`].
    pub fn new(spec: TemplateSpec) -> Result<Self, TemplateError> {
        spec.check_ranges()?;
        let masks = Masks::new(&spec.masks)?;
        let known = Known::new(&spec.seed, &masks)?;
        let seeds = (1_u32..).zip(&spec.seed).map(|(code, seed)| Template {
            id: seed.id.as_str().into(),
            code,
            text: canonical(&seed.text, &masks),
            lines: 0,
        });
        let unknown = Template { id: UNKNOWN.into(), code: 0, text: super::PARAMETER.into(), lines: 0 };
        let fixed: Vec<Template> = seeds.chain([unknown]).collect();
        Ok(Self {
            tree: Tree::new(spec.leading_tokens(), spec.children_max, spec.similarity),
            ids: fixed.iter().map(|template| Arc::clone(&template.id)).collect(),
            plan: Arc::new(Plan { spec, masks, known }),
            fixed,
            learned: Vec::new(),
            ends: (NONE, NONE),
            cache: Cache::default(),
            line: Line::default(),
            candidates: Vec::new(),
            gaps: Vec::new(),
            counts: MinerCounts::default(),
            held_bytes: 0,
        })
    }

    /// Returns the template of a message, and learns from it. Blanks at its ends do not count.
    ///
    /// `parameters`, if given, gets the byte ranges of the message that its template's text has `<*>` and `<NAME>` for,
    /// in order. Cost: linear in the bytes that are looked at, whatever came before.
    pub fn take(&mut self, message: &str, mut parameters: Option<&mut Vec<Range<u32>>>) -> Taken {
        self.counts.lines += 1;
        if let Some(ranges) = parameters.as_deref_mut() {
            ranges.clear();
        }
        // Places are numbers of 32 bits.
        let message = &message[..message.floor_char_boundary(u32::MAX as usize)];
        let is_blank = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
        let before = message.len() - message.trim_start_matches(is_blank).len();
        let text = message.trim_matches(is_blank);
        let taken = match self.take_known(text, parameters.as_deref_mut()) {
            Some(taken) => taken,
            None if self.plan.spec.learn => self.take_learned(text, parameters.as_deref_mut()),
            None => self.take_unknown(text, parameters.as_deref_mut()),
        };
        for range in parameters.into_iter().flatten() {
            (range.start, range.end) = (range.start + before as u32, range.end + before as u32);
        }
        taken
    }

    fn take_known(&mut self, text: &str, parameters: Option<&mut Vec<Range<u32>>>) -> Option<Taken> {
        if self.plan.known.is_empty() {
            return None;
        }
        let head = &text.as_bytes()[..text.floor_char_boundary(self.plan.spec.line_bytes_max)];
        let is_cut = head.len() < text.len();
        let gaps = parameters.is_some().then_some(&mut self.gaps);
        let slot = self.plan.known.find(head, is_cut, &mut self.candidates, gaps)?;
        if let Some(ranges) = parameters {
            ranges.extend(self.gaps.iter().map(|gap| gap.start as u32..gap.end as u32));
            if let Some(last) = ranges.last_mut()
                && is_cut
            {
                last.end = text.len() as u32;
            }
        }
        self.counts.cut += u64::from(is_cut);
        let template = &mut self.fixed[slot as usize];
        template.lines += 1;
        Some(Taken { slot, code: template.code, is_new: false })
    }

    fn take_unknown(&mut self, text: &str, parameters: Option<&mut Vec<Range<u32>>>) -> Taken {
        self.counts.unknown += 1;
        if let Some(ranges) = parameters {
            ranges.push(0..text.len() as u32);
        }
        let slot = self.first_learned() - 1;
        self.fixed[slot as usize].lines += 1;
        Taken { slot, code: 0, is_new: false }
    }

    fn take_learned(&mut self, text: &str, parameters: Option<&mut Vec<Range<u32>>>) -> Taken {
        let mut line = std::mem::take(&mut self.line);
        let plan = Arc::clone(&self.plan);
        let limits = Limits { tokens: plan.spec.tokens_max, bytes: plan.spec.line_bytes_max };
        line.read(&plan.masks, text, limits, parameters.is_some());
        self.counts.cut += u64::from(line.is_cut());
        let (slot, is_new) = self.decide(&plan, line.masked());
        self.use_now(slot);
        if let Some(ranges) = parameters {
            line.parameters(line::tokens(&self.learned[slot as usize].masked), ranges);
        }
        self.line = line;
        Taken { slot: self.first_learned() + slot, code: 0, is_new }
    }

    fn first_learned(&self) -> u32 {
        u32::try_from(self.fixed.len()).expect("seed templates are bounded")
    }

    /// Returns the learned template of a masked message, and whether it was made for it.
    fn decide(&mut self, plan: &Plan, masked: &[u8]) -> (u32, bool) {
        let hash = hash_of(masked);
        let cached = self.cache.find(hash, masked);
        if let Some(decision) = cached.filter(|decision| self.tree.holds(decision.grounds)) {
            return (decision.slot, false);
        }
        let tokens: Vec<&[u8]> = line::tokens(masked).collect();
        let hashes: Vec<u64> = tokens.iter().map(|token| token_hash(token)).collect();
        let leaf = self.tree.leaf(&tokens, &hashes);
        let kept = cached.filter(|decision| leaf.is_some_and(|leaf| self.tree.holds_at(leaf, decision.grounds)));
        let similar = || leaf.and_then(|leaf| self.tree.most_similar(leaf, &hashes));
        let (slot, is_new) = match kept.map(|decision| decision.slot).or_else(similar) {
            Some(slot) => {
                self.generalise(plan, slot, &tokens);
                (slot, false)
            }
            None => (self.create(plan, masked, &tokens, &hashes, leaf), true),
        };
        let grounds = self.tree.grounds(self.learned[slot as usize].leaf);
        self.cache.put(hash, masked, Decision { slot, grounds });
        (slot, is_new)
    }

    /// Makes a parameter of every token in which a template and a message differ.
    fn generalise(&mut self, plan: &Plan, slot: u32, tokens: &[&[u8]]) {
        let learned = &mut self.learned[slot as usize];
        let differs = |(own, token): (&[u8], &&[u8])| own != *token && own != [WILD];
        if !line::tokens(&learned.masked).zip(tokens).any(differs) {
            return;
        }
        let mut masked = Vec::with_capacity(learned.masked.len());
        for (own, token) in line::tokens(&learned.masked).zip(tokens) {
            if !masked.is_empty() {
                masked.push(b' ');
            }
            masked.extend_from_slice(if own == *token { own } else { &[WILD] });
        }
        self.held_bytes -= learned.bytes();
        learned.masked = masked;
        learned.template.text = line::shown(&learned.masked, &plan.masks);
        self.held_bytes += learned.bytes();
        self.tree.change(learned.leaf, slot, line::tokens(&learned.masked));
    }

    fn create(&mut self, plan: &Plan, masked: &[u8], tokens: &[&[u8]], hashes: &[u64], leaf: Option<u32>) -> u32 {
        let victim = match leaf.and_then(|leaf| self.tree.full(leaf)) {
            Some(slots) => slots.iter().copied().min_by_key(|slot| self.learned[*slot as usize].used),
            None => (self.learned.len() >= plan.spec.templates_max).then_some(self.ends.0),
        };
        if let Some(victim) = victim {
            self.remove(victim);
        }
        let leaf = self.tree.leaf_or_new(tokens, hashes);
        let text = line::shown(masked, &plan.masks);
        let template = Template { id: self.new_id(&text), code: 0, text, lines: 0 };
        let created = self.counts.lines;
        let made = Learned { leaf, ..Learned::new(template, masked.to_vec(), created, created) };
        self.counts.created += 1;
        // Whoever leaves makes room for exactly one, so places have no gaps.
        let slot = victim.unwrap_or_else(|| u32::try_from(self.learned.len()).expect("templates are bounded"));
        self.tree.add(leaf, slot, hashes);
        self.put(slot, made);
        slot
    }

    /// The id of a template that a message makes: by the message alone, unless a living template has it.
    fn new_id(&self, text: &str) -> Arc<str> {
        let id = |attempt: u64| {
            let mut hash = Sha256::new_with_prefix(text);
            if attempt > 0 {
                hash.update(attempt.to_le_bytes());
            }
            let first = hash.finalize().iter().take(6).fold(0, |number, byte| number << 8 | u64::from(*byte));
            format!("T{first:012x}")
        };
        let free = (0..).map(id).find(|id| !self.ids.contains(id.as_str()));
        free.expect("there are more ids than templates").into()
    }

    /// Puts a template into its place and makes it the most recently used one.
    fn put(&mut self, slot: u32, made: Learned) {
        self.held_bytes += made.bytes();
        self.ids.insert(Arc::clone(&made.template.id));
        if slot as usize == self.learned.len() {
            self.learned.push(made);
        } else {
            self.learned[slot as usize] = made;
        }
        self.link(slot);
    }

    /// Fills an empty miner with templates, each with its way in the tree, in the order of their places.
    pub(super) fn fill(&mut self, mut learned: Vec<(Learned, u32)>) {
        let mut order: Vec<usize> = (0..learned.len()).collect();
        // Leaves hold their templates by age.
        order.sort_by_key(|at| learned[*at].0.created);
        for at in &order {
            let (one, way) = &mut learned[*at];
            let tokens: Vec<&[u8]> = line::tokens(&one.masked).collect();
            let hashes: Vec<u64> = tokens.iter().map(|token| token_hash(token)).collect();
            one.leaf = self.tree.leaf_by_way(&tokens, *way);
            self.tree.add(one.leaf, u32::try_from(*at).expect("templates are bounded"), &hashes);
        }
        for (slot, (one, _)) in (0..).zip(learned) {
            self.put(slot, one);
        }
        order.sort_by_key(|at| self.learned[*at].used);
        for at in order {
            let slot = u32::try_from(at).expect("templates are bounded");
            self.unlink(slot);
            self.link(slot);
        }
    }

    fn remove(&mut self, slot: u32) {
        self.unlink(slot);
        let learned = &self.learned[slot as usize];
        self.held_bytes -= learned.bytes();
        self.ids.remove(&learned.template.id);
        self.tree.remove(learned.leaf, slot);
        self.counts.evicted += 1;
    }

    fn use_now(&mut self, slot: u32) {
        if self.ends.1 != slot {
            self.unlink(slot);
            self.link(slot);
        }
        let learned = &mut self.learned[slot as usize];
        learned.used = self.counts.lines;
        learned.template.lines += 1;
    }

    fn link(&mut self, slot: u32) {
        let newest = self.ends.1;
        let learned = &mut self.learned[slot as usize];
        (learned.older, learned.newer) = (newest, NONE);
        match self.learned.get_mut(newest as usize) {
            Some(newest) => newest.newer = slot,
            None => self.ends.0 = slot,
        }
        self.ends.1 = slot;
    }

    fn unlink(&mut self, slot: u32) {
        let (older, newer) = (self.learned[slot as usize].older, self.learned[slot as usize].newer);
        match self.learned.get_mut(older as usize) {
            Some(older) => older.newer = newer,
            None => self.ends.0 = newer,
        }
        match self.learned.get_mut(newer as usize) {
            Some(newer) => newer.older = older,
            None => self.ends.1 = older,
        }
    }

    /// Returns the template at a place that [`Taken`] told.
    pub fn template(&self, slot: u32) -> Option<&Template> {
        let learned = || self.learned.get(slot as usize - self.fixed.len()).map(|learned| &learned.template);
        self.fixed.get(slot as usize).or_else(learned)
    }

    /// Returns all templates: those given, then [`UNKNOWN`] where nothing is learned, then the learned ones.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let hidden = usize::from(self.plan.spec.learn);
        let fixed = &self.fixed[..self.fixed.len() - hidden];
        fixed.iter().chain(self.learned.iter().map(|learned| &learned.template))
    }

    /// Returns what was seen and done.
    pub fn counts(&self) -> MinerCounts {
        self.counts
    }

    /// Returns about how many bytes the miner holds, settings and seed templates aside.
    pub fn bytes(&self) -> usize {
        let ids = self.ids.capacity() * size_of::<Arc<str>>();
        self.held_bytes + ids + self.tree.bytes() + self.cache.bytes() + size_of::<Self>()
    }
}

impl Learned {
    /// A template that has no place yet, neither in the tree nor in the order of use.
    pub(super) fn new(template: Template, masked: Vec<u8>, created: u64, used: u64) -> Self {
        Self { template, masked, leaf: NONE, created, used, older: NONE, newer: NONE }
    }

    /// Bytes, the row of its leaf included.
    fn bytes(&self) -> usize {
        let tokens = line::tokens(&self.masked).count();
        size_of::<Self>() + self.masked.len() + self.template.text.len() + self.template.id.len() + tokens * 8
    }
}
