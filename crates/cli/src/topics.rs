//! `lapwing topics`: make what a pipeline needs, and see what there is.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use lapwing_pipeline::settings::Overrides;
use lapwing_vocabulary::port::TopicState;

use crate::failure::Failure;
use crate::load;
use crate::transports;

/// Create, describe and list topics.
#[derive(Subcommand, Debug)]
pub enum TopicsCommand {
    /// Create the source and output topics of a pipeline as its `[topics]` section lays them out.
    Create {
        /// The pipeline file.
        pipeline: PathBuf,
    },
    /// Partitions, offsets and settings of a pipeline's topics.
    Describe {
        /// The pipeline file.
        pipeline: PathBuf,
    },
    /// Names of all topics.
    List {
        /// The pipeline file.
        pipeline: PathBuf,
    },
}

/// Runs the command.
pub fn run(command: &TopicsCommand) -> Result<(), Failure> {
    match command {
        TopicsCommand::Create { pipeline } => create(pipeline),
        TopicsCommand::Describe { pipeline } => describe(pipeline),
        TopicsCommand::List { pipeline } => list(pipeline),
    }
}

fn create(pipeline: &Path) -> Result<(), Failure> {
    let settings = load::settings(pipeline, &Overrides::default())?;
    let mut topics = transports::topics(&settings)?;
    for (_, name, layout) in settings.topics_used() {
        let created = topics.create(&name, &layout)?;
        let what = if created { "created" } else { "exists already, left as it is" };
        crate::print_line(&format!("{name}: {what} ({} partitions wanted)", layout.partitions));
    }
    Ok(())
}

fn describe(pipeline: &Path) -> Result<(), Failure> {
    let settings = load::settings(pipeline, &Overrides::default())?;
    let mut topics = transports::topics(&settings)?;
    for (role, name, _) in settings.topics_used() {
        match topics.describe(&name)? {
            Some(state) => show(role.name(), &state),
            None => crate::print_line(&format!("{name} ({}): does not exist", role.name())),
        }
    }
    Ok(())
}

fn show(role: &str, state: &TopicState) {
    let total: i64 = state.partitions.iter().map(|(first, end)| end - first).sum();
    crate::print_line(&format!(
        "{} ({role}): {} partitions, {total} offsets in use",
        state.name,
        state.partitions.len()
    ));
    for (partition, (first, end)) in state.partitions.iter().enumerate() {
        crate::print_line(&format!("  [{partition}] {first}..{end}"));
    }
    for (name, value) in &state.settings {
        crate::print_line(&format!("  {name} = {value}"));
    }
}

fn list(pipeline: &Path) -> Result<(), Failure> {
    let settings = load::settings(pipeline, &Overrides::default())?;
    for name in transports::topics(&settings)?.list()? {
        crate::print_line(&name);
    }
    Ok(())
}
