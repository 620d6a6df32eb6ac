//! `lapwing state`: what a pipeline remembers, from its newest snapshots.

/// What is remembered of one entity, told.
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use lapwing_pipeline::aggregate::Carried;
use lapwing_pipeline::error::RunError;
use lapwing_pipeline::inspect::{Memory, newest};
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::references::References;
use lapwing_pipeline::settings::{Connect, Overrides};
use lapwing_state::SnapshotStore;

use crate::failure::{CONFIGURATION, DATA, Failure};
use crate::load;
use crate::places::{self, Inputs};
use crate::transports;
use report::Report;

/// Look at what a pipeline remembers.
#[derive(Subcommand, Debug)]
pub enum StateCommand {
    /// The newest snapshot of each partition.
    List {
        /// The pipeline file.
        pipeline: PathBuf,
        /// One JSON object per partition instead of text.
        #[arg(long)]
        json: bool,
    },
    /// What is remembered of one entity, and whether it is scored.
    Inspect {
        /// The pipeline file.
        pipeline: PathBuf,
        /// The entity: a value of the key field.
        entity: String,
        /// One JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub fn run(command: &StateCommand) -> Result<(), Failure> {
    match command {
        StateCommand::List { pipeline, json } => list(pipeline, *json),
        StateCommand::Inspect { pipeline, entity, json } => inspect(pipeline, entity, *json),
    }
}

/// A pipeline and where its snapshots are.
pub(crate) struct Place {
    pub(crate) plan: Arc<Plan>,
    store: SnapshotStore,
    references: References,
    pub(crate) partitions: i32,
    /// Of each partition the first record that the source still has; none for files.
    earliest: Vec<i64>,
}

impl Place {
    /// Opens what the pipeline file names.
    pub(crate) fn open(pipeline: &Path) -> Result<Self, Failure> {
        let settings = load::settings(pipeline, &Overrides::default())?;
        let store = transports::snapshot_store(&settings)?;
        let copies = places::state_folder(&settings).join("tables");
        let plan = load::plan(settings, &Inputs::default(), Purpose::Run)?;
        let references = References::open(&plan.tables(), Some(copies));
        let references = references.map_err(|fault| Failure::new(CONFIGURATION, fault))?;
        let earliest: Vec<i64> = match &plan.settings.connect {
            Connect::Files(_) => Vec::new(),
            _ => {
                let mut topics = transports::topics(&plan.settings)?;
                let state = transports::describe(topics.as_mut(), plan.source_name())?;
                state.partitions.iter().map(|(earliest, _)| *earliest).collect()
            }
        };
        let partitions = if earliest.is_empty() { 1 } else { earliest.len() as i32 };
        Ok(Self { plan, store, references, partitions, earliest })
    }

    /// The newest memory of a partition; `None` without a snapshot.
    pub(crate) fn memory(&self, partition: i32) -> Result<Option<Memory>, Failure> {
        Ok(newest(&self.plan, &self.store, partition, &self.references)?)
    }
}

/// Says for each partition what becomes of its state with these settings.
/// Errors: a code of its own if the state of any partition cannot be used.
pub fn against(pipeline: &Path) -> Result<(), Failure> {
    let place = Place::open(pipeline)?;
    crate::print_line(&format!("# state in {}", place.store.describe()));
    let mut refused = 0;
    for partition in 0..place.partitions {
        let verdict = match newest(&place.plan, &place.store, partition, &place.references) {
            Ok(None) => "nothing there: built from the source".to_owned(),
            Ok(Some(memory)) => format!("kept from offset {}{}", memory.offset, changes(&memory.carried)),
            Err(RunError::Plan(faults)) => {
                refused += 1;
                let gone = match place.earliest.get(partition as usize) {
                    Some(earliest) if *earliest > 0 => format!("; the records before {earliest} are gone"),
                    _ => String::new(),
                };
                format!("refused, rebuilt from the source: {}{gone}", faults.join("; "))
            }
            Err(error) => return Err(error.into()),
        };
        crate::print_line(&format!("# partition {partition}: {verdict}"));
    }
    match refused {
        0 => Ok(()),
        _ => Err(Failure::new(DATA, format!("the state of {refused} partitions cannot be used with these settings"))),
    }
}

/// What of a memory goes on, what begins empty, and what goes.
fn changes(carried: &Carried) -> String {
    let mut told = String::new();
    for (what, names) in [("new, begin empty", &carried.fresh), ("dropped", &carried.dropped)] {
        if !names.is_empty() {
            told.push_str(&format!("; {what}: {}", names.join(", ")));
        }
    }
    if carried.windows_dropped {
        told.push_str("; open windows are given up");
    }
    if carried.ids_dropped {
        told.push_str("; ids seen before are forgotten");
    }
    told
}

fn list(pipeline: &Path, json: bool) -> Result<(), Failure> {
    let place = Place::open(pipeline)?;
    for partition in 0..place.partitions {
        let memory = place.memory(partition)?;
        let text = match (&memory, json) {
            (Some(memory), true) => summary(partition, memory).to_string(),
            (Some(memory), false) => {
                let aggregate = memory.aggregate();
                let watermark = aggregate.watermark().map_or("none".to_owned(), |time| time.to_rfc3339());
                format!(
                    "partition {partition}: up to offset {}, {} entities, {} of memory, watermark {watermark}",
                    memory.offset,
                    aggregate.entities(),
                    bytes(aggregate.memory_bytes()),
                )
            }
            (None, true) => serde_json::json!({ "partition": partition, "snapshot": null }).to_string(),
            (None, false) => format!("partition {partition}: no snapshot"),
        };
        crate::print_line(&text);
    }
    Ok(())
}

fn summary(partition: i32, memory: &Memory) -> serde_json::Value {
    let aggregate = memory.aggregate();
    serde_json::json!({
        "partition": partition,
        "snapshot": memory.offset,
        "entities": aggregate.entities(),
        "memory_bytes": aggregate.memory_bytes(),
        "watermark": aggregate.watermark().map(|time| time.to_rfc3339()),
    })
}

fn inspect(pipeline: &Path, entity: &str, json: bool) -> Result<(), Failure> {
    let place = Place::open(pipeline)?;
    for partition in 0..place.partitions {
        let Some(memory) = place.memory(partition)? else { continue };
        if let Some(report) = Report::of(&place.plan, partition, &memory, entity)? {
            match json {
                true => crate::print_line(&report.json().to_string()),
                false => report.lines().iter().for_each(|line| crate::print_line(line)),
            }
            return Ok(());
        }
    }
    let text = format!(
        "nothing is remembered of `{entity}` in the snapshots under {}\nhint: it may be new since the newest \
         snapshot (`snapshot_interval`), forgotten (`ttl`), or written otherwise",
        place.store.describe()
    );
    Err(Failure::new(DATA, text))
}

/// A size as people read it.
fn bytes(count: usize) -> String {
    match count {
        0..10_240 => format!("{count} B"),
        10_240..10_485_760 => format!("{} KiB", count >> 10),
        _ => format!("{} MiB", count >> 20),
    }
}
