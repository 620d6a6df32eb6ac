//! The ways to score rows, and their options.
//!
//! Every option is a [`crate::options::Slot`]: a place to write a value, and what may stand there. Pipeline files,
//! resolved pipelines and searches for good options all go through slots, so an option is declared once, beside the
//! method it belongs to.

use serde::{Deserialize, Serialize};

use crate::count_distance::CountDistanceOptions;
use crate::ecod::EcodOptions;
use crate::hbos::HbosOptions;
use crate::isolation_forest::IsolationForestOptions;
use crate::networks::{AutoencoderOptions, TransformerOptions};
use crate::onnx::OnnxOptions;
pub use crate::options::{OptionValue, Options, Slot};
use crate::pca::PcaOptions;
use crate::transitions::TransitionsOptions;
use crate::trees::extended_isolation_forest::ExtendedIsolationForestOptions;
use crate::trees::gradient_boosting::GradientBoostingOptions;
use crate::trees::random_forest::RandomForestOptions;
use crate::trees::unsupervised_forest::UnsupervisedForestOptions;

/// A way to score rows, with its options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Mean distance of the columns from their medians; also casts the vote of the strangest column.
    RobustZscore,
    /// Mean distance of the columns outside their quartiles; also casts the vote of the strangest column.
    IqrFence,
    /// How thinly the rows lie in each column.
    Hbos(HbosOptions),
    /// How few rows lie as far out in each column.
    Ecod(EcodOptions),
    /// How far a row leaves the flat on which the others lie.
    Pca(PcaOptions),
    /// How unlikely all the surprises of a row are together; its inputs are features of that kind.
    Surprise,
    /// How few random splits isolate a row.
    IsolationForest(IsolationForestOptions),
    /// How few oblique cuts isolate a row.
    ExtendedIsolationForest(ExtendedIsolationForestOptions),
    /// How little a row's columns go together as they did in training.
    UnsupervisedForest(UnsupervisedForestOptions),
    /// The share of a forest's votes for an anomaly; learns from labels.
    RandomForest(RandomForestOptions),
    /// Log odds of an anomaly, by trees that correct each other; learns from labels.
    GradientBoosting(GradientBoostingOptions),
    /// How badly a narrow network repeats a row.
    Autoencoder(AutoencoderOptions),
    /// How little a key was expected after those before it.
    Transformer(TransformerOptions),
    /// How far counts are from the nearest counts of training.
    CountDistance(CountDistanceOptions),
    /// How seldom one code followed another.
    Transitions(TransitionsOptions),
    /// A model trained elsewhere.
    Onnx(OnnxOptions),
}

impl Method {
    /// An isolation forest of the published size.
    pub const FOREST: Self = Self::IsolationForest(IsolationForestOptions::PUBLISHED);

    /// Every method with its default options, in the order of the reference.
    pub fn all() -> Vec<Self> {
        vec![
            Self::RobustZscore,
            Self::IqrFence,
            Self::Hbos(HbosOptions::DEFAULT),
            Self::Ecod(EcodOptions::PUBLISHED),
            Self::Pca(PcaOptions::DEFAULT),
            Self::Surprise,
            Self::IsolationForest(IsolationForestOptions::PUBLISHED),
            Self::ExtendedIsolationForest(ExtendedIsolationForestOptions::default()),
            Self::UnsupervisedForest(UnsupervisedForestOptions::default()),
            Self::RandomForest(RandomForestOptions::default()),
            Self::GradientBoosting(GradientBoostingOptions::default()),
            Self::Autoencoder(AutoencoderOptions::DEFAULT),
            Self::Transformer(TransformerOptions::DEFAULT),
            Self::CountDistance(CountDistanceOptions::DEFAULT),
            Self::Transitions(TransitionsOptions::DEFAULT),
            Self::Onnx(OnnxOptions::default()),
        ]
    }

    /// The detectors to take when nothing is known of the data, cheap enough for every event. They look at rows in
    /// different ways: the forest at several columns together and with no eye for distance; fence and robust z-score at
    /// each column alone, with distance, from the quartiles and from the median, in the mean and in the strangest. These
    /// two agree mostly, so fusion lets them count as little more than one. Another look lost more precision than it
    /// found on classical tabular sets: histograms and empirical tails see what these see, and the distance from a
    /// linear flat misleads where columns do not depend on each other linearly.
    pub fn default_ensemble() -> Vec<Self> {
        vec![Self::FOREST, Self::IqrFence, Self::RobustZscore]
    }

    /// The detectors that learn from labels, to be added where there are some.
    pub fn supervised_ensemble() -> Vec<Self> {
        vec![
            Self::RandomForest(RandomForestOptions::default()),
            Self::GradientBoosting(GradientBoostingOptions::default()),
        ]
    }

