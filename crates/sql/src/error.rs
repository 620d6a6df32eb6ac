use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::sql::sqlparser::parser::ParserError;
use thiserror::Error;

use crate::near::hint;

/// Why a query, an expression or a reference table could not be used.
#[derive(Debug, Error)]
pub enum SqlError {
    /// The text is not SQL: mend it at the place named.
    #[error("read the query: {0}")]
    Syntax(String),
    /// The text names a column or table that does not exist: mend the name.
    #[error("plan the query: {what} `{name}` does not exist{place}{hint}")]
    Unknown {
        /// `column` or `table`.
        what: &'static str,
        /// The name as written.
        name: String,
        /// Where in the text, if known, as ` at line 1, column 8`.
        place: String,
        /// The nearest name, or all names.
        hint: String,
    },
    /// The query is SQL, but what it asks of an event would depend on other events, on the clock or on chance: ask
    /// for it elsewhere, as the text says.
    #[error("plan the query: {what} cannot be used here: {remedy}")]
    Refused {
        /// The construct.
        what: String,
        /// What to do instead.
        remedy: String,
    },
    /// The query is wrong in another way, such as types that do not fit: mend it.
    #[error("plan the query: {0}")]
    Plan(String),
    /// A reference table cannot be read: mend the file and load it again.
    #[error("read reference table `{table}`: {reason}")]
    Table {
        /// Name of the table.
        table: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A new version of a reference table would change the columns of the output: restart the pipeline with it, or
    /// mend the file. The old version stays in use.
    #[error("replace reference table `{table}`: {difference}")]
    Changed {
        /// Name of the table.
        table: String,
        /// What would change.
        difference: String,
    },
    /// The batch lacks a column that was planned for, or has it in another type: decode and query disagree.
    #[error("run the query: {0}")]
    Batch(String),
    /// The query failed for reasons that lie in the reference tables, not in an event: mend them or the query.
    #[error("run the query: {0}")]
    Run(String),
}

impl SqlError {
    /// Refuses a construct and says what to do instead.
    pub(crate) fn refused(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), remedy: remedy.into() }
    }

    /// Puts a planning error into our words.
    pub(crate) fn from_planning(error: &DataFusionError) -> Self {
        let place = place_of(error);
        match root(error) {
            DataFusionError::SQL(parser, _) => Self::Syntax(parser_text(parser)),
            DataFusionError::SchemaError(schema, _) => from_schema(schema, place),
            other => from_text(text(other), place),
        }
    }

    /// Adds the nearest of `tables` to the report of an unknown table.
    pub(crate) fn with_tables(mut self, tables: &[String]) -> Self {
        if let Self::Unknown { what: "table", name, hint, .. } = &mut self {
            *hint = crate::near::hint(name, tables);
        }
        self
    }

    /// Puts an error met while running into our words.
    pub(crate) fn from_running(error: &DataFusionError) -> Self {
        Self::Run(text(root(error)))
    }
}

/// The planner reports an unknown table in words only.
fn from_text(text: String, place: String) -> SqlError {
    match text.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found")) {
        Some(name) => SqlError::Unknown { what: "table", name: name.to_owned(), place, hint: String::new() },
        None => SqlError::Plan(format!("{text}{place}")),
    }
}

fn from_schema(error: &SchemaError, place: String) -> SqlError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => SqlError::Unknown {
            what: "column",
            name: written(field),
            place,
            hint: hint(&field.name, &valid_fields.iter().map(|column| column.name.clone()).collect::<Vec<_>>()),
        },
        SchemaError::AmbiguousReference { field } => {
            SqlError::Plan(format!("column `{}` exists in several tables{place}; write table.{0}", field.name))
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            twice(name)
        }
    }
}

/// Two output columns of one name.
pub(crate) fn twice(name: &str) -> SqlError {
    SqlError::Plan(format!(
        "column `{name}` appears twice in the output; give one of them another name with AS, join with USING, or \
         leave one out with * EXCEPT ({name})"
    ))
}

fn written(column: &Column) -> String {
    match &column.relation {
        Some(table) => format!("{}.{}", table.table(), column.name),
        None => column.name.clone(),
    }
}

/// The innermost error: what lies around it speaks of the planner's own passes.
fn root(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(inner),
        DataFusionError::Collection(errors) if !errors.is_empty() => root(&errors[0]),
        DataFusionError::Shared(inner) => root(inner),
        other => other,
    }
}

fn text(error: &DataFusionError) -> String {
    let text = match error {
        DataFusionError::Plan(text) | DataFusionError::NotImplemented(text) => text.clone(),
        DataFusionError::Execution(text) => text.clone(),
        DataFusionError::ArrowError(inner, _) => inner.to_string(),
        other => other.strip_backtrace(),
    };
    text.replace("datafusion.public.", "")
}

pub(crate) fn parser_text(error: &ParserError) -> String {
    match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => "expressions are nested too deeply".to_owned(),
    }
}

fn place_of(error: &DataFusionError) -> String {
    match error.diagnostic().and_then(|diagnostic| diagnostic.span) {
        Some(span) if span.start.line > 0 => format!(" at line {}, column {}", span.start.line, span.start.column),
        _ => String::new(),
    }
}
