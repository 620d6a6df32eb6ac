//! The worker's side of the group: what one member believes it holds. It learns of changes late, and may be cut off for
//! a while; then it works on, and its commits are refused.

use std::collections::{BTreeMap, VecDeque};

use lapwing_vocabulary::Partition;

use crate::log::Claim;

/// A change that a member has not been told of yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A partition was given to it.
    Given(Partition, Claim),
    /// Partitions are asked back.
    AskedBack(Vec<Partition>),
    /// Partitions are gone.
    Gone(Vec<(Partition, Claim)>),
}

/// How far a partition's take-over has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The worker does not know of it (any more).
    Unannounced,
    /// The worker prepares.
    Announced,
    /// Records are delivered from this index of the partition's records on.
    Running(usize),
}

/// A partition that a member believes it holds.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    /// The claim under which it got it.
    pub claim: Claim,
    /// How far it is.
    pub stage: Stage,
    /// Whether it was asked back and waits for the worker's release.
    pub leaving: bool,
}

/// What a member tells its worker instead of records.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// To commit and release.
    Revoked(Vec<Partition>),
    /// To forget.
    Lost(Vec<Partition>),
}

/// One member.
#[derive(Debug, Default)]
pub struct Membership {
    /// What it believes it holds.
    pub holdings: BTreeMap<Partition, Holding>,
    /// What it has not learnt.
    pub notices: VecDeque<Notice>,
    /// Polls until it learns anything again.
    pub cut_off: u64,
    /// Whether no records come either while it is cut off.
    pub deaf: bool,
    /// Whether its process is dead.
    pub dead: bool,
}

impl Membership {
    /// Learns of changes until there is one that its worker must know of. The second part are claims that are given up
    /// without the worker, because it never knew of them.
    pub fn learn(&mut self) -> (Option<Told>, Vec<(Partition, Claim)>) {
        let mut given_up = Vec::new();
        while let Some(notice) = self.notices.pop_front() {
            let told = match notice {
                Notice::Given(partition, claim) => {
                    let fresh = Holding { claim, stage: Stage::Unannounced, leaving: false };
                    self.holdings.insert(partition, fresh);
                    None
                }
                Notice::AskedBack(partitions) => self.ask_back(&partitions, &mut given_up),
                Notice::Gone(claims) => self.lose(&claims),
            };
            if told.is_some() {
                return (told, given_up);
            }
        }
        (None, given_up)
    }

    fn ask_back(&mut self, partitions: &[Partition], given_up: &mut Vec<(Partition, Claim)>) -> Option<Told> {
        let mut known = Vec::new();
        for partition in partitions {
            let Some(holding) = self.holdings.get_mut(partition) else { continue };
            if holding.stage == Stage::Unannounced {
                given_up.push((*partition, holding.claim));
                self.holdings.remove(partition);
            } else {
                holding.leaving = true;
                known.push(*partition);
            }
        }
        (!known.is_empty()).then_some(Told::Revoked(known))
    }

    fn lose(&mut self, claims: &[(Partition, Claim)]) -> Option<Told> {
        let mut known = Vec::new();
        for (partition, claim) in claims {
            let Some(holding) = self.holdings.get(partition).filter(|holding| holding.claim == *claim) else {
                continue;
            };
            if holding.stage != Stage::Unannounced {
                known.push(*partition);
            }
            self.holdings.remove(partition);
        }
        (!known.is_empty()).then_some(Told::Lost(known))
    }

    /// The worker threw its work away: what was asked back is given up, all else is announced again.
    pub fn begin_again(&mut self) -> Vec<(Partition, Claim)> {
        let leaving =
            |(partition, holding): (&Partition, &Holding)| holding.leaving.then_some((*partition, holding.claim));
        let given_up: Vec<(Partition, Claim)> = self.holdings.iter().filter_map(leaving).collect();
        self.holdings.retain(|_, holding| !holding.leaving);
        for holding in self.holdings.values_mut() {
            holding.stage = Stage::Unannounced;
        }
        given_up
    }

    /// Partitions in a stage that `wanted` names.
    pub fn where_stage(&self, wanted: impl Fn(Stage) -> bool) -> Vec<Partition> {
        self.holdings.iter().filter(|(_, held)| wanted(held.stage)).map(|(partition, _)| *partition).collect()
    }
}
