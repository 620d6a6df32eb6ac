//! Autoencoder: a network that must repeat a row through a waist narrower than the row. What most rows have in common
//! gets through, what is particular to a strange row does not; so the error tells how strange it is.

use serde::{Deserialize, Serialize};

use super::dense::{Dense, WIDTH_MAX, rectify};
use super::lanes::{NARROW, WIDE};
use super::scaling::{FAR, Scaling};
use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::options::{Options, Slot};

/// Most layers of either half.
const LAYERS_MAX: usize = 8;
/// No column counts for more: the square of missing the far end by going to the other. Units: squared deviations.
const ERROR_MAX: f32 = 4.0 * FAR * FAR;

/// How an autoencoder is built and trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutoencoderOptions {
    /// Width of the layers before and after the waist; 0 leaves it to the number of columns.
    pub hidden: usize,
    /// Width of the waist; 0 leaves it to the number of columns.
    pub bottleneck: usize,
    /// Most passes over the rows.
    pub epochs: usize,
    /// Passes without improvement on rows held back after which training ends.
    pub patience: usize,
    /// Rows of one step.
    pub batch_rows: usize,
    /// Length of a step.
    pub learning_rate: f64,
}

impl AutoencoderOptions {
    /// What is used unless said otherwise.
    pub const DEFAULT: Self =
        Self { hidden: 0, bottleneck: 0, epochs: 50, patience: 5, batch_rows: 256, learning_rate: 0.002 };

    /// Widths of hidden layers and waist for rows of `columns` columns: two fifths of them and a tenth, but no hidden
    /// layer below 8 and, where that is still narrower than the row, no waist below 2.
    pub fn widths(&self, columns: usize) -> (usize, usize) {
        let hidden = if self.hidden > 0 { self.hidden } else { (2 * columns).div_ceil(5).clamp(8, 256) };
        let narrowest = 2.min(columns.saturating_sub(1)).max(1);
        let bottleneck = if self.bottleneck > 0 { self.bottleneck } else { columns.div_ceil(10).max(narrowest) };
        (hidden, bottleneck)
    }

    /// Refuses to train on rows that no autoencoder can read. Errors: `Setting`.
    pub fn check_columns(&self, columns: usize) -> Result<(), DetectError> {
        match (1..=WIDTH_MAX).contains(&columns) {
            true => Ok(()),
            false => Err(DetectError::Setting(format!(
                "train autoencoder: {columns} columns, 1 to {WIDTH_MAX} are possible; name fewer inputs, or encode \
                 categories by frequency"
            ))),
        }
    }
}

impl Options for AutoencoderOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![
            ("hidden", Slot::Whole(&mut self.hidden, 0..=1024)),
            ("bottleneck", Slot::Whole(&mut self.bottleneck, 0..=1024)),
            ("epochs", Slot::Whole(&mut self.epochs, 1..=10_000)),
            ("patience", Slot::Whole(&mut self.patience, 1..=10_000)),
            ("batch_rows", Slot::Whole(&mut self.batch_rows, 1..=65_536)),
            ("learning_rate", Slot::Number(&mut self.learning_rate, 1e-6..=1.0)),
        ]
    }
}

/// A trained autoencoder. Between the layers of each half, what is below 0 becomes 0; waist and outputs are left as
/// they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Autoencoder {
    scaling: Scaling,
    encoder: Vec<Dense>,
    decoder: Vec<Dense>,
}

/// What a block of rows is computed in.
struct Work<const L: usize> {
    /// The rows, scaled, column by column.
    scaled: Vec<[f32; L]>,
    from: Vec<[f32; L]>,
    to: Vec<[f32; L]>,
}

impl Autoencoder {
    /// Puts a network together. Errors: `Setting` if its parts do not fit.
    pub fn new(scaling: Scaling, encoder: Vec<Dense>, decoder: Vec<Dense>) -> Result<Self, DetectError> {
        let autoencoder = Self { scaling, encoder, decoder };
        autoencoder.check().map_err(DetectError::Setting)?;
        Ok(autoencoder)
    }

