use std::collections::{BTreeMap, BTreeSet};

use lapwing_vocabulary::{Offset, Partition};

use super::context::Change;

/// How far a partition's take-over has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The group gave it to this worker, who does not know yet, or has thrown its work away and must be told again.
    Unannounced,
    /// The worker knows and prepares its state.
    Announced,
    /// Records are delivered.
    Running,
    /// To be given up once the worker has committed.
    Leaving,
}

#[derive(Debug)]
struct Holding {
    stage: Stage,
    /// First offset not fetched yet; records before it are repeats.
    next: Offset,
    /// The end of the partition as far as known.
    end: Offset,
    /// The end at which the last fetch had nothing more. Positions of transaction markers lie between the last record
    /// and it.
    exhausted_at: Option<Offset>,
}

/// What a change of assignment means for the worker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// Nothing the worker knows of has changed.
    None,
    /// The worker must commit and release these.
    Leaving(Vec<Partition>),
    /// The worker must forget these.
    Lost(Vec<Partition>),
}

/// The partitions of one worker. Pure: it decides, the transport acts.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    partitions: BTreeMap<Partition, Holding>,
    /// The revocation that waits for the worker: all its partitions, known to the worker or not.
    revocation: Vec<Partition>,
    awaited: BTreeSet<Partition>,
}

impl Holdings {
    /// Notes a change of assignment.
    pub(super) fn change(&mut self, change: Change) -> Notice {
        match change {
            Change::Assigned(partitions) => {
                for partition in partitions {
                    let fresh = Holding { stage: Stage::Unannounced, next: 0, end: 0, exhausted_at: None };
                    self.partitions.insert(partition, fresh);
                }
                Notice::None
            }
            Change::Revoked(partitions) => {
                let known = self.known(&partitions);
                for partition in &known {
                    self.partitions.entry(*partition).and_modify(|held| held.stage = Stage::Leaving);
                }
                self.awaited = known.iter().copied().collect();
                self.revocation = partitions;
                if known.is_empty() { Notice::None } else { Notice::Leaving(known) }
            }
            Change::Lost(partitions) => {
                let known = self.known(&partitions);
                self.forget(&partitions);
                if known.is_empty() { Notice::None } else { Notice::Lost(known) }
            }
        }
    }

    fn known(&self, partitions: &[Partition]) -> Vec<Partition> {
        let known =
            |partition: &Partition| self.partitions.get(partition).is_some_and(|held| held.stage != Stage::Unannounced);
        partitions.iter().copied().filter(known).collect()
    }

