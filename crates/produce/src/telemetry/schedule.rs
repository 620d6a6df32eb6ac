use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{HOUR, MINUTE};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::anomaly::{Anomaly, AnomalyKind};
use super::hosts::Host;
use super::options::AnomalyOptions;
use super::rhythm::level;
use crate::chance::generator;

/// Anomalies are planned for so long at a time: a stream without end has a plan without end.
pub(crate) const BLOCK_MICROS: i64 = 6 * HOUR;
/// Streams of the generator from here on plan blocks.
const FIRST_STREAM: u64 = 1 << 48;
/// A host is left in peace for so long after an anomaly.
const PEACE_MICROS: i64 = 10 * MINUTE;
/// Fewer events than this make no anomaly worth a label.
const EVENTS_MIN: f64 = 8.0;
/// A dead host must fail so many times to be found dead.
const DEAD_EVENTS_MIN: f64 = 10.0;
/// No anomaly takes more than this share of a block's anomalous events, so that several kinds fit.
const LARGEST_SHARE: f64 = 0.2;
/// Hosts that are tried before a place in a full block is given up.
const TRIES: usize = 30;

/// A stretch of time to plan anomalies for.
pub(crate) struct Block {
    /// Number of the block, from 0.
    pub(crate) number: u64,
    /// First moment. Units: microseconds.
    pub(crate) start: i64,
    /// First moment after it.
    pub(crate) end: i64,
    /// Anomalous events it should hold.
    pub(crate) budget: f64,
    /// Ordinary events per second of a host of weight 1, on average over a week.
    pub(crate) rate_per_weight: f64,
}

/// Plans the anomalies of a block: all kinds in turn, on hosts that have no other at the time, until the budget is
/// spent. The same seed and block give the same plan.
pub(crate) fn plan(seed: u64, hosts: &[Host], options: &AnomalyOptions, block: &Block) -> Vec<Anomaly> {
    let mut planner = Planner {
        hosts,
        options,
        block,
        heaviest: hosts.iter().map(|host| host.weight).fold(0.0, f64::max),
        rng: generator(seed, FIRST_STREAM + block.number),
        planned: Vec::new(),
    };
    let mut left = block.budget;
    let mut kinds = options.kinds.clone();
    while left >= EVENTS_MIN && !kinds.is_empty() {
        kinds.shuffle(&mut planner.rng);
        let before = planner.planned.len();
        for kind in &kinds {
            if left >= EVENTS_MIN {
                left -= planner.place(*kind, left);
            }
        }
        if planner.planned.len() == before {
            break;
        }
    }
    planner.planned
}

struct Planner<'a> {
    hosts: &'a [Host],
    options: &'a AnomalyOptions,
    block: &'a Block,
    heaviest: f64,
    rng: ChaCha8Rng,
    planned: Vec<Anomaly>,
}

impl Planner<'_> {
    /// Finds host and time for an anomaly; returns the events it makes, 0 if there was no room.
    fn place(&mut self, kind: AnomalyKind, left: f64) -> f64 {
        for _ in 0..TRIES {
            let Some(anomaly) = self.draw(kind, left) else { continue };
            let events = anomaly.events as f64;
            self.planned.push(anomaly);
            return events;
        }
        0.0
    }

    fn draw(&mut self, kind: AnomalyKind, left: f64) -> Option<Anomaly> {
        let host = self.rng.random_range(0..self.hosts.len() as u32) as usize;
        // Only a host that is called often is missed: busy ones die more often in this world.
        let lot: f64 = self.rng.random();
        if kind == AnomalyKind::DeadHost && lot * self.heaviest > self.hosts[host].weight {
            return None;
        }
        let severity: f64 = self.rng.random();
        let longest = ((self.block.end - self.block.start) / 4).max(1);
        let drawn = self.rng.random_range(self.options.shortest_micros..=self.options.longest_micros);
        let place: f64 = self.rng.random();
        let at = self.block.start + ((self.block.end - self.block.start) as f64 * place) as i64;
        let usual_per_micro = self.usual_per_micro(host, at);
        let duration = lasting(kind, severity, usual_per_micro, drawn).min(longest);
        let start = at.min(self.block.end - duration);
        let usual = usual_per_micro * duration as f64;
        let events = kind.events(severity, usual).round();
        let allowed = (self.block.budget * LARGEST_SHARE).max(EVENTS_MIN).min(left);
        let events = match kind {
            // A dead host's events are its own: they cannot be fewer, so one that is too busy is passed over.
            AnomalyKind::DeadHost if events > 2.0 * allowed || events < 1.0 => return None,
            AnomalyKind::DeadHost => events,
            _ => events.min(allowed.floor()),
        };
        let anomaly = Anomaly {
            kind,
            host,
            start: EventTime(start),
            end: EventTime(start + duration),
            severity,
            events: events as u64,
        };
        self.is_free(&anomaly).then_some(anomaly)
    }

    fn usual_per_micro(&self, host: usize, at: i64) -> f64 {
        let host = &self.hosts[host];
        host.weight * self.block.rate_per_weight * level(host.role.profile(), EventTime(at)) / 1e6
    }

    fn is_free(&self, wanted: &Anomaly) -> bool {
        let apart = |other: &Anomaly| {
            wanted.end.0 + PEACE_MICROS <= other.start.0 || other.end.0 + PEACE_MICROS <= wanted.start.0
        };
        self.planned.iter().filter(|other| other.host == wanted.host).all(apart)
    }
}

/// How long an anomaly lasts, before the block limits it.
fn lasting(kind: AnomalyKind, severity: f64, usual_per_micro: f64, drawn: i64) -> i64 {
    if kind != AnomalyKind::DeadHost {
        return drawn;
    }
    let failing_per_micro = kind.events(severity, usual_per_micro);
    // A host that is hardly ever called gives an endless time here; the cast saturates, and the block limits it.
    drawn.max((DEAD_EVENTS_MIN / failing_per_micro) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::hosts::hosts;

    fn block(budget: f64) -> Block {
        Block { number: 0, start: 0, end: BLOCK_MICROS, budget, rate_per_weight: 0.05 }
    }

    #[test]
    fn the_budget_is_spent_on_every_kind_and_not_exceeded_by_much() {
        let hosts = hosts(1, 300);
        let anomalies = plan(1, &hosts, &AnomalyOptions::default(), &block(5_000.0));
        let events: u64 = anomalies.iter().map(|anomaly| anomaly.events).sum();
        assert!((4_900..6_100).contains(&events), "{events}");
        for kind in AnomalyKind::ALL {
            assert!(anomalies.iter().filter(|anomaly| anomaly.kind == kind).count() >= 3, "{}", kind.name());
        }
    }

    #[test]
    fn a_host_suffers_one_thing_at_a_time_within_the_block() {
        let hosts = hosts(1, 5);
        let anomalies = plan(2, &hosts, &AnomalyOptions::default(), &block(20_000.0));
        for (place, one) in anomalies.iter().enumerate() {
            assert!(one.start.0 >= 0 && one.start < one.end && one.end.0 <= BLOCK_MICROS);
            for other in anomalies[..place].iter().filter(|other| other.host == one.host) {
                assert!(one.end <= other.start || other.end <= one.start);
            }
        }
    }

    #[test]
    fn no_kinds_or_no_budget_plan_nothing() {
        let hosts = hosts(1, 5);
        let none = AnomalyOptions { kinds: vec![], ..AnomalyOptions::default() };
        assert!(plan(1, &hosts, &none, &block(1_000.0)).is_empty());
        assert!(plan(1, &hosts, &AnomalyOptions::default(), &block(0.0)).is_empty());
    }
}
