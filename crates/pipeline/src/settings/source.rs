use lapwing_logs::{FieldKind, Keys, Layout, LayoutError, MultilineStart};
use lapwing_vocabulary::time::{MINUTE, SECOND};

use super::keys;
use super::schema::{FieldType, SchemaField};
use super::section::{Field, Section};
use super::units::{YEAR, is_topic_name};

/// Rule for the names of topics, in words.
pub(super) const TOPIC_RULE: &str = "a topic's name has 1 to 249 letters, digits, dots, underscores and hyphens";

/// Stands for the moment at which a record was appended, where no field holds its time.
pub(super) const APPEND: &str = "@append";

/// Column that holds a line of a log as it was read.
pub const LINE: &str = "line";

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
    /// Field, or path of the field, that holds event time; `None` takes the moment at which the record was appended.
    pub time: Option<String>,
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
    /// One event of a log each, as text.
    Lines(Lines),
}

impl Format {
    /// The word for it in the file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv(_) => "csv",
            Self::Lines(_) => "lines",
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

/// How the lines of a log are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// How a line begins.
    pub layout: LineLayout,
    /// Pattern of the keys that a line names; `None` if the key is a field of the layout.
    pub keys: Option<String>,
    /// Zone of times that name none. Units: seconds east of UTC.
    pub offset_seconds: i32,
    /// Which lines of a file begin an event; `None`: each.
    pub multiline: Option<LineStart>,
}

/// Which lines of a file begin an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineStart {
    /// Those that fit the layout.
    Layout,
    /// Those that are not indented.
    Indented,
    /// Those that this expression matches.
    Pattern(String),
}

impl LineStart {
    /// As it is written in the file.
    pub fn written(&self) -> &str {
        match self {
            Self::Layout => "layout",
            Self::Indented => "indented",
            Self::Pattern(pattern) => pattern,
        }
    }
}

/// What says how a line begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineLayout {
    /// A layout that is known by name.
    Named(String),
    /// A pattern.
    Pattern(String),
    /// A line whose parts are marked.
    Example(String),
}

impl Lines {
    /// The layout, compiled.
    /// Errors: what is wrong with it.
    pub fn compile(&self) -> Result<Layout, LayoutError> {
        let layout = match &self.layout {
            LineLayout::Named(name) => Layout::named(name),
            LineLayout::Pattern(pattern) => Layout::pattern(pattern),
            LineLayout::Example(example) => Layout::example(example),
        };
        Ok(layout?.with_offset(self.offset_seconds))
    }

    /// Says which lines begin an event; `None` if each does.
    /// Errors: what is wrong with the layout or the pattern.
    pub fn start(&self) -> Result<Option<MultilineStart>, LayoutError> {
        Ok(match &self.multiline {
            None => None,
            Some(LineStart::Layout) => Some(MultilineStart::Layout(self.compile()?)),
            Some(LineStart::Indented) => Some(MultilineStart::Indented),
            Some(LineStart::Pattern(pattern)) => Some(MultilineStart::pattern(pattern)?),
        })
    }

    /// The columns that a line gives: the fields of its layout, the key if the line is searched for it, and the line.
    /// `None` if the layout does not compile.
    pub fn columns(&self, key: &str) -> Option<Vec<SchemaField>> {
        let layout = self.compile().ok()?;
        let column = |name: &str, kind| SchemaField { name: name.to_owned(), kind, path: None };
        let fields = layout.fields().iter().map(|field| column(&field.name, field_type(field.kind)));
        let found = self.keys.iter().map(|_| column(key, FieldType::Text));
        Some(fields.chain(found).chain([column(LINE, FieldType::Text)]).collect())
    }
}

fn field_type(kind: FieldKind) -> FieldType {
    match kind {
        FieldKind::Text => FieldType::Text,
        FieldKind::Integer => FieldType::Int,
        FieldKind::Float => FieldType::Float,
        FieldKind::Time => FieldType::Time,
    }
}

