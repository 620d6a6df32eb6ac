use std::borrow::Cow;

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::training::{Label, TrainingSet};

/// Rows whose label is known, of both kinds.
#[derive(Debug)]
pub(crate) struct Labelled<'a> {
    /// n × d.
    pub(crate) rows: Cow<'a, Matrix>,
    /// Whether each row is an anomaly.
    pub(crate) anomalous: Vec<bool>,
}

impl<'a> Labelled<'a> {
    /// Picks the labelled rows out of a training set; rows that nobody has looked at teach nothing here.
    /// Errors: `Setting` if a kind is missing, or the labels do not fit the rows.
    pub(crate) fn of(method: &str, set: &TrainingSet<'a>) -> Result<Self, DetectError> {
        let count = set.rows.rows();
        if !set.labels.is_empty() && set.labels.len() != count {
            let text = format!("fit {method}: {} labels for {count} rows; hand in one for each", set.labels.len());
            return Err(DetectError::Setting(text));
        }
        let known: Vec<usize> = (0..count).filter(|row| set.label(*row) != Label::Unknown).collect();
        let anomalous: Vec<bool> = known.iter().map(|row| set.label(*row) == Label::Anomaly).collect();
        for (kind, name) in [(true, "an anomaly"), (false, "normal")] {
            if !anomalous.contains(&kind) {
                let remedy = "label rows of both kinds, or use a method that needs no labels";
                let text = format!("fit {method}: none of {count} rows is labelled {name}; {remedy}");
                return Err(DetectError::Setting(text));
            }
        }
        let rows = match known.len() == count {
            true => Cow::Borrowed(set.rows),
            false => Cow::Owned(set.rows.take(&known)),
        };
        Ok(Self { rows, anomalous })
    }

    /// Numbers of normal and of anomalous rows.
    pub(crate) fn counts(&self) -> [usize; 2] {
        let anomalies = self.anomalous.iter().filter(|anomalous| **anomalous).count();
        [self.anomalous.len() - anomalies, anomalies]
    }

    /// Rows of the rarer kind.
    pub(crate) fn scarcer(&self) -> usize {
        let [normal, anomalies] = self.counts();
        normal.min(anomalies)
    }

    /// What a normal and an anomalous row weigh: 1 each, or so that both kinds weigh the same together.
    pub(crate) fn weights(&self, balanced: bool) -> [f64; 2] {
        match balanced {
            true => self.counts().map(|count| self.anomalous.len() as f64 / (2.0 * count as f64)),
            false => [1.0; 2],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_labelled_rows_are_kept() {
        let rows = Matrix::from_rows(&[[1.0], [2.0], [3.0]]).unwrap();
        let labels = [Label::Anomaly, Label::Unknown, Label::Normal];
        let labelled = Labelled::of("forest", &TrainingSet { labels: &labels, ..TrainingSet::unlabelled(&rows) });
        let labelled = labelled.unwrap();
        assert_eq!((labelled.rows.values(), labelled.anomalous.as_slice()), (&[1.0, 3.0][..], &[true, false][..]));
        assert_eq!((labelled.counts(), labelled.scarcer()), ([1, 1], 1));
    }

    #[test]
    fn a_missing_kind_is_named_with_the_remedy() {
        let rows = Matrix::from_rows(&[[1.0], [2.0]]).unwrap();
        let refused = |labels: &[Label]| {
            let set = TrainingSet { labels, ..TrainingSet::unlabelled(&rows) };
            match Labelled::of("forest", &set) {
                Err(DetectError::Setting(text)) => text,
                other => panic!("{other:?}"),
            }
        };
        assert!(refused(&[]).contains("none of 2 rows is labelled an anomaly; label rows of both kinds"));
        assert!(refused(&[Label::Anomaly; 2]).contains("labelled normal"));
        assert!(refused(&[Label::Normal; 2]).contains("labelled an anomaly"));
        assert!(refused(&[Label::Normal; 3]).contains("3 labels for 2 rows"));
    }
}
