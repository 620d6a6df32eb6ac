use super::correlation::Correlation;
use super::ewma::Ewma;
use super::first_seen::FirstSeen;
use super::geo::Geo;
use super::previous::{Previous, Reading};
use super::rarity::Rarity;
use super::robust::RobustBaseline;
use super::seasonal::Seasonal;
use super::sequence::Sequence;
use super::surprise::{Surprise, UsualBy};
use crate::baseline::Baseline;
use crate::behind::Behind;
use crate::input::Input;
use crate::spec::{FeatureSpec, Learn, Measure, Over, quoted};

/// One of the parts. It reads the columns of its feature as inputs 0 and 1.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Previous(Previous),
    Sequence(Sequence),
    Geo(Geo),
    FirstSeen(FirstSeen),
    Rarity(Rarity),
    Ewma(Ewma),
    RobustBaseline(RobustBaseline),
    Seasonal(Seasonal),
    Surprise(Surprise),
    Correlation(Correlation),
}

/// Does the same with whichever part it is.
macro_rules! each {
    ($part:expr, $name:ident => $act:expr) => {
        match $part {
            Part::Previous($name) => $act,
            Part::Sequence($name) => $act,
            Part::Geo($name) => $act,
            Part::FirstSeen($name) => $act,
            Part::Rarity($name) => $act,
            Part::Ewma($name) => $act,
            Part::RobustBaseline($name) => $act,
            Part::Seasonal($name) => $act,
            Part::Surprise($name) => $act,
            Part::Correlation($name) => $act,
        }
    };
}

impl Part {
    /// The part that keeps this feature, whose first column is `output`; `None` if a window or a baseline keeps it.
    pub(crate) fn new(spec: &FeatureSpec, output: usize) -> Option<Self> {
        let outputs = vec![output];
        let previous = |reading, input| Self::Previous(Previous { input, outputs: vec![(reading, output)] });
        let length_micros = spec.over.length_micros().unwrap_or_default();
        let (learn, winsorise) = (spec.learn, spec.learn != Learn::All);
        Some(match (&spec.measure, &spec.over) {
            (Measure::Last { .. }, _) => previous(Reading::Last, Some(0)),
            (Measure::Delta { .. }, _) => previous(Reading::Delta, Some(0)),
            (Measure::Velocity { .. }, _) => previous(Reading::Velocity, Some(0)),
            (Measure::Acceleration { .. }, _) => previous(Reading::Acceleration, Some(0)),
            (Measure::SinceLast { column }, _) => previous(Reading::SinceLast, column.as_ref().map(|_| 0)),
            (Measure::Sequence { length, .. }, _) => Self::Sequence(Sequence { input: 0, length: *length, outputs }),
            (Measure::GeoDistance { .. }, _) => {
                Self::Geo(Geo { latitude: 0, longitude: 1, distance_outputs: outputs, speed_outputs: vec![] })
            }
            (Measure::GeoSpeed { .. }, _) => {
                Self::Geo(Geo { latitude: 0, longitude: 1, distance_outputs: vec![], speed_outputs: outputs })
            }
            (Measure::FirstSeen { .. }, over) => {
                Self::FirstSeen(FirstSeen { input: 0, horizon_micros: over.length_micros(), outputs })
            }
            (Measure::Rarity { .. }, _) => Self::Rarity(Rarity { input: 0, length_micros, outputs }),
            (Measure::Ewma { .. }, _) => Self::Ewma(Ewma { input: 0, length_micros, outputs }),
            // The partition stands in for peers, as it does for other baselines.
            (Measure::RobustZscore { .. }, Over::Baseline { .. }) => {
                Self::RobustBaseline(RobustBaseline { input: 0, length_micros, peers: true, outputs })
            }
            (Measure::Zscore { .. }, Over::Baseline { season: Some(season), .. }) => {
                Self::Seasonal(Seasonal { input: 0, length_micros, season: *season, winsorise, outputs })
            }
            (Measure::Surprise { .. }, Over::Baseline { season, .. }) => {
                let input = Input { index: 0, nulls: spec.nulls };
                let usual = match *season {
                    None => UsualBy::Baseline(Baseline { input, length_micros, peers: None, learn, outputs: vec![] }),
                    Some(season) => {
                        UsualBy::Season(Seasonal { input: 0, length_micros, season, winsorise, outputs: vec![] })
                    }
                };
                Self::Surprise(Surprise { input: 0, usual, length_micros, outputs })
            }
            (Measure::Correlation { column, .. }, Over::Window { panes, .. }) => {
                let pane_micros = (length_micros as u64).div_ceil(*panes as u64) as i64;
                let input = column.as_ref().map(|_| 0);
                Self::Correlation(Correlation { input, pane_micros, panes: *panes, outputs })
            }
            _ => return None,
        })
    }

