//! Figures that depend on the order of the scores alone.
//!
//! Rows are sorted once, strangest first; each figure is then one walk over the groups of equal scores. Weights, one per
//! row, let a resample of the bootstrap be measured by the same walk, without sorting anew.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// False positive rates at which recall is told: what people can live with, per event.
pub const FALSE_POSITIVE_RATES: [f64; 3] = [0.001, 0.003, 0.01];
/// Most points of a curve; more cannot be seen.
const POINTS_MAX: usize = 240;

/// How well an order separates anomalies from normal rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Area under the ROC curve: the share of pairs of an anomaly and a normal row in which the anomaly ranks higher,
    /// ties counted half.
    pub roc_auc: f64,
    /// Average precision: precision at each threshold, weighted by the recall it adds. Not interpolated.
    pub pr_auc: f64,
    /// Largest share of anomalies found by a threshold whose share of false alarms is at most that of
    /// [`FALSE_POSITIVE_RATES`].
    #[serde(serialize_with = "by_rate")]
    pub tpr_at_fpr: [f64; 3],
}

fn by_rate<S: Serializer>(values: &[f64; 3], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(values.len()))?;
    for (rate, value) in FALSE_POSITIVE_RATES.iter().zip(values) {
        map.serialize_entry(&rate.to_string(), value)?;
    }
    map.end()
}

impl Figures {
    /// All figures in the order in which they are shown.
    pub fn values(&self) -> [f64; 5] {
        let [low, middle, high] = self.tpr_at_fpr;
        [self.roc_auc, self.pr_auc, low, middle, high]
    }
}

/// Points of the ROC and the precision-recall curve. Each is a pair of x and y.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// False positive rate, true positive rate.
    pub roc: Vec<(f64, f64)>,
    /// Recall, precision.
    pub precision_recall: Vec<(f64, f64)>,
}

/// Rows from the strangest to the most usual.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// Numbers of the rows.
    order: Vec<u32>,
    /// Whether the row at that place of the order is an anomaly.
    anomalous: Vec<bool>,
    /// Where each group of equal scores ends.
    ends: Vec<u32>,
}

impl Ranking {
    /// Sorts rows by their scores; NaN is the least of all. Shape: one score and one truth per row.
    pub fn of(scores: &[f64], anomalous: &[bool]) -> Self {
        let key = |row: &u32| match scores[*row as usize] {
            score if score.is_nan() => f64::NEG_INFINITY,
            // Both zeros are one score.
            score => score + 0.0,
        };
        let mut order: Vec<u32> = (0..scores.len() as u32).collect();
        order.sort_unstable_by(|a, b| key(b).total_cmp(&key(a)).then(a.cmp(b)));
        let is_end = |place: &usize| *place == order.len() || key(&order[*place]) != key(&order[*place - 1]);
        let ends = (1..=order.len()).filter(is_end).map(|end| end as u32).collect();
        Self { anomalous: order.iter().map(|row| anomalous[*row as usize]).collect(), order, ends }
    }

    /// Figures of all rows; `None` unless there are both anomalies and normal rows.
    pub fn figures(&self) -> Option<Figures> {
        self.measure(|_| 1.0)
    }

    /// Figures of a resample in which each row occurs so many times. Shape: one weight per row.
    pub fn weighted(&self, weights: &[u32]) -> Option<Figures> {
        self.measure(|row| f64::from(weights[row as usize]))
    }

    fn measure(&self, weight: impl Fn(u32) -> f64) -> Option<Figures> {
        let (positives, negatives) = self.groups(&weight).fold((0.0, 0.0), |sum, (p, n)| (sum.0 + p, sum.1 + n));
        if positives == 0.0 || negatives == 0.0 {
            return None;
        }
        let (mut found, mut false_alarms) = (0.0, 0.0);
        let mut figures = Figures { roc_auc: 0.0, pr_auc: 0.0, tpr_at_fpr: [0.0; 3] };
        for (p, n) in self.groups(&weight) {
            figures.roc_auc += n * (found + p / 2.0);
            (found, false_alarms) = (found + p, false_alarms + n);
            if p > 0.0 {
                figures.pr_auc += p * found / (found + false_alarms);
            }
            for (rate, recall) in FALSE_POSITIVE_RATES.iter().zip(&mut figures.tpr_at_fpr) {
                if false_alarms <= rate * negatives {
                    *recall = found / positives;
                }
            }
        }
        figures.roc_auc /= positives * negatives;
        figures.pr_auc /= positives;
        Some(figures)
    }

