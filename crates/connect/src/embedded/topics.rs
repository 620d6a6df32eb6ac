use std::sync::Arc;

use lapwing_vocabulary::port::{TopicLayout, TopicState, Topics};
use lapwing_vocabulary::{Offset, Partition, PortError, Records};

use super::cursor::Cursor;
use super::shared::Shared;

/// Makes, describes and reads topics of the embedded log.
pub struct EmbeddedTopics {
    shared: Arc<Shared>,
}

impl EmbeddedTopics {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

fn settings(layout: &TopicLayout) -> Vec<(String, String)> {
    let limit = |limit: Option<i64>| limit.map_or("none".to_owned(), |limit| limit.to_string());
    [
        ("partitions", layout.partitions.to_string()),
        ("retention_micros", limit(layout.retention_micros)),
        ("retention_bytes", limit(layout.retention_bytes)),
        ("compact", layout.compact.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

impl Topics for EmbeddedTopics {
    fn create(&mut self, name: &str, layout: &TopicLayout) -> Result<bool, PortError> {
        self.shared.create(name, layout)
    }

    fn describe(&mut self, name: &str) -> Result<Option<TopicState>, PortError> {
        let listed = self.shared.published().get(name).cloned();
        Ok(listed.map(|listed| TopicState {
            name: name.to_owned(),
            partitions: listed.heads.iter().map(|head| (head.earliest, head.end)).collect(),
            settings: settings(&listed.topic.layout),
        }))
    }

    fn list(&mut self) -> Result<Vec<String>, PortError> {
        Ok(self.shared.published().names().map(str::to_owned).collect())
    }

    /// One atomic write is all there is to a commit.
    fn settle(&mut self, _name: &str, _partition: Partition) -> Result<(), PortError> {
        Ok(())
    }

    fn read(
        &mut self,
        name: &str,
        partition: Partition,
        offset: Offset,
        records_max: usize,
    ) -> Result<Records, PortError> {
        let shared = &self.shared;
        let listed = shared.published().get(name).cloned();
        let listed = listed.ok_or_else(|| shared.published().missing(name, shared.store.folder()))?;
        let Some(head) = usize::try_from(partition).ok().and_then(|partition| listed.heads.get(partition)) else {
            let partitions = listed.heads.len();
            return Err(PortError::Operator(format!(
                "`{name}` has no partition {partition}, only 0 to {}",
                partitions - 1
            )));
        };
        let mut records = Records::new(listed.topic.name.clone(), partition);
        let mut cursor = Cursor::new(listed.topic.clone(), partition, offset);
        cursor.fill(&shared.store, head.end, records_max, &mut records)?;
        Ok(records)
    }
}
