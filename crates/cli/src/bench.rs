//! `lapwing bench`: published figures, reproducible. The pipeline benchmark takes one file of telemetry events through
//! every stage, once from the file and once through the embedded log.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use lapwing_pipeline::clock::Clock;
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::references::References;
use lapwing_pipeline::score::ModelSource;
use lapwing_pipeline::settings::{Connect, EmbeddedLog, Overrides, Pipeline};
use lapwing_pipeline::status::{STAGES, Status, get};
use lapwing_pipeline::task::Task;
use lapwing_produce::{DriveOptions, Progress, Telemetry, TelemetryOptions, Volume, hosts_csv};
use serde_json::{Value, json};

use crate::clock::SystemClock;
use crate::failure::{Failure, IO};
use crate::history::History;
use crate::load;
use crate::places::Inputs;
use crate::run::Running;
use crate::train;
use crate::transports::{self, Transports};

const PIPELINE: &str = include_str!("../../../bench/telemetry.toml");
/// Events the model is trained on before anything is measured.
const TRAINED_EVENTS: u64 = 100_000;

/// Benchmarks.
#[derive(Subcommand, Debug)]
pub enum BenchCommand {
    /// 1 KB JSON → decode → enrich → three windows of four features → forest and robust z-score → alerts.
    Pipeline(PipelineArgs),
}

/// Options of the pipeline benchmark.
#[derive(Args, Debug)]
pub struct PipelineArgs {
    /// Events to generate.
    #[arg(long, default_value_t = 500_000)]
    pub events: u64,
    /// JSON-lines file to use instead of generating one.
    #[arg(long)]
    pub input: Option<PathBuf>,
    /// Number of hosts of the generated events.
    #[arg(long, default_value_t = 1_000)]
    pub hosts: usize,
    /// One JSON object as the last line.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(command: &BenchCommand, stop: &'static AtomicBool) -> Result<(), Failure> {
    match command {
        BenchCommand::Pipeline(args) => pipeline(args, stop),
    }
}

/// A temporary folder, removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the system's temporary folder and harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pipeline(args: &PipelineArgs, stop: &'static AtomicBool) -> Result<(), Failure> {
    let folder = Folder(std::env::temp_dir().join(format!("lapwing-bench-{}", std::process::id())));
    let io = |error: std::io::Error| Failure::new(IO, format!("{}: {error}", folder.0.display()));
    fs::create_dir_all(folder.0.join("reference")).map_err(io)?;
    let file = folder.0.join("bench.toml");
    fs::write(&file, PIPELINE).map_err(io)?;
    let hosts = hosts_csv(TelemetryOptions::default().seed, args.hosts);
    fs::write(folder.0.join("reference/hosts.csv"), hosts).map_err(io)?;
    let input = match &args.input {
        Some(input) => input.clone(),
        None => generate(args, &folder.0)?,
    };
    let log = EmbeddedLog { path: folder.0.join("log"), sync: true };
    let connect = Some(Connect::Embedded(log));
    let overrides = Overrides { connect, data_dir: Some(folder.0.clone()), ..Overrides::default() };
    let settings = || load::settings(&file, &overrides);
    let inputs = Inputs { files: vec![input.clone()] };
    train_first(settings()?, &inputs, stop)?;
    let plan = load::plan(settings()?, &inputs, Purpose::Run)?;
    let from_file = from_file(&plan, &inputs)?;
    let embedded = through_log(&plan, &input, stop)?;
    report(args, &from_file, &embedded);
    Ok(())
}

fn generate(args: &PipelineArgs, folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join("events.jsonl");
    let options = TelemetryOptions {
        hosts: args.hosts,
        volume: Volume::PerSecond(100.0),
        span_micros: i64::MAX,
        ..TelemetryOptions::default()
    };
    let events = Telemetry::new(options)?.take(args.events as usize).map(Ok);
    let mut producer = transports::line_producer(&path)?;
    let on = &mut |_: &Progress| ControlFlow::Continue(());
    lapwing_produce::produce(events, producer.as_mut(), DriveOptions::new("events"), &SystemClock, on)?;
    Ok(path)
}

fn train_first(settings: Pipeline, inputs: &Inputs, stop: &AtomicBool) -> Result<(), Failure> {
    let plan = load::plan(settings, inputs, Purpose::Train)?;
    let mut history = History::open(&plan, inputs)?;
    let scope = train::Scope { limit: Some(TRAINED_EVENTS), quiet: true, ..train::Scope::default() };
    train::train(&plan, &mut history, &scope, stop)?;
    Ok(())
}

