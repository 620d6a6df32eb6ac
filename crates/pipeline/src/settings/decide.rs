use lapwing_vocabulary::Severity;

use super::keys;
use super::section::{Field, Section};
use super::units::is_plain_name;

/// Largest share of normal rows that may be flagged: beyond a half, what is normal would be the exception.
const ALERT_RATE_MAX: f64 = 0.5;

/// When an alert is raised, and what it is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Decide {
    /// Share of normal rows that may be flagged; the threshold follows from it. Range: 0 < r ≤ 0.5.
    pub alert_rate: f64,
    /// Anomaly types in the order of the file; the first that applies names the alert.
    pub types: Vec<AlertType>,
}

/// An anomaly type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertType {
    /// Its name.
    pub name: String,
    /// SQL condition over columns and features.
    pub when: String,
    /// Urgency of its alerts.
    pub severity: Severity,
}

/// What models are fitted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Train {
    /// SQL condition over the rows to learn from; `None` takes all.
    pub filter: Option<String>,
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
        types: types.iter().map(read_type).collect(),
    }
}

fn read_rate(field: &Field<'_>) -> Option<f64> {
    let rate = field.number()?;
    if rate > 0.0 && rate <= ALERT_RATE_MAX {
        return Some(rate);
    }
    let hint = "a share of normal rows: more than 0, at most 0.5; 0.003 is three in a thousand".to_owned();
    field.refuse(format!("`decide.alert_rate` is {rate}"), hint)
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
        true => section.required("when", "an SQL condition, such as when = \"bytes_vs_usual > 4\""),
        false => None,
    };
    AlertType {
        name: field.name.clone(),
        when: when.and_then(|field| field.text()).unwrap_or_default(),
        severity: severity.unwrap_or(Severity::Warning),
    }
}

/// Reads `[train]`.
pub(super) fn read_train(root: &Section<'_>) -> Train {
    let section = root.section("train", keys::TRAIN);
    Train {
        filter: section.field("where").and_then(|field| field.text()),
        sample: section.integer_or("sample", 2..=100_000_000, 200_000) as usize,
        seed: section.integer_or("seed", 0..=i64::MAX, 1) as u64,
    }
}
