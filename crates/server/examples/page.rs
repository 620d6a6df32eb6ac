//! Serves the page over made-up figures, to look at it without running a pipeline: `cargo run -p lapwing-server
//! --example page -- [PORT] [full|empty]`. Every look at the page moves its world one second on.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use lapwing_server::{
    HistoryPoint, Latency, Options, Overview, PartitionOverview, Quality, RaisedAlert, Server, Watch,
};
use lapwing_vocabulary::time::SECOND;
use lapwing_vocabulary::{Alert, AlertStatus, Contribution, DetectorScore, EventTime, Position, Severity};

/// The made-up world begins at 2026-03-01T08:00:00Z.
const START_SECONDS: i64 = 1_772_352_000;
/// Seconds that have passed when the first visitor comes.
const HEAD_START: i64 = 540;
/// One alert every so many seconds.
const ALERT_EVERY: i64 = 7;

struct MadeUp {
    second: AtomicI64,
}

/// A number in 0..1 that looks random and is the same every time.
fn noise(seed: i64) -> f64 {
    let mixed = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

fn time(second: i64) -> String {
    EventTime((START_SECONDS + second) * SECOND + 123_456).to_rfc3339()
}

fn rate(second: i64) -> f64 {
    let burst = if (200..240).contains(&second) { 26_000.0 } else { 0.0 };
    52_000.0 + 9_000.0 * (second as f64 / 70.0).sin() + 4_000.0 * noise(second) + burst
}

fn alerts_until(second: i64) -> u64 {
    (second / ALERT_EVERY) as u64
}

fn point(second: i64) -> HistoryPoint {
    let alerts = alerts_until(second) - alerts_until(second - 1);
    HistoryPoint {
        t: (START_SECONDS + second) * 1_000,
        events_per_second: rate(second).round(),
        alerts: alerts * (1 + (noise(second) * 3.0) as u64),
        latency_ms_p99: (alerts > 0).then(|| 60.0 + 70.0 * noise(second + 1)),
    }
}

impl MadeUp {
    fn figures(&self, now: i64) -> Overview {
        let alerts_total = alerts_until(now);
        let partitions = (0..4).map(|partition| PartitionOverview {
            topic: "sensor_messages".into(),
            partition,
            committed: 7_301_442 + now * 13_000 + i64::from(partition) * 977,
            backlog_records: (noise(now + i64::from(partition)) * 400.0) as u64,
            watermark: Some(time(now - 90)),
            entities: 12_104 + u64::from(partition.unsigned_abs()) * 31,
        });
        let partitions: Vec<_> = partitions.collect();
        Overview {
            pipeline: "telemetry".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            started: time(0),
            transport: "embedded log".into(),
            model: Some("telemetry/forest@3".into()),
            events_total: (now * 52_000) as u64,
            events_per_second: rate(now).round(),
            backlog_records: partitions.iter().map(|p| p.backlog_records).sum(),
            alerts_total,
            alerts_by_type: [("exfiltration", 2), ("scan", 3), ("anomaly", 5)]
                .map(|(kind, share)| (kind.to_owned(), alerts_total / share))
                .into(),
            dead_letters_total: 17,
            late_total: 2_310,
            latency_ms: Some(Latency { p50: 41.0, p99: 118.0 }),
            watermark: Some(time(now - 90)),
            entities: partitions.iter().map(|p| p.entities).sum(),
            partitions,
            history: (1.max(now - 599)..=now).map(point).collect(),
            quality: Some(Quality { precision: 0.942, recall: 0.977, false_positive_rate: 0.0007 }),
        }
    }
}

impl Watch for MadeUp {
    fn overview(&self) -> Overview {
        self.figures(self.second.fetch_add(1, Ordering::Relaxed))
    }

    fn alerts(&self, limit: usize) -> Vec<RaisedAlert> {
        let newest = alerts_until(self.second.load(Ordering::Relaxed)) as i64;
        (0..newest).rev().take(limit).map(alert).collect()
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }
}

fn alert(number: i64) -> RaisedAlert {
    let second = number * ALERT_EVERY;
    let kinds = [
        ("exfiltration", Severity::Critical),
        ("scan", Severity::Warning),
        ("anomaly", Severity::Error),
        ("new_service", Severity::Info),
    ];
    let (kind, severity) = kinds[(noise(number) * 4.0) as usize % 4];
    // One entity tries to be markup: the page must show it as the text it is.
    let entity = match number % 5 {
        0 => "<script>document.title='broken'</script>".to_owned(),
        _ => format!("host-{:04}", (noise(number * 3) * 4_000.0) as u32),
    };
    let bytes = 4.1e6 * (1.0 + noise(number));
    let tail = 10_f64.powf(-3.0 - 3.0 * noise(number + 7));
    let contribution =
        |input: &str, share, actual, expected| Contribution { input: input.into(), share, actual, expected };
    RaisedAlert {
        detected: time(second + 1),
        latency_ms: Some(35.0 + 60.0 * noise(second)),
        alert: Alert {
            id: format!("{:016x}", (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            pipeline: "telemetry".into(),
            kind: kind.into(),
            severity,
            summary: format!(
                "{entity} sent {:.1} MB in five minutes, {:.0} times what is usual",
                bytes / 1e6,
                bytes / 61_440.0
            ),
            entity,
            event_id: Some(format!("e-{number}")),
            event_time: time(second),
            score: 1.0 - tail,
            threshold: 0.997,
            detectors: vec![
                DetectorScore { detector: "forest".into(), raw: 0.71, tail_probability: tail },
                DetectorScore { detector: "spike".into(), raw: 8.4, tail_probability: tail * 40.0 },
            ],
            contributions: vec![
                contribution("bytes_5m", 0.58, Some(bytes), 61_440.0),
                contribution("services_5m", 0.27, Some(19.0), 2.0),
                contribution("duration", 0.15, None, 0.82),
            ],
            positions: (0..3)
                .map(|i| Position { topic: "sensor_messages".into(), partition: 1, offset: 7_301_442 + second * 9 + i })
                .collect(),
            model: "telemetry/forest@3".into(),
            status: AlertStatus::Open,
            window: None,
            lines: Vec::new(),
            templates: Vec::new(),
        },
    }
}

/// A pipeline that has seen nothing yet.
struct Empty;

impl Watch for Empty {
    fn overview(&self) -> Overview {
        Overview {
            pipeline: "telemetry".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            started: time(0),
            transport: "embedded log".into(),
            ..Overview::default()
        }
    }

    fn alerts(&self, _limit: usize) -> Vec<RaisedAlert> {
        Vec::new()
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn ready(&self) -> Result<(), String> {
        Err("waiting for records".into())
    }
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let port: u16 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let watch: Arc<dyn Watch> = match words.next().as_deref() {
        Some("empty") => Arc::new(Empty),
        _ => Arc::new(MadeUp { second: AtomicI64::new(HEAD_START) }),
    };
    match Server::start(Options { address: ([127, 0, 0, 1], port).into(), token: None }, watch) {
        Ok(server) => loop {
            eprintln!("http://{}", server.address());
            std::thread::park();
        },
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
