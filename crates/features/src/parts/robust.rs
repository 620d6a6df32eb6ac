//! A baseline that outliers do not move: median and MAD (median absolute deviation from the median), tracked by steps.
//!
//! **Steps.** A value above the median m moves it up, one below moves it down, by the same step whatever the distance:
//! at rest half of the values are on either side. The spread s does likewise with |value − m|. A step is c·s/W (W:
//! decaying weight of all values, so 1/n until the time constant is filled), with a c one and a half
//! times what is best for normal values, which is half of one over the density at the median, and at the MAD: values
//! that are spread more thinly there would be followed too slowly, and normal ones lose little (an eighth of precision).
//! So a value moves m by at most 2.79·s/W, however wild.
//! Source: Robbins, Monro 1951; as quantile tracking Tierney 1983, "A space-efficient recursive procedure for
//! estimating a quantile of an unknown distribution".
//!
//! **A level that shifts.** Steps that know only a sign would need many time constants to get from one scale to
//! another. So a value further than [`FAR`] spreads away (6.7 standard deviations, where normal values never are) moves
//! the spread sixfold. A burst of 1 % of the weight widens it by a tenth; a level a thousand standard deviations away
//! is within reach after half of the time constant, one a million away after about 1.1. Price: with
//! heavy tails (log-normal with σ = 1: 3 % are far) the spread is some 20 % above the MAD. Where more than half of the
//! values are equal, the MAD proper would be 0 and all else infinitely far; here it stays about a tenth of the others'
//! distance.
//!
//! **The start.** The first [`START`] values are kept as they are; their median and MAD are the first estimates, which
//! up to three wild ones among them do not move far. Until then the peers' baseline (the group words, fed by all of
//! the group) stands in; from then on a mixture whose part of the peers fades to nothing at a weight of 32. Without
//! peers, the values kept are used from the fifth on.
//!
//! ```text
//! entity, group alike   weight | median | MAD | newest event time | how many are kept | 8 values
//! ```
//! Null values change nothing. An event older than the newest takes a step as small as its weight by now.

use crate::accumulator::usable;
use crate::baseline::{DEVIATION_RELATIVE_MIN, KNOWN_WEIGHT, OWN_WEIGHT, PRIOR_WEIGHT, standardise_by};
use crate::behind::{Behind, Level};
use crate::decay::decay;

/// Standard deviations per MAD of normal values: 1 / Φ⁻¹(3/4).
const DEVIATIONS_PER_MAD: f64 = 1.4826;
/// 1.5 × 0.5 / (f(m)·MAD) with f(m) the normal density at the median.
const MEDIAN_STEP: f64 = 1.5 * 1.858;
/// 1.5 × 0.5 / (g·MAD) with g the density of |value − m| at the MAD.
const MAD_STEP: f64 = 1.5 * 1.166;
/// Spreads from which on a value is far.
const FAR: f64 = 10.0;
/// How much more a far value moves the spread.
const FAR_GAIN: f64 = 6.0;
/// Values kept as they are at the start.
const START: usize = 8;
const HEAD: usize = 5;
const WORDS: usize = HEAD + START;

/// (value − median) / (1.4826·MAD) of a column. Range: −50..=50; 0 until something is known.
#[derive(Clone, Debug)]
pub(crate) struct RobustBaseline {
    pub(crate) input: usize,
    /// Time constant.
    pub(crate) length_micros: i64,
    /// Whether there are group words.
    pub(crate) peers: bool,
    pub(crate) outputs: Vec<usize>,
}

/// What is usual.
#[derive(Clone, Copy, Debug)]
struct Usual {
    median: f64,
    mad: f64,
}

impl RobustBaseline {
    pub(crate) fn entity_words(&self) -> usize {
        WORDS
    }

    pub(crate) fn group_words(&self) -> usize {
        if self.peers { WORDS } else { 0 }
    }

    pub(crate) fn clear(&self, own: &mut [f64], group: &mut [f64]) {
        own[..WORDS].fill(0.0);
        group[..self.group_words()].fill(0.0);
    }

    /// Judges the event's value by the past, then takes it in.
    #[inline]
    pub(crate) fn fold(&self, own: &mut [f64], group: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let value = inputs[self.input];
        let z = if usable(value) { self.judge_and_take(own, group, time as f64, value) } else { f64::NAN };
        for output in &self.outputs {
            out[*output] = z;
        }
    }

    /// What stands behind it, given the words of all where they are known.
    pub(crate) fn behind(&self, own: &[f64], group: Option<&[f64]>, now: i64) -> Behind {
        let load = |words: &[f64]| Tracker::load(words, now as f64, self.length_micros as f64);
        let (own_now, all) = (load(own), group.map(load));
        let known = all.as_ref().is_none_or(|all| all.usual().is_some());
        Behind {
            samples: Some(own_now.weight),
            usual: own_now.level(),
            usual_of_all: all.as_ref().and_then(Tracker::level),
            own_share: known.then(|| own_now.own_share()),
            newest: (own[4] > 0.0).then_some(own[3]),
            alone: Some(OWN_WEIGHT),
            ..Behind::default()
        }
    }

