//! `lapwing run`: workers over a transport, a page beside them, and an orderly end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use lapwing_pipeline::error::RunError;
use lapwing_pipeline::forward::Forwarder;
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::score::ModelSource;
use lapwing_pipeline::settings::Overrides;
use lapwing_pipeline::status::{Status, get};
use lapwing_pipeline::worker::{Surroundings, Worker};
use lapwing_server::{Options, Server, ServerError, Token};

use crate::clock::SystemClock;
use crate::failure::{CONFIGURATION, Failure, INTERNAL};
use crate::load;
use crate::places::{self, Inputs};
use crate::transports::{self, Transports};
use crate::watch::Window;

/// How often progress is logged. Units: samples of one second.
const LOG_EVERY: u64 = 10;

/// Run a pipeline until Ctrl-C.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The pipeline file.
    pub pipeline: PathBuf,
    /// Threads; by default one per core, at most one per partition is useful.
    #[arg(long)]
    pub workers: Option<usize>,
    /// Stop when everything that is in the source now has been processed.
    #[arg(long)]
    pub until_end: bool,
    /// Address of the page, API and metrics. Other than loopback needs a token in LAPWING_TOKEN. Default:
    /// 127.0.0.1:8484, or any free port if that one is taken.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// No page, API and metrics.
    #[arg(long, conflicts_with = "listen")]
    pub no_page: bool,
}

/// Runs the command.
pub fn run(args: &RunArgs, stop: &'static AtomicBool) -> Result<(), Failure> {
    let overrides = Overrides { workers: args.workers, ..Overrides::default() };
    let settings = load::settings(&args.pipeline, &overrides)?;
    let models = Arc::new(load::model_source(&settings));
    let plan = load::plan(settings, &Inputs::default(), Purpose::Run)?;
    let transports = Transports::open(&plan.settings, args.until_end)?;
    let running = Running::start(plan, &transports, models, stop)?;
    let server = match args.no_page {
        true => None,
        false => Some(page(args.listen, running.window.clone())?),
    };
    running.log_until_done();
    let ended = running.join();
    if let Some(server) = server {
        server.stop();
    }
    ended
}

/// Starts the page; without a wished address a taken port is no reason to fail.
pub fn page(listen: Option<SocketAddr>, window: Arc<Window>) -> Result<Server, Failure> {
    let token = Token::from_environment()?;
    let options = Options { token, ..Options::default() };
    let server = match listen {
        Some(address) => Server::start(Options { address, ..options }, window)?,
        None => match Server::start(options.clone(), window.clone()) {
            Err(ServerError::PortInUse { .. }) => {
                let address = SocketAddr::new(options.address.ip(), 0);
                Server::start(Options { address, ..options }, window)?
            }
            other => other?,
        },
    };
    Ok(server)
}

/// A pipeline at work in threads of its own.
pub struct Running {
    /// What the page shows.
    pub window: Arc<Window>,
    threads: Vec<std::thread::JoinHandle<()>>,
    /// The first failure in time: those that follow are mostly its consequences.
    failure: Arc<Mutex<Option<RunError>>>,
    live: Arc<std::sync::atomic::AtomicUsize>,
}

impl Running {
    /// Starts the workers.
    pub fn start(
        plan: Arc<Plan>,
        transports: &Transports,
        models: Arc<dyn ModelSource>,
        stop: &'static AtomicBool,
    ) -> Result<Self, Failure> {
        let status = Arc::new(Status::default());
        let settings = &plan.settings;
        let name = settings.connect.name();
        let window = Arc::new(Window::new(&settings.name, plan.source_name(), name, status.clone()));
        let folder = places::state_folder(settings);
        let store = match transports.keeps_positions() {
            true => Some(Arc::new(transports::snapshot_store(settings)?)),
            false => None,
        };
        transports.make_internal_topics(settings)?;
        let workers = transports.workers(settings)?;
        let live = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let failure = Arc::new(Mutex::new(None));
        let mut threads = Threads { live: live.clone(), failure: failure.clone(), stop, threads: Vec::new() };
        if let (Some(transport), Some(topic)) = (transports.forward_transport()?, settings.repartitioned_topic()) {
            let place = (topic.as_str(), transports.processed_partitions()?);
            let forwarder = Forwarder::new(transport, &plan, place, status.clone(), Arc::new(SystemClock))?;
            match transports.until_end() {
                // Its end must be reached first, or the workers would find theirs too early.
                true => forwarder.run(stop)?,
                false => threads.start("repartition".to_owned(), move || forwarder.run(stop))?,
            }
        }
        for index in 0..workers {
            let transport = transports.transport(index, workers)?;
            let topics = transports.has_topics().then(|| transports.topics()).transpose()?;
            let around = Surroundings {
                plan: plan.clone(),
                models: models.clone(),
                table_copies: store.is_some().then(|| folder.join("tables")),
                store: store.clone(),
                topics,
                spill: folder.join("spill"),
                workers,
                wait_for_snapshots: false,
                status: status.clone(),
                clock: Arc::new(SystemClock),
            };
            let worker = Worker::new(index, transport, around)?;
            threads.start(format!("worker-{index}"), move || worker.run(stop).map(|_| ()))?;
        }
        let threads = threads.threads;
        if status.model().is_none() && models.changed_from(None).is_ok_and(|model| model.is_none()) {
            tracing::warn!(
                "there is no model yet: events are enriched and forwarded, none is scored; see `lapwing train`"
            );
        }
        Ok(Self { window, threads, failure, live })
    }

