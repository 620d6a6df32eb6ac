use std::borrow::Cow;

use lapwing_vocabulary::EventTime;

/// What an event truly is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// Nobody knows.
    Unknown,
    /// Nothing special.
    Normal,
    /// An anomaly, by its name.
    Anomaly(Cow<'static, str>),
}

/// The word for a normal event in the `label` column.
pub const NORMAL: &str = "normal";

impl Label {
    /// Whether the event is known to be an anomaly.
    pub fn is_anomaly(&self) -> bool {
        matches!(self, Self::Anomaly(_))
    }

    /// The word in the `label` column; empty if unknown.
    pub fn name(&self) -> &str {
        match self {
            Self::Unknown => "",
            Self::Normal => NORMAL,
            Self::Anomaly(name) => name,
        }
    }

    /// The label that a word stands for.
    pub fn from_name(name: &str) -> Self {
        match name {
            "" => Self::Unknown,
            NORMAL => Self::Normal,
            name => Self::Anomaly(Cow::Owned(name.to_owned())),
        }
    }
}

/// One event, ready to be appended to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produced {
    /// Record key: the entity; `None` where the source has none.
    pub key: Option<Vec<u8>>,
    /// Record value.
    pub value: Vec<u8>,
    /// When it happened.
    pub time: EventTime,
    /// Ground truth, also in the value's `label` field where the source knows it.
    pub label: Label,
}
