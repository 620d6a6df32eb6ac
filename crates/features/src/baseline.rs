//! A baseline knows what is usual: a mean and a variance in which each value's weight falls to 1/e per `length`.
//!
//! **Prior.** Beside the baseline of each entity there is one of the whole partition over the same column. An entity
//! with a weight of n observations is judged by the mixture of both, its own share being n / (n + n₀). n₀ starts at
//! [`PRIOR_WEIGHT`] and fades to nothing at [`OWN_WEIGHT`], because entities may differ by orders of magnitude: there
//! even a thousandth of the partition's variance would hide everything an entity of a quiet kind does.
//!
//! **Peers.** If entities are grouped by a column, there is a third baseline between the two, of each group: the prior
//! of an entity is its group, and the prior of a group, by the same rule, is the partition.
//!
//! **Robust, and yet adapting.** A value further than k = [`WINSOR_Z`] standard deviations away moves the baseline
//! only as if it were at k. One such value moves the mean by k/W standard deviations (W: weight of the baseline) and
//! raises the variance by a factor of about 1 + k²/W, however wild it was. If they keep coming, those factors
//! multiply: after a share s of the baseline's weight has been renewed, the standard deviation has grown by about
//! e^(s·k²/2) and the limit with it, so a new level a thousand standard deviations away is reached after about half
//! of `length`, one a million away after about 0.8, and at last the variance decays to that of the new level. A burst
//! of 1 % of the weight raises the standard deviation by a fifth. So no state is needed to tell a burst from a shift: duration does.

use crate::accumulator::usable;
use crate::behind::{Behind, Level};
use crate::decay::decay;
use crate::input::Input;
use crate::spec::Learn;

/// Words of one baseline: weight, mean, variance, newest event time.
pub(crate) const BASELINE_WORDS: usize = 4;
/// The largest z-score, either way: beyond it "more unusual" says nothing more.
pub const Z_MAX: f64 = 50.0;
/// From this many standard deviations on a value moves the baseline no further.
const WINSOR_Z: f64 = 6.0;
/// Observations the partition's baseline is worth for an entity without any of its own.
pub(crate) const PRIOR_WEIGHT: f64 = 8.0;
/// Weight of own observations from which an entity stands alone.
pub(crate) const OWN_WEIGHT: f64 = 32.0;
/// Weight of observations in the partition below which nothing is known: a variance of fewer is mostly chance.
pub(crate) const KNOWN_WEIGHT: f64 = 5.0;
/// A standard deviation is taken to be at least this part of the level: just above the rounding of single-precision
/// values, which would otherwise look like wild deviations from a constant.
pub(crate) const DEVIATION_RELATIVE_MIN: f64 = 1e-6;

/// Returns how many standard deviations a value lies from the mean. Range: −50..=50.
#[inline]
pub(crate) fn standardise(value: f64, mean: f64, variance: f64) -> f64 {
    standardise_by(value, mean, variance.sqrt())
}

/// Returns how many times `scale` a value lies from the middle. Range: −50..=50.
#[inline]
pub(crate) fn standardise_by(value: f64, middle: f64, scale: f64) -> f64 {
    let scale = scale.max(DEVIATION_RELATIVE_MIN * value.abs().max(middle.abs()));
    if scale == 0.0 { 0.0 } else { ((value - middle) / scale).clamp(-Z_MAX, Z_MAX) }
}

/// What is usual: mean and variance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usual {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
}

impl Usual {
    /// The value, drawn to the limit if it lies beyond. The value's own size must not widen the limit, or the wildest
    /// would move the baseline most; only after nothing but zeros there is no other scale to go by.
    #[inline]
    pub(crate) fn winsorised(self, value: f64) -> f64 {
        let known = self.variance.sqrt().max(DEVIATION_RELATIVE_MIN * self.mean.abs());
        let deviation = if known == 0.0 { DEVIATION_RELATIVE_MIN * value.abs() } else { known };
        let reach = WINSOR_Z * deviation;
        value.max(self.mean - reach).min(self.mean + reach)
    }
}

/// A decaying mean and variance at the moment of one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decaying {
    /// Weight of all observations at `time`.
    pub(crate) weight: f64,
    pub(crate) mean: f64,
    pub(crate) variance: f64,
    /// Newest event time. Units: microseconds.
    pub(crate) time: f64,
    /// Weight of the observation at hand: 1, or less if it is older than `time`.
    pub(crate) own: f64,
}

impl Decaying {
    /// Reads the words and lets time pass up to `time`.
    #[inline]
    pub(crate) fn load(words: &[f64], time: f64, length: f64) -> Self {
        let loaded = Self { weight: words[0], mean: words[1], variance: words[2], time: words[3], own: 1.0 };
        if loaded.weight == 0.0 {
            return Self { time, ..loaded };
        }
        if time < loaded.time {
            return Self { own: decay((loaded.time - time) / length), ..loaded };
        }
        Self { weight: loaded.weight * decay((time - loaded.time) / length), time, ..loaded }
    }

    /// Takes the value and writes the words.
    /// Source: West 1979, "Updating mean and variance estimates", with the weights decayed before.
    #[inline]
    pub(crate) fn take(self, value: f64, words: &mut [f64]) {
        let weight = self.weight + self.own;
        let (share, distance) = (self.own / weight, value - self.mean);
        words[0] = weight;
        words[1] = self.mean + distance * share;
        words[2] = (self.weight / weight) * (self.variance + distance * distance * share);
        words[3] = self.time;
    }

