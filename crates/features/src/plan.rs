use crate::baseline::Baseline;
use crate::error::FeatureError;
use crate::input::{Input, Reads};
use crate::parts::Part;
use crate::spec::{FeatureSpec, Learn, Measure, Over};
use crate::window::{Wanted, Window};

/// What a set of features needs: checked, each column and each column of peers once.
#[derive(Clone, Debug)]
pub(crate) struct Plan<'a> {
    specs: &'a [FeatureSpec],
    /// Columns read, in the order of their first use.
    pub(crate) columns: Vec<String>,
    /// Columns that make peers, in the order of their first use.
    pub(crate) peers: Vec<String>,
    /// Names of the columns that the features become.
    pub(crate) names: Vec<String>,
    /// The first of these columns, for each feature.
    firsts: Vec<usize>,
}

impl<'a> Plan<'a> {
    /// Errors: whatever [`FeatureSpec::check`] refuses, an empty name, a name used twice.
    pub(crate) fn new(specs: &'a [FeatureSpec]) -> Result<Self, FeatureError> {
        let mut plan = Self { specs, columns: vec![], peers: vec![], names: vec![], firsts: vec![] };
        for (index, spec) in specs.iter().enumerate() {
            if spec.name.is_empty() {
                return Err(FeatureError::EmptyName { number: index + 1 });
            }
            spec.check()?;
            plan.firsts.push(plan.names.len());
            for name in spec.outputs() {
                if plan.names.contains(&name) {
                    return Err(FeatureError::DuplicateName { name });
                }
                plan.names.push(name);
            }
            plan.check_surprise(spec)?;
            plan.columns_of(spec).into_iter().for_each(|column| add(&mut plan.columns, column));
            spec.peers().into_iter().for_each(|column| add(&mut plan.peers, column));
        }
        Ok(plan)
    }

