use std::ops::RangeInclusive;

use lapwing_vocabulary::time::{MINUTE, SECOND};

use super::keys;
use super::schema::{self, SchemaField};
use super::section::{Field, Section};
use super::source::{self, Format, TOPIC_RULE};
use super::units::{YEAR, is_identifier, is_topic_name};

/// Records of a joined stream, or rows of a joined table, that are kept per partition unless the file says otherwise.
const ROWS_DEFAULT: i64 = 1_000_000;

/// Least and most memory for what is kept of one join. Units: bytes.
const BYTES: RangeInclusive<u64> = (1 << 10)..=(1 << 50);

/// Another topic whose records are joined to the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Its name; it begins the names of the joined columns.
    pub name: String,
    /// Topic that is joined.
    pub topic: String,
    /// How the bytes of its records are read.
    pub format: Format,
    /// Its field that must equal the events' column `on`.
    pub key: String,
    /// Its field of event time; `None`, for tables only, is the moment of the append.
    pub time: Option<String>,
    /// Its fields.
    pub schema: Vec<SchemaField>,
    /// The names its fields have as columns of the event, in the order of `schema`.
    pub columns: Vec<String>,
    /// Column of the event that must equal `key`.
    pub on: String,
    /// What is joined.
    pub what: Joined,
    /// What becomes of an event that matches nothing.
    pub kind: JoinKind,
    /// Most records kept per partition.
    pub rows_max: usize,
    /// Most memory for them, per partition, by an estimate. Units: bytes. `None` is unbounded.
    pub bytes_max: Option<u64>,
}

/// What is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// The records of a stream around the time of the event.
    Interval {
        /// How far a match may lie before the event. Units: microseconds.
        before_micros: i64,
        /// How far a match may lie after the event. Units: microseconds.
        after_micros: i64,
        /// How far event time comes beyond an event before that goes on; 0 lets it go on at once. Units: microseconds.
        wait_micros: i64,
        /// Which of several matches count.
        matches: Matches,
    },
    /// The last value of each key.
    Table {
        /// For how long a row counts after its time. Units: microseconds. `None` is for ever.
        ttl_micros: Option<i64>,
    },
}

/// What becomes of an event that matches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// It is left out.
    Inner,
    /// It goes on without values.
    Left,
}

/// Which of several matches count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matches {
    /// The newest.
    Last,
    /// Each, as a row of its own.
    All,
}

impl Join {
    /// Whether its rows lie in the partition of their key, because that is the entity; otherwise every partition has all.
    pub fn is_by_entity(&self, entity: &str) -> bool {
        self.on == entity
    }

    /// How long events wait for it. Units: microseconds.
    pub fn wait_micros(&self) -> i64 {
        match self.what {
            Joined::Interval { wait_micros, .. } => wait_micros,
            Joined::Table { .. } => 0,
        }
    }
}

impl JoinKind {
    pub(super) const ALL: [(&'static str, Self); 2] = [("inner", Self::Inner), ("left", Self::Left)];

    /// The word for it in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inner => "inner",
            Self::Left => "left",
        }
    }
}

impl Matches {
    pub(super) const ALL: [(&'static str, Self); 2] = [("last", Self::Last), ("all", Self::All)];

    /// The word for it in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::All => "all",
        }
    }
}

/// Reads `[join.*]`, in the order of the file. `entity` and `watermark_micros` are those of the source.
pub(super) fn read(root: &Section<'_>, entity: &str, watermark_micros: i64) -> Vec<Join> {
    let fields = root.free_section("join").fields();
    fields.iter().map(|field| read_join(field, entity, watermark_micros)).collect()
}

