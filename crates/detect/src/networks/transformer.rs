//! Transformer over keys: how little the present key was expected after those before it.
//!
//! ```text
//! columns   present │ newest before │ … │ oldest before        keys; missing where an entity is too young
//! tokens    MASK    │ 17            │ … │ ABSENT
//! states    token's vector + place's vector                     places × width
//! blocks    places look at each other, one or two times
//! answer    the state of MASK ─▶ one probability per key ─▶ −ln of that of the present key
//! ```
//!
//! No place is hidden from another: all of them lie in the past of the one that is asked for.

use serde::{Deserialize, Serialize};

use super::attention::{Block, BlockWork, Norm};
use super::dense::{Dense, check_finite};
use super::lanes::{NARROW, WIDE, exp, greatest};
use super::vocabulary::{ABSENT, MASK, UNKNOWN, VOCABULARY_MAX, Vocabulary};
use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::options::{Options, Slot};

/// Most columns: the longest sequence that features give, the present key, and room for more.
const PLACES_MAX: usize = 128;
/// Most values of a place.
const WIDTH_MAX: usize = 256;
/// Most blocks.
const BLOCKS_MAX: usize = 4;
/// No key is less expected than this: weights may be so large that the network gives no number. Units: nats.
const SURPRISAL_MAX: f64 = 100.0;

/// How a transformer is built and trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformerOptions {
    /// Tell each key from all others, older and newer, instead of the present one from those before: a row is then
    /// judged as a whole, at as many times the cost as it has columns.
    pub masked_key: bool,
    /// Score by how many keys were more expected, instead of by −ln of the probability.
    pub by_rank: bool,
    /// Most keys told apart.
    pub vocabulary: usize,
    /// Values of a place: 8 for each of these.
    pub heads: usize,
    /// Times that places look at each other.
    pub layers: usize,
    /// Most rows learned from, drawn evenly.
    pub samples: usize,
    /// Most passes over the rows.
    pub epochs: usize,
    /// Passes without improvement on rows held back after which training ends.
    pub patience: usize,
    /// Rows of one step.
    pub batch_rows: usize,
    /// Length of a step.
    pub learning_rate: f64,
}

impl TransformerOptions {
    /// What is used unless said otherwise.
    pub const DEFAULT: Self = Self {
        masked_key: false,
        by_rank: false,
        vocabulary: VOCABULARY_MAX,
        heads: 4,
        layers: 2,
        samples: 100_000,
        epochs: 20,
        patience: 2,
        batch_rows: 256,
        learning_rate: 0.003,
    };

    /// Values of a place.
    pub fn width(&self) -> usize {
        8 * self.heads
    }

    /// Refuses to train on rows that no transformer can read. Errors: `Setting`.
    pub fn check_columns(&self, columns: usize) -> Result<(), DetectError> {
        match (1..=PLACES_MAX).contains(&columns) {
            true => Ok(()),
            false => Err(DetectError::Setting(format!(
                "train transformer: {columns} columns, 1 to {PLACES_MAX} are possible: the present key, and those of a \
                 feature `sequence`"
            ))),
        }
    }
}

impl Options for TransformerOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![
            ("masked_key", Slot::Flag(&mut self.masked_key)),
            ("by_rank", Slot::Flag(&mut self.by_rank)),
            ("vocabulary", Slot::Whole(&mut self.vocabulary, 1..=VOCABULARY_MAX)),
            ("heads", Slot::Whole(&mut self.heads, 1..=8)),
            ("layers", Slot::Whole(&mut self.layers, 1..=BLOCKS_MAX)),
            ("samples", Slot::Whole(&mut self.samples, 100..=100_000_000)),
            ("epochs", Slot::Whole(&mut self.epochs, 1..=10_000)),
            ("patience", Slot::Whole(&mut self.patience, 1..=10_000)),
            ("batch_rows", Slot::Whole(&mut self.batch_rows, 1..=65_536)),
            ("learning_rate", Slot::Number(&mut self.learning_rate, 1e-6..=1.0)),
        ]
    }
}

/// What training has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformerWeights {
    /// A vector for each token. Shape: tokens × width.
    pub tokens: Vec<f32>,
    /// A vector for each place. Shape: columns × width.
    pub places: Vec<f32>,
    /// In the order in which they are applied.
    pub blocks: Vec<Block>,
    /// After the last block.
    pub norm: Norm,
    /// From a state to one number per key: the unknown one, then the known ones in their order.
    pub output: Dense,
}

