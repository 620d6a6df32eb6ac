use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{HOUR, SECOND};

use super::anomaly::AnomalyKind;
use crate::error::{ProduceError, refuse_first};

/// First moment that a line can tell: its year has two digits. 2000-01-01.
const FIRST_MICROS: i64 = 946_684_800 * SECOND;
/// First moment that it cannot: 2100-01-01.
const END_MICROS: i64 = 4_102_444_800 * SECOND;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct AnomalyOptions {
    /// Share of anomalous blocks among those allocated after the quiet part. Range: 0..=0.5.
    pub share: f64,
    /// The kinds that happen, each to about as many blocks. Empty: none happens.
    pub kinds: Vec<AnomalyKind>,
}

/// How often a line that names several blocks comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// Once for each of them: the record's key says which of the line's blocks it is for. For topics.
    PerBlock,
    /// Once, for the first of them. For files of raw lines.
    PerLine,
}

/// Settings of the scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct LogsOptions {
    /// The same seed gives the same nodes, blocks and anomalies.
    pub seed: u64,
    /// Number of nodes that hold data.
    pub nodes: usize,
    /// First moment, in the years 2000 to 2099.
    pub start: EventTime,
    /// Length. Units: microseconds of event time; `i64::MAX` is for ever.
    pub span_micros: i64,
    /// Blocks allocated per second of event time, on average over a week. A block makes some 20 lines. In the last half
    /// minute of the span none is allocated, so that all that begin are stored.
    pub blocks_per_second: f64,
    /// A first part whose blocks are all in order, to learn from. Units: microseconds.
    pub quiet_micros: i64,
    /// What goes wrong.
    pub anomalies: AnomalyOptions,
    /// How often a line that names several blocks comes.
    pub records: Records,
}

impl Default for LogsOptions {
    /// Six hours from 2026-03-02, a Monday, 00:00 UTC: 64 nodes, a block per second; three in a hundred anomalous, as
    /// in the logs that Xu et al. 2009 published.
    fn default() -> Self {
        Self {
            seed: 7,
            nodes: 64,
            start: EventTime(1_772_409_600 * SECOND),
            span_micros: 6 * HOUR,
            blocks_per_second: 1.0,
            quiet_micros: 0,
            anomalies: AnomalyOptions { share: 0.03, kinds: AnomalyKind::ALL.to_vec() },
            records: Records::PerBlock,
        }
    }
}

impl LogsOptions {
    /// Fewest nodes: three hold a block, others get copies and read.
    pub const NODES_MIN: usize = 8;
    /// Most nodes.
    pub const NODES_MAX: usize = 10_000;

    /// First moment after the span.
    pub fn end(&self) -> EventTime {
        EventTime(self.start.0.saturating_add(self.span_micros))
    }

    /// From here on no block is allocated.
    pub(crate) fn last_birth(&self) -> i64 {
        match self.span_micros {
            i64::MAX => i64::MAX,
            span => self.end().0 - (30 * SECOND).min(span / 4),
        }
    }

    /// Refuses what cannot be produced.
    pub(crate) fn check(&self) -> Result<(), ProduceError> {
        let rate = self.blocks_per_second;
        refuse_first([
            (!(Self::NODES_MIN..=Self::NODES_MAX).contains(&self.nodes), "nodes", "give 8 to 10000"),
            (!(FIRST_MICROS..END_MICROS).contains(&self.start.0), "start", "give a time in the years 2000 to 2099"),
            (self.span_micros <= 0, "span", "give a positive length of time"),
            (
                self.span_micros != i64::MAX && self.end().0 > END_MICROS,
                "span",
                "it must end before the year 2100: lines give a year by two digits",
            ),
            // More would share microseconds, and make no sense of what happens when.
            (!(1e-6..=100_000.0).contains(&rate), "blocks per second", "give 0.000001 to 100000"),
            (self.quiet_micros < 0, "quiet", "give zero or more"),
            (!(0.0..=0.5).contains(&self.anomalies.share), "anomaly share", "give 0 to 0.5"),
        ])
    }
}
