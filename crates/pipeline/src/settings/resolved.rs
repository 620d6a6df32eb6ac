/// `[window]` and `[features]`.
mod rows;

use std::fmt::{Display, Write};
use std::time::Duration;

use lapwing_detect::{Direction, InputRule, MinimumEffect};
use lapwing_logs::Mask;
use lapwing_vocabulary::port::{Processing, TopicLayout};

use super::connect::{Connect, FilePlace};
use super::decide::{Likelihood, Postprocessing, VoteAt};
use super::detect::{Detect, Detector, Inputs};
use super::join::{Join, Joined};
use super::leave_out::LeaveOut;
use super::outputs::{Outputs, Topics};
use super::pipeline::Settings;
use super::schema::SchemaField;
use super::source::{APPEND, Format, LineLayout, Lines, Source};
use super::templates::Templates;
use super::units::{format_size, show_duration};
use rows::{write_features, write_window};

/// The text of a pipeline file, line by line.
#[derive(Default)]
struct Text(String);

impl Text {
    fn table(&mut self, path: &[&str]) {
        let path: Vec<String> = path.iter().map(|name| key(name)).collect();
        self.0.push_str(&format!("\n[{}]\n", path.join(".")));
    }

    /// One more table of a list.
    fn list_table(&mut self, path: &str) {
        self.0.push_str(&format!("\n[[{path}]]\n"));
    }

    fn set(&mut self, name: &str, value: impl Display) {
        writeln!(self.0, "{} = {value}", key(name)).expect("writing to a String cannot fail");
    }

    fn set_text(&mut self, name: &str, value: &str) {
        self.set(name, quote(value));
    }

    fn set_duration(&mut self, name: &str, micros: i64) {
        self.set_text(name, &show_duration(micros));
    }

    fn set_list<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a str>) {
        let values: Vec<String> = values.into_iter().map(quote).collect();
        self.set(name, format!("[{}]", values.join(", ")));
    }
}

/// A key, in quotes if TOML needs them.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_bare { name.to_owned() } else { quote(name) }
}

/// A basic string of TOML.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The whole file with every default filled in and secrets masked.
pub(super) fn resolved(settings: &Settings) -> String {
    let mut text = Text::default();
    write_root(&mut text, settings);
    write_source(&mut text, &settings.source);
    write_schema(&mut text, settings);
    settings.templates.iter().for_each(|templates| write_templates(&mut text, templates));
    settings.joins.iter().for_each(|join| write_join(&mut text, join));
    write_enrich(&mut text, settings);
    settings.window.iter().for_each(|window| write_window(&mut text, window));
    write_features(&mut text, &settings.features);
    write_detect(&mut text, &settings.detect);
    write_decide(&mut text, settings);
    write_outputs(&mut text, &settings.outputs);
    write_topics(&mut text, &settings.topics);
    write_storage(&mut text, settings);
    write_connect(&mut text, &settings.connect);
    text.0
}

fn write_root(text: &mut Text, settings: &Settings) {
    text.set_text("name", &settings.name);
    if let Some(workers) = settings.workers {
        text.set("workers", workers);
    }
    let processing = match settings.processing {
        Processing::ExactlyOnce => "exactly_once",
        Processing::AtLeastOnce => "at_least_once",
    };
    text.set_text("processing", processing);
    text.set_duration("commit_interval", micros(settings.commit_interval));
    text.set("max_batch_events", settings.max_batch_events);
    text.set("min_batch_events", settings.min_batch_events);
    text.set_duration("max_batch_delay", micros(settings.max_batch_delay));
    text.set_text("max_record_bytes", &format_size(settings.max_record_bytes as u64));
}

