use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::ProgressBar;
use lapwing_detect::Method;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use super::fold::Fold;
use super::journal::{Journal, Trial};
use super::space::Space;
use super::trial::{Rows, to_map, with_options};
use super::{Strategy, TuneOptions};
use crate::error::EvaluateError;

/// From one round of halving to the next, this many times the rows and a share of 1 / this of the trials.
const FACTOR: usize = 3;
/// Fewest rows of a round: below, scores are mostly chance.
const ROWS_MIN: usize = 1_000;

/// A search under way.
pub(super) struct Search<'a> {
    pub(super) options: &'a TuneOptions,
    pub(super) method: &'a Method,
    pub(super) space: &'a Space,
    pub(super) rows: &'a Rows,
    pub(super) stop: &'a AtomicBool,
}

/// What it found.
pub(super) struct Found {
    pub(super) best: Trial,
    /// The method as it was given, on the same rows.
    pub(super) default: Trial,
    pub(super) rows: u64,
    pub(super) trials: Vec<Trial>,
}

impl Search<'_> {
    /// Makes all trials that the journal does not hold. Errors: `Setting`, `Interrupted`, `Write`.
    pub(super) fn run(&self, journal: &mut Journal, progress: &ProgressBar) -> Result<Found, EvaluateError> {
        let mut field = self.field()?;
        let rounds = rounds(self.options.strategy, field.len(), self.rows.count());
        let fits: usize = rounds.iter().map(|(_, kept)| kept * self.options.folds).sum();
        progress.set_length(fits as u64);
        let mut trials: Vec<Trial> = Vec::new();
        let mut last: Vec<Trial> = Vec::new();
        for (rows, kept) in &rounds {
            field.truncate(*kept);
            let folds = self.rows.folds(self.options, *rows)?;
            last.clear();
            for options in &field {
                last.push(self.trial(*rows, &folds, options, journal)?);
                progress.inc(self.options.folds as u64);
            }
            trials.extend(last.iter().cloned());
            // A stable order: of equals the one drawn first stays in front.
            last.sort_by(|a, b| b.mean().total_cmp(&a.mean()));
            field = last.iter().map(|trial| trial.options.clone()).collect();
        }
        let rows = rounds.last().map_or(0, |(rows, _)| *rows);
        let best = last.into_iter().next().filter(|best| best.error.is_none());
        let Some(best) = best else {
            let why = trials.iter().find_map(|trial| trial.error.clone()).unwrap_or_default();
            return Err(EvaluateError::setting(format!("no trial could be made; the first failed so: {why}")));
        };
        let folds = self.rows.folds(self.options, rows)?;
        let default = self.trial(rows, &folds, &Map::new(), journal)?;
        Ok(Found { best, default, rows: rows as u64, trials })
    }

    /// What goes into the first round: the options as they were given, then others.
    fn field(&self) -> Result<Vec<Map<String, Value>>, EvaluateError> {
        let mut field = vec![Map::new()];
        match self.options.strategy {
            Strategy::Grid => field.extend(self.space.grid(self.options.trials)?.iter().map(|choice| to_map(choice))),
            Strategy::Random | Strategy::Halving => {
                let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
                // A small space has fewer different trials than asked for; drawing ends when new ones get rare.
                for _ in 0..self.options.trials * 20 {
                    if field.len() > self.options.trials {
                        break;
                    }
                    let choice = to_map(&self.space.draw(&mut rng));
                    if !field.contains(&choice) {
                        field.push(choice);
                    }
                }
            }
        }
        Ok(field)
    }

    /// Makes a trial, or takes it from the journal. Errors: `Interrupted`, `Write`; what the method refuses is kept as
    /// a failed trial.
    fn trial(
        &self,
        rows: usize,
        folds: &[Fold],
        options: &Map<String, Value>,
        journal: &mut Journal,
    ) -> Result<Trial, EvaluateError> {
        if let Some(known) = journal.find(rows as u64, options) {
            return Ok(known.clone());
        }
        let method = with_options(self.method, options)?;
        let mut trial = Trial { rows: rows as u64, options: options.clone(), scores: Vec::new(), error: None };
        for fold in folds {
            if self.stop.load(Ordering::Relaxed) {
                return Err(EvaluateError::Interrupted);
            }
            match self.rows.measure(&method, fold, self.options) {
                Ok(score) => trial.scores.push(score),
                Err(error) => {
                    trial.scores.clear();
                    trial.error = Some(error.to_string());
                    break;
                }
            }
        }
        journal.add(trial.clone())?;
        Ok(trial)
    }
}

/// Rows and trials of each round; one round of everything unless halving.
fn rounds(strategy: Strategy, trials: usize, rows: usize) -> Vec<(usize, usize)> {
    let mut divisor = 1;
    while strategy == Strategy::Halving && rows / divisor / FACTOR >= ROWS_MIN && trials / divisor >= FACTOR {
        divisor *= FACTOR;
    }
    let divisors = std::iter::successors(Some(divisor), |divisor| (*divisor > 1).then_some(divisor / FACTOR));
    divisors.map(|left| (rows / left, trials.div_ceil(divisor / left))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_starts_with_all_trials_on_few_rows_and_ends_with_few_on_all() {
        assert_eq!(rounds(Strategy::Halving, 27, 90_000), [(3333, 27), (10_000, 9), (30_000, 3), (90_000, 1)]);
        assert_eq!(rounds(Strategy::Halving, 27, 2_000), [(2_000, 27)]);
        assert_eq!(rounds(Strategy::Halving, 2, 90_000), [(90_000, 2)]);
        assert_eq!(rounds(Strategy::Random, 27, 90_000), [(90_000, 27)]);
    }
}
