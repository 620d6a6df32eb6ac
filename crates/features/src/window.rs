//! A rolling window is a ring of [`PANES`] panes, each holding the accumulators of one twelfth of its length, and a
//! running total of all of them. A new event touches one pane and the total; only when the window moves on and a pane
//! that held something falls out is the total merged anew from the panes that remain. So an event costs the same
//! whatever the length, and nothing is ever subtracted, which would let rounding errors build up.
//!
//! Words of an entity. The *hot* part is read for every event, so those of all windows lie together at the front; of
//! the ring an event usually touches one pane.
//!
//! ```text
//! hot    newest pane number | which slots of the ring are filled, as bits | total: the words of one pane
//! ring   slot 0 | … | slot 11         pane number p lies in slot p mod 12; what is in an unfilled slot means nothing
//! pane   for each cell its accumulator's words; a cell is one accumulator of one column
//! ```

use crate::accumulator::{Accumulator, mean, usable, variance};
use crate::baseline::standardise;
use crate::spec::Measure;

/// Panes of a window: it moves in steps of this part of its length.
pub const PANES: usize = 12;
const ALL_SLOTS: u32 = (1 << PANES) - 1;
/// Words before the total.
const HEAD: usize = 2;

/// A feature asked of a window: where its value comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) measure: Measure,
    /// Index of the column; `None` counts events.
    pub(crate) input: Option<usize>,
    /// Index of the feature.
    pub(crate) output: usize,
}

/// One accumulator of one column, at a fixed place within a pane.
#[derive(Clone, Copy, Debug)]
struct Cell {
    accumulator: Accumulator,
    input: Option<usize>,
    at: usize,
}

/// How a feature's value follows from the words of the total.
#[derive(Clone, Copy, Debug)]
enum Reading {
    Word,
    Mean,
    Deviation,
    Extreme,
}

#[derive(Clone, Copy, Debug)]
struct Output {
    reading: Reading,
    at: usize,
    output: usize,
}

/// A z-score: reads the total before the event is in it.
#[derive(Clone, Copy, Debug)]
struct ZscoreOutput {
    input: usize,
    at: usize,
    output: usize,
}

/// All features over windows of one length.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    resolution_micros: i64,
    pane_words: usize,
    cells: Vec<Cell>,
    outputs: Vec<Output>,
    zscores: Vec<ZscoreOutput>,
}

impl Window {
    /// Lays out the accumulators that the wanted features need, and no others.
    pub(crate) fn new(length_micros: i64, wanted: &[Wanted]) -> Self {
        let mut window = Self {
            // Rounded up, so that twelve panes are never shorter than the window.
            resolution_micros: (length_micros as u64).div_ceil(PANES as u64) as i64,
            pane_words: 0,
            cells: Vec::new(),
            outputs: Vec::new(),
            zscores: Vec::new(),
        };
        for (number, feature) in wanted.iter().enumerate() {
            if wanted[..number].iter().all(|before| before.input != feature.input) {
                window.lay_out(feature.input, wanted);
            }
            window.connect(*feature);
        }
        window
    }

    /// Adds the cells of one column.
    fn lay_out(&mut self, input: Option<usize>, wanted: &[Wanted]) {
        let asked = |measure| wanted.iter().any(|feature| feature.input == input && feature.measure == measure);
        let (count, sum) = (asked(Measure::Count), asked(Measure::Sum));
        let main = if asked(Measure::StandardDeviation) || asked(Measure::Zscore) {
            Some(Accumulator::Moments)
        } else if asked(Measure::Mean) || (count && sum) {
            Some(Accumulator::Average)
        } else if count {
            Some(Accumulator::Count)
        } else {
            sum.then_some(Accumulator::Sum)
        };
        let smallest = asked(Measure::Min).then_some(Accumulator::Minimum);
        let largest = asked(Measure::Max).then_some(Accumulator::Maximum);
        for accumulator in [main, smallest, largest].into_iter().flatten() {
            self.cells.push(Cell { accumulator, input, at: self.pane_words });
            self.pane_words += accumulator.words();
        }
    }

    /// Finds the words from which one feature is read.
    fn connect(&mut self, Wanted { measure, input, output }: Wanted) {
        let holds = |accumulator: Accumulator| match measure {
            Measure::Min => accumulator == Accumulator::Minimum,
            Measure::Max => accumulator == Accumulator::Maximum,
            _ => !matches!(accumulator, Accumulator::Minimum | Accumulator::Maximum),
        };
        let cell = *self
            .cells
            .iter()
            .find(|cell| cell.input == input && holds(cell.accumulator))
            .expect("`lay_out` has made a cell for every wanted measure of this column");
        let (reading, at) = match measure {
            Measure::Count => (Reading::Word, cell.at),
            Measure::Sum if cell.accumulator == Accumulator::Sum => (Reading::Word, cell.at),
            Measure::Sum => (Reading::Word, cell.at + 1),
            Measure::Mean => (Reading::Mean, cell.at),
            Measure::StandardDeviation => (Reading::Deviation, cell.at),
            Measure::Min | Measure::Max => (Reading::Extreme, cell.at),
            Measure::Zscore => {
                let input = input.expect("a feature without a column is a count: `FeatureSpec::check`");
                return self.zscores.push(ZscoreOutput { input, at: cell.at, output });
            }
        };
        self.outputs.push(Output { reading, at, output });
    }

    /// Words in the hot part.
    pub(crate) fn hot_words(&self) -> usize {
        HEAD + self.pane_words
    }

    /// Words in the ring.
    pub(crate) fn ring_words(&self) -> usize {
        PANES * self.pane_words
    }

    /// Makes it remember nothing.
    pub(crate) fn clear(&self, hot: &mut [f64]) {
        hot[..HEAD].fill(0.0);
        self.clear_pane(&mut hot[HEAD..]);
    }

