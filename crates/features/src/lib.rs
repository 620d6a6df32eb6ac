//! Event-time features per entity: windows, accumulators and baselines, as pure folds.
//!
//! A [`Graph`] is compiled from [`FeatureSpec`]s once; then [`Graph::fold`] takes one event at a time and answers with
//! one value per feature. All memory of the past lies in slices of `f64` *words* that the caller owns: one per entity,
//! one per group of peers, one per partition. A snapshot is a copy of them, a restore is a copy back, and the same
//! events in the same order give the same bits. No IO, no clock, no chance.

/// What a feature is: a measure of columns over a window, against a baseline, or of the events before.
pub mod spec;
/// Why a set of features was refused.
pub mod error;
/// Whether an event with this id has been here before.
pub mod dedup;
/// How late an event may come, whether it did, and how event time goes on while nothing comes.
pub mod watermark;
/// How late events have come so far, and the watermark that would have lost none.
pub mod lateness;
/// How a feature reads a column.
mod input;
/// Division by a number known beforehand.
mod division;
/// Which word means what, and how memory is carried over to another set of features.
pub mod layout;
/// A number as evenly spread bits.
mod hash;
/// What is remembered of a set of values: count, sum, moments, extremes, and sketches.
mod accumulator;
/// Rolling windows made of panes.
mod window;
/// What stands behind a feature: how many values, and what is usual.
mod behind;
/// e to a negative power, the same bits on every machine.
mod decay;
/// What is usual for an entity: decaying mean and variance with a prior, robust against outliers.
mod baseline;
/// What depends on single events of the past: previous values, places, first occurrences, seasons, peers.
mod parts;
/// What a set of features needs, each thing once.
mod plan;
/// The rows of words, and where each step has its own.
mod rows;
/// All features of a pipeline, compiled: one event in, one row of values out.
pub mod graph;
/// Every feature with what stands behind it, for people to look at.
mod explain;
/// Windows as the scored unit: each window of an entity becomes a row.
mod scored_window;

pub use baseline::Z_MAX;
pub use behind::{FeatureState, Level};
pub use dedup::Dedup;
pub use error::FeatureError;
pub use graph::Graph;
pub use lateness::{Advice, Lateness, Quantiles, advise, disorder_micros};
pub use layout::{CarryOver, Layout};
pub use parts::SURPRISE_MAX;
pub use scored_window::{
    Arrival, Cause, Closed, OpenWindow, Placement, ScoredWindowError, ScoredWindowSpec, ScoredWindows, Texts,
    WindowColumn, WindowKind, WindowMeasure, WindowText,
};
pub use spec::{FeatureSpec, Fill, Learn, Measure, Nulls, Over, Season};
pub use watermark::{Idle, Timeliness, Watermark, idle_tick};
