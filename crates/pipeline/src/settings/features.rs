use std::ops::RangeInclusive;

use lapwing_features::{FeatureSpec, Fill, Learn, Measure, Nulls, Over, Season};
use lapwing_vocabulary::time::SECOND;

use super::keys;
use super::section::{Field, Section};
use super::units::{YEAR, is_identifier};

/// Shortest and longest span. Units: microseconds.
const SPAN: RangeInclusive<i64> = SECOND..=YEAR;
/// Most panes of a window.
const PANES: RangeInclusive<i64> = 1..=60;
/// Longest sequence.
const LENGTH: RangeInclusive<i64> = 1..=64;

/// The words for measures, in the order of the reference.
pub(super) const MEASURES: [&str; 26] = [
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "std",
    "rate",
    "distinct",
    "quantile",
    "iqr_position",
    "entropy",
    "share",
    "zscore",
    "robust_zscore",
    "ewma",
    "last",
    "delta",
    "velocity",
    "acceleration",
    "since_last",
    "first_seen",
    "rarity",
    "surprise",
    "geo_distance",
    "geo_speed",
    "correlation",
];
/// The measure that becomes several columns.
pub(super) const SEQUENCE: &str = "sequence";

/// Reads `[features]`, in the order of the file. Faulty ones keep their name for the checks that follow.
pub(super) fn read(root: &Section<'_>) -> Vec<FeatureSpec> {
    root.free_section("features").fields().iter().map(read_feature).collect()
}

fn read_feature(field: &Field<'_>) -> FeatureSpec {
    if !is_identifier(&field.name) {
        let message = format!("a feature cannot be called `{}`", field.name.escape_debug());
        let hint = "letters, digits and underscores, not a digit first, at most 64".to_owned();
        field.report.add(&field.key_place, message, hint);
    }
    let faults_before = field.report.len();
    let section = field.section(keys::FEATURE);
    refuse_strays(&section);
    let measure = if section.is_given() { read_measure(&section) } else { None };
    let over = measure.as_ref().and_then(|measure| read_over(&section, measure));
    let nulls = section.field("nulls").and_then(|field| field.choice(&[("skip", Nulls::Skip), ("zero", Nulls::Zero)]));
    let policies = [Learn::Robust, Learn::All, Learn::Off].map(|learn| (learn.name(), learn));
    let learn = section.field("learn").and_then(|field| field.choice(&policies));
    let fill = section.field("fill").and_then(|field| field.number()).map(Fill::new);
    let spec = FeatureSpec {
        name: field.name.clone(),
        measure: measure.unwrap_or(Measure::Count { column: None }),
        over: over.unwrap_or(Over::Past),
        nulls: nulls.unwrap_or(Nulls::Skip),
        learn: learn.unwrap_or_default(),
        fill,
    };
    if field.report.len() == faults_before
        && let Err(fault) = spec.check()
    {
        field.report.add(&section.place, fault.to_string(), None);
    }
    spec
}

/// Options that only some measures take.
const OPTIONS: [(&str, &[&str]); 6] = [
    ("q", &["quantile"]),
    ("season", &["zscore", "surprise"]),
    ("peers", &["zscore", "robust_zscore", "correlation"]),
    ("length", &[SEQUENCE]),
    ("panes", &["over"]),
    ("learn", &["baseline"]),
];

/// An option that does nothing is never what its writer expects.
fn refuse_strays(section: &Section<'_>) {
    for (option, takers) in OPTIONS {
        let Some(field) = section.field(option) else { continue };
        if !takers.iter().any(|taker| section.field(taker).is_some()) {
            let message = format!("`{}` does nothing here", field.path());
            section.report.add(&field.key_place, message, format!("it goes with {}", takers.join(", ")));
        }
    }
}

