use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::clock::Clock;
use lapwing_pipeline::error::RunError;
use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::score::{Model, ModelSource};
use lapwing_pipeline::status::Status;
use lapwing_pipeline::worker::{Ended, Surroundings, Worker};
use lapwing_state::SnapshotStore;
use lapwing_vocabulary::time::SECOND;
use lapwing_vocabulary::{Offset, OutputRecord, Partition, PortError};
use tempfile::TempDir;

use super::{AfterCommit, Calls, Cut, DEATH, FakeTransport, Log, Markers, Script};
use crate::stream::NOW;

/// A model that can be replaced while workers run: every one there was, the present one last.
#[derive(Debug)]
pub(crate) struct Models(Mutex<Vec<Arc<Model>>>);

impl Models {
    pub(crate) fn new(model: Arc<Model>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(vec![model])))
    }

    pub(crate) fn replace(&self, model: Arc<Model>) {
        self.0.lock().unwrap().push(model);
    }
}

impl ModelSource for Models {
    fn changed_from(&self, known: Option<u64>) -> Result<Option<Arc<Model>>, String> {
        let model = self.0.lock().unwrap().last().cloned().expect("there is always one");
        Ok((known != Some(model.version)).then_some(model))
    }

    fn version(&self, version: u64) -> Result<Arc<Model>, String> {
        let models = self.0.lock().unwrap();
        let model = models.iter().find(|model| model.version == version);
        model.cloned().ok_or_else(|| format!("there is no version {version}"))
    }
}

/// A log and what its workers share: plan, model, clock, a folder of snapshots. Workers come and go.
pub(crate) struct Fleet {
    pub(crate) log: Arc<Log>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) models: Arc<Models>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) status: Arc<Status>,
    pub(crate) calls: Arc<Mutex<Calls>>,
    folder: TempDir,
}

impl Fleet {
    pub(crate) fn new(plan: &Arc<Plan>, model: &Arc<Model>, source: &[Vec<Vec<u8>>]) -> Self {
        Self {
            log: Log::new(source.to_vec()),
            plan: plan.clone(),
            models: Models::new(model.clone()),
            clock: Arc::new(HandClock::at(NOW)),
            status: Arc::default(),
            calls: Arc::default(),
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
        }
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.folder.path().join("snapshots")
    }

    /// Runs one worker until its source ends, it dies or it gives up.
    pub(crate) fn run(&self, script: Script) -> Result<Ended, RunError> {
        *self.calls.lock().unwrap() = Calls::default();
        self.run_on(&self.clock, script, &self.calls)
    }

    /// Runs several workers at once, each on a clock of its own.
    pub(crate) fn run_together(&self, scripts: Vec<Script>) -> Vec<Result<Ended, RunError>> {
        let run = |script| self.run_on(&Arc::new(HandClock::at(NOW)), script, &Arc::default());
        std::thread::scope(|scope| {
            let threads: Vec<_> = scripts.into_iter().map(|script| scope.spawn(move || run(script))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a worker does not panic")).collect()
        })
    }

    fn run_on(&self, clock: &Arc<HandClock>, script: Script, calls: &Arc<Mutex<Calls>>) -> Result<Ended, RunError> {
        let around = Surroundings {
            plan: self.plan.clone(),
            models: self.models.clone(),
            store: Some(Arc::new(SnapshotStore::open(self.snapshots()).expect("the folder can be made"))),
            table_copies: Some(self.folder.path().join("tables")),
            topics: Some(Box::new(Markers(self.log.clone()))),
            spill: self.folder.path().join("spill"),
            workers: 1,
            wait_for_snapshots: true,
            status: self.status.clone(),
            clock: clock.clone(),
        };
        Worker::new(0, FakeTransport::new(&self.log, clock, script, calls), around)?.run(&AtomicBool::new(false))
    }

    /// Puts another model in force when a position is committed, and lets time pass until workers look for one.
    pub(crate) fn replacing_at(&self, position: Offset, model: &Arc<Model>) -> AfterCommit {
        let (models, clock, model) = (self.models.clone(), self.clock.clone(), model.clone());
        Box::new(move |positions| {
            if positions.iter().any(|(_, committed)| *committed == position) {
                models.replace(model.clone());
                clock.set(clock.wall_micros() + 2 * SECOND);
            }
        })
    }

    /// Runs a worker to the end of the source without any mishap.
    pub(crate) fn finish(&self, partitions: Vec<Partition>, cut: Cut) {
        let ended = self.run(Script::calm(partitions, cut));
        assert!(matches!(ended, Ok(Ended::AtEnd)), "{ended:?}");
    }

    /// Runs a worker that the script lets die; `false` if the source ended first.
    pub(crate) fn run_to_death(&self, script: Script) -> bool {
        match self.run(script) {
            Ok(Ended::AtEnd) => false,
            Err(RunError::Port(PortError::Unreachable(text))) if text == DEATH => true,
            other => panic!("{other:?}"),
        }
    }
}

/// What a calm run puts out, and the calls it took.
pub(crate) fn undisturbed(
    plan: &Arc<Plan>,
    model: &Arc<Model>,
    source: &[Vec<Vec<u8>>],
    cut: Cut,
) -> (Vec<OutputRecord>, Calls) {
    let fleet = Fleet::new(plan, model, source);
    fleet.finish(fleet.log.partitions(), cut);
    assert!(fleet.log.is_consumed());
    let calls = fleet.calls.lock().unwrap().clone();
    (fleet.log.outputs(), calls)
}
