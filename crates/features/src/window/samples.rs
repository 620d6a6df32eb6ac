use super::{HEAD, IQR_DEVIATIONS, Judgement, Reading, Window, read};
use crate::accumulator::{mean, quartiles, variance};
use crate::behind::{Behind, FeatureState, Level};
use crate::input::Input;

impl Window {
    /// Says what its features are at a time, without an event, and what stands behind them; those that need an event's
    /// own value have none.
    pub(crate) fn explain(&self, hot: &[f64], ring: &[f64], time: i64, columns: usize, states: &mut [FeatureState]) {
        let (mut hot, no_inputs) = (hot.to_vec(), vec![f64::NAN; columns]);
        let (head, total) = hot.split_at_mut(HEAD);
        self.advance(head, total, ring, self.pane_of(time));
        let panes = Some((head[1].to_bits().count_ones() as usize, self.panes));
        for feature in &self.outputs {
            let value = read(feature, &total[feature.at..], &no_inputs);
            let needed = feature.reading.samples_needed();
            let behind = Behind { samples: self.samples(feature.input, total), needed, panes, ..Behind::default() };
            behind.put(&mut states[feature.output]);
            states[feature.output].value = (!value.is_nan()).then_some(value);
        }
        for feature in &self.judgements {
            let (words, samples) = (&total[feature.at..], self.samples(feature.input, total));
            let usual = feature.reading.usual(words, samples.unwrap_or(0.0));
            let needed = feature.reading.samples_needed();
            Behind { samples, needed, panes, usual, ..Behind::default() }.put(&mut states[feature.output]);
        }
    }

    /// How many values of a column lie in the window, if any of its accumulators counts them.
    fn samples(&self, input: Option<Input>, total: &[f64]) -> Option<f64> {
        self.cells.iter().filter(|cell| cell.input == input).find_map(|cell| cell.accumulator.number(&total[cell.at..]))
    }
}

impl Reading {
    /// How many values it needs before that of the event, which counts.
    fn samples_needed(self) -> f64 {
        if matches!(self, Self::Deviation) { 1.0 } else { 0.0 }
    }
}

impl Judgement {
    /// How many values it needs before the event, whose own does not count.
    fn samples_needed(self) -> f64 {
        match self {
            Self::Zscore => 2.0,
            Self::IqrPosition | Self::RobustZscore => 1.0,
        }
    }

    /// What a value would be compared with; `None` if there is nothing yet.
    fn usual(self, words: &[f64], weight: f64) -> Option<Level> {
        let by_quartiles = |parts_per_range: f64| {
            let [low, median, high] = quartiles(words)?;
            Some(Level { mean: median, spread: (high - low) / parts_per_range, weight })
        };
        match self {
            Self::Zscore => {
                let spread = variance(words).sqrt();
                (!spread.is_nan()).then(|| Level { mean: mean(words), spread, weight })
            }
            Self::IqrPosition => by_quartiles(1.0),
            Self::RobustZscore => by_quartiles(IQR_DEVIATIONS),
        }
    }
}
