//! Everything outside the workers' own memory: log, memberships, chance, faults, and what was found wrong. One value per
//! story, behind one lock that is never contended, because a story is one thread.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::clock::Clock;
use lapwing_vocabulary::port::{Assignment, Backlog};
use lapwing_vocabulary::{Epoch, Offset, Partition, Polled, PortError, Records};

use crate::chance::{Chance, Stream};
use crate::flaw::Flaw;
use crate::log::{Claim, Log, Member};
use crate::membership::{Holding, Membership, Notice, Stage, Told};
use crate::source::{Source, TOPIC};
use crate::weather::{Fault, Weather};

/// Longest time that passes in a poll without a leap of the clock. Units: microseconds.
const POLL_MICROS_MAX: u64 = 20_000;
/// Leaps of a clock: past a look at tables and models, far ahead, so far that what waits for event time goes on, back.
/// Units: microseconds.
const LEAPS_MICROS: [i64; 6] = [1_100_000, 1_100_000, 5_000_000, 45_000_000, 45_000_000, -1_500_000];
/// Most records before the asked offset with which delivery may begin.
const REPEATS_MAX: u64 = 6;
/// How often a planted flaw shows. Units: in a thousand.
const FLAW_RATE: u64 = 250;

/// What a story is made of.
#[derive(Debug)]
pub struct World {
    /// Which flaw is planted.
    pub flaw: Option<Flaw>,
    /// Whether the transport says so when it is at the end of a finished log.
    pub finite: bool,

    /// What happens when.
    pub chance: Chance,
    /// Which faults there are.
    pub weather: Weather,
    /// The truth.
    pub log: Log,
    /// What the members believe.
    pub members: BTreeMap<Member, Membership>,

    /// Laws that were broken.
    pub findings: Vec<String>,
    /// What has happened, if anybody wants to know.
    pub trace: Option<Vec<String>>,
}

/// The world as its workers' transports see it.
pub type Shared = Arc<Mutex<World>>;

