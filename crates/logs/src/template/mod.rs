//! Templates of log messages: the fixed text of the print statement that a message came from.
//!
//! A message is first held against the *seed* templates, which are given and never change. If none fits, the miner
//! learns: it masks what is plainly a value (addresses, numbers, paths, …), cuts the rest into tokens at blanks, and
//! looks in a tree of fixed depth for the most similar template of as many tokens. A message that is like none becomes
//! a template; a message that is like one turns the tokens in which they differ into `<*>`.
//!
//! Everything is a pure fold of the messages and bounded in memory and in time per message: templates, tokens, bytes
//! looked at, templates of a leaf and the cache of decisions all have a maximum.
//!
//! Source: He, Zhu, Zheng, Lyu 2017, "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS.

/// Why settings, a list of templates or stored memory was refused.
mod error;
/// What a miner is to do.
mod spec;
/// Patterns of values, and where they are in a message.
mod mask;
/// The masks that need no pattern.
mod builtin;
/// Lists of known templates.
mod seed;
/// Which known template a message fits.
mod known;
/// From a message to its masked tokens.
mod line;
/// The tree of learned templates.
mod tree;
/// Decisions that still hold.
mod cache;
/// The miner.
mod miner;
/// What a miner remembers, as bytes.
mod store;

use std::sync::Arc;

pub use error::TemplateError;
pub use mask::Mask;
pub use miner::Miner;
pub use seed::{SeedTemplate, read_seed, write_seed};
pub use spec::TemplateSpec;

/// How a parameter stands in the text of a template.
pub const PARAMETER: &str = "<*>";
/// The id of the one template of all messages that fit none, where nothing is learned.
pub const UNKNOWN: &str = "UNKNOWN";

/// What was decided of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Place of its template in the miner, for [`Miner::template`]. A learned template that leaves hands its place on.
    pub slot: u32,
    /// Place of a seed template in its list, from 1; 0 for every other.
    pub code: u32,
    /// Whether this message made the template.
    pub is_new: bool,
}

/// A template, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its id: as given, `T` and 12 hexadecimal digits if it was learned, or [`UNKNOWN`].
    pub id: Arc<str>,
    /// Place of a seed template in its list, from 1; 0 for every other.
    pub code: u32,
    /// Its text: fixed characters, `<*>` for a parameter, `<IP>` and the like for what a mask has found.
    pub text: String,
    /// Messages so far.
    pub lines: u64,
}

/// What a miner has seen and done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinerCounts {
    /// Messages.
    pub lines: u64,
    /// Templates learned.
    pub created: u64,
    /// Learned templates that had to leave, because there was no room for more.
    pub evicted: u64,
    /// Messages that fit no seed template where nothing is learned.
    pub unknown: u64,
    /// Messages of more bytes or tokens than are looked at.
    pub cut: u64,
}
