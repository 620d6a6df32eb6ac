//! From a pipeline file to a compiled plan.

use std::path::Path;
use std::sync::Arc;

use lapwing_connect::files;
use lapwing_models::registry::{Pin, Registry, Source};
use lapwing_pipeline::decode::csv::header_names;
use lapwing_pipeline::decode::infer::{infer_csv, infer_json};
use lapwing_pipeline::decode::lines;
use lapwing_pipeline::decode::schema::{Field, Kind, Schema};
use lapwing_pipeline::frozen::{freeze_schema, read_schema};
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::references::References;
use lapwing_pipeline::settings::{FieldType, Format, ModelVersion, Overrides, Pipeline};

use crate::failure::{CONFIGURATION, Failure, NO_INPUT};
use crate::history::History;
use crate::places::{Inputs, input_files, state_folder};
use crate::transports;

/// Records looked at to infer a schema.
const SAMPLE_RECORDS: usize = 1_000;

/// Reads a pipeline file.
pub fn settings(path: &Path, overrides: &Overrides) -> Result<Pipeline, Failure> {
    Ok(Pipeline::read_with(path, overrides)?)
}

/// Compiles the plan of a pipeline: finds its schema (declared, frozen before, or inferred now) and reads its tables.
pub fn plan(settings: Pipeline, inputs: &Inputs, purpose: Purpose) -> Result<Arc<Plan>, Failure> {
    plan_with(settings, inputs, purpose, &[])
}

/// As [`plan`], with columns that no stage reads but the caller wants to see.
pub fn plan_with(
    settings: Pipeline,
    inputs: &Inputs,
    purpose: Purpose,
    extra: &[String],
) -> Result<Arc<Plan>, Failure> {
    let header = csv_header(&settings, inputs)?;
    let schema = schema(&settings, inputs, header.as_deref())?;
    let references = References::open(&settings.enrich.tables, None);
    let tables = references.map_err(|fault| Failure::new(CONFIGURATION, fault))?.latest();
    Ok(Arc::new(Plan::compile(settings, &schema, header, &tables, purpose, extra)?))
}

/// The registry and the version a pipeline follows.
pub fn model_source(settings: &Pipeline) -> Source {
    let pin = match &settings.detect.version {
        ModelVersion::Alias(alias) => Pin::Alias(alias.clone()),
        ModelVersion::Number(number) => Pin::Version(*number),
    };
    Source::new(Registry::new(&settings.models.path), &settings.detect.ensemble, pin)
}

fn schema(settings: &Pipeline, inputs: &Inputs, header: Option<&[String]>) -> Result<Schema, Failure> {
    if let Some(fields) = &settings.schema {
        let field = |field: &lapwing_pipeline::settings::SchemaField| {
            let path = field.path.as_deref().unwrap_or(&field.name);
            // A CSV field's name may hold dots; only JSON has anything to descend into.
            let path = match (&settings.source.format, &field.path) {
                (Format::Json, Some(_)) => path.split('.').map(str::to_owned).collect(),
                _ => vec![path.to_owned()],
            };
            Field { name: field.name.clone(), path, kind: kind(field.kind) }
        };
        return Ok(Schema { fields: fields.iter().map(field).collect() });
    }
    let fault = |fault: String| Failure::new(CONFIGURATION, fault);
    if let Format::Lines(lines) = &settings.source.format {
        return lines::schema(lines, &settings.source.key).map_err(fault);
    }
    let frozen = state_folder(settings).join("schema.json");
    if let Some(schema) = read_schema(&frozen).map_err(fault)? {
        return Ok(schema);
    }
    let sample = sample(settings, inputs)?;
    if sample.is_empty() {
        let text = "no [schema] is declared and there is no record yet to infer one from\n\
                    hint: produce some events first, or declare the fields in [schema]";
        return Err(Failure::new(CONFIGURATION, text));
    }
    let records = sample.iter().map(Vec::as_slice);
    let time = settings.source.time.as_deref().unwrap_or_default();
    let schema = match (&settings.source.format, header) {
        (Format::Csv(csv), Some(header)) => infer_csv(records, header, csv.delimiter, time),
        _ => infer_json(records, time),
    };
    if schema.fields.is_empty() {
        let text =
            format!("none of the first {} records is a JSON object\nhint: check `format` in [source]", sample.len());
        return Err(Failure::new(CONFIGURATION, text));
    }
    tracing::info!(columns = schema.fields.len(), file = %frozen.display(), "schema inferred from a sample and frozen");
    freeze_schema(&frozen, schema).map_err(fault)
}

fn kind(declared: FieldType) -> Kind {
    match declared {
        FieldType::Int => Kind::Int,
        FieldType::Float => Kind::Float,
        FieldType::Text => Kind::Text,
        FieldType::Bool => Kind::Bool,
        FieldType::Time => Kind::Time,
    }
}

fn csv_header(settings: &Pipeline, inputs: &Inputs) -> Result<Option<Vec<String>>, Failure> {
    let Format::Csv(csv) = &settings.source.format else { return Ok(None) };
    if let Some(columns) = &csv.columns {
        return Ok(Some(columns.clone()));
    }
    let files = input_files(settings, inputs);
    let Some(first) = files.first() else {
        let text = "[source.csv] a topic has no header line: give `header = false` and `columns = […]`";
        return Err(Failure::new(CONFIGURATION, text));
    };
    if first.as_os_str() == "-" {
        let text =
            "[source.csv] the header of standard input cannot be read ahead: give `header = false` and `columns`";
        return Err(Failure::new(CONFIGURATION, text));
    }
    match files::first_line(first)? {
        Some(line) => Ok(Some(header_names(&line, csv.delimiter))),
        None => Err(Failure::new(NO_INPUT, format!("{} is empty: it has no header line", first.display()))),
    }
}

/// The first records of the source.
fn sample(settings: &Pipeline, inputs: &Inputs) -> Result<Vec<Vec<u8>>, Failure> {
    let files = input_files(settings, inputs);
    if let Some(first) = files.first() {
        return sample_file(settings, first);
    }
    let topic = settings.source.topic.as_deref().unwrap_or_default();
    let mut topics = transports::topics(settings)?;
    let mut values = Vec::new();
    let state = transports::describe(topics.as_mut(), topic)?;
    for (partition, (first, _)) in state.partitions.iter().enumerate() {
        let wanted = SAMPLE_RECORDS - values.len();
        if wanted > 0 {
            let records = topics.read(topic, partition as i32, *first, wanted)?;
            values.extend((0..records.len()).map(|index| records.value(index).to_vec()));
        }
    }
    Ok(values)
}

/// The first records of a file.
fn sample_file(settings: &Pipeline, file: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    if file.as_os_str() == "-" {
        let text = "standard input cannot be read ahead to infer a schema\nhint: declare the fields in [schema]";
        return Err(Failure::new(CONFIGURATION, text));
    }
    let mut history = History::Files(transports::finite_files(settings, &[file.to_owned()])?);
    let mut values = Vec::new();
    while let Some(records) = history.next(SAMPLE_RECORDS - values.len())? {
        values.extend((0..records.len()).map(|index| records.value(index).to_vec()));
        if values.len() >= SAMPLE_RECORDS {
            break;
        }
    }
    Ok(values)
}
