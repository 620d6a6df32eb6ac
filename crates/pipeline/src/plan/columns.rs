//! Which columns the stages read, and what is wrong with them.

use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use lapwing_detect::{Encoding as ModelEncoding, InputSpec, Inputs as ModelInputs, MemberSpec};
use lapwing_features::{Graph, WindowMeasure};
use lapwing_sql::Predicate;

use super::Purpose;
use crate::decode::schema::Schema;
use crate::settings::{self, Inputs, Settings};

pub(super) fn check_source_columns(settings: &Settings, rows: &ArrowSchema, faults: &mut Vec<String>) {
    for (what, name) in [("key", Some(&settings.source.key)), ("id", settings.source.id.as_ref())] {
        if let Some(name) = name.filter(|name| rows.field_with_name(name).is_err()) {
            let hint = near(name, rows);
            faults.push(format!("[source] {what} = \"{name}\": the enrich query drops this column; {hint}"));
        }
    }
}

pub(super) fn check_feature_columns(settings: &Settings, rows: &ArrowSchema, faults: &mut Vec<String>) {
    for feature in &settings.features {
        let columns = feature.measure.columns();
        for column in columns.into_iter().filter(|_| feature.surprise_of(&settings.features).is_none()) {
            let needs_number = feature.measure.needs_number();
            check_column(&format!("[features] {}", feature.name), column, needs_number, rows, faults);
        }
        if let Some(peers) = feature.peers() {
            check_column(&format!("[features] {}: peers", feature.name), peers, false, rows, faults);
        }
    }
}

pub(super) fn check_window_columns(settings: &Settings, rows: &ArrowSchema, faults: &mut Vec<String>) {
    for column in settings.window.iter().flat_map(|window| &window.spec.columns) {
        let Some(name) = &column.column else { continue };
        let needs_number =
            !matches!(column.measure, WindowMeasure::Count | WindowMeasure::Distinct | WindowMeasure::Span);
        check_column(&format!("[window.columns] {}", column.name), name, needs_number, rows, faults);
    }
}

pub(super) fn check_column(place: &str, name: &str, needs_number: bool, rows: &ArrowSchema, faults: &mut Vec<String>) {
    match rows.field_with_name(name) {
        Err(_) => faults.push(format!("{place}: no column `{name}`; {}", near(name, rows))),
        Ok(field) if needs_number && !is_number(field) => {
            faults.push(format!("{place}: column `{name}` is {}, not a number", field.data_type()));
        }
        Ok(_) => {}
    }
}

/// Enriched output adds the columns the query made, and the features if asked for. Where the original record cannot be
/// spliced (CSV, or a query that names its columns) it consists of the query's columns.
pub(super) fn rendered_columns(
    settings: &Settings,
    events: &Schema,
    rows: &ArrowSchema,
    graph: &Graph,
    splices: bool,
) -> Vec<String> {
    if settings.outputs.enriched.is_none() {
        return Vec::new();
    }
    let names = rows.fields().iter().map(|field| field.name().clone());
    let mut names: Vec<String> = names.filter(|name| !splices || events.field(name).is_none()).collect();
    if settings.outputs.features {
        names.extend(graph.names().iter().cloned());
    }
    names
}

/// Inputs of all detectors together, and of each detector on its own.
pub(super) fn detector_inputs(
    settings: &Settings,
    rows: &ArrowSchema,
    graph: &Graph,
    faults: &mut Vec<String>,
) -> (Vec<InputSpec>, Vec<MemberSpec>) {
    let mut inputs: Vec<InputSpec> = Vec::new();
    let mut members = Vec::new();
    for detector in &settings.detect.detectors {
        let names = match &detector.inputs {
            Inputs::Numeric { exclude } => numeric_inputs(settings, rows, graph, exclude),
            Inputs::Features => graph.names().to_vec(),
            Inputs::Listed(names) => names.clone(),
        };
        let mut own = Vec::new();
        for name in names {
            match input(settings, rows, graph, &name) {
                Ok(spec) => {
                    own.push(name);
                    if !inputs.contains(&spec) {
                        inputs.push(spec);
                    }
                }
                Err(fault) => faults.push(format!("[detect.{}] inputs: {fault}", detector.name)),
            }
        }
        if own.is_empty() && faults.is_empty() {
            faults.push(format!(
                "[detect.{}] has no inputs: name columns or features, or declare [features]",
                detector.name
            ));
        }
        let (name, method) = (detector.name.clone(), detector.method.clone());
        members.push(MemberSpec { name, method, inputs: ModelInputs::Named(own), rules: detector.rules.clone() });
    }
    (inputs, members)
}

