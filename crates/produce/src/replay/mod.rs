//! Files as events: KDD'99 rows, CSV, JSON lines or raw lines; plain, `.gz` or `.zst`; in order or shuffled; once or
//! for ever. Blank lines are passed over. Raw lines can be put together to records of several, and keyed by what they
//! name; they keep their times in their text, so in a topic they are of the time at which they are appended.
//!
//! KDD'99 has neither hosts nor times, so a replay adds what a network device would: time and ids by number, and a host
//! by service (see [`crate::replay::host_of`]). All other formats keep their content. For ever, time goes on and ids stay unique: in
//! the second round and later, the field of time is moved on by the length of the file, and the field of identity gets
//! the number of its round.

/// Settings of a replay.
mod options;
/// Opening a file, whatever its compression.
mod input;
/// Keys in raw lines.
mod pattern;
/// Records of several lines.
mod multiline;
/// What was left out.
mod counts;
/// Rows of a file, with their line numbers.
mod rows;
/// Rows in another order.
mod shuffle;
/// KDD'99 rows as events.
mod kdd;
/// Rows with named fields as events: key, time and identity.
mod object;
/// The second round of a file and the later ones.
mod rounds;
/// The iterator of events.
mod player;

pub use counts::ReplayCounts;
pub use kdd::host_of;
pub use multiline::{RECORD_BYTES_MAX, RECORD_LINES_MAX};
pub use options::{Malformed, Order, ReplayFormat, ReplayOptions};
pub use player::Replay;
