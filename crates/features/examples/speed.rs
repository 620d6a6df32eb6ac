//! Prints what one event costs, whatever the number of entities and the length of the window: four plain features and
//! one against a baseline; the twelve features and the baseline of the telemetry pipeline; and each sketch.
//! Run with `cargo run --release -p lapwing-features --example speed`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use lapwing_features::{FeatureSpec, Graph, Learn, Measure, Nulls, Over};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, format_duration};

const EVENTS: usize = 2_000_000;
/// Events per second of event time, over all entities.
const EVENTS_PER_SECOND: i64 = 10_000;
/// Events whose entities are fetched before the first of them is folded.
const BLOCK: usize = 16;

fn main() {
    println!("{:>9} {:>22} {:>9} {:>12} {:>12}", "entities", "features", "columns", "ns/event", "bytes/entity");
    for entities in [1_000, 10_000, 100_000, 1_000_000] {
        for length in [MINUTE, HOUR, DAY] {
            measure(entities, &format!("plain {}", format_duration(length)), &plain(&[length]));
        }
    }
    for entities in [1_000, 100_000] {
        measure(entities, "telemetry 1m 5m 1h", &plain(&[MINUTE, 5 * MINUTE, HOUR]));
        for sketch in sketches() {
            measure(entities, &format!("{} 1h", sketch.name()), &[windowed(&sketch, HOUR)]);
        }
    }
}

fn column() -> String {
    "bytes".to_owned()
}

fn windowed(measure: &Measure, length_micros: i64) -> FeatureSpec {
    let over = Over::Window { length_micros, panes: measure.panes_default() };
    let name = format!("{measure}_{length_micros}");
    FeatureSpec { name, measure: measure.clone(), over, nulls: Nulls::Skip, learn: Learn::Robust, fill: None }
}

fn plain(lengths: &[i64]) -> Vec<FeatureSpec> {
    let measures = [
        Measure::Count { column: None },
        Measure::Sum { column: column() },
        Measure::StandardDeviation { column: column() },
        Measure::Max { column: column() },
    ];
    let all = lengths.iter().flat_map(|length| measures.iter().map(move |measure| windowed(measure, *length)));
    let over = Over::Baseline { length_micros: DAY, season: None, peers: None };
    let measure = Measure::Zscore { column: column() };
    all.chain([FeatureSpec {
        name: "usual".to_owned(),
        measure,
        over,
        nulls: Nulls::Skip,
        learn: Learn::Robust,
        fill: None,
    }])
    .collect()
}

fn sketches() -> [Measure; 5] {
    [
        Measure::Distinct { column: column() },
        Measure::Quantile { column: column(), q_ppm: 990_000 },
        Measure::RobustZscore { column: column() },
        Measure::Entropy { column: column() },
        Measure::Share { column: column() },
    ]
}

/// The state of a partition without peers.
struct Memory {
    words: usize,
    number: usize,
    entities: Vec<f64>,
    shared: Vec<f64>,
    out: Vec<f64>,
    seed: u64,
}

impl Memory {
    fn new(graph: &Graph, number: usize) -> Self {
        let words = graph.entity_words();
        let mut memory = Self {
            words,
            number,
            entities: vec![0.0; words * number],
            shared: vec![0.0; graph.shared_words()],
            out: vec![0.0; graph.names().len()],
            seed: 1,
        };
        memory.entities.chunks_exact_mut(words).for_each(|entity| graph.init_entity(entity));
        graph.init_shared(&mut memory.shared);
        memory
    }

    /// Folds events in blocks, as a task does.
    fn run(&mut self, graph: &Graph, from: usize) {
        let mut block = [(0, EventTime(0), 0.0); BLOCK];
        for first in (from..from + EVENTS).step_by(BLOCK) {
            for (place, event) in block.iter_mut().enumerate() {
                *event = self.draw(first + place);
                graph.touch(&self.entities[event.0..event.0 + self.words], event.1);
            }
            for (at, time, value) in block {
                let entity = &mut self.entities[at..at + self.words];
                graph.fold(entity, &mut [], &mut self.shared, time, &[value], &mut self.out);
                black_box(&self.out);
            }
        }
    }

    /// The place of a chosen entity's words, the time of the event with this number, and its value.
    fn draw(&mut self, number: usize) -> (usize, EventTime, f64) {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let entity = (self.seed >> 33) as usize % self.number;
        let time = 1_700_000_000_000_000 + number as i64 * (1_000_000 / EVENTS_PER_SECOND);
        (entity * self.words, EventTime(time), (self.seed >> 40) as f64)
    }
}

#[expect(clippy::disallowed_methods, reason = "a program that measures is the edge that owns the clock")]
fn measure(entities: usize, name: &str, specs: &[FeatureSpec]) {
    let graph = Graph::new(specs.to_vec()).expect("the features of this example are valid");
    let mut memory = Memory::new(&graph, entities);
    memory.run(&graph, 0);
    let started = Instant::now();
    memory.run(&graph, EVENTS);
    let nanos = started.elapsed().as_nanos() as f64 / EVENTS as f64;
    println!("{entities:>9} {name:>22} {:>9} {nanos:>12.0} {:>12}", graph.names().len(), memory.words * 8);
}
