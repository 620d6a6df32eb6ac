use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{HOUR, MINUTE, SECOND};

use super::anomaly::AnomalyKind;
use super::hosts::{DEFAULT_HOSTS, DEFAULT_SEED};
use crate::error::{ProduceError, refuse_first};
use crate::volume::Volume;

/// What befalls the hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct AnomalyOptions {
    /// Share of anomalous events after the quiet part. Range: 0..=0.5.
    pub share: f64,
    /// The kinds that happen, each about as often. Empty: none happens.
    pub kinds: Vec<AnomalyKind>,
    /// Shortest anomaly. Units: microseconds.
    pub shortest_micros: i64,
    /// Longest anomaly; a dead host of low rate may take longer to show. Units: microseconds.
    pub longest_micros: i64,
}

impl Default for AnomalyOptions {
    fn default() -> Self {
        Self { share: 0.01, kinds: AnomalyKind::ALL.to_vec(), shortest_micros: 2 * MINUTE, longest_micros: 15 * MINUTE }
    }
}

/// Settings of the scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct TelemetryOptions {
    /// The same seed gives the same hosts, events and anomalies.
    pub seed: u64,
    /// Number of hosts.
    pub hosts: usize,
    /// First moment.
    pub start: EventTime,
    /// Length. Units: microseconds of event time; `i64::MAX` is for ever (with [`Volume::PerSecond`]).
    pub span_micros: i64,
    /// How many events.
    pub volume: Volume,
    /// How far an event may lie behind the latest one before it. Units: microseconds.
    pub disorder_micros: i64,
    /// A first part without anomalies, to learn from. Units: microseconds.
    pub quiet_micros: i64,
    /// What befalls the hosts.
    pub anomalies: AnomalyOptions,
}

impl Default for TelemetryOptions {
    /// An hour from 2026-03-02, a Monday, 08:00 UTC, at 100 events per second.
    fn default() -> Self {
        Self {
            seed: DEFAULT_SEED,
            hosts: DEFAULT_HOSTS,
            start: EventTime(1_772_438_400 * SECOND),
            span_micros: HOUR,
            volume: Volume::PerSecond(100.0),
            disorder_micros: 2 * SECOND,
            quiet_micros: 0,
            anomalies: AnomalyOptions::default(),
        }
    }
}

impl TelemetryOptions {
    /// First moment after the span.
    pub fn end(&self) -> EventTime {
        EventTime(self.start.0.saturating_add(self.span_micros))
    }

    /// Refuses what cannot be produced.
    pub(crate) fn check(&self) -> Result<(), ProduceError> {
        let anomalies = &self.anomalies;
        let [rate, total] = self.volume.faults(self.span_micros);
        refuse_first([
            (!(1..=1_000_000).contains(&self.hosts), "hosts", "give 1 to 1000000"),
            (self.span_micros <= 0, "span", "give a positive length of time"),
            rate,
            total,
            (self.disorder_micros < 0, "disorder", "give zero or more"),
            (self.quiet_micros < 0, "quiet", "give zero or more"),
            (!(0.0..=0.5).contains(&anomalies.share), "anomaly share", "give 0 to 0.5"),
            (anomalies.shortest_micros <= 0, "shortest anomaly", "give a positive length of time"),
            (anomalies.longest_micros < anomalies.shortest_micros, "longest anomaly", "give at least the shortest"),
        ])
    }
}
