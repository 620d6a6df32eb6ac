use sha2::{Digest, Sha256};

use super::error::TemplateError;
use super::known::Known;
use super::mask::{Mask, Masks};
use super::seed::SeedTemplate;

/// Raised when the same settings and messages would give other ids than before.
const RULES: u32 = 1;
/// Levels of the tree that are not tokens: the root, and the number of tokens.
const DEPTH_WITHOUT_TOKENS: usize = 2;

/// What a miner is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateSpec {
    /// Values to look for, the first of the list first where several fit at one place.
    pub masks: Vec<Mask>,
    /// Templates that are known; their places in the list, from 1, are their codes.
    pub seed: Vec<SeedTemplate>,
    /// Whether messages that fit no known template make new ones.
    pub learn: bool,
    /// Levels of the tree: root, number of tokens, and one for each leading token, so 4 looks at two of them.
    pub depth: usize,
    /// Share of equal tokens from which on a message is of a template, in 0..=1.
    pub similarity: f64,
    /// Most children of a node, and most templates of a leaf. Further tokens share the child `<*>`; of a leaf's
    /// templates the least recently used leaves.
    pub children_max: usize,
    /// Most learned templates; the least recently used leaves.
    pub templates_max: usize,
    /// Most tokens of a message; what follows is one parameter.
    pub tokens_max: usize,
    /// Most bytes of a message that are looked at; what follows is one parameter.
    pub line_bytes_max: usize,
}

impl Default for TemplateSpec {
    /// Every mask there is, and what is usual for Drain: depth 4, similarity 0.4, 100 children.
    fn default() -> Self {
        Self {
            masks: Mask::names().iter().filter_map(|name| Mask::named(name)).collect(),
            seed: Vec::new(),
            learn: true,
            depth: 4,
            similarity: 0.4,
            children_max: 100,
            templates_max: 5_000,
            tokens_max: 128,
            line_bytes_max: 4_096,
        }
    }
}

impl TemplateSpec {
    /// Checks all of it. Errors: `Mask`, `Range`, `Seed`.
    pub fn check(&self) -> Result<(), TemplateError> {
        self.check_ranges()?;
        let masks = Masks::new(&self.masks)?;
        Known::new(&self.seed, &masks)?;
        Ok(())
    }

    /// Returns a digest of everything that decides which id a message gets, in 64 hexadecimal digits.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut number = |value: u64| hash.update(value.to_le_bytes());
        number(u64::from(RULES));
        number(u64::from(self.learn));
        number(self.similarity.to_bits());
        for value in [self.depth, self.children_max, self.templates_max, self.tokens_max, self.line_bytes_max] {
            number(value as u64);
        }
        let masks = self.masks.iter().map(|mask| (&mask.name, &mask.pattern));
        let seed = self.seed.iter().map(|seed| (&seed.id, &seed.text));
        for pairs in [masks.collect::<Vec<_>>(), seed.collect()] {
            hash.update((pairs.len() as u64).to_le_bytes());
            for text in pairs.into_iter().flat_map(|(left, right)| [left, right]) {
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn check_ranges(&self) -> Result<(), TemplateError> {
        if !(0.0..=1.0).contains(&self.similarity) {
            let value = self.similarity.to_string();
            return Err(TemplateError::Range { option: "similarity", value, range: "0..=1".into() });
        }
        // Upper bounds keep what one miner can hold, and what one message can cost, within reason.
        let ranges = [
            ("depth", self.depth, DEPTH_WITHOUT_TOKENS..=16),
            ("children_max", self.children_max, 2..=10_000),
            ("templates_max", self.templates_max, 1..=1_000_000),
            ("tokens_max", self.tokens_max, 1..=4_096),
            ("line_bytes_max", self.line_bytes_max, 16..=1 << 20),
        ];
        for (option, value, range) in ranges {
            if !range.contains(&value) {
                return Err(TemplateError::Range { option, value: value.to_string(), range: format!("{range:?}") });
            }
        }
        Ok(())
    }

    /// Leading tokens that the tree looks at.
    pub(super) fn leading_tokens(&self) -> usize {
        self.depth - DEPTH_WITHOUT_TOKENS
    }
}