    /// What gives its memory its meaning: equal for features that can share it.
    pub(crate) fn identity(&self, spec: &FeatureSpec) -> String {
        let kind = match self {
            Self::Previous(_) => "previous".to_owned(),
            Self::Sequence(part) => format!("sequence {}", part.length),
            Self::Geo(_) => "geo".to_owned(),
            Self::FirstSeen(_) => "first_seen".to_owned(),
            Self::Rarity(_) => "rarity".to_owned(),
            Self::Ewma(_) => "ewma".to_owned(),
            Self::RobustBaseline(_) => "robust".to_owned(),
            Self::Seasonal(part) => format!("seasonal {}", part.season.name()),
            Self::Surprise(Surprise { usual: UsualBy::Season(part), .. }) => format!("surprise {}", part.season.name()),
            Self::Surprise(_) => "surprise".to_owned(),
            Self::Correlation(part) => format!("correlation {}", part.panes),
        };
        let mut words = vec![kind];
        words.extend(spec.over.length_micros().map(|length| length.to_string()));
        words.push(spec.nulls.name().to_owned());
        words.extend(spec.measure.columns().into_iter().map(quoted));
        words.extend(spec.peers().map(|peers| format!("peers {}", quoted(peers))));
        words.join(" ")
    }

    /// Shows the features of another part with the same identity too.
    pub(crate) fn join(&mut self, other: Self) {
        match (self, other) {
            (Self::Previous(part), Self::Previous(other)) => part.outputs.extend(other.outputs),
            (Self::Sequence(part), Self::Sequence(other)) => part.outputs.extend(other.outputs),
            (Self::Geo(part), Self::Geo(other)) => {
                part.distance_outputs.extend(other.distance_outputs);
                part.speed_outputs.extend(other.speed_outputs);
            }
            (Self::FirstSeen(part), Self::FirstSeen(other)) => part.outputs.extend(other.outputs),
            (Self::Rarity(part), Self::Rarity(other)) => part.outputs.extend(other.outputs),
            (Self::Ewma(part), Self::Ewma(other)) => part.outputs.extend(other.outputs),
            (Self::RobustBaseline(part), Self::RobustBaseline(other)) => part.outputs.extend(other.outputs),
            (Self::Seasonal(part), Self::Seasonal(other)) => part.outputs.extend(other.outputs),
            (Self::Surprise(part), Self::Surprise(other)) => part.outputs.extend(other.outputs),
            (Self::Correlation(part), Self::Correlation(other)) => part.outputs.extend(other.outputs),
            _ => debug_assert!(false, "parts with the same identity are of one kind"),
        }
    }

    pub(crate) fn entity_words(&self) -> usize {
        each!(self, part => part.entity_words())
    }

    /// Words per group of peers; per partition without peers.
    pub(crate) fn group_words(&self) -> usize {
        each!(self, part => part.group_words())
    }

    /// Makes it remember nothing.
    pub(crate) fn clear(&self, own: &mut [f64], group: &mut [f64]) {
        each!(self, part => part.clear(own, group));
    }

    /// What stands behind its features at a moment. `common` are the words that entities share, where they are known.
    pub(crate) fn behind(&self, own: &[f64], common: Option<&[f64]>, now: i64) -> Behind {
        match self {
            Self::Previous(part) => part.behind(own),
            Self::Sequence(part) => part.behind(own),
            Self::Geo(_) => Behind::past(own[0], f64::from(u8::from(!own[0].is_nan())), 1.0),
            Self::FirstSeen(_) => Behind::default(),
            Self::Rarity(part) => part.behind(own, now),
            Self::Ewma(part) => part.behind(own, now),
            Self::RobustBaseline(part) => part.behind(own, common, now),
            Self::Seasonal(part) => part.behind(own, common, now),
            Self::Surprise(part) => part.behind(own, common, now),
            Self::Correlation(part) => part.behind(own),
        }
    }

    /// Each of its columns, with its value where that exists without an event.
    pub(crate) fn known(&self, own: &[f64]) -> Vec<(usize, Option<f64>)> {
        let value = if let Self::Ewma(part) = self { part.mean(own) } else { None };
        self.outputs().into_iter().map(|output| (output, value)).collect()
    }

    fn outputs(&self) -> Vec<usize> {
        match self {
            Self::Previous(part) => part.outputs.iter().map(|(_, output)| *output).collect(),
            Self::Sequence(part) => part.outputs.iter().flat_map(|first| *first..first + part.length).collect(),
            Self::Geo(part) => [&part.distance_outputs[..], &part.speed_outputs[..]].concat(),
            Self::FirstSeen(part) => part.outputs.clone(),
            Self::Rarity(part) => part.outputs.clone(),
            Self::Ewma(part) => part.outputs.clone(),
            Self::RobustBaseline(part) => part.outputs.clone(),
            Self::Seasonal(part) => part.outputs.clone(),
            Self::Surprise(part) => part.outputs.clone(),
            Self::Correlation(part) => part.outputs.clone(),
        }
    }

    /// Takes one event and writes the features. Apart, so that a graph without parts keeps a small loop.
    #[inline(never)]
    pub(crate) fn fold(&self, own: &mut [f64], group: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        each!(self, part => part.fold(own, group, time, inputs, out));
    }
}
