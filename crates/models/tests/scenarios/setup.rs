use std::sync::Arc;

use lapwing_detect::training::Nothing;
use lapwing_models::{Card, Dataset, Fitted, Means, fit};
use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::decode::schema::{Field, Kind, Schema};
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::settings::Pipeline;
use lapwing_pipeline::status::Status;
use lapwing_pipeline::task::{Product, Task};
use lapwing_vocabulary::time::SECOND;
use lapwing_vocabulary::{EventTime, Records};

/// One thread, and nothing outside.
pub(crate) const MEANS: Means<'static> = Means { outside: &Nothing, threads: 1 };

/// Event time of the first event: 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000_000;

const PIPELINE: &str = r#"
name = "small"
[source]
topic = "events"
key = "host"
time = "at"
[schema]
host = "text"
at = "time"
bytes = "int"
service = "text"
[enrich]
query = "SELECT *, bytes * 2 AS doubled FROM events"
[encode]
service = "one_hot"
[features]
events_1m = { count = "*", over = "1m" }
bytes_vs_usual = { zscore = "bytes", baseline = "1h" }
[detect.spike]
method = "robust_zscore"
inputs = ["bytes_vs_usual", "events_1m"]
[detect.forest]
method = "isolation_forest"
inputs = "numeric"
trees = 8
samples = 32
[decide]
alert_rate = 0.02
[train]
sample = 300
seed = 5
"#;

pub(crate) fn plan() -> Arc<Plan> {
    let fields = [("host", Kind::Text), ("at", Kind::Time), ("bytes", Kind::Int), ("service", Kind::Text)];
    let schema = Schema { fields: fields.map(|(name, kind)| Field::top(name, kind)).to_vec() };
    let settings = Pipeline::parse(PIPELINE, "small.toml").unwrap_or_else(|faults| panic!("{faults}"));
    Plan::compile(settings, &schema, None, &[], Purpose::Train, &[]).map(Arc::new).unwrap()
}

/// Events of one partition; sizes come from a multiplicative sequence, so every run has the same.
pub(crate) fn records(partition: i32, count: i64) -> Records {
    let mut records = Records::new("events".into(), partition);
    for number in 0..count {
        let bytes = (number * 7919 + i64::from(partition) * 104_729) % 1009;
        let (at, service) =
            (EventTime(START + number * SECOND).to_rfc3339(), ["dns", "http", "ssh"][bytes as usize % 3]);
        let value = format!(r#"{{"host":"h{}","at":"{at}","bytes":{bytes},"service":"{service}"}}"#, number % 5);
        records.push(number, START + number * SECOND, None, value.as_bytes(), Vec::new());
    }
    records
}

/// Gathers the rows of partitions through the stages, in batches of `size`.
pub(crate) fn gathered(plan: &Arc<Plan>, partitions: &[Records], size: usize) -> Dataset {
    let train = &plan.settings.train;
    let mut dataset = Dataset::new(train.sample, train.seed);
    for records in partitions {
        let mut task = Task::new(plan, records.partition(), &[]).unwrap();
        for start in (0..records.len()).step_by(size) {
            let range = start..(start + size).min(records.len());
            let clock = HandClock::at(START);
            let batch = task.score_batch(records, range, &Status::default(), &clock, &mut Product::default()).unwrap();
            dataset.offer(&batch.events, None);
        }
    }
    dataset
}

pub(crate) fn fitted(plan: &Arc<Plan>, partitions: &[Records], size: usize) -> Fitted {
    fit(plan, &gathered(plan, partitions, size).finish().unwrap(), MEANS).unwrap()
}

/// A model of the small pipeline; other partitions give other ones.
pub(crate) fn model_of(partition: i32) -> Fitted {
    fitted(&plan(), &[records(partition, 400)], 1000)
}

/// A card whose version and checksum are still to be filled in.
pub(crate) fn card() -> Card {
    Card {
        name: "small".into(),
        version: 0,
        lapwing: "0.1.0".into(),
        trained_at: EventTime(START).to_rfc3339(),
        pipeline_digest: "d".into(),
        rows_seen: 400,
        rows_fitted: 300,
        span: Some((EventTime(START).to_rfc3339(), EventTime(START + SECOND).to_rfc3339())),
        filter: Some("bytes > 0".into()),
        alert_rate: 0.02,
        seed: 5,
        columns: vec!["bytes".into()],
        detectors: vec!["spike".into(), "forest".into()],
        sha256: String::new(),
    }
}
