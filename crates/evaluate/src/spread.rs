//! How calibrated scores are spread over normal rows and anomalies.

use serde::Serialize;

/// Bars of a histogram.
const BARS: usize = 40;
/// Tails at which calibration is checked: three in each tenfold, down to what a million rows can show.
const TAILS: [f64; 18] =
    [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5, 5e-6, 2e-6, 1e-6];

/// What a calibrated tail says against what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReliabilityPoint {
    /// The share of normal rows that should be at least as strange.
    pub tail: f64,
    /// The share of normal rows whose tail is at most that.
    pub seen: f64,
}

/// Shares of rows by surprisal, −ln tail: 0 is usual, each 2.3 more is ten times rarer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// Right end of the last bar; all bars are equally wide and begin at 0.
    pub surprisal_max: f64,
    /// Share of the normal rows in each bar.
    pub normal: Vec<f64>,
    /// Share of the anomalies in each bar.
    pub anomalies: Vec<f64>,
}

/// Compares tails of normal rows with what they promise, where at least one row was to be expected.
pub fn reliability(tail: &[f64], anomalous: &[bool]) -> Vec<ReliabilityPoint> {
    let mut normal: Vec<f64> = tail.iter().zip(anomalous).filter(|(_, anomaly)| !**anomaly).map(|(t, _)| *t).collect();
    normal.sort_unstable_by(f64::total_cmp);
    let count = normal.len() as f64;
    let expected = TAILS.into_iter().filter(|tail| tail * count >= 1.0);
    let seen = |tail: f64| normal.partition_point(|other| *other <= tail) as f64 / count;
    expected.map(|tail| ReliabilityPoint { tail, seen: seen(tail) }).collect()
}

/// Counts rows by surprisal.
pub fn histogram(tail: &[f64], anomalous: &[bool]) -> Histogram {
    let surprisal = |tail: &f64| (-tail.ln()).max(0.0);
    let surprisal_max = tail.iter().map(surprisal).fold(1.0, f64::max);
    let mut counts = [[0.0; BARS]; 2];
    for (tail, anomaly) in tail.iter().zip(anomalous) {
        let bar = (surprisal(tail) / surprisal_max * BARS as f64) as usize;
        counts[usize::from(*anomaly)][bar.min(BARS - 1)] += 1.0;
    }
    let [normal, anomalies] = counts.map(|counts| {
        let total = counts.iter().sum::<f64>().max(1.0);
        counts.iter().map(|count| count / total).collect()
    });
    Histogram { surprisal_max, normal, anomalies }
}
