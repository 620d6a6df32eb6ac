//! Several detectors, one answer.
//!
//! ```text
//! rows ─▶ member 1 ─▶ raw ─▶ evidence ─┐
//!      ─▶ member 2 ─▶ raw ─▶ evidence ─┼▶ weighted sum ─▶ calibrated: fused ─┐
//!      ─▶ strangest column ─▶ evidence ─┘                                     ├▶ the larger ─▶ calibrated: tail
//!                          └▶ calibrated: vote ─▶ less its handicap ──────────┘
//! ```
//!
//! Summing surprisals (−ln tail) is Fisher's way to combine tests; members depend on each other, so they are weighed
//! (see `fusion`), and the sum is calibrated again instead of being looked up in a table for independent ones. A member
//! that measures columns has two voices that share its weight: the mean of its columns, and the strangest one. The
//! vote of the strangest column can also raise an alert alone, because a sum over many voices drowns one; it must then
//! be rarer, by its handicap, than what all voices say together: one odd column is a false alarm more often.
//!
//! A row is flagged when its tail is at most the alert rate; since the tail is calibrated on normal rows that no
//! detector was fitted on, that share of normal rows is flagged.

use lapwing_vocabulary::DetectorScore;
use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::columns::ModelColumns;
use crate::error::DetectError;
use crate::fusion::{Voice, Witness, weights};
use crate::held_out::{Parts, segment_rows_min};
use crate::matrix::Matrix;
use crate::member::{Member, MemberSpec};
use crate::method::Method;
use crate::quantiles::medians;
use crate::segments::{Segmented, Segments};
use crate::training::{Label, TrainingSet};

/// Largest alert rate: beyond it, "anomaly" has lost its meaning.
pub const ALERT_RATE_MAX: f64 = 0.5;
/// Name under which the vote of the strangest single column is reported.
pub const VOTE: &str = "column_vote";
/// What is taken from the surprisal of the vote where it stands alone: ln 3. It then must be three times rarer.
const VOTE_HANDICAP: f64 = 1.098_612_288_668_109_8;

/// Detectors, trained and calibrated together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ensemble {
    pub(crate) columns: ModelColumns,
    pub(crate) medians: Vec<f32>,
    pub(crate) members: Vec<Member>,
    pub(crate) fused: Calibration,
    pub(crate) vote: Option<Vote>,
    pub(crate) segments: Option<Segments>,
    pub(crate) statistic: Segmented,
    pub(crate) alert_rate: f64,
    pub(crate) seed: u64,
    pub(crate) trained_rows: u64,
}

/// How much the strangest column's word counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Vote {
    pub(crate) voice: Voice,
    /// Taken from its surprisal where it stands alone.
    pub(crate) handicap: f64,
}

/// What an ensemble shall be.
#[derive(Clone, Copy, Debug)]
pub struct EnsembleSpec<'a> {
    /// Its detectors, each under a name of its own.
    pub members: &'a [MemberSpec],
    /// Share of normal rows that may be flagged.
    pub alert_rate: f64,
    /// Column, encoded one-hot, among whose rows of equal value scores are compared; none compares all rows.
    pub segment: Option<&'a str>,
    /// Where chance begins.
    pub seed: u64,
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
    /// What the strangest single column says, if a member measures columns; raw is its surprisal there.
    pub vote: Option<MemberScores>,
}

/// Raw scores of all members, before calibration, and the largest of their votes.
struct Uncalibrated {
    members: Vec<Vec<f64>>,
    vote: Option<Vec<f64>>,
    /// Each row's segment; empty if there are none.
    segments: Vec<Option<usize>>,
}

impl Ensemble {
    /// Trains and calibrates the members; [`Ensemble::fit_by`] without segments.
    /// Shape and errors: as there.
    pub fn fit(
        columns: ModelColumns,
        set: &TrainingSet<'_>,
        members: &[MemberSpec],
        alert_rate: f64,
        seed: u64,
    ) -> Result<Self, DetectError> {
        Self::fit_by(columns, set, &EnsembleSpec { members, alert_rate, segment: None, seed })
    }

