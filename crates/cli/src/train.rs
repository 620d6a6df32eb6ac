//! `lapwing train`: the source is read from its beginning through the same stages as live events, a sample of the rows
//! is kept, and the detectors are fitted to it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::BooleanArray;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use lapwing_evaluate::{Disk, threads};
use lapwing_models::{Card, Dataset, Means, ModelError, Registry, fit};
use lapwing_pipeline::clock::Clock;
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::references::References;
use lapwing_pipeline::settings::Overrides;
use lapwing_pipeline::status::Status;
use lapwing_pipeline::task::{Product, ScoredBatch, Task};
use lapwing_sql::Predicate;
use lapwing_vocabulary::{EventTime, Records};

use crate::clock::SystemClock;
use crate::failure::{CONFIGURATION, DATA, Failure};
use crate::history::History;
use crate::load;
use crate::places::Inputs;
use crate::run::require_detectors;

/// Train the detectors of a pipeline on what its source holds now.
#[derive(Args, Debug)]
pub struct TrainArgs {
    /// The pipeline file.
    pub pipeline: PathBuf,
    /// Train on this file instead of the source topic (JSON lines or CSV, .gz, .zst); may be repeated.
    #[arg(long)]
    pub input: Vec<PathBuf>,
    /// Read at most so many events.
    #[arg(long)]
    pub limit: Option<u64>,
    /// Learn only from events before this moment (RFC 3339).
    #[arg(long)]
    pub until: Option<String>,
    /// Keep the model, but do not put it in force.
    #[arg(long)]
    pub no_promote: bool,
}

/// What training is told besides the plan.
#[derive(Debug, Default)]
pub struct Scope {
    /// Read at most so many events.
    pub limit: Option<u64>,
    /// Learn only from events before this moment.
    pub until: Option<EventTime>,
    /// Keep the model, but do not put it in force.
    pub no_promote: bool,
    /// No progress bar.
    pub quiet: bool,
}

/// Runs the command.
pub fn run(args: &TrainArgs, stop: &'static AtomicBool) -> Result<(), Failure> {
    let until = match &args.until {
        None => None,
        Some(text) => Some(EventTime::parse(text).ok_or_else(|| {
            Failure::new(crate::failure::USAGE, format!("--until {text}: not a time\nhint: 2026-01-31T12:00:00Z"))
        })?),
    };
    let settings = load::settings(&args.pipeline, &Overrides::default())?;
    let inputs = Inputs { files: args.input.clone() };
    let plan = load::plan(settings, &inputs, Purpose::Train)?;
    let mut history = History::open(&plan, &inputs)?;
    let scope = Scope { limit: args.limit, until, no_promote: args.no_promote, quiet: false };
    let card = train(&plan, &mut history, &scope, stop)?;
    crate::print_line(&format!(
        "{}@{}: {} detectors fitted to {} of {} rows{}",
        card.name,
        card.version,
        card.detectors.len(),
        card.rows_fitted,
        card.rows_seen,
        if args.no_promote { "" } else { "; it is now the champion" },
    ));
    Ok(())
}

/// Trains on a history and keeps the model; returns its card.
pub fn train(plan: &Arc<Plan>, history: &mut History, scope: &Scope, stop: &AtomicBool) -> Result<Card, Failure> {
    require_detectors(plan)?;
    let settings = &plan.settings;
    let clock = SystemClock;
    let mut dataset = Dataset::new(settings.train.sample, settings.train.seed);
    let dead = gather(plan, history, scope, &mut dataset, stop)?;
    let (seen, span) = (dataset.seen(), dataset.span_micros());
    if seen == 0 {
        let filter = settings.train.filter.as_ref().map_or(String::new(), |filter| format!(" where {filter}"));
        return Err(ModelError::NoRows(format!("{filter} ({dead} records were set aside)")).into());
    }
    let sample = dataset.finish()?;
    tracing::info!(rows = sample.num_rows(), of = seen, "fitting detectors");
    let fitted = fit(plan, &sample, Means { outside: &Disk, threads: threads() })?;
    let card = Card {
        name: settings.detect.ensemble.clone(),
        version: 0,
        lapwing: env!("CARGO_PKG_VERSION").to_owned(),
        trained_at: EventTime(clock.wall_micros()).to_rfc3339(),
        pipeline_digest: plan.digest().to_owned(),
        rows_seen: seen,
        rows_fitted: fitted.rows,
        span: span.map(|(first, last)| (EventTime(first).to_rfc3339(), EventTime(last).to_rfc3339())),
        filter: settings.train.filter.clone(),
        alert_rate: settings.decide.alert_rate,
        seed: settings.train.seed,
        columns: fitted.ensemble.columns().names(),
        detectors: fitted.ensemble.member_names().iter().map(|name| (*name).to_owned()).collect(),
        sha256: String::new(),
    };
    let registry = Registry::new(&settings.models.path);
    let card = registry.save(&fitted.ensemble, card)?;
    if !scope.no_promote {
        registry.set_alias(&card.name, "champion", card.version)?;
    }
    Ok(card)
}

