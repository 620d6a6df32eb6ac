//! Prints what one event costs when each window of an entity is a row: sums with 100,000 entities, then what sessions of
//! log lines keep, with 20,000 entities of 19 events each.
//! Run with `cargo run --release -p lapwing-features --example scored_windows_speed`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use lapwing_features::{Arrival, ScoredWindowSpec, ScoredWindows, Texts, WindowColumn, WindowKind, WindowMeasure};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{MINUTE, SECOND};

const EVENTS: usize = 2_000_000;
const ENTITIES: usize = 100_000;
/// Between two events: 20,000 events per second of event time, so an entity has one every five seconds.
const BETWEEN_MICROS: i64 = 50;
/// Sessions of log lines, as in the HDFS logs: 19 lines of each block.
const LOG_ENTITIES: usize = 20_000;
const LOG_EVENTS: usize = 19;
/// Blocks that are written at one time.
const LOG_TOGETHER: usize = 500;
const LOG_ROUNDS: usize = 5;
const LAG_MICROS: i64 = 2 * SECOND;

fn main() {
    let session = |gap_micros| WindowKind::Session { gap_micros, age_micros_max: None };
    let kinds = [
        ("session, gap 5m", session(5 * MINUTE)),
        ("session, gap 10s", session(10 * SECOND)),
        ("tumbling 1m", WindowKind::Tumbling { size_micros: MINUTE }),
        ("sliding 1m by 10s", WindowKind::Sliding { size_micros: MINUTE, step_micros: 10 * SECOND }),
        ("sliding 1m by 1s", WindowKind::Sliding { size_micros: MINUTE, step_micros: SECOND }),
        ("20 events or 1m", WindowKind::CountOrTimeout { events: 20, gap_micros: Some(MINUTE), age_micros_max: None }),
    ];
    println!("{:>18} {:>9} {:>10} {:>12} {:>14}", "windows", "open", "ns/event", "rows/event", "bytes/window");
    kinds.into_iter().for_each(|(name, kind)| measure(name, kind));
    println!("{:>18} {:>9} {:>10} {:>12} {:>14}", "log sessions", "open", "ns/event", "rows/event", "bytes/window");
    let kept = [
        ("count", vec![log_columns()[0].clone()], None),
        ("29 counts", log_columns()[..2].to_vec(), None),
        ("with sequence", log_columns(), None),
        ("with texts", log_columns(), Some(Texts { events: 16, bytes: 200 })),
    ];
    for together in [LOG_TOGETHER, LOG_ENTITIES] {
        println!("lines of {together} entities mixed");
        kept.iter().for_each(|(name, columns, texts)| measure_logs(name, columns, *texts, together));
    }
}

/// What sessions of log lines keep: their length, the number of lines of each template, their order.
fn log_columns() -> Vec<WindowColumn> {
    let column = |name: &str, measure| WindowColumn::new(name, measure, Some("template"));
    let labels = (1..=29).map(|code| format!("t{code}")).collect();
    vec![
        WindowColumn::new("seconds", WindowMeasure::Span, None),
        WindowColumn { labels, ..column("template", WindowMeasure::Counts) },
        WindowColumn { length: 64, ..column("path", WindowMeasure::Sequence) },
    ]
}

/// The entities of the lines of a round. Those of one lie among as many lines as `together` entities have.
fn order_of(together: usize) -> Vec<usize> {
    let mut seed = 1_u64;
    let mut places: Vec<(usize, usize)> = (0..LOG_ENTITIES * LOG_EVENTS)
        .map(|event| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let entity = event / LOG_EVENTS;
            let first = if together == LOG_ENTITIES { 0 } else { entity * LOG_EVENTS };
            (first + (seed >> 33) as usize % (together * LOG_EVENTS), entity)
        })
        .collect();
    places.sort_unstable();
    places.into_iter().map(|(_, entity)| entity).collect()
}

