//! One seed, one story. Turn by turn something may go wrong, and one process takes one step. Then all faults stop, the
//! processes that are left finish the work, and the outputs are checked.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::error::RunError;
use lapwing_pipeline::score::{Model, ModelSource};
use lapwing_pipeline::status::Status;
use lapwing_pipeline::worker::{Ended, Surroundings, Worker};
use lapwing_vocabulary::{Partition, PortError};

use crate::check::check;
use crate::disk::Disk;
use crate::flaw::Flaw;
use crate::log::Member;
use crate::membership::Notice;
use crate::pipelines::{EDITIONS, Flavour, Pipelines, Plot};
use crate::retold;
use crate::source::{NOW, Source};
use crate::transport::{SimTopics, SimTransport};
use crate::weather::{Fault, Weather};
use crate::world::{Shared, World, locked};

/// Turns with faults; most stories are through before.
const TURNS_MAX: usize = 300;
/// Turns without faults after which nothing will ever be finished.
const CALM_TURNS_MAX: usize = 2_000;
/// Processes alive at once.
const PROCESSES_MAX: u64 = 3;
/// How often a partition without owner finds one, the source grows, a dead process is noticed. Units: in a thousand.
const COORDINATION_RATE: u64 = 400;
/// Most records appended to a partition at once.
const GROWTH_MAX: u64 = 60;
/// Most polls for which a member stays cut off.
const CUT_OFF_MAX: u64 = 25;

/// What to play besides the seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A fault planted on purpose.
    pub flaw: Option<Flaw>,
    /// Whether to tell what happens.
    pub traced: bool,
    /// The only kind of stories to play; others are passed over.
    pub only: Option<Plot>,
}

/// What came of a story.
#[derive(Debug)]
pub struct Outcome {
    /// Laws that were broken.
    pub findings: Vec<String>,
    /// What happened, if it was to be told.
    pub trace: Vec<String>,
    /// How often each fault has happened, in the order of [`Fault::ALL`].
    pub happened: [u64; Fault::ALL.len()],
    /// Markers that were committed: what the wall clock let go, tables and models that came into force.
    pub markers: u64,
}

/// A model that can be replaced while workers run: every one there was, the present one last.
#[derive(Debug)]
struct Models(Mutex<Vec<Arc<Model>>>);

impl Models {
    fn replace(&self, model: &Arc<Model>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(model.clone());
    }
}

impl ModelSource for Models {
    fn changed_from(&self, known: Option<u64>) -> Result<Option<Arc<Model>>, String> {
        let models = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(models.last().filter(|model| known != Some(model.version)).cloned())
    }

    fn version(&self, version: u64) -> Result<Arc<Model>, String> {
        let models = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let model = models.iter().find(|model| model.version == version);
        model.cloned().ok_or_else(|| format!("there is no version {version}"))
    }
}

struct Story<'a> {
    pipelines: &'a Pipelines,
    flavour: &'a Flavour,
    world: Shared,
    models: Arc<Models>,

    disk: Disk,
    processes: BTreeMap<Member, Worker<SimTransport>>,
    edition: usize,
    started: Member,
}

/// Plays the story of a seed.
/// Errors: those of the machine that plays it; what the story shows is in the outcome.
pub fn play(pipelines: &Pipelines, seed: u64, options: Options) -> Result<Outcome, Box<dyn Error>> {
    let mut story = Story::new(pipelines, seed, options)?;
    story.storm()?;
    story.calm()?;
    let outputs = locked(&story.world).log.outputs().to_vec();
    let source = locked(&story.world).log.source().clone();
    let checked = match Plot::of(seed).is_retold() {
        true => retold::check(story.flavour, &source, &outputs)?,
        false => check(story.flavour, &source, &outputs)?,
    };
    drop(std::mem::take(&mut story.processes));
    let mut world = locked(&story.world);
    checked.into_iter().for_each(|finding| world.find(finding));
    let (findings, trace) = (std::mem::take(&mut world.findings), world.trace.take().unwrap_or_default());
    let topic = story.flavour.plan.topics.markers.as_ref();
    let markers = outputs.iter().filter(|record| Some(&record.topic) == topic).count() as u64;
    Ok(Outcome { findings, trace, happened: world.weather.happened(), markers })
}

