//! Raw scores to probabilities.
//!
//! Every method has a scale of its own; what can be compared and fused is how rare a score is among normal rows. The
//! table holds, for rising scores, the *surprisal* −ln P(a normal row scores at least as high). Its knots are spaced
//! evenly in surprisal, so the bulk takes few and each of the highest training scores keeps its own.
//!
//! Beyond the table a generalised Pareto law goes on, as extreme-value theory has it for most distributions. Its shape
//! is at most ½: beyond that a law has no variance, and a sample does not tell its tail. A negative shape puts an end to
//! the scores; close to it the law goes on along its tangent, so that what exceeds it stays ranked. There are two
//! kinds, for two uses:
//!
//! - [`Calibration::exact`] has a table up to the highest score: the share of rows above any threshold is that of the
//!   sample. It is what is reported, and what decides. Few scores are above it, so shapes below 0 are not believed.
//! - [`Calibration::smooth`] is for evidence that is to be summed with that of others. Its table ends below the highest
//!   fifth; the law is one of the logarithm of the excess over it. Ranks say only that a row is among the highest, the
//!   law how far above the others; and where anomalies hide among the rows learned from, ranks give the worst of them
//!   no more than 1 / their number, while the law is told by the many normal rows. The logarithm lets scores of bounded
//!   and of heavy-tailed methods grow alike, so that no method shouts the others down.
//!
//! Source: Siffer, Fouque, Termier, Largouët 2017, "Anomaly Detection in Streams with Extreme Value Theory"; the
//! estimate by probability-weighted moments, which unlike likelihood needs no search and few values: Hosking, Wallis
//! 1987, "Parameter and Quantile Estimation for the Generalized Pareto Distribution".

use serde::{Deserialize, Serialize};

/// Most knots of a table; 2.7 % steps in probability down to one in a million.
pub const KNOTS_MAX: usize = 512;
/// Surprisal from which it grows only with its own logarithm: one in 10^12. No finite sample says anything beyond, but
/// rows stay ranked.
const SURPRISAL_SURE: f64 = 27.631_021_115_928_547;
/// Share of the sample, from the top, that shapes the law of a smooth calibration: anomalies among the rows are a few
/// per cent, so most of a fifth is normal.
const SMOOTH_SHARE: f64 = 0.2;
/// Share of the sample, from the top, that shapes the law of an exact calibration.
const EXACT_SHARE: f64 = 0.01;
/// Fewest values that shape a law.
const TAIL_VALUES_MIN: usize = 10;
/// Below it the law is as good as exponential, and the division by the shape loses its digits.
const SHAPE_MIN: f64 = 1e-9;
/// Heaviest tail that is believed, and negated the lightest.
const SHAPE_MAX: f64 = 0.5;
/// Share of the way to the end of a law of negative shape that is left when the tangent takes over.
const TANGENT_AT: f64 = 0.2;

/// How rare each score is among normal rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Rising, no two equal.
    scores: Vec<f64>,
    /// Rising with the scores, no two equal.
    surprisals: Vec<f64>,
    /// Above the last of the scores.
    tail: Tail,
}

/// What holds above the table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Tail {
    /// Exponential at first, bent towards the surprisal that nothing exceeds: what format 1 has.
    Bent { scale: f64 },
    /// Generalised Pareto: begins at surprisal `start`, at least that of the last knot.
    Pareto { start: f64, law: Law },
    /// The same of ln(1 + excess / unit).
    LogPareto { start: f64, law: Law, unit: f64 },
}

/// A generalised Pareto law of excesses over a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Law {
    scale: f64,
    shape: f64,
}

impl Calibration {
    /// Learns from scores of normal rows, in any order, with a table up to the highest; NaN and infinite are left out.
    /// Without any score, everything is usual.
    pub fn exact(sample: &[f64]) -> Self {
        Self::of_sorted(&sorted(sample))
    }

