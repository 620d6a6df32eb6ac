//! What a running pipeline shows of itself: counters for machines, the newest alerts and latencies for people.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use lapwing_logs::MinerCounts;
use lapwing_vocabulary::{Alert, Partition, Reason, Severity};

use crate::join::{Counts, JoinCounts, JoinPlan};

/// How many of the newest alerts are kept in memory for the page and the terminal.
const ALERTS_KEPT: usize = 500;
/// Latency buckets grow by this factor, so that a quantile is exact to about 5 %.
const BUCKET_GROWTH: f64 = 1.1;
/// Upper edge of the first latency bucket. Units: microseconds.
const BUCKET_FIRST_MICROS: f64 = 100.0;
/// Number of latency buckets: up to about 5 minutes.
const BUCKETS: usize = 160;

/// The stations of the river, in order, as they are named in metrics and benchmarks.
pub const STAGES: [&str; 7] = ["source", "decode", "enrich", "aggregate", "score", "decide", "commit"];

/// Counters of one running pipeline, shared by its workers.
#[derive(Debug, Default)]
pub struct Status {
    /// Records read, replayed ones not counted.
    pub records: AtomicU64,
    /// Bytes of their values.
    pub bytes: AtomicU64,
    /// Events that went through all stages in time.
    pub processed: AtomicU64,
    /// Events behind the watermark.
    pub late: AtomicU64,
    /// Events left out because their id was seen before.
    pub repeats: AtomicU64,
    /// Records taken to the partition of their entity.
    pub repartitioned: AtomicU64,
    /// Times at which event time moved on without a record.
    pub ticks: AtomicU64,
    /// Events left out by the enrich query.
    pub filtered: AtomicU64,
    /// Events left out because `state.leave_out` says so.
    pub left_out: AtomicU64,
    /// Extra rows that reference tables with repeated keys would have added.
    pub duplicate_matches: AtomicU64,
    /// Values that were written in another type than their column's.
    pub coerced: AtomicU64,
    /// Keys that lines name beyond those that count.
    pub keys_cut: AtomicU64,
    /// Templates of log messages that were learned.
    pub templates_created: AtomicU64,
    /// Templates forgotten to make room for others.
    pub templates_evicted: AtomicU64,
    /// Messages that no known template fits, where none are learned.
    pub templates_unknown: AtomicU64,
    /// Messages of which only the beginning was looked at.
    pub messages_cut: AtomicU64,
    /// Windows that had too few events to be rows.
    pub windows_small: AtomicU64,
    /// Events not scored because there is no model.
    pub unscored: AtomicU64,
    /// Rows beyond the threshold that were no finding, because one of their entity was still open.
    pub suppressed_open: AtomicU64,
    /// Rows beyond the threshold that were no finding in the light of the entity's recent scores.
    pub suppressed_no_news: AtomicU64,
    /// Events that went on before their time, because too many waited for a join.
    pub hurried: AtomicU64,
    /// Records of streams that the pipeline does not join.
    pub strangers: AtomicU64,
    /// Epochs committed.
    pub epochs: AtomicU64,
    /// Epochs thrown away because their partitions moved or the transport asked for a restart.
    pub epochs_aborted: AtomicU64,
    /// Records processed again in silence to rebuild state.
    pub replayed: AtomicU64,
    /// Snapshots written.
    pub snapshots: AtomicU64,
    /// Snapshots that could not be written.
    pub snapshot_failures: AtomicU64,
    /// Reloads of a reference table or model that failed; the version before stays in force.
    pub reload_failures: AtomicU64,
    /// Records waiting in the source.
    pub backlog: Mutex<BTreeMap<usize, u64>>,
    /// Event to alert, from the append of the record to the commit of the alert.
    pub latency: Latencies,
    /// Time spent per stage of [`STAGES`]. Units: nanoseconds.
    pub stage_nanos: [AtomicU64; STAGES.len()],
    dead_letters: [AtomicU64; Reason::ALL.len()],
    joins: Mutex<BTreeMap<String, JoinCounts>>,
    alerts: Mutex<BTreeMap<(String, Severity), u64>>,
    partitions: Mutex<BTreeMap<Partition, PartitionStatus>>,
    model: Mutex<Option<String>>,
    recent: Mutex<VecDeque<SeenAlert>>,
}

