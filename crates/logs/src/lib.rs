//! Raw log lines: their fields and times, the keys they name, and the templates they were printed from. Pure: no IO, no
//! clock, no unseeded number.

/// Which print statement a message came from: known templates, and learned ones.
pub mod template;

pub use template::{
    Mask, Miner, MinerCounts, SeedTemplate, Taken, Template, TemplateError, TemplateSpec, read_seed, write_seed,
};
