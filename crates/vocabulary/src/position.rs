use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Number of a partition within its topic, from 0.
pub type Partition = i32;
/// Place of a record within its partition, from 0. A *committed* offset is the first one **not** yet consumed.
pub type Offset = i64;

/// Where one record lies. Text form: `topic[partition]@offset`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Name of the topic, or the path of a file.
    pub topic: Arc<str>,
    /// Partition within the topic.
    pub partition: Partition,
    /// Offset within the partition.
    pub offset: Offset,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}