    /// Trains the members on one part of the rows and calibrates on the other, so that tails are not flattered by
    /// rows the detectors know. Rows labelled anomalous teach supervised members only. The same rows, labels and seed
    /// give the same ensemble.
    /// Shape: the rows are n × d as `columns` encode them. Errors: `WidthMismatch`, `TooFewRows`, `Setting`.
    pub fn fit_by(columns: ModelColumns, set: &TrainingSet<'_>, spec: &EnsembleSpec<'_>) -> Result<Self, DetectError> {
        check_set(&columns, set)?;
        check_spec(set, spec).map_err(DetectError::Setting)?;
        let segments = spec.segment.map(|name| Segments::of(&columns, name)).transpose();
        let segments = segments.map_err(DetectError::Setting)?;
        let supervised = spec.members.iter().any(|member| member.method.is_supervised());
        let parts = Parts::of(set, spec.alert_rate, segments.is_some(), supervised, spec.seed)?;
        let to_fit = set.rows.take(&parts.fit);
        let members = train(&columns, set, spec, &parts, &to_fit)?;
        let votes = members.iter().any(Member::votes);
        let mut ensemble = Self {
            columns,
            medians: medians(&to_fit),
            members,
            fused: Calibration::exact(&[]),
            vote: votes.then(|| Vote { voice: Voice::untaught(), handicap: VOTE_HANDICAP }),
            segments,
            statistic: Segmented::whole(Calibration::exact(&[])),
            alert_rate: spec.alert_rate,
            seed: spec.seed,
            trained_rows: set.rows.rows() as u64,
        };
        ensemble.calibrate(&set.rows.take(&parts.calibrate), spec, parts.anomalies)?;
        Ok(ensemble)
    }

    /// Learns, station by station, how rare each score is among the rows, and how much each voice counts.
    fn calibrate(&mut self, rows: &Matrix, spec: &EnsembleSpec<'_>, anomalies: usize) -> Result<(), DetectError> {
        if let ([member], [MemberSpec { method: Method::Surprise, .. }]) = (&mut self.members[..], spec.members) {
            // Its scores are surprisals as they stand, told by each entity's own past.
            member.voice = Voice { weight: 1.0, ..Voice::untaught() };
            return Ok(());
        }
        let raw = self.raw(rows)?;
        let segments = self.segments.map_or(0, Segments::count);
        let rows_min = segment_rows_min(self.alert_rate);
        let fit = |scores: &[f64], calibrate: fn(&[f64]) -> Calibration| {
            Segmented::fit(scores, &raw.segments, segments, rows_min, calibrate)
        };
        let mut witnesses = Vec::with_capacity(self.members.len());
        for ((member, spec), raw_scores) in self.members.iter_mut().zip(spec.members).zip(&raw.members) {
            member.voice.reported = fit(raw_scores, Calibration::exact);
            member.voice.evidence = fit(raw_scores, Calibration::smooth);
            let surprisals = member.voice.evidence.surprisals(raw_scores, &raw.segments);
            witnesses.push(Witness { surprisals, supervised: spec.method.is_supervised() });
        }
        let mut vote_weight = 0.0;
        for (member, weight) in self.members.iter_mut().zip(weights(&witnesses, anomalies)) {
            member.voice.weight = if member.votes() { weight / 2.0 } else { weight };
            vote_weight += weight - member.voice.weight;
        }
        if let (Some(vote), Some(raw_vote)) = (&mut self.vote, &raw.vote) {
            let (reported, evidence) = (fit(raw_vote, Calibration::exact), fit(raw_vote, Calibration::smooth));
            vote.voice = Voice { reported, evidence, weight: vote_weight };
        }
        self.fused = Calibration::exact(&self.summed(&raw));
        self.statistic = fit(&self.statistics(&raw), Calibration::exact);
        Ok(())
    }