    /// The method of that name, with its default options.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|method| method.name() == name)
    }

    /// The name written to pipeline files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RobustZscore => "robust_zscore",
            Self::IqrFence => "iqr_fence",
            Self::Hbos(_) => "hbos",
            Self::Ecod(_) => "ecod",
            Self::Pca(_) => "pca",
            Self::Surprise => "surprise",
            Self::IsolationForest(_) => "isolation_forest",
            Self::ExtendedIsolationForest(_) => "extended_isolation_forest",
            Self::UnsupervisedForest(_) => "unsupervised_forest",
            Self::RandomForest(_) => "random_forest",
            Self::GradientBoosting(_) => "gradient_boosting",
            Self::Autoencoder(_) => "autoencoder",
            Self::Transformer(_) => "transformer",
            Self::CountDistance(_) => "count_distance",
            Self::Transitions(_) => "transitions",
            Self::Onnx(_) => "onnx",
        }
    }

    /// Whether it learns from labels.
    pub fn is_supervised(&self) -> bool {
        matches!(self, Self::RandomForest(_) | Self::GradientBoosting(_))
    }

    /// Returns the probability of an anomaly that a raw score of this method stands for; `None` where scores are none,
    /// as without labels. Among rows mixed as those learned from; of a balanced random forest, as if both kinds were
    /// equally many. Range: 0 to 1; NaN stays NaN.
    pub fn probability(&self, raw: f64) -> Option<f64> {
        match self {
            Self::RandomForest(_) => Some(raw),
            // Log odds.
            Self::GradientBoosting(_) => Some(1.0 / (1.0 + libm::exp(-raw))),
            _ => None,
        }
    }

    /// Whether it measures single columns, so that direction and minimum effect can be set for each.
    pub fn takes_rules(&self) -> bool {
        matches!(self, Self::RobustZscore | Self::IqrFence)
    }

    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        match self {
            Self::RobustZscore | Self::IqrFence | Self::Surprise => Vec::new(),
            Self::Hbos(options) => options.slots(),
            Self::Ecod(options) => options.slots(),
            Self::Pca(options) => options.slots(),
            Self::IsolationForest(options) => options.slots(),
            Self::ExtendedIsolationForest(options) => options.slots(),
            Self::UnsupervisedForest(options) => options.slots(),
            Self::RandomForest(options) => options.slots(),
            Self::GradientBoosting(options) => options.slots(),
            Self::Autoencoder(options) => options.slots(),
            Self::Transformer(options) => options.slots(),
            Self::CountDistance(options) => options.slots(),
            Self::Transitions(options) => options.slots(),
            Self::Onnx(options) => options.slots(),
        }
    }

    /// Its options and their values.
    pub fn options(&self) -> Vec<(&'static str, OptionValue)> {
        self.clone().slots().into_iter().map(|(name, slot)| (name, slot.value())).collect()
    }

    /// What may stand in an option; `None` if the method has none of that name.
    pub fn allowed(&self, option: &str) -> Option<String> {
        let mut copy = self.clone();
        let slots = copy.slots();
        slots.iter().find(|(name, _)| *name == option).map(|(_, slot)| slot.allowed())
    }

    /// Sets an option. The error says what may stand there.
    pub fn set(&mut self, option: &str, value: &OptionValue) -> Result<(), String> {
        let method = self.name();
        let mut slots = self.slots();
        let Some(place) = slots.iter().position(|(name, _)| *name == option) else {
            let known: Vec<&str> = slots.iter().map(|(name, _)| *name).collect();
            return Err(match known.is_empty() {
                true => format!("{method} has no options"),
                false => format!("{method} has no option `{option}`; it has `{}`", known.join("`, `")),
            });
        };
        let (name, slot) = slots.swap_remove(place);
        let allowed = slot.allowed();
        match slot.set(value) {
            true => Ok(()),
            false => Err(format!("`{name}` of {method} is {value}; allowed: {allowed}")),
        }
    }

    /// Refuses options that are out of range; the text says which.
    pub fn check(&self) -> Result<(), String> {
        let mut copy = self.clone();
        self.options().iter().try_for_each(|(name, value)| copy.set(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_name_and_accepts_its_own_options() {
        for method in Method::all() {
            assert_eq!(Method::named(method.name()).as_ref(), Some(&method));
            assert_eq!(method.check(), Ok(()), "{method:?}");
        }
    }

    #[test]
    fn what_cannot_stand_in_an_option_is_refused_with_what_can() {
        let mut forest = Method::FOREST;
        forest.set("trees", &OptionValue::Whole(7)).unwrap();
        assert_eq!(forest.options()[0], ("trees", OptionValue::Whole(7)));
        let refused = |option: &str, value| Method::FOREST.clone().set(option, &value).unwrap_err();
        assert!(refused("trees", OptionValue::Whole(0)).contains("allowed: 1 to 10000"));
        assert!(refused("samples", OptionValue::Text("all".into())).contains("allowed: 2 to 512"));
        assert!(refused("tree", OptionValue::Whole(1)).contains("it has `trees`, `samples`"));
    }
}
