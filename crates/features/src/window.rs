//! A rolling window is a ring of panes, each holding the accumulators of an equal part of its length, and a running
//! total of all of them. A new event touches one pane and the total; only when the window moves on and a pane that
//! held something falls out is the total merged anew from the panes that remain. So an event costs the same whatever
//! the length, and nothing is ever subtracted, which would let rounding errors build up.
//!
//! Words of an entity. The *hot* part is read for every event, so those of all windows lie together at the front; of
//! the ring an event usually touches one pane.
//!
//! ```text
//! hot    newest pane number | which slots of the ring are filled, as bits of a u64 | total: the words of one pane
//! ring   slot 0 | slot 1 | …          pane number p lies in slot p mod panes; what is in an unfilled slot means nothing
//! pane   for each cell its accumulator's words; a cell is one accumulator of one column
//! ```

/// What stands behind the features of a window.
mod samples;

use std::ops::Range;

use lapwing_vocabulary::time::SECOND;

use crate::accumulator::{
    ACCUMULATORS, Accumulator, distinct, entropy, mean, quantiles, quartiles, share, usable, variance,
};
use crate::baseline::{standardise, standardise_by};
use crate::division::Divisor;
use crate::input::Input;
use crate::layout::{Piece, Whole};
use crate::spec::{Measure, PPM};

/// Words before the total.
const HEAD: usize = 2;
/// Standard deviations of a normal distribution between its quartiles.
const IQR_DEVIATIONS: f64 = 1.349;

/// A feature asked of a window: where its value comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) measure: &'a Measure,
    /// The column; `None` counts events.
    pub(crate) input: Option<Input>,
    /// Index of the feature.
    pub(crate) output: usize,
}

/// One accumulator of one column, at a fixed place within a pane.
#[derive(Clone, Copy, Debug)]
struct Cell {
    accumulator: Accumulator,
    input: Option<Input>,
    at: usize,
}

/// How a feature's value follows from the words of the total.
#[derive(Clone, Copy, Debug)]
enum Reading {
    Word,
    /// The word, per so many seconds.
    Rate(f64),
    Mean,
    Deviation,
    Extreme,
    Distinct,
    /// The quantile of this share.
    Quantile(f64),
    Entropy,
    Share,
}

/// How the event's value compares with the total before it.
#[derive(Clone, Copy, Debug)]
enum Judgement {
    Zscore,
    IqrPosition,
    RobustZscore,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Read(Reading),
    Judge(Judgement),
}

#[derive(Clone, Copy, Debug)]
struct Output<R> {
    reading: R,
    input: Option<Input>,
    at: usize,
    output: usize,
}

/// All features over windows of one length with equal panes.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    length_micros: i64,
    panes: usize,
    resolution: Divisor,
    slots: Divisor,
    pane_words: usize,
    cells: Vec<Cell>,
    /// What is read when the event is in.
    outputs: Vec<Output<Reading>>,
    /// What is read before.
    judgements: Vec<Output<Judgement>>,
}

impl Window {
    /// Whether a window keeps this measure.
    pub(crate) fn keeps(measure: &Measure) -> bool {
        kept(measure, SECOND).is_some()
    }

    /// Lays out the accumulators that the wanted features need, and no others.
    pub(crate) fn new(length_micros: i64, panes: usize, wanted: &[Wanted]) -> Self {
        let mut window = Self {
            length_micros,
            panes,
            // Rounded up, so that the panes together are never shorter than the window.
            resolution: Divisor::new((length_micros as u64).div_ceil(panes as u64) as i64),
            slots: Divisor::new(panes as i64),
            pane_words: 0,
            cells: Vec::new(),
            outputs: Vec::new(),
            judgements: Vec::new(),
        };
        for (number, feature) in wanted.iter().enumerate() {
            if wanted[..number].iter().all(|before| before.input != feature.input) {
                window.lay_out(feature.input, wanted);
            }
            window.connect(*feature);
        }
        window
    }