/// Reads the history through the stages into the sample; returns how many records were set aside.
fn gather(
    plan: &Arc<Plan>,
    history: &mut History,
    scope: &Scope,
    dataset: &mut Dataset,
    stop: &AtomicBool,
) -> Result<u64, Failure> {
    let status = Status::default();
    let references = References::open(&plan.tables(), None).map_err(|fault| Failure::new(CONFIGURATION, fault))?;
    let filter = match &plan.settings.train.filter {
        None => None,
        Some(filter) => Some(Predicate::plan(filter, &plan.rows).map_err(|e| ModelError::Filter(e.to_string()))?),
    };
    let bar = progress_bar(scope, history.records_total());
    let mut tasks = BTreeMap::new();
    let mut left = scope.limit.unwrap_or(u64::MAX);
    while let Some(records) = history.next(left.min(plan.settings.max_batch_events as u64) as usize)? {
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::new(DATA, "train: interrupted; no model was written"));
        }
        left -= records.len() as u64;
        let task = match tasks.entry(records.partition()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Task::new(plan, records.partition(), &references.latest())?),
        };
        offer(task, &records, filter.as_ref(), scope, dataset, &status)?;
        bar.inc(records.len() as u64);
        if left == 0 {
            break;
        }
    }
    bar.finish_and_clear();
    if left > 0 && history.is_at_its_end() {
        for task in tasks.values_mut() {
            while let Some(batch) = task.close(&status, &SystemClock)? {
                offer_rows(&batch, filter.as_ref(), scope, dataset)?;
            }
        }
    }
    Ok(status.dead_letters_total())
}

fn offer(
    task: &mut Task,
    records: &Records,
    filter: Option<&Predicate>,
    scope: &Scope,
    dataset: &mut Dataset,
    status: &Status,
) -> Result<(), Failure> {
    let batch = task.score_batch(records, 0..records.len(), status, &SystemClock, &mut Product::default())?;
    offer_rows(&batch, filter, scope, dataset)
}

/// Offers the rows of a batch that are to be learned from.
fn offer_rows(
    batch: &ScoredBatch,
    filter: Option<&Predicate>,
    scope: &Scope,
    dataset: &mut Dataset,
) -> Result<(), Failure> {
    let events = &batch.events;
    let filtered = match filter {
        None => None,
        Some(filter) => Some(filter.evaluate(&events.rows).map_err(|error| ModelError::Filter(error.to_string()))?),
    };
    let wanted = |(row, time): (usize, &EventTime)| {
        scope.until.is_none_or(|until| *time < until)
            && filtered.as_ref().is_none_or(|wanted| wanted.value(row))
            && batch.is_final(row)
    };
    let wanted: BooleanArray = events.times.iter().enumerate().map(|at| Some(wanted(at))).collect();
    dataset.offer(events, Some(&wanted));
    Ok(())
}

fn progress_bar(scope: &Scope, total: Option<u64>) -> ProgressBar {
    let bar = match (scope.quiet, total.map(|total| total.min(scope.limit.unwrap_or(u64::MAX)))) {
        (true, _) => return ProgressBar::hidden(),
        (_, Some(total)) => ProgressBar::new(total),
        (_, None) => ProgressBar::new_spinner(),
    };
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} events, {per_sec}, {eta} left");
    bar.with_style(style.expect("the template is valid")).with_message("reading")
}
