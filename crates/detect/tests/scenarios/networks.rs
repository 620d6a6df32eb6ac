//! Networks as they are applied: equal to a slow twin, the same bits in any batch, harmless whatever their weights are.

use lapwing_detect::networks::{
    Block, Dense, FIRST_KEY, MASK, Norm, Scaling, TransformerWeights, UNKNOWN, VOCABULARY_MAX, Vocabulary,
};
use lapwing_detect::training::Outside;
use lapwing_detect::{
    Autoencoder, AutoencoderOptions, DetectError, Ensemble, Label, Matrix, Method, ModelColumns, TrainingSet,
    Transformer, TransformerOptions,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::world::{columns, member, normal};

/// Networks whose weights are drawn by chance: what they say means nothing, but they say it like any other.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) most: f32,
}

/// Networks of moderate weights.
pub(crate) const DRAWN: Drawn = Drawn { most: 0.5 };

impl Drawn {
    fn values(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        (0..count).map(|_| rng.random_range(-self.most..=self.most)).collect()
    }

    fn dense(&self, inputs: usize, outputs: usize, rng: &mut ChaCha8Rng) -> Dense {
        Dense::new(inputs, self.values(inputs * outputs, rng), self.values(outputs, rng)).unwrap()
    }

    fn norm(&self, width: usize, rng: &mut ChaCha8Rng) -> Norm {
        Norm { gains: self.values(width, rng), biases: self.values(width, rng) }
    }

    fn weights(
        &self,
        vocabulary: &Vocabulary,
        places: usize,
        options: &TransformerOptions,
        seed: u64,
    ) -> TransformerWeights {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let width = options.width();
        let block = |rng: &mut ChaCha8Rng| Block {
            heads: options.heads as u32,
            attention_norm: self.norm(width, rng),
            query: self.dense(width, width, rng),
            key: self.dense(width, width, rng),
            value: self.dense(width, width, rng),
            merge: self.dense(width, width, rng),
            feed_norm: self.norm(width, rng),
            widen: self.dense(width, 2 * width, rng),
            narrow: self.dense(2 * width, width, rng),
        };
        TransformerWeights {
            tokens: self.values(vocabulary.tokens() * width, rng),
            places: self.values(places * width, rng),
            blocks: (0..options.layers).map(|_| block(rng)).collect(),
            norm: self.norm(width, rng),
            output: self.dense(width, vocabulary.classes(), rng),
        }
    }
}

impl Outside for Drawn {
    fn autoencoder(&self, rows: &Matrix, options: &AutoencoderOptions, seed: u64) -> Result<Autoencoder, DetectError> {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let (hidden, bottleneck) = options.widths(rows.width());
        let encoder = vec![self.dense(rows.width(), hidden, rng), self.dense(hidden, bottleneck, rng)];
        let decoder = vec![self.dense(bottleneck, hidden, rng), self.dense(hidden, rows.width(), rng)];
        Autoencoder::new(Scaling::fit(rows), encoder, decoder)
    }

    fn transformer(&self, rows: &Matrix, options: &TransformerOptions, seed: u64) -> Result<Transformer, DetectError> {
        let vocabulary = Vocabulary::fit("learn", rows, options.vocabulary)?;
        let weights = self.weights(&vocabulary, rows.width(), options, seed);
        Transformer::new(vocabulary, options, weights)
    }
}

const SMALL: TransformerOptions = TransformerOptions { heads: 2, ..TransformerOptions::DEFAULT };

/// Rows of keys 0..`keys`, one in ten missing.
pub(crate) fn sequences(count: usize, width: usize, keys: u32, seed: u64) -> Matrix {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut key = || if rng.random_bool(0.1) { f32::NAN } else { rng.random_range(0..keys) as f32 };
    Matrix::from_values(width, (0..count * width).map(|_| key()).collect()).unwrap()
}

