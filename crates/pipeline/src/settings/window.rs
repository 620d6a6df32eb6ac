use std::ops::RangeInclusive;

use lapwing_features::{ScoredWindowSpec, Texts, WindowColumn, WindowKind, WindowMeasure};

use super::keys;
use super::section::{Field, Section};
use super::source::LINE;
use super::templates::{TEMPLATE, TEMPLATE_CODE, Templates};
use super::units::{YEAR, is_identifier};

/// Shortest and longest span. Units: microseconds.
const SPAN: RangeInclusive<i64> = 1_000..=YEAR;
/// Windows open at once in a partition unless the file says otherwise.
const OPEN_MAX: i64 = 1_000_000;

/// Columns that every window has besides those declared: its bounds, its events, how long it is.
pub const WINDOW_START: &str = "window_start";
/// Where the window ends.
pub const WINDOW_END: &str = "window_end";
/// Number of events in the window.
pub const WINDOW_EVENTS: &str = "window_events";
/// From its start to its end. Units: seconds.
pub const WINDOW_SECONDS: &str = "window_seconds";

/// The columns that every window has.
pub const WINDOW_OWN: [&str; 4] = [WINDOW_START, WINDOW_END, WINDOW_EVENTS, WINDOW_SECONDS];

/// Windows of an entity as the unit that is scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Kind, lateness and columns.
    pub spec: ScoredWindowSpec,
    /// Column whose text is kept of a window's first and last events; `None` keeps none.
    pub text: Option<String>,
    /// Most windows open at once in a partition; beyond it the one with the oldest deadline is closed early.
    pub open_max: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Tumbling,
    Sliding,
    Session,
    Count,
}

/// The measures of a window's columns, in the order of the reference.
const MEASURES: [WindowMeasure; 12] = [
    WindowMeasure::Count,
    WindowMeasure::Sum,
    WindowMeasure::Mean,
    WindowMeasure::Min,
    WindowMeasure::Max,
    WindowMeasure::Std,
    WindowMeasure::First,
    WindowMeasure::Last,
    WindowMeasure::Distinct,
    WindowMeasure::Counts,
    WindowMeasure::Sequence,
    WindowMeasure::Span,
];

/// Reads `[window]`; `None` if it is left out: then each event is scored.
pub(super) fn read(root: &Section<'_>, templates: Option<&Templates>) -> Option<Window> {
    let section = root.section("window", keys::WINDOW);
    if !section.is_given() {
        return None;
    }
    let faults_before = section.report.len();
    let kinds =
        [("tumbling", Kind::Tumbling), ("sliding", Kind::Sliding), ("session", Kind::Session), ("count", Kind::Count)];
    let kind =
        section.required("kind", "one of tumbling, sliding, session, count").and_then(|field| field.choice(&kinds));
    // Of a kind that is not known nobody can say which bounds it takes.
    let kind = kind.map_or(WindowKind::Tumbling { size_micros: *SPAN.end() }, |kind| read_kind(&section, kind));
    let duration = |name: &str| section.field(name).and_then(|field| field.duration(SPAN));
    let columns = section.free_section("columns").fields();
    let texts = read_texts(&section);
    let spec = ScoredWindowSpec {
        kind,
        events_min: section.integer_or("min_events", 1..=1_000_000_000, 1) as u64,
        texts: texts.as_ref().map(|(_, texts)| *texts),
        allowed_lateness_micros: section.duration_or("allowed_lateness", 0..=YEAR, 0),
        early_micros: duration("early"),
        columns: columns.iter().filter_map(|field| read_column(field, templates)).collect(),
    };
    if section.report.len() == faults_before
        && let Err(fault) = spec.check()
    {
        section.report.add(&section.place, fault.to_string(), None);
    }
    let open_max = section.integer_or("open_max", 1..=1_000_000_000, OPEN_MAX) as usize;
    Some(Window { spec, text: texts.map(|(column, _)| column), open_max })
}

/// Reads `[window.texts]`.
fn read_texts(section: &Section<'_>) -> Option<(String, Texts)> {
    let texts = section.section("texts", keys::WINDOW_TEXTS);
    if !texts.is_given() {
        return None;
    }
    let number = |name: &str, most: i64, default: i64| texts.integer_or(name, 1..=most, default) as usize;
    let kept = Texts { events: number("events", 32, 16), bytes: number("bytes", 4_096, 256) };
    Some((texts.text_or("column", LINE), kept))
}

fn read_kind(section: &Section<'_>, kind: Kind) -> WindowKind {
    refuse_strays(section, kind);
    let optional = |name: &str| section.field(name).and_then(|field| field.duration(SPAN));
    let required = |name: &str| {
        let hint = format!("a length of time, such as {name} = \"1m\"");
        section.required(name, &hint).and_then(|field| field.duration(SPAN)).unwrap_or(*SPAN.end())
    };
    match kind {
        Kind::Tumbling => WindowKind::Tumbling { size_micros: required("size") },
        Kind::Sliding => WindowKind::Sliding { size_micros: required("size"), step_micros: required("step") },
        Kind::Session => WindowKind::Session { gap_micros: required("gap"), age_micros_max: optional("max_age") },
        Kind::Count => {
            let events = section.required("events", "how many events close a window, such as events = 100");
            WindowKind::CountOrTimeout {
                events: events.and_then(|field| field.integer(1..=1_000_000_000)).unwrap_or(1) as u64,
                gap_micros: optional("gap"),
                age_micros_max: optional("max_age"),
            }
        }
    }
}

