//! What enrichment costs: the telemetry query over events of 12 columns and a table of 1,000 hosts.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use lapwing_sql::{Enricher, ReferenceTable};

const QUERIES: [(&str, &str); 4] = [
    ("sum only", "SELECT *, src_bytes + dst_bytes AS total_bytes FROM events"),
    (
        "telemetry",
        "SELECT e.*, src_bytes + dst_bytes AS total_bytes, h.role FROM events e LEFT JOIN hosts h USING (host_id)",
    ),
    (
        "inner, filter",
        "SELECT e.*, h.role FROM events e JOIN hosts h USING (host_id) WHERE src_bytes > 500 AND h.rank < 900",
    ),
    (
        "range join (streams)",
        "SELECT e.*, h.role FROM events e LEFT JOIN hosts h ON e.host_id = h.host_id AND e.src_bytes > h.rank",
    ),
];

fn events(rows: usize) -> RecordBatch {
    let hosts: StringArray = (0..rows).map(|i| Some(format!("host-{:04}", i * 7919 % 1_050))).collect();
    let mut columns: Vec<(String, ArrayRef)> = vec![("host_id".into(), Arc::new(hosts))];
    for name in ["src_bytes", "dst_bytes", "count", "srv_count", "port", "duration"] {
        let values = Int64Array::from_iter_values((0..rows).map(|i| (i * 31 % 1_000) as i64));
        columns.push((name.into(), Arc::new(values)));
    }
    for name in ["rate_1", "rate_2", "rate_3"] {
        let values = Float64Array::from_iter_values((0..rows).map(|i| i as f64 / 7.0));
        columns.push((name.into(), Arc::new(values)));
    }
    for name in ["service", "protocol"] {
        let values: StringArray = (0..rows).map(|i| Some(["http", "dns", "smtp"][i % 3])).collect();
        columns.push((name.into(), Arc::new(values)));
    }
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn main() {
    let mut text = "host_id,role,rank\n".to_owned();
    (0..1_000).for_each(|i| text.push_str(&format!("host-{i:04},role-{},{i}\n", i % 9)));
    let hosts = ReferenceTable::from_bytes("hosts", "csv", text.as_bytes()).expect("a table");
    for (name, query) in QUERIES {
        let start = Instant::now();
        let mut enricher = Enricher::plan(query, &events(0).schema(), std::slice::from_ref(&hosts)).expect("a plan");
        println!("{name}: planned in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
        for (rows, calls) in [(1, 2_000), (100, 2_000), (8_192, 100)] {
            let batch = events(rows);
            enricher.run(&batch).expect("rows");
            let start = Instant::now();
            (0..calls).for_each(|_| assert!(enricher.run(&batch).expect("rows").failed.is_empty()));
            let nanos = start.elapsed().as_secs_f64() * 1e9 / f64::from(calls);
            println!("  {rows:>5} rows: {:>8.1} µs a call, {:>7.1} ns a row", nanos / 1e3, nanos / rows as f64);
        }
    }
}
