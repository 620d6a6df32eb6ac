use lapwing_vocabulary::time::SECOND;

use super::distinct::Distinct;
use super::layout::{EdgeOf, Layout, Reading};
use super::offsets::Offsets;
use super::row::WindowText;
use super::rules::Event;
use super::sequence::{Sequence, Step};
use super::tally::{Tally, slot_of};
use super::texts::Kept;
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
    /// `None` if the layout has none: most have not, and then a window is smaller.
    pub(super) lists: Option<Box<Lists>>,
}

/// What grows with the events, within bounds.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    pub(super) tallies: Box<[Tally]>,
    pub(super) sequences: Box<[Sequence]>,
    pub(super) texts: Kept,
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
            lists: layout.has_lists().then(|| Box::new(Lists::new(layout))),
        }
    }

    /// Adds one event. A value that is missing is null.
    pub(super) fn add(&mut self, layout: &Layout, event: &Event) {
        let Event { time, offset, .. } = *event;
        let value_of = |input: usize| event.inputs.get(input).copied().filter(|value| usable(*value));
        self.events = self.events.saturating_add(1);
        self.offsets.add(offset);
        for cell in &layout.cells {
            if let Some(value) = value_of(cell.input) {
                cell.accumulator.add(&mut self.words[cell.at..], value);
            }
        }
        for (edge, of) in self.edges.iter_mut().zip(&layout.edges) {
            if let Some(value) = of.input.map_or(Some(0.0), value_of) {
                keep_outer(edge, Edge { time, offset, value }, *of);
            }
        }
        for (distinct, input) in self.distincts.iter_mut().zip(&layout.distincts) {
            if let Some(value) = value_of(*input) {
                distinct.add(value);
            }
        }
        for of in &layout.codes {
            if let Some(value) = value_of(of.input) {
                self.words[of.at + slot_of(value, of.labels)] += 1.0;
            }
        }
        if let Some(lists) = &mut self.lists {
            lists.add(layout, event, value_of);
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
        for of in &layout.codes {
            let slots = of.at..=of.at + of.labels;
            self.words[slots.clone()].iter_mut().zip(&other.words[slots]).for_each(|(own, their)| *own += their);
        }
        if let (Some(lists), Some(other)) = (&mut self.lists, &other.lists) {
            lists.merge(layout, other);
        }
    }

    /// The values of a row. A missing value is always the same NaN, for told values are stored.
    pub(super) fn values(&self, layout: &Layout) -> Vec<f64> {
        let mut values = Vec::with_capacity(layout.width);
        layout.readings.iter().for_each(|reading| self.read(*reading, layout, &mut values));
        values
    }

    fn read(&self, reading: Reading, layout: &Layout, values: &mut Vec<f64>) {
        values.push(match reading {
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
            Reading::Span { oldest, newest } => match (self.edges[oldest], self.edges[newest]) {
                (Some(oldest), Some(newest)) => (newest.time - oldest.time) as f64 / SECOND as f64,
                _ => f64::NAN,
            },
            Reading::Codes { at, labels } => return values.extend_from_slice(&self.words[at..=at + labels]),
            Reading::Tally(index) => {
                let from = values.len();
                values.resize(from + layout.tallies[index].labels + 1, 0.0);
                let tally = self.lists.iter().flat_map(|lists| lists.tallies[index].entries());
                return tally.for_each(|(slot, events)| values[from + slot] = events as f64);
            }
            Reading::Sequence(index) => {
                let end = values.len() + layout.sequences[index].length;
                values.extend(self.lists.iter().flat_map(|lists| lists.sequences[index].as_slice()).map(|s| s.value));
                return values.resize(end, f64::NAN);
            }
        });
    }

    /// The texts of the oldest and newest events.
    pub(super) fn texts(&self) -> Vec<WindowText> {
        self.lists.as_ref().map_or_else(Vec::new, |lists| lists.texts.as_slice().to_vec())
    }

    /// Memory behind the pointers. Units: bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.offsets.memory_bytes()
            + size_of_val(&*self.words)
            + size_of_val(&*self.edges)
            + size_of_val(&*self.distincts)
            + self.distincts.iter().map(Distinct::memory_bytes).sum::<usize>()
            + self.lists.as_ref().map_or(0, |lists| size_of::<Lists>() + lists.memory_bytes())
    }
}

impl Lists {
    fn new(layout: &Layout) -> Self {
        Self {
            tallies: vec![Tally::default(); layout.tallies.len()].into(),
            sequences: vec![Sequence::default(); layout.sequences.len()].into(),
            texts: Kept::default(),
        }
    }

    fn add(&mut self, layout: &Layout, event: &Event, value_of: impl Fn(usize) -> Option<f64>) {
        for (tally, of) in self.tallies.iter_mut().zip(&layout.tallies) {
            if let Some(value) = value_of(of.input) {
                tally.add(slot_of(value, of.labels), 1);
            }
        }
        for (sequence, of) in self.sequences.iter_mut().zip(&layout.sequences) {
            if let Some(value) = value_of(of.input) {
                sequence.add(Step { time: event.time, offset: event.offset, value }, of.length);
            }
        }
        if let (Some(of), Some(text)) = (layout.texts, event.text) {
            self.texts.add(event, text, of);
        }
    }

    fn merge(&mut self, layout: &Layout, other: &Self) {
        self.tallies.iter_mut().zip(&other.tallies).for_each(|(tally, other)| tally.merge(other));
        for ((sequence, other), of) in self.sequences.iter_mut().zip(&other.sequences).zip(&layout.sequences) {
            sequence.merge(other, of.length);
        }
        if let Some(of) = layout.texts {
            self.texts.merge(&other.texts, of);
        }
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(&*self.tallies)
            + size_of_val(&*self.sequences)
            + self.tallies.iter().map(Tally::memory_bytes).sum::<usize>()
            + self.sequences.iter().map(Sequence::memory_bytes).sum::<usize>()
            + self.texts.memory_bytes()
    }
}

fn keep_outer(edge: &mut Option<Edge>, other: Edge, of: EdgeOf) {
    let place = |edge: &Edge| (edge.time, edge.offset);
    let further = |known: &Edge| if of.newest { place(&other) > place(known) } else { place(&other) < place(known) };
    if edge.as_ref().is_none_or(further) {
        *edge = Some(other);
    }
}