    /// Adds the cells of one column: those asked for that no other one asked for holds as well.
    fn lay_out(&mut self, input: Option<Input>, wanted: &[Wanted]) {
        let same = wanted.iter().filter(|feature| feature.input == input);
        let asked: Vec<Accumulator> =
            same.filter_map(|feature| Some(kept(feature.measure, self.length_micros)?.0)).collect();
        for kind in ACCUMULATORS.into_iter().filter(|kind| asked.contains(kind)) {
            if asked.iter().any(|other| *other != kind && other.place_of(kind).is_some()) {
                continue;
            }
            self.cells.push(Cell { accumulator: kind, input, at: self.pane_words });
            self.pane_words += kind.words();
        }
    }

    /// Connects a feature with its cell.
    fn connect(&mut self, Wanted { measure, input, output }: Wanted) {
        let Some((kind, how)) = kept(measure, self.length_micros) else { return };
        let place = |cell: &Cell| Some(cell.at + cell.accumulator.place_of(kind).filter(|_| cell.input == input)?);
        let at = self.cells.iter().find_map(place).expect("every accumulator asked for was laid out");
        match how {
            How::Read(reading) => self.outputs.push(Output { reading, input, at, output }),
            How::Judge(reading) => self.judgements.push(Output { reading, input, at, output }),
        }
    }

    /// Words in the hot part.
    pub(crate) fn hot_words(&self) -> usize {
        HEAD + self.pane_words
    }

    /// Words in the ring.
    pub(crate) fn ring_words(&self) -> usize {
        self.panes * self.pane_words
    }

    /// Makes it remember nothing.
    pub(crate) fn clear(&self, hot: &mut [f64], ring: &mut [f64]) {
        hot[..HEAD].fill(0.0);
        self.clear_pane(&mut hot[HEAD..]);
        ring.chunks_exact_mut(self.pane_words).for_each(|pane| self.clear_pane(pane));
    }

    /// What its words are, those of the hot part and those of the ring. `hot_at` is where the hot part will lie among
    /// the words of an entity.
    pub(crate) fn pieces(&self, columns: &[String], hot_at: usize) -> (Vec<Piece>, Vec<Piece>) {
        let window = format!("window {}/{}", self.length_micros, self.panes);
        let pane = |place: &str, slots: u64| -> Vec<Piece> {
            let parts =
                self.cells.iter().flat_map(|cell| cell.accumulator.parts().iter().map(move |part| (cell, *part)));
            let piece = |(cell, (part, words)): (&Cell, (&str, usize))| {
                let input = Input::name(cell.input, columns);
                let whole = Whole { cell: format!("{window} {place} {input}"), filled_at: hot_at + 1, slots };
                let together = (cell.accumulator.parts().len() > 1).then_some(whole);
                Piece::new(format!("{window} {place} {part} of {input}"), words, together)
            };
            parts.map(piece).collect()
        };
        let mut hot = vec![Piece::new(format!("{window} head"), HEAD, None)];
        hot.extend(pane("total", u64::MAX));
        let ring = (0..self.panes).flat_map(|slot| pane(&format!("slot {slot}"), 1 << slot)).collect();
        (hot, ring)
    }

    /// Reads one word of each cache line that [`Window::fold`] is about to need, without doing anything with it: the
    /// rings of a hundred thousand entities lie in main memory, and waits that begin together end together.
    #[inline]
    pub(crate) fn touch(&self, hot: &[f64], ring: &[f64], time: i64) -> u64 {
        let pane = self.pane_of(time);
        let needed = if pane > hot[0] as i64 { ring } else { &ring[self.slot_words(pane)] };
        fetch(needed)
    }

    /// Takes one event and writes the features. An event older than the window is not taken in; the features are
    /// those of the window all the same.
    #[inline]
    pub(crate) fn fold(&self, hot: &mut [f64], ring: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let pane = self.pane_of(time);
        let (head, total) = hot.split_at_mut(HEAD);
        let inside = self.advance(head, total, ring, pane);
        for feature in &self.judgements {
            let value = feature.input.map_or(f64::NAN, |input| input.read(inputs));
            out[feature.output] = judge(feature.reading, &total[feature.at..], value);
        }
        if inside {
            self.add(head, total, ring, pane, inputs);
        }
        for feature in &self.outputs {
            out[feature.output] = read(feature, &total[feature.at..], inputs);
        }
    }

    #[inline]
    fn pane_of(&self, time: i64) -> i64 {
        self.resolution.divide(time).0
    }