    /// Scores a batch; each row's scores are the same bits whatever the other rows are.
    /// Shape: `rows` is n × d as [`Ensemble::columns`] encode them. Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Scores, DetectError> {
        let raw = self.raw(rows)?;
        let tails = |calibration: &Segmented, scores: &[f64]| -> Vec<f64> {
            let surprisals = calibration.surprisals(scores, &raw.segments);
            surprisals.into_iter().map(|surprisal| (-surprisal).exp()).collect()
        };
        let tail = tails(&self.statistic, &self.statistics(&raw));
        let calibrated =
            |calibration: &Segmented, raw: &[f64]| MemberScores { tail: tails(calibration, raw), raw: raw.to_vec() };
        let members = self.members.iter().zip(&raw.members);
        Ok(Scores {
            score: tail.iter().map(|tail| 1.0 - tail).collect(),
            flagged: tail.iter().map(|tail| *tail <= self.alert_rate).collect(),
            tail,
            members: members.map(|(member, raw)| calibrated(&member.voice.reported, raw)).collect(),
            vote: self.vote.as_ref().zip(raw.vote.as_ref()).map(|(vote, raw)| calibrated(&vote.voice.reported, raw)),
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
        Ok(Uncalibrated { members, vote, segments: self.segments.map_or_else(Vec::new, |all| all.of_rows(rows)) })
    }

    /// Weighted sum of the surprisals of all voices for each row.
    fn summed(&self, raw: &Uncalibrated) -> Vec<f64> {
        let mut sums = vec![0.0; raw.members.first().map_or(0, Vec::len)];
        let members = self.members.iter().map(|member| &member.voice).zip(&raw.members);
        let vote = self.vote.iter().map(|vote| &vote.voice).zip(&raw.vote);
        for (voice, scores) in members.chain(vote).filter(|(voice, _)| voice.weight > 0.0) {
            for (sum, surprisal) in sums.iter_mut().zip(voice.evidence.surprisals(scores, &raw.segments)) {
                *sum += voice.weight * surprisal;
            }
        }
        sums
    }

    /// The larger of the fused surprisal and that of the vote, less its handicap, for each row.
    fn statistics(&self, raw: &Uncalibrated) -> Vec<f64> {
        let mut statistics = self.summed(raw);
        statistics.iter_mut().for_each(|sum| *sum = self.fused.surprisal(*sum));
        if let (Some(vote), Some(scores)) = (&self.vote, &raw.vote) {
            let surprisals = vote.voice.reported.surprisals(scores, &raw.segments);
            for (statistic, surprisal) in statistics.iter_mut().zip(surprisals) {
                *statistic = statistic.max(surprisal - vote.handicap);
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

    /// How much each member had to do with the score of the first of the rows: its weighted surprisal, and from those
    /// who measure columns also that of the vote.
    pub(crate) fn parts(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        let raw = self.raw(rows)?;
        let segment = raw.segments.first().copied().flatten();
        let evidence = |voice: &Voice, raw: &[f64]| {
            raw.first().map_or(0.0, |score| voice.weight * voice.evidence.of(segment).surprisal(*score))
        };
        let voters = self.members.iter().filter(|member| member.votes()).count().max(1) as f64;
        let vote = self.vote.as_ref().zip(raw.vote.as_ref());
        let vote = vote.map_or(0.0, |(vote, raw)| evidence(&vote.voice, raw) / voters);
        let members = self.members.iter().zip(&raw.members);
        let part = |(member, raw): (&Member, &Vec<f64>)| {
            evidence(&member.voice, raw) + if member.votes() { vote } else { 0.0 }
        };
        Ok(members.map(part).collect())
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
        self.segments.map_or(Ok(()), |segments| segments.check(width))?;
        self.members.iter().try_for_each(|member| member.check(width, self.segments))?;
        if self.members.iter().any(Member::votes) != self.vote.is_some() {
            return Err("the vote does not fit the members".to_owned());
        }
        if let Some(vote) = &self.vote {
            if !(0.0..=VOTE_HANDICAP).contains(&vote.handicap) {
                return Err(format!("the vote is held back by {}", vote.handicap));
            }
            vote.voice.check(self.segments)?;
        }
        self.fused.check()?;
        self.statistic.check(self.segments)
    }
}

/// Trains every member on the part of the rows that is its own.
fn train(
    columns: &ModelColumns,
    set: &TrainingSet<'_>,
    spec: &EnsembleSpec<'_>,
    parts: &Parts,
    to_fit: &Matrix,
) -> Result<Vec<Member>, DetectError> {
    let labelled = set.rows.take(&parts.labelled);
    let label = |row: &usize| if set.label(*row) == Label::Anomaly { Label::Anomaly } else { Label::Normal };
    let labels: Vec<Label> = parts.labelled.iter().map(label).collect();
    let unsupervised = TrainingSet { rows: to_fit, labels: &[], ..*set };
    let supervised = TrainingSet { rows: &labelled, labels: &labels, ..*set };
    let members = spec.members.iter().zip(0_u64..);
    let train = |(member, index): (&MemberSpec, u64)| {
        let set = if member.method.is_supervised() { &supervised } else { &unsupervised };
        Member::fit(member, columns, set, spec.seed.wrapping_add(index))
    };
    members.map(train).collect()
}

fn check_set(columns: &ModelColumns, set: &TrainingSet<'_>) -> Result<(), DetectError> {
    let (rows, labels) = (set.rows, set.labels.len());
    if rows.width() != columns.width() {
        let (expected, found) = (columns.width(), rows.width());
        return Err(DetectError::WidthMismatch { act: "fit ensemble", expected, found });
    }
    if labels != 0 && labels != rows.rows() {
        let rows = rows.rows();
        return Err(DetectError::Setting(format!("fit ensemble: {labels} labels for {rows} rows; give one each")));
    }
    match rows.values().iter().any(|value| value.is_infinite()) {
        true => Err(DetectError::Setting("fit ensemble: a value is infinite; missing values are NaN".to_owned())),
        false => Ok(()),
    }
}

fn check_spec(set: &TrainingSet<'_>, spec: &EnsembleSpec<'_>) -> Result<(), String> {
    let names: Vec<&str> = spec.members.iter().map(|member| member.name.as_str()).collect();
    check_names(&names)?;
    check_alert_rate(spec.alert_rate)?;
    match spec.members.iter().find(|member| member.method.is_supervised()) {
        Some(member) if !set.labels.contains(&Label::Anomaly) => Err(format!(
            "detector `{}` ({}) learns from labels, and no row is labelled as an anomaly; give labels or leave it out",
            member.name,
            member.method.name()
        )),
        _ => Ok(()),
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
