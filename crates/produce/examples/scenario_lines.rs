//! Writes events of a scenario with its default options as lines to standard output.
//! Usage: `cargo run --release -p lapwing-produce --example scenario_lines -- telemetry|transactions|logs [seed]`

use std::io::{BufWriter, Write};

use lapwing_produce::logs::Records;
use lapwing_produce::{Logs, LogsOptions, Produced, Telemetry, TelemetryOptions, Transactions, TransactionsOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let scenario = arguments.next().ok_or("name a scenario: telemetry, transactions or logs")?;
    let seed = arguments.next().map(|text| text.parse()).transpose()?;
    let events: Box<dyn Iterator<Item = Produced>> = match scenario.as_str() {
        "telemetry" => {
            let usual = TelemetryOptions::default();
            Box::new(Telemetry::new(TelemetryOptions { seed: seed.unwrap_or(usual.seed), ..usual })?)
        }
        "transactions" => {
            let usual = TransactionsOptions::default();
            Box::new(Transactions::new(TransactionsOptions { seed: seed.unwrap_or(usual.seed), ..usual })?)
        }
        "logs" => {
            let usual = LogsOptions { records: Records::PerLine, ..LogsOptions::default() };
            Box::new(Logs::new(LogsOptions { seed: seed.unwrap_or(usual.seed), ..usual })?)
        }
        other => return Err(format!("{other} is no scenario: telemetry, transactions or logs").into()),
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    for event in events {
        out.write_all(&event.value)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}