    #[inline]
    fn slot_of(&self, pane: i64) -> usize {
        self.slots.divide(pane).1 as usize
    }

    /// Where the words of a pane lie in the ring.
    #[inline]
    fn slot_words(&self, pane: i64) -> Range<usize> {
        let at = self.slot_of(pane) * self.pane_words;
        at..at + self.pane_words
    }

    /// Moves the window on to the pane, if that is newer than all before; answers whether the pane lies inside.
    #[inline]
    fn advance(&self, head: &mut [f64], total: &mut [f64], ring: &[f64], pane: i64) -> bool {
        let (newest, filled) = (head[0] as i64, head[1].to_bits());
        if filled != 0 && pane <= newest {
            return newest.saturating_sub(pane) < self.panes as i64;
        }
        head[0] = pane as f64;
        if filled != 0 {
            let fallen = filled & self.slots_between(newest, pane);
            if fallen != 0 {
                head[1] = f64::from_bits(filled & !fallen);
                self.merge_panes(total, ring, filled & !fallen);
            }
        }
        true
    }

    /// Makes the total from the panes in the given slots.
    fn merge_panes(&self, total: &mut [f64], ring: &[f64], mut filled: u64) {
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
        let slot = self.slot_of(pane);
        let pane = &mut ring[slot * self.pane_words..(slot + 1) * self.pane_words];
        let filled = head[1].to_bits();
        if filled & (1 << slot) == 0 {
            head[1] = f64::from_bits(filled | (1 << slot));
            self.clear_pane(pane);
        }
        for cell in &self.cells {
            let value = cell.input.map_or(1.0, |input| input.read(inputs));
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

    /// The slots of the panes after `newest` up to and including `pane`, as bits.
    fn slots_between(&self, newest: i64, pane: i64) -> u64 {
        let panes = pane.saturating_sub(newest).min(self.panes as i64) as u32;
        let first = self.slot_of(newest + 1);
        let bits = (1_u64 << panes) - 1;
        let all = (1_u64 << self.panes) - 1;
        (bits << first | bits >> (self.panes - first)) & all
    }
}

/// Reads one word of each cache line and answers something that depends on all of them.
#[inline]
pub(crate) fn fetch(words: &[f64]) -> u64 {
    const LINE_WORDS: usize = 8;
    let (mut at, mut bits) = (0, 0);
    while let Some(word) = words.get(at) {
        (at, bits) = (at + LINE_WORDS, bits ^ word.to_bits());
    }
    bits
}

/// What has to be remembered for a measure over a window of this length, and how it is read from that; `None` for the
/// measures that no window keeps.
fn kept(measure: &Measure, length_micros: i64) -> Option<(Accumulator, How)> {
    let read = |accumulator, reading| Some((accumulator, How::Read(reading)));
    let judge = |accumulator, judgement| Some((accumulator, How::Judge(judgement)));
    let seconds = length_micros as f64 / SECOND as f64;
    match measure {
        Measure::Count { .. } => read(Accumulator::Count, Reading::Word),
        Measure::Sum { .. } => read(Accumulator::Sum, Reading::Word),
        Measure::Rate { column: None } => read(Accumulator::Count, Reading::Rate(seconds)),
        Measure::Rate { column: Some(_) } => read(Accumulator::Sum, Reading::Rate(seconds)),
        Measure::Mean { .. } => read(Accumulator::Average, Reading::Mean),
        Measure::Min { .. } => read(Accumulator::Minimum, Reading::Extreme),
        Measure::Max { .. } => read(Accumulator::Maximum, Reading::Extreme),
        Measure::StandardDeviation { .. } => read(Accumulator::Moments, Reading::Deviation),
        Measure::Zscore { .. } => judge(Accumulator::Moments, Judgement::Zscore),
        Measure::Distinct { .. } => read(Accumulator::Distinct, Reading::Distinct),
        Measure::Quantile { q_ppm, .. } => {
            read(Accumulator::Quantiles, Reading::Quantile(f64::from(*q_ppm) / f64::from(PPM)))
        }
        Measure::IqrPosition { .. } => judge(Accumulator::Quantiles, Judgement::IqrPosition),
        Measure::RobustZscore { .. } => judge(Accumulator::Quantiles, Judgement::RobustZscore),
        Measure::Entropy { .. } => read(Accumulator::Categories, Reading::Entropy),
        Measure::Share { .. } => read(Accumulator::Categories, Reading::Share),
        _ => None,
    }
}

#[inline]
fn read(feature: &Output<Reading>, words: &[f64], inputs: &[f64]) -> f64 {
    match feature.reading {
        Reading::Word => words[0],
        Reading::Rate(seconds) => words[0] / seconds,
        Reading::Mean => mean(words),
        Reading::Deviation => variance(words).sqrt(),
        Reading::Extreme => Some(words[0]).filter(|value| value.is_finite()).unwrap_or(f64::NAN),
        Reading::Distinct | Reading::Quantile(_) | Reading::Entropy | Reading::Share => {
            read_sketch(feature, words, inputs)
        }
    }
}

/// Apart, so that the plain readings stay small enough to become part of the loop that calls them.
#[inline(never)]
fn read_sketch(feature: &Output<Reading>, words: &[f64], inputs: &[f64]) -> f64 {
    match feature.reading {
        Reading::Distinct => distinct(words),
        Reading::Quantile(share) => quantiles(words, [share])[0],
        Reading::Entropy => entropy(words),
        Reading::Share => {
            let value = feature.input.map_or(f64::NAN, |input| input.read(inputs));
            if usable(value) { share(words, value) } else { f64::NAN }
        }
        _ => f64::NAN,
    }
}

/// How far the value lies from what the words say of the others.
#[inline]
fn judge(judgement: Judgement, words: &[f64], value: f64) -> f64 {
    if !usable(value) {
        return f64::NAN;
    }
    match judgement {
        Judgement::Zscore => {
            let variance = variance(words);
            if variance.is_nan() { f64::NAN } else { standardise(value, mean(words), variance) }
        }
        Judgement::IqrPosition => judge_by_quartiles(words, value, 1.0),
        Judgement::RobustZscore => judge_by_quartiles(words, value, IQR_DEVIATIONS),
    }
}

#[inline(never)]
fn judge_by_quartiles(words: &[f64], value: f64, parts_per_range: f64) -> f64 {
    let Some([low, median, high]) = quartiles(words) else { return f64::NAN };
    standardise_by(value, median, (high - low) / parts_per_range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Nulls;

    fn window(panes: usize, measures: &[Measure]) -> Window {
        let input = Some(Input { index: 0, nulls: Nulls::Skip });
        let wanted: Vec<Wanted> = measures.iter().map(|measure| Wanted { measure, input, output: 0 }).collect();
        Window::new(60_000_000, panes, &wanted)
    }

    #[test]
    fn the_slots_that_fall_out_wrap_around_the_ring() {
        let twelve = window(12, &[]);
        assert_eq!(twelve.slots_between(0, 1), 1 << 1);
        assert_eq!(twelve.slots_between(10, 13), 1 << 11 | 1 << 0 | 1 << 1);
        assert_eq!(twelve.slots_between(-3, -1), 1 << 10 | 1 << 11);
        assert_eq!(twelve.slots_between(5, 17), (1 << 12) - 1);
        assert_eq!(twelve.slots_between(5, 1_000_000_000_000), (1 << 12) - 1);
        assert_eq!(window(1, &[]).slots_between(7, 8), 1);
        assert_eq!(window(60, &[]).slots_between(58, 61), 1 << 59 | 1 << 0 | 1 << 1);
        assert_eq!(window(60, &[]).slots_between(0, 60), (1 << 60) - 1);
    }

    #[test]
    fn only_the_words_that_are_asked_for_are_kept() {
        let column = || "x".to_owned();
        let count = Measure::Count { column: Some(column()) };
        let (sum, mean, zscore) = (
            Measure::Sum { column: column() },
            Measure::Mean { column: column() },
            Measure::Zscore { column: column() },
        );
        let words = |measures: &[Measure]| window(12, measures).pane_words;
        assert_eq!(words(std::slice::from_ref(&sum)), 1);
        assert_eq!(words(&[count.clone(), count.clone()]), 1);
        assert_eq!(words(&[sum.clone(), count.clone()]), 2);
        assert_eq!(words(&[sum, count, mean.clone()]), 2);
        assert_eq!(words(&[mean, zscore]), 3);
    }
}
