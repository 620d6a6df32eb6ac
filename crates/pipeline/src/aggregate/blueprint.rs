//! What the memory of every partition of a pipeline looks like.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use lapwing_features::{Graph, Layout, ScoredWindowSpec};
use lapwing_state::{EntityTable, StateError};
use serde::{Deserialize, Serialize};

use super::{Limits, MemoryRoom};
use crate::settings::{Postprocessing, Window};

/// The table of entities.
pub(super) const ENTITIES: &str = "entities";
/// The table of the groups of a column of peers: this, then the column's name.
pub(super) const GROUPS: &str = "peers ";

/// What the memory of every partition of a pipeline looks like, and how it is folded.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// The features.
    pub graph: Arc<Graph>,
    /// What bounds the memory.
    pub limits: Limits,
    /// Column of the entity.
    pub key: String,
    /// Column that identifies the event.
    pub id: Option<String>,
    /// Rows with their features.
    pub rows: SchemaRef,
    /// Windows as the scored unit.
    pub window: Option<Window>,
    /// What becomes of scores; its memory is kept beside that of features.
    pub postprocessing: Postprocessing,
    /// Digest of everything that decides what an event is.
    pub events: String,
}

/// What a snapshot says of the meaning of its words: JSON in its header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateLayout {
    /// Digest of everything that decides what an event is.
    pub events: String,
    /// Where each feature's words lie.
    pub features: Layout,
    /// The windows that are scored.
    pub windows: Option<ScoredWindowSpec>,
    /// What becomes of scores.
    #[serde(default)]
    pub postprocessing: Postprocessing,
}

impl Blueprint {
    /// An empty table for words that were written by any version of this pipeline.
    /// Errors: `Storage`, if there is a room and its file cannot be made.
    pub fn empty_table(&self, name: &str, words: usize, room: Option<&MemoryRoom>) -> Result<EntityTable, StateError> {
        let mut initial = vec![0.0; words];
        if name == ENTITIES && words == self.graph.entity_words() {
            self.graph.init_entity(&mut initial);
        }
        let peers = self.graph.peers().iter().position(|column| name.strip_prefix(GROUPS) == Some(column));
        if let Some(group) = peers.filter(|group| words == self.graph.group_words(*group)) {
            self.graph.init_group(group, &mut initial);
        }
        match room.filter(|_| name == ENTITIES) {
            Some(room) => EntityTable::with_budget(initial, room.bytes, &room.file),
            None => Ok(EntityTable::new(initial)),
        }
    }

    /// What its snapshots say of their words.
    pub fn layout(&self) -> StateLayout {
        StateLayout {
            events: self.events.clone(),
            features: self.graph.layout(),
            windows: self.window.as_ref().map(|window| window.spec.clone()),
            postprocessing: self.postprocessing.clone(),
        }
    }
}
