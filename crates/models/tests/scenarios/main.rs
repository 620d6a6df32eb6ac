//! Models from history to registry. One test binary, because each one links DataFusion; one file per scenario.

/// A small pipeline, its rows and its models.
mod setup;

mod registry;
mod source;
mod training;