/// A trained transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transformer {
    vocabulary: Vocabulary,
    masked_key: bool,
    by_rank: bool,
    weights: TransformerWeights,
}

/// What a block of rows is computed in.
struct Work<const L: usize> {
    /// Tokens of the rows, column by column.
    tokens: Vec<[u32; L]>,
    states: Vec<[f32; L]>,
    blocks: Vec<BlockWork<L>>,
    logits: Vec<[f32; L]>,
}

impl Transformer {
    /// Puts a network together. Errors: `Setting` if its parts do not fit.
    pub fn new(
        vocabulary: Vocabulary,
        options: &TransformerOptions,
        weights: TransformerWeights,
    ) -> Result<Self, DetectError> {
        let transformer = Self { vocabulary, masked_key: options.masked_key, by_rank: options.by_rank, weights };
        transformer.check().map_err(DetectError::Setting)?;
        Ok(transformer)
    }

    /// Refuses weights that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.vocabulary.check()?;
        let weights = &self.weights;
        let (width, tokens) = (self.state_width(), self.vocabulary.tokens());
        if !(1..=WIDTH_MAX).contains(&width) || !(1..=BLOCKS_MAX).contains(&weights.blocks.len()) {
            let blocks = weights.blocks.len();
            return Err(format!("{blocks} blocks of width {width}; 1 to {BLOCKS_MAX} and 1 to {WIDTH_MAX} fit"));
        }
        if weights.tokens.len() != tokens * width {
            return Err(format!("{} values do not make vectors of {tokens} tokens", weights.tokens.len()));
        }
        if !weights.places.len().is_multiple_of(width) || !(1..=PLACES_MAX).contains(&self.width()) {
            let found = weights.places.len();
            return Err(format!("{found} values do not make 1 to {PLACES_MAX} places of width {width}"));
        }
        check_finite(&[&weights.tokens, &weights.places])?;
        weights.blocks.iter().try_for_each(|block| block.check(width))?;
        weights.norm.check(width)?;
        weights.output.check()?;
        match (weights.output.inputs(), weights.output.outputs()) == (width, self.vocabulary.classes()) {
            true => Ok(()),
            false => Err(format!("an answer of {} keys, not {}", weights.output.outputs(), self.vocabulary.classes())),
        }
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.weights.places.len() / self.state_width().max(1)
    }

    fn state_width(&self) -> usize {
        self.weights.output.inputs()
    }

    /// The keys it knows.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Returns how little each row's present key was expected: −ln of its probability (0..=100 nats); by rank, how
    /// many keys were more expected, and its share of improbability (0..=keys + 1). Where all keys of a row are
    /// judged, the mean over its keys. A missing key counts 0.
    /// Shape: `rows` is n × d, the present key first, then those before it, the newest first; result has n values.
    /// Errors: `WidthMismatch`. Source: Du et al. 2017 (next key, rank); Salazar et al. 2020, eq. 1 (all keys).
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score transformer", expected, found });
        }
        let tokens: Vec<u32> = rows.values().iter().map(|value| self.vocabulary.token(*value)).collect();
        let rows: Vec<&[u32]> = tokens.chunks_exact(self.width()).collect();
        let mut sums = vec![0.0; rows.len()];
        for asked in self.asked() {
            sums.iter_mut().zip(self.surprises(&rows, asked)).for_each(|(sum, surprise)| *sum += surprise);
        }
        let counts = rows.iter().map(|row| row[self.asked()].iter().filter(|token| **token != ABSENT).count());
        Ok(sums.iter().zip(counts).map(|(sum, count)| sum / count.max(1) as f64).collect())
    }

    /// The places whose keys are judged.
    fn asked(&self) -> std::ops::Range<usize> {
        0..if self.masked_key { self.width() } else { 1 }
    }

    /// How little the key at place `asked` of each row was expected. Shape: each row has d tokens.
    fn surprises(&self, rows: &[&[u32]], asked: usize) -> Vec<f64> {
        let mut surprises = Vec::with_capacity(rows.len());
        let (mut wide, mut narrow) = (self.work::<WIDE>(), self.work::<NARROW>());
        for block in rows.chunks(WIDE) {
            if block.len() == WIDE {
                self.judge(block, asked, &mut wide, &mut surprises);
            } else {
                block.chunks(NARROW).for_each(|block| self.judge(block, asked, &mut narrow, &mut surprises));
            }
        }
        surprises
    }

    fn work<const L: usize>(&self) -> Work<L> {
        let weights = &self.weights;
        Work {
            tokens: vec![[ABSENT; L]; self.width()],
            states: vec![[0.0; L]; weights.places.len()],
            blocks: weights.blocks.iter().map(|block| block.work(self.width())).collect(),
            logits: vec![[0.0; L]; weights.output.outputs()],
        }
    }

    fn judge<const L: usize>(&self, rows: &[&[u32]], asked: usize, work: &mut Work<L>, surprises: &mut Vec<f64>) {
        for (lane, row) in rows.iter().enumerate() {
            work.tokens.iter_mut().zip(*row).for_each(|(lanes, token)| lanes[lane] = *token);
        }
        self.expect(asked, work);
        let most = greatest(&work.logits);
        let mut sums = [0.0; L];
        for logit in &work.logits {
            for lane in 0..L {
                sums[lane] += exp(logit[lane] - most[lane]);
            }
        }
        for (lane, row) in rows.iter().enumerate() {
            surprises.push(match row[asked].checked_sub(UNKNOWN) {
                Some(class) => self.surprise(class as usize, lane, f64::from(most[lane]), f64::from(sums[lane]), work),
                None => 0.0,
            });
        }
    }

    fn surprise<const L: usize>(&self, class: usize, lane: usize, most: f64, sum: f64, work: &Work<L>) -> f64 {
        let logit = work.logits[class][lane];
        let nats = libm::log(sum) + most - f64::from(logit);
        let nats = if nats < SURPRISAL_MAX { nats.max(0.0) } else { SURPRISAL_MAX };
        if !self.by_rank {
            return nats;
        }
        let above = work.logits.iter().filter(|other| other[lane] > logit).count();
        above as f64 + 1.0 - libm::exp(-nats)
    }

    /// Leaves in `logits` what is expected at place `asked`.
    fn expect<const L: usize>(&self, asked: usize, work: &mut Work<L>) {
        let (weights, width) = (&self.weights, self.state_width());
        let places = work.states.chunks_exact_mut(width).zip(weights.places.chunks_exact(width));
        for (place, ((state, place_vector), tokens)) in places.zip(&work.tokens).enumerate() {
            for (lane, token) in tokens.iter().enumerate() {
                let token = if place == asked { MASK } else { *token };
                let token_vector = &weights.tokens[token as usize * width..][..width];
                for (state, (token, place)) in state.iter_mut().zip(token_vector.iter().zip(place_vector)) {
                    state[lane] = token + place;
                }
            }
        }
        let last = weights.blocks.len() - 1;
        for (index, (block, block_work)) in weights.blocks.iter().zip(&mut work.blocks).enumerate() {
            // Of the last block's states only one is read.
            let changed = if index == last { asked..asked + 1 } else { 0..weights.places.len() / width };
            block.apply(&mut work.states, changed, block_work);
        }
        let state = &mut work.states[asked * width..][..width];
        let mut normed = vec![[0.0; L]; width];
        weights.norm.apply(state, &mut normed);
        weights.output.apply(&normed, &mut work.logits);
    }

    /// Adds to each column its part of the score; the parts sum to it. Where all keys are judged, each has its own.
    /// Otherwise keys are made known one by one: first the present one alone, which is credited with how rare it is
    /// by itself; then those before it, the newest first, each credited with how much stranger the present key became
    /// by knowing it; negative if it became less strange. Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        let tokens: Vec<u32> = row.iter().map(|value| self.vocabulary.token(*value)).collect();
        if self.masked_key {
            let judged = tokens.iter().filter(|token| **token != ABSENT).count().max(1) as f64;
            for (place, credit) in credit.iter_mut().enumerate() {
                *credit += self.surprises(&[&tokens], place).iter().sum::<f64>() / judged;
            }
            return;
        }
        let partly_known: Vec<Vec<u32>> = (1..=tokens.len()).map(|known| hide(&tokens, known)).collect();
        let rows: Vec<&[u32]> = partly_known.iter().map(Vec::as_slice).collect();
        let mut before = 0.0;
        for (credit, surprise) in credit.iter_mut().zip(self.surprises(&rows, 0)) {
            *credit += surprise - before;
            before = surprise;
        }
    }
}

/// The tokens of which only the first `known` are told.
fn hide(tokens: &[u32], known: usize) -> Vec<u32> {
    tokens.iter().enumerate().map(|(place, token)| if place < known { *token } else { UNKNOWN }).collect()
}
