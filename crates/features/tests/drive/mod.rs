//! Drives a graph by hand: entities and groups by number, state in plain vectors.
#![allow(dead_code, reason = "each test file uses a part of it")]

use lapwing_features::{FeatureSpec, FeatureState, Graph, Layout, Learn, Measure, Nulls, Over};
use lapwing_vocabulary::EventTime;

/// One event of the tests.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) entity: usize,
    pub(crate) time: i64,
    pub(crate) inputs: Vec<f64>,
}

/// A graph and the state of one partition. Entity number e belongs to group e mod 2 of every column of peers.
pub(crate) struct Driver {
    pub(crate) graph: Graph,
    entities: Vec<Vec<f64>>,
    /// For each column of peers its two groups.
    groups: Vec<[Vec<f64>; 2]>,
    shared: Vec<f64>,
}

impl Driver {
    pub(crate) fn new(specs: Vec<FeatureSpec>) -> Self {
        let graph = Graph::new(specs).unwrap();
        let mut shared = vec![0.0; graph.shared_words()];
        graph.init_shared(&mut shared);
        let group = |peers| {
            let mut words = vec![0.0; graph.group_words(peers)];
            graph.init_group(peers, &mut words);
            words
        };
        let groups = (0..graph.peers().len()).map(|peers| [group(peers), group(peers)]).collect();
        Self { entities: Vec::new(), groups, shared, graph }
    }

    pub(crate) fn fold(&mut self, event: Event) -> Vec<f64> {
        while self.entities.len() <= event.entity {
            let mut words = vec![0.0; self.graph.entity_words()];
            self.graph.init_entity(&mut words);
            self.entities.push(words);
        }
        let mut out = vec![f64::NAN; self.graph.names().len()];
        let entity = &mut self.entities[event.entity];
        let mut groups: Vec<f64> = self.groups.iter().flat_map(|groups| groups[event.entity % 2].clone()).collect();
        self.graph.touch(entity, EventTime(event.time));
        self.graph.fold(entity, &mut groups, &mut self.shared, EventTime(event.time), &event.inputs, &mut out);
        let mut rest = &groups[..];
        for group in &mut self.groups {
            let (mine, others) = rest.split_at(group[0].len());
            group[event.entity % 2].copy_from_slice(mine);
            rest = others;
        }
        out
    }

    /// Every word as bits.
    pub(crate) fn state(&self) -> Vec<Vec<u64>> {
        let bits = |words: &Vec<f64>| words.iter().map(|word| word.to_bits()).collect();
        self.entities.iter().chain(self.groups.iter().flatten()).chain([&self.shared]).map(bits).collect()
    }

    /// What stands behind the features of an entity at a moment.
    pub(crate) fn explain(&self, entity: usize, now: EventTime) -> Vec<FeatureState> {
        self.graph.explain(&self.entities[entity], &self.shared, now)
    }

    /// Puts the words of another driver into a fresh graph of the same features.
    pub(crate) fn restore(specs: Vec<FeatureSpec>, from: &Self) -> Self {
        let (entities, groups) = (from.entities.clone(), from.groups.clone());
        Self { entities, groups, shared: from.shared.clone(), ..Self::new(specs) }
    }

    /// Carries the words of another driver over to other features.
    pub(crate) fn carry(specs: Vec<FeatureSpec>, from: &Self) -> Self {
        let mut to = Self::new(specs);
        let layout: Layout = from.graph.layout();
        let carry = to.graph.carry_over(&layout);
        to.entities = from.entities.iter().map(|words| carry.entity(words).unwrap()).collect();
        to.shared = carry.shared(&from.shared).unwrap();
        for (peers, groups) in to.groups.iter_mut().enumerate() {
            if let Some(old) = carry.group_from(peers) {
                *groups = from.groups[old].each_ref().map(|words| carry.group(peers, words).unwrap());
            }
        }
        to
    }
}

pub(crate) fn spec(name: &str, measure: Measure, over: Over) -> FeatureSpec {
    FeatureSpec { name: name.to_owned(), measure, over, nulls: Nulls::Skip, learn: Learn::Robust, fill: None }
}

pub(crate) fn window(length_micros: i64) -> Over {
    Over::Window { length_micros, panes: 12 }
}

pub(crate) fn baseline(length_micros: i64) -> Over {
    Over::Baseline { length_micros, season: None, peers: None }
}

/// A measure of one column by its word in pipeline files; `count` without column.
pub(crate) fn measure(word: &str, column: &str) -> Measure {
    let column = column.to_owned();
    match word {
        "events" => Measure::Count { column: None },
        "count" => Measure::Count { column: Some(column) },
        "sum" => Measure::Sum { column },
        "mean" => Measure::Mean { column },
        "min" => Measure::Min { column },
        "max" => Measure::Max { column },
        "std" => Measure::StandardDeviation { column },
        "event_rate" => Measure::Rate { column: None },
        "rate" => Measure::Rate { column: Some(column) },
        "distinct" => Measure::Distinct { column },
        "median" => Measure::Quantile { column, q_ppm: 500_000 },
        "iqr_position" => Measure::IqrPosition { column },
        "entropy" => Measure::Entropy { column },
        "share" => Measure::Share { column },
        "zscore" => Measure::Zscore { column },
        "robust_zscore" => Measure::RobustZscore { column },
        "ewma" => Measure::Ewma { column },
        "last" => Measure::Last { column },
        "delta" => Measure::Delta { column },
        "velocity" => Measure::Velocity { column },
        "acceleration" => Measure::Acceleration { column },
        "since_event" => Measure::SinceLast { column: None },
        "since_last" => Measure::SinceLast { column: Some(column) },
        "first_seen" => Measure::FirstSeen { column },
        "rarity" => Measure::Rarity { column },
        "surprise" => Measure::Surprise { column },
        "correlation" => Measure::Correlation { column: Some(column), peers: "kind".into() },
        "event_correlation" => Measure::Correlation { column: None, peers: "kind".into() },
        "sequence" => Measure::Sequence { column, length: 3 },
        _ => panic!("no measure `{word}`"),
    }
}
