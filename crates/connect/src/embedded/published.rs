use std::collections::BTreeMap;
use std::sync::Arc;

use lapwing_vocabulary::{Partition, PortError};

use super::catalog::{Head, Topic};

/// What readers may see: every topic with the ends of its partitions, and who reads on behalf of which group.
#[derive(Default)]
pub(super) struct Published {
    topics: BTreeMap<Arc<str>, Listed>,
    /// By group, topic and partition: the claim that may commit.
    claims: BTreeMap<(Arc<str>, u32, Partition), u64>,
    /// Number of claims ever made.
    claimed: u64,
}

/// A topic and the ends of its partitions.
#[derive(Clone)]
pub(super) struct Listed {
    pub(super) topic: Arc<Topic>,
    pub(super) heads: Vec<Head>,
}

impl Published {
    pub(super) fn insert(&mut self, topic: Arc<Topic>, heads: Vec<Head>) {
        self.topics.insert(topic.name.clone(), Listed { topic, heads });
    }

    pub(super) fn get(&self, name: &str) -> Option<&Listed> {
        self.topics.get(name)
    }

    pub(super) fn set_head(&mut self, name: &str, partition: Partition, head: Head) {
        if let Some(slot) = self.topics.get_mut(name).and_then(|listed| listed.heads.get_mut(partition as usize)) {
            *slot = head;
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(|name| &**name)
    }

    /// The number for the next topic to be created.
    pub(super) fn next_id(&self) -> u32 {
        self.topics.values().map(|listed| listed.topic.id + 1).max().unwrap_or(1)
    }

    /// Makes `partitions` of a group belong to a new claim, whoever held them before.
    pub(super) fn claim(&mut self, group: &Arc<str>, topic: u32, partitions: &[Partition]) -> u64 {
        self.claimed += 1;
        for partition in partitions {
            self.claims.insert((group.clone(), topic, *partition), self.claimed);
        }
        self.claimed
    }

    pub(super) fn holds(&self, group: &Arc<str>, topic: u32, partition: Partition, claim: u64) -> bool {
        self.claims.get(&(group.clone(), topic, partition)) == Some(&claim)
    }

    /// The error for a topic that is not there, naming those that may be meant.
    pub(super) fn missing(&self, name: &str, folder: &std::path::Path) -> PortError {
        let mut near: Vec<(f64, &str)> = self
            .names()
            .map(|other| (strsim::jaro_winkler(name, other), other))
            .filter(|(near, _)| *near > 0.7)
            .collect();
        near.sort_by(|left, right| right.0.total_cmp(&left.0));
        let near: Vec<String> = near.iter().take(3).map(|(_, other)| format!("`{other}`")).collect();
        let meant = if near.is_empty() { String::new() } else { format!(" (there is {})", near.join(", ")) };
        PortError::Operator(format!(
            "the embedded log in {} has no topic `{name}`{meant}: create it with `lapwing topics create PIPELINE`",
            folder.display()
        ))
    }
}
