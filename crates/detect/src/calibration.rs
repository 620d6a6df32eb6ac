//! Raw scores to probabilities.
//!
//! Every method has a scale of its own; what can be compared and fused is how rare a score is among normal rows. The
//! table holds, for rising scores, the *surprisal* −ln P(a normal row scores at least as high). Its knots are spaced
//! evenly in surprisal, so the bulk takes few and each of the highest training scores keeps its own.

use serde::{Deserialize, Serialize};

/// Most knots of a table; 2.7 % steps in probability down to one in a million.
pub const KNOTS_MAX: usize = 512;
/// No probability is smaller: beyond it, no finite sample says anything. Its surprisal bounds every surprisal.
pub const TAIL_MIN: f64 = 1e-12;
/// Surprisal of [`TAIL_MIN`].
const SURPRISAL_MAX: f64 = 27.631_021_115_928_547;
/// Share of the sample, from the top, from which the exponential tail is estimated.
const TAIL_SHARE: f64 = 0.01;
/// Fewest values from which it is estimated.
const TAIL_VALUES_MIN: usize = 10;

/// How rare each score is among normal rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Rising, no two equal.
    scores: Vec<f64>,
    /// Rising with the scores, no two equal.
    surprisals: Vec<f64>,
    /// Mean excess of the top of the sample: one more of it multiplies the tail probability by 1/e.
    scale: f64,
}

impl Calibration {
    /// Learns from scores of normal rows, in any order; NaN is left out. Without any score, everything is usual.
    pub fn fit(sample: &[f64]) -> Self {
        let mut sorted: Vec<f64> = sample.iter().copied().filter(|score| score.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        if sorted.is_empty() {
            return Self { scores: vec![0.0], surprisals: vec![0.0], scale: 1.0 };
        }
        let (scores, surprisals) = knots(&sorted);
        Self { scores, surprisals, scale: tail_scale(&sorted) }
    }

    /// Refuses a table that could not be looked up; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let rising = |values: &[f64]| values.is_sorted_by(|a, b| a < b) && values.iter().all(|value| value.is_finite());
        let (scores, surprisals) = (self.scores.len(), self.surprisals.len());
        if scores != surprisals || !(1..=KNOTS_MAX).contains(&scores) {
            return Err(format!("a calibration of {scores} scores and {surprisals} probabilities"));
        }
        if !rising(&self.scores) || !rising(&self.surprisals) {
            return Err("a calibration does not rise".to_owned());
        }
        let bounded = self.surprisals[0] >= 0.0 && self.surprisals[surprisals - 1] < SURPRISAL_MAX;
        match bounded && self.scale.is_finite() && self.scale > 0.0 {
            true => Ok(()),
            false => Err("a calibration leaves the range of probabilities".to_owned()),
        }
    }

    /// Returns −ln of the tail probability of a score. Rises with the score, strictly so above the least score of the
    /// sample. Range: 0..=−ln [`TAIL_MIN`]; NaN gives 0.
    ///
    /// Beyond the sample's largest score the tail is exponential at first, as extreme-value theory has it for most
    /// distributions; it bends towards the bound instead of meeting it, so that rows stay ranked.
    pub fn surprisal(&self, score: f64) -> f64 {
        let above = self.scores.partition_point(|knot| *knot <= score);
        let (last_score, last) = (self.scores[self.scores.len() - 1], self.surprisals[self.surprisals.len() - 1]);
        if above == 0 {
            return 0.0;
        }
        if above == self.scores.len() {
            let room = SURPRISAL_MAX - last;
            return last - room * (-(score - last_score) / (self.scale * room)).exp_m1();
        }
        let (low, high) = (self.scores[above - 1], self.scores[above]);
        let (least, most) = (self.surprisals[above - 1], self.surprisals[above]);
        least + (most - least) * ((score - low) / (high - low))
    }

    /// Returns the share of normal rows that score at least as high. Range: [`TAIL_MIN`]..=1.
    pub fn tail(&self, score: f64) -> f64 {
        tail_of(self.surprisal(score))
    }
}

/// Returns the probability whose surprisal is given.
fn tail_of(surprisal: f64) -> f64 {
    (-surprisal).exp().clamp(TAIL_MIN, 1.0)
}