impl<'a> Story<'a> {
    fn new(pipelines: &'a Pipelines, seed: u64, options: Options) -> Result<Self, Box<dyn Error>> {
        let plot = Plot::of(seed);
        let (flavour, tabled) = (pipelines.of(plot), plot == Plot::Tabled);
        let mut weather = Weather::new(seed);
        if plot.is_retold() {
            // What waits goes on only if much time passes; a restart then has to know of it.
            weather.with(Fault::ClockJump);
            if !plot.tells_models() {
                weather.without(Fault::ModelChange);
            }
        }
        if tabled {
            // These stories are dear: none is without what they are for. Tables are looked at once a second.
            weather.with(Fault::TableChange);
            weather.with(Fault::ClockJump);
            weather.with(Fault::Kill);
            weather.with(Fault::CutOff);
        } else {
            weather.without(Fault::TableChange);
        }
        let source = if plot == Plot::Joined { Source::joined(seed) } else { Source::new(seed, tabled) };
        let world = World::new(seed, source, weather, options.flaw, options.traced);
        pipelines.write_table(0)?;
        Ok(Self {
            pipelines,
            flavour,
            world: Arc::new(Mutex::new(world)),
            models: Arc::new(Models(Mutex::new(vec![flavour.models[0].clone()]))),
            disk: Disk::new()?,
            processes: BTreeMap::new(),
            edition: 0,
            started: 0,
        })
    }

    fn strikes(&self, fault: Fault) -> bool {
        locked(&self.world).strikes(fault)
    }

    fn below(&self, bound: u64) -> u64 {
        locked(&self.world).chance.below(bound)
    }

    /// One of the living.
    fn anybody(&self) -> Option<Member> {
        let living: Vec<Member> = self.processes.keys().copied().collect();
        locked(&self.world).chance.pick(&living).copied()
    }

    fn storm(&mut self) -> Result<(), Box<dyn Error>> {
        for _ in 0..TURNS_MAX {
            self.grow();
            self.trouble_the_group();
            self.trouble_the_processes()?;
            self.trouble_the_disk()?;
            self.change_what_is_in_force()?;
            self.coordinate();
            if let Some(member) = self.anybody() {
                self.step(member, false);
            }
            let world = locked(&self.world);
            if world.log.is_consumed() || !world.findings.is_empty() {
                break;
            }
        }
        Ok(())
    }

    fn grow(&self) {
        let mut world = locked(&self.world);
        if world.chance.hits(COORDINATION_RATE) {
            let World { log, chance, .. } = &mut *world;
            log.partitions().for_each(|partition| log.grow(partition, chance.below(GROWTH_MAX) as usize));
        }
    }

    fn trouble_the_group(&mut self) {
        let Some(member) = self.anybody() else { return };
        let mut world = locked(&self.world);
        let owned = world.owned(member);
        if owned.is_empty() {
            return;
        }
        let some: Vec<Partition> = owned.iter().copied().filter(|_| world.chance.below(2) == 0).collect();
        if world.strikes(Fault::Revoke) {
            world.note(|| format!("{some:?} are asked back from {member}"));
            if let Some(member) = world.members.get_mut(&member) {
                member.notices.push_back(Notice::AskedBack(some.clone()));
            }
        }
        if world.strikes(Fault::Expire) {
            world.expire(&some);
        }
        if world.strikes(Fault::CutOff) {
            let polls = world.chance.between(1, CUT_OFF_MAX);
            let deaf = world.chance.below(2) == 0;
            world.note(|| format!("{member} is cut off for {polls} polls{}", if deaf { " and deaf" } else { "" }));
            if let Some(member) = world.members.get_mut(&member) {
                (member.cut_off, member.deaf) = (polls, deaf);
            }
            world.expire(&owned);
        }
    }

    fn trouble_the_processes(&mut self) -> Result<(), Box<dyn Error>> {
        if let (true, Some(member)) = (self.strikes(Fault::Kill), self.anybody()) {
            self.bury(member, "is killed");
        }
        if let (true, Some(member)) = (self.strikes(Fault::Stop), self.anybody()) {
            self.step(member, true);
        }
        let alone = self.processes.is_empty();
        if alone || ((self.processes.len() as u64) < PROCESSES_MAX && self.strikes(Fault::Start)) {
            self.start()?;
        }
        Ok(())
    }

    fn trouble_the_disk(&mut self) -> Result<(), Box<dyn Error>> {
        if self.disk.is_away() && self.below(8) == 0 {
            self.disk.come_back()?;
            locked(&self.world).note(|| "the disk is back".to_owned());
        } else if self.strikes(Fault::DiskAway) {
            self.disk.leave()?;
            locked(&self.world).note(|| "the disk is away".to_owned());
        }
        if self.strikes(Fault::Damage) {
            let mut world = locked(&self.world);
            let done = self.disk.damage(&mut world.chance)?;
            world.note(|| done.unwrap_or_else(|| "there is nothing to damage".to_owned()));
        }
        if locked(&self.world).flaw == Some(Flaw::SnapshotFromTheFuture) && self.below(10) == 0 {
            let done = self.disk.antedate(&self.flavour.plan, 5)?;
            locked(&self.world).note(|| done.unwrap_or_else(|| "there is nothing to antedate".to_owned()));
        }
        Ok(())
    }

