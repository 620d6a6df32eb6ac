//! The counters of a running pipeline in OpenMetrics text. Labels never hold entity keys.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::status::{STAGES, Status, get};

/// Upper edges of the latency histogram. Units: seconds.
const LATENCY_EDGES: [f64; 12] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 5.0, f64::INFINITY];

/// Labels of one sample: names and values.
type Labels<'a> = Vec<(&'a str, String)>;

#[derive(Debug)]
struct Pipeline {
    topic: String,
    status: Arc<Status>,
    now_micros: i64,
}

/// Writes the counters as OpenMetrics text. `now_micros` is the wall clock, for ages and lags.
pub fn exposition(status: &Arc<Status>, topic: &str, now_micros: i64) -> String {
    let mut registry = Registry::with_prefix("lapwing");
    let pipeline = Pipeline { topic: topic.to_owned(), status: status.clone(), now_micros };
    registry.register_collector(Box::new(pipeline));
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing to a string does not fail");
    text
}

impl Collector for Pipeline {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.events(&mut encoder)?;
        self.joins(&mut encoder)?;
        self.alerts(&mut encoder)?;
        self.partitions(&mut encoder)?;
        self.machinery(&mut encoder)
    }
}

impl Pipeline {
    fn events(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let status = &self.status;
        let outcome = |name: &str| vec![("topic", self.topic.clone()), ("outcome", name.to_owned())];
        let outcomes = vec![
            (outcome("processed"), get(&status.processed)),
            (outcome("late"), get(&status.late)),
            (outcome("repeat"), get(&status.repeats)),
            (outcome("filtered"), get(&status.filtered)),
            (outcome("left_out"), get(&status.left_out)),
            (outcome("dead_letter"), status.dead_letters_total()),
        ];
        counters(encoder, "events", "Events by what became of them", outcomes)?;
        let reasons = status.dead_letters().into_iter();
        let reasons = reasons.map(|(reason, count)| (vec![("reason", reason.name().to_owned())], count));
        counters(encoder, "dead_letters", "Records set aside, by reason", reasons.collect())?;
        let reason = |name: &str| vec![("reason", name.to_owned())];
        let suppressed =
            vec![(reason("open"), get(&status.suppressed_open)), (reason("no_news"), get(&status.suppressed_no_news))];
        counters(encoder, "suppressed", "Rows beyond the threshold that were no finding, by reason", suppressed)?;
        let plain = [
            ("late_events", "Events behind the watermark", get(&status.late)),
            ("coerced_values", "Values written in another type than their column's", get(&status.coerced)),
            ("line_keys_cut", "Keys that lines name beyond those that count", get(&status.keys_cut)),
            ("templates_created", "Templates of log messages learned", get(&status.templates_created)),
            ("templates_evicted", "Templates forgotten to make room", get(&status.templates_evicted)),
            ("unknown_messages", "Messages that no known template fits", get(&status.templates_unknown)),
            ("messages_cut", "Messages of which only the beginning was looked at", get(&status.messages_cut)),
            ("small_windows", "Windows with too few events to be rows", get(&status.windows_small)),
            ("unscored_events", "Events not scored because there was no model", get(&status.unscored)),
            (
                "duplicate_matches",
                "Rows dropped because a reference table repeats its key",
                get(&status.duplicate_matches),
            ),
            ("replayed_events", "Records read again to rebuild state", get(&status.replayed)),
            ("repartitioned_events", "Records taken to the partition of their entity", get(&status.repartitioned)),
            ("watermark_ticks", "Times at which event time moved on without a record", get(&status.ticks)),
            ("epochs", "Epochs committed", get(&status.epochs)),
            ("epochs_aborted", "Open epochs thrown away", get(&status.epochs_aborted)),
            ("snapshots", "Snapshots written", get(&status.snapshots)),
            ("snapshot_failures", "Snapshots that could not be written", get(&status.snapshot_failures)),
            ("reload_failures", "Reloads of a table or model that failed", get(&status.reload_failures)),
        ];
        for (name, help, count) in plain {
            counters(encoder, name, help, vec![(vec![], count)])?;
        }
        Ok(())
    }

    fn joins(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let joins = self.status.joins();
        if joins.is_empty() {
            return Ok(());
        }
        let (mut events, mut records) = (Vec::new(), Vec::new());
        for (name, counts) in joins {
            let outcome = |outcome: &str| vec![("join", name.clone()), ("outcome", outcome.to_owned())];
            let of_events =
                [("matched", counts.matched), ("unmatched", counts.unmatched), ("no_match", counts.no_match)];
            events.extend(of_events.map(|(name, count)| (outcome(name), count)));
            let of_records = [
                ("kept", counts.kept),
                ("late", counts.late),
                ("evicted", counts.evicted),
                ("deleted", counts.deleted),
                ("table_full", counts.refused),
                ("match_cut", counts.cut),
            ];
            records.extend(of_records.map(|(name, count)| (outcome(name), count)));
        }
        counters(encoder, "join_events", "Events by what became of them at a join", events)?;
        counters(encoder, "join_records", "Joined records by what became of them", records)?;
        let plain = [
            ("join_hurried_events", "Events that went on early because too many waited", get(&self.status.hurried)),
            ("join_unknown_records", "Records of streams that are not joined", get(&self.status.strangers)),
        ];
        plain.into_iter().try_for_each(|(name, help, count)| counters(encoder, name, help, vec![(vec![], count)]))?;
        let partitions = self.status.partitions();
        let label = |partition: &i32| vec![("partition", partition.to_string())];
        let rows = partitions.iter().map(|(number, partition)| (label(number), partition.join_rows as f64));
        gauges(encoder, "join_rows", "Joined records remembered", None, rows.collect())?;
        let waiting = partitions.iter().map(|(number, partition)| (label(number), partition.join_waiting as f64));
        gauges(encoder, "join_waiting_events", "Events that wait for a join", None, waiting.collect())
    }

