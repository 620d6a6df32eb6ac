use lapwing_vocabulary::port::TopicLayout;
use lapwing_vocabulary::time::SECOND;

use super::keys;
use super::section::{Field, Section};
use super::source::TOPIC_RULE;
use super::units::{CENTURY, is_topic_name};

/// What a topic is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The events that are read.
    Source,
    /// Topics whose records are joined to the events.
    Joined,
    /// Alerts.
    Alerts,
    /// Events with what was added to them.
    Enriched,
    /// Records that could not be read.
    DeadLetters,
    /// Events that came behind the watermark.
    Late,
    /// Internal: what happened between two records, such as ticks of the wall clock, so that a replay repeats it.
    Markers,
    /// Internal: the events again, in the partition of their entity.
    Repartitioned,
}

impl Role {
    /// Every role, the source first.
    pub const ALL: [Self; 8] = [
        Self::Source,
        Self::Joined,
        Self::Alerts,
        Self::Enriched,
        Self::DeadLetters,
        Self::Late,
        Self::Markers,
        Self::Repartitioned,
    ];

    /// The word for it in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Joined => "joined",
            Self::Alerts => "alerts",
            Self::Enriched => "enriched",
            Self::DeadLetters => "dead_letters",
            Self::Late => "late",
            Self::Markers => "markers",
            Self::Repartitioned => "repartitioned",
        }
    }
}

/// Where results go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// Topic of alerts.
    pub alerts: String,
    /// Topic of enriched events; `None` if they are not written.
    pub enriched: Option<String>,
    /// Topic of records that could not be read.
    pub dead_letters: String,
    /// Topic of late events; `None` if they are only counted.
    pub late: Option<String>,
    /// Whether enriched events carry the values of the features.
    pub features: bool,
    /// Whether enriched events carry the score.
    pub scores: bool,
}

/// How topics are laid out when they are created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// The layout of every topic that has none of its own.
    pub base: TopicLayout,
    /// Complete layouts of the roles that have their own.
    pub own: Vec<(Role, TopicLayout)>,
}

impl Topics {
    /// The layout of the topic of a role. A marker lies in the partition it is about, so there are as many as in the
    /// topic that is processed.
    pub fn layout(&self, role: Role) -> TopicLayout {
        let own = self.own.iter().find(|(own, _)| *own == role).map(|(_, layout)| layout);
        let layout = own.unwrap_or(&self.base).clone();
        match role {
            Role::Markers => TopicLayout { partitions: self.processed_partitions(), ..layout },
            _ => layout,
        }
    }

    /// Partitions of the topic whose records the tasks see.
    fn processed_partitions(&self) -> i32 {
        let own = |role: Role| self.own.iter().find(|(own, _)| *own == role).map(|(_, layout)| layout.partitions);
        own(Role::Repartitioned).or(own(Role::Source)).unwrap_or(self.base.partitions)
    }
}

/// Reads `[outputs]`.
pub(super) fn read(root: &Section<'_>, pipeline: &str) -> Outputs {
    let section = root.section("outputs", keys::OUTPUTS);
    let default = |role: Role| format!("{pipeline}.{}", role.name());
    let required = |role: Role| {
        let given = section.field(role.name());
        given.and_then(|field| read_topic(&field)).unwrap_or_else(|| default(role))
    };
    let optional = |role: Role| match section.field(role.name()) {
        Some(field) if field.item.as_bool() == Some(false) => None,
        Some(field) => read_optional_topic(&field).or_else(|| Some(default(role))),
        None => Some(default(role)),
    };
    Outputs {
        alerts: required(Role::Alerts),
        enriched: optional(Role::Enriched),
        dead_letters: required(Role::DeadLetters),
        late: optional(Role::Late),
        features: section.flag_or("features", false),
        scores: section.flag_or("scores", true),
    }
}

fn read_topic(field: &Field<'_>) -> Option<String> {
    if field.item.is_bool() {
        let message = format!("`{}` must be the name of a topic", field.path());
        return field.refuse(message, "it cannot be switched off; leave it out for its default".to_owned());
    }
    field.text_of(is_topic_name, TOPIC_RULE)
}

fn read_optional_topic(field: &Field<'_>) -> Option<String> {
    if field.item.is_bool() {
        let message = format!("`{}` must be the name of a topic, or false", field.path());
        return field.refuse(message, "leave it out for its default".to_owned());
    }
    field.text_of(is_topic_name, TOPIC_RULE)
}

/// Reads `[topics]` and the tables of the roles in it, which take from it what they leave out.
pub(super) fn read_topics(root: &Section<'_>) -> Topics {
    let section = root.section("topics", keys::TOPICS);
    let none =
        TopicLayout { partitions: 4, replication: None, retention_micros: None, retention_bytes: None, compact: false };
    let base = read_layout(&section, &none);
    let own = Role::ALL.into_iter().filter_map(|role| Some((role, section.field(role.name())?)));
    let own = own.map(|(role, field)| (role, read_layout(&field.section(keys::LAYOUT), &base))).collect();
    Topics { base, own }
}

fn read_layout(section: &Section<'_>, base: &TopicLayout) -> TopicLayout {
    let replication = section.field("replication").and_then(|field| field.integer(1..=100));
    let retention = section.field("retention").and_then(|field| field.duration(SECOND..=CENTURY));
    let bytes = section.field("retention_bytes").and_then(|field| field.size(1..=i64::MAX as u64));
    TopicLayout {
        partitions: section.integer_or("partitions", 1..=10_000, i64::from(base.partitions)) as i32,
        replication: replication.map(|copies| copies as i16).or(base.replication),
        retention_micros: retention.or(base.retention_micros),
        retention_bytes: bytes.map(|bytes| bytes as i64).or(base.retention_bytes),
        compact: section.flag_or("compact", base.compact),
    }
}
