use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, SECOND};

use super::anomaly::AnomalyKind;
use super::terminal::Terminals;
use crate::error::{ProduceError, refuse_first};
use crate::volume::Volume;

/// What befalls the cards.
#[derive(Clone, Debug, PartialEq)]
pub struct AnomalyOptions {
    /// Share of anomalous events after the quiet part, as far as there are customers to befall: one has one thing at a
    /// time. Range: 0..=0.5.
    pub share: f64,
    /// The kinds that happen, each with about as many events. Empty: none happens.
    pub kinds: Vec<AnomalyKind>,
}

/// Settings of the scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionsOptions {
    /// The same seed gives the same customers, terminals, payments and anomalies.
    pub seed: u64,
    /// Number of customers.
    pub customers: usize,
    /// Number of terminals.
    pub terminals: usize,
    /// First moment.
    pub start: EventTime,
    /// Length. Units: microseconds of event time; `i64::MAX` is for ever (with [`Volume::PerSecond`]).
    pub span_micros: i64,
    /// How many events.
    pub volume: Volume,
    /// A first part without anomalies, to learn from. Units: microseconds.
    pub quiet_micros: i64,
    /// What befalls the cards.
    pub anomalies: AnomalyOptions,
}

impl Default for TransactionsOptions {
    /// Sixty days from 2026-03-02, a Monday, 00:00 UTC: 4000 customers at 800 terminals, 0.1 payments per second, which
    /// is two a day for each customer; a hundredth of them anomalous.
    fn default() -> Self {
        Self {
            seed: 7,
            customers: 4_000,
            terminals: 800,
            start: EventTime(1_772_409_600 * SECOND),
            span_micros: 60 * DAY,
            volume: Volume::PerSecond(0.1),
            quiet_micros: 0,
            anomalies: AnomalyOptions { share: 0.01, kinds: AnomalyKind::ALL.to_vec() },
        }
    }
}

impl TransactionsOptions {
    /// First moment after the span.
    pub fn end(&self) -> EventTime {
        EventTime(self.start.0.saturating_add(self.span_micros))
    }

    /// Refuses what cannot be produced.
    pub(crate) fn check(&self) -> Result<(), ProduceError> {
        let [rate, total] = self.volume.faults(self.span_micros);
        refuse_first([
            (!(1..=1_000_000).contains(&self.customers), "customers", "give 1 to 1000000"),
            (!(Terminals::LEAST..=1_000_000).contains(&self.terminals), "terminals", "give 100 to 1000000"),
            (self.span_micros <= 0, "span", "give a positive length of time"),
            rate,
            total,
            (self.quiet_micros < 0, "quiet", "give zero or more"),
            (!(0.0..=0.5).contains(&self.anomalies.share), "anomaly share", "give 0 to 0.5"),
        ])
    }
}
