use candle_core::{Device, Result, Tensor, Var};
use lapwing_detect::networks::Scaling;
use lapwing_detect::{Autoencoder, AutoencoderOptions, DetectError, Matrix};
use rand_chacha::ChaCha8Rng;

use crate::descent::{Chance, Course, Learner, chance, check_rows, descend};
use crate::layers::{Dense, fault};

const ACT: &str = "train autoencoder";

/// An autoencoder on its way, and the rows it learns from.
struct Learning {
    encoder: [Dense; 2],
    decoder: [Dense; 2],
    /// n × d, scaled; 0 where missing.
    rows: Tensor,
    /// n × d: 1 where there is a value, 0 where it is missing. `None` if nothing is.
    present: Option<Tensor>,
}

/// As [`Networks::autoencoder`](crate::Networks::autoencoder).
pub(crate) fn train(
    rows: &Matrix,
    options: &AutoencoderOptions,
    seed: u64,
    device: &Device,
) -> std::result::Result<Autoencoder, DetectError> {
    options.check_columns(rows.width())?;
    check_rows(ACT, rows.rows())?;
    let scaling = Scaling::fit(rows);
    let learning = Learning::start(rows, &scaling, options, seed, device).map_err(fault(ACT))?;
    let course = Course {
        act: ACT,
        epochs: options.epochs,
        patience: options.patience,
        batch_rows: options.batch_rows,
        learning_rate: options.learning_rate,
    };
    descend(&learning, rows.rows(), &course, seed)?;
    learning.learned(scaling)
}

impl Learning {
    fn start(
        rows: &Matrix,
        scaling: &Scaling,
        options: &AutoencoderOptions,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let (columns, shape) = (rows.width(), (rows.rows(), rows.width()));
        let (hidden, bottleneck) = options.widths(columns);
        let mut rng = chance(seed, Chance::Weights);
        let mut layer = |inputs, outputs| Dense::drawn(inputs, outputs, &mut rng, device);
        let encoder = [layer(columns, hidden)?, layer(hidden, bottleneck)?];
        let decoder = [layer(bottleneck, hidden)?, layer(hidden, columns)?];
        let mut scaled = vec![0.0_f32; rows.values().len()];
        for (row, scaled) in rows.iter().zip(scaled.chunks_exact_mut(columns)) {
            scaling.apply(row, scaled);
        }
        let present = scaled.iter().any(|value| value.is_nan()).then(|| {
            let present: Vec<f32> = scaled.iter().map(|value| f32::from(u8::from(!value.is_nan()))).collect();
            Tensor::from_vec(present, shape, device)
        });
        scaled.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
        Ok(Self { encoder, decoder, rows: Tensor::from_vec(scaled, shape, device)?, present: present.transpose()? })
    }

    /// What the network makes of rows. Shape: n × d, as the result.
    fn repeat(&self, rows: &Tensor) -> Result<Tensor> {
        let waist = self.encoder[1].forward(&self.encoder[0].forward(rows)?.relu()?)?;
        self.decoder[1].forward(&self.decoder[0].forward(&waist)?.relu()?)
    }

    fn learned(&self, scaling: Scaling) -> std::result::Result<Autoencoder, DetectError> {
        let half = |layers: &[Dense]| layers.iter().map(Dense::learned).collect::<std::result::Result<Vec<_>, _>>();
        Autoencoder::new(scaling, half(&self.encoder)?, half(&self.decoder)?)
    }
}

impl Learner for Learning {
    fn variables(&self) -> Vec<Var> {
        self.encoder.iter().chain(&self.decoder).flat_map(Dense::variables).collect()
    }

    fn loss(&self, rows: &[usize], _: bool, _: &mut ChaCha8Rng) -> Result<Tensor> {
        let places: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let places = Tensor::from_vec(places, rows.len(), self.rows.device())?;
        let actual = self.rows.index_select(&places, 0)?;
        let squares = (self.repeat(&actual)? - &actual)?.sqr()?;
        match &self.present {
            None => squares.mean_all(),
            Some(present) => {
                let present = present.index_select(&places, 0)?;
                // A batch without any value has no error: the sum is 0, whatever it is divided by.
                let count = present.sum_all()?.maximum(1.0)?;
                (squares * present)?.sum_all()?.div(&count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn what_is_learned_repeats_rows_as_the_learner_does() {
        let mut rng = chance(1, Chance::Sample);
        let rows: Vec<[f32; 7]> = (0..40).map(|_| std::array::from_fn(|_| rng.random_range(-2.0..2.0))).collect();
        let rows = Matrix::from_rows(&rows).unwrap();
        let scaling = Scaling::fit(&rows);
        let learning = Learning::start(&rows, &scaling, &AutoencoderOptions::DEFAULT, 3, &Device::Cpu).unwrap();
        let squares = (learning.repeat(&learning.rows).unwrap() - &learning.rows).unwrap().sqr().unwrap();
        let expected: Vec<f32> = squares.mean(1).unwrap().to_vec1().unwrap();
        let scores = learning.learned(scaling).unwrap().score(&rows).unwrap();
        for (score, expected) in scores.iter().zip(expected) {
            assert!((score - f64::from(expected)).abs() < 1e-4, "{score} for {expected}");
        }
    }
}
