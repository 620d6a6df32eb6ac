use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use lapwing_detect::{Method, OptionValue};
use serde_json::{Map, Value, json};

use super::TuneOptions;
use super::fold::{Fold, forward, stratified};
use super::journal::Trial;
use crate::command::ALERT_RATE;
use crate::error::EvaluateError;
use crate::learn::{Lesson, gather};
use crate::ranking::Ranking;
use crate::read::{Column, DataFile};
use crate::split::sample;
use crate::truth::Truth;

/// All rows of a search, in memory.
pub(super) struct Rows {
    columns: Vec<Column>,
    batch: RecordBatch,
    truths: Vec<Truth>,
    /// Places of the rows in the order of time.
    order: Vec<usize>,
    /// What a person should know of the rows.
    pub(super) notes: Vec<String>,
}

impl Rows {
    /// Reads a sample of the file's rows. Errors: as reading, and `Data` if a kind of row is missing.
    pub(super) fn read(options: &TuneOptions, file: &DataFile) -> Result<Self, EvaluateError> {
        options.roles.check(file)?;
        let columns = options.roles.inputs(file)?;
        let answers = options.roles.answers(file)?;
        let all: Vec<u32> = (0..file.rows() as u32).collect();
        let taken = sample(&all, options.sample, options.seed);
        let batches = gather(file, &columns, &taken)?;
        let Some(first) = batches.first() else { return Err(EvaluateError::setting("the sample is 0 rows")) };
        let batch =
            concat_batches(&first.schema(), &batches).map_err(|error| EvaluateError::data(file.path(), error))?;
        let truths: Vec<Truth> = taken.iter().map(|row| answers.truths.rows[*row as usize]).collect();
        let mut order: Vec<usize> = (0..truths.len()).collect();
        order.sort_by_key(|place| answers.times.get(taken[*place] as usize));
        let notes = match taken.len() < all.len() {
            true => vec![format!("a sample of {} of {} rows was used", taken.len(), all.len())],
            false => Vec::new(),
        };
        Ok(Self { columns, batch, truths, order, notes })
    }

    pub(super) fn count(&self) -> usize {
        self.truths.len()
    }

    /// Folds over a sample of so many rows, anomalies and other rows in their proportion. Errors: `Setting`.
    pub(super) fn folds(&self, options: &TuneOptions, rows: usize) -> Result<Vec<Fold>, EvaluateError> {
        let (anomalies, others): (Vec<usize>, Vec<usize>) =
            (0..self.count()).partition(|place| matches!(self.truths[*place], Truth::Anomaly(_)));
        let share = rows as f64 / self.count() as f64;
        // Few anomalies are all that is known: a smaller round does not go below two for each fold.
        let few = ((anomalies.len() as f64 * share) as usize).max(2 * options.folds);
        let mut taken = [
            sample(&anomalies, few, options.seed),
            sample(&others, (others.len() as f64 * share) as usize, options.seed),
        ]
        .concat();
        taken.sort_unstable();
        let truths: Vec<Truth> = taken.iter().map(|place| self.truths[*place]).collect();
        let folds = match options.forward {
            false => stratified(&truths, options.folds, options.seed)?,
            true => {
                let ordered = self.order.iter().filter_map(|place| taken.binary_search(place).ok());
                forward(&truths, &ordered.collect::<Vec<_>>(), options.folds)?
            }
        };
        let back = |places: &[usize]| places.iter().map(|place| taken[*place]).collect();
        Ok(folds.iter().map(|fold| Fold { learn: back(&fold.learn), test: back(&fold.test) }).collect())
    }

    /// The objective of a method that learns from some rows, on others.
    pub(super) fn measure(&self, method: &Method, fold: &Fold, options: &TuneOptions) -> Result<f64, EvaluateError> {
        let take = |places: &[usize]| {
            let places: UInt32Array = places.iter().map(|place| *place as u32).collect();
            take_record_batch(&self.batch, &places).map_err(|error| EvaluateError::Data(error.to_string()))
        };
        let truths: Vec<Truth> = fold.learn.iter().map(|place| self.truths[*place]).collect();
        let lesson = Lesson::new(&self.columns, &[take(&fold.learn)?], &truths, &[])?;
        let ensemble = lesson.fit(std::slice::from_ref(method), ALERT_RATE, options.seed)?;
        let scores = ensemble.score(&ensemble.columns().encode(&take(&fold.test)?)?)?;
        let anomalous: Vec<bool> =
            fold.test.iter().map(|place| matches!(self.truths[*place], Truth::Anomaly(_))).collect();
        let figures = Ranking::of(&scores.members[0].raw, &anomalous).figures();
        let figures = figures.ok_or_else(|| EvaluateError::setting("a fold has rows of one kind only"))?;
        Ok(options.objective.of(&figures))
    }
}

impl Trial {
    /// Mean score over the folds; that of a failed trial is the least of all.
    pub fn mean(&self) -> f64 {
        match self.scores.is_empty() {
            true => f64::NEG_INFINITY,
            false => self.scores.iter().sum::<f64>() / self.scores.len() as f64,
        }
    }

    /// Standard deviation of the score over the folds.
    pub fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.scores.iter().map(|score| (score - mean) * (score - mean)).sum();
        (squares / (self.scores.len().max(2) - 1) as f64).sqrt()
    }
}

/// The options of a trial as a journal holds them.
pub(super) fn to_map(choice: &[(String, OptionValue)]) -> Map<String, Value> {
    choice.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
}

/// The method with the options of a trial. Errors: `Setting` if it refuses one.
pub(super) fn with_options(method: &Method, options: &Map<String, Value>) -> Result<Method, EvaluateError> {
    let mut method = method.clone();
    for (name, value) in options {
        let value: OptionValue = serde_json::from_value(value.clone())
            .map_err(|error| EvaluateError::setting(format!("option `{name}` of the journal: {error}")))?;
        method.set(name, &value).map_err(EvaluateError::Setting)?;
    }
    Ok(method)
}
