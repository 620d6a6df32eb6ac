//! The synthetic worlds of the demo.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use lapwing_produce::{Label, Logs, LogsOptions, Produced, Telemetry, TelemetryOptions, Volume, hosts_csv};
use lapwing_vocabulary::time::SECOND;

use super::DemoArgs;
use crate::failure::Failure;

/// Telemetry events per second of event time: with a thousand hosts, six a minute each.
const DENSITY: f64 = 100.0;
/// Blocks per second of event time, some 22 lines each.
const BLOCKS_PER_SECOND: f64 = 2.0;
const LINES_PER_BLOCK: f64 = 22.0;
/// Records to learn from: of telemetry about 50 minutes of event time, most of the longest window; of logs two hours.
pub(super) const LEARNED_RECORDS: u64 = 300_000;
/// Part of the learned records before the first anomaly.
const QUIET_SHARE: f64 = 0.6;

/// What the demo is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum World {
    /// Connections of a thousand hosts, with port scans, SYN floods, exfiltration, brute force and dead hosts.
    Telemetry,
    /// Raw log lines of a cluster file system, with blocks whose writing, copying or deletion goes wrong.
    Logs,
}

/// What each entity truly is, where the records do not say so themselves.
pub(super) type Truth = Arc<Mutex<HashMap<String, String>>>;

/// Records of a world, in the order of their times.
pub(super) type Records = Box<dyn Iterator<Item = Produced> + Send>;

impl World {
    /// Name and text of its pipeline file, as it ships with the project.
    pub(super) fn pipeline(self) -> (&'static str, &'static str) {
        match self {
            Self::Telemetry => ("telemetry.toml", include_str!("../../../../pipelines/telemetry.toml")),
            Self::Logs => ("hdfs-logs.toml", include_str!("../../../../pipelines/hdfs-logs.toml")),
        }
    }

    /// The other files that the pipeline names.
    pub(super) fn files(self, args: &DemoArgs) -> Vec<(&'static str, String)> {
        match self {
            Self::Telemetry => vec![("reference/hosts.csv", hosts_csv(args.seed, args.hosts))],
            Self::Logs => {
                let list = include_str!("../../../../pipelines/reference/hdfs-templates.csv");
                vec![("reference/hdfs-templates.csv", list.to_owned())]
            }
        }
    }

    /// What is told about it in a word.
    pub(super) fn in_words(self, args: &DemoArgs) -> String {
        match self {
            Self::Telemetry => format!("{LEARNED_RECORDS} events from {} hosts", args.hosts),
            Self::Logs => format!("{LEARNED_RECORDS} log lines of a cluster file system"),
        }
    }

    /// What is flagged or not.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Telemetry => "events",
            Self::Logs => "blocks",
        }
    }

    /// Its records. Anomalies begin before the live records do, so that there is something to see from its first
    /// seconds on; the share of the learned ones is small, and the pipelines learn robustly or from normal ones alone.
    pub(super) fn records(self, args: &DemoArgs, truth: &Truth) -> Result<Records, Failure> {
        match self {
            Self::Telemetry => Ok(Box::new(Telemetry::new(telemetry(args))?)),
            Self::Logs => {
                let truth = truth.clone();
                let note = move |record: Produced| {
                    note(&truth, &record);
                    record
                };
                Ok(Box::new(Logs::new(logs(args))?.map(note)))
            }
        }
    }
}

fn telemetry(args: &DemoArgs) -> TelemetryOptions {
    let mut options = TelemetryOptions {
        seed: args.seed,
        hosts: args.hosts,
        span_micros: i64::MAX,
        volume: Volume::PerSecond(DENSITY),
        quiet_micros: quiet_micros(DENSITY),
        ..TelemetryOptions::default()
    };
    options.anomalies.share = args.anomalies;
    options
}

fn logs(args: &DemoArgs) -> LogsOptions {
    let mut options = LogsOptions {
        seed: args.seed,
        span_micros: i64::MAX,
        blocks_per_second: BLOCKS_PER_SECOND,
        quiet_micros: quiet_micros(BLOCKS_PER_SECOND * LINES_PER_BLOCK),
        ..LogsOptions::default()
    };
    options.anomalies.share = args.anomalies;
    options
}

fn quiet_micros(density: f64) -> i64 {
    (LEARNED_RECORDS as f64 * QUIET_SHARE / density) as i64 * SECOND
}

fn note(truth: &Truth, record: &Produced) {
    if let (Some(key), Label::Anomaly(kind)) = (&record.key, &record.label) {
        let key = String::from_utf8_lossy(key).into_owned();
        truth.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert_with(|| kind.clone().into_owned());
    }
}
