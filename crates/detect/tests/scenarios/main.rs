//! The crate as its users see it: one file per scenario.

mod world;
mod columns;
mod isolation_forest;
mod trees;
mod ensemble;
mod artefact;
mod networks;
mod onnx;
mod segments;
