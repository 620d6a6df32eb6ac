//! SQL over a batch of events and reference tables; the only crate that knows DataFusion.
//!
//! A query is planned once and then run on every batch. What it says of an event depends on that event and on the
//! reference tables alone, never on the other events that happen to share its batch: planning refuses everything else.
//! Names follow SQL: an unquoted name is folded to lower case, `"HostId"` in double quotes is taken as it stands.

/// What can go wrong, and what the caller does next.
pub mod error;
/// The nearest of the names that exist, for error texts.
mod near;
/// Files that queries join with: read, digest, notice changes.
pub mod reference;
/// From a file's bytes to plain columns.
mod formats;
/// DataFusion set up for one thread and plain column types.
mod session;
/// The table `events`: a leaf of the plan that yields the batch at hand.
mod events_table;
/// The text of a query, and the hidden column that tells rows apart.
mod query;
/// Which plans are refused because an answer would depend on neighbouring events.
mod guard;
/// From query text to a physical plan.
mod compile;
/// An equality join with a reference table as an index that is built once.
mod lookup;
/// A physical plan as a list of steps that need no streams.
mod steps;
/// Enrichment: rows in, rows out, each with its origin.
pub mod enrich;
/// A boolean expression over a batch.
pub mod predicate;

pub use enrich::{Enriched, Enricher};
pub use error::SqlError;
pub use predicate::Predicate;
pub use reference::{Fingerprint, REFERENCE_BYTES_MAX, ReferenceTable};
