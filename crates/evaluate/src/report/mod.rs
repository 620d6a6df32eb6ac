//! What an evaluation found, as text, as one JSON object, and as a page.

/// Lines for a terminal.
mod text;
/// A page that needs nothing but itself.
mod html;
/// Drawings of the page.
mod chart;

use lapwing_detect::OptionValue;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::ablation::Addition;
use crate::bootstrap::{Bands, Interval};
use crate::importance::Importance;
use crate::ranking::{Curves, Figures};
use crate::spread::{Histogram, ReliabilityPoint};
use crate::threshold::{AtProbability, AtThreshold, TypeRecall};

/// Name of all detectors together.
pub(crate) const FUSED: &str = "fused";

/// What an evaluation found. As JSON: `detectors` and `column_vote` and `fused` hold the figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What was done.
    pub setup: Setup,
    /// Each detector by itself, by its name.
    #[serde(serialize_with = "by_name")]
    pub detectors: Vec<DetectorReport>,
    /// The vote of the strangest single column, if a detector measures columns.
    pub column_vote: Option<DetectorReport>,
    /// All of them together.
    pub fused: DetectorReport,
    /// Recall of each type of anomaly, the most frequent first.
    pub types: Vec<TypeRecall>,
    /// What the fused score rests on, the most important input first.
    pub importance: Vec<Importance>,
    /// What each detector adds, if that was asked for.
    pub ablation: Option<Vec<Addition>>,
    /// What a person should know before trusting the figures.
    pub notes: Vec<String>,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Setup {
    /// Version of this program.
    pub lapwing: String,
    /// The file whose rows were scored.
    pub data: String,
    /// Its rows.
    pub rows: u64,
    /// The file learned from, if it was another one.
    pub train: Option<String>,
    /// Its rows.
    pub train_rows: Option<u64>,
    /// Column of the labels.
    pub label: String,
    /// Column of the times.
    pub time: Option<String>,
    /// Columns that detectors were not shown.
    pub excluded: Vec<String>,
    /// Columns of the file that are inputs.
    pub columns: u64,
    /// Columns that they became.
    pub encoded_columns: u64,
    /// How rows to learn from and rows to score were told apart.
    pub split: String,
    /// Rows learned from, anomalies among them included.
    pub rows_learned: u64,
    /// Labelled rows that were scored.
    pub rows_scored: u64,
    /// Anomalies among them.
    pub anomalies: u64,
    /// Share of normal rows to flag.
    pub alert_rate: f64,
    /// Seed of everything drawn.
    pub seed: u64,
    /// Resamples behind the intervals.
    pub bootstrap: u64,
    /// The detectors with their options.
    pub methods: Vec<MethodReport>,
}

/// A detector and its options.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodReport {
    /// Its name.
    pub name: String,
    /// Names and values of its options.
    #[serde(serialize_with = "options_by_name")]
    pub options: Vec<(String, OptionValue)>,
    /// Whether it learned from labels.
    pub supervised: bool,
}

/// Figures of one detector, or of all together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DetectorReport {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// How well its order separates.
    #[serde(flatten)]
    pub figures: Figures,
    /// Intervals of the figures, in the order of [`Figures::values`]; `None` without resamples.
    #[serde(serialize_with = "by_figure")]
    pub intervals: Option<[Interval; 5]>,
    /// How it fares at the alert rate.
    pub at_threshold: AtThreshold,
    /// How it fares from given probabilities on; none where its scores stand for none.
    #[serde(serialize_with = "by_probability", skip_serializing_if = "Vec::is_empty")]
    pub at_probability: Vec<AtProbability>,
    /// Whether its tails are what they promise.
    pub reliability: Vec<ReliabilityPoint>,
    /// How its scores are spread.
    #[serde(skip)]
    pub histogram: Histogram,
    /// Its curves.
    #[serde(skip)]
    pub curves: Curves,
    /// Bands around the curves; only the fused score has them, more could not be told apart.
    #[serde(skip)]
    pub bands: Bands,
}

impl Report {
    /// A report of the fused score alone; the rest is filled in by whoever knows it.
    pub(crate) fn of(fused: DetectorReport) -> Self {
        Self {
            setup: Setup::default(),
            detectors: Vec::new(),
            column_vote: None,
            fused,
            types: Vec::new(),
            importance: Vec::new(),
            ablation: None,
            notes: Vec::new(),
        }
    }

