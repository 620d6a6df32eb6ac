use lapwing_features::{FeatureSpec, WindowMeasure};

use super::connect::Connect;
use super::detect::{Detector, Inputs};
use super::join_fit;
use super::nearest::{listed, name_hint, nearest, quoted};
use super::outputs::Role;
use super::pipeline::Settings;
use super::report::Report;
use super::schema::{FieldType, SchemaField};
use super::source::{APPEND, Format, LINE};
use super::templates::Templates;
use super::units::is_topic_name;
use super::window::{WINDOW_END, WINDOW_EVENTS, WINDOW_SECONDS, WINDOW_START, Window};

/// A column that exists, and its type if that is known.
struct Column<'a> {
    name: &'a str,
    kind: Option<FieldType>,
}

impl<'a> Column<'a> {
    fn of_field(field: &'a SchemaField) -> Self {
        Self { name: &field.name, kind: Some(field.kind) }
    }

    fn of_unknown_type(name: &'a String) -> Self {
        Self { name, kind: None }
    }
}

/// Checks what involves more than one table of the file.
pub(super) fn check(settings: &Settings, report: &Report<'_>) {
    check_topic(settings, report);
    check_topics_differ(settings, report);
    check_repartition(settings, report);
    check_time(settings, report);
    check_internal_topics(settings, report);
    check_enriched_extras(settings, report);
    join_fit::check(settings, report);
    check_lines(settings, report);
    let of_lines = line_columns(settings);
    let declared = declared_columns(settings, of_lines.as_deref());
    if let Some(declared) = &declared {
        check_source_fields(settings, declared, report);
        check_feature_names(settings, declared, report);
    }
    // A query may add, drop and rename columns, so only without one is it known what features and detectors see.
    let joined = settings.joins.iter().flat_map(|join| join.schema.iter().zip(&join.columns));
    let joined = joined.map(|(field, name)| Column { name, kind: Some(field.kind) });
    let of_templates = settings.templates.iter().flat_map(Templates::columns).collect::<Vec<_>>();
    let with_templates = joined.chain(of_templates.iter().map(Column::of_field));
    if let (Some(templates), Some(declared)) = (&settings.templates, &declared) {
        check_templates(templates, declared, report);
    }
    let known = declared.filter(|_| settings.enrich.query.is_none());
    let known = known.map(|declared| declared.into_iter().chain(with_templates).collect::<Vec<_>>());
    if let (Some(window), Some(known)) = (&settings.window, &known) {
        check_window_columns(window, known, report);
    }
    let outputs = settings.window.iter().flat_map(|window| window.spec.outputs()).collect::<Vec<_>>();
    let known = match &settings.window {
        Some(_) => Some(columns_of_window(settings, &outputs)),
        None => known,
    };
    if let Some(known) = &known {
        check_feature_columns(settings, known, report);
        check_encoded_columns(settings, known, report);
    }
    check_detectors(settings, known.as_deref(), report);
    check_decide(settings, report);
}

fn check_decide(settings: &Settings, report: &Report<'_>) {
    if settings.window.is_some() && settings.decide.postprocessing.is_on() {
        let switched = ["likelihood", "rest", "release"].into_iter().find(|key| report.is_given(&["decide", key]));
        let place = report.key_place(&["decide", switched.unwrap_or("rest")]);
        let message = "a window is amended, so its score has no recent ones to be compared with".to_owned();
        let hint = "remove `likelihood`, `rest` and `release`, or `[window]`".to_owned();
        report.add_pair(&place, &report.key_place(&["window"]), message, hint);
    }
    for kind in &settings.decide.types {
        let Some(vote) = &kind.vote else { continue };
        if settings.detect.detectors.iter().all(|detector| detector.name != vote.detector) {
            let place = report.value_place(&["decide", "types", &kind.name, "detector"]);
            let names = settings.detect.detectors.iter().map(|detector| detector.name.as_str());
            let message = format!("there is no detector {}", quoted(&vote.detector));
            report.add(&place, message, name_hint(&vote.detector, &names.collect::<Vec<_>>()));
        }
    }
}

fn check_topic(settings: &Settings, report: &Report<'_>) {
    if settings.source.topic.is_none()
        && !matches!(settings.connect, Connect::Files(_))
        && !report.is_given(&["source", "topic"])
    {
        let hint = "the topic that is read; only with [connect.files] it may be left out".to_owned();
        report.add(&report.key_place(&["source"]), "`source.topic` is missing".to_owned(), hint);
    }
}

