//! `lapwing produce`: synthetic scenarios and replayed files, as fast as they go or at a steady rate.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use lapwing_pipeline::settings::{Overrides, Role};
use lapwing_produce::logs::{Labelled, Records};
use lapwing_produce::{
    DriveOptions, Logs, LogsOptions, Malformed, Order, ProduceError, Produced, Progress, Replay, ReplayCounts,
    ReplayFormat, ReplayOptions, Telemetry, TelemetryOptions, TokenBucket, Transactions, TransactionsOptions, Volume,
};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::parse_duration;

use crate::clock::SystemClock;
use crate::failure::{Failure, IO, USAGE};
use crate::load;
use crate::transports;

/// Records whose order is mixed at a time by `--order random`.
const SHUFFLE_RECORDS: usize = 65_536;

/// Produce events into the source topic of a pipeline: a synthetic scenario, or a replayed file.
#[derive(Args, Debug)]
pub struct ProduceArgs {
    /// The pipeline file: it says where the topic lies.
    #[arg(default_value = "pipelines/telemetry.toml")]
    pub pipeline: PathBuf,
    /// Synthetic scenario; this is what is produced unless a file is given.
    #[arg(long, value_enum, default_value = "telemetry", conflicts_with = "file")]
    pub scenario: Scenario,
    /// Replay this file (.gz, .zst or plain).
    #[arg(long, requires = "format")]
    pub file: Option<PathBuf>,
    /// Format of the file.
    #[arg(long, value_enum, requires = "file")]
    pub format: Option<FileFormat>,
    /// Topic instead of the pipeline's source topic.
    #[arg(long)]
    pub topic: Option<String>,
    /// Write the values as lines to this file instead of a topic (`-` is standard output): JSON, or raw lines of logs.
    #[arg(long, conflicts_with = "topic")]
    pub output: Option<PathBuf>,
    /// Events per second; left out, as fast as they go.
    #[arg(long)]
    pub rate: Option<f64>,
    /// Stop after so many events.
    #[arg(long)]
    pub limit: Option<u64>,
    /// Order of a replayed file.
    #[arg(long, value_enum, default_value = "in-order")]
    pub order: FileOrder,
    /// Replay the file again and again; time goes on and ids stay unique.
    #[arg(long)]
    pub forever: bool,
    /// Pass over lines that cannot be read instead of stopping.
    #[arg(long)]
    pub skip_malformed: bool,
    /// Field whose value becomes the record key (files of csv, json and kdd).
    #[arg(long)]
    pub key: Option<String>,
    /// Regular expression of what becomes the record key of a raw line, such as 'blk_-?\d+' (its first group, if it has
    /// one). A line that names several keys comes once for each; one that names none is malformed.
    #[arg(long, requires = "file", conflicts_with = "output")]
    pub key_pattern: Option<String>,
    /// Regular expression that the first line of a record matches, such as '^\d{4}-'; raw lines that do not match
    /// belong to the record before, up to 500 lines and 1 MiB.
    #[arg(long, requires = "file")]
    pub multiline_start: Option<String>,
    /// Seed of every draw.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of hosts: of telemetry (1000), or that a kdd file is spread over.
    #[arg(long)]
    pub hosts: Option<usize>,
    /// Number of customers of transactions (4000).
    #[arg(long)]
    pub customers: Option<usize>,
    /// Number of terminals of transactions (800).
    #[arg(long)]
    pub terminals: Option<usize>,
    /// Number of nodes of logs (64).
    #[arg(long)]
    pub nodes: Option<usize>,
    /// Write what each block of logs truly is to this CSV file: block_id, label (0 or 1), type.
    #[arg(long, conflicts_with = "file")]
    pub labels: Option<PathBuf>,
    /// Event time of the first event, RFC 3339. Default: so that the last one happens about now, for ever: now.
    #[arg(long)]
    pub start: Option<String>,
    /// Length of the scenario in event time, such as 2h. Default: 1h of telemetry, 60d of transactions,
    /// 6h of logs.
    #[arg(long)]
    pub span: Option<String>,
    /// Scenario events per second of event time; of logs blocks, each of which makes some 20 lines. Default: 100 of
    /// telemetry, 0.1 of transactions, 1 of logs.
    #[arg(long)]
    pub density: Option<f64>,
    /// First part of the scenario without anomalies, such as 20m.
    #[arg(long, default_value = "0s")]
    pub quiet: String,
    /// Share of anomalous events after the quiet part; of logs, of blocks. Default: 0.01, 0.03 of logs.
    #[arg(long)]
    pub anomalies: Option<f64>,
}

