//! What each detector adds: the fused score with it against the fused score without it, on the same rows and resamples.

use indicatif::ProgressBar;
use lapwing_detect::Method;
use serde::Serialize;

use crate::bootstrap::{Interval, Resamples};
use crate::detectors;
use crate::error::EvaluateError;
use crate::learn::{Lesson, Scored, score};
use crate::ranking::{Figures, Ranking};
use crate::read::{Column, DataFile};

/// What a detector is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The statistical baselines alone.
    Baselines,
    /// All other detectors asked for.
    Others,
}

/// What can be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval lies above 0.
    Helps,
    /// The interval holds 0.
    AddsNothing,
    /// The whole interval lies below 0.
    Harms,
}

/// What one detector adds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Addition {
    /// The detector.
    pub detector: String,
    /// What it is added to.
    pub against: Against,
    /// Names of the detectors it is added to.
    pub to: Vec<String>,
    /// Figures without it.
    pub without: Figures,
    /// Figures with it.
    pub with: Figures,
    /// Interval of the difference in average precision; `None` without resamples.
    pub pr_auc_gain: Option<Interval>,
    /// Interval of the difference in ROC AUC; `None` without resamples.
    pub roc_auc_gain: Option<Interval>,
}

impl Addition {
    /// What the interval of average precision says; `None` without resamples.
    pub fn verdict(&self) -> Option<Verdict> {
        self.pr_auc_gain.map(|gain| match gain {
            gain if gain.low > 0.0 => Verdict::Helps,
            gain if gain.high < 0.0 => Verdict::Harms,
            _ => Verdict::AddsNothing,
        })
    }
}

/// Everything that stays the same from one combination of detectors to the next.
pub(crate) struct Bench<'a> {
    pub(crate) lesson: &'a Lesson,
    pub(crate) data: (&'a DataFile, &'a [Column]),
    pub(crate) rows: &'a [u32],
    pub(crate) anomalous: &'a [bool],
    pub(crate) alert_rate: f64,
    pub(crate) bootstrap: usize,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
}

/// Two combinations to compare, as places among all that are measured.
struct Pair {
    detector: String,
    against: Against,
    without: usize,
    with: usize,
}

/// Adds each detector to the statistical baselines, and takes it away from all detectors. Errors: as training.
pub(crate) fn ablate(
    bench: &Bench<'_>,
    methods: &[Method],
    progress: &ProgressBar,
) -> Result<Vec<Addition>, EvaluateError> {
    let (combinations, pairs) = plan(methods);
    progress.set_length(combinations.len() as u64);
    let mut rankings = Vec::new();
    for combination in &combinations {
        let ensemble = bench.lesson.fit(combination, bench.alert_rate, bench.seed)?;
        let scored: Scored = score(&ensemble, bench.data, bench.rows, &[], bench.threads)?;
        let strange: Vec<f64> = scored.tail.iter().map(|tail| -tail.ln()).collect();
        rankings.push(Ranking::of(&strange, bench.anomalous));
        progress.inc(1);
    }
    let resamples = Resamples::draw(
        &rankings.iter().collect::<Vec<_>>(),
        bench.anomalous,
        bench.bootstrap,
        bench.seed,
        bench.threads,
    );
    let figures = |place: usize| rankings[place].figures().expect("rows of both kinds are asked for before");
    let addition = |pair: &Pair| {
        let gains = resamples.differences(pair.with, pair.without);
        Addition {
            detector: pair.detector.clone(),
            against: pair.against,
            to: combinations[pair.without].iter().map(|method| method.name().to_owned()).collect(),
            without: figures(pair.without),
            with: figures(pair.with),
            roc_auc_gain: gains.map(|gains| gains[0]),
            pr_auc_gain: gains.map(|gains| gains[1]),
        }
    };
    Ok(pairs.iter().map(addition).collect())
}

/// The combinations to measure, each once, and the pairs of them to compare.
fn plan(methods: &[Method]) -> (Vec<Vec<Method>>, Vec<Pair>) {
    let baselines = detectors::statistical(methods);
    let mut combinations: Vec<Vec<Method>> = Vec::new();
    let mut pairs = Vec::new();
    let mut place_of = |combination: Vec<Method>| {
        let known = combinations.iter().position(|other| *other == combination);
        known.unwrap_or_else(|| {
            combinations.push(combination);
            combinations.len() - 1
        })
    };
    for method in methods.iter().filter(|method| !baselines.contains(method)) {
        let with = [baselines.as_slice(), std::slice::from_ref(method)].concat();
        let (without, with) = (place_of(baselines.clone()), place_of(with));
        pairs.push(Pair { detector: method.name().to_owned(), against: Against::Baselines, without, with });
    }
    for method in methods.iter().filter(|_| methods.len() > 1) {
        let others = methods.iter().filter(|other| *other != method).cloned().collect();
        let (without, with) = (place_of(others), place_of(methods.to_vec()));
        // With two detectors, the baselines may be all others.
        let told = |pair: &Pair| (pair.without, pair.with) == (without, with);
        if !pairs.iter().any(told) {
            pairs.push(Pair { detector: method.name().to_owned(), against: Against::Others, without, with });
        }
    }
    (combinations, pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_combination_is_measured_once() {
        let (combinations, pairs) = plan(&[Method::RobustZscore, Method::FOREST]);
        assert_eq!(combinations.len(), 3);
        let told: Vec<(&str, Against, usize, usize)> =
            pairs.iter().map(|pair| (pair.detector.as_str(), pair.against, pair.without, pair.with)).collect();
        let expected = [("isolation_forest", Against::Baselines, 0, 1), ("robust_zscore", Against::Others, 2, 1)];
        assert_eq!(told, expected);
        let (combinations, pairs) = plan(&[Method::FOREST]);
        assert_eq!((combinations.len(), pairs.len()), (2, 1));
    }
}
