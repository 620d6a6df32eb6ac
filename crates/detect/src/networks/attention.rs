use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::dense::{Dense, check_finite, rectify};
use super::lanes::softmax;

/// Keeps the root of a variance away from 0.
pub(super) const VARIANCE_MIN: f32 = 1e-5;
/// Most heads of a layer.
const HEADS_MAX: usize = 16;

/// Brings the values of a place to mean 0 and deviation 1, then stretches and moves each.
/// Source: Ba, Kiros, Hinton 2016, eq. 4.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Norm {
    /// What each value is stretched by.
    pub gains: Vec<f32>,
    /// What is added to each.
    pub biases: Vec<f32>,
}

/// A layer of a transformer: each place takes from others what they have for it, then thinks it over alone.
/// Source: Vaswani et al. 2017, section 3, with norms before each half instead of after (Xiong et al. 2020).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Parts of a place that attend independently; divides the width.
    pub heads: u32,
    /// Before attention.
    pub attention_norm: Norm,
    /// What a place looks for.
    pub query: Dense,
    /// What a place is found by.
    pub key: Dense,
    /// What a place gives.
    pub value: Dense,
    /// Puts together what the heads have found.
    pub merge: Dense,
    /// Before the second half.
    pub feed_norm: Norm,
    /// Second half: more values, of which those below 0 become 0, …
    pub widen: Dense,
    /// … and back.
    pub narrow: Dense,
}

/// What a block is computed in. Shape: places × width, or width, or what the name says.
pub(super) struct BlockWork<const L: usize> {
    normed: Vec<[f32; L]>,
    keys: Vec<[f32; L]>,
    values: Vec<[f32; L]>,
    query: Vec<[f32; L]>,
    mixed: Vec<[f32; L]>,
    change: Vec<[f32; L]>,
    /// How much a place attends to each place.
    shares: Vec<[f32; L]>,
    /// Inner width.
    wide: Vec<[f32; L]>,
}

impl Norm {
    pub(super) fn check(&self, width: usize) -> Result<(), String> {
        if self.gains.len() != width || self.biases.len() != width {
            return Err(format!("a norm of {} gains and {} biases over {width}", self.gains.len(), self.biases.len()));
        }
        check_finite(&[&self.gains, &self.biases])
    }

    pub(super) fn apply<const L: usize>(&self, from: &[[f32; L]], to: &mut [[f32; L]]) {
        let width = from.len() as f32;
        let (mut mean, mut variance) = ([0.0; L], [0.0; L]);
        for value in from {
            for lane in 0..L {
                mean[lane] += value[lane];
            }
        }
        mean.iter_mut().for_each(|sum| *sum /= width);
        for value in from {
            for lane in 0..L {
                variance[lane] += (value[lane] - mean[lane]) * (value[lane] - mean[lane]);
            }
        }
        let scale = variance.map(|sum| 1.0 / (sum / width + VARIANCE_MIN).sqrt());
        let learned = self.gains.iter().zip(&self.biases);
        for ((to, from), (gain, bias)) in to.iter_mut().zip(from).zip(learned) {
            for lane in 0..L {
                to[lane] = (from[lane] - mean[lane]) * scale[lane] * gain + bias;
            }
        }
    }
}

impl Block {
    /// Refuses weights that could not be applied to places of `width` values; the text says what is wrong.
    pub(super) fn check(&self, width: usize) -> Result<(), String> {
        let heads = self.heads as usize;
        if !(1..=HEADS_MAX).contains(&heads) || !width.is_multiple_of(heads) {
            return Err(format!("{heads} heads do not share {width} values"));
        }
        self.attention_norm.check(width)?;
        self.feed_norm.check(width)?;
        let inner = self.widen.outputs();
        let square = [&self.query, &self.key, &self.value, &self.merge].map(|layer| (layer, width, width));
        for (layer, inputs, outputs) in
            square.into_iter().chain([(&self.widen, width, inner), (&self.narrow, inner, width)])
        {
            layer.check()?;
            if (layer.inputs(), layer.outputs()) != (inputs, outputs) {
                let (found, made) = (layer.inputs(), layer.outputs());
                return Err(format!("a layer of {found} inputs and {made} outputs, not of {inputs} and {outputs}"));
            }
        }
        Ok(())
    }

    pub(super) fn work<const L: usize>(&self, places: usize) -> BlockWork<L> {
        let width = self.query.inputs();
        let of = |size: usize| vec![[0.0; L]; size];
        BlockWork {
            normed: of(places * width),
            keys: of(places * width),
            values: of(places * width),
            query: of(width),
            mixed: of(width),
            change: of(width),
            shares: of(places),
            wide: of(self.widen.outputs()),
        }
    }

    /// Changes the places in `asked`; all places are looked at. Shape: `states` is places × width.
    pub(super) fn apply<const L: usize>(&self, states: &mut [[f32; L]], asked: Range<usize>, work: &mut BlockWork<L>) {
        let width = self.query.inputs();
        let places = states.chunks_exact(width).zip(work.normed.chunks_exact_mut(width));
        let found = work.keys.chunks_exact_mut(width).zip(work.values.chunks_exact_mut(width));
        for ((state, normed), (key, value)) in places.zip(found) {
            self.attention_norm.apply(state, normed);
            self.key.apply(normed, key);
            self.value.apply(normed, value);
        }
        for place in asked {
            let state = &mut states[place * width..][..width];
            self.attend(place, work);
            self.merge.apply(&work.mixed, &mut work.change);
            add(state, &work.change);
            self.feed_norm.apply(state, &mut work.mixed);
            self.widen.apply(&work.mixed, &mut work.wide);
            rectify(&mut work.wide);
            self.narrow.apply(&work.wide, &mut work.change);
            add(state, &work.change);
        }
    }

    /// Leaves in `mixed` what a place takes from all places.
    fn attend<const L: usize>(&self, place: usize, work: &mut BlockWork<L>) {
        let width = self.query.inputs();
        let size = width / self.heads as usize;
        let scale = 1.0 / (size as f32).sqrt();
        self.query.apply(&work.normed[place * width..][..width], &mut work.query);
        work.query.iter_mut().flatten().for_each(|value| *value *= scale);
        for start in (0..width).step_by(size) {
            let query = &work.query[start..][..size];
            for (share, key) in work.shares.iter_mut().zip(work.keys.chunks_exact(width)) {
                *share = [0.0; L];
                for (query, key) in query.iter().zip(&key[start..]) {
                    for lane in 0..L {
                        share[lane] += query[lane] * key[lane];
                    }
                }
            }
            softmax(&mut work.shares);
            let mixed = &mut work.mixed[start..][..size];
            mixed.fill([0.0; L]);
            for (share, value) in work.shares.iter().zip(work.values.chunks_exact(width)) {
                for (mixed, value) in mixed.iter_mut().zip(&value[start..]) {
                    for lane in 0..L {
                        mixed[lane] += share[lane] * value[lane];
                    }
                }
            }
        }
    }
}

fn add<const L: usize>(state: &mut [[f32; L]], change: &[[f32; L]]) {
    for (state, change) in state.iter_mut().zip(change) {
        for lane in 0..L {
            state[lane] += change[lane];
        }
    }
}
