//! Rows of a file to a trained ensemble, and the ensemble over all rows of a file.

use std::thread;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use lapwing_detect::ensemble::MemberScores;
use lapwing_detect::{DetectError, Ensemble, Label, Matrix, Method, ModelColumns, TrainingSet};

use crate::detectors;
use crate::disk::{Disk, threads};
use crate::encode::{Encodings, encodings};
use crate::error::EvaluateError;
use crate::read::{Column, DataFile};
use crate::truth::Truth;

/// Rows to learn from, encoded.
#[derive(Debug)]
pub(crate) struct Lesson {
    pub(crate) columns: ModelColumns,
    /// What a person should know of columns that are not read.
    pub(crate) notes: Vec<String>,
    rows: Matrix,
    /// One per row, or none if nobody shall look at them.
    labels: Vec<Label>,
    /// What methods read that do not read everything, as [`detectors::members`] has it.
    inputs: Vec<String>,
}

/// Reads the given rows of a file; their numbers rise.
pub(crate) fn gather(file: &DataFile, columns: &[Column], rows: &[u32]) -> Result<Vec<RecordBatch>, EvaluateError> {
    let mut left = rows;
    let mut batches = Vec::new();
    file.visit(columns, &mut |start, batch| {
        let (picked, rest) = picked(left, start, batch)?;
        left = rest;
        batches.extend((picked.num_rows() > 0).then_some(picked));
        Ok(())
    })?;
    Ok(batches)
}

/// The wanted rows of a batch, and those wanted of later ones.
fn picked<'a>(wanted: &'a [u32], start: usize, batch: &RecordBatch) -> Result<(RecordBatch, &'a [u32]), EvaluateError> {
    let end = start + batch.num_rows();
    let (here, rest) = wanted.split_at(wanted.partition_point(|row| (*row as usize) < end));
    if here.len() == batch.num_rows() {
        return Ok((batch.clone(), rest));
    }
    let places: UInt32Array = here.iter().map(|row| row - start as u32).collect();
    take_record_batch(batch, &places)
        .map(|picked| (picked, rest))
        .map_err(|error| EvaluateError::Data(error.to_string()))
}

impl Lesson {
    /// Encodes rows by what they themselves teach. Without truths, labels stay unknown.
    /// Errors: `Setting` if no column can be read, `Detect`.
    pub(crate) fn new(
        columns: &[Column],
        batches: &[RecordBatch],
        truths: &[Truth],
        inputs: &[String],
    ) -> Result<Self, EvaluateError> {
        let Encodings { specs, notes } = encodings(columns, batches)?;
        let columns = ModelColumns::fit(&specs, batches)?;
        let mut values = Vec::new();
        for batch in batches {
            values.extend_from_slice(columns.encode(batch)?.values());
        }
        let rows = Matrix::from_values(columns.width(), values)?;
        let labels = truths.iter().map(|truth| truth.label()).collect();
        Ok(Self { columns, notes, rows, labels, inputs: inputs.to_vec() })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.rows()
    }

    /// Trains an ensemble of the methods, each reading everything unless told otherwise. If none of them learns from labels, rows labelled
    /// anomalous are left out; else the ensemble gets all rows with their labels, and gives each member its own.
    /// Errors: `Setting` if labels are needed and there are none, `Detect`.
    pub(crate) fn fit(&self, methods: &[Method], alert_rate: f64, seed: u64) -> Result<Ensemble, EvaluateError> {
        let supervised = methods.iter().find(|method| method.is_supervised());
        if let (Some(method), true) = (supervised, self.labels.is_empty()) {
            return Err(EvaluateError::setting(format!(
                "{} learns from labels, and rows that are scored may not teach it: give --train FILE or --split SHARE",
                method.name()
            )));
        }
        let members = detectors::members(methods, &self.columns, &self.inputs)?;
        let columns = self.columns.clone();
        let usual: Vec<usize> = (0..self.labels.len()).filter(|row| self.labels[*row] != Label::Anomaly).collect();
        if supervised.is_some() || usual.len() == self.labels.len() {
            let set = TrainingSet { rows: &self.rows, labels: &self.labels, outside: &Disk, threads: threads() };
            return Ok(Ensemble::fit(columns, &set, &members, alert_rate, seed)?);
        }
        let rows = self.rows.take(&usual);
        let set = TrainingSet { rows: &rows, labels: &[], outside: &Disk, threads: threads() };
        Ok(Ensemble::fit(columns, &set, &members, alert_rate, seed)?)
    }
}

/// What an ensemble says of the rows that were asked for. Shape: one value per row each.
#[derive(Debug, Default)]
pub(crate) struct Scored {
    /// Shares of normal rows at least as strange.
    pub(crate) tail: Vec<f64>,
    /// By member.
    pub(crate) members: Vec<MemberScores>,
    pub(crate) vote: Option<MemberScores>,
    /// Rows kept as they were encoded, in the order of their numbers.
    pub(crate) kept: Vec<f32>,
}

impl Scored {
    fn append(&mut self, other: Self) {
        fn extend(all: &mut MemberScores, more: MemberScores) {
            all.raw.extend(more.raw);
            all.tail.extend(more.tail);
        }
        self.tail.extend(other.tail);
        self.members.resize(other.members.len(), MemberScores::default());
        self.members.iter_mut().zip(other.members).for_each(|(all, more)| extend(all, more));
        if let Some(vote) = other.vote {
            extend(self.vote.get_or_insert_default(), vote);
        }
        self.kept.extend(other.kept);
    }
}

/// Scores the given rows of a file in one pass over it; `keep` are those of them to keep. Batches are divided among the
/// threads; a row's scores do not depend on the division.
pub(crate) fn score(
    ensemble: &Ensemble,
    (file, columns): (&DataFile, &[Column]),
    rows: &[u32],
    keep: &[u32],
    threads: usize,
) -> Result<Scored, EvaluateError> {
    let mut left = rows;
    let mut scored = Scored::default();
    file.visit(columns, &mut |start, batch| {
        let (batch, rest) = picked(left, start, batch)?;
        let numbers = &left[..left.len() - rest.len()];
        left = rest;
        let share = batch.num_rows().div_ceil(threads.max(1)).max(1);
        let parts: Vec<usize> = (0..batch.num_rows()).step_by(share).collect();
        let outcomes: Vec<Result<Scored, DetectError>> = thread::scope(|scope| {
            let score = |from: usize| {
                let length = share.min(batch.num_rows() - from);
                score_batch(ensemble, &batch.slice(from, length), &numbers[from..from + length], keep)
            };
            let workers: Vec<_> = parts.iter().map(|from| scope.spawn(move || score(*from))).collect();
            workers.into_iter().map(|worker| worker.join().expect("scoring does not panic")).collect()
        });
        for outcome in outcomes {
            scored.append(outcome?);
        }
        Ok(())
    })?;
    Ok(scored)
}

fn score_batch(ensemble: &Ensemble, batch: &RecordBatch, numbers: &[u32], keep: &[u32]) -> Result<Scored, DetectError> {
    let rows = ensemble.columns().encode(batch)?;
    let scores = ensemble.score(&rows)?;
    let kept = numbers.iter().zip(rows.iter()).filter(|(number, _)| keep.binary_search(number).is_ok());
    let kept = kept.flat_map(|(_, row)| row.iter().copied()).collect();
    Ok(Scored { tail: scores.tail, members: scores.members, vote: scores.vote, kept })
}
