//! Several detectors, one answer.
//!
//! ```text
//! rows ─▶ member 1 ─▶ raw ─▶ surprisal ─┐
//!      ─▶ member 2 ─▶ raw ─▶ surprisal ─┴▶ sum ─▶ calibrated: fused ─┐
//!      ─▶ robust z ─▶ largest |z| ─▶ calibrated: vote of one column ─┴▶ the stranger of both ─▶ calibrated: tail
//! ```
//!
//! Summing surprisals (−ln tail) is Fisher's way to combine tests; members depend on each other, so the sum is
//! calibrated again instead of being looked up in a table for independent ones. The vote is apart because a mean over
//! forty columns drowns one that is far off. A row is flagged when its tail is at most the alert rate; since the tail
//! is calibrated on normal rows that no detector was fitted on, that share of normal rows is flagged.

use lapwing_vocabulary::DetectorScore;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::columns::ModelColumns;
use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::member::{Member, MemberSpec};
use crate::quantiles::medians;
use crate::training::TrainingSet;

/// Fewest rows an ensemble learns from.
pub const ROWS_MIN: usize = 10;
/// Below this many rows halves are too small, and detectors are calibrated on the rows they were fitted on.
const ROWS_TO_SPLIT: usize = 200;
/// Largest alert rate: beyond it, "anomaly" has lost its meaning.
pub const ALERT_RATE_MAX: f64 = 0.5;
/// Name under which the vote of the strangest single column is reported.
pub const VOTE: &str = "column_vote";

/// Detectors, trained and calibrated together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ensemble {
    pub(crate) columns: ModelColumns,
    pub(crate) medians: Vec<f32>,
    pub(crate) members: Vec<Member>,
    fused: Calibration,
    vote: Option<Calibration>,
    statistic: Calibration,
    alert_rate: f64,
    seed: u64,
    trained_rows: u64,
}

/// Raw scores and tail probabilities of one member. Shape: one value per row each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemberScores {
    /// Raw scores, larger is stranger; their scale is the method's own.
    pub raw: Vec<f64>,
    /// Shares of normal rows that score at least as high. Range: (0, 1].
    pub tail: Vec<f64>,
}

/// What an ensemble says of a batch. Shape: one value per row each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Share of normal rows at least as strange. Range: (0, 1].
    pub tail: Vec<f64>,
    /// 1 − tail.
    pub score: Vec<f64>,
    /// Whether the tail is at most the alert rate.
    pub flagged: Vec<bool>,
    /// What each member says, in the order of the members.
    pub members: Vec<MemberScores>,
    /// What the strangest single column says, if a member measures columns; raw is its |z|.
    pub vote: Option<MemberScores>,
}

/// Raw scores of all members, before calibration, and the largest of their votes.
struct Uncalibrated {
    members: Vec<Vec<f64>>,
    vote: Option<Vec<f64>>,
}

impl Ensemble {
    /// Trains the members on one half of the rows and calibrates on the other, so that tails are not flattered by
    /// rows the detectors know. The same rows and seed give the same ensemble.
    /// Shape: the rows are n × d as `columns` encode them. Errors: `WidthMismatch`, `TooFewRows`, `Setting`.
    pub fn fit(
        columns: ModelColumns,
        set: &TrainingSet<'_>,
        members: &[MemberSpec],
        alert_rate: f64,
        seed: u64,
    ) -> Result<Self, DetectError> {
        let rows = set.rows;
        check_rows(&columns, rows)?;
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        check_names(&names).and_then(|()| check_alert_rate(alert_rate)).map_err(DetectError::Setting)?;
        let (to_fit, to_calibrate) = split(rows, seed);
        let trained: Result<Vec<Member>, DetectError> = members
            .iter()
            .zip(0_u64..)
            .map(|(spec, index)| {
                let set = TrainingSet { rows: &to_fit, ..*set };
                Member::fit(spec, &columns, &set, seed.wrapping_add(index))
            })
            .collect();
        let mut ensemble = Self {
            columns,
            medians: medians(&to_fit),
            members: trained?,
            fused: Calibration::fit(&[]),
            vote: None,
            statistic: Calibration::fit(&[]),
            alert_rate,
            seed,
            trained_rows: rows.rows() as u64,
        };
        ensemble.calibrate(&to_calibrate)?;
        Ok(ensemble)
    }

    /// Learns, station by station, how rare each score is among the rows.
    fn calibrate(&mut self, rows: &Matrix) -> Result<(), DetectError> {
        let raw = self.raw(rows)?;
        for (member, raw) in self.members.iter_mut().zip(&raw.members) {
            member.calibration = Calibration::fit(raw);
        }
        self.vote = raw.vote.as_deref().map(Calibration::fit);
        self.fused = Calibration::fit(&self.summed(&raw));
        self.statistic = Calibration::fit(&self.statistics(&raw));
        Ok(())
    }