    /// Whether any worker still runs.
    pub fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed) > 0
    }

    /// Waits for `wait`, or less if the workers end; then takes a sample for the charts.
    pub fn wait_and_sample(&self, wait: Duration) {
        let clock = SystemClock;
        let slice = Duration::from_millis(50);
        let mut left = wait;
        while !left.is_zero() && self.is_live() {
            lapwing_produce::Clock::sleep(&clock, slice.min(left).as_micros() as i64);
            left = left.saturating_sub(slice);
        }
        self.window.sample();
    }

    fn log_until_done(&self) {
        let mut samples = 0_u64;
        while self.is_live() {
            self.wait_and_sample(Duration::from_secs(1));
            samples += 1;
            if samples.is_multiple_of(LOG_EVERY) || !self.is_live() {
                self.log();
            }
        }
    }

    fn log(&self) {
        let status = self.window.status();
        let point = lapwing_server::Watch::overview(self.window.as_ref());
        tracing::info!(
            records = get(&status.records),
            events_per_second = point.events_per_second.round(),
            backlog = status.backlog_records(),
            alerts = status.alerts_total(),
            dead_letters = status.dead_letters_total(),
            late = get(&status.late),
            latency_ms_p99 = status.latency.quantile_millis(0.99),
            "progress"
        );
    }

    /// Joins the workers; the failure that came first counts.
    pub fn join(self) -> Result<(), Failure> {
        for (index, thread) in self.threads.into_iter().enumerate() {
            if thread.join().is_err() {
                note(&self.failure, RunError::Panicked(index));
            }
        }
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    }
}

/// Threads on their way up.
struct Threads {
    live: Arc<std::sync::atomic::AtomicUsize>,
    failure: Arc<Mutex<Option<RunError>>>,
    stop: &'static AtomicBool,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Threads {
    fn start(
        &mut self,
        name: String,
        work: impl FnOnce() -> Result<(), RunError> + Send + 'static,
    ) -> Result<(), Failure> {
        self.live.fetch_add(1, Ordering::Relaxed);
        let failure = self.failure.clone();
        let leave = Leave { live: self.live.clone(), stop: self.stop, orderly: false };
        let body = move || {
            // Bound whole, so that it lives as long as the thread.
            let mut leave = leave;
            match work() {
                Ok(()) => leave.orderly = true,
                Err(error) => note(&failure, error),
            }
        };
        let thread = std::thread::Builder::new().name(name.clone()).spawn(body);
        self.threads.push(thread.map_err(|error| Failure::new(INTERNAL, format!("start {name}: {error}")))?);
        Ok(())
    }
}

/// Keeps a failure if it is the first, and logs each.
fn note(first: &Mutex<Option<RunError>>, failure: RunError) {
    tracing::error!(%failure, "worker stopped");
    first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
}

/// Counts a worker out, however it ends. One that fails or panics stops the others: half a pipeline is worse than a
/// restart.
struct Leave {
    live: Arc<std::sync::atomic::AtomicUsize>,
    stop: &'static AtomicBool,
    orderly: bool,
}

impl Drop for Leave {
    fn drop(&mut self) {
        if !self.orderly {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Fails unless the pipeline names at least one detector.
pub fn require_detectors(plan: &Plan) -> Result<(), Failure> {
    match plan.members.is_empty() {
        true => Err(Failure::new(CONFIGURATION, "the pipeline has no detectors\nhint: add a [detect.NAME] table")),
        false => Ok(()),
    }
}
