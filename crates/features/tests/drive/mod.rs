//! Drives a graph by hand: entities by number, state in plain vectors.

use lapwing_features::{FeatureSpec, Graph, Measure, Over};
use lapwing_vocabulary::EventTime;

/// One event of the tests.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) entity: usize,
    pub(crate) time: i64,
    pub(crate) inputs: Vec<f64>,
}

/// A graph and the state of one partition.
pub(crate) struct Driver {
    pub(crate) graph: Graph,
    entities: Vec<Vec<f64>>,
    shared: Vec<f64>,
}

impl Driver {
    pub(crate) fn new(specs: Vec<FeatureSpec>) -> Self {
        let graph = Graph::new(specs).unwrap();
        let mut shared = vec![0.0; graph.shared_words()];
        graph.init_shared(&mut shared);
        Self { graph, entities: Vec::new(), shared }
    }

    pub(crate) fn fold(&mut self, event: Event) -> Vec<f64> {
        while self.entities.len() <= event.entity {
            let mut words = vec![0.0; self.graph.entity_words()];
            self.graph.init_entity(&mut words);
            self.entities.push(words);
        }
        let mut out = vec![f64::NAN; self.graph.names().len()];
        let entity = &mut self.entities[event.entity];
        self.graph.fold(entity, &mut self.shared, EventTime(event.time), &event.inputs, &mut out);
        out
    }

    /// Every word as bits.
    #[allow(dead_code)]
    pub(crate) fn state(&self) -> Vec<Vec<u64>> {
        let bits = |words: &Vec<f64>| words.iter().map(|word| word.to_bits()).collect();
        self.entities.iter().chain([&self.shared]).map(bits).collect()
    }

    /// Puts the words of another driver into a fresh graph of the same features.
    #[allow(dead_code)]
    pub(crate) fn restore(specs: Vec<FeatureSpec>, from: &Self) -> Self {
        let entities = from.entities.clone();
        Self { entities, shared: from.shared.clone(), ..Self::new(specs) }
    }
}

pub(crate) fn spec(name: &str, measure: Measure, column: Option<&str>, over: Over) -> FeatureSpec {
    FeatureSpec { name: name.to_owned(), measure, column: column.map(str::to_owned), over }
}