/// Reads `[source]`. Whether the topic may be left out depends on the transport and is checked later.
pub(super) fn read(root: &Section<'_>, pipeline: &str) -> Source {
    let section = root.section("source", keys::SOURCE);
    let field = |name: &str| section.field(name).and_then(|field| field.text());
    let required = |name: &str, hint: &str| section.required(name, hint).and_then(|field| field.text());
    let topic_name = |field: Field<'_>| field.text_of(is_topic_name, TOPIC_RULE);
    Source {
        topic: section.field("topic").and_then(topic_name),
        format: source_format(&section),
        key: required("key", "the field that holds the entity, such as key = \"host_id\"").unwrap_or_default(),
        time: required("time", "the field that holds event time, such as time = \"utc\"").filter(|time| time != APPEND),
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
    Lines,
}

/// Reads `format` of `[source]` and what belongs to it.
fn source_format(section: &Section<'_>) -> Format {
    read_format(section, &[("json", FormatWord::Json), ("csv", FormatWord::Csv), ("lines", FormatWord::Lines)])
}

/// Reads `format` and `csv` of a join.
pub(super) fn format(section: &Section<'_>) -> Format {
    read_format(section, &[("json", FormatWord::Json), ("csv", FormatWord::Csv)])
}

fn read_format(section: &Section<'_>, words: &[(&'static str, FormatWord)]) -> Format {
    let given = section.field("format");
    let word = given.as_ref().and_then(|field| field.choice(words));
    // Of a format that is not known nobody can say which table belongs to it.
    let is_known = word.is_some() || given.is_none();
    let word = word.unwrap_or(FormatWord::Json);
    let place = given.map_or(section.place.clone(), |given| given.place);
    for (name, own) in [("csv", FormatWord::Csv), ("lines", FormatWord::Lines)] {
        if let Some(field) = section.field(name).filter(|_| is_known && own != word) {
            let word = words.iter().find(|(_, known)| *known == word).map_or("json", |(name, _)| name);
            let message = format!("[{}] is given, but the format is {word}", section.path_of(name));
            let hint = format!("write format = \"{name}\", or remove [{}]", section.path_of(name));
            section.report.add_pair(&field.key_place, &place, message, hint);
        }
    }
    let csv = read_csv(&section.section("csv", keys::CSV), word == FormatWord::Csv);
    let lines = read_lines(&section.section("lines", keys::LINES), word == FormatWord::Lines);
    match word {
        FormatWord::Json => Format::Json,
        FormatWord::Csv => Format::Csv(csv),
        FormatWord::Lines => Format::Lines(lines),
    }
}

/// Reads `[source.lines]`.
fn read_lines(section: &Section<'_>, is_used: bool) -> Lines {
    type Make = fn(String) -> LineLayout;
    let texts: [(&str, Make); 3] =
        [("layout", LineLayout::Named), ("pattern", LineLayout::Pattern), ("example", LineLayout::Example)];
    let given: Vec<_> = texts.iter().filter_map(|(name, make)| Some((section.field(name)?, make))).collect();
    if is_used && given.len() != 1 {
        let message = "a log needs one of `layout`, `pattern`, `example`".to_owned();
        let hint = format!(
            "such as [{}] with layout = \"syslog\"; there are {}",
            section.path_of("").trim_end_matches('.'),
            Layout::names().join(", ")
        );
        section.report.add(&section.place, message, hint);
    }
    let first = given.first().and_then(|(field, make)| Some((field, make(field.text()?))));
    let offset = section.field("utc_offset").and_then(|field| {
        let text =
            field.text_of(|text| utc_offset(text).is_some(), "hours and minutes east of UTC, such as \"+02:00\"");
        utc_offset(&text?)
    });
    let keys = section.field("keys").and_then(|field| {
        let text = field.text()?;
        match Keys::new(&text) {
            Ok(_) => Some(text),
            Err(error) => field.refuse(format!("`{}`: {error}", field.path()), "such as 'blk_-?\\d+'".to_owned()),
        }
    });
    let layout = first.as_ref().map_or(LineLayout::Named("plain".to_owned()), |(_, layout)| layout.clone());
    let multiline = section.field("multiline").and_then(|field| {
        let text = field.text()?;
        Some(match text.as_str() {
            "layout" => LineStart::Layout,
            "indented" => LineStart::Indented,
            _ => match MultilineStart::pattern(&text) {
                Ok(_) => LineStart::Pattern(text),
                Err(error) => {
                    let hint = "\"layout\", \"indented\", or an expression such as '^\\d{4}-'".to_owned();
                    return field.refuse(format!("`{}`: {error}", field.path()), hint);
                }
            },
        })
    });
    let lines = Lines { layout, keys, offset_seconds: offset.unwrap_or(0), multiline };
    if let (Some((field, _)), Err(error)) = (&first, lines.compile()) {
        section.report.add(&field.place, format!("`{}`: {error}", field.path()), None);
    }
    lines
}

/// Seconds east of UTC, from `+02:00`, `-0330` or `Z`.
fn utc_offset(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replacen(':', "", 1);
    let is_four = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i32 = digits.parse().ok().filter(|_| is_four)?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
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
