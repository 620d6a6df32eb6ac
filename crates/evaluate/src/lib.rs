//! From scored rows with labels to figures that people look at. Data files are read here, detectors are trained and run
//! on them, and what they find is measured, drawn and searched for better options. No clock, no network.

/// What can go wrong, and what the caller does next.
pub mod error;
/// Plain data files as typed columns.
pub mod read;
/// What labels mean.
pub mod truth;
/// What each column of a file is for.
pub mod roles;
/// Which rows are learned from, and which are scored.
pub mod split;
/// From columns to inputs of detectors.
mod encode;
/// From names to methods.
pub mod detectors;
/// What training needs from outside.
mod disk;
/// Training, and scoring whole files.
mod learn;
/// Figures that depend on the order of the scores: ROC AUC, average precision, recall at a false positive rate.
pub mod ranking;
/// How sure a figure is.
pub mod bootstrap;
/// Figures at a threshold: precision, recall, confusion.
pub mod threshold;
/// How scores are spread, and whether tails are what they promise.
pub mod spread;
/// Which inputs the scores rest on.
pub mod importance;
/// What each detector adds.
pub mod ablation;
/// What an evaluation found, as text, JSON and a page.
pub mod report;
/// The whole of `lapwing evaluate`.
pub mod command;
/// The whole of `lapwing tune`.
pub mod tune;

pub use command::{Options, evaluate};
pub use disk::{Disk, threads};
pub use error::EvaluateError;
pub use report::Report;
pub use roles::Roles;
pub use tune::{TuneOptions, Tuned, tune};