/// Files do not keep the time of an append: they would be read differently again.
fn check_time(settings: &Settings, report: &Report<'_>) {
    let is_of_append = settings.source.time.is_none() && report.is_given(&["source", "time"]);
    if is_of_append && matches!(settings.connect, Connect::Files(_)) {
        let message = format!("`source.time` is {APPEND:?}, but the lines of files are not appended to a topic");
        let hint = "name the field that holds event time".to_owned();
        report.add(&report.value_place(&["source", "time"]), message, hint);
    }
}

fn check_repartition(settings: &Settings, report: &Report<'_>) {
    if settings.source.repartition && matches!(settings.connect, Connect::Files(_)) {
        let message = "`source.repartition` needs topics, but the events come from files".to_owned();
        let hint = "remove it: files are one partition, which has every entity whole".to_owned();
        report.add(&report.value_place(&["source", "repartition"]), message, hint);
    }
}

/// The internal topics are named by the group.
fn check_internal_topics(settings: &Settings, report: &Report<'_>) {
    let has_internal = settings.source.repartition || settings.needs_markers();
    if has_internal && !is_topic_name(&format!("{}.repartitioned", settings.source.group)) {
        let message = format!("`source.group` cannot be {}", quoted(&settings.source.group));
        let hint = "it begins the names of internal topics: letters, digits, dots, underscores and hyphens".to_owned();
        report.add(&report.value_place(&["source", "group"]), message, hint);
    }
}

fn check_topics_differ(settings: &Settings, report: &Report<'_>) {
    let topics = settings.topics_named();
    let path = |role: Role, at: usize| match role {
        Role::Source => vec!["source", "topic"],
        // The joins come after the source, in their order.
        Role::Joined => {
            let before = topics.iter().position(|(role, _)| *role == Role::Joined).unwrap_or(0);
            vec!["join", &settings.joins[at - before].name, "topic"]
        }
        _ => vec!["outputs", role.name()],
    };
    for (index, (role, topic)) in topics.iter().enumerate() {
        let Some(other) = topics[..index].iter().position(|(_, earlier)| earlier == topic) else {
            continue;
        };
        let (place, other_place) = (path(*role, index), path(topics[other].0, other));
        let message =
            format!("`{}` and `{}` are the same topic, {}", other_place.join("."), place.join("."), quoted(topic));
        let hint = "topics of different roles must differ".to_owned();
        report.add_pair(&report.value_place(&place), &report.value_place(&other_place), message, hint);
    }
}

fn check_enriched_extras(settings: &Settings, report: &Report<'_>) {
    let extras = [("features", settings.outputs.features), ("scores", settings.outputs.scores)];
    for (name, wanted) in extras {
        if wanted && settings.outputs.enriched.is_none() && report.is_given(&["outputs", name]) {
            let message = format!("`outputs.{name}` adds to enriched events, but they are switched off");
            let place = report.value_place(&["outputs", name]);
            let other = report.value_place(&["outputs", "enriched"]);
            report.add_pair(&place, &other, message, format!("remove `{name}`, or name a topic in `enriched`"));
        }
    }
}

/// The columns the file declares. `None` if they are only known at run time.
fn declared_columns<'a>(settings: &'a Settings, of_lines: Option<&'a [SchemaField]>) -> Option<Vec<Column<'a>>> {
    if let Some(fields) = of_lines {
        return Some(fields.iter().map(Column::of_field).collect());
    }
    if let Some(fields) = &settings.schema {
        return Some(fields.iter().map(Column::of_field).collect());
    }
    match &settings.source.format {
        Format::Csv(csv) => Some(csv.columns.as_ref()?.iter().map(Column::of_unknown_type).collect()),
        Format::Json | Format::Lines(_) => None,
    }
}

/// The columns that the lines of a log give.
fn line_columns(settings: &Settings) -> Option<Vec<SchemaField>> {
    match &settings.source.format {
        Format::Lines(lines) => lines.columns(&settings.source.key),
        Format::Json | Format::Csv(_) => None,
    }
}