/// What is known of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionStatus {
    /// First offset not yet consumed.
    pub next_offset: i64,
    /// The watermark. Units: microseconds since the epoch.
    pub watermark_micros: Option<i64>,
    /// Entities remembered.
    pub entities: u64,
    /// Bytes of memory held for them, and for joins.
    pub state_bytes: u64,
    /// Records and rows of joined topics remembered.
    pub join_rows: u64,
    /// Events that wait for what may be joined to them.
    pub join_waiting: u64,
    /// Templates of log messages known.
    pub templates: u64,
    /// When the newest snapshot was written. Units: microseconds since the epoch.
    pub snapshot_at_micros: Option<i64>,
}

/// An alert, and when it was committed.
#[derive(Clone, Debug)]
pub struct SeenAlert {
    /// The alert.
    pub alert: Alert,
    /// When its epoch was committed. Units: microseconds since the epoch.
    pub committed_micros: i64,
    /// From the append of the event's record to the commit. Units: microseconds.
    pub latency_micros: i64,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// Reads a counter.
pub fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Counters stay usable after another thread's panic: they hold no invariant across fields.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Status {
    pub(crate) fn count_dead(&self, reason: Reason) {
        let at = Reason::ALL.iter().position(|known| *known == reason).unwrap_or(0);
        add(&self.dead_letters[at], 1);
    }

    /// Records set aside, by reason.
    pub fn dead_letters(&self) -> Vec<(Reason, u64)> {
        Reason::ALL.iter().zip(&self.dead_letters).map(|(reason, count)| (*reason, get(count))).collect()
    }

    /// Records set aside in all.
    pub fn dead_letters_total(&self) -> u64 {
        self.dead_letters.iter().map(get).sum()
    }

    /// Adds what became of events and records at the joins.
    pub(crate) fn count_joins(&self, plans: &[JoinPlan], counts: &Counts) {
        if plans.is_empty() {
            return;
        }
        add(&self.hurried, counts.hurried);
        add(&self.strangers, counts.strangers);
        let mut joins = locked(&self.joins);
        for (plan, counts) in plans.iter().zip(&counts.joins) {
            joins.entry(plan.settings.name.clone()).or_default().add(counts);
        }
    }

    /// Adds what became of log messages.
    pub(crate) fn count_templates(&self, counts: &MinerCounts) {
        add(&self.templates_created, counts.created);
        add(&self.templates_evicted, counts.evicted);
        add(&self.templates_unknown, counts.unknown);
        add(&self.messages_cut, counts.cut);
    }

    /// What became of events and records at each join, by its name.
    pub fn joins(&self) -> BTreeMap<String, JoinCounts> {
        locked(&self.joins).clone()
    }

    /// Notes a committed alert.
    pub(crate) fn saw_alert(&self, seen: SeenAlert) {
        self.latency.observe(seen.latency_micros);
        *locked(&self.alerts).entry((seen.alert.kind.clone(), seen.alert.severity)).or_default() += 1;
        let mut recent = locked(&self.recent);
        recent.push_front(seen);
        recent.truncate(ALERTS_KEPT);
    }

    /// Committed alerts by type and severity.
    pub fn alerts(&self) -> BTreeMap<(String, Severity), u64> {
        locked(&self.alerts).clone()
    }

    /// Committed alerts in all.
    pub fn alerts_total(&self) -> u64 {
        locked(&self.alerts).values().sum()
    }

    /// The newest alerts, newest first.
    pub fn recent_alerts(&self, limit: usize) -> Vec<SeenAlert> {
        locked(&self.recent).iter().take(limit).cloned().collect()
    }

