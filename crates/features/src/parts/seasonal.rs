//! What is usual at this hour: a baseline for each of the 24 hours of the day, or the 168 of the week, in UTC.
//!
//! **Who judges.** The bucket of the hour knows a decaying mean and variance of its own. With a weight of n values it
//! is mixed with the entity's overall baseline, which in the same way is mixed with that of the group or the partition:
//! the rule is that of [`baseline`](crate::baseline), as is how outliers are drawn in (winsorised) before anything
//! takes them. A bucket with a weight of 32 stands alone. Nothing is unusual (0) until the group knows something.
//!
//! **Words.** Weights grow instead of decaying, e^((time − landmark) / constant), as in [`rarity`](super::rarity);
//! so a bucket needs no time of its own, and fits into two words without its mean losing digits. Weight and standard
//! deviation are single-precision.
//!
//! ```text
//! entity  overall baseline: 4 words | landmark | for each hour: mean | (standard deviation, weight)
//! group   overall baseline: 4 words
//! ```
//! Hour 0 of the week is Thursday 00:00 UTC, as the epoch's. Null values change nothing. An older event goes to the
//! bucket of its own hour, with the weight that it would have by now.

use super::packing::{pack, unpack};
use super::rarity::LANDMARK_AGE_MAX;
use crate::accumulator::usable;
use crate::baseline::{BASELINE_WORDS, Decaying, KNOWN_WEIGHT, Usual, standardise};
use crate::behind::Behind;
use crate::decay::decay;
use crate::spec::Season;
use lapwing_vocabulary::time::HOUR;

/// How many standard deviations a column's value lies from what is usual at this hour. Range: −50..=50.
#[derive(Clone, Debug)]
pub(crate) struct Seasonal {
    pub(crate) input: usize,
    /// Time constant; of use are several seasons.
    pub(crate) length_micros: i64,
    pub(crate) season: Season,
    /// Whether outliers are drawn in before anything takes them.
    pub(crate) winsorise: bool,
    pub(crate) outputs: Vec<usize>,
}

/// Hours until it comes round again.
fn hours(season: Season) -> usize {
    match season {
        Season::Day => 24,
        Season::Week => 168,
    }
}

const HEAD: usize = BASELINE_WORDS + 1;
const BUCKET_WORDS: usize = 2;

impl Seasonal {
    pub(crate) fn entity_words(&self) -> usize {
        HEAD + BUCKET_WORDS * hours(self.season)
    }

    pub(crate) fn group_words(&self) -> usize {
        BASELINE_WORDS
    }

    pub(crate) fn clear(&self, own: &mut [f64], group: &mut [f64]) {
        own[..self.entity_words()].fill(0.0);
        group[..BASELINE_WORDS].fill(0.0);
    }

    /// Judges the event's value by the past, then takes it in.
    #[inline]
    pub(crate) fn fold(&self, own: &mut [f64], group: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let value = inputs[self.input];
        let z = if usable(value) { self.judge_and_take(own, group, time, value) } else { f64::NAN };
        for output in &self.outputs {
            out[*output] = z;
        }
    }

    /// What stands behind it at this hour, given the words of all where they are known. The weight, mean and spread are
    /// those of the hour; what an entity has too little of there comes from its overall baseline and then from all.
    pub(crate) fn behind(&self, own: &[f64], group: Option<&[f64]>, now: i64) -> Behind {
        let load_at = |words: &[f64]| Decaying::load(words, now as f64, self.length_micros as f64);
        let mut words = own.to_vec();
        let overall = load_at(&words);
        let decayed = self.landmark_to(&mut words, overall);
        let bucket = load(&words[self.bucket_at(now)..], overall, decayed);
        let newest = (own[0] > 0.0).then_some(own[3]);
        Behind { newest, ..bucket.behind(group.map(load_at)) }
    }

    /// Where the words of an hour begin.
    fn bucket_at(&self, time: i64) -> usize {
        let hour = time.div_euclid(HOUR).rem_euclid(hours(self.season) as i64) as usize;
        HEAD + BUCKET_WORDS * hour
    }

    pub(super) fn judge_and_take(&self, own: &mut [f64], group: &mut [f64], time: i64, value: f64) -> f64 {
        let length = self.length_micros as f64;
        let all = Decaying::load(group, time as f64, length);
        let overall = Decaying::load(own, time as f64, length);
        let now = self.landmark_to(own, overall);
        let at = self.bucket_at(time);
        let bucket = load(&own[at..], overall, now);
        if all.weight < KNOWN_WEIGHT {
            all.take(value, group);
            overall.take(value, own);
            take(bucket, value, now, &mut own[at..]);
            return 0.0;
        }
        let usual_overall = overall.with_prior(all.usual());
        let usual = bucket.with_prior(usual_overall);
        let taken = |usual: Usual| if self.winsorise { usual.winsorised(value) } else { value };
        all.take(taken(all.usual()), group);
        overall.take(taken(usual_overall), own);
        take(bucket, taken(usual), now, &mut own[at..]);
        standardise(value, usual.mean, usual.variance)
    }

    /// Returns e^−((newest time − landmark) / constant), after moving the landmark if it is too long ago.
    fn landmark_to(&self, own: &mut [f64], overall: Decaying) -> f64 {
        let landmark = &mut own[BASELINE_WORDS];
        if overall.weight == 0.0 {
            *landmark = overall.time;
        }
        let age = (overall.time - *landmark) / self.length_micros as f64;
        if age <= LANDMARK_AGE_MAX {
            return decay(age);
        }
        *landmark = overall.time;
        for bucket in own[HEAD..self.entity_words()].chunks_exact_mut(BUCKET_WORDS) {
            let (deviation, weight) = unpack(bucket[1]);
            bucket[1] = pack(deviation, weight * decay(age));
        }
        1.0
    }
}

/// A bucket at the moment of the event.
fn load(words: &[f64], overall: Decaying, now: f64) -> Decaying {
    let (deviation, weight) = unpack(words[1]);
    Decaying { weight: weight * now, mean: words[0], variance: deviation * deviation, ..overall }
}

/// Takes the value and writes the bucket's words.
fn take(bucket: Decaying, value: f64, now: f64, words: &mut [f64]) {
    let mut taken = [0.0; BASELINE_WORDS];
    // A bucket that is forgotten, or as good as, has no mean to start from.
    let bucket = if bucket.weight == 0.0 { Decaying { mean: value, variance: 0.0, ..bucket } } else { bucket };
    if bucket.weight + bucket.own == 0.0 {
        return;
    }
    bucket.take(value, &mut taken);
    let [weight, mean, variance, _] = taken;
    words[0] = mean;
    words[1] = pack(variance.sqrt(), weight / now);
}

#[cfg(test)]
#[path = "seasonal_tests.rs"]
mod tests;
