//! How much each member's word counts.
//!
//! Surprisals of independent detectors would simply be added (Fisher's way to combine tests). Detectors look at the
//! same rows, though, and two that always agree are one witness, not two: a member is weighed down by how many others
//! it agrees with. Those that learned from labels are weighed against the rest by how many anomalies they were shown.

use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::segments::{Segmented, Segments};

/// Labelled anomalies at which those who learned from them count as much as all others together. With a handful
/// supervised detectors do worse than unsupervised ones, from some tens better; measured on 43 tabular sets (ADBench).
const ANOMALIES_EVEN: f64 = 15.0;

/// No voice weighs more, so that sums stay finite.
const WEIGHT_MAX: f64 = 1000.0;

/// Raw scores made comparable, and how much they count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Voice {
    /// How rare a score is: what is reported.
    pub(crate) reported: Segmented,
    /// What a score adds to the sum of all voices.
    pub(crate) evidence: Segmented,
    /// Its weight in that sum.
    pub(crate) weight: f64,
}

impl Voice {
    /// A voice that nobody has calibrated yet.
    pub(crate) fn untaught() -> Self {
        let nothing = || Segmented::whole(Calibration::exact(&[]));
        Self { reported: nothing(), evidence: nothing(), weight: 0.0 }
    }

    /// Refuses a voice that could not speak; the text says why.
    pub(crate) fn check(&self, segments: Option<Segments>) -> Result<(), String> {
        if !(0.0..=WEIGHT_MAX).contains(&self.weight) {
            return Err(format!("a weight is {}, 0 to {WEIGHT_MAX} are possible", self.weight));
        }
        self.reported.check(segments)?;
        self.evidence.check(segments)
    }
}

/// What fusion needs to know of a member.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    /// Its surprisals at the held-out rows.
    pub(crate) surprisals: Vec<f64>,
    /// Whether it learned from labels.
    pub(crate) supervised: bool,
}

/// Returns each member's weight; they sum to 1. `anomalies` is the number of labelled ones.
pub(crate) fn weights(witnesses: &[Witness], anomalies: usize) -> Vec<f64> {
    let shown = anomalies as f64 / (anomalies as f64 + ANOMALIES_EVEN);
    let kinds = [true, false].map(|kind| witnesses.iter().any(|witness| witness.supervised == kind));
    let share = |supervised: bool| match (kinds, supervised) {
        ([true, true], true) => shown,
        ([true, true], false) => 1.0 - shown,
        _ => 1.0,
    };
    let mut weights: Vec<f64> = witnesses.iter().map(|witness| independence(witness, witnesses)).collect();
    for supervised in [true, false] {
        let own = |place: &usize| witnesses[*place].supervised == supervised;
        let places: Vec<usize> = (0..witnesses.len()).filter(own).collect();
        let sum: f64 = places.iter().map(|place| weights[*place]).sum();
        places.iter().for_each(|place| weights[*place] *= share(supervised) / sum);
    }
    weights
}

/// 1 for a member that agrees with no other of its kind, ½ for each of two that always agree.
fn independence(witness: &Witness, witnesses: &[Witness]) -> f64 {
    let kind = witnesses.iter().filter(|other| other.supervised == witness.supervised);
    let agreement = kind.map(|other| match std::ptr::eq(witness, other) {
        true => 1.0,
        false => correlation(&witness.surprisals, &other.surprisals).max(0.0).powi(2),
    });
    agreement.sum::<f64>().recip()
}

/// Pearson's correlation; 0 if one does not vary.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let count = a.len().max(1) as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / count, b.iter().sum::<f64>() / count);
    let (mut both, mut squares_a, mut squares_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        both += (a - mean_a) * (b - mean_b);
        squares_a += (a - mean_a).powi(2);
        squares_b += (b - mean_b).powi(2);
    }
    let correlation = both / (squares_a * squares_b).sqrt();
    if correlation.is_finite() { correlation.clamp(-1.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(supervised: bool, surprisals: &[f64]) -> Witness {
        Witness { surprisals: surprisals.to_vec(), supervised }
    }

    fn assert_close(weights: &[f64], expected: &[f64]) {
        let close = weights.iter().zip(expected).all(|(weight, expected)| (weight - expected).abs() < 1e-12);
        assert!(close && weights.len() == expected.len(), "{weights:?} is not {expected:?}");
    }

    const ONE: [f64; 4] = [0.0, 1.0, 0.0, 1.0];
    const OTHER: [f64; 4] = [0.0, 0.0, 1.0, 1.0];

    #[test]
    fn two_that_always_agree_count_as_one() {
        let alike = [witness(false, &ONE), witness(false, &ONE), witness(false, &OTHER)];
        assert_close(&weights(&alike, 0), &[0.25, 0.25, 0.5]);
        let silent = [witness(false, &[0.0; 4]), witness(false, &ONE)];
        assert_close(&weights(&silent, 0), &[0.5, 0.5]);
    }

    #[test]
    fn the_weight_of_those_who_learned_from_labels_grows_with_the_labels() {
        let members = [witness(false, &ONE), witness(true, &OTHER), witness(false, &OTHER)];
        let taught = |anomalies: usize| weights(&members, anomalies)[1];
        assert!(taught(1) < 0.1 && taught(3) < 0.2 && taught(30) > 0.6 && taught(1000) > 0.98);
        assert_close(&weights(&members, 15), &[0.25, 0.5, 0.25]);
        assert_close(&weights(&members[1..2], 3), &[1.0]);
    }
}