/// What a log's lines give follows from their layout, and each name may be there once.
fn check_lines(settings: &Settings, report: &Report<'_>) {
    let Some(columns) = line_columns(settings) else { return };
    if settings.schema.is_some() {
        let message = "[schema] is given, but the layout of the lines says which fields there are".to_owned();
        let hint = "remove [schema], or name the fields in `pattern`".to_owned();
        let (place, other) = (report.key_place(&["schema"]), report.value_place(&["source", "format"]));
        report.add_pair(&place, &other, message, hint);
    }
    let has_keys = matches!(&settings.source.format, Format::Lines(lines) if lines.keys.is_some());
    if has_keys && settings.source.id.is_some() {
        let message = "a line that names several keys is an event of each, which `source.id` would take for repeats";
        let hint = "remove `id`, or `keys`".to_owned();
        let other = report.value_place(&["source", "lines", "keys"]);
        report.add_pair(&report.value_place(&["source", "id"]), &other, message.to_owned(), hint);
    }
    for (at, column) in columns.iter().enumerate() {
        if columns[..at].iter().any(|before| before.name == column.name) {
            let message = format!("a line would give {} twice", quoted(&column.name));
            let hint = format!("rename the field; `{LINE}` is the whole line, and `source.key` what `keys` finds");
            report.add(&report.key_place(&["source", "lines"]), message, hint);
        }
    }
}

