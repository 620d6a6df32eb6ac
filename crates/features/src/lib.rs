//! Event-time features per entity: windows, accumulators and baselines, as pure folds.
//!
//! A [`Graph`] is compiled from [`FeatureSpec`]s once; then [`Graph::fold`] takes one event at a time and answers with
//! one value per feature. All memory of the past lies in two slices of `f64` *words* that the caller owns: one per
//! entity, one per partition. A snapshot is a copy of them, a restore is a copy back, and the same events in the same
//! order give the same bits. No IO, no clock, no chance.

/// What a feature is: a measure of a column over a window or against a baseline.
pub mod spec;
/// Why a set of features was refused.
pub mod error;
/// How late an event may come, and whether it did.
pub mod watermark;
/// What is remembered of a set of values: count, sum, moments, extremes.
mod accumulator;
/// Rolling windows made of panes.
mod window;
/// e to a negative power, the same bits on every machine.
mod decay;
/// What is usual for an entity: decaying mean and variance with a prior, robust against outliers.
mod baseline;
/// All features of a pipeline, compiled: one event in, one row of values out.
pub mod graph;
/// Windows as the scored unit: each window of an entity becomes a row.
mod scored_window;

pub use baseline::Z_MAX;
pub use error::FeatureError;
pub use graph::Graph;
pub use scored_window::{
    Arrival, Cause, Closed, OpenWindow, Placement, ScoredWindowError, ScoredWindowSpec, ScoredWindows, WindowColumn,
    WindowKind, WindowMeasure,
};
pub use spec::{FeatureSpec, Measure, Over};
pub use watermark::{Timeliness, Watermark};
pub use window::PANES;