    /// Reads one word of each cache line that [`Window::fold`] is about to need, without doing anything with it: the
    /// rings of a hundred thousand entities lie in main memory, and waits that begin together end together.
    #[inline]
    pub(crate) fn touch(&self, hot: &[f64], ring: &[f64], time: i64) -> f64 {
        const LINE_WORDS: usize = 8;
        let pane = time.div_euclid(self.resolution_micros);
        if pane > hot[0] as i64 {
            return ring.iter().step_by(LINE_WORDS).fold(0.0, |sum, word| sum + word);
        }
        ring[pane.rem_euclid(PANES as i64) as usize * self.pane_words]
    }

    /// Takes one event and writes the features. An event older than the window is not taken in; the features are
    /// those of the window all the same.
    #[inline]
    pub(crate) fn fold(&self, hot: &mut [f64], ring: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let pane = time.div_euclid(self.resolution_micros);
        let (head, total) = hot.split_at_mut(HEAD);
        let inside = self.advance(head, total, ring, pane);
        for zscore in &self.zscores {
            out[zscore.output] = against(inputs[zscore.input], &total[zscore.at..]);
        }
        if inside {
            self.add(head, total, ring, pane, inputs);
        }
        for feature in &self.outputs {
            let words = &total[feature.at..];
            out[feature.output] = match feature.reading {
                Reading::Word => words[0],
                Reading::Mean => mean(words),
                Reading::Deviation => variance(words).sqrt(),
                Reading::Extreme => Some(words[0]).filter(|value| value.is_finite()).unwrap_or(f64::NAN),
            };
        }
    }

    /// Moves the window on to the pane, if that is newer than all before; answers whether the pane lies inside.
    #[inline]
    fn advance(&self, head: &mut [f64], total: &mut [f64], ring: &[f64], pane: i64) -> bool {
        let (newest, filled) = (head[0] as i64, head[1] as u32);
        if filled != 0 && pane <= newest {
            return newest.saturating_sub(pane) < PANES as i64;
        }
        head[0] = pane as f64;
        if filled != 0 {
            let fallen = filled & slots_between(newest, pane);
            if fallen != 0 {
                head[1] = f64::from(filled & !fallen);
                self.merge_panes(total, ring, filled & !fallen);
            }
        }
        true
    }

    /// Makes the total from the panes in the given slots.
    fn merge_panes(&self, total: &mut [f64], ring: &[f64], mut filled: u32) {
        self.clear_pane(total);
        while filled != 0 {
            let slot = filled.trailing_zeros() as usize;
            filled &= filled - 1;
            let pane = &ring[slot * self.pane_words..];
            for cell in &self.cells {
                cell.accumulator.merge(&mut total[cell.at..], &pane[cell.at..]);
            }
        }
    }

    /// Adds the event to its pane and to the total.
    #[inline]
    fn add(&self, head: &mut [f64], total: &mut [f64], ring: &mut [f64], pane: i64, inputs: &[f64]) {
        let slot = pane.rem_euclid(PANES as i64) as usize;
        let pane = &mut ring[slot * self.pane_words..(slot + 1) * self.pane_words];
        let filled = head[1] as u32;
        if filled & (1 << slot) == 0 {
            head[1] = f64::from(filled | (1 << slot));
            self.clear_pane(pane);
        }
        for cell in &self.cells {
            let value = cell.input.map_or(1.0, |input| inputs[input]);
            if usable(value) {
                cell.accumulator.add(&mut pane[cell.at..], value);
                cell.accumulator.add(&mut total[cell.at..], value);
            }
        }
    }

    #[inline]
    fn clear_pane(&self, words: &mut [f64]) {
        for cell in &self.cells {
            cell.accumulator.clear(&mut words[cell.at..]);
        }
    }
}

/// The slots of the panes after `newest` up to and including `pane`, as bits.
fn slots_between(newest: i64, pane: i64) -> u32 {
    let panes = pane.saturating_sub(newest).min(PANES as i64) as u32;
    let first = (newest + 1).rem_euclid(PANES as i64) as u32;
    let bits = ((1_u32 << panes) - 1) << first;
    (bits | bits >> PANES) & ALL_SLOTS
}

/// The z-score of a value against the moments of the others.
#[inline]
fn against(value: f64, moments: &[f64]) -> f64 {
    let variance = variance(moments);
    if variance.is_nan() || !usable(value) { f64::NAN } else { standardise(value, mean(moments), variance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slots_that_fall_out_wrap_around_the_ring() {
        assert_eq!(slots_between(0, 1), 1 << 1);
        assert_eq!(slots_between(10, 13), 1 << 11 | 1 << 0 | 1 << 1);
        assert_eq!(slots_between(-3, -1), 1 << 10 | 1 << 11);
        assert_eq!(slots_between(5, 17), ALL_SLOTS);
        assert_eq!(slots_between(5, 1_000_000_000_000), ALL_SLOTS);
    }

    #[test]
    fn only_the_words_that_are_asked_for_are_kept() {
        let words = |measures: &[Measure]| {
            let wanted: Vec<Wanted> =
                measures.iter().map(|measure| Wanted { measure: *measure, input: Some(0), output: 0 }).collect();
            Window::new(60_000_000, &wanted).pane_words
        };
        assert_eq!(words(&[Measure::Sum]), 1);
        assert_eq!(words(&[Measure::Count, Measure::Count]), 1);
        assert_eq!(words(&[Measure::Sum, Measure::Count, Measure::Mean]), 2);
        assert_eq!(words(&[Measure::Mean, Measure::Zscore]), 3);
        assert_eq!(words(&Measure::ALL), 5);
    }
}
