//! Where events come from when no network sends them: seeded worlds of hosts, of card payments and of a cluster's logs,
//! with labelled anomalies, files replayed as if they happened now, and the pace at which either goes out. No clock, no
//! sleep and no unseeded number inside: the caller hands them in.

/// What can go wrong, and what to do about it.
pub mod error;
/// One event on its way out, with its ground truth.
pub mod produced;
/// The columns of a network event, shared by the scenario and by replayed KDD'99 rows.
pub mod schema;
/// JSON by hand: the few forms that events need.
mod json;
/// How days and weeks go: slices of time, rhythms.
mod week;
/// Draws that scenarios need.
mod chance;
/// How many events a scenario makes.
mod volume;
/// When the next ordinary event arrives, and at which entity.
mod flow;
/// A thousand hosts, their days and nights, and what befalls them.
pub mod telemetry;
/// Card payments of some thousands of customers, and what thieves do with their cards.
pub mod transactions;
/// Raw log lines of a cluster file system, and what goes wrong with its blocks.
pub mod logs;
/// Files as events, in order or shuffled, once or for ever.
pub mod replay;
/// A token bucket: how many events may go now.
pub mod pace;
/// Events into a topic, in batches, at a pace.
pub mod drive;

pub use drive::{Clock, DriveOptions, Progress, produce};
pub use error::ProduceError;
pub use logs::{Logs, LogsOptions};
pub use pace::TokenBucket;
pub use produced::{Label, Produced};
pub use replay::{Malformed, Order, Replay, ReplayCounts, ReplayFormat, ReplayOptions};
pub use telemetry::{Anomaly, AnomalyKind, AnomalyOptions, Telemetry, TelemetryOptions, hosts_csv};
pub use transactions::{Transactions, TransactionsOptions};
pub use volume::Volume;
