//! Files and standard input as a source, JSON-lines files or standard output as a sink.
//!
//! Every input is a partition, in the order given; its records are its lines, and a record's offset is its number.
//! Outputs go to `<folder>/<topic>.jsonl`. An epoch appends them, waits for the disk, and then replaces the positions
//! file, which holds the consumed offsets together with the lengths of the outputs: only what lies within those
//! lengths is committed, and what lies beyond is cut off when the folder is opened again. Standard input cannot be read
//! twice and standard output cannot be taken back, so with either of them there is no resuming.

/// What the caller decides about inputs and outputs.
mod options;
/// Why a file could not be read.
mod fault;
/// Opening inputs, compressed or not.
mod input;
/// Bytes to records: lines, or CSV records that may span lines.
mod split;
/// The thread that reads and decompresses ahead.
mod reader;
/// Lines that belong together.
mod gather;
/// The positions file, format 1.
mod positions;
/// An output record as one line of JSON.
mod line;
/// Output files and positions: all of an epoch or nothing.
mod sink;
/// Inputs and outputs together as a [`Transport`](lapwing_vocabulary::Transport).
mod transport;

pub use fault::FileError;
pub use gather::Begins;
pub use input::first_line;
pub use options::{FileOptions, HEADER_OVERSIZE};
pub use transport::FileTransport;