    /// Refuses weights that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.scaling.check()?;
        for half in [&self.encoder, &self.decoder] {
            if !(1..=LAYERS_MAX).contains(&half.len()) {
                return Err(format!("half of an autoencoder has {} layers, 1 to {LAYERS_MAX} fit", half.len()));
            }
        }
        let mut width = self.width();
        for layer in self.layers() {
            layer.check()?;
            if layer.inputs() != width {
                return Err(format!("a layer reads {} values, the one before gives {width}", layer.inputs()));
            }
            width = layer.outputs();
        }
        match width == self.width() {
            true => Ok(()),
            false => Err(format!("an autoencoder of {} columns gives {width}", self.width())),
        }
    }

    fn layers(&self) -> impl Iterator<Item = &Dense> {
        self.encoder.iter().chain(&self.decoder)
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.scaling.width()
    }

    /// Returns the mean squared error of each row as it is repeated; what is missing is left out, and a row without
    /// values has 0. Shape: `rows` is n × d; result has n values in 0..=100. Units: squared robust deviations.
    /// Errors: `WidthMismatch`. Source: Hawkins, He, Williams, Baxter 2002, section 2.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score autoencoder", expected, found });
        }
        let mut scores = Vec::with_capacity(rows.rows());
        let (mut wide, mut narrow) = (self.work::<WIDE>(), self.work::<NARROW>());
        let mut left: Vec<&[f32]> = Vec::with_capacity(WIDE);
        for (row, at) in rows.iter().zip(1..) {
            left.push(row);
            if left.len() == WIDE {
                self.score_block(&left, &mut wide, &mut scores);
                left.clear();
            } else if at == rows.rows() {
                left.chunks(NARROW).for_each(|block| self.score_block(block, &mut narrow, &mut scores));
            }
        }
        Ok(scores)
    }

    fn score_block<const L: usize>(&self, rows: &[&[f32]], work: &mut Work<L>, scores: &mut Vec<f64>) {
        self.repeat(rows, work);
        let (mut sums, mut counts) = ([0.0; L], [0.0; L]);
        for (actual, repeated) in work.scaled.iter().zip(&work.from) {
            for lane in 0..L {
                let (error, counted) = column_error(actual[lane], repeated[lane]);
                sums[lane] += error;
                counts[lane] += counted;
            }
        }
        let means = sums.iter().zip(counts).map(|(sum, count)| f64::from(*sum) / f64::from(count.max(1.0)));
        scores.extend(means.take(rows.len()));
    }

    fn work<const L: usize>(&self) -> Work<L> {
        let widest = self.layers().map(Dense::outputs).max().unwrap_or_default().max(self.width());
        Work { scaled: vec![[0.0; L]; self.width()], from: vec![[0.0; L]; widest], to: vec![[0.0; L]; widest] }
    }

    /// Sends up to `L` rows through the network; leaves what it repeats in `from`.
    fn repeat<const L: usize>(&self, rows: &[&[f32]], work: &mut Work<L>) {
        let mut scaled = vec![0.0; self.width()];
        for (lane, row) in rows.iter().enumerate() {
            self.scaling.apply(row, &mut scaled);
            work.scaled.iter_mut().zip(&scaled).for_each(|(lanes, value)| lanes[lane] = *value);
        }
        for (from, scaled) in work.from.iter_mut().zip(&work.scaled) {
            *from = scaled.map(|value| if value.is_nan() { 0.0 } else { value });
        }
        for half in [&self.encoder, &self.decoder] {
            for (index, layer) in half.iter().enumerate() {
                let to = &mut work.to[..layer.outputs()];
                layer.apply(&work.from[..layer.inputs()], to);
                if index + 1 < half.len() {
                    rectify(to);
                }
                std::mem::swap(&mut work.from, &mut work.to);
            }
        }
    }

    /// Adds to each column its part of the row's error; the parts sum to the score.
    /// Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        let mut work = self.work::<NARROW>();
        self.repeat(&[row], &mut work);
        let repeated = work.scaled.iter().zip(&work.from);
        let errors: Vec<(f32, f32)> = repeated.map(|(actual, repeated)| column_error(actual[0], repeated[0])).collect();
        let present: f32 = errors.iter().map(|(_, counted)| counted).sum();
        for (credit, (error, _)) in credit.iter_mut().zip(errors) {
            *credit += f64::from(error) / f64::from(present.max(1.0));
        }
    }
}

/// Squared error of a column, and 1; twice 0 if it is missing. Weights may be so large that the network gives no
/// number: that is as wrong as can be.
fn column_error(actual: f32, repeated: f32) -> (f32, f32) {
    let square = (actual - repeated) * (actual - repeated);
    let error = if square < ERROR_MAX { square } else { ERROR_MAX };
    if actual.is_nan() { (0.0, 0.0) } else { (error, 1.0) }
}
