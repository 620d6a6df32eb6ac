use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Number of a partition within its topic, from 0.
pub type Partition = i32;
/// Partitions that one topic may have where a transport reads several topics; see [`lane`].
pub const LANES_PER_TOPIC: Partition = 1 << 20;
/// Place of a record within its partition, from 0. A *committed* offset is the first one **not** yet consumed.
pub type Offset = i64;

/// The number by which a transport over several topics names a partition: that of the topic in its list, and that of the
/// partition within it. For the first topic it is the partition itself.
/// `None` beyond 2,047 topics or [`LANES_PER_TOPIC`] partitions.
pub fn lane(topic: usize, partition: Partition) -> Option<Partition> {
    let first = Partition::try_from(topic).ok()?.checked_mul(LANES_PER_TOPIC)?;
    (0..LANES_PER_TOPIC).contains(&partition).then(|| first.checked_add(partition)).flatten()
}

/// The topic's place in the list, and the partition within it, that [`lane`] made one number of.
pub fn lane_parts(lane: Partition) -> (usize, Partition) {
    ((lane / LANES_PER_TOPIC) as usize, lane % LANES_PER_TOPIC)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_a_topic_and_a_partition() {
        for (topic, partition) in [(0, 0), (0, 9_999), (1, 0), (2_047, LANES_PER_TOPIC - 1)] {
            assert_eq!(lane(topic, partition).map(lane_parts), Some((topic, partition)));
        }
        assert_eq!(lane(0, 7), Some(7), "a transport over one topic names partitions as they are");
        for (topic, partition) in [(2_048, 0), (usize::MAX, 0), (0, LANES_PER_TOPIC), (0, -1)] {
            assert_eq!(lane(topic, partition), None);
        }
    }
}
