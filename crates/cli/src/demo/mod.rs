//! `lapwing demo`: a synthetic world, its history to learn from, live records with injected anomalies, and a view of
//! how well they are found. Everything runs through the same code as on a cluster, over the embedded log.

/// The pipeline of the demo and where it keeps its data.
mod stage;
/// Finds counted against the labels that were injected.
mod tally;
/// The view on a terminal.
mod view;
/// The synthetic worlds.
mod world;

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use lapwing_pipeline::plan::Purpose;
use lapwing_pipeline::status::{Status, get};
use lapwing_produce::{DriveOptions, Produced, TokenBucket};
use lapwing_server::Quality;
use lapwing_vocabulary::time::{SECOND, parse_duration};
use serde_json::json;

use crate::clock::SystemClock;
use crate::failure::{Failure, INTERNAL, USAGE};
use crate::history::History;
use crate::load;
use crate::places::Inputs;
use crate::run::{self, Running};
use crate::train;
use crate::transports::Transports;
use stage::Stage;
use tally::{Counts, Tally};
use view::View;
pub use world::World;
use world::{LEARNED_RECORDS, Records, Truth};

/// How long the end waits for what is still under way.
const DRAIN_SECONDS: u64 = 60;

/// Everything at once, with nothing installed: produce telemetry, train, detect, show.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// The synthetic world.
    #[arg(long, value_enum, default_value = "telemetry")]
    pub scenario: World,
    /// Stop after this time of live traffic, such as 30s. Left out: until Ctrl-C.
    #[arg(long = "for")]
    pub for_time: Option<String>,
    /// No view; one JSON object with the figures as the last line.
    #[arg(long)]
    pub json: bool,
    /// Live events, or log lines, per second.
    #[arg(long, default_value_t = 10_000.0)]
    pub rate: f64,
    /// Number of hosts of telemetry.
    #[arg(long, default_value_t = 1_000)]
    pub hosts: usize,
    /// Seed of the world and its anomalies.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Share of anomalous events, or blocks, among the live ones.
    #[arg(long, default_value_t = 0.01)]
    pub anomalies: f64,
    /// Keep the data of the demo in this new or empty folder. Left out: a temporary folder that is removed at the end.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Address of the page. Default: 127.0.0.1:8484, or any free port if that one is taken.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
}

/// Runs the command.
pub fn run(args: &DemoArgs, stop: &'static AtomicBool) -> Result<(), Failure> {
    let length = match &args.for_time {
        None => None,
        Some(text) => Some(
            parse_duration(text)
                .ok_or_else(|| Failure::new(USAGE, format!("--for {text}: not a length of time\nhint: 30s, 5m")))?,
        ),
    };
    let view = View::new(args.json);
    let stage = Stage::set(args)?;
    view.say(&format!("data in {}", stage.folder().display()));
    let settings = stage.settings()?;
    let transports = Transports::open(&settings, false)?;
    let truth = Truth::default();
    let mut events = args.scenario.records(args, &truth)?;
    view.say(&format!("producing a history of {}", args.scenario.in_words(args)));
    learn_from(&mut events, &transports, &settings)?;
    let plan = load::plan(stage.settings()?, &Inputs::default(), Purpose::Train)?;
    view.say("training the detectors on it");
    let mut history = History::of_topic(transports.topics()?, plan.source_name())?;
    let scope = train::Scope { quiet: args.json, ..train::Scope::default() };
    let card = train::train(&plan, &mut history, &scope, stop)?;
    view.say(&format!("model {}@{} fitted to {} rows", card.name, card.version, card.rows_fitted));
    let plan = load::plan(stage.settings()?, &Inputs::default(), Purpose::Run)?;
    transports.commit_to_end(plan.source_name())?;
    let models = Arc::new(load::model_source(&plan.settings));
    let running = Running::start(plan.clone(), &transports, models, stop)?;
    let server = run::page(args.listen, running.window.clone())?;
    view.say(&format!("page at http://{}", server.address()));
    let folded = wait_for_replay(&running, LEARNED_RECORDS);
    let producer = start_producer(events, args, &transports, &plan, stop)?;
    let tally = Tally::new(args.scenario, truth, transports.topics()?, &plan.settings)?;
    let figures = folded.and_then(|()| watch(&running, tally, &view, server.address(), length, stop, producer));
    stop.store(true, Ordering::Relaxed);
    let ended = running.join();
    server.stop();
    let figures = figures?;
    ended?;
    if args.json {
        crate::print_line(&figures.to_string());
    }
    Ok(())
}