    fn forget(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.partitions.remove(partition);
            self.awaited.remove(partition);
        }
    }

    /// Notes that the worker is done with `partitions`.
    pub(super) fn release(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.awaited.remove(partition);
        }
    }

    /// The revocation to acknowledge now, once: when nothing of it is awaited from the worker any more.
    pub(super) fn finished_revocation(&mut self) -> Option<Vec<Partition>> {
        if self.revocation.is_empty() || !self.awaited.is_empty() {
            return None;
        }
        let finished = std::mem::take(&mut self.revocation);
        self.forget(&finished);
        Some(finished)
    }

    /// The worker threw its work away: what is leaving may go, and all else must be announced again.
    pub(super) fn begin_again(&mut self) {
        self.awaited.clear();
        for held in self.partitions.values_mut() {
            held.stage = Stage::Unannounced;
        }
    }

    /// Partitions the worker must be told of.
    pub(super) fn unannounced(&self) -> Vec<Partition> {
        self.in_stage(Stage::Unannounced)
    }

    /// Partitions whose records are delivered.
    pub(super) fn running(&self) -> Vec<Partition> {
        self.in_stage(Stage::Running)
    }

    fn in_stage(&self, stage: Stage) -> Vec<Partition> {
        self.partitions.iter().filter(|(_, held)| held.stage == stage).map(|(partition, _)| *partition).collect()
    }

    /// Notes that the worker was told of a partition which ended at `end`.
    pub(super) fn announced(&mut self, partition: Partition, end: Offset) {
        if let Some(held) = self.partitions.get_mut(&partition) {
            held.stage = Stage::Announced;
            held.end = end;
        }
    }

    /// Whether the worker may deliver from a partition.
    pub(super) fn may_resume(&self, partition: Partition) -> bool {
        self.partitions.get(&partition).is_some_and(|held| matches!(held.stage, Stage::Announced | Stage::Running))
    }

    /// Notes that delivery starts at `offset`.
    pub(super) fn resumed(&mut self, partition: Partition, offset: Offset) {
        if let Some(held) = self.partitions.get_mut(&partition) {
            held.stage = Stage::Running;
            held.next = offset;
            held.exhausted_at = None;
        }
    }

    /// Whether the worker may commit positions of a partition.
    pub(super) fn may_commit(&self, partition: Partition) -> bool {
        self.partitions.get(&partition).is_some_and(|held| held.stage != Stage::Unannounced)
    }

    /// Whether a fetched record is to be delivered; notes it if so.
    pub(super) fn admit(&mut self, partition: Partition, offset: Offset) -> bool {
        let Some(held) = self.partitions.get_mut(&partition) else { return false };
        if held.stage != Stage::Running || offset < held.next {
            return false;
        }
        held.next = offset + 1;
        held.exhausted_at = None;
        true
    }

    /// Notes that everything up to the end was fetched.
    pub(super) fn exhausted(&mut self, partition: Partition, end: Option<Offset>) {
        if let Some(held) = self.partitions.get_mut(&partition) {
            held.end = end.unwrap_or(held.end).max(held.end);
            held.exhausted_at = Some(held.end);
        }
    }

    /// Records of a partition that were not fetched yet; `end` is its end if known.
    pub(super) fn unfetched(&mut self, partition: Partition, end: Option<Offset>) -> u64 {
        let Some(held) = self.partitions.get_mut(&partition) else { return 0 };
        held.end = end.unwrap_or(held.end).max(held.end);
        if held.exhausted_at == Some(held.end) {
            return 0;
        }
        u64::try_from(held.end - held.next).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(partitions: &[Partition]) -> Holdings {
        let mut holdings = Holdings::default();
        holdings.change(Change::Assigned(partitions.to_vec()));
        for partition in partitions {
            holdings.announced(*partition, 10);
            holdings.resumed(*partition, 0);
        }
        holdings
    }

    #[test]
    fn a_revocation_is_finished_when_every_known_partition_was_released() {
        let mut holdings = running(&[0, 1, 2]);
        assert_eq!(holdings.change(Change::Revoked(vec![1, 2])), Notice::Leaving(vec![1, 2]));
        assert!(!holdings.admit(1, 0), "nothing is delivered of a leaving partition");
        assert!(holdings.may_commit(1), "its last epoch is still committed");
        holdings.release(&[1]);
        assert_eq!(holdings.finished_revocation(), None);
        holdings.release(&[2]);
        assert_eq!(holdings.finished_revocation(), Some(vec![1, 2]));
        assert_eq!(holdings.finished_revocation(), None);
        assert!(!holdings.may_commit(1) && holdings.may_commit(0));
    }

    #[test]
    fn a_partition_the_worker_never_heard_of_is_given_up_without_asking() {
        let mut holdings = Holdings::default();
        holdings.change(Change::Assigned(vec![4]));
        assert_eq!(holdings.change(Change::Revoked(vec![4])), Notice::None);
        assert_eq!(holdings.finished_revocation(), Some(vec![4]));
    }

    #[test]
    fn beginning_again_announces_what_stays_and_frees_what_leaves() {
        let mut holdings = running(&[0, 1]);
        holdings.change(Change::Revoked(vec![1]));
        holdings.begin_again();
        assert_eq!(holdings.finished_revocation(), Some(vec![1]));
        assert_eq!(holdings.unannounced(), vec![0]);
        assert!(!holdings.may_commit(0));
    }

    #[test]
    fn lost_partitions_are_reported_only_if_known() {
        let mut holdings = running(&[0]);
        holdings.change(Change::Assigned(vec![7]));
        assert_eq!(holdings.change(Change::Lost(vec![0, 7])), Notice::Lost(vec![0]));
        assert!(holdings.unannounced().is_empty() && holdings.running().is_empty());
    }

    #[test]
    fn repeats_are_refused_and_markers_at_the_end_are_no_backlog() {
        let mut holdings = running(&[0]);
        assert!(holdings.admit(0, 5) && !holdings.admit(0, 5) && holdings.admit(0, 8));
        assert_eq!(holdings.unfetched(0, Some(10)), 1);
        holdings.exhausted(0, Some(10));
        assert_eq!(holdings.unfetched(0, Some(10)), 0);
        assert_eq!(holdings.unfetched(0, Some(12)), 3);
    }
}
