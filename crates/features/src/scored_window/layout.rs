use super::spec::{WindowColumn, WindowMeasure};
use crate::accumulator::Accumulator;

/// One accumulator of one column, at a fixed place within the words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) accumulator: Accumulator,
    /// Index of the column.
    pub(super) input: usize,
    pub(super) at: usize,
}

/// The oldest or the newest value of one column.
#[derive(Clone, Copy, Debug)]
pub(super) struct EdgeOf {
    /// Index of the column.
    pub(super) input: usize,
    pub(super) newest: bool,
}

/// How one value of a row follows from what is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    Events,
    Word(usize),
    Mean(usize),
    Deviation(usize),
    Extreme(usize),
    Edge(usize),
    Distinct(usize),
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
    pub(super) readings: Vec<Reading>,
    /// The words of no event.
    pub(super) empty_words: Vec<f64>,
}

impl Layout {
    /// Lays out what the columns of a row need.
    pub(super) fn new(columns: &[WindowColumn]) -> Self {
        let mut layout = Self::default();
        for column in columns {
            let reading = layout.lay_out(column);
            layout.readings.push(reading);
        }
        layout
    }

    fn lay_out(&mut self, column: &WindowColumn) -> Reading {
        // Only a count may lack its column: `ScoredWindowSpec::check`.
        let Some(name) = &column.column else { return Reading::Events };
        let input = self.input(name);
        match column.measure {
            WindowMeasure::Count => Reading::Word(self.cell(Accumulator::Count, input)),
            WindowMeasure::Sum => Reading::Word(self.cell(Accumulator::Sum, input)),
            WindowMeasure::Mean => Reading::Mean(self.cell(Accumulator::Average, input)),
            WindowMeasure::Std => Reading::Deviation(self.cell(Accumulator::Moments, input)),
            WindowMeasure::Min => Reading::Extreme(self.cell(Accumulator::Minimum, input)),
            WindowMeasure::Max => Reading::Extreme(self.cell(Accumulator::Maximum, input)),
            WindowMeasure::First | WindowMeasure::Last => {
                self.edges.push(EdgeOf { input, newest: column.measure == WindowMeasure::Last });
                Reading::Edge(self.edges.len() - 1)
            }
            WindowMeasure::Distinct => {
                self.distincts.push(input);
                Reading::Distinct(self.distincts.len() - 1)
            }
        }
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
