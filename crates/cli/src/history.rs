//! What a source holds now, read once from its beginning to its present end, outside any consumer group.

use std::path::PathBuf;
use std::sync::Arc;

use lapwing_pipeline::plan::Plan;
use lapwing_vocabulary::port::{Topics, Transport};
use lapwing_vocabulary::{Polled, Records};

use crate::failure::{CONFIGURATION, Failure};
use crate::places::{self, Inputs};
use crate::transports;

/// Longest wait for a file's reader. It only bounds how soon an interrupt is noticed.
const WAIT: std::time::Duration = std::time::Duration::from_millis(100);

/// A finite history.
pub enum History {
    /// A topic's partitions, taken in turns so that event time advances in all of them alike.
    Topic {
        /// Reads the topic.
        topics: Box<dyn Topics>,
        /// The topic.
        name: String,
        /// Per partition: next offset to read, and the end when the history was opened.
        cursors: Vec<(i64, i64)>,
        /// Partition to read next.
        turn: usize,
    },
    /// Files, read to their end.
    Files(Box<dyn Transport>),
}

impl History {
    /// Opens the files given, or those the pipeline names, or its source topic.
    pub fn open(plan: &Arc<Plan>, inputs: &Inputs) -> Result<Self, Failure> {
        let files: Vec<PathBuf> = places::input_files(&plan.settings, inputs);
        if !files.is_empty() {
            if let Some(join) = plan.joins.first() {
                let text = format!(
                    "--input: files hold nothing of `join.{}`\nhint: `lapwing train` and `lapwing watermark` without --input read \
                     the topic in which `lapwing run` puts events and joined records together",
                    join.settings.name
                );
                return Err(Failure::new(CONFIGURATION, text));
            }
            return Ok(Self::Files(transports::finite_files(&plan.settings, &files)?));
        }
        let name = plan.source_name().to_owned();
        let mut topics = transports::topics(&plan.settings)?;
        let cursors = transports::describe(topics.as_mut(), &name)?.partitions;
        Ok(Self::Topic { topics, name, cursors, turn: 0 })
    }

    /// Opens the source topic through a handle that is open already.
    pub fn of_topic(mut topics: Box<dyn Topics>, name: &str) -> Result<Self, Failure> {
        let cursors = transports::describe(topics.as_mut(), name)?.partitions;
        Ok(Self::Topic { topics, name: name.to_owned(), cursors, turn: 0 })
    }

    /// Number of records, where it is known.
    pub fn records_total(&self) -> Option<u64> {
        match self {
            Self::Topic { cursors, .. } => Some(cursors.iter().map(|(next, end)| (end - next).max(0) as u64).sum()),
            Self::Files(_) => None,
        }
    }

    /// Whether nothing can come after its end: files end, topics go on.
    pub fn is_at_its_end(&self) -> bool {
        matches!(self, Self::Files(_))
    }

    /// The next records, at most so many; `None` at the end.
    pub fn next(&mut self, records_max: usize) -> Result<Option<Records>, Failure> {
        match self {
            Self::Topic { topics, name, cursors, turn } => {
                next_of_topic(topics.as_mut(), name, cursors, turn, records_max)
            }
            Self::Files(transport) => next_of_files(transport.as_mut(), records_max),
        }
    }
}

fn next_of_topic(
    topics: &mut dyn Topics,
    name: &str,
    cursors: &mut [(i64, i64)],
    turn: &mut usize,
    records_max: usize,
) -> Result<Option<Records>, Failure> {
    for _ in 0..cursors.len() {
        let partition = *turn % cursors.len();
        *turn += 1;
        let (next, end) = cursors[partition];
        if next >= end {
            continue;
        }
        let mut records = topics.read(name, partition as i32, next, records_max)?;
        // Offsets may have gaps, and records may have come since: only what was there at the start counts.
        let within = (0..records.len()).position(|index| records.offset(index) >= end).unwrap_or(records.len());
        records.truncate(within);
        match records.last_offset() {
            Some(last) => {
                cursors[partition].0 = last + 1;
                return Ok(Some(records));
            }
            None => cursors[partition].0 = end,
        }
    }
    Ok(None)
}

fn next_of_files(transport: &mut dyn Transport, records_max: usize) -> Result<Option<Records>, Failure> {
    loop {
        match transport.poll(records_max, WAIT)? {
            Polled::Records(records) => return Ok(Some(records)),
            Polled::Assigned(assignments) => {
                for assignment in assignments {
                    transport.resume(assignment.partition, assignment.earliest)?;
                }
            }
            Polled::End => return Ok(None),
            Polled::Idle | Polled::Revoked(_) | Polled::Lost(_) => {}
        }
    }
}
