use candle_core::{Device, Result, Tensor, Var};
use candle_nn::loss::cross_entropy;
use candle_nn::ops::softmax;
use lapwing_detect::networks::{self, ABSENT, MASK, TransformerWeights, UNKNOWN, Vocabulary};
use lapwing_detect::{DetectError, Matrix, Transformer, TransformerOptions};
use rand::Rng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use crate::descent::{Chance, Course, Learner, chance, check_rows, descend};
use crate::layers::{Dense, Norm, drawn, fault, values};

const ACT: &str = "train transformer";
/// Inner width of a block's second half, in widths.
const INNER: usize = 2;
/// Largest value of a drawn vector.
const VECTOR_MOST: f32 = 0.5;
/// Share of known keys shown as unknown ones, so that a key never seen is something the network has met.
const FORGOTTEN: f64 = 0.02;
/// Share of rows whose older keys are shown as unknown, from a place drawn by chance: explanations tell keys one by one.
const CUT_SHORT: f64 = 0.1;
/// Share of a row's keys that are masked where all keys are to be told. Source: Devlin et al. 2019, section 3.1.
const MASKED: f64 = 0.15;

struct Block {
    heads: usize,
    attention_norm: Norm,
    query: Dense,
    key: Dense,
    value: Dense,
    merge: Dense,
    feed_norm: Norm,
    widen: Dense,
    narrow: Dense,
}

/// A transformer on its way, and the rows it learns from.
struct Learning {
    vocabulary: Vocabulary,
    masked_key: bool,
    /// Columns of a row.
    columns: usize,
    /// Tokens, row by row; each row has a key to tell.
    rows: Vec<u32>,
    /// Shape: tokens × width.
    tokens: Var,
    /// Shape: columns × width.
    places: Var,
    blocks: Vec<Block>,
    norm: Norm,
    output: Dense,
    device: Device,
}

/// Inputs of a step, and what should come out. Shape: tokens n × columns; asked and told have one entry per mask.
struct Task {
    tokens: Vec<u32>,
    /// Places of masks among the tokens.
    asked: Vec<u32>,
    /// Classes of the keys behind them.
    told: Vec<u32>,
}

/// As [`Networks::transformer`](crate::Networks::transformer).
pub(crate) fn train(
    rows: &Matrix,
    options: &TransformerOptions,
    seed: u64,
    device: &Device,
) -> std::result::Result<Transformer, DetectError> {
    options.check_columns(rows.width())?;
    let vocabulary = Vocabulary::fit(ACT, rows, options.vocabulary)?;
    let judged = if options.masked_key { rows.width() } else { 1 };
    let mut usable: Vec<usize> =
        (0..rows.rows()).filter(|row| rows.row(*row)[..judged].iter().any(|key| !key.is_nan())).collect();
    check_rows(ACT, usable.len())?;
    if usable.len() > options.samples {
        let drawn = sample(&mut chance(seed, Chance::Sample), usable.len(), options.samples);
        usable = drawn.iter().map(|place| usable[place]).collect();
    }
    let learning = Learning::start(vocabulary, &rows.take(&usable), options, seed, device).map_err(fault(ACT))?;
    let course = Course {
        act: ACT,
        epochs: options.epochs,
        patience: options.patience,
        batch_rows: options.batch_rows,
        learning_rate: options.learning_rate,
    };
    descend(&learning, usable.len(), &course, seed)?;
    learning.learned(options)
}

impl Learning {
    fn start(
        vocabulary: Vocabulary,
        rows: &Matrix,
        options: &TransformerOptions,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let (width, columns) = (options.width(), rows.width());
        let mut rng = chance(seed, Chance::Weights);
        let tokens = drawn((vocabulary.tokens(), width), VECTOR_MOST, &mut rng, device)?;
        let places = drawn((columns, width), VECTOR_MOST, &mut rng, device)?;
        let block = |_| Block::drawn(options.heads, width, &mut rng, device);
        let blocks = (0..options.layers).map(block).collect::<Result<Vec<Block>>>()?;
        let output = Dense::drawn(width, vocabulary.classes(), &mut rng, device)?;
        let rows: Vec<u32> = rows.values().iter().map(|value| vocabulary.token(*value)).collect();
        output.set_biases(rarities(&rows, vocabulary.classes()))?;
        Ok(Self {
            vocabulary,
            masked_key: options.masked_key,
            columns,
            rows,
            tokens,
            places,
            blocks,
            norm: Norm::new(width, device)?,
            output,
            device: device.clone(),
        })
    }

    /// What is to be told of rows at these places: the present key, or masked ones.
    fn task(&self, rows: &[usize], learning: bool, rng: &mut ChaCha8Rng) -> Task {
        let mut task = Task { tokens: Vec::with_capacity(rows.len() * self.columns), asked: vec![], told: vec![] };
        for row in rows {
            let row = &self.rows[row * self.columns..][..self.columns];
            let masked = if self.masked_key { masked_places(row, rng) } else { vec![0] };
            let start = task.tokens.len();
            task.tokens.extend_from_slice(row);
            let shown = &mut task.tokens[start..];
            if learning {
                spoil(shown, !self.masked_key, rng);
            }
            for place in masked {
                shown[place] = MASK;
                task.asked.push((start + place) as u32);
                task.told.push(row[place] - UNKNOWN);
            }
        }
        task
    }