/// Synthetic worlds.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Scenario {
    /// Connections of a thousand hosts, with port scans, SYN floods, exfiltration, brute force and dead hosts.
    Telemetry,
    /// Card payments of thousands of customers, with tested, stolen and copied cards, and accounts milked for days.
    Transactions,
    /// Raw lines of a cluster file system, with failed writes, lost and redundant copies, and words never heard before.
    Logs,
}

/// Formats of replayed files.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FileFormat {
    /// The KDD Cup 1999 connection records: 41 features and a label, no header.
    Kdd,
    /// CSV with a header line; each record becomes a JSON object.
    Csv,
    /// JSON lines, passed through.
    Json,
    /// Any lines, passed through: see --key-pattern and --multiline-start.
    Lines,
}

/// Order of a replayed file.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FileOrder {
    /// As it stands.
    InOrder,
    /// Mixed within a moving window of 65,536 records.
    Random,
}

/// Runs the command.
pub fn run(args: &ProduceArgs, stop: &'static AtomicBool) -> Result<(), Failure> {
    let settings = load::settings(&args.pipeline, &Overrides::default())?;
    let pace = args.rate.map(TokenBucket::steady).transpose()?;
    let (events, counts) = events(args)?;
    let (topic, mut producer) = match &args.output {
        Some(path) => ("lines".to_owned(), transports::line_producer(path)?),
        None => {
            let topic = args.topic.clone().or_else(|| settings.source.topic.clone());
            let topic =
                topic.ok_or_else(|| Failure::new(USAGE, "the pipeline reads files: name a --topic or --output"))?;
            let mut topics = transports::topics(&settings)?;
            topics.create(&topic, &settings.topics.layout(Role::Source))?;
            drop(topics);
            (topic, transports::producer(&settings)?)
        }
    };
    let options = DriveOptions { pace, ..DriveOptions::new(topic.as_str()) };
    let bar = bar(args);
    let mut on_progress = |progress: &Progress| {
        bar.set_position(progress.events);
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let progress = lapwing_produce::produce(events, producer.as_mut(), options, &SystemClock, &mut on_progress)?;
    bar.finish_and_clear();
    warn_of(&counts);
    let seconds = (progress.elapsed_micros as f64 / 1e6).max(1e-6);
    let text = format!(
        "{} events ({} anomalous, {:.1} MB) into {topic} in {seconds:.1} s: {:.0} events/s",
        progress.events,
        progress.anomalies,
        progress.bytes as f64 / 1e6,
        progress.events as f64 / seconds,
    );
    match &args.output {
        Some(path) if path.as_os_str() == "-" => tracing::info!("{text}"),
        _ => crate::print_line(&text),
    }
    Ok(())
}

type Events = Box<dyn Iterator<Item = Result<Produced, ProduceError>>>;

/// The events, and what a replay leaves out of them.
fn events(args: &ProduceArgs) -> Result<(Events, Arc<ReplayCounts>), Failure> {
    if args.labels.is_some() && !matches!(args.scenario, Scenario::Logs) {
        let text =
            "--labels: only logs have their labels aside\nhint: --scenario logs; all others have a field `label`";
        return Err(Failure::new(USAGE, text));
    }
    let mut counts = Arc::default();
    let events: Events = match (&args.file, args.format, args.scenario) {
        (Some(file), Some(format), _) => {
            let replay = Replay::open(replay_options(args, file, format)?)?;
            counts = replay.counts();
            Box::new(replay)
        }
        (_, _, Scenario::Telemetry) => Box::new(Telemetry::new(telemetry_options(args)?)?.map(Ok)),
        (_, _, Scenario::Transactions) => Box::new(Transactions::new(transactions_options(args)?)?.map(Ok)),
        (_, _, Scenario::Logs) => logs(args)?,
    };
    let events: Events = match args.limit {
        Some(limit) => Box::new(events.take(usize::try_from(limit).unwrap_or(usize::MAX))),
        None => events,
    };
    Ok((events, counts))
}

/// What was left out is told at the end; nothing is if nothing was.
fn warn_of(counts: &ReplayCounts) {
    let (skipped, cut) = (counts.skipped(), counts.cut());
    if skipped > 0 {
        tracing::warn!(skipped, "malformed lines were passed over");
    }
    if cut > 0 {
        tracing::warn!(cut, "records of more than 500 lines or 1 MiB lack what is beyond");
    }
}

fn logs(args: &ProduceArgs) -> Result<Events, Failure> {
    let logs = Logs::new(logs_options(args)?)?;
    let Some(path) = &args.labels else { return Ok(Box::new(logs.map(Ok))) };
    let labels = File::create(path);
    let labels = labels.map_err(|error| Failure::new(IO, format!("create {}: {error}", path.display())))?;
    Ok(Box::new(Labelled::new(logs, labels)?))
}

fn logs_options(args: &ProduceArgs) -> Result<LogsOptions, Failure> {
    let mut options = LogsOptions { seed: args.seed, ..LogsOptions::default() };
    (options.start, options.span_micros) = stretch(args, options.span_micros)?;
    options.blocks_per_second = args.density.unwrap_or(options.blocks_per_second);
    options.quiet_micros = duration("--quiet", &args.quiet)?;
    options.anomalies.share = args.anomalies.unwrap_or(options.anomalies.share);
    options.nodes = args.nodes.unwrap_or(options.nodes);
    // A file of raw lines has each line once; keys are for topics.
    options.records = if args.output.is_some() { Records::PerLine } else { Records::PerBlock };
    Ok(options)
}

fn telemetry_options(args: &ProduceArgs) -> Result<TelemetryOptions, Failure> {
    let mut options = TelemetryOptions { seed: args.seed, ..TelemetryOptions::default() };
    (options.start, options.span_micros) = stretch(args, options.span_micros)?;
    options.volume = args.density.map_or(options.volume, Volume::PerSecond);
    options.quiet_micros = duration("--quiet", &args.quiet)?;
    options.anomalies.share = args.anomalies.unwrap_or(options.anomalies.share);
    options.hosts = args.hosts.unwrap_or(options.hosts);
    Ok(options)
}

fn transactions_options(args: &ProduceArgs) -> Result<TransactionsOptions, Failure> {
    let mut options = TransactionsOptions { seed: args.seed, ..TransactionsOptions::default() };
    (options.start, options.span_micros) = stretch(args, options.span_micros)?;
    options.volume = args.density.map_or(options.volume, Volume::PerSecond);
    options.quiet_micros = duration("--quiet", &args.quiet)?;
    options.anomalies.share = args.anomalies.unwrap_or(options.anomalies.share);
    options.customers = args.customers.unwrap_or(options.customers);
    options.terminals = args.terminals.unwrap_or(options.terminals);
    Ok(options)
}

/// First moment and length of a scenario that has a usual length.
fn stretch(args: &ProduceArgs, usual_micros: i64) -> Result<(EventTime, i64), Failure> {
    let span_micros = match &args.span {
        _ if args.forever => i64::MAX,
        Some(text) => duration("--span", text)?,
        None => usual_micros,
    };
    let start = match &args.start {
        Some(text) => moment(text)?,
        // Events of the future are refused, so a finite scenario ends where the clock stands.
        None if args.forever => now(),
        None => EventTime(now().0.saturating_sub(span_micros)),
    };
    Ok((start, span_micros))
}

fn replay_options(args: &ProduceArgs, file: &std::path::Path, format: FileFormat) -> Result<ReplayOptions, Failure> {
    let format = match format {
        FileFormat::Kdd => ReplayFormat::Kdd,
        FileFormat::Csv => ReplayFormat::Csv,
        FileFormat::Json => ReplayFormat::JsonLines,
        FileFormat::Lines => ReplayFormat::Lines,
    };
    let mut options = ReplayOptions::new(file, format);
    if let Some(start) = &args.start {
        options.start = moment(start)?;
    }
    options.hosts = args.hosts.unwrap_or(options.hosts);
    options.order = match args.order {
        FileOrder::InOrder => Order::InOrder,
        FileOrder::Random => Order::Random { seed: args.seed, window: SHUFFLE_RECORDS },
    };
    options.malformed = if args.skip_malformed { Malformed::Skip } else { Malformed::Fail };
    options.repeat = args.forever;
    options.limit = args.limit;
    options.seed = args.seed;
    options.key = args.key.clone();
    options.key_pattern = args.key_pattern.clone();
    options.multiline_start = args.multiline_start.clone();
    Ok(options)
}

fn bar(args: &ProduceArgs) -> ProgressBar {
    let (bar, template) = match args.limit {
        Some(limit) => {
            (ProgressBar::new(limit), "{msg} {wide_bar} {human_pos}/{human_len} events, {per_sec}, {eta} left")
        }
        None => (ProgressBar::new_spinner(), "{msg} {spinner} {human_pos} events, {per_sec}"),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the template is valid")).with_message("producing")
}

fn now() -> EventTime {
    EventTime(lapwing_produce::Clock::now_micros(&SystemClock))
}

fn moment(text: &str) -> Result<EventTime, Failure> {
    EventTime::parse(text)
        .ok_or_else(|| Failure::new(USAGE, format!("--start {text}: not a time\nhint: 2026-01-31T12:00:00Z")))
}

fn duration(option: &str, text: &str) -> Result<i64, Failure> {
    parse_duration(text)
        .ok_or_else(|| Failure::new(USAGE, format!("{option} {text}: not a length of time\nhint: 90s, 20m, 24h")))
}
