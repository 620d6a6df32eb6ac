use super::keys;
use super::section::{Field, Section};

/// What kind of values a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Whole numbers, 64 bits.
    Int,
    /// Numbers with a fraction, 64 bits.
    Float,
    /// Text.
    Text,
    /// True or false.
    Bool,
    /// Moments, in any form event time may have.
    Time,
}

impl FieldType {
    /// Every type with its word.
    pub const ALL: [(&'static str, Self); 5] =
        [("int", Self::Int), ("float", Self::Float), ("text", Self::Text), ("bool", Self::Bool), ("time", Self::Time)];

    /// The word for it in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Float => "float",
            Self::Text => "text",
            Self::Bool => "bool",
            Self::Time => "time",
        }
    }
}

/// One field of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaField {
    /// Name of the column.
    pub name: String,
    /// Type of its values.
    pub kind: FieldType,
    /// Where it lies in a nested record, names separated by dots; `None` if it lies at the top under its own name.
    pub path: Option<String>,
}

/// Reads `[schema]`, or that of a join. `None` if it is left out: then the schema is inferred from a sample.
pub(super) fn read(root: &Section<'_>) -> Option<Vec<SchemaField>> {
    let section = root.free_section("schema");
    if !section.is_given() {
        return None;
    }
    let fields = section.fields();
    if fields.is_empty() {
        let hint = match root.path_of("").is_empty() {
            true => "name at least one field, or remove [schema] to have it inferred".to_owned(),
            false => "name at least one field".to_owned(),
        };
        section.report.add(&section.place, format!("[{}] is empty", root.path_of("schema")), hint);
    }
    Some(fields.iter().map(read_field).collect())
}

/// A faulty type reads as whole numbers: the field keeps its name, and no check that follows takes offence.
fn read_field(field: &Field<'_>) -> SchemaField {
    let (kind, path) = match field.item.as_table_like() {
        Some(_) => {
            let section = field.section(keys::SCHEMA_FIELD);
            let kind = section.required("type", "one of int, float, text, bool, time");
            let path = section.field("path").and_then(|path| path.text_of(is_path, "names separated by dots"));
            (kind.and_then(|kind| kind.choice(&FieldType::ALL)), path)
        }
        None => (field.choice(&FieldType::ALL), None),
    };
    SchemaField { name: field.name.clone(), kind: kind.unwrap_or(FieldType::Int), path }
}

fn is_path(text: &str) -> bool {
    text.split('.').all(|part| !part.trim().is_empty())
}