    /// The report as one line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a report holds names and numbers only")
    }

    /// The report for a terminal.
    pub fn to_text(&self) -> String {
        text::text(self)
    }

    /// The report as a page: HTML with its style and drawings in it, no script, nothing fetched.
    pub fn to_html(&self) -> String {
        html::page(self)
    }

    /// How detectors fare from given probabilities on: detector, probability, and what is flagged.
    fn at_probabilities(&self) -> impl Iterator<Item = (&str, &AtProbability)> {
        self.all().flat_map(|detector| detector.at_probability.iter().map(|at| (detector.name.as_str(), at)))
    }

    /// Detectors, then the vote, then the fused score.
    fn all(&self) -> impl Iterator<Item = &DetectorReport> {
        self.detectors.iter().chain(&self.column_vote).chain([&self.fused])
    }
}

fn by_name<S: Serializer>(detectors: &[DetectorReport], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(detectors.iter().map(|detector| (&detector.name, detector)))
}

fn options_by_name<S: Serializer>(options: &[(String, OptionValue)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(options.iter().map(|(name, value)| (name, value)))
}

fn by_probability<S: Serializer>(found: &[AtProbability], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(found.iter().map(|at| (at.probability.to_string(), at)))
}

fn by_figure<S: Serializer>(intervals: &Option<[Interval; 5]>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(intervals) = intervals else { return serializer.serialize_none() };
    let mut map = serializer.serialize_map(Some(3))?;
    map.serialize_entry("roc_auc", &intervals[0])?;
    map.serialize_entry("pr_auc", &intervals[1])?;
    let rates = crate::ranking::FALSE_POSITIVE_RATES.iter().map(ToString::to_string);
    let recalls: serde_json::Map<String, serde_json::Value> =
        rates.zip(&intervals[2..]).map(|(rate, interval)| (rate, serde_json::json!(interval))).collect();
    map.serialize_entry("tpr_at_fpr", &recalls)?;
    map.end()
}

/// Names of the figures in the order of [`Figures::values`].
const FIGURES: [&str; 5] = ["ROC AUC", "PR AUC", "TPR at FPR 0.1 %", "at 0.3 %", "at 1 %"];

/// A share with three digits behind the point.
fn share(value: f64) -> String {
    format!("{value:.3}")
}

/// A count with commas between thousands.
fn count(value: u64) -> String {
    let digits = value.to_string();
    let starts = (0..digits.len()).rev().step_by(3).map(|last| last.saturating_sub(2)).rev();
    let ends = (0..digits.len()).rev().step_by(3).map(|last| last + 1).rev();
    starts.zip(ends).map(|(start, end)| &digits[start..end]).collect::<Vec<_>>().join(",")
}

/// What was done, as pairs of a word and its value.
fn facts(setup: &Setup) -> Vec<(&'static str, String)> {
    let mut facts = vec![("data", format!("{}, {} rows", setup.data, count(setup.rows)))];
    if let (Some(train), Some(rows)) = (&setup.train, setup.train_rows) {
        facts.push(("training data", format!("{train}, {} rows", count(rows))));
    }
    facts.push(("split", setup.split.clone()));
    facts.push(("learned from", format!("{} rows", count(setup.rows_learned))));
    let scored = (count(setup.rows_scored), count(setup.anomalies), share(100.0 * setup.anomaly_share()));
    facts.push(("scored", format!("{} labelled rows, {} of them anomalies ({} %)", scored.0, scored.1, scored.2)));
    facts.push(("columns", format!("{} read, {} after encoding", setup.columns, setup.encoded_columns)));
    facts.push(("label", setup.label.clone()));
    facts.extend(setup.time.iter().map(|time| ("time", time.clone())));
    if !setup.excluded.is_empty() {
        facts.push(("excluded", setup.excluded.join(", ")));
    }
    for method in &setup.methods {
        let options: Vec<String> = method.options.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let learns = if method.supervised { "learned from labels" } else { "learned without labels" };
        let parts = [vec![learns.to_owned()], options].concat();
        facts.push(("detector", format!("{}: {}", method.name, parts.join(", "))));
    }
    facts.push(("alert rate", setup.alert_rate.to_string()));
    facts.push(("seed", setup.seed.to_string()));
    facts.push(("resamples", count(setup.bootstrap)));
    facts.push(("lapwing", setup.lapwing.clone()));
    facts
}

impl Setup {
    fn anomaly_share(&self) -> f64 {
        self.anomalies as f64 / self.rows_scored.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let shown: Vec<String> = [0, 12, 123, 1234, 123_456, 1_234_567].into_iter().map(count).collect();
        assert_eq!(shown, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }
}
