//! Which faults a story has, and how often. A story with every fault at once never gets far enough to meet the rare
//! meetings of two; so each fault is on in about half of the stories only, at a rate of its own.

use crate::chance::{Chance, Stream};

/// Something that goes wrong, or at least other than straight ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process dies before a call of the port does anything. Per call.
    DeathBefore,
    /// The process dies after a call of the port is done and before it hears the answer. Per call.
    DeathAfter,
    /// A commit is refused with `Restart`. Per commit.
    CommitRefused,
    /// A commit is done, and the answer is `Restart` or `Unreachable`. Per commit.
    AnswerLost,
    /// A poll asks for a restart. Per poll.
    PollRestart,
    /// A resume is refused with `Restart`. Per resume.
    ResumeRefused,
    /// Delivery starts some records before the offset that was asked for. Per resume.
    Repeats,
    /// Nothing arrives although there is something. Per poll.
    Idle,
    /// The worker's clock leaps, mostly forwards. Per poll.
    ClockJump,
    /// An assignment is announced later. Per poll.
    SlowAssignment,
    /// Partitions are asked back. Per turn.
    Revoke,
    /// Partitions are taken away and given to others. Per turn.
    Expire,
    /// A worker is cut off: its partitions go to others, and it works on without knowing. Per turn.
    CutOff,
    /// A process dies between two steps. Per turn.
    Kill,
    /// A process is asked to stop, and does so in good order. Per turn.
    Stop,
    /// One more process starts. Per turn.
    Start,
    /// A stored snapshot is cut short, gets a flipped bit, vanishes, or a half-written one lies beside it. Per turn.
    Damage,
    /// The disk takes and gives nothing for a while. Per turn.
    DiskAway,
    /// The reference table has a new edition. Per turn.
    TableChange,
    /// There is a new model. Per turn.
    ModelChange,
}

impl Fault {
    /// Every fault, with the highest rate it can have in a story. Units: in a thousand.
    pub const ALL: [(Self, u64); 20] = [
        (Self::DeathBefore, 15),
        (Self::DeathAfter, 15),
        (Self::CommitRefused, 150),
        (Self::AnswerLost, 100),
        (Self::PollRestart, 30),
        (Self::ResumeRefused, 80),
        (Self::Repeats, 500),
        (Self::Idle, 300),
        (Self::ClockJump, 80),
        (Self::SlowAssignment, 500),
        (Self::Revoke, 60),
        (Self::Expire, 40),
        (Self::CutOff, 40),
        (Self::Kill, 30),
        (Self::Stop, 30),
        (Self::Start, 150),
        (Self::Damage, 60),
        (Self::DiskAway, 20),
        (Self::TableChange, 60),
        (Self::ModelChange, 40),
    ];
}

/// The faults of one story.
#[derive(Debug)]
pub struct Weather {
    /// By fault. Units: in a thousand.
    rates: [u64; Fault::ALL.len()],
    /// How often each has happened.
    happened: [u64; Fault::ALL.len()],
}

impl Weather {
    /// Draws the faults of a story.
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed, Stream::Weather);
        let mut rate = |(_, highest): (Fault, u64)| if chance.below(2) == 0 { chance.between(1, highest) } else { 0 };
        Self { rates: Fault::ALL.map(&mut rate), happened: [0; Fault::ALL.len()] }
    }

    /// Leaves a fault out of this story.
    pub fn without(&mut self, fault: Fault) {
        self.rates[fault as usize] = 0;
    }

    /// Makes sure of a fault, at its highest rate.
    pub fn with(&mut self, fault: Fault) {
        self.rates[fault as usize] = Fault::ALL[fault as usize].1;
    }

    /// From now on nothing goes wrong.
    pub fn calm(&mut self) {
        self.rates = [0; Fault::ALL.len()];
    }

    /// Whether a fault happens now.
    pub fn strikes(&mut self, fault: Fault, chance: &mut Chance) -> bool {
        let hit = chance.hits(self.rates[fault as usize]);
        self.happened[fault as usize] += u64::from(hit);
        hit
    }

    /// How often each fault has happened, in the order of [`Fault::ALL`].
    pub fn happened(&self) -> [u64; Fault::ALL.len()] {
        self.happened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lists_every_fault_in_its_order() {
        for (at, (fault, highest)) in Fault::ALL.iter().enumerate() {
            assert_eq!((*fault as usize, *highest > 0), (at, true));
        }
    }
}
