//! Prints what one event costs when each window of an entity is a row, with 100,000 entities.
//! Run with `cargo run --release -p lapwing-features --example scored_windows_speed`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use lapwing_features::{Arrival, ScoredWindowSpec, ScoredWindows, WindowColumn, WindowKind, WindowMeasure};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{MINUTE, SECOND};

const EVENTS: usize = 2_000_000;
const ENTITIES: usize = 100_000;
/// Between two events: 20,000 events per second of event time, so an entity has one every five seconds.
const BETWEEN_MICROS: i64 = 50;
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
