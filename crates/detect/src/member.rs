use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::columns::ModelColumns;
use crate::detector::{Detector, RawScores};
use crate::error::DetectError;
use crate::fusion::Voice;
use crate::input_rule::{ColumnRule, InputRule};
use crate::matrix::Matrix;
use crate::method::Method;
use crate::segments::Segments;
use crate::training::TrainingSet;

/// Which of the model's columns a member reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Inputs {
    /// All of them.
    All,
    /// These: names of batch columns (all their encoded columns), or of encoded columns.
    Named(Vec<String>),
}

/// A member of an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberSpec {
    /// Name of the detector in the pipeline file.
    pub name: String,
    /// How it scores.
    pub method: Method,
    /// What it reads.
    pub inputs: Inputs,
    /// What counts as strange in single columns; of several for one column the last holds.
    #[serde(default)]
    pub rules: Vec<InputRule>,
}

/// A trained member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Places of its inputs among the model's columns; `None` if it reads all.
    pub(crate) inputs: Option<Vec<usize>>,
    pub(crate) detector: Detector,
    /// How rare its raw scores are, and how much they count.
    pub(crate) voice: Voice,
}

impl Member {
    /// Trains a member; it is not yet calibrated. Errors: `Setting`, `TooFewRows`.
    pub(crate) fn fit(
        spec: &MemberSpec,
        columns: &ModelColumns,
        set: &TrainingSet<'_>,
        seed: u64,
    ) -> Result<Self, DetectError> {
        let inputs = resolve(spec, columns)?;
        let rules = column_rules(spec, columns, inputs.as_deref()).map_err(DetectError::Setting)?;
        let rows = selected(inputs.as_deref(), set.rows);
        let detector = Detector::fit(&spec.method, &rules, &TrainingSet { rows: &rows, ..*set }, seed)?;
        Ok(Self { name: spec.name.clone(), inputs, detector, voice: Voice::untaught() })
    }

    /// Refuses a member that could not score rows of `width` columns; the text says what is wrong.
    pub(crate) fn check(&self, width: usize, segments: Option<Segments>) -> Result<(), String> {
        let read = self.inputs.as_ref().map_or(width, Vec::len);
        let beyond = self.inputs.iter().flatten().find(|place| **place >= width);
        if let Some(place) = beyond {
            return Err(format!("detector `{}` reads column {place} of {width}", self.name));
        }
        let detector = self.detector.as_dyn();
        detector.check().map_err(|text| format!("detector `{}`: {text}", self.name))?;
        if detector.width() != read {
            return Err(format!("detector `{}` is not as wide as its {read} inputs", self.name));
        }
        self.voice.check(segments).map_err(|text| format!("detector `{}`: {text}", self.name))
    }

    /// Whether it casts the vote of the strangest column.
    pub(crate) fn votes(&self) -> bool {
        self.detector.as_dyn().votes()
    }

    /// Raw scores of rows that have all of the model's columns.
    pub(crate) fn score(&self, rows: &Matrix) -> Result<RawScores, DetectError> {
        self.detector.as_dyn().score(&selected(self.inputs.as_deref(), rows))
    }

    /// Adds to each of the model's columns what it did to make the row strange to this member: the positive parts of
    /// the method's own attribution, scaled so that they sum to `weight`.
    pub(crate) fn attribute(&self, row: &[f32], weight: f64, credits: &mut Credits) {
        let values: Cow<[f32]> = match &self.inputs {
            None => Cow::Borrowed(row),
            Some(places) => places.iter().map(|place| row[*place]).collect(),
        };
        let mut own = vec![0.0; values.len()];
        let expected = self.detector.as_dyn().attribute(&values, &mut own);
        let total: f64 = own.iter().map(|part| part.max(0.0)).sum();
        if total <= 0.0 {
            return;
        }
        for (index, part) in own.iter().enumerate() {
            let place = self.inputs.as_ref().map_or(index, |places| places[index]);
            let expected = expected.as_ref().map(|expected| expected[index]);
            credits.add(place, weight * part.max(0.0) / total, expected);
        }
    }
}

/// What each column did to make a row strange, and what would have been usual there.
#[derive(Debug)]
pub(crate) struct Credits {
    /// Sum over the members.
    pub(crate) sum: Vec<f64>,
    /// Said by the member that gives the column most; medians where it does not know.
    pub(crate) expected: Vec<f32>,
    medians: Vec<f32>,
    most: Vec<f64>,
}

impl Credits {
    /// Nobody has said anything.
    pub(crate) fn new(medians: &[f32]) -> Self {
        let nothing = vec![0.0; medians.len()];
        Self { sum: nothing.clone(), expected: medians.to_vec(), medians: medians.to_vec(), most: nothing }
    }

    fn add(&mut self, place: usize, credit: f64, expected: Option<f32>) {
        self.sum[place] += credit;
        if credit > self.most[place] {
            self.most[place] = credit;
            self.expected[place] = expected.filter(|value| value.is_finite()).unwrap_or(self.medians[place]);
        }
    }
}

fn selected<'a>(inputs: Option<&[usize]>, rows: &'a Matrix) -> Cow<'a, Matrix> {
    inputs.map_or(Cow::Borrowed(rows), |places| Cow::Owned(rows.select(places)))
}

/// Places of a member's inputs, each once and ascending; `None` for all.
fn resolve(spec: &MemberSpec, columns: &ModelColumns) -> Result<Option<Vec<usize>>, DetectError> {
    let Inputs::Named(names) = &spec.inputs else { return Ok(None) };
    let mut places = Vec::new();
    for name in names {
        let found = columns.places(name);
        if found.is_empty() {
            let known: Vec<String> = columns.inputs().into_iter().map(|input| input.column).collect();
            let (detector, known) = (&spec.name, known.join("`, `"));
            let text = format!("detector `{detector}` reads `{name}`, which the model does not have; it has `{known}`");
            return Err(DetectError::Setting(text));
        }
        places.extend(found);
    }
    places.sort_unstable();
    places.dedup();
    match places.is_empty() {
        true => Err(DetectError::Setting(format!("detector `{}` reads no column", spec.name))),
        false => Ok(Some(places)),
    }
}

/// One rule per column the member reads; none if nothing is said of any.
fn column_rules(
    spec: &MemberSpec,
    columns: &ModelColumns,
    inputs: Option<&[usize]>,
) -> Result<Vec<ColumnRule>, String> {
    let detector = &spec.name;
    if spec.rules.is_empty() {
        return Ok(Vec::new());
    }
    if !spec.method.takes_rules() {
        let method = spec.method.name();
        return Err(format!(
            "detector `{detector}` has a direction or a minimum effect for an input; {method} looks at columns together, use robust_zscore or iqr_fence"
        ));
    }
    let own: Vec<usize> = inputs.map_or_else(|| (0..columns.width()).collect(), <[usize]>::to_vec);
    let mut rules = vec![ColumnRule::default(); own.len()];
    for rule in &spec.rules {
        rule.check().map_err(|text| format!("detector `{detector}`: {text}"))?;
        let places: Vec<usize> =
            columns.places(&rule.column).iter().filter_map(|place| own.binary_search(place).ok()).collect();
        if places.is_empty() {
            let column = &rule.column;
            return Err(format!("detector `{detector}` has a rule for `{column}`, which it does not read"));
        }
        for place in places {
            rules[place] = ColumnRule { direction: rule.direction, minimum_effect: rule.minimum_effect };
        }
    }
    Ok(rules)
}