    /// Scores a batch; each row's scores are the same bits whatever the other rows are.
    /// Shape: `rows` is n × d as [`Ensemble::columns`] encode them. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Scores, DetectError> {
        let raw = self.raw(rows)?;
        let tail: Vec<f64> = self.statistics(&raw).into_iter().map(|value| self.statistic.tail(value)).collect();
        let calibrated = |calibration: &Calibration, raw: Vec<f64>| MemberScores {
            tail: raw.iter().map(|score| calibration.tail(*score)).collect(),
            raw,
        };
        let members = self.members.iter().zip(raw.members);
        Ok(Scores {
            score: tail.iter().map(|tail| 1.0 - tail).collect(),
            flagged: tail.iter().map(|tail| *tail <= self.alert_rate).collect(),
            tail,
            members: members.map(|(member, raw)| calibrated(&member.calibration, raw)).collect(),
            vote: self.vote.as_ref().zip(raw.vote).map(|(calibration, raw)| calibrated(calibration, raw)),
        })
    }

    fn raw(&self, rows: &Matrix) -> Result<Uncalibrated, DetectError> {
        if rows.width() != self.columns.width() {
            let (expected, found) = (self.columns.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score rows", expected, found });
        }
        let mut members = Vec::with_capacity(self.members.len());
        let mut vote: Option<Vec<f64>> = None;
        for member in &self.members {
            let raw = member.score(rows)?;
            members.push(raw.score);
            vote = match (vote, raw.vote) {
                (Some(one), Some(other)) => Some(one.iter().zip(&other).map(|(a, b)| a.max(*b)).collect()),
                (one, other) => one.or(other),
            };
        }
        Ok(Uncalibrated { members, vote })
    }

    /// Sum of the members' surprisals for each row.
    fn summed(&self, raw: &Uncalibrated) -> Vec<f64> {
        let mut sums = vec![0.0; raw.members.first().map_or(0, Vec::len)];
        for (member, raw) in self.members.iter().zip(&raw.members) {
            for (sum, score) in sums.iter_mut().zip(raw) {
                *sum += member.calibration.surprisal(*score);
            }
        }
        sums
    }

    /// The larger surprisal of the fused members and of the vote for each row.
    fn statistics(&self, raw: &Uncalibrated) -> Vec<f64> {
        let mut statistics = self.summed(raw);
        statistics.iter_mut().for_each(|sum| *sum = self.fused.surprisal(*sum));
        if let (Some(calibration), Some(vote)) = (&self.vote, &raw.vote) {
            for (statistic, z) in statistics.iter_mut().zip(vote) {
                *statistic = statistic.max(calibration.surprisal(*z));
            }
        }
        statistics
    }

    /// What each member, and the vote, say of row `row` of scored rows.
    pub fn detector_scores(&self, scores: &Scores, row: usize) -> Vec<DetectorScore> {
        let names = self.members.iter().map(|member| member.name.as_str());
        let members = names.zip(&scores.members).chain(scores.vote.iter().map(|vote| (VOTE, vote)));
        let say = |(name, scores): (&str, &MemberScores)| DetectorScore {
            detector: name.to_owned(),
            raw: scores.raw[row],
            tail_probability: scores.tail[row],
        };
        members.map(say).collect()
    }

    /// Each member's surprisal at the first of the rows.
    pub(crate) fn surprisals(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        let raw = self.raw(rows)?;
        let members = self.members.iter().zip(&raw.members);
        Ok(members.map(|(member, raw)| raw.first().map_or(0.0, |score| member.calibration.surprisal(*score))).collect())
    }

    /// The columns it reads.
    pub fn columns(&self) -> &ModelColumns {
        &self.columns
    }

    /// Names of the members, in order.
    pub fn member_names(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.name.as_str()).collect()
    }

    /// Share of normal rows that are flagged.
    pub fn alert_rate(&self) -> f64 {
        self.alert_rate
    }

    /// The score from which rows are flagged.
    pub fn threshold(&self) -> f64 {
        1.0 - self.alert_rate
    }

    /// Seed it was trained with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Number of rows it was trained on.
    pub fn trained_rows(&self) -> u64 {
        self.trained_rows
    }

    /// Refuses an ensemble that could not score; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.columns.check()?;
        let width = self.columns.width();
        if self.medians.len() != width || self.medians.iter().any(|median| !median.is_finite()) {
            return Err(format!("{} medians for {width} columns", self.medians.len()));
        }
        check_names(&self.member_names())?;
        check_alert_rate(self.alert_rate)?;
        self.members.iter().try_for_each(|member| member.check(width))?;
        let measured = self.members.iter().any(Member::votes);
        if measured != self.vote.is_some() {
            return Err("the vote does not fit the members".to_owned());
        }
        [&self.fused, &self.statistic].into_iter().chain(&self.vote).try_for_each(Calibration::check)
    }
}

fn check_rows(columns: &ModelColumns, rows: &Matrix) -> Result<(), DetectError> {
    if rows.width() != columns.width() {
        let (expected, found) = (columns.width(), rows.width());
        return Err(DetectError::WidthMismatch { act: "fit ensemble", expected, found });
    }
    if rows.rows() < ROWS_MIN {
        return Err(DetectError::TooFewRows { act: "fit ensemble", needed: ROWS_MIN, found: rows.rows() });
    }
    match rows.values().iter().any(|value| value.is_infinite()) {
        true => Err(DetectError::Setting("fit ensemble: a value is infinite; missing values are NaN".to_owned())),
        false => Ok(()),
    }
}

fn check_names(names: &[&str]) -> Result<(), String> {
    if names.is_empty() {
        return Err("an ensemble needs at least one detector".to_owned());
    }
    match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        Some((_, name)) => Err(format!("two detectors are called `{name}`")),
        None => Ok(()),
    }
}

fn check_alert_rate(alert_rate: f64) -> Result<(), String> {
    match alert_rate > 0.0 && alert_rate <= ALERT_RATE_MAX {
        true => Ok(()),
        false => Err(format!("`alert_rate` is {alert_rate}; it lies above 0, up to {ALERT_RATE_MAX}")),
    }
}

/// Rows to fit on and rows to calibrate on; few rows serve both.
fn split(rows: &Matrix, seed: u64) -> (Matrix, Matrix) {
    if rows.rows() < ROWS_TO_SPLIT {
        return (rows.clone(), rows.clone());
    }
    let mut order: Vec<usize> = (0..rows.rows()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let (to_fit, to_calibrate) = order.split_at(rows.rows() / 2);
    (rows.take(to_fit), rows.take(to_calibrate))
}
