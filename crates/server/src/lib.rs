//! The live page, the API and the metrics of a running pipeline.
//!
//! The server knows nothing of how a pipeline runs: it asks a [`Watch`] and answers over HTTP, on a thread of its own.

/// What a running pipeline shows of itself: the overview, its history, the newest alerts.
pub mod overview;
/// The port that a running pipeline implements to be looked at.
pub mod watch;
/// Who may ask: host names, tokens, and the decision over one request.
pub mod access;
/// The page: markup, style and scripts, embedded in the binary.
mod assets;
/// The routes and their answers.
mod routes;
/// A listener that bounds how many connections live, and how long an idle one may.
mod connections;
/// Starting, stopping and finding the server.
pub mod serve;
/// What can go wrong when it starts.
pub mod error;

pub use access::Token;
pub use error::ServerError;
pub use overview::{HistoryPoint, Latency, Overview, PartitionOverview, Quality, RaisedAlert};
pub use serve::{Options, Server};
pub use watch::Watch;
