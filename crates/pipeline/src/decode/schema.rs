use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

/// Type of a decoded column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Whole number, 64 bits.
    Int,
    /// Finite number, 64-bit floating point.
    Float,
    /// UTF-8 text.
    Text,
    /// True or false.
    Bool,
    /// A moment: microseconds since the epoch, UTC.
    Time,
}

impl Kind {
    /// The name used in pipeline files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Float => "float",
            Self::Text => "text",
            Self::Bool => "bool",
            Self::Time => "time",
        }
    }

    /// The Arrow type that holds it.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::Bool => DataType::Boolean,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

/// One column of the events, and where its value lies in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Column name.
    pub name: String,
    /// Keys from the outermost object inwards; one key, the name itself, unless declared otherwise.
    pub path: Vec<String>,
    /// Type.
    pub kind: Kind,
}

impl Field {
    /// A column that lies at the top of the record under its own name.
    pub fn top(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), path: vec![name.to_owned()], kind }
    }
}

/// The typed columns of a stream, declared or inferred once and then frozen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Columns in order.
    pub fields: Vec<Field>,
}

impl Schema {
    /// The column of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The columns of those names, in this schema's order.
    pub fn narrowed(&self, names: &[String]) -> Self {
        Self { fields: self.fields.iter().filter(|field| names.contains(&field.name)).cloned().collect() }
    }

    /// The Arrow schema; every column may be null.
    pub fn arrow(&self) -> SchemaRef {
        let fields: Vec<ArrowField> =
            self.fields.iter().map(|field| ArrowField::new(&field.name, field.kind.data_type(), true)).collect();
        Arc::new(ArrowSchema::new(fields))
    }
}