fn check_templates(templates: &Templates, declared: &[Column<'_>], report: &Report<'_>) {
    let place = report.value_place(&["templates", "column"]);
    match declared.iter().find(|column| column.name == templates.column) {
        None => {
            let names = declared.iter().map(|column| column.name);
            unknown_column(report, &place, "[templates]", &templates.column, names);
        }
        Some(Column { kind: Some(kind), .. }) if *kind != FieldType::Text => {
            let message = format!("templates are of text, but {} is {}", quoted(&templates.column), kind.name());
            report.add(&place, message, None);
        }
        Some(_) => {}
    }
    for own in templates.columns() {
        if declared.iter().any(|column| column.name == own.name) {
            let message = format!("[templates] adds a column {}, which the events have already", quoted(&own.name));
            report.add(&report.key_place(&["templates"]), message, "rename the field of the events".to_owned());
        }
    }
}

fn check_source_fields(settings: &Settings, declared: &[Column<'_>], report: &Report<'_>) {
    let source = &settings.source;
    let fields = [("key", Some(source.key.as_str())), ("time", source.time.as_deref()), ("id", source.id.as_deref())];
    for (role, field) in fields {
        let Some(field) = field.filter(|field| !field.is_empty()) else {
            continue;
        };
        if !declared.iter().any(|column| column.name == field) {
            let place = report.value_place(&["source", role]);
            unknown_column(report, &place, &format!("`source.{role}`"), field, declared.iter().map(|c| c.name));
        }
    }
}

fn check_feature_names(settings: &Settings, declared: &[Column<'_>], report: &Report<'_>) {
    for feature in &settings.features {
        if declared.iter().any(|column| column.name == feature.name) {
            let message = format!("the feature `{}` has the name of a field", feature.name.escape_debug());
            let place = report.key_place(&["features", &feature.name]);
            let in_schema = report.key_place(&["schema", &feature.name]);
            let in_csv = report.key_place(&["source", "csv", "columns"]);
            let other = if settings.schema.is_some() { in_schema } else { in_csv };
            report.add_pair(&place, &other, message, "rename the feature".to_owned());
        }
    }
}

fn check_feature_columns(settings: &Settings, known: &[Column<'_>], report: &Report<'_>) {
    for feature in &settings.features {
        let place = report.value_place(&["features", &feature.name, feature.measure.name()]);
        let what = format!("the feature `{}`", feature.name.escape_debug());
        let columns = feature.measure.columns();
        for name in columns.into_iter().filter(|_| feature.surprise_of(&settings.features).is_none()) {
            match known.iter().find(|column| column.name == name) {
                None => unknown_column(report, &place, &what, name, known.iter().map(|column| column.name)),
                Some(column) if feature.measure.needs_number() && !is_numeric(column) => {
                    let message = format!("`{}` of {} needs numbers", feature.measure.name(), quoted(name));
                    let hint = "count, distinct, entropy, share, first_seen and rarity take any column".to_owned();
                    report.add_pair(&place, &report.value_place(&["schema", name]), message, hint);
                }
                Some(_) => {}
            }
        }
        if let Some(peers) = feature.peers().filter(|peers| !known.iter().any(|column| column.name == *peers)) {
            let place = report.value_place(&["features", &feature.name, "peers"]);
            unknown_column(report, &place, &what, peers, known.iter().map(|column| column.name));
        }
    }
}

fn check_window_columns(window: &Window, known: &[Column<'_>], report: &Report<'_>) {
    for column in &window.spec.columns {
        let Some(name) = &column.column else { continue };
        let place = report.value_place(&["window", "columns", &column.name, column.measure.name()]);
        let what = format!("the window's column `{}`", column.name.escape_debug());
        match known.iter().find(|known| known.name == name) {
            None => unknown_column(report, &place, &what, name, known.iter().map(|column| column.name)),
            Some(known) if !takes_any(column.measure) && !is_numeric(known) => {
                let message = format!("`{}` of {} needs numbers", column.measure.name(), quoted(name));
                report.add(&place, message, "count, distinct and span take any column".to_owned());
            }
            Some(_) => {}
        }
    }
    if let Some(name) = window.text.as_ref().filter(|name| !known.iter().any(|column| column.name == **name)) {
        let place = report.value_place(&["window", "texts", "column"]);
        unknown_column(report, &place, "[window.texts]", name, known.iter().map(|column| column.name));
    }
}

/// Whether a measure looks at presence or identity only.
fn takes_any(measure: WindowMeasure) -> bool {
    matches!(measure, WindowMeasure::Count | WindowMeasure::Distinct | WindowMeasure::Span)
}

/// What features and detectors see of a window.
fn columns_of_window<'a>(settings: &'a Settings, outputs: &'a [String]) -> Vec<Column<'a>> {
    let number = |name: &'a str| Column { name, kind: Some(FieldType::Float) };
    let times = [WINDOW_START, WINDOW_END].map(|name| Column { name, kind: Some(FieldType::Time) });
    let key = Column { name: &settings.source.key, kind: Some(FieldType::Text) };
    let own = [WINDOW_EVENTS, WINDOW_SECONDS].map(number);
    let declared = outputs.iter().map(|name| number(name));
    [key].into_iter().chain(times).chain(own).chain(declared).collect()
}

fn check_encoded_columns(settings: &Settings, known: &[Column<'_>], report: &Report<'_>) {
    for (name, _) in &settings.encode {
        if !known.iter().any(|column| column.name == name) {
            let place = report.key_place(&["encode", name]);
            unknown_column(report, &place, "[encode]", name, known.iter().map(|column| column.name));
        }
    }
}

fn check_detectors(settings: &Settings, known: Option<&[Column<'_>]>, report: &Report<'_>) {
    for detector in &settings.detect.detectors {
        match &detector.inputs {
            Inputs::Features if settings.features.is_empty() => {
                let path = ["detect", &detector.name, "inputs"];
                if report.is_given(&path) {
                    let message = "inputs are all features, but there are none".to_owned();
                    report.add(&report.value_place(&path), message, "add [features], or list columns".to_owned());
                }
            }
            Inputs::Features => {}
            Inputs::Listed(names) => check_inputs(settings, detector, ("inputs", names), known, report),
            Inputs::Numeric { exclude } => {
                check_inputs(settings, detector, ("exclude", exclude), known, report);
            }
        }
    }
}

fn check_inputs(
    settings: &Settings,
    detector: &Detector,
    (key, names): (&str, &[String]),
    known: Option<&[Column<'_>]>,
    report: &Report<'_>,
) {
    let Some(known) = known else {
        return;
    };
    let features: Vec<String> = settings.features.iter().flat_map(FeatureSpec::outputs).collect();
    for name in names {
        let is_feature = features.contains(name);
        let is_encoded = settings.encode.iter().any(|(column, _)| column == name);
        let place = report.text_place(&["detect", &detector.name, key], name);
        match known.iter().find(|column| column.name == name) {
            _ if is_feature || is_encoded => {}
            None => {
                let names = known.iter().map(|column| column.name).chain(features.iter().map(String::as_str));
                unknown_column(
                    report,
                    &place,
                    &format!("the detector `{}`", detector.name.escape_debug()),
                    name,
                    names,
                );
            }
            Some(column) if key == "inputs" && !is_numeric(column) => {
                let message = format!("{} holds no numbers", quoted(name));
                let hint = format!("encode it: [encode] {name} = \"frequency\"");
                report.add_pair(&place, &report.value_place(&["schema", name]), message, hint);
            }
            Some(_) => {}
        }
    }
}

fn is_numeric(column: &Column<'_>) -> bool {
    !matches!(column.kind, Some(FieldType::Text | FieldType::Time))
}

fn unknown_column<'a>(
    report: &Report<'_>,
    place: &std::ops::Range<usize>,
    user: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) {
    let hint = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", listed(known)),
    };
    report.add(place, format!("{user} uses {}, which is not a column", quoted(name)), hint);
}
