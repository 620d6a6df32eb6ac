//! Which word means what, so that memory can be carried over to another set of features.
//!
//! **Blocks.** Memory is a row of blocks, each with an identity: a text that says all that gives its words their
//! meaning, such as ``window 60000000/12 slot 3 sum of skip 5:bytes``. Blocks of two graphs with the same identity hold
//! the same words after the same events. So carrying over is copying by identity; what has no counterpart starts empty,
//! as if no event had come before.
//!
//! **Words that only make sense together.** A standard deviation needs number, sum and squares of the same events. If
//! `std` joins a `sum` that exists, number and squares of the events before are not known: they are NaN in every pane
//! that holds events, and the features that need them do not exist until those panes have left the window.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::FeatureError;

/// Some words and what they mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// All that gives the words their meaning.
    pub identity: String,
    /// How many words.
    pub words: u32,
}

/// The meaning of every word of memory of a graph; to be stored beside the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The features: name and definition. Equal definitions have equal memory.
    pub features: Vec<(String, String)>,
    /// The words of an entity.
    pub entity: Vec<Block>,
    /// The words of a group, for each column of peers.
    pub groups: Vec<(String, Vec<Block>)>,
    /// The words of a partition.
    pub shared: Vec<Block>,
}

/// A block as the graph that has it knows it.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    block: Block,
    whole: Option<Whole>,
}

/// A cell of a pane of which a block is only a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Equal for the parts of one cell.
    pub(crate) cell: String,
    /// The word of the entity whose bits tell which slots of the window are filled.
    pub(crate) filled_at: usize,
    /// The bits of the slots that the cell tells of.
    pub(crate) slots: u64,
}

impl Piece {
    pub(crate) fn new(identity: String, words: usize, whole: Option<Whole>) -> Self {
        // Layouts are made of a few thousand words; more than a u32 holds could not be laid out at all.
        Self { block: Block { identity, words: u32::try_from(words).unwrap_or(u32::MAX) }, whole }
    }

    pub(crate) fn block(&self) -> Block {
        self.block.clone()
    }

    pub(crate) fn words(&self) -> usize {
        self.block.words as usize
    }
}

/// How memory of one layout becomes memory of another.
#[derive(Clone, Debug)]
pub struct CarryOver {
    /// Features whose memory is carried over.
    pub kept: Vec<String>,
    /// Features that start without a past.
    pub fresh: Vec<String>,
    /// Features of the old layout that no longer exist.
    pub dropped: Vec<String>,
    pub(crate) entity: Move,
    /// For each new column of peers: the old one, if there was, and how its groups' words move.
    pub(crate) groups: Vec<(Option<usize>, Move)>,
    pub(crate) shared: Move,
}

impl CarryOver {
    /// Returns the new words of an entity. Shape: `old` as the old layout says. Errors: `CarriedWords`.
    pub fn entity(&self, old: &[f64]) -> Result<Vec<f64>, FeatureError> {
        self.entity.carry("an entity", old)
    }

    /// Returns the old column of peers whose groups become those of the new column number `peers`; without one, all its
    /// groups start empty.
    pub fn group_from(&self, peers: usize) -> Option<usize> {
        self.groups.get(peers)?.0
    }

    /// Returns the new words of a group of the new column number `peers`. Shape: `old` as the old layout says.
    /// Errors: `CarriedWords`.
    pub fn group(&self, peers: usize, old: &[f64]) -> Result<Vec<f64>, FeatureError> {
        self.groups[peers].1.carry("a group", old)
    }

    /// Returns the new words of a partition. Shape: `old` as the old layout says. Errors: `CarriedWords`.
    pub fn shared(&self, old: &[f64]) -> Result<Vec<f64>, FeatureError> {
        self.shared.carry("a partition", old)
    }

    /// Whether every word stays where it is.
    pub fn is_identity(&self) -> bool {
        let groups = self.groups.iter().enumerate();
        self.entity.is_identity()
            && self.shared.is_identity()
            && groups.clone().all(|(index, (from, step))| *from == Some(index) && step.is_identity())
    }
}

/// Copies words from one row to another.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    /// Words of the old row.
    expected: usize,
    /// The new row of one that has seen nothing.
    empty: Vec<f64>,
    /// Runs to copy: from, to, words.
    copies: Vec<(usize, usize, usize)>,
    unknown: Vec<Unknown>,
}

/// Words to be NaN if any of some slots is filled.
#[derive(Clone, Copy, Debug)]
struct Unknown {
    at: usize,
    words: usize,
    filled_at: usize,
    slots: u64,
}

impl Move {
    /// Plans the way from old blocks to new pieces. Shape: `empty` has the words of the pieces.
    pub(crate) fn new(old: &[Block], new: &[Piece], empty: Vec<f64>) -> Self {
        let (places, expected) = places_of(old);
        let found = |piece: &Piece| {
            let (from, words) = places.get(piece.block.identity.as_str())?;
            (*words == piece.words()).then_some(*from)
        };
        let mut plan = Self { expected, empty, copies: Vec::new(), unknown: Vec::new() };
        let carried =
            |whole: &Whole| new.iter().any(|piece| piece.whole.as_ref() == Some(whole) && found(piece).is_some());
        let mut at = 0;
        for piece in new {
            let words = piece.words();
            match (found(piece), piece.whole.as_ref().filter(|whole| carried(whole))) {
                (Some(from), _) => plan.copy(from, at, words),
                (None, Some(Whole { filled_at, slots, .. })) => {
                    plan.unknown.push(Unknown { at, words, filled_at: *filled_at, slots: *slots });
                }
                (None, None) => {}
            }
            at += words;
        }
        plan
    }

    /// Adds a run, to the last one if it goes on from there.
    fn copy(&mut self, from: usize, to: usize, words: usize) {
        match self.copies.last_mut() {
            Some(last) if last.0 + last.2 == from && last.1 + last.2 == to => last.2 += words,
            _ => self.copies.push((from, to, words)),
        }
    }

    fn carry(&self, what: &'static str, old: &[f64]) -> Result<Vec<f64>, FeatureError> {
        if old.len() != self.expected {
            return Err(FeatureError::CarriedWords { what, given: old.len(), expected: self.expected });
        }
        let mut new = self.empty.clone();
        for (from, to, words) in &self.copies {
            new[*to..to + words].copy_from_slice(&old[*from..from + words]);
        }
        for unknown in &self.unknown {
            if new[unknown.filled_at].to_bits() & unknown.slots != 0 {
                new[unknown.at..unknown.at + unknown.words].fill(f64::NAN);
            }
        }
        Ok(new)
    }

    fn is_identity(&self) -> bool {
        let whole = (0, 0, self.expected);
        self.expected == self.empty.len() && (self.copies == [whole] || self.expected == 0)
    }
}

/// Where each block lies, by its identity, and the words of all. A layout may come from a damaged file: its sizes are
/// added with care, and of blocks with the same identity the first counts.
fn places_of(blocks: &[Block]) -> (HashMap<&str, (usize, usize)>, usize) {
    let (mut places, mut at) = (HashMap::new(), 0_usize);
    for block in blocks {
        places.entry(block.identity.as_str()).or_insert((at, block.words as usize));
        at = at.saturating_add(block.words as usize);
    }
    (places, at)
}
