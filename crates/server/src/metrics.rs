use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use lapwing_vocabulary::EventTime;

use crate::overview::Overview;

/// Milliseconds in one second: latencies are shown in the one and scraped in the other.
const MILLIS_PER_SECOND: f64 = 1e3;
/// Microseconds in one second: times are kept in the one and scraped in the other.
const MICROS_PER_SECOND: f64 = 1e6;

/// Writes an overview as OpenMetrics text, `# EOF` included. Labels never hold entity keys.
pub fn openmetrics(overview: &Overview) -> String {
    let mut registry = Registry::with_prefix("lapwing");
    registry.register_collector(Box::new(Figures(overview.clone())));
    let mut text = String::new();
    encode(&mut text, &registry).expect("a String takes whatever is written to it");
    text
}

#[derive(Debug)]
struct Figures(Overview);

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut page = Page { encoder };
        self.encode_run(&mut page)?;
        self.encode_alerts(&mut page)?;
        self.encode_partitions(&mut page)
    }
}

impl Figures {
    fn encode_run(&self, page: &mut Page<'_>) -> fmt::Result {
        let overview = &self.0;
        let model = overview.model.as_deref().unwrap_or("none");
        let labels = [
            ("pipeline", overview.pipeline.as_str()),
            ("version", overview.version.as_str()),
            ("transport", overview.transport.as_str()),
            ("model", model),
        ];
        page.gauges("run_info", "What runs here", &[(labels, 1.0)])?;
        page.counter("events", "Events read", overview.events_total)?;
        page.counter("dead_letters", "Records set aside because they could not be read", overview.dead_letters_total)?;
        page.counter("late_events", "Events that came behind the watermark", overview.late_total)?;
        page.gauge("events_per_second", "Events read in the last second", overview.events_per_second)?;
        page.gauge("backlog_events", "Records that wait in the source", overview.backlog_records as f64)?;
        page.gauge("entities", "Entities remembered", overview.entities as f64)
    }

    fn encode_alerts(&self, page: &mut Page<'_>) -> fmt::Result {
        let types: Vec<_> =
            self.0.alerts_by_type.iter().map(|(kind, count)| ([("type", kind.as_str())], *count)).collect();
        page.counters("alerts", "Alerts raised", &types)?;
        let Some(latency) = self.0.latency_ms else { return Ok(()) };
        let quantiles = [
            ([("quantile", "0.5")], latency.p50 / MILLIS_PER_SECOND),
            ([("quantile", "0.99")], latency.p99 / MILLIS_PER_SECOND),
        ];
        page.gauges("event_to_alert_seconds", "From readable event to committed alert", &quantiles)
    }

    fn encode_partitions(&self, page: &mut Page<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.partitions.iter().map(|p| p.partition.to_string()).collect();
        let labels = |i: usize| [("topic", self.0.partitions[i].topic.as_str()), ("partition", names[i].as_str())];
        let all = || self.0.partitions.iter().enumerate();
        let backlog: Vec<_> = all().map(|(i, p)| (labels(i), p.backlog_records as f64)).collect();
        let committed: Vec<_> = all().map(|(i, p)| (labels(i), p.committed as f64)).collect();
        let seconds = |text: &str| EventTime::parse(text).map(|time| time.0 as f64 / MICROS_PER_SECOND);
        let watermarks: Vec<_> =
            all().filter_map(|(i, p)| Some((labels(i), seconds(p.watermark.as_deref()?)?))).collect();
        page.gauges("consumer_lag_events", "Records that wait in a partition", &backlog)?;
        page.gauges("committed_offset", "First offset of a partition not yet consumed", &committed)?;
        page.gauges("watermark_timestamp_seconds", "No event older than this is awaited", &watermarks)
    }
}

/// The text being written, one metric after the other.
struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let encoder = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(encoder)
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let encoder = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(encoder)
    }

    fn counters<const N: usize>(&mut self, name: &str, help: &str, values: &[([(&str, &str); N], u64)]) -> fmt::Result {
        let mut encoder = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            ConstCounter::new(*value).encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }

    fn gauges<const N: usize>(&mut self, name: &str, help: &str, values: &[([(&str, &str); N], f64)]) -> fmt::Result {
        let mut encoder = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            ConstGauge::new(*value).encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overview::{Latency, PartitionOverview};

    #[test]
    fn an_overview_is_written_in_the_names_of_the_field() {
        let mut overview = Overview { pipeline: "te\"st".into(), events_total: 7, ..Overview::default() };
        overview.alerts_by_type.insert("exfiltration".into(), 3);
        overview.latency_ms = Some(Latency { p50: 5.0, p99: 20.0 });
        overview.partitions.push(PartitionOverview {
            topic: "sensors".into(),
            partition: 2,
            backlog_records: 9,
            watermark: Some("1970-01-01T00:01:00Z".into()),
            ..PartitionOverview::default()
        });
        let text = openmetrics(&overview);
        for line in [
            "lapwing_events_total 7",
            "lapwing_alerts_total{type=\"exfiltration\"} 3",
            "lapwing_event_to_alert_seconds{quantile=\"0.99\"} 0.02",
            "lapwing_consumer_lag_events{topic=\"sensors\",partition=\"2\"} 9.0",
            "lapwing_watermark_timestamp_seconds{topic=\"sensors\",partition=\"2\"} 60.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(text.contains("pipeline=\"te\\\"st\""), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
