use candle_core::{Result, Tensor, Var};
use candle_nn::optim::{AdamW, Optimizer, ParamsAdamW};
use lapwing_detect::DetectError;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::layers::fault;

/// Fewest rows that can be learned from: some to step on, one to hold back.
const ROWS_MIN: usize = 4;
/// One row in so many is held back …
const HELD_BACK_EVERY: usize = 10;
/// … but not more: the mean of a loss over so many rows is known well enough.
const HELD_BACK_MAX: usize = 10_000;
/// Rows whose loss is taken at once where nothing is learned; bounds memory.
const JUDGED_ROWS: usize = 1024;
/// Fewest steps between two looks at the rows held back: a few rows are passed over several times.
const STEPS_MIN: usize = 50;
/// Steps in which the step length grows to its full size: until then the mean squares of gradients are guesses.
const WARMING_STEPS: usize = 100;

/// What is learned, and how far off it is.
pub(crate) trait Learner {
    /// What steps change.
    fn variables(&self) -> Vec<Var>;

    /// Mean loss over the rows at these places, as a scalar to be derived. While learning, the learner may spoil its
    /// inputs by chance; `rng` is the only chance there is.
    fn loss(&self, rows: &[usize], learning: bool, rng: &mut ChaCha8Rng) -> Result<Tensor>;
}

/// How the slope is walked.
pub(crate) struct Course {
    /// For errors.
    pub(crate) act: &'static str,
    pub(crate) epochs: usize,
    pub(crate) patience: usize,
    pub(crate) batch_rows: usize,
    pub(crate) learning_rate: f64,
}

/// The uses of chance, each a stream of its own: none depends on how much of another was used.
#[derive(Clone, Copy)]
pub(crate) enum Chance {
    Weights,
    Sample,
    Order,
    Spoil,
    HeldBack,
}

/// The chance for one use.
pub(crate) fn chance(seed: u64, of: Chance) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(of as u64);
    rng
}

/// Refuses to learn from too few rows.
pub(crate) fn check_rows(act: &'static str, found: usize) -> std::result::Result<(), DetectError> {
    if found < ROWS_MIN {
        return Err(DetectError::TooFewRows { act, needed: ROWS_MIN, found });
    }
    Ok(())
}

/// Learns from `count` rows with Adam until `patience` passes bring no gain on the rows held back, or `epochs` are over;
/// leaves the weights with which those were judged best. Errors: `Setting` if no loss was ever a number.
/// Source: Kingma, Ba 2015, algorithm 1.
pub(crate) fn descend(
    learner: &impl Learner,
    count: usize,
    course: &Course,
    seed: u64,
) -> std::result::Result<(), DetectError> {
    let best = walk(learner, count, course, seed).map_err(fault(course.act))?;
    match best.is_finite() {
        true => Ok(()),
        false => Err(DetectError::Setting(format!(
            "{}: the loss grew beyond all bounds with a learning_rate of {}; set a lower one",
            course.act, course.learning_rate
        ))),
    }
}

/// Returns the least loss on the rows held back, whose weights are left in place.
fn walk(learner: &impl Learner, count: usize, course: &Course, seed: u64) -> Result<f64> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut order_chance = chance(seed, Chance::Order);
    order.shuffle(&mut order_chance);
    let held_back = order.split_off(count - count.div_ceil(HELD_BACK_EVERY).min(HELD_BACK_MAX));
    let variables = learner.variables();
    let no_decay = ParamsAdamW { lr: course.learning_rate, weight_decay: 0.0, ..ParamsAdamW::default() };
    let mut adam = AdamW::new(variables.clone(), no_decay)?;
    let mut spoil = chance(seed, Chance::Spoil);
    let passes = STEPS_MIN.div_ceil(order.len().div_ceil(course.batch_rows));
    let (mut best, mut best_weights, mut waited, mut steps) = (f64::INFINITY, Vec::new(), 0, 0);
    for _ in 0..course.epochs {
        for _ in 0..passes {
            order.shuffle(&mut order_chance);
            for batch in order.chunks(course.batch_rows) {
                steps += 1;
                adam.set_learning_rate(course.learning_rate * (steps as f64 / WARMING_STEPS as f64).min(1.0));
                adam.backward_step(&learner.loss(batch, true, &mut spoil)?)?;
            }
        }
        let loss = judge(learner, &held_back, seed)?;
        waited += 1;
        if loss < best {
            (best, waited) = (loss, 0);
            best_weights = variables.iter().map(|variable| variable.copy()).collect::<Result<Vec<Tensor>>>()?;
        }
        if waited == course.patience || !loss.is_finite() {
            break;
        }
    }
    for (variable, weights) in variables.iter().zip(&best_weights) {
        variable.set(weights)?;
    }
    Ok(best)
}

/// Mean loss over rows; the same chance every time, so that losses can be compared.
fn judge(learner: &impl Learner, rows: &[usize], seed: u64) -> Result<f64> {
    let mut rng = chance(seed, Chance::HeldBack);
    let mut sum = 0.0;
    for batch in rows.chunks(JUDGED_ROWS) {
        let loss: f32 = learner.loss(batch, false, &mut rng)?.to_scalar()?;
        sum += f64::from(loss) * batch.len() as f64;
    }
    Ok(sum / rows.len() as f64)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    /// A parabola over one number, times a factor; rows do not matter.
    struct Parabola {
        at: Var,
        factor: f64,
    }

    impl Learner for Parabola {
        fn variables(&self) -> Vec<Var> {
            vec![self.at.clone()]
        }

        fn loss(&self, _: &[usize], _: bool, _: &mut ChaCha8Rng) -> Result<Tensor> {
            (self.at.sqr()? * self.factor)?.sum_all()
        }
    }

    fn walked(factor: f64, course: &Course) -> (f32, std::result::Result<(), DetectError>) {
        let at = Var::from_tensor(&Tensor::ones(1, DType::F32, &Device::Cpu).unwrap()).unwrap();
        let parabola = Parabola { at, factor };
        let outcome = descend(&parabola, 20, course, 1);
        (parabola.at.to_vec1().unwrap()[0], outcome)
    }

    const COURSE: Course = Course { act: "walk", epochs: 100, patience: 3, batch_rows: 4, learning_rate: 0.01 };

    #[test]
    fn the_walk_ends_where_the_loss_was_least() {
        let (at, outcome) = walked(1.0, &COURSE);
        assert_eq!(outcome, Ok(()));
        assert!(at.abs() < 1e-3, "{at}");
        // Steps as long as the way: the walk leaps from side to side, and the best place is kept.
        let (at, _) = walked(1.0, &Course { learning_rate: 1.0, patience: 1, ..COURSE });
        assert!(at.abs() < 1.0, "{at}");
    }

    #[test]
    fn a_loss_beyond_all_bounds_is_told_with_its_remedy() {
        let (_, outcome) = walked(f64::INFINITY, &COURSE);
        assert!(matches!(&outcome, Err(DetectError::Setting(text)) if text.contains("set a lower one")), "{outcome:?}");
    }
}