    /// Weights of the anomalies and of the normal rows in each group of equal scores.
    fn groups(&self, weight: impl Fn(u32) -> f64) -> impl Iterator<Item = (f64, f64)> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let places = start..*end as usize;
            start = places.end;
            places.fold((0.0, 0.0), |(p, n), place| {
                let weight = weight(self.order[place]);
                if self.anomalous[place] { (p + weight, n) } else { (p, n + weight) }
            })
        })
    }

    /// Heights of both curves in a resample: the largest true positive rate at each false positive rate, and the
    /// precision of the first threshold that reaches each recall; 0 where none does. Shape: one weight per row, places
    /// rise, one height per place.
    pub(crate) fn heights(&self, weights: &[u32], rates: &[f64], recalls: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let weight = |row: u32| f64::from(weights[row as usize]);
        let (positives, negatives) = self.groups(weight).fold((0.0, 0.0), |sum, (p, n)| (sum.0 + p, sum.1 + n));
        let (mut roc, mut precision) = (vec![0.0; rates.len()], vec![0.0; recalls.len()]);
        let (mut passed, mut reached) = (0, 0);
        let (mut found, mut false_alarms) = (0.0, 0.0);
        for (p, n) in self.groups(weight) {
            let before = found;
            (found, false_alarms) = (found + p, false_alarms + n);
            while passed < rates.len() && false_alarms > rates[passed] * negatives {
                roc[passed] = before / positives;
                passed += 1;
            }
            while reached < recalls.len() && found >= recalls[reached] * positives && found > 0.0 {
                precision[reached] = found / (found + false_alarms);
                reached += 1;
            }
        }
        roc[passed..].fill(1.0);
        (roc, precision)
    }

    /// Points of both curves, thinned to what can be seen.
    pub fn curves(&self) -> Curves {
        let (positives, negatives) = self.groups(|_| 1.0).fold((0.0, 0.0), |sum, (p, n)| (sum.0 + p, sum.1 + n));
        if positives == 0.0 || negatives == 0.0 {
            return Curves::default();
        }
        let (mut roc, mut precision_recall) = (Thinned::from((0.0, 0.0)), Thinned::default());
        let (mut found, mut false_alarms) = (0.0, 0.0);
        for (p, n) in self.groups(|_| 1.0) {
            (found, false_alarms) = (found + p, false_alarms + n);
            roc.add((false_alarms / negatives, found / positives));
            precision_recall.add((found / positives, found / (found + false_alarms)));
        }
        Curves { roc: roc.finish(), precision_recall: precision_recall.finish() }
    }
}

/// Points of a curve without those that lie too near the one before to be seen.
#[derive(Default)]
struct Thinned {
    points: Vec<(f64, f64)>,
    last: Option<(f64, f64)>,
}

impl From<(f64, f64)> for Thinned {
    fn from(point: (f64, f64)) -> Self {
        Self { points: vec![point], last: None }
    }
}

impl Thinned {
    fn add(&mut self, point: (f64, f64)) {
        const STEP: f64 = 2.0 / POINTS_MAX as f64;
        let far = |kept: &(f64, f64)| (point.0 - kept.0).abs() >= STEP || (point.1 - kept.1).abs() >= STEP;
        if self.points.last().is_none_or(far) {
            // A long step begins where the curve was just before it, not where it was last kept.
            self.points.extend(self.last.take());
            self.points.push(point);
        } else {
            self.last = Some(point);
        }
    }

    fn finish(mut self) -> Vec<(f64, f64)> {
        self.points.extend(self.last);
        self.points
    }
}