fn write_source(text: &mut Text, source: &Source) {
    text.table(&["source"]);
    if let Some(topic) = &source.topic {
        text.set_text("topic", topic);
    }
    text.set_text("format", source.format.name());
    text.set_text("key", &source.key);
    text.set_text("time", source.time.as_deref().unwrap_or(APPEND));
    if let Some(id) = &source.id {
        text.set_text("id", id);
        text.set_duration("dedup", source.dedup_micros);
        text.set("dedup_ids", source.dedup_ids);
    }
    text.set_duration("watermark", source.watermark_micros);
    text.set_duration("idle_after", source.idle_after_micros);
    text.set_duration("max_future", source.max_future_micros);
    text.set("repartition", source.repartition);
    text.set_text("group", &source.group);
    write_csv(text, &["source", "csv"], &source.format);
    if let Format::Lines(lines) = &source.format {
        write_lines(text, lines);
    }
}

fn write_lines(text: &mut Text, lines: &Lines) {
    text.table(&["source", "lines"]);
    match &lines.layout {
        LineLayout::Named(name) => text.set_text("layout", name),
        LineLayout::Pattern(pattern) => text.set_text("pattern", pattern),
        LineLayout::Example(example) => text.set_text("example", example),
    }
    lines.keys.iter().for_each(|keys| text.set_text("keys", keys));
    lines.multiline.iter().for_each(|start| text.set_text("multiline", start.written()));
    let (sign, seconds) = (if lines.offset_seconds < 0 { '-' } else { '+' }, lines.offset_seconds.abs());
    text.set_text("utc_offset", &format!("{sign}{:02}:{:02}", seconds / 3600, seconds % 3600 / 60));
}

fn write_templates(text: &mut Text, templates: &Templates) {
    text.table(&["templates"]);
    text.set_text("column", &templates.column);
    templates.seed.iter().for_each(|seed| text.set_text("seed", seed.written()));
    let spec = &templates.spec;
    text.set("learn", spec.learn);
    let (known, own): (Vec<_>, Vec<_>) =
        spec.masks.iter().partition(|mask| Mask::named(&mask.name).as_ref() == Some(*mask));
    match known.is_empty() {
        true => text.set("masks", "[]"),
        false => text.set_list("masks", known.iter().map(|mask| mask.name.as_str())),
    }
    text.set("depth", spec.depth);
    text.set("similarity", format!("{:?}", spec.similarity));
    text.set("max_children", spec.children_max);
    text.set("max_templates", spec.templates_max);
    text.set("max_tokens", spec.tokens_max);
    text.set("max_bytes", spec.line_bytes_max);
    text.set("parameters", templates.parameters);
    if !own.is_empty() {
        text.table(&["templates", "patterns"]);
        own.iter().for_each(|mask| text.set_text(&mask.name, &mask.pattern));
    }
}

fn write_csv(text: &mut Text, table: &[&str], format: &Format) {
    if let Format::Csv(csv) = format {
        text.table(table);
        text.set_text("delimiter", &char::from(csv.delimiter).to_string());
        text.set("header", csv.columns.is_none());
        if let Some(columns) = &csv.columns {
            text.set_list("columns", columns.iter().map(String::as_str));
        }
    }
}

fn write_schema(text: &mut Text, settings: &Settings) {
    let Some(fields) = &settings.schema else {
        return;
    };
    write_fields(text, &["schema"], fields);
}

fn write_fields(text: &mut Text, table: &[&str], fields: &[SchemaField]) {
    text.table(table);
    for field in fields {
        match &field.path {
            None => text.set_text(&field.name, field.kind.name()),
            Some(path) => {
                let value = format!("{{ type = {}, path = {} }}", quote(field.kind.name()), quote(path));
                text.set(&field.name, value);
            }
        }
    }
}