    /// Learns from scores of normal rows, in any order, with a law for the highest fifth; exact where that holds too
    /// few values above the others.
    pub fn smooth(sample: &[f64]) -> Self {
        let sorted = sorted(sample);
        Self::with_law(&sorted).unwrap_or_else(|| Self::of_sorted(&sorted))
    }

    /// Learns from rising, finite scores as [`Calibration::smooth`]; `None` where the highest fifth holds too few values
    /// above the others for a law.
    pub(crate) fn with_law(sorted: &[f64]) -> Option<Self> {
        let count = sorted.len();
        let last = (count - (count as f64 * SMOOTH_SHARE) as usize).checked_sub(1)?;
        let threshold = sorted[last];
        let from = sorted.partition_point(|score| *score <= threshold);
        let mut excesses: Vec<f64> = sorted[from..].iter().map(|score| score - threshold).collect();
        let unit = excesses.get(excesses.len() / 2).copied().filter(|unit| unit.is_normal())?;
        excesses.iter_mut().for_each(|excess| *excess = (*excess / unit).ln_1p());
        let law = Law::of(&excesses, -SHAPE_MAX)?;
        let (scores, surprisals) = knots(sorted, count - last);
        let start = ((count + 1) as f64 / (count - from) as f64).ln();
        Some(Self { scores, surprisals, tail: Tail::LogPareto { start, law, unit } })
    }

    /// The calibration that an artefact of format 1 holds.
    pub(crate) fn of_format_1(scores: Vec<f64>, surprisals: Vec<f64>, scale: f64) -> Self {
        Self { scores, surprisals, tail: Tail::Bent { scale } }
    }

    fn of_sorted(sorted: &[f64]) -> Self {
        let Some(highest) = sorted.last() else {
            let tail = Tail::Pareto { start: 0.0, law: Law { scale: 1.0, shape: 0.0 } };
            return Self { scores: vec![0.0], surprisals: vec![0.0], tail };
        };
        let (scores, surprisals) = knots(sorted, 1);
        let start = surprisals[surprisals.len() - 1];
        let top = ((sorted.len() as f64 * EXACT_SHARE) as usize).max(TAIL_VALUES_MIN);
        let below = sorted.len().checked_sub(top + 1).map(|place| sorted[place]);
        let found = below.and_then(|below| {
            let from = sorted.partition_point(|score| *score <= below);
            let excesses: Vec<f64> = sorted[from..].iter().map(|score| score - below).collect();
            let Law { scale, shape } = Law::of(&excesses, 0.0)?;
            // Above a higher threshold a Pareto law keeps its shape, and its scale grows in proportion.
            Some(Law { scale: scale + shape * (highest - below), shape })
        });
        let law = found.unwrap_or(Law { scale: plain_scale(sorted), shape: 0.0 });
        Self { scores, surprisals, tail: Tail::Pareto { start, law } }
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
        let last = self.surprisals[surprisals - 1];
        // A sample of 2^64 rows has a surprisal of 44.
        let positive = |number: f64| number.is_normal() && number > 0.0;
        let usable = match self.tail {
            Tail::Bent { scale } => last < SURPRISAL_SURE && positive(scale),
            Tail::Pareto { start, law } => last <= start && start < 45.0 && law.is_usable(),
            Tail::LogPareto { start, law, unit } => last <= start && start < 45.0 && law.is_usable() && positive(unit),
        };
        match self.surprisals[0] >= 0.0 && usable {
            true => Ok(()),
            false => Err("a calibration leaves the range of probabilities".to_owned()),
        }
    }

