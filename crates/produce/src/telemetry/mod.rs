//! A seeded network. Each host has a role, a level, a daily rhythm and its own sizes; now and then one of five things
//! befalls it. The same options give the same bytes; an event takes about 1,055 bytes.
//!
//! Arrival is a Poisson process whose rate follows the hosts' rhythms; an event's own time lies a little before its
//! arrival, so the stream is in event-time order but for a bounded disorder. Window features (`count`, `serror_rate`,
//! …) are drawn from the shares that hold in the story an event belongs to: a sensor would keep them per remote
//! network, so normal connections of a flooded host keep their own, calm windows.

/// Services: names, protocols, ports, usual sizes.
mod service;
/// Roles of hosts, and what is typical of each.
mod role;
/// The hosts, and the reference table that describes them.
mod hosts;
/// How the level of traffic follows hour and weekday.
mod rhythm;
/// Window features: what surrounds a connection.
mod window;
/// One connection, and its features.
mod connection;
/// Connections on an ordinary day.
mod ordinary;
/// What befalls hosts: kinds, when and how badly.
mod anomaly;
/// The plan of anomalies over a stretch of time.
mod schedule;
/// Connections during an anomaly.
mod extraordinary;
/// Settings of the scenario.
mod options;
/// The iterator of events.
mod scenario;

pub use anomaly::{Anomaly, AnomalyKind};
pub use hosts::{DEFAULT_HOSTS, DEFAULT_SEED, Host, hosts, hosts_csv};
pub use options::{AnomalyOptions, TelemetryOptions};
pub use role::Role;
pub use scenario::Telemetry;
