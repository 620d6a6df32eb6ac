//! Which inputs the scores rest on, told in two ways: what alerts name as their reasons, and what is lost when an input is
//! shuffled. Both look at a sample, so the work has a bound; no clock decides, so the same rows give the same answer.

use lapwing_detect::{Ensemble, Matrix};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::error::EvaluateError;
use crate::ranking::Ranking;
use crate::split::sample;

/// Most anomalies and most normal rows of the sample.
const ANOMALIES_MAX: usize = 4_000;
const NORMAL_MAX: usize = 12_000;
/// Most flagged rows whose reasons are asked for.
const EXPLAINED_MAX: usize = 2_000;
/// Most rows scored for all shuffled inputs together.
const SCORED_MAX: usize = 1_000_000;

/// How much the scores rest on an input.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// The column.
    pub input: String,
    /// Its mean share in the reasons of flagged rows; reasons beyond the five that an alert names count as nothing.
    pub share: f64,
    /// How far average precision falls, on the sample, when the column's values are shuffled among the rows.
    pub permutation: f64,
}

/// The rows to look at, drawn apart from anomalies and normal rows: places among the scored rows, rising.
pub(crate) fn places(anomalous: &[bool], seed: u64) -> Vec<usize> {
    let of = |wanted: bool, size: usize| {
        let places = anomalous.iter().enumerate().filter(|(_, anomaly)| **anomaly == wanted).map(|(place, _)| place);
        sample(&places.collect::<Vec<_>>(), size, seed)
    };
    let mut places = [of(true, ANOMALIES_MAX), of(false, NORMAL_MAX)].concat();
    places.sort_unstable();
    places
}

/// Tells how much the fused scores rest on each input, the most important first. Shape: `rows` are n × d as the
/// ensemble encodes them, one truth per row. Errors: `Detect`.
pub(crate) fn importance(
    ensemble: &Ensemble,
    rows: &Matrix,
    anomalous: &[bool],
    seed: u64,
) -> Result<Vec<Importance>, EvaluateError> {
    let columns = ensemble.columns();
    let mut inputs: Vec<String> = columns.inputs().into_iter().map(|input| input.column).collect();
    inputs.dedup();
    let encoded: Vec<Vec<usize>> = inputs.iter().map(|input| columns.places(input)).collect();
    let shares = shares(ensemble, rows, &encoded)?;
    let losses = losses(ensemble, rows, anomalous, &encoded, seed)?;
    let parts = inputs.into_iter().zip(shares).zip(losses);
    let mut all: Vec<Importance> =
        parts.map(|((input, share), permutation)| Importance { input, share, permutation }).collect();
    all.sort_by(|a, b| b.share.total_cmp(&a.share).then(b.permutation.total_cmp(&a.permutation)));
    Ok(all)
}

/// Mean share of each input in the reasons of flagged rows.
fn shares(ensemble: &Ensemble, rows: &Matrix, encoded: &[Vec<usize>]) -> Result<Vec<f64>, EvaluateError> {
    let names = ensemble.columns().names();
    let input_of = |name: &str| {
        let place = names.iter().position(|known| known == name)?;
        encoded.iter().position(|places| places.contains(&place))
    };
    let flagged = ensemble.score(rows)?.flagged;
    let flagged: Vec<usize> = (0..rows.rows()).filter(|row| flagged[*row]).collect();
    let step = flagged.len().div_ceil(EXPLAINED_MAX).max(1);
    let explained: Vec<usize> = flagged.into_iter().step_by(step).collect();
    let mut shares = vec![0.0; encoded.len()];
    for row in &explained {
        for reason in ensemble.explain(rows.row(*row))? {
            if let Some(input) = input_of(&reason.input) {
                shares[input] += reason.share / explained.len() as f64;
            }
        }
    }
    Ok(shares)
}

/// What average precision loses with each input shuffled; all encoded columns of an input move together.
fn losses(
    ensemble: &Ensemble,
    rows: &Matrix,
    anomalous: &[bool],
    encoded: &[Vec<usize>],
    seed: u64,
) -> Result<Vec<f64>, EvaluateError> {
    let step = (rows.rows() * encoded.len()).div_ceil(SCORED_MAX).max(1);
    let taken: Vec<usize> = (0..rows.rows()).step_by(step).collect();
    let rows = rows.take(&taken);
    let anomalous: Vec<bool> = taken.iter().map(|row| anomalous[*row]).collect();
    let precision = |rows: &Matrix| -> Result<f64, EvaluateError> {
        let strange: Vec<f64> = ensemble.score(rows)?.tail.iter().map(|tail| -tail.ln()).collect();
        Ok(Ranking::of(&strange, &anomalous).figures().map_or(0.0, |figures| figures.pr_auc))
    };
    let whole = precision(&rows)?;
    let mut order: Vec<usize> = (0..rows.rows()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut shuffled = rows.clone();
    let width = rows.width();
    let mut losses = Vec::new();
    for places in encoded {
        let copy = |values: &mut [f32], from: &dyn Fn(usize) -> usize| {
            for row in 0..rows.rows() {
                places.iter().for_each(|place| values[row * width + place] = rows.row(from(row))[*place]);
            }
        };
        copy(shuffled.values_mut(), &|row| order[row]);
        losses.push(whole - precision(&shuffled)?);
        copy(shuffled.values_mut(), &|row| row);
    }
    Ok(losses)
}
