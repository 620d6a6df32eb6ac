//! Raw log lines: their fields and times, the keys they name, and the templates they were printed from. Pure: no IO, no
//! clock, no unseeded number.

/// Times as logs write them, read into microseconds.
mod time;
/// The header of a line: named layouts, patterns, examples; a line split into its fields.
mod layout;
/// The keys that a line names, such as the ids of blocks.
mod keys;
/// Lines that belong to one event, put together.
mod multiline;

pub use keys::Keys;
pub use layout::{FieldKind, Layout, LayoutError, LayoutField, LineMisfit};
pub use multiline::{LinesCut, Multiline, MultilineStart};
pub use time::TimeMisfit;
/// Which print statement a message came from: known templates, and learned ones.
pub mod template;

pub use template::{
    Mask, Miner, MinerCounts, SeedTemplate, Taken, Template, TemplateError, TemplateSpec, read_seed, write_seed,
};
