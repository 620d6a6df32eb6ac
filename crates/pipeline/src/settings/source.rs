use lapwing_vocabulary::time::{MINUTE, SECOND};

use super::keys;
use super::section::{Field, Section};
use super::units::{YEAR, is_topic_name};

/// Rule for the names of topics, in words.
pub(super) const TOPIC_RULE: &str = "a topic's name has 1 to 249 letters, digits, dots, underscores and hyphens";

/// For how long repeats of an id are recognised unless the file says otherwise: producers retry for two minutes by
/// default. Units: microseconds.
const DEDUP_MICROS: i64 = 10 * MINUTE;
/// Ids remembered per partition unless the file says otherwise: some 16 MB.
const DEDUP_IDS: i64 = 1_000_000;

/// Where events come from, and which of their fields matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Topic that is read; `None` only if the events come from files.
    pub topic: Option<String>,
    /// How the bytes of a record are read.
    pub format: Format,
    /// Field, or path of the field, that holds the entity.
    pub key: String,
    /// Field, or path of the field, that holds event time.
    pub time: String,
    /// Field, or path of the field, that identifies the event.
    pub id: Option<String>,
    /// For how long repeats of an id are recognised, in event time; 0 not at all. Units: microseconds.
    pub dedup_micros: i64,
    /// Most ids remembered per partition.
    pub dedup_ids: usize,
    /// How far event time may lag behind the newest event seen. Units: microseconds.
    pub watermark_micros: i64,
    /// After how long without a record the watermark follows the wall clock. Units: microseconds.
    pub idle_after_micros: i64,
    /// How far event time may run ahead of the moment the record was appended. Units: microseconds.
    pub max_future_micros: i64,
    /// Whether records are first taken to the partition of their entity, through an internal topic.
    pub repartition: bool,
    /// Consumer group.
    pub group: String,
}

/// How the bytes of a record are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object each.
    Json,
    /// One line of separated values each.
    Csv(Csv),
}

impl Format {
    /// The word for it in the file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv(_) => "csv",
        }
    }
}

/// How separated values are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csv {
    /// Byte between two values.
    pub delimiter: u8,
    /// Names of the columns; `None` if the first line holds them.
    pub columns: Option<Vec<String>>,
}

/// Reads `[source]`. Whether the topic may be left out depends on the transport and is checked later.
pub(super) fn read(root: &Section<'_>, pipeline: &str) -> Source {
    let section = root.section("source", keys::SOURCE);
    let field = |name: &str| section.field(name).and_then(|field| field.text());
    let required = |name: &str, hint: &str| section.required(name, hint).and_then(|field| field.text());
    let topic_name = |field: Field<'_>| field.text_of(is_topic_name, TOPIC_RULE);
    Source {
        topic: section.field("topic").and_then(topic_name),
        format: format(&section),
        key: required("key", "the field that holds the entity, such as key = \"host_id\"").unwrap_or_default(),
        time: required("time", "the field that holds event time, such as time = \"utc\"").unwrap_or_default(),
        id: field("id"),
        dedup_micros: section.duration_or("dedup", 0..=YEAR, DEDUP_MICROS),
        dedup_ids: section.integer_or("dedup_ids", 1..=1_000_000_000, DEDUP_IDS) as usize,
        watermark_micros: section.duration_or("watermark", 0..=YEAR, MINUTE),
        idle_after_micros: section.duration_or("idle_after", SECOND..=YEAR, 30 * SECOND),
        max_future_micros: section.duration_or("max_future", 0..=YEAR, 10 * MINUTE),
        repartition: section.flag_or("repartition", false),
        group: section.text_or("group", pipeline),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum FormatWord {
    Json,
    Csv,
}

/// Reads `format` and `csv` of `[source]`, or of a join.
pub(super) fn format(section: &Section<'_>) -> Format {
    let words = [("json", FormatWord::Json), ("csv", FormatWord::Csv)];
    let given = section.field("format");
    let word = given.as_ref().and_then(|field| field.choice(&words));
    let csv = section.section("csv", keys::CSV);
    let is_json = word == Some(FormatWord::Json) || given.is_none();
    if let Some(field) = section.field("csv").filter(|_| is_json) {
        let format_place = given.map_or(section.place.clone(), |given| given.place);
        let message = format!("[{}] is given, but the format is json", section.path_of("csv"));
        let hint = format!("write format = \"csv\", or remove [{}]", section.path_of("csv"));
        section.report.add_pair(&field.key_place, &format_place, message, hint);
    }
    let options = read_csv(&csv, word == Some(FormatWord::Csv));
    if word == Some(FormatWord::Csv) { Format::Csv(options) } else { Format::Json }
}

fn read_csv(section: &Section<'_>, is_used: bool) -> Csv {
    let delimiter = section.field("delimiter").and_then(|field| delimiter(&field)).unwrap_or(b',');
    let header = section.flag_or("header", true);
    let given = section.field("columns");
    let columns = given.as_ref().and_then(|field| field.texts());
    match &given {
        Some(given) if header => {
            let place = section.field("header").map_or(section.place.clone(), |header| header.place);
            let message = format!("`{}` is given, but the first line holds the names", given.path());
            let hint = "write header = false, or remove columns".to_owned();
            section.report.add_pair(&given.key_place, &place, message, hint);
        }
        None if !header && is_used => {
            let missing = section.path_of("columns");
            let message = format!("`{missing}` is missing: without a header the columns have no names");
            let hint = "name them in order, such as columns = [\"time\", \"host\"], or write header = true".to_owned();
            section.report.add(&section.place, message, hint);
        }
        _ => {}
    }
    Csv { delimiter, columns: columns.filter(|_| !header) }
}

fn delimiter(field: &Field<'_>) -> Option<u8> {
    let Some(text) = field.item.as_str() else {
        return field.wrong_type("a text of one character");
    };
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => Some(*byte),
        _ => {
            let hint = "one ASCII character, not a quote and not a line end, such as \",\", \";\" or \"\\t\"";
            field.refuse(format!("`{}` must be one character", field.path()), hint.to_owned())
        }
    }
}
