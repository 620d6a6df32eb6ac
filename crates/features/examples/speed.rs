//! Prints what one event costs: 12 features over three windows and one against a baseline, all on one column.
//! Run with `cargo run --release -p lapwing-features --example speed`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use lapwing_features::{FeatureSpec, Graph, Measure, Over};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, format_duration};

const EVENTS: usize = 2_000_000;
/// Events per second of event time, over all entities.
const EVENTS_PER_SECOND: i64 = 10_000;

fn main() {
    println!("{:>9} {:>16} {:>9} {:>12} {:>12}", "entities", "windows", "features", "ns/event", "bytes/entity");
    for entities in [1_000, 100_000] {
        for lengths in [&[MINUTE, 5 * MINUTE, HOUR][..], &[MINUTE], &[HOUR], &[DAY]] {
            measure(entities, lengths);
        }
    }
}

fn graph(lengths: &[i64]) -> Graph {
    let measures = [Measure::Count, Measure::Sum, Measure::StandardDeviation, Measure::Max];
    let mut specs = Vec::new();
    for length_micros in lengths {
        for measure in measures {
            let column = (measure != Measure::Count).then(|| "bytes".to_owned());
            let over = Over::Window { length_micros: *length_micros };
            specs.push(FeatureSpec { name: format!("f{}", specs.len()), measure, column, over });
        }
    }
    let over = Over::Baseline { length_micros: DAY };
    specs.push(FeatureSpec { name: "usual".into(), measure: Measure::Zscore, column: Some("bytes".into()), over });
    Graph::new(specs).expect("the features of this example are valid")
}

#[expect(clippy::disallowed_methods, reason = "a program that measures is the edge that owns the clock")]
fn measure(entities: usize, lengths: &[i64]) {
    let graph = graph(lengths);
    let words = graph.entity_words();
    let (mut arena, mut shared) = (vec![0.0; words * entities], vec![0.0; graph.shared_words()]);
    arena.chunks_exact_mut(words).for_each(|entity| graph.init_entity(entity));
    graph.init_shared(&mut shared);
    let mut out = vec![0.0; graph.names().len()];
    let mut seed = 1_u64;
    let mut run = |from: usize, events: usize| {
        for event in from..from + events {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let entity = (seed >> 33) as usize % entities * words;
            let time = EventTime(1_700_000_000_000_000 + event as i64 * (1_000_000 / EVENTS_PER_SECOND));
            let value = (seed >> 40) as f64;
            graph.fold(&mut arena[entity..entity + words], &mut shared, time, &[value], &mut out);
            black_box(&out);
        }
    };
    run(0, EVENTS);
    let started = Instant::now();
    run(EVENTS, EVENTS);
    let nanos = started.elapsed().as_nanos() as f64 / EVENTS as f64;
    let windows = lengths.iter().map(|length| format_duration(*length)).collect::<Vec<_>>().join(" ");
    println!("{entities:>9} {windows:>16} {:>9} {nanos:>12.0} {:>12}", graph.names().len(), words * 8);
}
