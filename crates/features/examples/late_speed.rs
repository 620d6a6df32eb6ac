//! Prints what one event costs where repeats are recognised and lateness is counted, and the longest pause.
//! Run with `cargo run --release -p lapwing-features --example late_speed`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use lapwing_features::{Dedup, Lateness};
use lapwing_vocabulary::EventTime;

const EVENTS: usize = 4_000_000;
/// Events per pause looked at: the clock itself takes as long as an event.
const CHUNK: usize = 500;

fn main() {
    println!("{:>10} {:>12} {:>14} {:>12} {:>12}", "ids", "ns/event", "longest, us", "bytes/id", "encode, ms");
    for ids in [10_000, 100_000, 1_000_000, 10_000_000] {
        repeats(ids);
    }
    lateness();
}

/// Ids as UUIDs are written, 36 bytes; one event in a hundred repeats one from half a horizon ago. One event per
/// microsecond, so that the horizon holds `ids` of them.
#[expect(clippy::disallowed_methods, reason = "a program that measures is the edge that owns the clock")]
fn repeats(ids: usize) {
    let mut dedup = Dedup::new(ids as i64, ids * 2);
    let mut id = *b"00000000-5a3d-4fa5-a388-281d3d1b1002";
    let mut run = |from: usize, events: usize, longest: &mut u128| {
        for start in (from..from + events).step_by(CHUNK) {
            let started = Instant::now();
            for event in start..start + CHUNK {
                let number = if event % 100 == 0 { event.saturating_sub(ids / 2) } else { event };
                id[..8].copy_from_slice(&(number as u64).to_le_bytes());
                black_box(dedup.is_repeat(&id, EventTime(event as i64)));
            }
            *longest = started.elapsed().as_nanos().max(*longest);
        }
    };
    run(0, 2 * ids, &mut 0);
    let (mut longest, started) = (0, Instant::now());
    run(2 * ids, EVENTS, &mut longest);
    let nanos = started.elapsed().as_nanos() as f64 / EVENTS as f64;
    let bytes = dedup.memory_bytes() as f64 / dedup.len() as f64;
    let (mut out, started) = (Vec::new(), Instant::now());
    dedup.encode(&mut out);
    let encode = started.elapsed().as_secs_f64() * 1e3;
    println!("{ids:>10} {nanos:>12.0} {:>14} {bytes:>12.1} {encode:>12.1}", longest / 1_000);
}

#[expect(clippy::disallowed_methods, reason = "a program that measures is the edge that owns the clock")]
fn lateness() {
    let mut values = [0; 4_096];
    let mut seed = 1_u64;
    for value in &mut values {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *value = ((seed >> 20) >> (seed >> 59)) as i64;
    }
    for (what, disordered) in [("one event in 16 is out of order", 16), ("all events are out of order", 1)] {
        let (mut lateness, started) = (Lateness::new(), Instant::now());
        for event in 0..EVENTS {
            let value = values[event & 4_095];
            lateness.observe(if event & (disordered - 1) == 0 { value } else { 0 }, values[(event + 7) & 4_095]);
        }
        let nanos = started.elapsed().as_nanos() as f64 / EVENTS as f64;
        black_box(&lateness);
        println!("lateness, {what}: {nanos:.1} ns/event");
    }
}
