use std::ops::RangeInclusive;

use lapwing_vocabulary::time::SECOND;

use super::keys;
use super::section::{Field, Section};
use super::units::{YEAR, is_identifier};

/// Shortest and longest window. Units: microseconds.
const WINDOW: RangeInclusive<i64> = SECOND..=YEAR;

/// A number kept per entity over event time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Name of the column it becomes.
    pub name: String,
    /// What is computed.
    pub measure: Measure,
    /// The column it is computed from; `None` counts every event.
    pub column: Option<String>,
    /// How far back it looks.
    pub span: Span,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Number of events, or of values that are not null.
    Count,
    /// Sum.
    Sum,
    /// Arithmetic mean.
    Mean,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// Standard deviation.
    Std,
    /// How many standard deviations the event's value lies from the mean.
    Zscore,
}

impl Measure {
    /// Every measure, in the order of the reference.
    pub const ALL: [Self; 7] = [Self::Count, Self::Sum, Self::Mean, Self::Min, Self::Max, Self::Std, Self::Zscore];

    /// The key for it in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Std => "std",
            Self::Zscore => "zscore",
        }
    }
}

/// How far back a feature looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// A window that slides with event time. Units: microseconds.
    Over(i64),
    /// A baseline that forgets slowly. Units: microseconds.
    Baseline(i64),
}

/// Reads `[features]`, in the order of the file. Faulty ones keep their name for the checks that follow.
pub(super) fn read(root: &Section<'_>) -> Vec<Feature> {
    root.free_section("features").fields().iter().map(read_feature).collect()
}

fn read_feature(field: &Field<'_>) -> Feature {
    if !is_identifier(&field.name) {
        let message = format!("a feature cannot be called `{}`", field.name.escape_debug());
        let hint = "letters, digits and underscores, not a digit first, at most 64".to_owned();
        field.report.add(&field.key_place, message, hint);
    }
    let section = field.section(keys::FEATURE);
    let measure = if section.is_given() { read_measure(&section) } else { None };
    let measure_known = measure.as_ref().map(|(measure, _)| *measure);
    let span = measure_known.and_then(|measure| read_span(&section, measure)).unwrap_or(Span::Over(*WINDOW.start()));
    let (measure, column) = measure.unwrap_or((Measure::Count, None));
    Feature { name: field.name.clone(), measure, column, span }
}

/// The one measure and its column. `None` after a fault.
fn read_measure(section: &Section<'_>) -> Option<(Measure, Option<String>)> {
    let given: Vec<(Measure, Field<'_>)> =
        Measure::ALL.into_iter().filter_map(|measure| Some((measure, section.field(measure.name())?))).collect();
    let names = "exactly one of count, sum, mean, min, max, std, zscore";
    let [(measure, field)] = &given[..] else {
        match &given[..] {
            [(first, one), (second, other), ..] => {
                let message = format!("a feature has one measure, not both `{}` and `{}`", first.name(), second.name());
                section.report.add_pair(&one.key_place, &other.key_place, message, names.to_owned());
            }
            _ => section.report.add(&section.place, "a feature needs a measure".to_owned(), names.to_owned()),
        }
        return None;
    };
    let column = field.text()?;
    match (measure, column.as_str()) {
        (Measure::Count, "*") => Some((*measure, None)),
        (_, "*") => {
            field.refuse(format!("`{}` needs a column, not `*`", field.path()), Some("only count takes `*`".into()))
        }
        _ => Some((*measure, Some(column))),
    }
}

/// The one span. `None` after a fault.
fn read_span(section: &Section<'_>, measure: Measure) -> Option<Span> {
    let (over, baseline) = (section.field("over"), section.field("baseline"));
    match (over, baseline) {
        (Some(over), Some(baseline)) => {
            let message = "a feature has one span, not both `over` and `baseline`".to_owned();
            let hint = "`over` is a sliding window, `baseline` forgets slowly".to_owned();
            section.report.add_pair(&over.key_place, &baseline.key_place, message, hint);
            None
        }
        (Some(over), None) => Some(Span::Over(over.duration(WINDOW)?)),
        (None, Some(baseline)) if measure == Measure::Zscore => Some(Span::Baseline(baseline.duration(WINDOW)?)),
        (None, Some(baseline)) => {
            let message = format!("`baseline` goes with zscore only, not with {}", measure.name());
            section.report.add(&baseline.key_place, message, "write `over` instead".to_owned());
            None
        }
        (None, None) => {
            let hint = match measure {
                Measure::Zscore => "add over = \"5m\" or baseline = \"24h\"",
                _ => "add over = \"5m\"",
            };
            section.report.add(&section.place, "a feature needs a span of time".to_owned(), hint.to_owned());
            None
        }
    }
}
