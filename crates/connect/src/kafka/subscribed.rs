use std::ffi::{CStr, CString};
use std::sync::Arc;

use lapwing_vocabulary::Partition;
use lapwing_vocabulary::position::{lane, lane_parts};
use rdkafka::TopicPartitionList;

use super::native;

/// The topics that one worker reads, in the order in which they were named. Holdings and inbox know partitions by their
/// [`lane`]; only here, where librdkafka is spoken to, do topics come in.
#[derive(Debug, Default)]
pub(super) struct Subscribed {
    topics: Vec<(Arc<str>, CString)>,
}

impl Subscribed {
    pub(super) fn new(names: &[&str]) -> Self {
        Self { topics: names.iter().map(|name| (Arc::from(*name), native::c_name(name))).collect() }
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.topics.iter().map(|(name, _)| &**name).collect()
    }

    /// The names, for messages.
    pub(super) fn shown(&self) -> String {
        self.names().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }

    /// Whether there are several: librdkafka reports the end of a partition without its topic.
    pub(super) fn is_several(&self) -> bool {
        self.topics.len() > 1
    }

    /// The lane of a partition; `None` for a topic that was not subscribed to.
    pub(super) fn lane(&self, topic: &str, partition: Partition) -> Option<Partition> {
        lane(self.topics.iter().position(|(name, _)| **name == *topic)?, partition)
    }

    /// The lanes of all partitions in a list.
    pub(super) fn lanes(&self, list: &TopicPartitionList) -> Vec<Partition> {
        list.elements().iter().filter_map(|element| self.lane(element.topic(), element.partition())).collect()
    }

    /// Topic and partition of a lane that [`Subscribed::lane`] gave.
    pub(super) fn place(&self, lane: Partition) -> Option<(&Arc<str>, &CStr, Partition)> {
        let (topic, partition) = lane_parts(lane);
        self.topics.get(topic).map(|(name, c_name)| (name, c_name.as_c_str(), partition))
    }

    /// A lane for messages, as `topic[partition]`.
    pub(super) fn show(&self, lane: Partition) -> String {
        match self.place(lane) {
            Some((name, _, partition)) => format!("{name}[{partition}]"),
            None => format!("[{lane}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_found_and_shown_by_topic() {
        let subscribed = Subscribed::new(&["events", "logins"]);
        let lane = subscribed.lane("logins", 3).unwrap();
        assert_eq!((subscribed.lane("events", 3), subscribed.lane("other", 3)), (Some(3), None));
        assert_eq!(subscribed.place(lane).map(|(name, _, partition)| (&**name, partition)), Some(("logins", 3)));
        assert_eq!((subscribed.show(lane), subscribed.shown()), ("logins[3]".into(), "`events`, `logins`".into()));
        assert!(subscribed.is_several() && !Subscribed::new(&["events"]).is_several());
    }
}
