use std::path::PathBuf;
use std::time::Duration;

use lapwing_vocabulary::time::{DAY, SECOND};

use super::keys;
use super::section::Section;

/// Where the memory of the past is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Folder of snapshots, relative to the working directory.
    pub path: PathBuf,
    /// How often a snapshot is taken.
    pub snapshot_interval: Duration,
}

/// Where models are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Models {
    /// Folder of the registry, relative to the working directory.
    pub path: PathBuf,
}

/// Reads `[state]`.
pub(super) fn read_state(root: &Section<'_>) -> State {
    let section = root.section("state", keys::STATE);
    let interval = section.duration_or("snapshot_interval", 10_000..=DAY, 30 * SECOND);
    State {
        path: section.text_or("path", "data/state").into(),
        snapshot_interval: Duration::from_micros(interval as u64),
    }
}

/// Reads `[models]`.
pub(super) fn read_models(root: &Section<'_>) -> Models {
    Models { path: root.section("models", keys::MODELS).text_or("path", "data/models").into() }
}
