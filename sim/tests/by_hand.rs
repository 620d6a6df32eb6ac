//! Stories that once went wrong and are too rare to be met by chance, each played by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::score::{Model, ModelSource};
use lapwing_pipeline::status::Status;
use lapwing_pipeline::worker::{Surroundings, Worker};
use lapwing_sim::check::check;
use lapwing_sim::disk::Disk;
use lapwing_sim::pipelines::Pipelines;
use lapwing_sim::source::{NOW, Source};
use lapwing_sim::transport::{SimTopics, SimTransport};
use lapwing_sim::weather::Weather;
use lapwing_sim::world::{Shared, World, locked};

struct Fixed(Arc<Model>);

impl ModelSource for Fixed {
    fn changed_from(&self, known: Option<u64>) -> Result<Option<Arc<Model>>, String> {
        Ok((known != Some(self.0.version)).then(|| self.0.clone()))
    }

    fn version(&self, version: u64) -> Result<Arc<Model>, String> {
        if self.0.version == version { Ok(self.0.clone()) } else { Err(format!("there is no version {version}")) }
    }
}

struct Stage<'a> {
    pipelines: &'a Pipelines,
    world: Shared,
    disk: Disk,
    workers: BTreeMap<u64, (Worker<SimTransport>, Arc<HandClock>)>,
}

impl Stage<'_> {
    fn start(&mut self, member: u64) {
        let clock = Arc::new(HandClock::at(NOW));
        locked(&self.world).members.entry(member).or_default();
        let around = Surroundings {
            plan: self.pipelines.tabled.plan.clone(),
            models: Arc::new(Fixed(self.pipelines.tabled.models[0].clone())),
            store: Some(self.disk.store().unwrap()),
            table_copies: Some(self.disk.table_copies()),
            topics: Some(Box::new(SimTopics(self.world.clone()))),
            spill: self.disk.table_copies(),
            workers: 1,
            wait_for_snapshots: true,
            status: Arc::new(Status::default()),
            clock: clock.clone(),
        };
        let worker = Worker::new(0, SimTransport::new(&self.world, member, &clock), around).unwrap();
        self.workers.insert(member, (worker, clock));
        locked(&self.world).give(0, member);
    }

    /// One step with the clock standing at `micros` after the start.
    fn step(&mut self, member: u64, micros: i64) {
        let (worker, clock) = self.workers.get_mut(&member).unwrap();
        clock.set(NOW + micros);
        assert!(worker.step_once(false).unwrap().is_none());
    }

    /// Lets a worker read `count` more records and commit them, without time for a snapshot.
    fn work(&mut self, member: u64, count: usize) {
        locked(&self.world).log.grow(0, count);
        (0..200).for_each(|_| self.step(member, -1));
        self.step(member, 25_000);
    }
}

/// Snapshots are not fenced as commits are. A worker that was cut off and does not know it may write one at its last
/// position after it took up a new table; its heir has gone on from there with the old table, and dies before its own
/// next snapshot. Its successor must replay with the table that the heir had: markers say which.
#[test]
fn a_table_that_a_cut_off_worker_takes_up_does_not_reach_into_what_its_heir_has_done() {
    let pipelines = Pipelines::compile().unwrap();
    pipelines.write_table(0).unwrap();
    let source = (0..).map(|seed| Source::new(seed, true)).find(|source| source.partitions.len() == 1).unwrap();
    let mut weather = Weather::new(0);
    weather.calm();
    let world = Arc::new(Mutex::new(World::new(0, source.clone(), weather, None, true)));
    locked(&world).finite = false;
    let mut stage = Stage { pipelines: &pipelines, world, disk: Disk::new().unwrap(), workers: BTreeMap::new() };
    stage.start(1);
    stage.work(1, 40);
    {
        let mut world = locked(&stage.world);
        let first = world.members.get_mut(&1).unwrap();
        (first.cut_off, first.deaf) = (10_000, true);
        world.expire(&[0]);
    }
    stage.start(2);
    stage.work(2, 40);
    pipelines.write_table(1).unwrap();
    stage.step(1, 2_000_000);
    stage.workers.remove(&2);
    locked(&stage.world).expire(&[0]);
    stage.start(3);
    stage.work(3, 1_000);
    let world = locked(&stage.world);
    assert!(world.log.is_consumed(), "{:#?}", world.trace);
    assert!(world.findings.is_empty(), "{:?}", world.findings);
    let findings = check(&pipelines.tabled, &source, world.log.outputs()).unwrap();
    let told = world.trace.as_ref().unwrap().join("\n");
    assert!(findings.is_empty(), "{findings:?}\n{told}");
}
