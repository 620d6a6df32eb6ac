//! How sure a figure is: the same figure of many resamples of the rows.
//!
//! Anomalies and normal rows are drawn apart, so that each resample has as many of both as the data (stratified). All
//! orders are measured on the same resamples, so the difference between two of them is paired.
//! Source: Efron, Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3 (percentile interval).

use std::thread;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::ranking::{Figures, Ranking};

/// Share of the resamples that lie within an interval.
pub const CONFIDENCE: f64 = 0.95;
/// Most resamples; more change no digit that is shown.
pub const RESAMPLES_MAX: usize = 100_000;

/// Places along a curve at which its band is known.
const BAND_STEPS: usize = 60;

/// Where a figure lies in [`CONFIDENCE`] of the resamples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Figures of each order in each resample.
#[derive(Clone, Debug)]
pub struct Resamples {
    /// By resample, then by order.
    figures: Vec<Vec<[f64; 5]>>,
}

impl Resamples {
    /// Draws `count` resamples; each has a stream of random numbers of its own, so the number of threads changes
    /// nothing. Shape: the orders are of the same rows, `anomalous` has one truth per row, of both kinds.
    pub fn draw(rankings: &[&Ranking], anomalous: &[bool], count: usize, seed: u64, threads: usize) -> Self {
        let measure = |weights: &[u32]| {
            let figures = rankings.iter().map(|ranking| ranking.weighted(weights).as_ref().map(Figures::values));
            figures.map(|figures| figures.expect("a stratified resample has rows of both kinds")).collect()
        };
        Self { figures: resamples(anomalous, (count, seed, threads), measure) }
    }

    /// Interval of each figure of one order, in the order of [`Figures::values`]; `None` without resamples.
    pub fn intervals(&self, ranking: usize) -> Option<[Interval; 5]> {
        self.spread(|figures| figures[ranking])
    }

    /// Interval of each figure's difference, the first order's less the second's.
    pub fn differences(&self, one: usize, other: usize) -> Option<[Interval; 5]> {
        self.spread(|figures| std::array::from_fn(|place| figures[one][place] - figures[other][place]))
    }

    fn spread(&self, values: impl Fn(&[[f64; 5]]) -> [f64; 5]) -> Option<[Interval; 5]> {
        if self.figures.is_empty() {
            return None;
        }
        let values: Vec<[f64; 5]> = self.figures.iter().map(|figures| values(figures)).collect();
        Some(std::array::from_fn(|place| interval(values.iter().map(|values| values[place]).collect())))
    }
}

/// Where a curve lies in [`CONFIDENCE`] of the resamples, place by place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bands {
    /// False positive rate, and lower and upper end of the true positive rate.
    pub roc: Vec<(f64, Interval)>,
    /// Recall, and lower and upper end of precision.
    pub precision_recall: Vec<(f64, Interval)>,
}

impl Bands {
    /// Draws the same resamples as [`Resamples::draw`]; nothing without resamples.
    pub fn draw(ranking: &Ranking, anomalous: &[bool], count: usize, seed: u64, threads: usize) -> Self {
        if count == 0 {
            return Self::default();
        }
        let even = (0..=BAND_STEPS).map(|step| step as f64 / BAND_STEPS as f64);
        // Even steps would miss the left end, where people live.
        let small = (0..=BAND_STEPS).map(|step| 10_f64.powf(-4.0 + 2.0 * step as f64 / BAND_STEPS as f64));
        let mut rates: Vec<f64> = even.clone().chain(small).collect();
        rates.sort_unstable_by(f64::total_cmp);
        let recalls: Vec<f64> = even.collect();
        let measure = |weights: &[u32]| ranking.heights(weights, &rates, &recalls);
        let (roc, precision): (Vec<_>, Vec<_>) =
            resamples(anomalous, (count, seed, threads), measure).into_iter().unzip();
        Self { roc: band(&rates, &roc), precision_recall: band(&recalls, &precision) }
    }
}

/// Each place with the interval of the heights there.
fn band(places: &[f64], heights: &[Vec<f64>]) -> Vec<(f64, Interval)> {
    let at = |index: usize| interval(heights.iter().map(|heights| heights[index]).collect());
    places.iter().enumerate().map(|(index, place)| (*place, at(index))).collect()
}

/// Measures resamples, given how often each row occurs. `count`, seed and threads; the order is that of the numbers.
fn resamples<T: Send>(
    anomalous: &[bool],
    (count, seed, threads): (usize, u64, usize),
    measure: impl Fn(&[u32]) -> T + Sync,
) -> Vec<T> {
    let strata = [true, false].map(|wanted| {
        let rows = anomalous.iter().zip(0_u32..).filter(|(anomaly, _)| **anomaly == wanted);
        rows.map(|(_, row)| row).collect::<Vec<u32>>()
    });
    let one = |number: u64| measure(&weights(&strata, seed, number));
    let numbers: Vec<u64> = (0..count as u64).collect();
    let share = numbers.len().div_ceil(threads.max(1)).max(1);
    thread::scope(|scope| {
        let run = |numbers: &[u64]| numbers.iter().map(|number| one(*number)).collect::<Vec<T>>();
        let workers: Vec<_> = numbers.chunks(share).map(|numbers| scope.spawn(move || run(numbers))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("measuring does not panic")).collect()
    })
}

/// How often each row occurs in a resample.
fn weights(strata: &[Vec<u32>; 2], seed: u64, number: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    let mut weights = vec![0_u32; strata.iter().map(Vec::len).sum()];
    for rows in strata {
        for _ in 0..rows.len() {
            weights[rows[rng.random_range(0..rows.len())] as usize] += 1;
        }
    }
    weights
}

fn interval(mut values: Vec<f64>) -> Interval {
    values.sort_unstable_by(f64::total_cmp);
    let outside = (1.0 - CONFIDENCE) / 2.0;
    Interval { low: quantile_of(&values, outside), high: quantile_of(&values, 1.0 - outside) }
}

/// The value below which that share of sorted values lies, between neighbours where it falls between them.
/// Source: Hyndman, Fan 1996, definition 7. Shape: `sorted` has at least one value.
pub fn quantile_of(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}
