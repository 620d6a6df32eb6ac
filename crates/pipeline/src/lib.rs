//! The river: source → decode → join → enrich → aggregate → score → decide → commit.
//!
//! A [`plan::Plan`] is compiled once from the [`settings`]. For each partition it makes a [`task::Task`], which takes
//! records through the stages in one thread; a [`worker::Worker`] drives the tasks of its partitions over a transport
//! and commits what they put out, epoch by epoch, all or none.

/// The pipeline file, checked.
pub mod settings;
/// What can stop a pipeline.
pub mod error;
/// Time, handed in.
pub mod clock;
/// Bytes to typed columns.
pub mod decode;
/// The inferred schema, kept.
pub mod frozen;
/// Other topics joined to the events.
pub mod join;
/// Templates of log messages, as columns.
pub mod templates;
/// New columns by SQL and reference tables.
pub mod enrich;
/// Reference tables, watched and kept by content.
pub mod references;
/// What happened between two records.
pub mod marker;
/// Event-time features per entity.
pub mod aggregate;
/// Scores in the light of an entity's recent ones.
mod postprocess;
/// The ensemble over rows.
pub mod score;
/// From scores to alerts.
pub mod decide;
/// Alerts in the words of log templates.
mod wording;
/// Products as output records.
pub mod render;
/// The compiled pipeline.
pub mod plan;
/// One partition: stages and memory.
pub mod task;
/// Records to the partition of their entity.
pub mod forward;
/// The loop that drives tasks over a transport.
pub mod worker;
/// What a partition remembers, to be looked at.
pub mod inspect;
/// Counters, latencies, newest alerts.
pub mod status;
/// The counters in Prometheus' text form.
pub mod metrics;
/// A pipeline driven from a test.
pub mod by_hand;
