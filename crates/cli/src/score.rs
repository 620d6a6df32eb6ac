//! `lapwing score`: a pipeline over a finite file, as fast as it goes; every event's numbers in one table.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::filter_record_batch;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::references::References;
use lapwing_pipeline::score::ModelSource;
use lapwing_pipeline::settings::Overrides;
use lapwing_pipeline::status::{Status, get};
use lapwing_pipeline::task::{Product, ScoredBatch, Task};
use lapwing_vocabulary::Records;
use parquet::arrow::ArrowWriter;

use crate::clock::SystemClock;
use crate::failure::{CONFIGURATION, DATA, Failure, INTERNAL, IO, USAGE};
use crate::history::History;
use crate::load;
use crate::places::Inputs;

/// Score every event of a file with a pipeline's model.
#[derive(Args, Debug)]
pub struct ScoreArgs {
    /// The pipeline file.
    pub pipeline: PathBuf,
    /// Events: JSON lines or CSV as the pipeline's format says, .gz, .zst; may be repeated.
    #[arg(long, required = true)]
    pub input: Vec<PathBuf>,
    /// Where to write id, time, entity, score, score and tail probability per detector, and flag of every event:
    /// .csv, .jsonl or .parquet.
    #[arg(long)]
    pub output: PathBuf,
    /// Also write these columns or features.
    #[arg(long, value_delimiter = ',')]
    pub with: Vec<String>,
}

enum Sink {
    Csv(arrow::csv::Writer<BufWriter<File>>),
    JsonLines(arrow::json::LineDelimitedWriter<BufWriter<File>>),
    Parquet(BufWriter<File>, Option<ArrowWriter<BufWriter<File>>>),
}

/// Runs the command.
pub fn run(args: &ScoreArgs, stop: &'static AtomicBool) -> Result<(), Failure> {
    let ending = known_ending(&args.output)?;
    let settings = load::settings(&args.pipeline, &Overrides::default())?;
    let inputs = Inputs { files: args.input.clone() };
    let model = load::model_source(&settings).changed_from(None).map_err(|fault| Failure::new(DATA, fault))?;
    if model.is_none() {
        tracing::warn!("there is no model: scores will be empty; `lapwing train` makes one");
    }
    let plan = load::plan_with(settings, &inputs, Purpose::Run, &args.with)?;
    let references = References::open(&plan.tables(), None).map_err(|fault| Failure::new(CONFIGURATION, fault))?;
    let mut history = History::open(&plan, &inputs)?;
    let status = Status::default();
    let mut tasks: BTreeMap<i32, Task> = BTreeMap::new();
    let style = ProgressStyle::with_template("scoring {spinner} {human_pos} events, {per_sec}");
    let bar = ProgressBar::new_spinner().with_style(style.expect("the template is valid"));
    // Created only now: a command that cannot run leaves an earlier table as it was.
    let mut sink = Sink::create(&args.output, ending)?;
    let detectors: Vec<String> = plan.members.iter().map(|member| member.name.clone()).collect();
    while let Some(records) = history.next(plan.settings.max_batch_events)? {
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::new(IO, format!("interrupted: {} is incomplete", args.output.display())));
        }
        let partition = records.partition();
        let task = match tasks.entry(partition) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let mut task = Task::new(&plan, partition, &references.latest())?;
                task.set_model(model.clone());
                entry.insert(task)
            }
        };
        let mut product = Product::default();
        let batch = task.score_batch(&records, 0..records.len(), &status, &SystemClock, &mut product)?;
        sink.write(&table(&plan, &batch, &detectors, &args.with)?)?;
        bar.inc(records.len() as u64);
    }
    for task in tasks.values_mut() {
        while let Some(batch) = task.close(&status, &SystemClock)? {
            sink.write(&table(&plan, &batch, &detectors, &args.with)?)?;
        }
    }
    if tasks.is_empty() {
        // A table without rows still has columns.
        let none = Records::new(plan.source_name().into(), 0);
        let mut task = Task::new(&plan, 0, &references.latest())?;
        let batch = task.score_batch(&none, 0..0, &status, &SystemClock, &mut Product::default())?;
        sink.write(&table(&plan, &batch, &detectors, &args.with)?)?;
    }
    sink.finish(&args.output)?;
    bar.finish_and_clear();
    report(&status, &args.output);
    Ok(())
}

fn report(status: &Status, output: &Path) {
    let (processed, late, dead) = (get(&status.processed), get(&status.late), status.dead_letters_total());
    crate::print_line(&format!("{processed} events scored into {} ({late} late, {dead} set aside)", output.display()));
    for (reason, count) in status.dead_letters().into_iter().filter(|(_, count)| *count > 0) {
        crate::print_line(&format!("  set aside as {reason}: {count}"));
    }
}

