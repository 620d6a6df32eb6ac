use std::path::Path;

use super::connect::LocalPath;
use super::keys;
use super::section::Section;
use super::units::is_identifier;

/// Name under which the query sees the events.
pub(super) const EVENTS_TABLE: &str = "events";

/// Reference tables, and the query that joins them to the events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enrich {
    /// Reference tables in the order of the file.
    pub tables: Vec<ReferenceTable>,
    /// SQL over `events` and the reference tables; `None` leaves the events as they are.
    pub query: Option<String>,
}

/// A table that the query may join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceTable {
    /// Its name in SQL.
    pub name: String,
    /// Its file.
    pub path: LocalPath,
}

/// How a category becomes numbers for models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A column per value, 0 or 1.
    OneHot,
    /// How often the value occurs in training.
    Frequency,
}

impl Encoding {
    /// The word for it in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneHot => "one_hot",
            Self::Frequency => "frequency",
        }
    }
}

/// Reads `[enrich]`. Paths of tables are relative to `folder`.
pub(super) fn read(root: &Section<'_>, folder: &Path) -> Enrich {
    let section = root.section("enrich", keys::ENRICH);
    let tables = read_tables(&section.free_section("tables"), folder);
    let query = section.field("query").and_then(|field| field.text());
    if let Some(field) = section.field("tables").filter(|_| !tables.is_empty() && section.field("query").is_none()) {
        let message = "`enrich.tables` is given, but no query uses them".to_owned();
        let hint = "add `query` to [enrich], or remove the tables".to_owned();
        section.report.add(&field.key_place, message, hint);
    }
    Enrich { tables, query }
}

fn read_tables(section: &Section<'_>, folder: &Path) -> Vec<ReferenceTable> {
    let mut tables = Vec::new();
    for field in section.fields() {
        if !is_identifier(&field.name) || field.name.eq_ignore_ascii_case(EVENTS_TABLE) {
            let message = format!("a reference table cannot be called `{}`", field.name.escape_debug());
            let hint = "letters, digits and underscores, not a digit first; `events` is the stream itself".to_owned();
            field.report.add(&field.key_place, message, hint);
        }
        if let Some(path) = field.text() {
            tables.push(ReferenceTable { name: field.name.clone(), path: LocalPath::within(folder, &path) });
        }
    }
    tables
}

/// Reads `[encode]`: columns and how they are encoded, in the order of the file.
pub(super) fn read_encodings(root: &Section<'_>) -> Vec<(String, Encoding)> {
    let words = [("one_hot", Encoding::OneHot), ("frequency", Encoding::Frequency)];
    let encoding = |word: Option<Encoding>| word.unwrap_or(Encoding::Frequency);
    let fields = root.free_section("encode").fields();
    fields.into_iter().map(|field| (field.name.clone(), encoding(field.choice(&words)))).collect()
}
