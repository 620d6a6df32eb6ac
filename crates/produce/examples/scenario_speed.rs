//! How fast the telemetry scenario makes events on one core, and how large they are.
//! Usage: `cargo run --release -p lapwing-produce --example scenario_speed [events]`

use std::time::Instant;

use lapwing_produce::{Telemetry, TelemetryOptions, Volume};

#[allow(clippy::print_stdout, clippy::disallowed_methods)] // A measurement reads the clock and tells what it saw.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let events: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let telemetry = Telemetry::new(TelemetryOptions { volume: Volume::Total(events), ..TelemetryOptions::default() })?;
    let begun = Instant::now();
    let (mut bytes, mut anomalies) = (0, 0_u64);
    for event in telemetry {
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