    /// One number per key for each mask; larger is more expected. Shape: masks × classes.
    fn logits(&self, tokens: Vec<u32>, asked: Vec<u32>) -> Result<Tensor> {
        let (rows, width) = (tokens.len() / self.columns, self.tokens.dim(1)?);
        let flat = tokens.len();
        let tokens = self.tokens.index_select(&Tensor::from_vec(tokens, flat, &self.device)?, 0)?;
        let mut states = tokens.reshape((rows, self.columns, width))?.broadcast_add(&self.places)?;
        let masks = asked.len();
        let last = self.blocks.len() - 1;
        for (index, block) in self.blocks.iter().enumerate() {
            // Where only the present key is told, the last block has one place to think about.
            let changed = if index == last && !self.masked_key { 1 } else { self.columns };
            states = block.forward(&states, changed)?;
        }
        let states = if self.masked_key {
            let asked = Tensor::from_vec(asked, masks, &self.device)?;
            states.reshape((flat, width))?.index_select(&asked, 0)?
        } else {
            states.reshape((rows, width))?
        };
        self.output.forward(&self.norm.forward(&states)?)
    }

    fn learned(&self, options: &TransformerOptions) -> std::result::Result<Transformer, DetectError> {
        let read = fault("read weights");
        let weights = TransformerWeights {
            tokens: values(&self.tokens).map_err(&read)?,
            places: values(&self.places).map_err(&read)?,
            blocks: self.blocks.iter().map(Block::learned).collect::<std::result::Result<_, _>>()?,
            norm: self.norm.learned().map_err(&read)?,
            output: self.output.learned()?,
        };
        Transformer::new(self.vocabulary.clone(), options, weights)
    }
}

impl Learner for Learning {
    fn variables(&self) -> Vec<Var> {
        let vectors = [self.tokens.clone(), self.places.clone()].into_iter();
        let blocks = self.blocks.iter().flat_map(Block::variables);
        vectors.chain(blocks).chain(self.norm.variables()).chain(self.output.variables()).collect()
    }

    fn loss(&self, rows: &[usize], learning: bool, rng: &mut ChaCha8Rng) -> Result<Tensor> {
        let Task { tokens, asked, told } = self.task(rows, learning, rng);
        let masks = told.len();
        let told = Tensor::from_vec(told, masks, &self.device)?;
        cross_entropy(&self.logits(tokens, asked)?, &told)
    }
}

impl Block {
    fn drawn(heads: usize, width: usize, rng: &mut ChaCha8Rng, device: &Device) -> Result<Self> {
        let mut layer = |inputs, outputs| Dense::drawn(inputs, outputs, rng, device);
        Ok(Self {
            heads,
            attention_norm: Norm::new(width, device)?,
            query: layer(width, width)?,
            key: layer(width, width)?,
            value: layer(width, width)?,
            merge: layer(width, width)?,
            feed_norm: Norm::new(width, device)?,
            widen: layer(width, INNER * width)?,
            narrow: layer(INNER * width, width)?,
        })
    }

    /// The first `changed` places after all places were looked at. Shape: n × places × width; n × changed × width.
    fn forward(&self, states: &Tensor, changed: usize) -> Result<Tensor> {
        let (rows, places, width) = states.dims3()?;
        let size = width / self.heads;
        let normed = self.attention_norm.forward(states)?;
        // n × heads × places × size
        let split = |layer: &Dense, from: &Tensor, places: usize| {
            let values = layer.forward(&from.contiguous()?.reshape((rows * places, width))?)?;
            values.reshape((rows, places, self.heads, size))?.transpose(1, 2)?.contiguous()
        };
        let query = (split(&self.query, &normed.narrow(1, 0, changed)?, changed)? / (size as f64).sqrt())?;
        let (key, value) = (split(&self.key, &normed, places)?, split(&self.value, &normed, places)?);
        let shares = softmax(&query.matmul(&key.transpose(2, 3)?)?, 3)?;
        let mixed = shares.matmul(&value)?.transpose(1, 2)?.contiguous()?.reshape((rows * changed, width))?;
        let before = states.narrow(1, 0, changed)?.contiguous()?.reshape((rows * changed, width))?;
        let states = (before + self.merge.forward(&mixed)?)?;
        let wide = self.widen.forward(&self.feed_norm.forward(&states)?)?.relu()?;
        (&states + self.narrow.forward(&wide)?)?.reshape((rows, changed, width))
    }

    fn layers(&self) -> [&Dense; 6] {
        [&self.query, &self.key, &self.value, &self.merge, &self.widen, &self.narrow]
    }

