use std::sync::Arc;

use arrow::datatypes::{Field as ArrowField, Schema as ArrowSchema, SchemaRef};

use crate::decode::schema::{Field, Kind, Schema};
use crate::decode::{DecodeOptions, Decoder, Format};
use crate::error::RunError;
use crate::settings::{self, FieldType, Join, Settings};

/// A join, compiled.
#[derive(Clone, Debug)]
pub struct JoinPlan {
    /// The settings it was compiled from.
    pub settings: Join,
    /// How its records are decoded.
    pub decode: DecodeOptions,
    /// Which of its fields the pipeline reads, as indices into its schema.
    pub(crate) read: Vec<usize>,
    /// The types of its fields.
    pub(super) kinds: Vec<Kind>,
}

impl JoinPlan {
    /// Compiles a join of which no field is read yet.
    /// Errors: text that says which setting does not fit.
    pub(crate) fn new(join: &Join, settings: &Settings) -> Result<Self, String> {
        let format = match &join.format {
            settings::Format::Json => Format::Json,
            settings::Format::Lines(lines) => Format::Lines(lines.clone()),
            settings::Format::Csv(csv) => {
                Format::Csv { delimiter: csv.delimiter, header: csv.columns.clone().unwrap_or_default() }
            }
        };
        let field = |field: &settings::SchemaField| {
            let path = match (&format, &field.path) {
                (Format::Json, Some(path)) => path.split('.').map(str::to_owned).collect(),
                (_, path) => vec![path.as_ref().unwrap_or(&field.name).clone()],
            };
            Field { name: field.name.clone(), path, kind: kind(field.kind) }
        };
        let decode = DecodeOptions {
            schema: Schema { fields: join.schema.iter().map(field).collect() },
            format,
            key: join.key.clone(),
            time: join.time.clone(),
            max_future_micros: settings.source.max_future_micros,
            max_record_bytes: settings.max_record_bytes,
        };
        Decoder::new(decode.clone()).map_err(|fault| format!("[join.{}] {fault}", join.name))?;
        let kinds = decode.schema.fields.iter().map(|field| field.kind).collect();
        Ok(Self { settings: join.clone(), decode, read: Vec::new(), kinds })
    }

    /// Its fields as columns of the event.
    pub fn fields(&self) -> Vec<ArrowField> {
        (0..self.settings.columns.len()).map(|at| self.field(at)).collect()
    }

    fn field(&self, at: usize) -> ArrowField {
        ArrowField::new(&self.settings.columns[at], self.kinds[at].data_type(), true)
    }

    /// From now on it gives only those of its fields that are in `names`.
    pub(crate) fn narrow(&mut self, names: &[String]) {
        let columns = self.settings.columns.iter().enumerate();
        self.read = columns.filter(|(_, name)| names.contains(name)).map(|(at, _)| at).collect();
    }

    /// Whether it is a table.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.settings.what, settings::Joined::Table { .. })
    }

    /// Whether a record of it deletes a row: compacted topics mark deleted keys by records without a value.
    pub(crate) fn is_deletion(&self, value: &[u8]) -> bool {
        self.is_table() && value.is_empty()
    }
}

/// The joins of a pipeline, not narrowed yet. What does not fit the events' schema is added to the faults.
pub(crate) fn compile(
    settings: &Settings,
    schema: &Schema,
    faults: &mut Vec<String>,
) -> Result<Vec<JoinPlan>, RunError> {
    let joins = settings.joins.iter().map(|join| JoinPlan::new(join, settings));
    let joins = joins.collect::<Result<Vec<_>, _>>().map_err(|fault| RunError::Plan(vec![fault]))?;
    check(&joins, schema, faults);
    Ok(joins)
}

/// The events' columns with all that the joins can give.
pub(crate) fn with_all_columns(events: &ArrowSchema, joins: &[JoinPlan]) -> SchemaRef {
    let joined = joins.iter().flat_map(JoinPlan::fields).map(Arc::new);
    Arc::new(ArrowSchema::new(events.fields().iter().cloned().chain(joined).collect::<Vec<_>>()))
}

/// The columns of events, and after them those that the joins give.
pub(crate) fn joined_schema(events: &ArrowSchema, joins: &[JoinPlan]) -> SchemaRef {
    let mut fields: Vec<_> = events.fields().iter().cloned().collect();
    for join in joins {
        fields.extend(join.read.iter().map(|at| Arc::new(join.field(*at))));
    }
    Arc::new(ArrowSchema::new(fields))
}

/// Checks the joins against the fields of the events, which may be known only now.
fn check(joins: &[JoinPlan], schema: &Schema, faults: &mut Vec<String>) {
    for JoinPlan { settings: join, decode, .. } in joins {
        let name = &join.name;
        let key = decode.schema.field(&join.key).map(|field| field.kind);
        match (schema.field(&join.on), key) {
            (None, _) => faults.push(format!("[join.{name}] on = \"{}\": the events have no such field", join.on)),
            (Some(on), Some(key)) if on.kind != key => faults.push(format!(
                "[join.{name}] on = \"{}\" is {}, but key = \"{}\" is {}: they are never equal; declare both alike",
                join.on,
                on.kind.name(),
                join.key,
                key.name()
            )),
            (Some(_), _) => {}
        }
        for column in join.columns.iter().filter(|column| schema.field(column).is_some()) {
            faults.push(format!(
                "[join.{name}] gives a column `{column}`, which the events have already; rename the join"
            ));
        }
    }
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
