use std::ops::RangeInclusive;

use lapwing_vocabulary::Severity;
use lapwing_vocabulary::time::SECOND;
use serde::{Deserialize, Serialize};

use super::keys;
use super::section::{Field, Section};
use super::units::{YEAR, is_plain_name};

/// Shortest and longest time over which scores are compared. Units: microseconds.
const SPAN: RangeInclusive<i64> = SECOND..=YEAR;

/// Largest share of normal rows that may be flagged: beyond a half, what is normal would be the exception.
const ALERT_RATE_MAX: f64 = 0.5;

/// When an alert is raised, and what it is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Decide {
    /// Share of normal rows that may be flagged; the threshold follows from it. Range: 0 < r ≤ 0.5.
    pub alert_rate: f64,
    /// Column among whose rows of equal value scores are compared.
    pub segment: Option<String>,
    /// What becomes of a score in the light of the entity's recent ones.
    pub postprocessing: Postprocessing,
    /// Anomaly types in the order of the file; the first that applies names the alert.
    pub types: Vec<AlertType>,
}

/// What becomes of a score in the light of the entity's recent ones; left out, it stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Postprocessing {
    /// Judge the recent level of scores by the level before.
    pub likelihood: Option<Likelihood>,
    /// For how long an event about as surprising as the last is no news. Units: microseconds.
    pub rest_micros: Option<i64>,
    /// Part of the threshold's surprisal below which a finding is over. Range: 0 < r ≤ 1.
    pub release: Option<f64>,
}

/// Over which times the level of scores is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Likelihood {
    /// What is recent. Units: microseconds.
    pub recent_micros: i64,
    /// What it is compared with. Units: microseconds.
    pub over_micros: i64,
}

impl Postprocessing {
    /// Whether anything is switched on.
    pub fn is_on(&self) -> bool {
        *self != Self::default()
    }
}

/// An anomaly type.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertType {
    /// Its name.
    pub name: String,
    /// SQL condition over columns and features.
    pub when: String,
    /// Urgency of its alerts.
    pub severity: Severity,
    /// A detector that votes for this type by itself, whatever the others say.
    pub vote: Option<Vote>,
}

/// A detector's own vote.
#[derive(Clone, Debug, PartialEq)]
pub struct Vote {
    /// Name of the detector.
    pub detector: String,
    /// From where on it votes.
    pub at: VoteAt,
}

/// From where on a detector votes by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum VoteAt {
    /// Share of normal rows it may flag. Range: 0 < r ≤ 0.5.
    Rate(f64),
    /// Its own score, on its own scale: of a random forest the probability.
    Score(f64),
}

/// What models are fitted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Train {
    /// SQL condition over the rows to learn from; `None` takes all.
    pub filter: Option<String>,
    /// Column that says which rows are anomalies.
    pub label: Option<String>,
    /// Its values that mean normal; empty are the usual words.
    pub normal: Vec<String>,
    /// Rows kept in memory for fitting, drawn evenly from all.
    pub sample: usize,
    /// Seed of everything drawn in training.
    pub seed: u64,
}

/// Reads `[decide]`.
pub(super) fn read(root: &Section<'_>) -> Decide {
    let section = root.section("decide", keys::DECIDE);
    let types = section.free_section("types").fields();
    Decide {
        alert_rate: section.field("alert_rate").and_then(|field| read_rate(&field)).unwrap_or(0.003),
        segment: section.field("segment").and_then(|field| field.text()),
        postprocessing: Postprocessing {
            likelihood: read_likelihood(&section),
            rest_micros: section.field("rest").and_then(|field| field.duration(SPAN)),
            release: section.field("release").and_then(|field| read_share(&field, "half of the threshold: 0.5")),
        },
        types: types.iter().map(read_type).collect(),
    }
}

fn read_likelihood(section: &Section<'_>) -> Option<Likelihood> {
    let field = section.field("likelihood")?;
    let section = field.section(keys::LIKELIHOOD);
    let recent_micros = section.required("recent", "what is recent, such as recent = \"10m\"")?.duration(SPAN)?;
    let over = section.required("over", "what it is compared with, such as over = \"7d\"")?;
    let over_micros = over.duration(SPAN)?;
    if over_micros <= recent_micros {
        let hint = "`over` is what `recent` is compared with: make it many times as long".to_owned();
        return over.refuse(format!("`{}` is no longer than `recent`", over.path()), hint);
    }
    Some(Likelihood { recent_micros, over_micros })
}

