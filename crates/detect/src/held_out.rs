//! Which rows detectors learn from, and which tell how rare their scores are.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::DetectError;
use crate::training::{Label, TrainingSet};

/// Fewest rows an ensemble learns from.
pub const ROWS_MIN: usize = 10;
/// Below this many rows parts are too small, and unsupervised detectors are calibrated on the rows they were fitted on.
const ROWS_TO_SPLIT: usize = 200;
/// Held-out rows that should lie above the threshold: with a hundred, the share of rows flagged is that of
/// `alert_rate` within a tenth of it (one standard deviation). Rows beyond that serve learning better.
const ROWS_ABOVE_THRESHOLD: f64 = 100.0;
/// Fewest rows held out of many: tails are read far beyond a generous alert rate, too.
const ROWS_HELD_OUT_MIN: usize = 2000;

/// Places of rows, each list ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// What unsupervised detectors learn from; no row labelled anomalous.
    pub(crate) fit: Vec<usize>,
    /// What tells how rare scores are; no row labelled anomalous.
    pub(crate) calibrate: Vec<usize>,
    /// What supervised detectors learn from: labelled anomalies and rows taken as normal.
    pub(crate) labelled: Vec<usize>,
    /// Number of labelled anomalies.
    pub(crate) anomalies: usize,
}

impl Parts {
    /// Divides the rows by chance. Where no row is labelled normal, those that nobody has looked at stand in: people
    /// label what they were alerted to, and most of the rest is normal. With `supervised`, no row that detectors
    /// learned from is calibrated on, since they know those by heart. Errors: `TooFewRows` not labelled anomalous.
    pub(crate) fn of(
        set: &TrainingSet<'_>,
        alert_rate: f64,
        segmented: bool,
        supervised: bool,
        seed: u64,
    ) -> Result<Self, DetectError> {
        let (anomalies, mut usual): (Vec<usize>, Vec<usize>) =
            (0..set.rows.rows()).partition(|row| set.label(*row) == Label::Anomaly);
        let needed = if supervised { 2 * ROWS_MIN } else { ROWS_MIN };
        if usual.len() < needed {
            return Err(DetectError::TooFewRows { act: "fit ensemble", needed, found: usual.len() });
        }
        let (mut fit, mut calibrate) = (usual.clone(), usual.clone());
        if supervised || usual.len() >= ROWS_TO_SPLIT {
            usual.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            calibrate = usual.split_off(usual.len() - held_out(usual.len(), alert_rate, segmented));
            fit = usual;
            fit.sort_unstable();
            calibrate.sort_unstable();
        }
        let is_normal = |row: &usize| set.label(*row) == Label::Normal;
        let normal: Vec<usize> = fit.iter().copied().filter(is_normal).collect();
        let mut labelled = anomalies.clone();
        labelled.extend(if normal.is_empty() { &fit } else { &normal });
        labelled.sort_unstable();
        Ok(Self { fit, calibrate, labelled, anomalies: anomalies.len() })
    }
}

/// How many of `rows` are held out: enough for the alert rate, at most half. Segments need as many each.
fn held_out(rows: usize, alert_rate: f64, segmented: bool) -> usize {
    let enough = ((ROWS_ABOVE_THRESHOLD / alert_rate).ceil() as usize).max(ROWS_HELD_OUT_MIN);
    let half = rows / 2;
    if segmented { half } else { enough.min(half) }
}

/// Fewest rows of a segment that is calibrated on its own: a tenth of what a threshold should have above it, so that
/// the share flagged is right within a third.
pub(crate) fn segment_rows_min(alert_rate: f64) -> usize {
    (ROWS_ABOVE_THRESHOLD / 10.0 / alert_rate).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Matrix;
    use crate::training::Nothing;

    fn parts(labels: &[Label], rows: usize, supervised: bool) -> Parts {
        let rows = Matrix::missing(rows, 1);
        Parts::of(&TrainingSet { rows: &rows, labels, outside: &Nothing, threads: 1 }, 0.01, false, supervised, 7)
            .unwrap()
    }

    #[test]
    fn as_many_rows_are_held_out_as_the_alert_rate_needs() {
        assert_eq!(held_out(1_000_000, 0.01, false), 10_000);
        assert_eq!(held_out(1_000_000, 0.3, false), ROWS_HELD_OUT_MIN);
        assert_eq!(held_out(1_000_000, 1e-6, false), 500_000);
        assert_eq!((held_out(1000, 0.01, false), held_out(1_000_000, 0.01, true)), (500, 500_000));
    }

    #[test]
    fn every_usual_row_is_in_one_part_and_few_rows_serve_both() {
        let split = parts(&[], 30_000, false);
        let mut all = [split.fit.clone(), split.calibrate.clone()].concat();
        all.sort_unstable();
        assert_eq!((all, split.calibrate.len()), ((0..30_000).collect(), 10_000));
        assert_eq!(split, parts(&[], 30_000, false));
        let few = parts(&[], 50, false);
        assert_eq!((few.fit.len(), few.calibrate.len()), (50, 50));
    }

    #[test]
    fn labelled_anomalies_are_only_learned_from_by_those_who_learn_from_labels() {
        let mut labels = vec![Label::Unknown; 100];
        labels[3] = Label::Anomaly;
        let unknown = parts(&labels, 100, true);
        assert!(!unknown.fit.contains(&3) && !unknown.calibrate.contains(&3) && unknown.labelled.contains(&3));
        assert_eq!((unknown.anomalies, unknown.labelled.len()), (1, unknown.fit.len() + 1));
        assert!(unknown.calibrate.iter().all(|row| !unknown.labelled.contains(row)));
        (10..60).for_each(|row| labels[row] = Label::Normal);
        let known = parts(&labels, 100, true);
        assert!(known.labelled.iter().all(|row| labels[*row] != Label::Unknown));
        let refused = Parts::of(
            &TrainingSet { rows: &Matrix::missing(12, 1), labels: &[], outside: &Nothing, threads: 1 },
            0.01,
            false,
            true,
            1,
        );
        assert_eq!(refused, Err(DetectError::TooFewRows { act: "fit ensemble", needed: 20, found: 12 }));
    }
}