    fn alerts(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let sample = |((kind, severity), count): ((String, lapwing_vocabulary::Severity), u64)| {
            (vec![("type", kind), ("severity", severity.name().to_owned())], count)
        };
        let alerts = self.status.alerts().into_iter().map(sample).collect();
        counters(encoder, "alerts", "Alerts committed", alerts)?;
        let (cumulative, count, sum) = self.status.latency.cumulative(&LATENCY_EDGES);
        let mut before = 0;
        let mut buckets = Vec::new();
        for (edge, total) in LATENCY_EDGES.iter().zip(cumulative) {
            buckets.push((*edge, total - before));
            before = total;
        }
        let help = "From the append of the event's record to the commit of its alert";
        let mut metric =
            encoder.encode_descriptor("event_to_alert", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        metric.encode_histogram::<Labels<'static>>(sum, count, &buckets, None)
    }

    fn partitions(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let partitions = self.status.partitions();
        let age = |micros: i64| (self.now_micros - micros) as f64 / 1e6;
        let each = |value: &dyn Fn(&crate::status::PartitionStatus) -> Option<f64>| -> Vec<(Labels<'static>, f64)> {
            let sample = |(partition, status)| Some((vec![("partition", format!("{partition}"))], value(status)?));
            partitions.iter().filter_map(sample).collect()
        };
        let lag = each(&|partition| partition.watermark_micros.map(age));
        gauges(encoder, "watermark_lag", "Wall clock minus watermark", Some(Unit::Seconds), lag)?;
        let snapshots = each(&|partition| partition.snapshot_at_micros.map(age));
        gauges(encoder, "snapshot_age", "Age of the newest snapshot", Some(Unit::Seconds), snapshots)?;
        gauges(encoder, "entities", "Entities remembered", None, each(&|partition| Some(partition.entities as f64)))?;
        let known = each(&|partition| (partition.templates > 0).then_some(partition.templates as f64));
        gauges(encoder, "templates", "Templates of log messages known", None, known)?;
        let bytes = each(&|partition| Some(partition.state_bytes as f64));
        gauges(encoder, "state", "Memory held for entities", Some(Unit::Bytes), bytes)?;
        let lag = vec![(vec![], self.status.backlog_records() as f64)];
        gauges(encoder, "consumer_lag_events", "Records waiting in the source", None, lag)
    }

    fn machinery(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let stages = STAGES.iter().zip(&self.status.stage_nanos);
        let seconds = stages.map(|(stage, nanos)| (vec![("stage", (*stage).to_owned())], get(nanos) as f64 / 1e9));
        let mut metric =
            encoder.encode_descriptor("stage", "Time spent per stage", Some(&Unit::Seconds), MetricType::Counter)?;
        for (labels, value) in seconds {
            ConstCounter::new(value).encode(metric.encode_family(&labels)?)?;
        }
        let Some(model) = self.status.model() else { return Ok(()) };
        let (name, version) = model.split_once('@').unwrap_or((&model, ""));
        let labels = vec![("model", name.to_owned()), ("version", version.to_owned()), ("role", "champion".to_owned())];
        gauges(encoder, "model_info", "The model in force", None, vec![(labels, 1.0)])
    }
}

fn counters(encoder: &mut DescriptorEncoder, name: &str, help: &str, samples: Vec<(Labels<'_>, u64)>) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    let samples = samples.into_iter().map(|(labels, count)| (labels, ConstCounter::new(count)));
    encode_all(metric, samples.collect())
}

fn gauges(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    samples: Vec<(Labels<'_>, f64)>,
) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
    let samples = samples.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
    encode_all(metric, samples.collect())
}

fn encode_all<M: EncodeMetric>(mut metric: MetricEncoder<'_>, samples: Vec<(Labels<'_>, M)>) -> fmt::Result {
    match samples.as_slice() {
        // A family with an empty label set would be written with empty braces.
        [(labels, value)] if labels.is_empty() => value.encode(metric),
        samples => samples.iter().try_for_each(|(labels, value)| value.encode(metric.encode_family(labels)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_documented_name() {
        let status = Arc::new(Status::default());
        crate::status::add(&status.processed, 7);
        status.set_model(Some("telemetry@3".to_owned()));
        let text = exposition(&status, "in", 0);
        for line in [
            "lapwing_events_total{topic=\"in\",outcome=\"processed\"} 7",
            "lapwing_dead_letters_total{reason=\"malformed\"} 0",
            "lapwing_event_to_alert_seconds_count 0",
            "lapwing_event_to_alert_seconds_bucket{le=\"+Inf\"} 0",
            "lapwing_stage_seconds_total{stage=\"decode\"} 0.0",
            "lapwing_model_info{model=\"telemetry\",version=\"3\",role=\"champion\"} 1.0",
            "lapwing_consumer_lag_events 0.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