    fn variables(&self) -> Vec<Var> {
        let norms = [&self.attention_norm, &self.feed_norm];
        let norms = norms.into_iter().flat_map(Norm::variables);
        norms.chain(self.layers().into_iter().flat_map(Dense::variables)).collect()
    }

    fn learned(&self) -> std::result::Result<networks::Block, DetectError> {
        let norm = |norm: &Norm| norm.learned().map_err(fault("read weights"));
        Ok(networks::Block {
            heads: self.heads as u32,
            attention_norm: norm(&self.attention_norm)?,
            query: self.query.learned()?,
            key: self.key.learned()?,
            value: self.value.learned()?,
            merge: self.merge.learned()?,
            feed_norm: norm(&self.feed_norm)?,
            widen: self.widen.learned()?,
            narrow: self.narrow.learned()?,
        })
    }
}

/// ln of each key's share: what is expected before anything is learned. Each counts once more than it was seen.
fn rarities(rows: &[u32], classes: usize) -> Vec<f32> {
    let mut counts = vec![1.0_f64; classes];
    rows.iter().filter(|token| **token >= UNKNOWN).for_each(|token| counts[(token - UNKNOWN) as usize] += 1.0);
    let total: f64 = counts.iter().sum();
    counts.iter().map(|count| (count / total).ln() as f32).collect()
}

/// Places of a row whose keys shall be told: each with a chance of [`MASKED`], one at least.
fn masked_places(row: &[u32], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let present: Vec<usize> = (0..row.len()).filter(|place| row[*place] != ABSENT).collect();
    let always = present[rng.random_range(0..present.len())];
    present.into_iter().filter(|place| rng.random_bool(MASKED) || *place == always).collect()
}

/// Shows some keys as unknown ones; with `cut`, also all that are older than a place drawn by chance.
fn spoil(shown: &mut [u32], cut: bool, rng: &mut ChaCha8Rng) {
    for token in shown.iter_mut().filter(|token| **token > UNKNOWN) {
        if rng.random_bool(FORGOTTEN) {
            *token = UNKNOWN;
        }
    }
    if cut && rng.random_bool(CUT_SHORT) {
        let from = rng.random_range(1..=shown.len());
        shown[from..].fill(UNKNOWN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A learner with weights as they are drawn, and rows of which some keys are missing or rare.
    fn learning(options: &TransformerOptions) -> (Learning, Matrix) {
        let mut rng = chance(1, Chance::Sample);
        let mut key = || if rng.random_bool(0.1) { f32::NAN } else { rng.random_range(0..9) as f32 };
        let rows: Vec<[f32; 6]> = (0..50).map(|_| std::array::from_fn(|_| key())).collect();
        let rows = Matrix::from_rows(&rows).unwrap();
        let vocabulary = Vocabulary::fit(ACT, &rows, options.vocabulary).unwrap();
        (Learning::start(vocabulary, &rows, options, 3, &Device::Cpu).unwrap(), rows)
    }

    /// −ln of the probability of each row's key at a place, from the learner; 0 where the key is missing.
    fn surprises(learning: &Learning, place: usize) -> Vec<f64> {
        let mut tokens = learning.rows.clone();
        let rows = tokens.len() / learning.columns;
        let asked: Vec<usize> = (0..rows).map(|row| row * learning.columns + place).collect();
        asked.iter().for_each(|at| tokens[*at] = MASK);
        let logits = learning.logits(tokens, asked.iter().map(|at| *at as u32).collect()).unwrap();
        let logits: Vec<Vec<f32>> = logits.to_vec2().unwrap();
        let surprise = |(logits, at): (&Vec<f32>, &usize)| {
            let Some(class) = learning.rows[*at].checked_sub(UNKNOWN) else { return 0.0 };
            let sum: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
            sum.ln() - f64::from(logits[class as usize])
        };
        logits.iter().zip(&asked).map(surprise).collect()
    }

    #[test]
    fn what_is_learned_expects_the_present_key_as_the_learner_does() {
        let options = TransformerOptions { vocabulary: 7, ..TransformerOptions::DEFAULT };
        let (learning, rows) = learning(&options);
        let scores = learning.learned(&options).unwrap().score(&rows).unwrap();
        for (score, expected) in scores.iter().zip(surprises(&learning, 0)) {
            assert!((score - expected).abs() < 1e-4, "{score} for {expected}");
        }
    }

    #[test]
    fn what_is_learned_expects_every_key_as_the_learner_does() {
        let options = TransformerOptions { masked_key: true, heads: 2, ..TransformerOptions::DEFAULT };
        let (learning, rows) = learning(&options);
        let by_place: Vec<Vec<f64>> = (0..6).map(|place| surprises(&learning, place)).collect();
        let scores = learning.learned(&options).unwrap().score(&rows).unwrap();
        for (row, score) in scores.iter().enumerate() {
            let keys = rows.row(row).iter().filter(|key| !key.is_nan()).count();
            let expected = by_place.iter().map(|place| place[row]).sum::<f64>() / keys.max(1) as f64;
            assert!((score - expected).abs() < 1e-4, "{score} for {expected}");
        }
    }
}