fn write_join(text: &mut Text, join: &Join) {
    text.table(&["join", &join.name]);
    text.set_text("topic", &join.topic);
    text.set_text("format", join.format.name());
    text.set_text("key", &join.key);
    join.time.iter().for_each(|time| text.set_text("time", time));
    text.set_text("on", &join.on);
    text.set_text("kind", join.kind.name());
    match join.what {
        Joined::Interval { before_micros, after_micros, wait_micros, matches } => {
            text.set_duration("before", before_micros);
            text.set_duration("after", after_micros);
            text.set_duration("wait", wait_micros);
            text.set_text("match", matches.name());
        }
        Joined::Table { ttl_micros } => {
            text.set("table", true);
            ttl_micros.into_iter().for_each(|ttl| text.set_duration("ttl", ttl));
        }
    }
    text.set("max_rows", join.rows_max);
    join.bytes_max.iter().for_each(|bytes| text.set_text("max_bytes", &format_size(*bytes)));
    write_csv(text, &["join", &join.name, "csv"], &join.format);
    write_fields(text, &["join", &join.name, "schema"], &join.schema);
}

fn write_enrich(text: &mut Text, settings: &Settings) {
    if let Some(query) = &settings.enrich.query {
        text.table(&["enrich"]);
        text.set_text("query", query);
    }
    if !settings.enrich.tables.is_empty() {
        text.table(&["enrich", "tables"]);
        settings.enrich.tables.iter().for_each(|table| text.set_text(&table.name, table.path.written()));
    }
    if !settings.encode.is_empty() {
        text.table(&["encode"]);
        settings.encode.iter().for_each(|(column, encoding)| text.set_text(column, encoding.name()));
    }
}

fn write_detect(text: &mut Text, detect: &Detect) {
    for detector in &detect.detectors {
        text.table(&["detect", &detector.name]);
        write_detector(text, detector);
        text.set_text("model", &format!("{}/{}@{}", detect.ensemble, detector.name, detect.version));
    }
}

fn write_detector(text: &mut Text, detector: &Detector) {
    text.set_text("method", detector.method.name());
    match &detector.inputs {
        Inputs::Features => text.set_text("inputs", "features"),
        Inputs::Listed(names) => text.set_list("inputs", names.iter().map(String::as_str)),
        Inputs::Numeric { exclude } => {
            text.set_text("inputs", "numeric");
            if !exclude.is_empty() {
                text.set_list("exclude", exclude.iter().map(String::as_str));
            }
        }
    }
    for (name, value) in detector.method.options() {
        text.set(name, value);
    }
    if !detector.rules.is_empty() {
        let rules: Vec<String> = detector.rules.iter().map(rule_text).collect();
        text.set("rules", format!("{{ {} }}", rules.join(", ")));
    }
}

fn rule_text(rule: &InputRule) -> String {
    let direction = match rule.direction {
        Direction::Up => "up",
        Direction::Down => "down",
        Direction::Both => "both",
    };
    let minimum = match rule.minimum_effect {
        MinimumEffect::None => String::new(),
        MinimumEffect::Absolute(minimum) => format!(", minimum = {minimum:?}"),
        MinimumEffect::Relative(share) => format!(", minimum_share = {share:?}"),
    };
    format!("{} = {{ direction = {}{minimum} }}", quote(&rule.column), quote(direction))
}

