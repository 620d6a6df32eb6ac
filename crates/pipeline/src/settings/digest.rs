use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::join::{Join, Joined};
use super::leave_out::LeaveOut;
use super::pipeline::Settings;
use super::schema::SchemaField;
use super::source::{Format, LineLayout, LineStart, Lines};
use super::templates::Templates;

/// First of all that is hashed. A change of what follows needs another number, and throws all state away.
const VERSION: &str = "lapwing state digest 2";

/// What is hashed: the version, then every fact as label and value, each preceded by its length in bytes as 8 bytes,
/// little end first. Lengths of time are microseconds. An absent value leaves its fact out.
struct Facts(Sha256);

impl Facts {
    fn add(&mut self, label: &str, value: &str) {
        for text in [label, value] {
            self.0.update((text.len() as u64).to_le_bytes());
            self.0.update(text);
        }
    }

    fn add_all<'a>(&mut self, label: &str, values: impl IntoIterator<Item = &'a str>) {
        values.into_iter().for_each(|value| self.add(label, value));
    }
}

/// Fingerprint of everything that decides what an event is. State of other events is of no use. What bounds state (lateness,
/// dedup, time to live) may change and leaves it valid; features and windows have layouts of their own. Topic, group and transport do not: the same records give the same state
/// wherever they come from. Reference tables count by name and path; their contents change at run time.
pub(super) fn digest(settings: &Settings) -> String {
    let mut facts = Facts(Sha256::new());
    facts.add("version", VERSION);
    facts.add("name", &settings.name);
    add_source(&mut facts, settings);
    add_fields(&mut facts, settings.schema.as_deref().unwrap_or_default());
    settings.templates.iter().for_each(|templates| add_templates(&mut facts, templates));
    settings.joins.iter().for_each(|join| add_join(&mut facts, join));
    for table in &settings.enrich.tables {
        facts.add("table", &table.name);
        facts.add("table.path", table.path.written());
    }
    facts.add_all("query", settings.enrich.query.as_deref());
    for LeaveOut { from, to, entity } in &settings.state.leave_out {
        facts.add("leave_out.from", &from.0.to_string());
        facts.add("leave_out.to", &to.0.to_string());
        facts.add_all("leave_out.entity", entity.as_deref());
    }
    facts.0.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
        hex
    })
}

fn add_source(facts: &mut Facts, settings: &Settings) {
    let source = &settings.source;
    add_format(facts, &source.format);
    facts.add("key", &source.key);
    facts.add_all("time", source.time.as_deref());
}

fn add_format(facts: &mut Facts, format: &Format) {
    facts.add("format", format.name());
    if let Format::Csv(csv) = format {
        facts.add("csv.delimiter", &csv.delimiter.to_string());
        facts.add_all("csv.column", csv.columns.iter().flatten().map(String::as_str));
    }
    if let Format::Lines(lines) = format {
        add_lines(facts, lines);
    }
}

fn add_lines(facts: &mut Facts, lines: &Lines) {
    let (kind, text) = match &lines.layout {
        LineLayout::Named(text) => ("lines.layout", text),
        LineLayout::Pattern(text) => ("lines.pattern", text),
        LineLayout::Example(text) => ("lines.example", text),
    };
    facts.add(kind, text);
    facts.add_all("lines.keys", lines.keys.as_deref());
    facts.add_all("lines.multiline", lines.multiline.as_ref().map(LineStart::written));
    facts.add("lines.utc_offset", &lines.offset_seconds.to_string());
}

fn add_templates(facts: &mut Facts, templates: &Templates) {
    facts.add("templates", &templates.spec.digest());
    facts.add("templates.column", &templates.column);
    facts.add("templates.parameters", &templates.parameters.to_string());
}

/// Everything that decides what is joined to which event. The topic does not, as that of the source does not; `max_rows`,
/// `max_bytes` and `ttl` are bounds.
fn add_join(facts: &mut Facts, join: &Join) {
    facts.add("join", &join.name);
    add_format(facts, &join.format);
    facts.add("join.key", &join.key);
    facts.add_all("join.time", join.time.as_deref());
    add_fields(facts, &join.schema);
    facts.add("join.on", &join.on);
    facts.add("join.kind", join.kind.name());
    match join.what {
        Joined::Table { .. } => facts.add("join.what", "table"),
        Joined::Interval { before_micros, after_micros, wait_micros, matches } => {
            facts.add("join.what", "interval");
            facts.add("join.match", matches.name());
            for (label, micros) in [("before", before_micros), ("after", after_micros), ("wait", wait_micros)] {
                facts.add(label, &micros.to_string());
            }
        }
    }
}

fn add_fields(facts: &mut Facts, fields: &[SchemaField]) {
    for field in fields {
        facts.add("field", &field.name);
        facts.add("field.type", field.kind.name());
        facts.add_all("field.path", field.path.as_deref());
    }
}