pub(super) fn numeric_inputs(
    settings: &Settings,
    rows: &ArrowSchema,
    graph: &Graph,
    exclude: &[String],
) -> Vec<String> {
    let source = &settings.source;
    let named = [&source.id, &settings.train.label];
    let known = |name: &String| {
        let is_named = named.iter().any(|column| column.as_ref() == Some(name));
        *name == source.key || source.time.as_ref() == Some(name) || is_named || exclude.contains(name)
    };
    let encoded = |name: &String| settings.encode.iter().any(|(column, _)| column == name);
    let columns = rows.fields().iter().filter(|field| is_number(field) || encoded(field.name()));
    let columns = columns.map(|field| field.name().clone()).filter(|name| !known(name));
    columns.chain(graph.names().iter().filter(|name| !exclude.contains(name)).cloned()).collect()
}

pub(super) fn input(settings: &Settings, rows: &ArrowSchema, graph: &Graph, name: &str) -> Result<InputSpec, String> {
    let spec = |encoding| Ok(InputSpec { column: name.to_owned(), encoding });
    if graph.names().iter().any(|feature| feature == name) {
        return spec(ModelEncoding::Numeric);
    }
    let Ok(field) = rows.field_with_name(name) else {
        return Err(format!("no column or feature `{name}`; {}", near_of(name, rows, graph)));
    };
    match settings.encode.iter().find(|(column, _)| column == name) {
        Some((_, settings::Encoding::OneHot)) => spec(ModelEncoding::OneHot),
        Some((_, settings::Encoding::Frequency)) => spec(ModelEncoding::Frequency),
        None if is_number(field) => spec(ModelEncoding::Numeric),
        None => Err(format!("column `{name}` is {}, not a number; name it in [encode]", field.data_type())),
    }
}

pub(super) fn predicate_columns(
    settings: &Settings,
    rows: &SchemaRef,
    purpose: Purpose,
    faults: &mut Vec<String>,
) -> Vec<String> {
    let mut columns = Vec::new();
    let types = settings.decide.types.iter().map(|kind| (format!("[decide.types.{}] when", kind.name), &kind.when));
    let filter = settings.train.filter.as_ref().filter(|_| purpose == Purpose::Train);
    for (place, expression) in types.chain(filter.map(|filter| ("[train] where".to_owned(), filter))) {
        match Predicate::plan(expression, rows) {
            Ok(predicate) => columns.extend(predicate.columns()),
            Err(error) => faults.push(format!("{place}: {error}")),
        }
    }
    if let (Some(label), Purpose::Train) = (&settings.train.label, purpose) {
        match rows.field_with_name(label) {
            Ok(_) => columns.push(label.clone()),
            Err(_) => faults.push(format!("[train] label: no column `{label}`; {}", near(label, rows))),
        }
    }
    columns
}

pub(super) fn is_number(field: &ArrowField) -> bool {
    field.data_type().is_numeric() || *field.data_type() == DataType::Boolean
}

pub(super) fn near(name: &str, rows: &ArrowSchema) -> String {
    nearest(name, rows.fields().iter().map(|field| field.name().as_str()).collect())
}

pub(super) fn near_of(name: &str, rows: &ArrowSchema, graph: &Graph) -> String {
    let columns = rows.fields().iter().map(|field| field.name().as_str());
    nearest(name, columns.chain(graph.names().iter().map(String::as_str)).collect())
}

pub(super) fn nearest(name: &str, known: Vec<&str>) -> String {
    let near = known.iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    match near.filter(|near| strsim::jaro_winkler(name, near) > 0.75) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", known.join(", ")),
    }
}