/// The one measure with its columns and options. `None` after a fault.
fn read_measure(section: &Section<'_>) -> Option<Measure> {
    let words = MEASURES.into_iter().chain([SEQUENCE]);
    let given: Vec<(&str, Field<'_>)> = words.filter_map(|word| Some((word, section.field(word)?))).collect();
    let [(word, field)] = &given[..] else {
        match &given[..] {
            [(first, one), (second, other), ..] => {
                let message = format!("a feature has one measure, not both `{first}` and `{second}`");
                let hint = "declare another feature for the second".to_owned();
                section.report.add_pair(&one.key_place, &other.key_place, message, hint);
            }
            _ => {
                let hint = format!("exactly one of {}, {SEQUENCE}", MEASURES.join(", "));
                section.report.add(&section.place, "a feature needs a measure".to_owned(), hint);
            }
        }
        return None;
    };
    if let "geo_distance" | "geo_speed" = *word {
        return geo(word, field);
    }
    let column = field.text()?;
    match (*word, column.as_str()) {
        ("count" | "rate" | "since_last" | "correlation", "*") => with_events(word, section),
        (_, "*") => {
            let hint = "only count, rate, since_last and correlation take `*`".to_owned();
            field.refuse(format!("`{}` needs a column, not `*`", field.path()), hint)
        }
        _ => with_column(word, column, section),
    }
}

/// A measure of events rather than values.
fn with_events(word: &str, section: &Section<'_>) -> Option<Measure> {
    Some(match word {
        "count" => Measure::Count { column: None },
        "rate" => Measure::Rate { column: None },
        "since_last" => Measure::SinceLast { column: None },
        _ => Measure::Correlation { column: None, peers: required_peers(section)? },
    })
}

fn with_column(word: &str, column: String, section: &Section<'_>) -> Option<Measure> {
    Some(match word {
        "count" => Measure::Count { column: Some(column) },
        "sum" => Measure::Sum { column },
        "mean" => Measure::Mean { column },
        "min" => Measure::Min { column },
        "max" => Measure::Max { column },
        "std" => Measure::StandardDeviation { column },
        "rate" => Measure::Rate { column: Some(column) },
        "distinct" => Measure::Distinct { column },
        "quantile" => Measure::Quantile { column, q_ppm: read_q(section)? },
        "iqr_position" => Measure::IqrPosition { column },
        "entropy" => Measure::Entropy { column },
        "share" => Measure::Share { column },
        "zscore" => Measure::Zscore { column },
        "robust_zscore" => Measure::RobustZscore { column },
        "ewma" => Measure::Ewma { column },
        "last" => Measure::Last { column },
        "delta" => Measure::Delta { column },
        "velocity" => Measure::Velocity { column },
        "acceleration" => Measure::Acceleration { column },
        "since_last" => Measure::SinceLast { column: Some(column) },
        "first_seen" => Measure::FirstSeen { column },
        "rarity" => Measure::Rarity { column },
        "surprise" => Measure::Surprise { column },
        "correlation" => Measure::Correlation { column: Some(column), peers: required_peers(section)? },
        _ => Measure::Sequence { column, length: section.integer_or("length", LENGTH, 8) as usize },
    })
}

fn geo(word: &str, field: &Field<'_>) -> Option<Measure> {
    let columns = field.texts()?;
    let [latitude, longitude] = <[String; 2]>::try_from(columns).ok().or_else(|| {
        let hint = format!("write {word} = [\"latitude\", \"longitude\"], in degrees");
        field.refuse(format!("`{}` needs two columns", field.path()), hint)
    })?;
    Some(match word {
        "geo_distance" => Measure::GeoDistance { latitude, longitude },
        _ => Measure::GeoSpeed { latitude, longitude },
    })
}

fn required_peers(section: &Section<'_>) -> Option<String> {
    section.required("peers", "the column that names the group, such as peers = \"role\"")?.text()
}

/// The quantile in millionths.
fn read_q(section: &Section<'_>) -> Option<u32> {
    let field = section.required("q", "the share of values below, such as q = 0.95")?;
    let q = field.number()?;
    if (0.0..=1.0).contains(&q) {
        return Some((q * 1e6).round() as u32);
    }
    field.refuse(format!("`{}` is {q}", field.path()), "allowed: 0 to 1".to_owned())
}

/// The one span. `None` after a fault.
fn read_over(section: &Section<'_>, measure: &Measure) -> Option<Over> {
    let (over, baseline) = (section.field("over"), section.field("baseline"));
    let panes = section.field("panes").map(|field| field.integer(PANES));
    let (takes_window, takes_baseline, takes_past) = spans_of(measure);
    match (over, baseline) {
        (Some(over), Some(baseline)) => {
            let message = "a feature has one span, not both `over` and `baseline`".to_owned();
            let hint = "`over` is a sliding window, `baseline` forgets slowly".to_owned();
            section.report.add_pair(&over.key_place, &baseline.key_place, message, hint);
            None
        }
        (Some(over), None) if takes_window => {
            let panes = panes.flatten().map_or(measure.panes_default(), |panes| panes as usize);
            Some(Over::Window { length_micros: over.duration(SPAN)?, panes })
        }
        (None, Some(baseline)) if takes_baseline => {
            let seasons = [("day", Season::Day), ("week", Season::Week)];
            let season = section.field("season").and_then(|field| field.choice(&seasons));
            let peers = section.field("peers").and_then(|field| field.text());
            Some(Over::Baseline { length_micros: baseline.duration(SPAN)?, season, peers })
        }
        (None, None) if takes_past => Some(Over::Past),
        (Some(field), None) | (None, Some(field)) => {
            let message = format!("`{}` does not go with {}", field.name, measure.name());
            section.report.add(&field.key_place, message, span_hint(takes_window, takes_baseline).to_owned());
            None
        }
        (None, None) => {
            let hint = span_hint(takes_window, takes_baseline).to_owned();
            section.report.add(&section.place, "a feature needs a span of time".to_owned(), hint);
            None
        }
    }
}

/// Whether a measure goes with `over`, with `baseline`, and with neither.
fn spans_of(measure: &Measure) -> (bool, bool, bool) {
    match measure {
        Measure::Zscore { .. } | Measure::RobustZscore { .. } => (true, true, false),
        Measure::Ewma { .. } | Measure::Rarity { .. } | Measure::Surprise { .. } => (false, true, false),
        Measure::FirstSeen { .. } => (true, false, true),
        Measure::Last { .. }
        | Measure::Delta { .. }
        | Measure::Velocity { .. }
        | Measure::Acceleration { .. }
        | Measure::SinceLast { .. }
        | Measure::GeoDistance { .. }
        | Measure::GeoSpeed { .. }
        | Measure::Sequence { .. } => (false, false, true),
        _ => (true, false, false),
    }
}

fn span_hint(takes_window: bool, takes_baseline: bool) -> &'static str {
    match (takes_window, takes_baseline) {
        (true, true) => "add over = \"5m\" or baseline = \"24h\"",
        (true, false) => "add over = \"5m\"",
        (false, true) => "add baseline = \"24h\"",
        (false, false) => "leave it out: it looks at the entity's last event",
    }
}