fn write_decide(text: &mut Text, settings: &Settings) {
    text.table(&["decide"]);
    text.set("alert_rate", settings.decide.alert_rate);
    if let Some(segment) = &settings.decide.segment {
        text.set_text("segment", segment);
    }
    let Postprocessing { likelihood, rest_micros, release } = &settings.decide.postprocessing;
    if let Some(Likelihood { recent_micros, over_micros }) = likelihood {
        let [recent, over] = [recent_micros, over_micros].map(|micros| quote(&show_duration(*micros)));
        text.set("likelihood", format!("{{ recent = {recent}, over = {over} }}"));
    }
    if let Some(rest) = rest_micros {
        text.set_text("rest", &show_duration(*rest));
    }
    if let Some(release) = release {
        text.set("release", format!("{release:?}"));
    }
    for kind in &settings.decide.types {
        text.table(&["decide", "types", &kind.name]);
        text.set_text("when", &kind.when);
        text.set_text("severity", kind.severity.name());
        if let Some(vote) = &kind.vote {
            text.set_text("detector", &vote.detector);
            match vote.at {
                VoteAt::Rate(rate) => text.set("alert_rate", format!("{rate:?}")),
                VoteAt::Score(score) => text.set("min_score", format!("{score:?}")),
            }
        }
    }
    text.table(&["train"]);
    if let Some(filter) = &settings.train.filter {
        text.set_text("where", filter);
    }
    if let Some(label) = &settings.train.label {
        text.set_text("label", label);
    }
    if !settings.train.normal.is_empty() {
        text.set_list("normal", settings.train.normal.iter().map(String::as_str));
    }
    text.set("sample", settings.train.sample);
    text.set("seed", settings.train.seed);
}

fn write_outputs(text: &mut Text, outputs: &Outputs) {
    text.table(&["outputs"]);
    let topic = |topic: &Option<String>| topic.as_deref().map_or("false".to_owned(), quote);
    text.set_text("alerts", &outputs.alerts);
    text.set("enriched", topic(&outputs.enriched));
    text.set_text("dead_letters", &outputs.dead_letters);
    text.set("late", topic(&outputs.late));
    if outputs.enriched.is_some() {
        text.set("features", outputs.features);
        text.set("scores", outputs.scores);
    }
}

fn write_topics(text: &mut Text, topics: &Topics) {
    text.table(&["topics"]);
    write_layout(text, &topics.base);
    for (role, layout) in &topics.own {
        text.table(&["topics", role.name()]);
        write_layout(text, layout);
    }
}

fn write_layout(text: &mut Text, layout: &TopicLayout) {
    text.set("partitions", layout.partitions);
    if let Some(replication) = layout.replication {
        text.set("replication", replication);
    }
    if let Some(retention) = layout.retention_micros {
        text.set_duration("retention", retention);
    }
    if let Some(bytes) = layout.retention_bytes {
        text.set_text("retention_bytes", &format_size(bytes as u64));
    }
    text.set("compact", layout.compact);
}

fn write_storage(text: &mut Text, settings: &Settings) {
    text.table(&["state"]);
    text.set_text("path", &settings.state.path.to_string_lossy());
    if let Some(snapshots) = &settings.state.snapshots {
        text.set_text("snapshots", snapshots);
    }
    text.set_duration("snapshot_interval", micros(settings.state.snapshot_interval));
    if let Some(bytes) = settings.state.memory_bytes {
        text.set_text("memory", &format_size(bytes));
    }
    match settings.state.ttl_micros {
        Some(ttl) => text.set_duration("ttl", ttl),
        None => text.set("ttl", false),
    }
    for LeaveOut { from, to, entity } in &settings.state.leave_out {
        text.list_table("state.leave_out");
        text.set_text("from", &from.to_rfc3339());
        text.set_text("to", &to.to_rfc3339());
        entity.iter().for_each(|entity| text.set_text("entity", entity));
    }
    text.table(&["models"]);
    text.set_text("path", &settings.models.path.to_string_lossy());
}

fn write_connect(text: &mut Text, connect: &Connect) {
    text.table(&["connect", connect.name()]);
    match connect {
        Connect::Embedded(log) => {
            text.set_text("path", &log.path.to_string_lossy());
            text.set("sync", log.sync);
        }
        Connect::Kafka(kafka) => {
            kafka.properties.iter().for_each(|property| text.set_text(&property.name, &property.value.shown()));
        }
        Connect::Files(files) => {
            text.set_list("inputs", files.inputs.iter().map(FilePlace::written));
            text.set_text("outputs", files.outputs.written());
            text.set("follow", files.follow);
        }
    }
}

fn micros(duration: Duration) -> i64 {
    duration.as_micros() as i64
}
