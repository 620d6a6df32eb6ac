//! What each column of a file is for: label, time, input, or nothing.

use arrow::array::AsArray;
use lapwing_vocabulary::EventTime;

use crate::error::{EvaluateError, quoted};
use crate::read::{Column, DataFile, Kind};
use crate::truth::Truths;

/// Which columns are no inputs.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// The column that says what each row is; detectors never see it.
    pub label: String,
    /// Labels that mean normal, if not the usual words and 0.
    pub normal: Vec<String>,
    /// The column that says when each row was; it only orders them.
    pub time: Option<String>,
    /// Columns that detectors shall not see.
    pub exclude: Vec<String>,
}

/// What is known of the rows of a file besides their inputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    pub(crate) truths: Truths,
    /// One per row if there is a column of times, else none.
    pub(crate) times: Vec<EventTime>,
}

impl Roles {
    /// Refuses names that the file does not have. Errors: `Setting`, with the nearest name.
    pub(crate) fn check(&self, file: &DataFile) -> Result<(), EvaluateError> {
        file.require(&self.label, "label column")?;
        self.time.iter().try_for_each(|time| file.require(time, "time column"))?;
        self.exclude.iter().try_for_each(|name| file.require(name, "column to exclude"))
    }

    /// The columns that detectors see. Errors: `Setting` if none is left.
    pub(crate) fn inputs(&self, file: &DataFile) -> Result<Vec<Column>, EvaluateError> {
        let is_input = |column: &&Column| {
            column.name != self.label
                && self.time.as_ref() != Some(&column.name)
                && !self.exclude.contains(&column.name)
        };
        let inputs: Vec<Column> = file.columns().iter().filter(is_input).cloned().collect();
        match inputs.is_empty() {
            false => Ok(inputs),
            true => Err(EvaluateError::setting(format!(
                "{} has no column besides label, time and what is excluded",
                file.path().display()
            ))),
        }
    }

    /// The columns that detectors see in both files; text in one is read as text in the other too.
    /// Errors: `Setting` with all differences.
    pub(crate) fn common_inputs(&self, train: &DataFile, data: &DataFile) -> Result<Vec<Column>, EvaluateError> {
        let (train_inputs, data_inputs) = (self.inputs(train)?, self.inputs(data)?);
        let lacking = |these: &[Column], those: &[Column]| -> Vec<String> {
            let known = |column: &&Column| !those.iter().any(|other| other.name == column.name);
            these.iter().filter(known).map(|column| column.name.clone()).collect()
        };
        let (only_train, only_data) = (lacking(&train_inputs, &data_inputs), lacking(&data_inputs, &train_inputs));
        if !only_train.is_empty() || !only_data.is_empty() {
            return Err(EvaluateError::setting(format!(
                "the files have different columns: only {} has {}; only {} has {}; rename them, or leave them out with \
                 --exclude in files made alike",
                train.path().display(),
                quoted(&only_train),
                data.path().display(),
                quoted(&only_data),
            )));
        }
        let kind = |column: &Column| {
            let texts = data_inputs.iter().any(|other| other.name == column.name && other.kind == Kind::Text);
            if texts { Kind::Text } else { column.kind }
        };
        Ok(train_inputs.iter().map(|column| Column { name: column.name.clone(), kind: kind(column) }).collect())
    }

    /// Reads labels and times. Errors: `Data` for a time that cannot be read, and for too many types.
    pub(crate) fn answers(&self, file: &DataFile) -> Result<Answers, EvaluateError> {
        let text = |name: &String| Column { name: name.clone(), kind: Kind::Text };
        let wanted: Vec<Column> = [Some(&self.label), self.time.as_ref()].into_iter().flatten().map(text).collect();
        let mut answers = Answers::default();
        file.visit(&wanted, &mut |start, batch| {
            let place = |error| match error {
                EvaluateError::Data(text) => EvaluateError::data(file.path(), format!("`{}`: {text}", self.label)),
                other => other,
            };
            answers.truths.add(batch.column(0), &self.normal).map_err(place)?;
            if let Some(name) = &self.time {
                for (row, time) in batch.column(1).as_string::<i32>().iter().enumerate() {
                    let refused = || {
                        let text = format!("row {}: `{name}` is {}, no time", start + row + 1, time.unwrap_or("empty"));
                        EvaluateError::data(file.path(), format!("{text}; 2026-01-31T12:00:00Z and numbers are"))
                    };
                    answers.times.push(time.and_then(EventTime::parse).ok_or_else(refused)?);
                }
            }
            Ok(())
        })?;
        Ok(answers)
    }
}