    pub(crate) fn set_partition(&self, partition: Partition, status: PartitionStatus) {
        locked(&self.partitions).insert(partition, status);
    }

    pub(crate) fn forget_partition(&self, partition: Partition) {
        locked(&self.partitions).remove(&partition);
    }

    /// What is known of each partition of this process.
    pub fn partitions(&self) -> BTreeMap<Partition, PartitionStatus> {
        locked(&self.partitions).clone()
    }

    pub(crate) fn set_model(&self, id: Option<String>) {
        *locked(&self.model) = id;
    }

    /// The model in force, as `name@version`.
    pub fn model(&self) -> Option<String> {
        locked(&self.model).clone()
    }

    pub(crate) fn set_backlog(&self, worker: usize, records: u64) {
        locked(&self.backlog).insert(worker, records);
    }

    /// Records waiting in the source, over all workers of this process.
    pub fn backlog_records(&self) -> u64 {
        locked(&self.backlog).values().sum()
    }

    pub(crate) fn spent(&self, stage: usize, nanos: u64) {
        add(&self.stage_nanos[stage], nanos);
    }
}

/// A histogram of durations with buckets of constant relative width.
#[derive(Debug)]
pub struct Latencies {
    buckets: [AtomicU64; BUCKETS],
    sum_micros: AtomicU64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)), sum_micros: AtomicU64::new(0) }
    }
}

impl Latencies {
    fn observe(&self, micros: i64) {
        let ratio = (micros.max(1) as f64 / BUCKET_FIRST_MICROS).max(1.0);
        let bucket = (ratio.ln() / BUCKET_GROWTH.ln()).ceil() as usize;
        add(&self.buckets[bucket.min(BUCKETS - 1)], 1);
        add(&self.sum_micros, micros.max(0) as u64);
    }

    /// Duration below which a share `q` of all observations lies. Units: milliseconds. `None` without observations.
    pub fn quantile_millis(&self, q: f64) -> Option<f64> {
        let counts: Vec<u64> = self.buckets.iter().map(get).collect();
        let total: u64 = counts.iter().sum();
        let wanted = (q * total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in counts.iter().enumerate() {
            seen += count;
            if total > 0 && seen >= wanted {
                return Some(upper_edge_micros(bucket) / 1_000.0);
            }
        }
        None
    }

    /// Cumulative counts at the given edges (seconds, ascending), the total count and the sum in seconds, as Prometheus
    /// histograms have them. A bucket that straddles an edge counts above it.
    pub fn cumulative(&self, edges_seconds: &[f64]) -> (Vec<u64>, u64, f64) {
        let counts: Vec<u64> = self.buckets.iter().map(get).collect();
        let below = |edge: &f64| {
            let inside = |(bucket, _): &(usize, &u64)| upper_edge_micros(*bucket) <= edge * 1e6;
            counts.iter().enumerate().filter(inside).map(|(_, count)| count).sum()
        };
        let cumulative = edges_seconds.iter().map(below).collect();
        (cumulative, counts.iter().sum(), get(&self.sum_micros) as f64 / 1e6)
    }
}

fn upper_edge_micros(bucket: usize) -> f64 {
    BUCKET_FIRST_MICROS * BUCKET_GROWTH.powi(bucket as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_tenth_of_the_truth() {
        let latencies = Latencies::default();
        assert_eq!(latencies.quantile_millis(0.5), None);
        for millis in 1..=1000 {
            latencies.observe(millis * 1000);
        }
        for (q, truth) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = latencies.quantile_millis(q).unwrap();
            assert!((found / truth - 1.0).abs() < 0.1, "{q}: {found}");
        }
        let (cumulative, count, sum) = latencies.cumulative(&[0.0, 0.25, 1e9]);
        assert_eq!((cumulative[0], cumulative[2], count), (0, 1000, 1000));
        assert!((cumulative[1] as f64 / 250.0 - 1.0).abs() < 0.1 && (sum - 500.5).abs() < 1e-6);
    }
}