    /// The feature that a surprise is at, if it is not at a column.
    fn surprise_of(&self, spec: &FeatureSpec) -> Option<&'a FeatureSpec> {
        spec.surprise_of(self.specs)
    }

    fn check_surprise(&self, spec: &FeatureSpec) -> Result<(), FeatureError> {
        let Some(of) = self.surprise_of(spec) else { return Ok(()) };
        let what = match of.measure {
            Measure::Surprise { .. } => "a surprise itself",
            Measure::Sequence { .. } => "many numbers",
            _ => return Ok(()),
        };
        Err(FeatureError::SurpriseOf { name: spec.name.clone(), of: of.name.clone(), what })
    }

    /// The columns of the events that a feature reads.
    fn columns_of(&self, spec: &'a FeatureSpec) -> Vec<&'a str> {
        if self.surprise_of(spec).is_some() { Vec::new() } else { spec.measure.columns() }
    }

    /// What a feature remembers, with what the feature is that it is surprised at.
    pub(crate) fn definition(&self, spec: &FeatureSpec) -> String {
        match self.surprise_of(spec) {
            None => spec.definition(),
            Some(of) => format!("{} at {}", spec.definition(), of.definition()),
        }
    }

    /// What is shown where a feature does not exist: index of the column, value.
    pub(crate) fn fills(&self) -> Vec<(usize, f64)> {
        let filled = self.features().filter_map(|(spec, first)| Some((spec, first, spec.fill?.value())));
        filled
            .flat_map(|(spec, first, value)| (first..first + spec.outputs().len()).map(move |at| (at, value)))
            .collect()
    }

    /// The windows; features of one length and number of panes share one.
    pub(crate) fn windows(&self) -> Vec<Window> {
        let mut kinds: Vec<(i64, usize, Vec<Wanted>)> = Vec::new();
        for (spec, output) in self.features() {
            let Over::Window { length_micros, panes } = spec.over else { continue };
            if !Window::keeps(&spec.measure) {
                continue;
            }
            let wanted = Wanted { measure: &spec.measure, input: self.inputs(spec).first().copied(), output };
            match kinds.iter_mut().find(|(length, number, _)| (*length, *number) == (length_micros, panes)) {
                Some((.., same)) => same.push(wanted),
                None => kinds.push((length_micros, panes, vec![wanted])),
            }
        }
        kinds.iter().map(|(length, panes, wanted)| Window::new(*length, *panes, wanted)).collect()
    }

    /// The baselines without season; features of one column, length and peers share one.
    pub(crate) fn baselines(&self) -> Vec<Baseline> {
        let mut baselines: Vec<Baseline> = Vec::new();
        for (spec, output) in self.features() {
            let (Measure::Zscore { .. }, Over::Baseline { length_micros, season: None, .. }) =
                (&spec.measure, &spec.over)
            else {
                continue;
            };
            let Some(input) = self.inputs(spec).first().copied() else { continue };
            let mut wanted = Baseline {
                input,
                length_micros: *length_micros,
                peers: self.group(spec),
                learn: spec.learn,
                outputs: vec![output],
            };
            match baselines.iter_mut().find(|same| same.is_like(&wanted)) {
                Some(same) => same.outputs.append(&mut wanted.outputs),
                None => baselines.push(wanted),
            }
        }
        baselines
    }

    /// All else, with what it reads and the column of its peers; features with the same memory share one.
    pub(crate) fn parts(&self) -> Vec<PlannedPart> {
        let mut parts: Vec<PlannedPart> = Vec::new();
        // Surprises come last: they may read what the others have written.
        let is_surprise = |spec: &FeatureSpec| matches!(spec.measure, Measure::Surprise { .. });
        let (surprises, others): (Vec<_>, Vec<_>) = self.features().partition(|(spec, _)| is_surprise(spec));
        for (spec, output) in others.into_iter().chain(surprises) {
            let Some(part) = Part::new(spec, output) else { continue };
            let reads = self.reads(spec);
            let mut identity = part.identity(spec);
            if let Some(of) = self.surprise_of(spec) {
                identity = format!("{identity} at {}", of.definition());
            }
            match parts.iter_mut().find(|same| same.identity == identity && same.learn == spec.learn) {
                Some(same) => same.part.join(part),
                None => parts.push(PlannedPart { part, identity, reads, learn: spec.learn, peers: self.group(spec) }),
            }
        }
        parts
    }

    /// Each feature with its first column.
    fn features(&self) -> impl Iterator<Item = (&'a FeatureSpec, usize)> {
        self.specs.iter().zip(self.firsts.iter().copied())
    }

    fn inputs(&self, spec: &'a FeatureSpec) -> Vec<Input> {
        let index = |column: &str| self.columns.iter().position(|known| known == column);
        let columns = self.columns_of(spec).into_iter().filter_map(index);
        columns.map(|index| Input { index, nulls: spec.nulls }).collect()
    }

    fn reads(&self, spec: &'a FeatureSpec) -> Vec<Reads> {
        let of = self.surprise_of(spec).and_then(|of| self.names.iter().position(|name| *name == of.name));
        match of {
            Some(index) => vec![Reads::Feature(Input { index, nulls: spec.nulls })],
            None => self.inputs(spec).into_iter().map(Reads::Column).collect(),
        }
    }

    fn group(&self, spec: &FeatureSpec) -> Option<usize> {
        self.peers.iter().position(|column| Some(column.as_str()) == spec.peers())
    }
}

/// A part and what it is connected with.
#[derive(Clone, Debug)]
pub(crate) struct PlannedPart {
    pub(crate) part: Part,
    pub(crate) identity: String,
    pub(crate) reads: Vec<Reads>,
    pub(crate) learn: Learn,
    pub(crate) peers: Option<usize>,
}

fn add(columns: &mut Vec<String>, column: &str) {
    if columns.iter().all(|known| known != column) {
        columns.push(column.to_owned());
    }
}