/// Locks the world. It stays whole even if a worker panicked.
pub fn locked(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// The world before anything has happened.
    pub fn new(seed: u64, source: Source, weather: Weather, flaw: Option<Flaw>, traced: bool) -> Self {
        let mut chance = Chance::new(seed, Stream::Story);
        Self {
            flaw,
            finite: chance.below(2) == 0,
            chance,
            weather,
            log: Log::new(source),
            members: BTreeMap::new(),
            findings: Vec::new(),
            trace: traced.then(Vec::new),
        }
    }

    /// Tells what happens.
    pub fn note(&mut self, told: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(told());
        }
    }

    /// Notes a broken law.
    pub fn find(&mut self, finding: String) {
        self.note(|| format!("BROKEN: {finding}"));
        self.findings.push(finding);
    }

    /// Whether a fault happens now.
    pub fn strikes(&mut self, fault: Fault) -> bool {
        self.weather.strikes(fault, &mut self.chance)
    }

    fn flawed(&mut self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw) && self.chance.hits(FLAW_RATE)
    }

    /// Gives a partition to a member, which learns of it by and by.
    pub fn give(&mut self, partition: Partition, to: Member) {
        let claim = self.log.give(partition, to);
        self.note(|| format!("partition {partition} is given to {to}"));
        if let Some(member) = self.members.get_mut(&to) {
            member.notices.push_back(Notice::Given(partition, claim));
        }
    }

    /// Takes partitions from whoever has them; they learn of it by and by.
    pub fn expire(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            let Some(claim) = self.log.owner(*partition) else { continue };
            self.log.take_back(*partition);
            self.note(|| format!("partition {partition} is taken from {}", claim.member));
            if let Some(member) = self.members.get_mut(&claim.member) {
                member.notices.push_back(Notice::Gone(vec![(*partition, claim)]));
            }
        }
    }

    /// Partitions that a member owns in truth.
    pub fn owned(&self, by: Member) -> Vec<Partition> {
        let owns = |partition: &Partition| self.log.owner(*partition).is_some_and(|claim| claim.member == by);
        self.log.partitions().filter(owns).collect()
    }

    fn member(&mut self, id: Member) -> &mut Membership {
        self.members.entry(id).or_default()
    }

    fn give_up(&mut self, claims: Vec<(Partition, Claim)>) {
        for (partition, claim) in claims {
            if self.log.owner(partition) == Some(claim) {
                self.log.take_back(partition);
            }
        }
    }

    fn restart(&mut self, id: Member, why: &str) -> PortError {
        self.note(|| format!("{id}: restart: {why}"));
        let given_up = self.member(id).begin_again();
        self.give_up(given_up);
        PortError::Restart(why.to_owned())
    }

    fn pass_time(&mut self, id: Member, clock: &HandClock) {
        let mut micros = self.chance.between(1, POLL_MICROS_MAX) as i64;
        if self.strikes(Fault::ClockJump) {
            micros = *self.chance.pick(&LEAPS_MICROS).expect("there are leaps");
            self.note(|| format!("{id}: the clock leaps by {micros} µs"));
        }
        clock.set(clock.wall_micros() + micros);
    }

    /// What [`lapwing_vocabulary::Transport::poll`] does.
    pub fn poll(&mut self, id: Member, records_max: usize, clock: &HandClock) -> Result<Polled, PortError> {
        self.pass_time(id, clock);
        if self.strikes(Fault::PollRestart) {
            return Err(self.restart(id, "the poll says so"));
        }
        if let Some(told) = self.tell(id) {
            return Ok(told);
        }
        if self.strikes(Fault::Idle) {
            return Ok(Polled::Idle);
        }
        Ok(self.deliver(id, records_max))
    }

    fn tell(&mut self, id: Member) -> Option<Polled> {
        if self.member(id).cut_off > 0 {
            self.member(id).cut_off -= 1;
            if self.member(id).deaf {
                return Some(Polled::Idle);
            }
        } else {
            let (told, given_up) = self.member(id).learn();
            self.give_up(given_up);
            if let Some(told) = told {
                self.note(|| format!("{id}: is told {told:?}"));
                return Some(match told {
                    Told::Revoked(partitions) => Polled::Revoked(partitions),
                    Told::Lost(partitions) => Polled::Lost(partitions),
                });
            }
        }
        let unannounced = self.member(id).where_stage(|stage| stage == Stage::Unannounced);
        if unannounced.is_empty() || self.strikes(Fault::SlowAssignment) {
            return None;
        }
        let assignments: Vec<Assignment> =
            unannounced.into_iter().map(|partition| self.announce(id, partition)).collect();
        self.note(|| format!("{id}: is assigned {assignments:?}"));
        Some(Polled::Assigned(assignments))
    }

    fn announce(&mut self, id: Member, partition: Partition) -> Assignment {
        if let Some(held) = self.member(id).holdings.get_mut(&partition) {
            held.stage = Stage::Announced;
        }
        Assignment { partition, committed: self.log.committed(partition), earliest: self.log.earliest(partition) }
    }

    fn deliver(&mut self, id: Member, records_max: usize) -> Polled {
        let next_of = |(partition, held): (&Partition, &Holding)| match held.stage {
            Stage::Running(next) if !held.leaving => Some((*partition, next)),
            _ => None,
        };
        let member = self.member(id);
        let (count, settled) = (member.holdings.len(), member.notices.is_empty() && member.cut_off == 0);
        let running: Vec<(Partition, usize)> = member.holdings.iter().filter_map(next_of).collect();
        let has_more = |(partition, next): &&(Partition, usize)| *next < self.log.records(*partition).len();
        let ready: Vec<(Partition, usize)> = running.iter().filter(has_more).copied().collect();
        let Some((partition, next)) = self.chance.pick(&ready).copied() else {
            let at_end = self.finite && settled && count > 0 && running.len() == count && self.log.is_complete();
            return if at_end { Polled::End } else { Polled::Idle };
        };
        let most = *self.chance.pick(&[4, 16, 64]).expect("there are sizes");
        let count = (self.chance.between(1, most) as usize).min(records_max);
        let mut records = Records::new(TOPIC.into(), partition);
        for record in self.log.records(partition).iter().skip(next).take(count) {
            record.push(&mut records);
        }
        self.set_next(id, partition, next + records.len());
        self.note(|| {
            format!("{id}: gets {} records of partition {partition} from {}", records.len(), records.offset(0))
        });
        Polled::Records(records)
    }

    fn set_next(&mut self, id: Member, partition: Partition, next: usize) {
        if let Some(held) = self.member(id).holdings.get_mut(&partition) {
            held.stage = Stage::Running(next);
        }
    }

    /// What [`lapwing_vocabulary::Transport::resume`] does.
    pub fn resume(&mut self, id: Member, partition: Partition, offset: Offset) -> Result<(), PortError> {
        if !self.member(id).holdings.contains_key(&partition) {
            self.find(format!("{id} resumes partition {partition}, which it does not hold"));
        }
        if self.strikes(Fault::ResumeRefused) {
            return Err(self.restart(id, "the resume is refused"));
        }
        let earliest = self.log.earliest(partition);
        let highest = self.log.committed(partition).unwrap_or(earliest).max(earliest);
        if !(earliest..=highest).contains(&offset) {
            self.find(format!("{id} resumes partition {partition} at {offset}, not within {earliest} to {highest}"));
        }
        let mut next = self.log.records(partition).partition_point(|record| record.offset < offset);
        if self.strikes(Fault::Repeats) {
            next = next.saturating_sub(self.chance.between(1, REPEATS_MAX) as usize);
        }
        if self.flawed(Flaw::SkipsARecord) {
            next += 1;
        }
        self.set_next(id, partition, next);
        self.note(|| format!("{id}: resumes partition {partition} at {offset}"));
        Ok(())
    }

    /// What [`lapwing_vocabulary::Transport::release`] does.
    pub fn release(&mut self, id: Member, partitions: &[Partition]) {
        self.note(|| format!("{id}: releases {partitions:?}"));
        let held = |partition: &Partition| Some((*partition, self.members.get(&id)?.holdings.get(partition)?.claim));
        let given_up = partitions.iter().filter_map(held).collect();
        self.member(id).holdings.retain(|partition, _| !partitions.contains(partition));
        self.give_up(given_up);
    }

    /// What [`lapwing_vocabulary::Transport::commit`] does.
    pub fn commit(&mut self, id: Member, epoch: Epoch) -> Result<(), PortError> {
        let (positions, count) = (epoch.positions.clone(), epoch.outputs.len());
        for (partition, _) in &positions {
            let known = self.member(id).holdings.get(partition).map(|held| held.stage);
            if !matches!(known, Some(Stage::Running(_))) {
                self.find(format!("{id} commits partition {partition}, which is {known:?} to it"));
            }
        }
        let stale = positions.iter().any(|(partition, _)| !self.holds(id, *partition));
        if stale && self.flaw != Some(Flaw::FencesNobody) {
            return Err(self.refuse(id, epoch, "another generation"));
        }
        if self.strikes(Fault::CommitRefused) {
            return Err(self.refuse(id, epoch, "the commit is refused"));
        }
        self.note(|| format!("{id}: commits {count} outputs and {positions:?}"));
        self.apply(epoch);
        if self.strikes(Fault::AnswerLost) {
            let gone = self.chance.below(2) == 0;
            let why = "the answer to a commit was lost";
            let restart = self.restart(id, why);
            return Err(if gone { PortError::Unreachable(why.to_owned()) } else { restart });
        }
        Ok(())
    }

    fn holds(&self, id: Member, partition: Partition) -> bool {
        let believed = self.members.get(&id).and_then(|member| member.holdings.get(&partition));
        believed.is_some_and(|held| self.log.owner(partition) == Some(held.claim))
    }

    fn refuse(&mut self, id: Member, mut epoch: Epoch, why: &str) -> PortError {
        if self.flawed(Flaw::ShowsWhatItRefused) {
            epoch.positions.clear();
            self.apply(epoch);
        }
        self.restart(id, why)
    }

    fn apply(&mut self, mut epoch: Epoch) {
        if self.flawed(Flaw::ForgetsPositions) {
            epoch.positions.clear();
        }
        if self.flawed(Flaw::LosesAnOutput) {
            epoch.outputs.pop();
        }
        if let Err(broken) = self.log.apply(epoch) {
            self.find(broken);
        }
    }

    /// What [`lapwing_vocabulary::Transport::backlog`] does.
    pub fn backlog(&mut self, id: Member) -> Backlog {
        let left = |(partition, held): (&Partition, &Holding)| match held.stage {
            Stage::Running(next) => self.log.records(*partition).len().saturating_sub(next) as u64,
            _ => 0,
        };
        Backlog { records: self.members.get(&id).map_or(0, |member| member.holdings.iter().map(left).sum()) }
    }
}