    fn judge_and_take(&self, own: &mut [f64], group: &mut [f64], time: f64, value: f64) -> f64 {
        let length = self.length_micros as f64;
        let mut tracker = Tracker::load(own, time, length);
        let mut peers = None;
        if self.peers {
            let mut tracker = Tracker::load(group, time, length);
            peers = tracker.usual();
            tracker.take(value, group);
        }
        let usual = tracker.with_prior(peers);
        tracker.take(value, own);
        usual.map_or(0.0, |usual| standardise_by(value, usual.median, DEVIATIONS_PER_MAD * usual.mad))
    }
}

/// The words at the moment of one event.
#[derive(Clone, Copy, Debug)]
struct Tracker {
    weight: f64,
    usual: Usual,
    time: f64,
    kept: usize,
    /// Weight of the event at hand.
    own: f64,
}

impl Tracker {
    /// Reads the words and lets time pass up to `time`.
    fn load(words: &[f64], time: f64, length: f64) -> Self {
        let newest = if words[4] == 0.0 { time } else { words[3] };
        Self {
            weight: words[0] * decay((time - newest) / length),
            usual: Usual { median: words[1], mad: words[2] },
            time: newest.max(time),
            kept: words[4] as usize,
            own: decay((newest - time) / length),
        }
    }

    /// What is usual by these words alone, if they know enough.
    fn usual(&self) -> Option<Usual> {
        (self.kept as f64 >= KNOWN_WEIGHT).then_some(self.usual)
    }

    /// What it says by itself, for people to look at.
    fn level(&self) -> Option<Level> {
        let Usual { median, mad } = self.usual;
        (self.kept > 0).then_some(Level { mean: median, spread: DEVIATIONS_PER_MAD * mad, weight: self.weight })
    }

    /// The part of these values in what is usual, that of the peers being the rest.
    fn own_share(&self) -> f64 {
        if self.kept < START {
            return 0.0;
        }
        if self.weight >= OWN_WEIGHT {
            return 1.0;
        }
        let fading = 1.0 - self.weight / OWN_WEIGHT;
        self.weight / (self.weight + PRIOR_WEIGHT * fading * fading)
    }

    /// What is usual for this entity, given its peers.
    fn with_prior(&self, prior: Option<Usual>) -> Option<Usual> {
        let Some(prior) = prior else { return self.usual() };
        if self.kept < START {
            return Some(prior);
        }
        if self.weight >= OWN_WEIGHT {
            return Some(self.usual);
        }
        let own = self.own_share();
        let apart = (self.usual.median - prior.median) / DEVIATIONS_PER_MAD;
        let within = own * self.usual.mad * self.usual.mad + (1.0 - own) * prior.mad * prior.mad;
        Some(Usual {
            median: own * self.usual.median + (1.0 - own) * prior.median,
            // As standard deviations mix: within both, and between their middles.
            mad: (within + own * (1.0 - own) * apart * apart).sqrt(),
        })
    }

    /// Takes the value and writes the words.
    fn take(&mut self, value: f64, words: &mut [f64]) {
        self.weight += self.own;
        if self.kept < START {
            words[HEAD + self.kept] = value;
            self.kept += 1;
            self.usual = exact(&words[HEAD..HEAD + self.kept]);
        } else {
            // After a long silence the weight is small, but a step is never larger than the first one was.
            self.usual = self.usual.stepped(value, self.own / self.weight.max(START as f64));
        }
        let Usual { median, mad } = self.usual;
        words[..HEAD].copy_from_slice(&[self.weight, median, mad, self.time, self.kept as f64]);
    }
}

impl Usual {
    /// Both moved by a step towards the value. Range: `step` in 0..=1/8.
    fn stepped(self, value: f64, step: f64) -> Self {
        // Out of a constant a spread grows from the rounding of single-precision values; only after nothing but zeros
        // there is no other scale to go by than the value itself.
        let floor = DEVIATION_RELATIVE_MIN * if self.median == 0.0 { value.abs() } else { self.median.abs() };
        let apart = value - self.median;
        let distance = apart.abs();
        let scale = if distance > self.mad { self.mad.max(floor) } else { self.mad };
        let gain = if distance > FAR * scale { FAR_GAIN } else { 1.0 };
        // Up and down by the same factor: so it stays above zero and at rest has as many values on either side.
        let factor = 1.0 + MAD_STEP * gain * step;
        let mad = if distance > scale {
            scale * factor
        } else if distance < scale {
            scale / factor
        } else {
            scale
        };
        // No further than to the value.
        let reach = (MEDIAN_STEP * scale * step).min(distance);
        Self { median: self.median + if apart < 0.0 { -reach } else { reach }, mad }
    }
}

/// Median and MAD of a few values.
fn exact(values: &[f64]) -> Usual {
    let mut sorted = [0.0; START];
    let sorted = &mut sorted[..values.len()];
    sorted.copy_from_slice(values);
    let median = middle(sorted);
    sorted.iter_mut().for_each(|value| *value = (*value - median).abs());
    Usual { median, mad: middle(sorted) }
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { values[half - 1] / 2.0 + values[half] / 2.0 }
}

#[cfg(test)]
#[path = "robust_tests.rs"]
mod tests;