/// What one run showed.
struct Measured {
    events: u64,
    alerts: u64,
    seconds: f64,
    stages: Vec<(&'static str, f64)>,
}

impl Measured {
    fn new(status: &Status, alerts: u64, nanos: u64) -> Self {
        let events = get(&status.processed);
        let per_event = |nanos: u64| nanos as f64 / events.max(1) as f64;
        let stages = STAGES.iter().zip(&status.stage_nanos).map(|(stage, nanos)| (*stage, per_event(get(nanos))));
        Self { events, alerts, seconds: nanos as f64 / 1e9, stages: stages.collect() }
    }

    fn events_per_second(&self) -> f64 {
        (self.events as f64 / self.seconds).round()
    }

    fn json(&self) -> Value {
        let stages = self.stages.iter().map(|(stage, nanos)| ((*stage).to_owned(), json!(nanos.round())));
        json!({
            "events": self.events,
            "alerts": self.alerts,
            "seconds": self.seconds,
            "events_per_second": self.events_per_second(),
            "stages": stages.collect::<serde_json::Map<_, _>>(),
        })
    }
}

/// One partition, from the file, in this thread; the file is read and split in another.
fn from_file(plan: &Arc<Plan>, inputs: &Inputs) -> Result<Measured, Failure> {
    let clock = SystemClock;
    let references = References::open(&plan.tables(), None).map_err(|fault| Failure::new(IO, fault))?;
    let model = load::model_source(&plan.settings).changed_from(None).map_err(|fault| Failure::new(IO, fault))?;
    let mut task = Task::new(plan, 0, &references.latest())?;
    task.set_model(model);
    let status = Status::default();
    let mut alerts = 0;
    let start = clock.monotonic_nanos();
    let mut history = History::open(plan, inputs)?;
    let mut waiting = start;
    while let Some(records) = history.next(plan.settings.max_batch_events)? {
        status.stage_nanos[0].fetch_add(clock.monotonic_nanos() - waiting, Ordering::Relaxed);
        let product = task.process(&records, 0..records.len(), &status, &clock)?;
        alerts += product.alerts.len() as u64;
        waiting = clock.monotonic_nanos();
    }
    Ok(Measured::new(&status, alerts, clock.monotonic_nanos() - start))
}

/// All partitions of the embedded log by the workers of a real run, exactly once.
fn through_log(plan: &Arc<Plan>, input: &Path, stop: &'static AtomicBool) -> Result<Measured, Failure> {
    let clock = SystemClock;
    let transports = Transports::open(&plan.settings, true)?;
    let mut topics = transports.topics()?;
    for (_, name, layout) in plan.settings.topics_used() {
        topics.create(&name, &layout)?;
    }
    fill(plan, input, &transports)?;
    let models = Arc::new(load::model_source(&plan.settings));
    let start = clock.monotonic_nanos();
    let running = Running::start(plan.clone(), &transports, models, stop)?;
    let status = running.window.status().clone();
    running.join()?;
    let nanos = clock.monotonic_nanos() - start;
    Ok(Measured::new(&status, status.alerts_total(), nanos))
}

/// Copies the file into the source topic, keyed by host.
fn fill(plan: &Arc<Plan>, input: &Path, transports: &Transports) -> Result<(), Failure> {
    let mut options = lapwing_produce::ReplayOptions::new(input, lapwing_produce::ReplayFormat::JsonLines);
    options.key = Some(plan.settings.source.key.clone());
    let events = lapwing_produce::Replay::open(options)?;
    let mut producer = transports.producer()?;
    let on = &mut |_: &Progress| ControlFlow::Continue(());
    lapwing_produce::produce(events, producer.as_mut(), DriveOptions::new(plan.source_name()), &SystemClock, on)?;
    Ok(())
}

fn report(args: &PipelineArgs, from_file: &Measured, embedded: &Measured) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for (name, measured) in [("from the file, one partition", from_file), ("through the embedded log", embedded)] {
        crate::print_line(&format!(
            "{name}: {} events in {:.2} s: {} events/s, {} alerts",
            measured.events,
            measured.seconds,
            measured.events_per_second(),
            measured.alerts,
        ));
        for (stage, nanos) in &measured.stages {
            crate::print_line(&format!("  {stage:<10} {nanos:>8.0} ns per event"));
        }
    }
    let resident = resident_bytes_max();
    if let Some(bytes) = resident {
        crate::print_line(&format!("largest resident memory: {} MiB", bytes >> 20));
    }
    if args.json {
        let mut object = from_file.json();
        object["embedded"] = embedded.json();
        object["cores"] = json!(cores);
        object["version"] = json!(env!("CARGO_PKG_VERSION"));
        object["resident_bytes_max"] = json!(resident);
        crate::print_line(&object.to_string());
    }
}

/// Largest resident memory of this process so far, where the system tells (Linux). Units: bytes.
fn resident_bytes_max() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}
