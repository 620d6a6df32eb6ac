//! How fast a scenario makes events on one core, and how large they are.
//! Usage: `cargo run --release -p lapwing-produce --example scenario_speed -- telemetry|logs [events]`

use std::time::Instant;

use lapwing_produce::{Logs, LogsOptions, Produced, Telemetry, TelemetryOptions, Volume};

#[allow(clippy::print_stdout, clippy::disallowed_methods)] // A measurement reads the clock and tells what it saw.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let scenario = arguments.next().unwrap_or_else(|| "telemetry".to_owned());
    let events: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let stream: Box<dyn Iterator<Item = Produced>> = match scenario.as_str() {
        "telemetry" => {
            let usual = TelemetryOptions::default();
            Box::new(Telemetry::new(TelemetryOptions { volume: Volume::Total(events), ..usual })?)
        }
        "logs" => {
            let usual = LogsOptions::default();
            let lasting = Logs::new(LogsOptions { span_micros: i64::MAX, ..usual })?;
            Box::new(lasting.take(usize::try_from(events)?))
        }
        other => return Err(format!("{other} is no scenario: telemetry or logs").into()),
    };
    let begun = Instant::now();
    let (mut bytes, mut anomalies) = (0, 0_u64);
    for event in stream {
        bytes += event.value.len();
        anomalies += u64::from(event.label.is_anomaly());
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{events} events in {seconds:.2} s: {:.0} events/s, {:.0} bytes each, {:.2} % anomalous",
        events as f64 / seconds,
        bytes as f64 / events as f64,
        100.0 * anomalies as f64 / events as f64
    );
    Ok(())
}