/// A number above 0, up to 1.
fn read_share(field: &Field<'_>, example: &str) -> Option<f64> {
    let share = field.number()?;
    if share > 0.0 && share <= 1.0 {
        return Some(share);
    }
    field.refuse(format!("`{}` is {share}", field.path()), format!("more than 0, at most 1; {example}"))
}

fn read_rate(field: &Field<'_>) -> Option<f64> {
    let rate = field.number()?;
    if rate > 0.0 && rate <= ALERT_RATE_MAX {
        return Some(rate);
    }
    let hint = "a share of normal rows: more than 0, at most 0.5; 0.003 is three in a thousand".to_owned();
    field.refuse(format!("`{}` is {rate}", field.path()), hint)
}

fn read_type(field: &Field<'_>) -> AlertType {
    if !is_plain_name(&field.name, "_") {
        let message = format!("an anomaly type cannot be called `{}`", field.name.escape_debug());
        let hint = "small letters, digits and underscores, at most 64".to_owned();
        field.report.add(&field.key_place, message, hint);
    }
    let section = field.section(keys::ALERT_TYPE);
    let severities = Severity::ALL.map(|severity| (severity.name(), severity));
    let severity = section.field("severity").and_then(|field| field.choice(&severities));
    let when = match section.is_given() {
        // What a detector votes for may need no other condition.
        true if section.field("detector").is_some() && section.field("when").is_none() => None,
        true => section.required("when", "an SQL condition, such as when = \"bytes_vs_usual > 4\""),
        false => None,
    };
    AlertType {
        name: field.name.clone(),
        when: when.and_then(|field| field.text()).unwrap_or_else(|| "TRUE".to_owned()),
        severity: severity.unwrap_or(Severity::Warning),
        vote: read_vote(&section),
    }
}

fn read_vote(section: &Section<'_>) -> Option<Vote> {
    let (detector, rate, score) = (section.field("detector"), section.field("alert_rate"), section.field("min_score"));
    if let (Some(rate), Some(score)) = (&rate, &score) {
        let message = "`alert_rate` and `min_score` both say from where on the detector votes".to_owned();
        section.report.add_pair(&score.key_place, &rate.key_place, message, "remove one of them".to_owned());
        return None;
    }
    let at = match (&rate, &score) {
        (Some(rate), _) => Some(VoteAt::Rate(read_rate(rate)?)),
        (None, Some(score)) => Some(VoteAt::Score(score.number()?)),
        (None, None) => None,
    };
    match (detector, at) {
        (None, None) => None,
        (Some(detector), Some(at)) => Some(Vote { detector: detector.text()?, at }),
        (detector, _) => {
            let one = detector.or(rate).or(score)?;
            let hint =
                "`detector` names the one that votes; `alert_rate` says which share of normal rows it may flag, \
                        `min_score` from which score on it votes"
                    .to_owned();
            let message = format!("`{}` goes with `detector` and one of `alert_rate`, `min_score`", one.path());
            section.report.add(&one.key_place, message, hint);
            None
        }
    }
}

/// Reads `[train]`.
pub(super) fn read_train(root: &Section<'_>) -> Train {
    let section = root.section("train", keys::TRAIN);
    Train {
        filter: section.field("where").and_then(|field| field.text()),
        label: section.field("label").and_then(|field| field.text()),
        normal: read_normal(&section),
        sample: section.integer_or("sample", 2..=100_000_000, 200_000) as usize,
        seed: section.integer_or("seed", 0..=i64::MAX, 1) as u64,
    }
}

fn read_normal(section: &Section<'_>) -> Vec<String> {
    let Some(field) = section.field("normal") else { return Vec::new() };
    if section.field("label").is_none() {
        let hint = "name the column: label = \"attack\"".to_owned();
        section.report.add(
            &field.key_place,
            "`train.normal` says what a label means, but there is none".to_owned(),
            hint,
        );
    }
    field.texts().unwrap_or_default()
}