/// A layer in double precision.
fn dense(layer: &[Vec<f64>], biases: &[f64], from: &[f64]) -> Vec<f64> {
    let sum = |(weights, bias): (&Vec<f64>, &f64)| weights.iter().zip(from).map(|(a, b)| a * b).sum::<f64>() + bias;
    layer.iter().zip(biases).map(sum).collect()
}

/// Weights of a layer as they are stored, read through its serialised form, which is a part of the format.
fn read(layer: &Dense) -> (Vec<Vec<f64>>, Vec<f64>) {
    let bytes = postcard::to_stdvec(layer).unwrap();
    let (inputs, weights, biases): (u32, Vec<f32>, Vec<f32>) = postcard::from_bytes(&bytes).unwrap();
    let double = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
    (weights.chunks(inputs as usize).map(double).collect(), double(&biases))
}

fn through(layer: &Dense, from: &[f64]) -> Vec<f64> {
    let (weights, biases) = read(layer);
    dense(&weights, &biases, from)
}

fn normed(norm: &Norm, from: &[f64]) -> Vec<f64> {
    let count = from.len() as f64;
    let mean = from.iter().sum::<f64>() / count;
    let variance = from.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let learned = norm.gains.iter().zip(&norm.biases);
    let one = |(value, (gain, bias)): (&f64, (&f32, &f32))| {
        (value - mean) / (variance + 1e-5).sqrt() * f64::from(*gain) + f64::from(*bias)
    };
    from.iter().zip(learned).map(one).collect()
}