    /// What it says by itself, for people to look at; `None` if it knows nothing.
    pub(crate) fn level(self) -> Option<Level> {
        let level = Level { mean: self.mean, spread: self.variance.max(0.0).sqrt(), weight: self.weight };
        (self.weight > 0.0).then_some(level)
    }

    /// What stands behind a judgement by these observations, given those of the partition; `None` where peers stand
    /// between that are not known.
    pub(crate) fn behind(self, all: Option<Self>) -> Behind {
        // Before the partition knows anything nothing is judged.
        let known = all.is_none_or(|all| all.weight >= KNOWN_WEIGHT);
        Behind {
            samples: Some(self.weight),
            alone: Some(OWN_WEIGHT),
            usual: self.level(),
            usual_of_all: all.and_then(Self::level),
            own_share: known.then(|| self.own_share()),
            ..Behind::default()
        }
    }

    pub(crate) fn usual(self) -> Usual {
        Usual { mean: self.mean, variance: self.variance }
    }

    /// The part of these observations in what is usual, that of the prior being the rest.
    #[inline]
    pub(crate) fn own_share(self) -> f64 {
        if self.weight >= OWN_WEIGHT {
            return 1.0;
        }
        let fading = 1.0 - self.weight / OWN_WEIGHT;
        self.weight / (self.weight + PRIOR_WEIGHT * fading * fading)
    }

    /// What is usual for this entity, given the partition as prior.
    #[inline]
    pub(crate) fn with_prior(self, prior: Usual) -> Usual {
        if self.weight >= OWN_WEIGHT {
            return self.usual();
        }
        let own = self.own_share();
        let apart = self.mean - prior.mean;
        Usual {
            mean: own * self.mean + (1.0 - own) * prior.mean,
            // The variance of a mixture: within both, and between their means.
            variance: own * self.variance + (1.0 - own) * prior.variance + own * (1.0 - own) * apart * apart,
        }
    }
}

/// The baselines of one column with one length: of each entity, of its peers if they are asked for, and of the
/// partition.
#[derive(Clone, Debug)]
pub(crate) struct Baseline {
    pub(crate) input: Input,
    pub(crate) length_micros: i64,
    /// Which of the peers' columns.
    pub(crate) peers: Option<usize>,
    /// What a value may do to it.
    pub(crate) learn: Learn,
    /// Indices of the features that show its z-score.
    pub(crate) outputs: Vec<usize>,
}

impl Baseline {
    /// Whether both keep the same words.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (self.input, self.length_micros, self.peers, self.learn)
            == (other.input, other.length_micros, other.peers, other.learn)
    }

    /// What stands behind it. `entity` and `shared` begin with its words.
    pub(crate) fn behind(&self, entity: &[f64], shared: Option<&[f64]>, now: i64) -> Behind {
        let load = |words: &[f64]| Decaying::load(words, now as f64, self.length_micros as f64);
        let newest = (entity[0] > 0.0).then_some(entity[3]);
        Behind { newest, ..load(entity).behind(shared.map(load)) }
    }

    /// Judges the event's value by the past, then takes it in. A null value changes nothing.
    #[inline]
    pub(crate) fn fold(
        &self,
        entity: &mut [f64],
        group: Option<&mut [f64]>,
        shared: &mut [f64],
        time: i64,
        inputs: &[f64],
        out: &mut [f64],
    ) {
        let value = self.input.read(inputs);
        let time = time as f64;
        let z = match () {
            () if !usable(value) => f64::NAN,
            () if self.learn == Learn::Off => self.judge(entity, group, shared, time, value),
            () => self.judge_and_take(entity, group, shared, time, value),
        };
        for output in &self.outputs {
            out[*output] = z;
        }
    }

    /// Judges a value and learns nothing from it.
    fn judge(&self, entity: &[f64], group: Option<&mut [f64]>, shared: &[f64], time: f64, value: f64) -> f64 {
        let copy = |words: &[f64]| -> [f64; BASELINE_WORDS] { *words.first_chunk().expect("a baseline has its words") };
        let mut group = group.map(|words| copy(words));
        let (mut entity, mut shared) = (copy(entity), copy(shared));
        self.judge_and_take(&mut entity, group.as_mut().map(|words| &mut words[..]), &mut shared, time, value)
    }

    #[inline]
    pub(crate) fn judge_and_take(
        &self,
        entity: &mut [f64],
        group: Option<&mut [f64]>,
        shared: &mut [f64],
        time: f64,
        value: f64,
    ) -> f64 {
        let length = self.length_micros as f64;
        let all = Decaying::load(shared, time, length);
        let known = all.weight >= KNOWN_WEIGHT;
        let taken = |usual: Usual| if known && self.learn != Learn::All { usual.winsorised(value) } else { value };
        let mut prior = all.usual();
        all.take(taken(prior), shared);
        if let Some(group) = group {
            let peers = Decaying::load(group, time, length);
            prior = peers.with_prior(prior);
            peers.take(taken(prior), group);
        }
        let own = Decaying::load(entity, time, length);
        let usual = own.with_prior(prior);
        own.take(taken(usual), entity);
        if known { standardise(value, usual.mean, usual.variance) } else { 0.0 }
    }
}