    /// Returns −ln of the tail probability of a score. Rises with the score, strictly so above the least score of the
    /// sample. Range: from 0, finite; NaN gives 0. Beyond one in 10^12 it grows with its own logarithm only.
    pub fn surprisal(&self, score: f64) -> f64 {
        let above = self.scores.partition_point(|knot| *knot <= score);
        if above == 0 {
            return 0.0;
        }
        if above < self.scores.len() {
            let (low, high) = (self.scores[above - 1], self.scores[above]);
            let (least, most) = (self.surprisals[above - 1], self.surprisals[above]);
            return least + (most - least) * ((score - low) / (high - low));
        }
        let (last_score, last) = (self.scores[above - 1], self.surprisals[above - 1]);
        let excess = (score - last_score).min(f64::MAX);
        match self.tail {
            _ if excess == 0.0 => last,
            Tail::Bent { scale } => {
                let room = SURPRISAL_SURE - last;
                last - room * (-excess / (scale * room)).exp_m1()
            }
            Tail::Pareto { start, law } => settled(start + law.surprisal(excess)),
            Tail::LogPareto { start, law, unit } => {
                settled(start + law.surprisal((excess / unit).min(f64::MAX).ln_1p()))
            }
        }
    }

    /// Returns the share of normal rows that score at least as high. Range: above 0, at most 1.
    pub fn tail(&self, score: f64) -> f64 {
        (-self.surprisal(score)).exp()
    }
}

/// Lets a surprisal beyond what any sample can tell grow with its logarithm; rising, without a step or a kink.
fn settled(surprisal: f64) -> f64 {
    match surprisal > SURPRISAL_SURE {
        true => SURPRISAL_SURE + (surprisal.min(f64::MAX) - SURPRISAL_SURE).ln_1p(),
        false => surprisal,
    }
}

