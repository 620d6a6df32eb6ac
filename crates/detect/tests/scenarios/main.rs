//! The crate as its users see it: one file per scenario.

mod world;
mod columns;
mod isolation_forest;
mod ensemble;
mod artefact;
mod segments;
