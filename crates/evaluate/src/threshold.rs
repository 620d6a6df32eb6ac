//! Figures at a threshold: what a person who gets the alerts sees.

use serde::Serialize;

use crate::truth::{Truth, Truths};

/// Rows by what they are and what was said of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Anomalies that were flagged.
    pub true_positives: u64,
    /// Normal rows that were flagged.
    pub false_positives: u64,
    /// Anomalies that were not.
    pub false_negatives: u64,
    /// Normal rows that were not.
    pub true_negatives: u64,
}

/// Probabilities of an anomaly from which on rows are flagged where a detector says any: more likely than not, and three
/// to one, below which pipelines seldom wake a person.
pub const PROBABILITIES: [f64; 2] = [0.5, 0.75];

/// How a threshold fares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtThreshold {
    /// Share of normal rows that the threshold was set to flag.
    pub alert_rate: f64,
    /// What it flags.
    #[serde(flatten)]
    pub flagged: Flagged,
}

/// How flagging from a probability on fares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AtProbability {
    /// Least probability that is flagged.
    #[serde(skip)]
    pub probability: f64,
    /// What it flags.
    #[serde(flatten)]
    pub flagged: Flagged,
}

/// How good what was flagged is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Flagged {
    /// Share of the flagged rows that are anomalies; 0 if none is flagged.
    pub precision: f64,
    /// Share of the anomalies that are flagged.
    pub recall: f64,
    /// Harmonic mean of both; 0 if either is.
    pub f1: f64,
    /// Share of the normal rows that are flagged.
    pub false_positive_rate: f64,
    /// The counts behind them.
    pub confusion: Confusion,
}

/// How many anomalies of a type were found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TypeRecall {
    /// Name of the type.
    pub name: String,
    /// Rows of that type.
    pub rows: u64,
    /// Share of them that the fused score flags.
    pub fused: f64,
    /// Share of them that each detector flags at the same alert rate, in the order of the detectors.
    pub detectors: Vec<f64>,
}

impl AtThreshold {
    /// Flags rows whose tail is at most the alert rate. Shape: one tail and one truth per row.
    pub fn of(tail: &[f64], anomalous: &[bool], alert_rate: f64) -> Self {
        Self { alert_rate, flagged: Flagged::of(tail.iter().map(|tail| *tail <= alert_rate), anomalous) }
    }
}

impl AtProbability {
    /// Flags rows from each of [`PROBABILITIES`] on. Shape: one probability and one truth per row.
    pub fn each(probability: &[f64], anomalous: &[bool]) -> Vec<Self> {
        let of = |least: f64| Self {
            probability: least,
            flagged: Flagged::of(probability.iter().map(|probability| *probability >= least), anomalous),
        };
        PROBABILITIES.map(of).to_vec()
    }
}

impl Flagged {
    fn of(flagged: impl Iterator<Item = bool>, anomalous: &[bool]) -> Self {
        let mut confusion = Confusion::default();
        for (flagged, anomaly) in flagged.zip(anomalous) {
            let count = match (flagged, anomaly) {
                (true, true) => &mut confusion.true_positives,
                (true, false) => &mut confusion.false_positives,
                (false, true) => &mut confusion.false_negatives,
                (false, false) => &mut confusion.true_negatives,
            };
            *count += 1;
        }
        let Confusion { true_positives: tp, false_positives: fp, false_negatives: fall, true_negatives: tn } =
            confusion;
        Self {
            precision: share(tp, tp + fp),
            recall: share(tp, tp + fall),
            f1: share(2 * tp, 2 * tp + fp + fall),
            false_positive_rate: share(fp, fp + tn),
            confusion,
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Recall of each type of anomaly that occurs, the most frequent first. Shape: `rows` are numbers of rows in `truths`,
/// tails have a value for each of them.
pub(crate) fn by_type(
    truths: &Truths,
    rows: &[u32],
    fused: &[f64],
    detectors: &[&[f64]],
    alert_rate: f64,
) -> Vec<TypeRecall> {
    let mut places = vec![Vec::new(); truths.types.len()];
    for (place, row) in rows.iter().enumerate() {
        if let Truth::Anomaly(name) = truths.rows[*row as usize] {
            places[usize::from(name)].push(place);
        }
    }
    let recall = |tails: &[f64], places: &[usize]| {
        share(places.iter().filter(|place| tails[**place] <= alert_rate).count() as u64, places.len() as u64)
    };
    let named = truths.types.iter().zip(&places).filter(|(_, places)| !places.is_empty());
    let mut types: Vec<TypeRecall> = named
        .map(|(name, places)| TypeRecall {
            name: name.clone(),
            rows: places.len() as u64,
            fused: recall(fused, places),
            detectors: detectors.iter().map(|tails| recall(tails, places)).collect(),
        })
        .collect();
    types.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.name.cmp(&b.name)));
    types
}
