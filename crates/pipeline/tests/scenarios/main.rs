//! The pipeline as a whole, from records to output records. One test binary, because each one links DataFusion; one file
//! per scenario.

/// A stream of small events, ordinary and not.
mod stream;
/// From pipeline files to plans and fitted models.
mod setup;
/// What was put out, sorted so that runs can be compared.
mod outputs;
/// A log in memory that fails as it is told.
mod fake;

mod batches;
mod dead_letters;
mod enriched;
mod alerts;
mod late;
mod logs;
mod left_out;
mod repeats;
mod windows;
mod markers;
mod changed_settings;
mod forgetting;
mod remembered_scores;
mod repartitioning;
mod joins;
mod joins_restarted;
mod joins_forwarded;
mod recovery;
mod rebalance;
mod restarts;
mod changing_table;
mod changing_model;
mod damaged_snapshot;
mod plan_faults;