fn sorted(sample: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = sample.iter().copied().filter(|score| score.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// Picks the k-th largest score for k in geometric steps from all of them to `rank_last`. A score met several times is
/// counted with all its repeats; k of n at least as high make a tail of k / (n + 1), the mean of what such a rank comes
/// from. What lies above many repeats is as rare as what was seen above them: the table jumps there, or a score that
/// nearly all rows share would make all up to the next one look usual. A jump takes the place of the knots that the
/// repeats have left out, so the table stays within its bound.
fn knots(sorted: &[f64], rank_last: usize) -> (Vec<f64>, Vec<f64>) {
    let count = sorted.len();
    let step = ((count as f64).ln() / (KNOTS_MAX - 2) as f64).exp();
    let (mut scores, mut surprisals) = (Vec::new(), Vec::new());
    let mut rank = count;
    loop {
        let score = sorted[count - rank];
        let last = scores.last().copied();
        if last.is_none_or(|last| last < score) {
            let at_least = |score: f64| count - sorted.partition_point(|other| *other < score);
            let surprisal = |at_least: usize| ((count + 1) as f64 / at_least as f64).ln();
            if let Some((low, just_above)) = last.map(|last: f64| (last, last.next_up())) {
                // The repeats but one fall away at once; that one leads over to the next score, as it does without any.
                let left = at_least(just_above) + 1;
                if at_least(low) as f64 > left as f64 * step * step && just_above < score {
                    scores.push(just_above);
                    surprisals.push(surprisal(left));
                }
            }
            scores.push(score);
            surprisals.push(surprisal(at_least(score)));
        }
        if rank <= rank_last {
            return (scores, surprisals);
        }
        rank = ((rank as f64 / step) as usize).clamp(rank_last, rank - 1);
    }
}

impl Law {
    /// The law of excesses, all above 0; `None` if they are too few or do not spread. With the shape put into its range,
    /// the scale is what keeps the mean. Source: Hosking, Wallis 1987, section 3, with plotting positions
    /// (i − 0.35) / n.
    fn of(rising: &[f64], shape_min: f64) -> Option<Self> {
        if rising.len() < TAIL_VALUES_MIN {
            return None;
        }
        let share = 1.0 / rising.len() as f64;
        let (mut mean, mut weighted) = (0.0, 0.0);
        for (place, excess) in rising.iter().enumerate() {
            mean += excess * share;
            weighted += (1.0 - (place as f64 + 0.65) * share) * excess * share;
        }
        let shape = 2.0 - mean / (mean - 2.0 * weighted);
        let shape = if shape.is_nan() { 0.0 } else { shape.clamp(shape_min, SHAPE_MAX) };
        let law = Self { scale: mean * (1.0 - shape), shape };
        law.is_usable().then_some(law)
    }

    fn is_usable(self) -> bool {
        self.scale.is_normal() && self.scale > 0.0 && self.shape.abs() <= SHAPE_MAX
    }

    /// −ln of the share of excesses at least as large.
    fn surprisal(self, excess: f64) -> f64 {
        let excess = (excess / self.scale).min(f64::MAX);
        if self.shape.abs() < SHAPE_MIN {
            return excess;
        }
        let tangent_from = (TANGENT_AT - 1.0) / self.shape;
        if self.shape < 0.0 && excess > tangent_from {
            return TANGENT_AT.ln() / self.shape + (excess - tangent_from) / TANGENT_AT;
        }
        (self.shape * excess).ln_1p() / self.shape
    }
}

/// Mean excess over the median; where that is all one value, a thousandth of it: any higher score is then surprising.
fn plain_scale(sorted: &[f64]) -> f64 {
    let count = sorted.len();
    let median = sorted[count / 2];
    let excess = sorted[count / 2..].iter().map(|score| (score - median) / (count - count / 2) as f64).sum::<f64>();
    let by_size = sorted[count - 1].abs().max(1.0) / 1000.0;
    [excess, by_size].into_iter().find(|scale| scale.is_normal()).unwrap_or(1.0)
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
        let calibration = Calibration::exact(&exponential(400_000, 1));
        for (score, tolerance) in [(0.1, 0.02), (1.0, 0.02), (4.0, 0.05), (9.0, 0.3), (14.0, 1.5)] {
            let seen = calibration.surprisal(score);
            assert!((seen - score).abs() < tolerance, "{score} came back as {seen}");
        }
        assert!(calibration.scores.len() > 300 && calibration.scores.len() <= KNOTS_MAX);
        assert_eq!(calibration.check(), Ok(()));
    }

    #[test]
    fn held_out_scores_have_uniform_tails() {
        let calibration = Calibration::exact(&exponential(20_000, 2));
        let held_out = exponential(20_000, 3);
        for share in [0.9, 0.5, 0.1, 0.01, 0.003] {
            let seen = held_out.iter().filter(|score| calibration.tail(**score) <= share).count() as f64 / 20_000.0;
            let tolerance = 4.0 * (2.0 * share * (1.0 - share) / 20_000.0_f64).sqrt();
            assert!((seen - share).abs() < tolerance, "{seen} of the rows have tails up to {share}");
        }
    }

    #[test]
    fn a_higher_score_is_never_more_usual_and_stays_ranked_beyond_the_sample() {
        for calibration in [Calibration::exact(&exponential(1000, 4)), Calibration::smooth(&exponential(1000, 4))] {
            let mut last = -1.0;
            let steps = (1..3000).map(|step| f64::from(step) * 0.05);
            for score in steps.chain([1e3, 1e6, 1e12, 1e38, 1e300, f64::MAX]) {
                let surprisal = calibration.surprisal(score);
                assert!(surprisal > last && surprisal.is_finite(), "{score}: {surprisal} after {last}");
                last = surprisal;
            }
            assert!(calibration.tail(f64::INFINITY) > 0.0);
            assert_eq!((calibration.tail(f64::NAN), calibration.tail(-1.0)), (1.0, 1.0));
        }
    }

    #[test]
    fn a_heavy_tail_is_told_from_a_light_one() {
        // Pareto with shape ⅓: P(x ≥ s) = (1 + s / 3)^−3.
        let heavy: Vec<f64> = exponential(50_000, 5).into_iter().map(|value| 3.0 * (value / 3.0).exp_m1()).collect();
        let calibration = Calibration::exact(&heavy);
        for score in [0.5_f64, 5.0, 30.0, 300.0] {
            let expected = 3.0 * (score / 3.0).ln_1p();
            let seen = calibration.surprisal(score);
            assert!((seen - expected).abs() < 0.2 * expected.max(0.5), "{score}: {seen}, not {expected}");
        }
        assert!(Calibration::exact(&exponential(50_000, 5)).surprisal(30.0) > 20.0);
    }

    #[test]
    fn anomalies_among_the_rows_do_not_hide_each_other_from_a_smooth_calibration() {
        let mut sample = exponential(1000, 6);
        sample.extend((0..20).map(|n| 30.0 + f64::from(n)));
        let (exact, smooth) = (Calibration::exact(&sample), Calibration::smooth(&sample));
        assert!(exact.surprisal(30.0) < 4.0, "one of twenty among a thousand");
        assert!(smooth.surprisal(30.0) > 5.0, "{}", smooth.surprisal(30.0));
    }

    #[test]
    fn a_bounded_score_gets_no_end_and_few_or_tied_values_are_calibrated_exactly() {
        let uniform: Vec<f64> = (0..1000).map(|n| f64::from(n) / 1000.0).collect();
        let smooth = Calibration::smooth(&uniform);
        for (score, expected) in [(0.5_f64, 2.0_f64), (0.9, 10.0)] {
            let seen = smooth.surprisal(score);
            assert!((seen - expected.ln()).abs() < 0.1 * expected.ln(), "{score}: {seen}");
        }
        let surprisals = [0.5, 0.9, 1.0, 2.0, 3.0].map(|score| smooth.surprisal(score));
        assert!(surprisals.is_sorted_by(|a, b| a < b) && (surprisals[0] - 2.0_f64.ln()).abs() < 0.01, "{surprisals:?}");
        let mut tied = vec![0.0; 995];
        tied.extend([1.0; 5]);
        for sample in [&uniform[..15], &tied[..], &[], &[3.0; 400]] {
            assert_eq!(Calibration::smooth(sample), Calibration::exact(sample));
        }
    }

    #[test]
    fn repeated_scores_count_with_all_their_repeats() {
        let mut sample = vec![0.0; 90];
        sample.extend([1.0; 10]);
        let calibration = Calibration::exact(&sample);
        assert!((calibration.tail(1.0) - 10.0 / 101.0).abs() < 1e-12);
        assert!((calibration.tail(0.0) - 100.0 / 101.0).abs() < 1e-12);
        assert!(calibration.tail(2.0) < calibration.tail(1.0));
    }

    #[test]
    fn what_lies_above_a_score_that_nearly_all_share_is_as_rare_as_what_was_seen_there() {
        let mut sample = vec![0.0; 997];
        sample.extend([5.0, 6.0, 70.0]);
        let calibration = Calibration::exact(&sample);
        assert_eq!(calibration.check(), Ok(()));
        for (score, least, most) in [(0.0, 0.99, 1.0), (0.1, 0.003, 0.004), (5.5, 0.002, 0.003), (50.0, 0.001, 0.002)] {
            let tail = calibration.tail(score);
            assert!(tail > least && tail < most, "{score}: {tail}");
        }
        let steps: Vec<f64> = (0..20_000).map(|n| f64::from(n / 20)).collect();
        let calibration = Calibration::exact(&steps);
        assert!(calibration.scores.len() <= KNOTS_MAX, "{}", calibration.scores.len());
        assert_eq!(calibration.check(), Ok(()));
    }

    #[test]
    fn samples_without_spread_or_without_values_still_rank() {
        for sample in [vec![], vec![3.0], vec![3.0; 500], vec![f64::NAN, f64::INFINITY]] {
            let calibration = Calibration::smooth(&sample);
            assert_eq!(calibration.check(), Ok(()));
            assert!(calibration.surprisal(3.5) > calibration.surprisal(3.1), "{sample:?}");
        }
    }
}