/// A bound of another kind of window would do nothing, which nobody who writes it expects.
fn refuse_strays(section: &Section<'_>, kind: Kind) {
    let taken: &[&str] = match kind {
        Kind::Tumbling => &["size"],
        Kind::Sliding => &["size", "step"],
        Kind::Session => &["gap", "max_age"],
        Kind::Count => &["events", "gap", "max_age"],
    };
    for name in ["size", "step", "gap", "max_age", "events"] {
        if let Some(field) = section.field(name).filter(|_| !taken.contains(&name)) {
            let message = format!("`{}` does not go with this kind of window", field.path());
            section.report.add(&field.key_place, message, format!("it takes {}", taken.join(", ")));
        }
    }
}

fn read_column(field: &Field<'_>, templates: Option<&Templates>) -> Option<WindowColumn> {
    if !is_identifier(&field.name) || WINDOW_OWN.contains(&field.name.as_str()) {
        let message = format!("a column of a window cannot be called `{}`", field.name.escape_debug());
        let hint = format!(
            "letters, digits and underscores, not a digit first, at most 64; {} are there anyway",
            WINDOW_OWN.join(", ")
        );
        field.report.add(&field.key_place, message, hint);
    }
    let section = field.section(keys::WINDOW_COLUMN);
    let given: Vec<(WindowMeasure, Field<'_>)> =
        MEASURES.into_iter().filter_map(|measure| Some((measure, section.field(measure.name())?))).collect();
    let [(measure, value)] = &given[..] else {
        if section.is_given() {
            let names = MEASURES.map(WindowMeasure::name).join(", ");
            section.report.add(
                &section.place,
                "a column of a window needs a measure".to_owned(),
                format!("exactly one of {names}"),
            );
        }
        return None;
    };
    let column = value.text()?;
    let mut column = match (measure, column.as_str()) {
        (WindowMeasure::Count | WindowMeasure::Span, "*") => None,
        (_, "*") => {
            let hint = "only count and span take `*`".to_owned();
            return value.refuse(format!("`{}` needs a column, not `*`", value.path()), hint);
        }
        _ => Some(column),
    };
    let is_template = column.as_deref() == Some(TEMPLATE);
    if is_template && matches!(measure, WindowMeasure::Counts | WindowMeasure::Sequence) {
        column = Some(TEMPLATE_CODE.to_owned());
    }
    refuse_strays_of(&section, *measure);
    let labels = match measure {
        WindowMeasure::Counts => read_labels(&section, value, templates.filter(|_| is_template))?,
        _ => Vec::new(),
    };
    let length = match measure {
        WindowMeasure::Sequence => section.integer_or("length", 1..=256, 64) as usize,
        _ => 0,
    };
    let column = WindowColumn { name: field.name.clone(), measure: *measure, column, labels, length };
    let is_taken = |name: &String| WINDOW_OWN.contains(&name.as_str()) && *name != column.name;
    if let Some(own) = column.outputs().into_iter().find(is_taken) {
        let message = format!("`{}` would give a column `{own}`, which every window has", value.path());
        return value.refuse(message, "give the column another name".to_owned());
    }
    Some(column)
}

/// `labels` and `length` say something of one measure each.
fn refuse_strays_of(section: &Section<'_>, measure: WindowMeasure) {
    for (key, owner) in [("labels", WindowMeasure::Counts), ("length", WindowMeasure::Sequence)] {
        if let Some(stray) = section.field(key).filter(|_| measure != owner) {
            let message =
                format!("`{}` goes with {}, but the measure is {}", stray.path(), owner.name(), measure.name());
            section.report.add(&stray.key_place, message, format!("remove `{key}`"));
        }
    }
}

/// What the codes of a column mean: of templates their ids, of another column what the file says.
fn read_labels(section: &Section<'_>, value: &Field<'_>, templates: Option<&Templates>) -> Option<Vec<String>> {
    if let Some(given) = section.field("labels") {
        return given.texts();
    }
    let labels = templates.map(Templates::labels).unwrap_or_default();
    if labels.is_empty() {
        let hint = match value.text().as_deref() {
            Some(TEMPLATE) => "give [templates] a `seed`, a list of templates; `lapwing templates learn` makes one",
            _ => "name the codes 1, 2, …, such as labels = [\"opened\", \"closed\"]",
        };
        return value
            .refuse(format!("`{}` counts codes, and their names are not known", value.path()), hint.to_owned());
    }
    Some(labels)
}