    fn change_what_is_in_force(&mut self) -> Result<(), Box<dyn Error>> {
        if self.edition + 1 < EDITIONS.len() && self.strikes(Fault::TableChange) {
            self.edition += 1;
            self.pipelines.write_table(self.edition)?;
            locked(&self.world).note(|| format!("the table is now `{}`", EDITIONS[self.edition]));
        }
        if self.strikes(Fault::ModelChange) {
            let newest = self.flavour.models.last().expect("every flavour has models");
            self.models.replace(newest);
            locked(&self.world).note(|| format!("the model is now {}", newest.id()));
        }
        Ok(())
    }

    /// What the group's coordinator does: notices the dead, and gives away what nobody has.
    fn coordinate(&self) {
        let living: Vec<Member> = self.processes.keys().copied().collect();
        let mut world = locked(&self.world);
        for partition in world.log.partitions() {
            match world.log.owner(partition) {
                Some(claim) if self.processes.contains_key(&claim.member) => {}
                Some(_) if world.chance.hits(COORDINATION_RATE) => world.expire(&[partition]),
                None if world.chance.hits(COORDINATION_RATE) => {
                    if let Some(member) = world.chance.pick(&living).copied() {
                        world.give(partition, member);
                    }
                }
                _ => {}
            }
        }
    }

    /// Starts a process, if the disk lets it.
    fn start(&mut self) -> Result<(), Box<dyn Error>> {
        if self.disk.is_away() {
            return Ok(());
        }
        self.started += 1;
        let member = self.started;
        let clock = Arc::new(HandClock::at(NOW));
        locked(&self.world).members.entry(member).or_default();
        let around = Surroundings {
            plan: self.flavour.plan.clone(),
            models: self.models.clone(),
            store: Some(self.disk.store()?),
            table_copies: Some(self.disk.table_copies()),
            topics: Some(Box::new(SimTopics(self.world.clone()))),
            spill: self.disk.table_copies(),
            workers: 1,
            wait_for_snapshots: true,
            status: Arc::new(Status::default()),
            clock: clock.clone(),
        };
        let worker = Worker::new(0, SimTransport::new(&self.world, member, &clock), around)?;
        locked(&self.world).note(|| format!("{member} starts"));
        self.processes.insert(member, worker);
        Ok(())
    }

    /// A process is no more; the group will notice.
    fn bury(&mut self, member: Member, how: &str) {
        self.processes.remove(&member);
        let mut world = locked(&self.world);
        world.note(|| format!("{member} {how}"));
        if let Some(membership) = world.members.get_mut(&member) {
            membership.dead = true;
        }
    }

    /// Lets a process take one step.
    fn step(&mut self, member: Member, stop: bool) {
        let Some(process) = self.processes.get_mut(&member) else { return };
        match process.step_once(stop) {
            Ok(None) => {}
            Ok(Some(Ended::Stopped)) => self.bury(member, "has stopped"),
            Ok(Some(Ended::AtEnd)) => self.bury(member, "is at the end"),
            Err(error) => self.fail(member, stop, &error),
        }
    }

    /// A process gave up; whether it had reason to.
    fn fail(&mut self, member: Member, stop: bool, error: &RunError) {
        let has_reason = match error {
            RunError::Port(PortError::Unreachable(_)) => true,
            RunError::Port(PortError::Restart(_)) => stop,
            RunError::State(_) => self.disk.is_away(),
            _ => false,
        };
        // The folder has another name in every run, and the story must not.
        let told = error.to_string().replace(&self.disk.place(), "the disk");
        if !has_reason {
            locked(&self.world).find(format!("{member} gives up without reason: {told}"));
        }
        self.bury(member, &format!("gives up: {told}"));
    }

    /// All faults stop, and everything is worked off.
    fn calm(&mut self) -> Result<(), Box<dyn Error>> {
        self.disk.come_back()?;
        {
            let mut world = locked(&self.world);
            world.note(|| "from here on nothing goes wrong".to_owned());
            world.weather.calm();
            let World { log, .. } = &mut *world;
            log.partitions().for_each(|partition| log.grow(partition, usize::MAX));
        }
        for _ in 0..CALM_TURNS_MAX {
            if locked(&self.world).log.is_consumed() || !locked(&self.world).findings.is_empty() {
                self.stop_all();
                return Ok(());
            }
            if self.processes.is_empty() {
                self.start()?;
            }
            self.coordinate();
            if let Some(member) = self.anybody() {
                self.step(member, false);
            }
        }
        let world = &mut locked(&self.world);
        let stands: Vec<_> = world.log.partitions().map(|partition| world.log.committed(partition)).collect();
        world.find(format!("stuck: nothing goes wrong any more, and the positions stand at {stands:?}"));
        Ok(())
    }

    fn stop_all(&mut self) {
        let living: Vec<Member> = self.processes.keys().copied().collect();
        living.into_iter().for_each(|member| self.step(member, true));
    }
}
