use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use lapwing_features::FeatureSpec;
use lapwing_vocabulary::time::{DAY, SECOND};

use super::keys;
use super::leave_out::{self, LeaveOut};
use super::section::Section;
use super::units::{CENTURY, show_duration};

/// Least and most memory for entities. Units: bytes.
const MEMORY: RangeInclusive<u64> = (1 << 20)..=(1 << 50);

/// Where the memory of the past is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Folder of snapshots, relative to the working directory.
    pub path: PathBuf,
    /// Where snapshots go, a folder or the URL of an object store; `None` is a folder beside the rest of the state.
    pub snapshots: Option<String>,
    /// How often a snapshot is taken.
    pub snapshot_interval: Duration,
    /// Memory for entities of this process; what is more lies on disk. Units: bytes. `None` is unbounded.
    pub memory_bytes: Option<u64>,
    /// How long an entity without events is remembered, in event time. Units: microseconds. `None` is for ever.
    pub ttl_micros: Option<i64>,
    /// Events that memory knows nothing of.
    pub leave_out: Vec<LeaveOut>,
}

/// Where models are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Models {
    /// Folder of the registry, relative to the working directory.
    pub path: PathBuf,
}

/// Reads `[state]`.
pub(super) fn read_state(root: &Section<'_>, features: &[FeatureSpec]) -> State {
    let section = root.section("state", keys::STATE);
    let interval = section.duration_or("snapshot_interval", 10_000..=DAY, 30 * SECOND);
    State {
        path: section.text_or("path", "data/state").into(),
        snapshots: section.field("snapshots").and_then(|field| field.text()),
        snapshot_interval: Duration::from_micros(interval as u64),
        memory_bytes: section.field("memory").and_then(|field| field.size(MEMORY)),
        ttl_micros: read_ttl(&section, features),
        leave_out: leave_out::read(&section),
    }
}

/// How long idle entities are remembered. An entity that is forgotten before its longest window has passed would be
/// judged as new in the middle of it.
fn read_ttl(section: &Section<'_>, features: &[FeatureSpec]) -> Option<i64> {
    let longest = features.iter().filter_map(|feature| feature.over.length_micros()).max().unwrap_or(0);
    match section.field("ttl") {
        Some(field) if field.item.as_bool() == Some(false) => None,
        Some(field) => {
            let ttl = field.duration(SECOND..=CENTURY);
            if let Some(ttl) = ttl.filter(|ttl| *ttl < longest) {
                let message = format!("`{}` is {}", field.path(), show_duration(ttl));
                let hint = format!(
                    "the longest window or baseline is {}: allowed from there on, or false",
                    show_duration(longest)
                );
                return field.refuse(message, hint);
            }
            ttl
        }
        None => Some((4 * longest).max(30 * DAY)),
    }
}

/// Reads `[models]`.
pub(super) fn read_models(root: &Section<'_>) -> Models {
    Models { path: root.section("models", keys::MODELS).text_or("path", "data/models").into() }
}