/// Rounds of sessions: in each every entity has its lines, then all fall silent.
#[expect(clippy::disallowed_methods, reason = "a program that measures is the edge that owns the clock")]
fn measure_logs(name: &str, columns: &[WindowColumn], texts: Option<Texts>, together: usize) {
    let kind = WindowKind::Session { gap_micros: 5 * MINUTE, age_micros_max: None };
    let spec = ScoredWindowSpec { columns: columns.to_vec(), texts, ..spec(kind) };
    let keys: Vec<String> = (0..LOG_ENTITIES).map(|entity| format!("blk_{}", entity * 7_919)).collect();
    let line = "081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder for block terminating; ".repeat(3);
    let mut windows = ScoredWindows::new(spec, 10_000_000).expect("the windows of this example are valid");
    let (mut out, mut rows, mut open, mut bytes) = (Vec::new(), 0, 0, 0);
    let order = order_of(together);
    let (mut time, mut spent) = (1_700_000_000_000_000, std::time::Duration::ZERO);
    for round in 0..=LOG_ROUNDS {
        let started = Instant::now();
        for (event, entity) in order.iter().enumerate() {
            time += BETWEEN_MICROS;
            let inputs = [((event + entity) % 31) as f64];
            let key = &keys[*entity];
            let arrival =
                Arrival { key, time: EventTime(time), offset: event as i64, inputs: &inputs, text: Some(&line) };
            windows.observe(arrival, Some(EventTime(time - LAG_MICROS)), &mut out);
        }
        let filled = started.elapsed();
        (open, bytes) = (windows.len(), windows.memory_bytes());
        let started = Instant::now();
        time += 10 * MINUTE;
        windows.advance(EventTime(time), &mut out);
        rows += black_box(&out).len();
        out.clear();
        // The first round fills the caches.
        spent += if round == 0 { std::time::Duration::ZERO } else { filled + started.elapsed() };
    }
    let nanos = spent.as_nanos() as f64 / (LOG_ROUNDS * order.len()) as f64;
    let rows = rows as f64 / ((LOG_ROUNDS + 1) * order.len()) as f64;
    println!("{name:>18} {open:>9} {nanos:>10.0} {rows:>12.3} {:>14}", bytes / open.max(1));
}

fn spec(kind: WindowKind) -> ScoredWindowSpec {
    let measures = [WindowMeasure::Count, WindowMeasure::Sum, WindowMeasure::Max, WindowMeasure::Std];
    let column = |measure: WindowMeasure| {
        let column = (measure != WindowMeasure::Count).then_some("bytes");
        WindowColumn::new(measure.name(), measure, column)
    };
    ScoredWindowSpec {
        kind,
        allowed_lateness_micros: 0,
        early_micros: None,
        columns: measures.map(column).to_vec(),
        events_min: 1,
        texts: None,
    }
}

#[expect(clippy::disallowed_methods, reason = "a program that measures is the edge that owns the clock")]
fn measure(name: &str, kind: WindowKind) {
    let keys: Vec<String> = (0..ENTITIES).map(|entity| format!("device-{entity:06}")).collect();
    let mut windows = ScoredWindows::new(spec(kind), 10_000_000).expect("the windows of this example are valid");
    let mut seed = 1_u64;
    let mut out = Vec::new();
    let mut rows = 0;
    let mut run = |windows: &mut ScoredWindows, from: usize| {
        for event in from..from + EVENTS {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let time = 1_700_000_000_000_000 + event as i64 * BETWEEN_MICROS;
            let inputs = [(seed >> 40) as f64];
            let key = &keys[(seed >> 33) as usize % ENTITIES];
            let arrival = Arrival { key, time: EventTime(time), offset: event as i64, inputs: &inputs, text: None };
            windows.observe(arrival, Some(EventTime(time - LAG_MICROS)), &mut out);
            rows += black_box(&out).len();
            out.clear();
        }
        std::mem::take(&mut rows)
    };
    run(&mut windows, 0);
    let started = Instant::now();
    let rows = run(&mut windows, EVENTS);
    let nanos = started.elapsed().as_nanos() as f64 / EVENTS as f64;
    let (open, bytes) = (windows.len(), windows.memory_bytes() / windows.len().max(1));
    println!("{name:>18} {open:>9} {nanos:>10.0} {:>12.3} {bytes:>14}", rows as f64 / EVENTS as f64);
}