/// One row per event.
fn table(plan: &Arc<Plan>, batch: &ScoredBatch, detectors: &[String], with: &[String]) -> Result<RecordBatch, Failure> {
    let rows = batch.events.len();
    let scores = batch.scored.as_ref().map(|scored| &scored.scores);
    let numbers = |values: Option<&Vec<f64>>| -> ArrayRef {
        match values {
            Some(values) => Arc::new(Float64Array::from(values.clone())),
            None => Arc::new(Float64Array::new_null(rows)),
        }
    };
    let id: ArrayRef = match &plan.settings.source.id {
        Some(id) if batch.windows.is_none() => {
            batch.events.rows.column_by_name(id).cloned().unwrap_or_else(|| Arc::new(StringArray::new_null(rows)))
        }
        _ => Arc::new((0..rows).map(|row| Some(batch.events.position(row).to_string())).collect::<StringArray>()),
    };
    let times = batch.events.times.iter().map(|time| time.0);
    let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
    let flags = match scores {
        Some(scores) => BooleanArray::from(scores.flagged.clone()),
        None => BooleanArray::new_null(rows),
    };
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("id".to_owned(), id),
        ("time".to_owned(), Arc::new(times)),
        ("entity".to_owned(), Arc::new(batch.entities.clone())),
        ("score".to_owned(), numbers(scores.map(|scores| &scores.score))),
        ("tail_probability".to_owned(), numbers(scores.map(|scores| &scores.tail))),
    ];
    for (at, name) in detectors.iter().enumerate() {
        let member = scores.and_then(|scores| scores.members.get(at));
        columns.push((format!("{name}_score"), numbers(member.map(|member| &member.raw))));
        columns.push((format!("{name}_tail_probability"), numbers(member.map(|member| &member.tail))));
    }
    for name in with {
        if let Some(column) = batch.events.rows.column_by_name(name) {
            columns.push((name.clone(), column.clone()));
        }
    }
    columns.push(("anomaly".to_owned(), Arc::new(flags)));
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let table = RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| Failure::new(INTERNAL, error))?;
    let counts: BooleanArray = (0..rows).map(|row| Some(batch.counts(row))).collect();
    filter_record_batch(&table, &counts).map_err(|error| Failure::new(INTERNAL, error))
}

fn known_ending(path: &Path) -> Result<&str, Failure> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ["csv", "jsonl", "ndjson", "parquet"].contains(&ending) {
        true => Ok(ending),
        false => {
            let text = format!("--output {}: end the name in .csv, .jsonl or .parquet", path.display());
            Err(Failure::new(USAGE, text))
        }
    }
}

impl Sink {
    fn create(path: &Path, ending: &str) -> Result<Self, Failure> {
        let file =
            File::create(path).map_err(|error| Failure::new(IO, format!("create {}: {error}", path.display())))?;
        let writer = BufWriter::with_capacity(1 << 20, file);
        Ok(match ending {
            "csv" => Self::Csv(arrow::csv::Writer::new(writer)),
            "parquet" => Self::Parquet(writer, None),
            _ => Self::JsonLines(arrow::json::LineDelimitedWriter::new(writer)),
        })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<(), Failure> {
        let fault = |error: &dyn std::fmt::Display| Failure::new(IO, format!("write scores: {error}"));
        match self {
            Self::Csv(writer) => writer.write(rows).map_err(|error| fault(&error)),
            Self::JsonLines(writer) => writer.write(rows).map_err(|error| fault(&error)),
            Self::Parquet(file, writer) => {
                if writer.is_none() {
                    let file = file.get_ref().try_clone().map_err(|error| fault(&error))?;
                    let made = ArrowWriter::try_new(BufWriter::new(file), rows.schema(), None);
                    *writer = Some(made.map_err(|error| fault(&error))?);
                }
                writer.as_mut().map_or(Ok(()), |writer| writer.write(rows)).map_err(|error| fault(&error))
            }
        }
    }

    fn finish(self, path: &Path) -> Result<(), Failure> {
        let fault = |error: &dyn std::fmt::Display| Failure::new(IO, format!("write {}: {error}", path.display()));
        match self {
            Self::Csv(writer) => writer.into_inner().flush().map_err(|error| fault(&error)),
            Self::JsonLines(mut writer) => {
                writer.finish().map_err(|error| fault(&error))?;
                writer.into_inner().flush().map_err(|error| fault(&error))
            }
            Self::Parquet(_, None) => Ok(()),
            Self::Parquet(_, Some(writer)) => writer.close().map(|_| ()).map_err(|error| fault(&error)),
        }
    }
}