fn softmax(values: &[f64]) -> Vec<f64> {
    let most = values.iter().copied().fold(f64::MIN, f64::max);
    let exps: Vec<f64> = values.iter().map(|value| (value - most).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter().map(|value| value / sum).collect()
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// The slow twin of a block: every place, one after the other.
fn slow_block(block: &Block, states: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let all: Vec<Vec<f64>> = states.iter().map(|state| normed(&block.attention_norm, state)).collect();
    let keys: Vec<Vec<f64>> = all.iter().map(|state| through(&block.key, state)).collect();
    let values: Vec<Vec<f64>> = all.iter().map(|state| through(&block.value, state)).collect();
    let size = states[0].len() / block.heads as usize;
    let one = |(state, own): (&Vec<f64>, &Vec<f64>)| {
        let query = through(&block.query, own);
        let mut mixed = Vec::new();
        for head in (0..query.len()).step_by(size) {
            let part = |values: &[f64]| values[head..head + size].to_vec();
            let dot = |key: &Vec<f64>| part(key).iter().zip(part(&query)).map(|(a, b)| a * b).sum::<f64>();
            let shares = softmax(&keys.iter().map(|key| dot(key) / (size as f64).sqrt()).collect::<Vec<_>>());
            let found = values.iter().zip(shares).map(|(value, share)| part(value).iter().map(|v| v * share).collect());
            mixed.extend(found.fold(vec![0.0; size], |total: Vec<f64>, next: Vec<f64>| sum(&total, &next)));
        }
        let state = sum(state, &through(&block.merge, &mixed));
        let wide: Vec<f64> = through(&block.widen, &normed(&block.feed_norm, &state));
        sum(&state, &through(&block.narrow, &wide.iter().map(|value| value.max(0.0)).collect::<Vec<_>>()))
    };
    states.iter().zip(&all).map(one).collect()
}

/// The slow twin of a transformer: probability of each key at a place.
fn slow_probabilities(weights: &TransformerWeights, tokens: &[u32], asked: usize) -> Vec<f64> {
    let width = weights.norm.gains.len();
    let vector = |values: &[f32], index: usize| -> Vec<f64> {
        values[index * width..][..width].iter().map(|value| f64::from(*value)).collect()
    };
    let state = |(place, token): (usize, &u32)| {
        let token = if place == asked { MASK } else { *token };
        sum(&vector(&weights.tokens, token as usize), &vector(&weights.places, place))
    };
    let states = tokens.iter().enumerate().map(state).collect();
    let states = weights.blocks.iter().fold(states, |states: Vec<Vec<f64>>, block| slow_block(block, &states));
    softmax(&through(&weights.output, &normed(&weights.norm, &states[asked])))
}

#[test]
fn an_autoencoder_scores_as_its_slow_twin() {
    let rows = normal(37, 1);
    let scaling = Scaling::fit(&rows);
    let (drawn, rng) = (Drawn { most: 0.7 }, &mut ChaCha8Rng::seed_from_u64(2));
    let layers = [(6, 9), (9, 3), (3, 9), (9, 6)].map(|(inputs, outputs)| drawn.dense(inputs, outputs, rng));
    let network = Autoencoder::new(scaling.clone(), layers[..2].to_vec(), layers[2..].to_vec()).unwrap();
    for (row, score) in rows.iter().zip(network.score(&rows).unwrap()) {
        let mut scaled = [0.0; 6];
        scaling.apply(row, &mut scaled);
        let inputs: Vec<f64> = scaled.iter().map(|x| if x.is_nan() { 0.0 } else { f64::from(*x) }).collect();
        let above = |values: Vec<f64>| values.into_iter().map(|value| value.max(0.0)).collect::<Vec<_>>();
        let waist = through(&layers[1], &above(through(&layers[0], &inputs)));
        let repeated = through(&layers[3], &above(through(&layers[2], &waist)));
        let present: Vec<usize> = (0..6).filter(|column| !row[*column].is_nan()).collect();
        let squares = present.iter().map(|column| (inputs[*column] - repeated[*column]).powi(2).min(100.0));
        let expected = squares.sum::<f64>() / present.len() as f64;
        assert!((score - expected).abs() < 1e-4, "{score} for {expected}");
        let mut credit = [0.0; 6];
        network.attribute(row, &mut credit);
        assert!((credit.iter().sum::<f64>() - score).abs() < 1e-5);
        assert!((0..6).all(|column| !row[column].is_nan() || credit[column] == 0.0));
    }
}

#[test]
fn a_transformer_scores_as_its_slow_twin_and_its_credits_sum_to_the_score() {
    let rows = sequences(21, 5, 9, 1);
    let vocabulary = Vocabulary::fit("learn", &rows, 7).unwrap();
    for (masked_key, by_rank) in [(false, false), (false, true), (true, false), (true, true)] {
        let options = TransformerOptions { masked_key, by_rank, ..SMALL };
        let weights = Drawn { most: 0.6 }.weights(&vocabulary, 5, &options, 2);
        let network = Transformer::new(vocabulary.clone(), &options, weights.clone()).unwrap();
        for (row, score) in rows.iter().zip(network.score(&rows).unwrap()) {
            let tokens: Vec<u32> = row.iter().map(|key| vocabulary.token(*key)).collect();
            let judged = if masked_key { 0..5 } else { 0..1 };
            let (mut total, mut count) = (0.0, 0.0);
            for place in judged.filter(|place| tokens[*place] >= UNKNOWN) {
                let probabilities = slow_probabilities(&weights, &tokens, place);
                let own = probabilities[(tokens[place] - UNKNOWN) as usize];
                let above = probabilities.iter().filter(|other| **other > own).count() as f64;
                total += if by_rank { above + 1.0 - own } else { -own.ln() };
                count += 1.0;
            }
            let expected = total / f64::max(count, 1.0);
            assert!((score - expected).abs() < 1e-4, "{score} for {expected}");
            let mut credit = [0.0; 5];
            network.attribute(row, &mut credit);
            assert!((credit.iter().sum::<f64>() - score).abs() < 1e-5, "{credit:?} for {score}");
        }
    }
}

#[test]
fn a_row_scores_the_same_bits_in_any_batch() {
    let drawn = Drawn { most: 0.5 };
    let (numbers, keys) = (normal(50, 3), sequences(50, 6, 20, 3));
    let autoencoder = drawn.autoencoder(&numbers, &AutoencoderOptions::DEFAULT, 1).unwrap();
    let transformer = drawn.transformer(&keys, &SMALL, 1).unwrap();
    let (all_numbers, all_keys) = (autoencoder.score(&numbers).unwrap(), transformer.score(&keys).unwrap());
    for size in [1, 3, 4, 5, 15, 16, 17, 33] {
        for start in (0..50).step_by(size) {
            let rows: Vec<usize> = (start..50.min(start + size)).collect();
            assert_eq!(autoencoder.score(&numbers.take(&rows)).unwrap(), all_numbers[start..start + rows.len()]);
            assert_eq!(transformer.score(&keys.take(&rows)).unwrap(), all_keys[start..start + rows.len()]);
        }
    }
    assert!(autoencoder.score(&numbers.take(&[])).unwrap().is_empty());
    assert!(transformer.score(&keys.take(&[])).unwrap().is_empty());
}

#[test]
fn what_is_missing_or_infinite_or_beyond_all_bounds_scores_a_number() {
    let (numbers, keys) = (normal(50, 4), sequences(50, 4, 5, 4));
    for most in [0.5, 1e20, f32::MAX / 4.0] {
        let drawn = Drawn { most };
        let autoencoder = drawn.autoencoder(&numbers, &AutoencoderOptions::DEFAULT, 1).unwrap();
        let transformer = drawn.transformer(&keys, &SMALL, 1).unwrap();
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0.5] {
            let score = autoencoder.score(&Matrix::from_values(6, vec![value; 6]).unwrap()).unwrap()[0];
            assert!((0.0..=100.0).contains(&score) && (score == 0.0) == value.is_nan(), "{score} for {value}");
            let score = transformer.score(&Matrix::from_values(4, vec![value; 4]).unwrap()).unwrap()[0];
            assert!((0.0..=100.0).contains(&score) && (!value.is_nan() || score == 0.0), "{score} for {value}");
            let mut credit = [0.0; 6];
            autoencoder.attribute(&[value; 6], &mut credit);
            transformer.attribute(&[value; 4], &mut credit[..4]);
            assert!(credit.iter().all(|credit| credit.is_finite()));
        }
    }
    let narrow = normal(1, 1).select(&[0]);
    let network = Drawn { most: 0.5 }.autoencoder(&numbers, &AutoencoderOptions::DEFAULT, 1).unwrap();
    let act = "score autoencoder";
    assert_eq!(network.score(&narrow), Err(DetectError::WidthMismatch { act, expected: 6, found: 1 }));
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let (drawn, rng) = (Drawn { most: 1.0 }, &mut ChaCha8Rng::seed_from_u64(1));
    let scaling = Scaling::fit(&normal(20, 1));
    let mut layer = |inputs, outputs| vec![drawn.dense(inputs, outputs, rng)];
    let refused = |encoder, decoder| Autoencoder::new(scaling.clone(), encoder, decoder).unwrap_err().to_string();
    assert!(refused(layer(6, 3), layer(2, 6)).contains("reads 2 values, the one before gives 3"));
    assert!(refused(layer(6, 3), layer(3, 5)).contains("6 columns gives 5"));
    assert!(refused(layer(6, 6), vec![]).contains("0 layers"));

    let vocabulary = Vocabulary::fit("learn", &sequences(9, 4, 5, 1), VOCABULARY_MAX).unwrap();
    let weights = drawn.weights(&vocabulary, 4, &SMALL, 1);
    let refused = |change: &dyn Fn(&mut TransformerWeights)| {
        let mut weights = weights.clone();
        change(&mut weights);
        Transformer::new(vocabulary.clone(), &SMALL, weights).unwrap_err().to_string()
    };
    assert!(refused(&|w| w.tokens.truncate(3)).contains("vectors of 8 tokens"));
    assert!(refused(&|w| w.places.clear()).contains("0 values"));
    assert!(refused(&|w| w.places[0] = f32::NAN).contains("not finite"));
    assert!(refused(&|w| w.blocks.clear()).contains("0 blocks"));
    assert!(refused(&|w| w.blocks[0].heads = 0).contains("0 heads"));
    assert!(refused(&|w| w.blocks[0].heads = 3).contains("3 heads"));
    assert!(refused(&|w| w.norm.gains.truncate(3)).contains("3 gains"));
    assert!(refused(&|w| w.blocks[1].key = w.blocks[1].widen.clone()).contains("16 inputs and 32 outputs"));
    assert!(refused(&|w| w.output = w.blocks[0].key.clone()).contains("an answer of 16 keys, not 6"));
    let tokens = FIRST_KEY as usize + 5;
    assert_eq!(vocabulary.tokens(), tokens);
}

#[test]
fn networks_are_members_of_an_ensemble_and_survive_its_artefact() {
    let (mut refused, mut accepted) = (0, 0);
    let rows = normal(60, 1);
    let methods = [
        ("narrow", Method::Autoencoder(AutoencoderOptions { hidden: 3, ..AutoencoderOptions::DEFAULT })),
        ("keys", Method::Transformer(TransformerOptions { heads: 1, layers: 1, ..SMALL })),
    ];
    let keys = sequences(60, 3, 4, 1);
    for (name, method) in methods {
        let (columns, rows) = match name {
            "keys" => (ModelColumns::numeric(&["now", "before_1", "before_2"]).unwrap(), &keys),
            _ => (columns(), &rows),
        };
        let set = TrainingSet { outside: &Drawn { most: 0.5 }, ..TrainingSet::unlabelled(rows) };
        let ensemble = Ensemble::fit(columns, &set, &[member(name, method)], 0.05, 1).unwrap();
        let bytes = ensemble.to_bytes().unwrap();
        assert_eq!(Ensemble::from_bytes(&bytes).unwrap(), ensemble);
        // Every third: weights take most of the bytes, and one is like another.
        for place in (crate::artefact::HEADER_BYTES..bytes.len()).step_by(3) {
            let mut payload = bytes[crate::artefact::HEADER_BYTES..].to_vec();
            payload[place - crate::artefact::HEADER_BYTES] ^= 0x80;
            match Ensemble::from_bytes(&crate::artefact::sealed(&bytes, &payload)) {
                Err(DetectError::Artefact(_)) => refused += 1,
                Err(other) => panic!("byte {place}: {other}"),
                Ok(ensemble) => {
                    accepted += 1;
                    let scores = ensemble.score(&rows.take(&[0, 1])).unwrap();
                    assert!(scores.tail.iter().all(|tail| *tail > 0.0 && *tail <= 1.0), "byte {place}");
                    ensemble.explain(rows.row(0)).unwrap();
                }
            }
        }
    }
    assert!(refused > 100 && accepted > 100, "{refused} refused, {accepted} accepted");
}

#[test]
fn rows_known_to_be_anomalies_are_not_learned_and_nothing_outside_is_said_so() {
    let rows =
        Matrix::from_rows(&(0..30).map(|row| [row as f32, if row < 20 { 1.0 } else { 9e9 }]).collect::<Vec<_>>());
    let rows = rows.unwrap();
    let labels: Vec<Label> = (0..30).map(|row| if row < 20 { Label::Unknown } else { Label::Anomaly }).collect();
    let options = AutoencoderOptions::DEFAULT;
    let set = TrainingSet { labels: &labels, ..TrainingSet::unlabelled(&rows) };
    let kept: Vec<usize> = (0..20).collect();
    assert_eq!(set.not_anomalous().as_ref(), &rows.take(&kept));
    for method in [Method::Autoencoder(options), Method::Transformer(SMALL)] {
        let columns = ModelColumns::numeric(&["a", "b"]).unwrap();
        let error = Ensemble::fit(columns, &set, &[member("network", method)], 0.05, 1).unwrap_err();
        assert!(matches!(&error, DetectError::Setting(text) if text.contains("no neural networks")), "{error}");
    }
}