/// Appends the history as fast as it goes.
fn learn_from(
    events: &mut Records,
    transports: &Transports,
    settings: &lapwing_pipeline::settings::Pipeline,
) -> Result<(), Failure> {
    let mut topics = transports.topics()?;
    for (_, name, layout) in settings.topics_used() {
        topics.create(&name, &layout)?;
    }
    let topic = settings.source.topic.as_deref().unwrap_or_default();
    let history = events.by_ref().take(LEARNED_RECORDS as usize).map(Ok);
    let mut producer = transports.producer()?;
    let on = &mut |_: &lapwing_produce::Progress| ControlFlow::Continue(());
    lapwing_produce::produce(history, producer.as_mut(), DriveOptions::new(topic), &SystemClock, on)?;
    Ok(())
}

/// Waits until the history has been folded into state, so that live figures are of live events alone.
fn wait_for_replay(running: &Running, records: u64) -> Result<(), Failure> {
    while running.is_live() && get(&running.window.status().replayed) < records {
        running.wait_and_sample(Duration::from_millis(50));
    }
    Ok(())
}

type ProducerThread = std::thread::JoinHandle<Result<lapwing_produce::Progress, lapwing_produce::ProduceError>>;

/// Live traffic from a thread of its own; `done` ends it.
struct Live {
    thread: ProducerThread,
    done: Arc<AtomicBool>,
}

fn start_producer(
    events: Records,
    args: &DemoArgs,
    transports: &Transports,
    plan: &lapwing_pipeline::plan::Plan,
    stop: &'static AtomicBool,
) -> Result<Live, Failure> {
    let pace = Some(TokenBucket::steady(args.rate)?);
    let options = DriveOptions { pace, ..DriveOptions::new(plan.source_name()) };
    let mut producer = transports.producer()?;
    let done = Arc::new(AtomicBool::new(false));
    let ended = done.clone();
    let work = move || {
        // The scenario is told in appends of a few milliseconds each, so that the end is noticed between two of them.
        let live = events.take_while(|_: &Produced| !ended.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed));
        let on = &mut |_: &lapwing_produce::Progress| ControlFlow::Continue(());
        lapwing_produce::produce(live.map(Ok), producer.as_mut(), options, &SystemClock, on)
    };
    let thread = std::thread::Builder::new().name("producer".to_owned()).spawn(work);
    let thread = thread.map_err(|error| Failure::new(INTERNAL, format!("start the producer: {error}")))?;
    Ok(Live { thread, done })
}

/// Shows the run until its time is over, then waits for what is under way; returns the figures.
fn watch(
    running: &Running,
    mut tally: Tally,
    view: &View,
    page: SocketAddr,
    length_micros: Option<i64>,
    stop: &AtomicBool,
    producer: Live,
) -> Result<serde_json::Value, Failure> {
    let clock = SystemClock;
    let now = || lapwing_produce::Clock::now_micros(&clock);
    let started = now();
    while running.is_live() && !stop.load(Ordering::Relaxed) {
        let left = length_micros.map_or(SECOND, |length| started + length - now());
        if left <= 0 {
            break;
        }
        running.wait_and_sample(Duration::from_micros(left.min(SECOND) as u64));
        tally.advance()?;
        running.window.set_quality(tally.counts().quality());
        view.draw(running, &tally.counts(), page);
    }
    producer.done.store(true, Ordering::Relaxed);
    let produced = producer.thread.join().map_err(|_| Failure::new(INTERNAL, "the producer panicked"))??;
    let seconds = (now() - started) as f64 / 1e6;
    let status = running.window.status();
    let mut waits = 0;
    while settled(status, &tally.counts()) < produced.events && running.is_live() && waits < DRAIN_SECONDS * 10 {
        running.wait_and_sample(Duration::from_millis(100));
        tally.advance()?;
        waits += 1;
    }
    running.window.set_quality(tally.counts().quality());
    view.finish(running, &tally.counts(), page);
    Ok(figures(status, &tally.counts(), seconds))
}

/// Live records that are accounted for, and whose outcome was seen.
fn settled(status: &Status, counts: &Counts) -> u64 {
    let seen = if counts.is_of_events() { counts.all() } else { get(&status.processed) };
    seen + get(&status.late) + status.dead_letters_total() + get(&status.filtered) + get(&status.left_out)
}

fn figures(status: &Status, counts: &Counts, seconds: f64) -> serde_json::Value {
    let quality: Quality = counts.quality();
    let events = if counts.is_of_events() { counts.all() } else { get(&status.processed) };
    let latency = |q: f64| status.latency.quantile_millis(q);
    json!({
        "events": events,
        "events_per_second": (events as f64 / seconds).round(),
        "judged": counts.all(),
        "alerts": status.alerts_total(),
        "precision": quality.precision,
        "recall": quality.recall,
        "false_positive_rate": quality.false_positive_rate,
        "latency_ms": { "p50": latency(0.5), "p99": latency(0.99) },
        "late": get(&status.late),
        "dead_letters": status.dead_letters_total(),
        "recall_by_anomaly": counts.recall_by_label(),
    })
}
