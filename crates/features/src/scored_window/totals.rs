use super::distinct::Distinct;
use super::layout::{EdgeOf, Layout, Reading};
use super::offsets::Offsets;
use crate::accumulator::{mean, usable, variance};

/// A value and the event it is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    pub(super) time: i64,
    pub(super) offset: i64,
    pub(super) value: f64,
}

/// What is remembered of the events of one window or pane.
#[derive(Clone, Debug)]
pub(super) struct Totals {
    pub(super) events: u64,
    pub(super) offsets: Offsets,
    pub(super) words: Box<[f64]>,
    pub(super) edges: Box<[Option<Edge>]>,
    pub(super) distincts: Box<[Distinct]>,
}

impl Totals {
    /// Of no event.
    pub(super) fn new(layout: &Layout) -> Self {
        Self {
            events: 0,
            offsets: Offsets::default(),
            words: layout.empty_words.as_slice().into(),
            edges: vec![None; layout.edges.len()].into(),
            distincts: vec![Distinct::default(); layout.distincts.len()].into(),
        }
    }

    /// Adds one event. A value that is missing is null.
    pub(super) fn add(&mut self, layout: &Layout, time: i64, offset: i64, inputs: &[f64]) {
        let value_of = |input: usize| inputs.get(input).copied().filter(|value| usable(*value));
        self.events = self.events.saturating_add(1);
        self.offsets.add(offset);
        for cell in &layout.cells {
            if let Some(value) = value_of(cell.input) {
                cell.accumulator.add(&mut self.words[cell.at..], value);
            }
        }
        for (edge, of) in self.edges.iter_mut().zip(&layout.edges) {
            if let Some(value) = value_of(of.input) {
                keep_outer(edge, Edge { time, offset, value }, *of);
            }
        }
        for (distinct, input) in self.distincts.iter_mut().zip(&layout.distincts) {
            if let Some(value) = value_of(*input) {
                distinct.add(value);
            }
        }
    }

    /// Adds the events of another window or pane.
    pub(super) fn merge(&mut self, layout: &Layout, other: &Self) {
        self.events = self.events.saturating_add(other.events);
        self.offsets.merge(&other.offsets);
        for cell in &layout.cells {
            cell.accumulator.merge(&mut self.words[cell.at..], &other.words[cell.at..]);
        }
        for ((edge, other), of) in self.edges.iter_mut().zip(&other.edges).zip(&layout.edges) {
            if let Some(other) = other {
                keep_outer(edge, *other, *of);
            }
        }
        self.distincts.iter_mut().zip(&other.distincts).for_each(|(distinct, other)| distinct.merge(other));
    }

    /// The values of a row. A missing value is always the same NaN, for told values are stored.
    pub(super) fn values(&self, layout: &Layout) -> Vec<f64> {
        let read = |reading: &Reading| match *reading {
            Reading::Events => self.events as f64,
            Reading::Word(at) => self.words[at],
            Reading::Mean(at) if self.words[at] == 0.0 => f64::NAN,
            Reading::Mean(at) => mean(&self.words[at..]),
            Reading::Deviation(at) => {
                Some(variance(&self.words[at..])).filter(|variance| !variance.is_nan()).map_or(f64::NAN, f64::sqrt)
            }
            Reading::Extreme(at) => Some(self.words[at]).filter(|value| value.is_finite()).unwrap_or(f64::NAN),
            Reading::Edge(at) => self.edges[at].map_or(f64::NAN, |edge| edge.value),
            Reading::Distinct(at) => self.distincts[at].count(),
        };
        layout.readings.iter().map(read).collect()
    }

    /// Memory behind the pointers. Units: bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.offsets.memory_bytes()
            + size_of_val(&*self.words)
            + size_of_val(&*self.edges)
            + size_of_val(&*self.distincts)
            + self.distincts.iter().map(Distinct::memory_bytes).sum::<usize>()
    }
}

fn keep_outer(edge: &mut Option<Edge>, other: Edge, of: EdgeOf) {
    let place = |edge: &Edge| (edge.time, edge.offset);
    let further = |known: &Edge| if of.newest { place(&other) > place(known) } else { place(&other) < place(known) };
    if edge.as_ref().is_none_or(further) {
        *edge = Some(other);
    }
}
