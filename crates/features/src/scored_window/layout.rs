use super::columns::{WindowColumn, WindowMeasure};
use super::spec::Texts;
use crate::accumulator::Accumulator;

/// One accumulator of one column, at a fixed place within the words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) accumulator: Accumulator,
    /// Index of the column.
    pub(super) input: usize,
    pub(super) at: usize,
}

/// Up to as many labels each count has a word of its own, beyond that only those that are not 0: 512 bytes a window.
const DENSE_LABELS_MAX: usize = 64;

/// The oldest or the newest value of one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EdgeOf {
    /// Index of the column; `None` for all events.
    pub(super) input: Option<usize>,
    pub(super) newest: bool,
}

/// Counts of codes, a word each from a fixed place on.
#[derive(Clone, Copy, Debug)]
pub(super) struct CodesOf {
    /// Index of the column.
    pub(super) input: usize,
    pub(super) labels: usize,
    pub(super) at: usize,
}

/// Counts of codes of which most are 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct TallyOf {
    /// Index of the column.
    pub(super) input: usize,
    pub(super) labels: usize,
}

/// The oldest values of one column.
#[derive(Clone, Copy, Debug)]
pub(super) struct SequenceOf {
    /// Index of the column.
    pub(super) input: usize,
    pub(super) length: usize,
}

/// How the values of one column of a row follow from what is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    Events,
    Word(usize),
    Mean(usize),
    Deviation(usize),
    Extreme(usize),
    Edge(usize),
    Distinct(usize),
    Codes { at: usize, labels: usize },
    Tally(usize),
    Sequence(usize),
    Span { oldest: usize, newest: usize },
}

/// What is remembered of the events of a window, and where.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// Names of the columns that are read.
    pub(super) columns: Vec<String>,
    pub(super) cells: Vec<Cell>,
    pub(super) edges: Vec<EdgeOf>,
    /// Indices of the columns whose different values are counted.
    pub(super) distincts: Vec<usize>,
    pub(super) codes: Vec<CodesOf>,
    pub(super) tallies: Vec<TallyOf>,
    pub(super) sequences: Vec<SequenceOf>,
    pub(super) texts: Option<Texts>,
    pub(super) readings: Vec<Reading>,
    /// Values of a row.
    pub(super) width: usize,
    /// The words of no event.
    pub(super) empty_words: Vec<f64>,
}

impl Layout {
    /// Lays out what the columns of a row need.
    pub(super) fn new(columns: &[WindowColumn], texts: Option<Texts>) -> Self {
        let mut layout = Self { texts, ..Self::default() };
        for column in columns {
            let reading = layout.lay_out(column);
            layout.readings.push(reading);
            layout.width += layout.values_of(reading);
        }
        layout
    }

    fn lay_out(&mut self, column: &WindowColumn) -> Reading {
        // Only a count and a span may lack their column: `ScoredWindowSpec::check`.
        let input = column.column.as_deref().map(|name| self.input(name));
        if column.measure == WindowMeasure::Span {
            let [oldest, newest] = [false, true].map(|newest| self.edge(EdgeOf { input, newest }));
            return Reading::Span { oldest, newest };
        }
        let Some(input) = input else { return Reading::Events };
        match column.measure {
            WindowMeasure::Count => Reading::Word(self.cell(Accumulator::Count, input)),
            WindowMeasure::Sum => Reading::Word(self.cell(Accumulator::Sum, input)),
            WindowMeasure::Mean => Reading::Mean(self.cell(Accumulator::Average, input)),
            WindowMeasure::Std => Reading::Deviation(self.cell(Accumulator::Moments, input)),
            WindowMeasure::Min => Reading::Extreme(self.cell(Accumulator::Minimum, input)),
            WindowMeasure::Max => Reading::Extreme(self.cell(Accumulator::Maximum, input)),
            WindowMeasure::First | WindowMeasure::Last => {
                Reading::Edge(self.edge(EdgeOf { input: Some(input), newest: column.measure == WindowMeasure::Last }))
            }
            WindowMeasure::Distinct => {
                self.distincts.push(input);
                Reading::Distinct(self.distincts.len() - 1)
            }
            WindowMeasure::Counts => self.counts(input, column.labels.len()),
            WindowMeasure::Sequence => {
                self.sequences.push(SequenceOf { input, length: column.length });
                Reading::Sequence(self.sequences.len() - 1)
            }
            WindowMeasure::Span => unreachable!("spans are laid out above, for they may lack a column"),
        }
    }

    fn counts(&mut self, input: usize, labels: usize) -> Reading {
        if labels > DENSE_LABELS_MAX {
            self.tallies.push(TallyOf { input, labels });
            return Reading::Tally(self.tallies.len() - 1);
        }
        let at = self.empty_words.len();
        self.empty_words.resize(at + labels + 1, 0.0);
        self.codes.push(CodesOf { input, labels, at });
        Reading::Codes { at, labels }
    }

    /// Number of values that a reading gives.
    fn values_of(&self, reading: Reading) -> usize {
        match reading {
            Reading::Codes { labels, .. } => labels + 1,
            Reading::Tally(index) => self.tallies[index].labels + 1,
            Reading::Sequence(index) => self.sequences[index].length,
            _ => 1,
        }
    }

    /// Whether more is remembered than words, edges and different values.
    pub(super) fn has_lists(&self) -> bool {
        !self.tallies.is_empty() || !self.sequences.is_empty() || self.texts.is_some()
    }

    fn edge(&mut self, edge: EdgeOf) -> usize {
        self.edges.push(edge);
        self.edges.len() - 1
    }

    fn input(&mut self, name: &str) -> usize {
        if let Some(known) = self.columns.iter().position(|column| column == name) {
            return known;
        }
        self.columns.push(name.to_owned());
        self.columns.len() - 1
    }

    fn cell(&mut self, accumulator: Accumulator, input: usize) -> usize {
        let at = self.empty_words.len();
        self.empty_words.resize(at + accumulator.words(), 0.0);
        accumulator.clear(&mut self.empty_words[at..]);
        self.cells.push(Cell { accumulator, input, at });
        at
    }
}