/// Picks the k-th largest score for k in geometric steps from all of them to 1. A score met several times is counted
/// with all its repeats; k of n at least as high make a tail of k / (n + 1), the mean of what such a rank comes from.
fn knots(sorted: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let count = sorted.len();
    let step = ((count as f64).ln() / (KNOTS_MAX - 2) as f64).exp();
    let (mut scores, mut surprisals) = (Vec::new(), Vec::new());
    let mut rank = count;
    loop {
        let score = sorted[count - rank];
        if scores.last().is_none_or(|last| *last < score) {
            let at_least = count - sorted.partition_point(|other| *other < score);
            scores.push(score);
            surprisals.push(((count + 1) as f64 / at_least as f64).ln());
        }
        if rank == 1 {
            return (scores, surprisals);
        }
        rank = ((rank as f64 / step) as usize).clamp(1, rank - 1);
    }
}

/// Mean excess over the score that starts the top of the sample. Where all of the top is one value, over the median;
/// where the whole sample is one value, a thousandth of that: any higher score is then surprising.
fn tail_scale(sorted: &[f64]) -> f64 {
    let count = sorted.len();
    let top = ((count as f64 * TAIL_SHARE) as usize).max(TAIL_VALUES_MIN).min(count);
    let mean_excess = |from: usize| {
        let start = sorted[from];
        sorted[from..].iter().map(|score| (score - start) / (count - from) as f64).sum::<f64>()
    };
    let by_size = sorted[count - 1].abs().max(1.0) / 1000.0;
    let scales = [mean_excess(count - top), mean_excess(count / 2), by_size];
    scales.into_iter().find(|scale| scale.is_normal()).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Exponential values: P(x ≥ s) = e^−s, so surprisal and score should agree everywhere.
    fn exponential(count: usize, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| -(1.0 - rng.random::<f64>()).ln()).collect()
    }

    #[test]
    fn a_known_distribution_is_recovered_within_and_beyond_the_sample() {
        let calibration = Calibration::fit(&exponential(400_000, 1));
        for (score, tolerance) in [(0.1, 0.02), (1.0, 0.02), (4.0, 0.05), (9.0, 0.3), (14.0, 1.5)] {
            let seen = calibration.surprisal(score);
            assert!((seen - score).abs() < tolerance, "{score} came back as {seen}");
        }
        assert!(calibration.scores.len() > 300 && calibration.scores.len() <= KNOTS_MAX);
        assert_eq!(calibration.check(), Ok(()));
    }

    #[test]
    fn held_out_scores_have_uniform_tails() {
        let calibration = Calibration::fit(&exponential(20_000, 2));
        let held_out = exponential(20_000, 3);
        for share in [0.9, 0.5, 0.1, 0.01, 0.003] {
            let seen = held_out.iter().filter(|score| calibration.tail(**score) <= share).count() as f64 / 20_000.0;
            let tolerance = 4.0 * (2.0 * share * (1.0 - share) / 20_000.0_f64).sqrt();
            assert!((seen - share).abs() < tolerance, "{seen} of the rows have tails up to {share}");
        }
    }

    #[test]
    fn a_higher_score_is_never_more_usual_and_stays_ranked_beyond_the_sample() {
        let calibration = Calibration::fit(&exponential(1000, 4));
        let mut last = -1.0;
        for step in 0..3000 {
            let surprisal = calibration.surprisal(f64::from(step) * 0.05 + 0.05);
            assert!(surprisal > last && surprisal <= SURPRISAL_MAX, "step {step}: {surprisal} after {last}");
            last = surprisal;
        }
        assert!(calibration.tail(f64::INFINITY) >= TAIL_MIN);
        assert_eq!((calibration.tail(f64::NAN), calibration.tail(-1.0)), (1.0, 1.0));
    }

    #[test]
    fn repeated_scores_count_with_all_their_repeats() {
        let mut sample = vec![0.0; 90];
        sample.extend([1.0; 10]);
        let calibration = Calibration::fit(&sample);
        assert!((calibration.tail(1.0) - 10.0 / 101.0).abs() < 1e-12);
        assert!((calibration.tail(0.0) - 100.0 / 101.0).abs() < 1e-12);
        assert!(calibration.tail(2.0) < calibration.tail(1.0));
    }

    #[test]
    fn samples_without_spread_or_without_values_still_rank() {
        for sample in [vec![], vec![3.0], vec![3.0; 500], vec![f64::NAN, f64::INFINITY]] {
            let calibration = Calibration::fit(&sample);
            assert_eq!(calibration.check(), Ok(()));
            assert!(calibration.surprisal(3.5) > calibration.surprisal(3.1), "{sample:?}");
        }
    }
}
