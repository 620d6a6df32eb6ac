//! Shows a running pipeline to the page: the status as an overview, sampled once a second for the charts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use lapwing_pipeline::clock::Clock;
use lapwing_pipeline::metrics::exposition;
use lapwing_pipeline::status::{Status, get};
use lapwing_server::overview::HISTORY_POINTS_MAX;
use lapwing_server::{HistoryPoint, Latency, Overview, PartitionOverview, Quality, RaisedAlert, Watch};
use lapwing_vocabulary::EventTime;

use crate::clock::SystemClock;

/// What the page shows.
#[derive(Debug)]
pub struct Window {
    pipeline: String,
    topic: String,
    transport: &'static str,
    started: String,
    status: Arc<Status>,
    clock: SystemClock,
    history: Mutex<History>,
}

#[derive(Debug, Default)]
struct History {
    points: VecDeque<HistoryPoint>,
    events: u64,
    alerts: u64,
    at_micros: i64,
    quality: Option<Quality>,
}

impl Window {
    /// A window on a pipeline that starts now.
    pub fn new(pipeline: &str, topic: &str, transport: &'static str, status: Arc<Status>) -> Self {
        let clock = SystemClock;
        let started = EventTime(clock.wall_micros()).to_rfc3339();
        let history = Mutex::new(History { at_micros: clock.wall_micros(), ..History::default() });
        Self { pipeline: pipeline.to_owned(), topic: topic.to_owned(), transport, started, status, clock, history }
    }

    /// The counters.
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Adds a point to the charts; called about once a second. Returns it.
    pub fn sample(&self) -> HistoryPoint {
        let now = self.clock.wall_micros();
        let (events, alerts) = (get(&self.status.records), self.status.alerts_total());
        let mut history = self.history();
        let seconds = (now - history.at_micros).max(1) as f64 / 1e6;
        let point = HistoryPoint {
            t: now / 1_000,
            events_per_second: (events - history.events) as f64 / seconds,
            alerts: alerts - history.alerts,
            latency_ms_p99: self.status.latency.quantile_millis(0.99),
        };
        (history.events, history.alerts, history.at_micros) = (events, alerts, now);
        history.points.push_back(point);
        if history.points.len() > HISTORY_POINTS_MAX {
            history.points.pop_front();
        }
        point
    }

    /// Sets the quality that labels show.
    pub fn set_quality(&self, quality: Quality) {
        self.history().quality = Some(quality);
    }

    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Window {
    fn overview(&self) -> Overview {
        let status = &self.status;
        let partitions = status.partitions();
        let watermark = partitions.values().filter_map(|partition| partition.watermark_micros).min();
        let mut by_type = std::collections::BTreeMap::new();
        for ((kind, _), count) in status.alerts() {
            *by_type.entry(kind).or_default() += count;
        }
        let latency = status.latency.quantile_millis(0.5).zip(status.latency.quantile_millis(0.99));
        let history = self.history();
        Overview {
            pipeline: self.pipeline.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started.clone(),
            transport: self.transport.to_owned(),
            model: status.model(),
            events_total: get(&status.records),
            events_per_second: history.points.back().map_or(0.0, |point| point.events_per_second),
            backlog_records: status.backlog_records(),
            alerts_total: status.alerts_total(),
            alerts_by_type: by_type,
            dead_letters_total: status.dead_letters_total(),
            late_total: get(&status.late),
            latency_ms: latency.map(|(p50, p99)| Latency { p50, p99 }),
            watermark: watermark.map(|micros| EventTime(micros).to_rfc3339()),
            entities: partitions.values().map(|partition| partition.entities).sum(),
            partitions: partitions
                .iter()
                .map(|(partition, known)| PartitionOverview {
                    topic: self.topic.clone(),
                    partition: *partition,
                    committed: known.next_offset,
                    backlog_records: 0,
                    watermark: known.watermark_micros.map(|micros| EventTime(micros).to_rfc3339()),
                    entities: known.entities,
                })
                .collect(),
            history: history.points.iter().copied().collect(),
            quality: history.quality,
        }
    }

    fn alerts(&self, limit: usize) -> Vec<RaisedAlert> {
        let raised = |seen: lapwing_pipeline::status::SeenAlert| RaisedAlert {
            detected: EventTime(seen.committed_micros).to_rfc3339(),
            latency_ms: Some(seen.latency_micros as f64 / 1_000.0),
            alert: seen.alert,
        };
        self.status.recent_alerts(limit).into_iter().map(raised).collect()
    }

    fn metrics(&self) -> String {
        exposition(&self.status, &self.topic, self.clock.wall_micros())
    }

    fn ready(&self) -> Result<(), String> {
        match self.status.partitions().is_empty() {
            true => Err("no partition has been assigned yet".to_owned()),
            false => Ok(()),
        }
    }
}
