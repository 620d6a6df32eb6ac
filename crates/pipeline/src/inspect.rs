//! Looks into the memory of a partition as its newest snapshot has it, without touching it.

use std::sync::Arc;

use lapwing_detect::{Inputs as ModelInputs, MemberSpec};
use lapwing_features::FeatureState;
use lapwing_logs::Template;
use lapwing_state::{Features, SnapshotStore, restore};
use lapwing_vocabulary::{Offset, Partition};
use serde::Serialize;

use crate::aggregate::{Aggregate, Carried, Entity};
use crate::error::RunError;
use crate::plan::Plan;
pub use crate::postprocess::RecentScores;
use crate::references::References;
use crate::task::Task;
use crate::templates::Templates;

/// The memory of a partition.
pub struct Memory {
    /// First offset whose event is not in it.
    pub offset: Offset,
    /// What of it these settings can use.
    pub carried: Carried,
    task: Task,
}

/// Loads the newest snapshot of a partition; `None` if there is none.
/// Errors: `State`; `Plan`, with the reason for which it cannot be used with these settings.
pub fn newest(
    plan: &Arc<Plan>,
    store: &SnapshotStore,
    partition: Partition,
    references: &References,
) -> Result<Option<Memory>, RunError> {
    let mut make = |_: &_, name: &str, words: usize| plan.memory.empty_table(name, words, None);
    let everything = Some(Offset::MAX);
    let restored = restore(store, &plan.identity(partition), Features::Any, everything, 0, &mut make)?;
    let Some(snapshot) = restored.snapshot else { return Ok(None) };
    let offset = snapshot.header.offset;
    let mut task = Task::new(plan, partition, &references.latest())?;
    let carried = task.restore(snapshot, references).map_err(|fault| RunError::Plan(vec![fault]))?;
    Ok(Some(Memory { offset, carried, task }))
}

impl Memory {
    /// The stage that remembers.
    pub fn aggregate(&self) -> &Aggregate {
        self.task.aggregate()
    }

    /// The templates of log messages that are known.
    pub fn templates(&self) -> Vec<&Template> {
        self.task.templates().into_iter().flat_map(Templates::each).collect()
    }

    /// What is remembered of an entity; `None` if nothing is.
    /// Errors: `State`.
    pub fn entity(&self, name: &str) -> Result<Option<Entity>, RunError> {
        Ok(self.task.aggregate().inspect(name)?)
    }

    /// What an entity's recent scores mean for its next one; `None` if none are remembered.
    /// Errors: `State`.
    pub fn recent_scores(&self, name: &str) -> Result<Option<RecentScores>, RunError> {
        self.task.recent_scores(name)
    }
}

/// What a detector knows of an entity before its next event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grounds {
    /// Name of the detector.
    pub detector: String,
    /// Features it reads that cannot exist yet, for want of values: it sees null there.
    pub nulls: Vec<String>,
    /// Features it reads that are judged by peers or the partition as well, because the entity's own past is short.
    pub young: Vec<String>,
}

/// What each detector of a pipeline knows of an entity whose features these are.
pub fn grounds(plan: &Plan, features: &[FeatureState]) -> Vec<Grounds> {
    let of_member = |member: &MemberSpec| {
        let reads = |name: &str| match &member.inputs {
            ModelInputs::All => plan.inputs.iter().any(|input| input.column == name),
            ModelInputs::Named(names) => names.iter().any(|input| input == name),
        };
        let named = |keep: &dyn Fn(&FeatureState) -> bool| -> Vec<String> {
            let kept = features.iter().filter(|feature| reads(&feature.name) && keep(feature));
            kept.map(|feature| feature.name.clone()).collect()
        };
        Grounds {
            detector: member.name.clone(),
            nulls: named(&FeatureState::cannot_exist),
            young: named(&FeatureState::is_young),
        }
    };
    plan.members.iter().map(of_member).collect()
}