fn read_join(field: &Field<'_>, entity: &str, watermark_micros: i64) -> Join {
    let name = field.name.clone();
    if !is_identifier(&name) {
        let message = format!("a join cannot be called `{}`", name.escape_debug());
        let hint = "letters, digits and underscores, not a digit first: it begins the names of columns".to_owned();
        field.report.add(&field.key_place, message, hint);
    }
    let section = field.section(keys::JOIN);
    let required = |name: &str, hint: &str| section.required(name, hint);
    let is_table = section.flag_or("table", false);
    let topic = required("topic", "the topic whose records are joined");
    let key = required("key", "its field that must equal the column `on` of the event");
    let time = match is_table {
        true => section.field("time"),
        false => required("time", "its field that holds event time, such as time = \"utc\""),
    };
    let schema = read_schema(&section);
    let columns = schema.iter().map(|field| format!("{name}_{}", field.name)).collect();
    Join {
        topic: topic.and_then(|field| field.text_of(is_topic_name, TOPIC_RULE)).unwrap_or_default(),
        format: source::format(&section),
        key: key.and_then(|field| field.text()).unwrap_or_default(),
        time: time.and_then(|field| field.text()),
        schema,
        columns,
        on: section.text_or("on", entity),
        what: if is_table { read_table(&section) } else { read_interval(&section, watermark_micros) },
        kind: section.field("kind").and_then(|field| field.choice(&JoinKind::ALL)).unwrap_or(JoinKind::Left),
        rows_max: section.integer_or("max_rows", 1..=1_000_000_000, ROWS_DEFAULT) as usize,
        bytes_max: section.field("max_bytes").and_then(|field| field.size(BYTES)),
        name,
    }
}

/// The fields of a joined topic are declared: they become columns of the event, whatever its first records hold.
fn read_schema(section: &Section<'_>) -> Vec<SchemaField> {
    let hint = "name its fields and their types, such as schema = { user = \"text\", at = \"time\" }";
    section.required("schema", hint);
    schema::read(section).unwrap_or_default()
}

fn read_table(section: &Section<'_>) -> Joined {
    for name in ["within", "before", "after", "wait", "match"] {
        if let Some(field) = section.field(name) {
            let message = format!("`{}` is of no use with a table", field.path());
            let hint = "a table gives the last value of each key; remove it, or `table`".to_owned();
            field.report.add(&field.key_place, message, hint);
        }
    }
    Joined::Table { ttl_micros: section.field("ttl").and_then(|field| field.duration(SECOND..=YEAR)) }
}

fn read_interval(section: &Section<'_>, watermark_micros: i64) -> Joined {
    if let Some(field) = section.field("ttl") {
        let message = format!("`{}` is of a table", field.path());
        let hint =
            "records of a stream are forgotten by `before` or `within`; write table = true, or remove it".to_owned();
        field.report.add(&field.key_place, message, hint);
    }
    let (within, before, after) = (section.field("within"), section.field("before"), section.field("after"));
    if within.is_none() && before.is_none() && after.is_none() {
        let message =
            format!("`{}` is missing: how far apart may a record and an event lie?", section.path_of("within"));
        let hint = "within = \"5m\", or before and after; for the last value of each key, table = true".to_owned();
        section.report.add(&section.place, message, hint);
    }
    if let (Some(within), Some(other)) = (&within, before.as_ref().or(after.as_ref())) {
        let message = format!("`{}` and `{}` say the same twice", within.path(), other.path());
        let hint = "`within` is both `before` and `after`".to_owned();
        section.report.add_pair(&other.key_place, &within.key_place, message, hint);
    }
    let length = |field: Option<Field<'_>>| field.and_then(|field| field.duration(0..=YEAR));
    let both = length(within);
    let before_micros = both.or(length(before)).unwrap_or(if after.is_some() { 0 } else { MINUTE });
    let after_micros = both.or(length(after)).unwrap_or(0);
    // What could come after the event is waited for, also where it is as late as the watermark allows.
    let default = if after_micros > 0 { after_micros.saturating_add(watermark_micros) } else { 0 };
    Joined::Interval {
        before_micros,
        after_micros,
        wait_micros: section.duration_or("wait", 0..=2 * YEAR, default),
        matches: section.field("match").and_then(|field| field.choice(&Matches::ALL)).unwrap_or(Matches::Last),
    }
}
