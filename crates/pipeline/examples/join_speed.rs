//! Prints what joins cost per event: none, a table of so many rows, a stream whose records the event finds at once, and
//! one that it waits for. Every second record is an event where there is a stream.
//! Run with `cargo run --release -p lapwing-pipeline --example join_speed`.
#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::decode::schema::{Field, Kind, Schema};
use lapwing_pipeline::join::STREAM_HEADER;
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::settings::Pipeline;
use lapwing_pipeline::status::Status;
use lapwing_pipeline::task::Task;
use lapwing_vocabulary::{EventTime, Header, Records};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000_000;
const EVENTS: usize = 400_000;
const KEYS: usize = 10_000;
const BATCH: usize = 8_192;
/// Event time between two records. Units: microseconds.
const STEP: i64 = 1_000;

const HEAD: &str = "name = \"speed\"\n[source]\ntopic = \"t\"\nkey = \"k\"\ntime = \"at\"\nwatermark = \"1s\"\n\
                    [schema]\nk = \"text\"\nat = \"time\"\nn = \"int\"\n[outputs]\nenriched = false\n\
                    [features]\nevents_1m = { count = \"*\", over = \"1m\" }\nsum_1m = { sum = \"n\", over = \"1m\" }\n";

fn main() {
    println!("{:>24} {:>12} {:>12} {:>12} {:>12}", "join", "rows", "events/s", "bytes/row", "snapshot MB");
    measure("none", "", 0, false);
    let table = "[join.r]\ntopic = \"r\"\nkey = \"k\"\ntable = true\nmax_rows = 10000000\n\
                 schema = { k = \"text\", role = \"text\" }\n";
    for rows in [KEYS, 1_000_000] {
        measure("table", table, rows, false);
    }
    let stream =
        "[join.s]\ntopic = \"s\"\nkey = \"k\"\ntime = \"at\"\nschema = { k = \"text\", at = \"time\", n = \"int\" }\n";
    measure("stream, before 1m", &stream.replace("schema", "before = \"1m\"\nschema"), 0, true);
    measure("stream, within 10s", &stream.replace("schema", "within = \"10s\"\nschema"), 0, true);
}

fn measure(name: &str, join: &str, rows: usize, has_stream: bool) {
    let settings = Pipeline::parse(&format!("{HEAD}{join}"), "speed.toml").unwrap_or_else(|faults| panic!("{faults}"));
    let fields = vec![Field::top("k", Kind::Text), Field::top("at", Kind::Time), Field::top("n", Kind::Int)];
    let extra = settings.joins.iter().flat_map(|join| join.columns.clone()).collect::<Vec<_>>();
    let plan = Plan::compile(settings, &Schema { fields }, None, &[], Purpose::Run, &extra);
    let plan = Arc::new(plan.unwrap_or_else(|error| panic!("{error}")));
    let mut task = Task::new(&plan, 0, &[]).unwrap_or_else(|error| panic!("{error}"));
    let (status, clock) = (Status::default(), HandClock::at(START));
    let mut offset = 0;
    let mut feed = |task: &mut Task, count: usize, record: &dyn Fn(usize) -> (Option<&'static str>, String)| {
        let mut spent = Duration::ZERO;
        for first in (0..count).step_by(BATCH) {
            let mut records = Records::new("t".into(), 0);
            for number in first..count.min(first + BATCH) {
                let (stream, value) = record(number);
                let header = |name: &str| Header { name: STREAM_HEADER.to_owned(), value: name.as_bytes().to_vec() };
                records.push(offset, START, None, value.as_bytes(), stream.map(header).into_iter().collect());
                offset += 1;
            }
            let start = now();
            let done = task.process(&records, 0..records.len(), &status, &clock);
            spent += start.elapsed();
            done.unwrap_or_else(|error| panic!("{error}"));
        }
        spent
    };
    feed(&mut task, rows, &|number| (Some("r"), format!(r#"{{"k":"key-{number}","role":"role {}"}}"#, number % 7)));
    let spent = feed(&mut task, EVENTS * if has_stream { 2 } else { 1 }, &|number| {
        let stream = (has_stream && number % 2 == 0).then_some("s");
        let at = EventTime(START - 3_600_000_000 + number as i64 * STEP).to_rfc3339();
        (stream, format!(r#"{{"k":"key-{}","at":"{at}","n":{number}}}"#, number * 7 % KEYS))
    });
    let rate = EVENTS as f64 / spent.as_secs_f64();
    let (kept, bytes) = (task.join().rows(), task.join().memory_bytes());
    let stored = task.join().encode().len() as f64 / 1e6;
    println!("{name:>24} {kept:>12} {rate:>12.0} {:>12} {stored:>12.1}", bytes / kept.max(1));
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}
