//! What becomes of a score in the light of the entity's recent ones. Each step can be switched on by itself, and they come
//! in this order; all speak of *surprisal*, −ln of the tail probability.
//!
//! **Likelihood.** How unusual the recent level of the entity's surprisal is by its own past: the mean over `recent`
//! against mean and deviation over `over`, as a normal tail. An entity whose scores are always high is not anomalous for
//! that; one whose scores are a little high for long is.
//! Source: Ahmad, Lavin, Purdy, Agha 2017, "Unsupervised real-time anomaly detection for streaming data", section 4.2;
//! with means that forget instead of windows.
//!
//! **Rest.** After a surprise, an event nearly as surprising or less is news no more: its surprisal is halved for as long
//! as `rest`. One that is clearly stranger passes as it is.
//!
//! **Release** (hysteresis). After a finding nothing of the entity is a finding until its surprisal has been below
//! `release` times the threshold's.
//!
//! This is memory that depends on the model, so the model that scored each record is known to a replay: it is told by
//! markers, and replay scores in silence.
//!
//! ```text
//! entity  newest event time | recent: mean, weight | past: mean, variance, weight | open | pane | largest of 8 panes
//! ```

use arrow::array::StringArray;
use lapwing_detect::Scores;
use lapwing_state::{EntityTable, FrozenTable, Kind, StateError};
use lapwing_vocabulary::EventTime;
use serde::Serialize;

use crate::settings::{Likelihood, Postprocessing};
use crate::status::{Status, add};

/// Name of its table in snapshots.
pub(crate) const TABLE: &str = "postprocess";
const PANES: usize = 8;
const PANE_AT: usize = 7;
const WORDS: usize = PANE_AT + 1 + PANES;
/// Weight of past surprisals from which their level is known.
const KNOWN_WEIGHT: f64 = 30.0;
/// Least deviation of a level: those of ordinary rows have about 1, and one that never varied says little.
const DEVIATION_MIN: f64 = 0.1;
/// Part of the largest recent surprisal from which on another is no news.
const NEARLY: f64 = 0.9;
/// What is left of a surprisal that is no news.
const LEFT: f64 = 0.5;
/// No probability is smaller, as in calibration.
const TAIL_MIN: f64 = 1e-12;
/// Entities looked at for expiry with each row.
const EXPIRY_SLOTS_PER_ROW: usize = 2;
/// How many steps a time to live is checked in.
const TTL_STEPS: i64 = 16;

/// What an entity's recent scores mean for its next one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RecentScores {
    /// With `release`: whether a finding is open, so that nothing of the entity is one until its score has fallen.
    pub is_open: Option<bool>,
    /// With `rest`: the largest surprisal of that time, 0 if there was none; one that is not clearly above it is no news.
    pub surprisal: Option<f64>,
    /// With `likelihood`: weight of the scores from which the level is known.
    pub level_weight: Option<f64>,
    /// The weight from which on a score is judged by it.
    pub level_weight_needed: f64,
}

/// The stage of one partition.
pub(crate) struct Postprocess {
    options: Postprocessing,
    ttl_micros: Option<i64>,
    table: EntityTable,
}

impl Postprocess {
    /// A stage that remembers nothing; `None` if nothing is switched on.
    pub(crate) fn new(options: &Postprocessing, ttl_micros: Option<i64>) -> Option<Self> {
        let table = EntityTable::new(vec![0.0; WORDS]);
        options.is_on().then(|| Self { options: options.clone(), ttl_micros, table })
    }

    /// Changes scores, row after row, to what they are in the light of those before.
    /// Errors: `Storage` never, because its table lies in memory; the type is that of all tables.
    pub(crate) fn apply(
        &mut self,
        entities: &StringArray,
        times: &[EventTime],
        alert_rate: f64,
        scores: &mut Scores,
        status: Option<&Status>,
    ) -> Result<(), StateError> {
        let threshold = -libm::log(alert_rate);
        for (row, time) in times.iter().enumerate() {
            let was_over = scores.flagged[row];
            let expired_before = self.expired_before(*time);
            let (slot, _) = self.table.slot(entities.value(row), expired_before)?;
            self.table.seen(slot, time.0);
            self.table.expire(expired_before, EXPIRY_SLOTS_PER_ROW);
            let words = self.table.words_mut(slot)?;
            let before = -libm::log(scores.tail[row].clamp(TAIL_MIN, 1.0));
            let surprisal = self.options.step(words, time.0, before);
            // There and back again a probability loses its last digit, which may be the one over the threshold.
            let (tail, over) = match surprisal == before {
                true => (scores.tail[row], was_over),
                false => (libm::exp(-surprisal).clamp(TAIL_MIN, 1.0), surprisal >= threshold),
            };
            let held = self.options.is_held(words, over, surprisal / threshold);
            let flagged = over && !held;
            (scores.tail[row], scores.score[row], scores.flagged[row]) = (tail, 1.0 - tail, flagged);
            if let (Some(status), true, false) = (status, was_over, flagged) {
                let reason = if over { &status.suppressed_open } else { &status.suppressed_no_news };
                add(reason, 1);
            }
        }
        Ok(())
    }

    fn expired_before(&self, time: EventTime) -> i64 {
        let Some(ttl) = self.ttl_micros else { return i64::MIN };
        let step = (ttl / TTL_STEPS).max(1);
        time.0.saturating_sub(ttl).div_euclid(step).saturating_mul(step)
    }

    /// The memory at this moment.
    pub(crate) fn freeze(&mut self, kind: Kind) -> FrozenTable {
        self.table.freeze(kind)
    }

    /// Takes up a memory of the same options.
    pub(crate) fn recall(&mut self, table: EntityTable) {
        self.table = table;
    }

    /// What an entity's recent scores mean for one at a moment; `None` if none are remembered.
    /// Errors: `Storage` never, as for [`Postprocess::apply`].
    pub(crate) fn look(&self, entity: &str, now: EventTime) -> Result<Option<RecentScores>, StateError> {
        let Some(slot) = self.table.find(entity) else { return Ok(None) };
        let mut words = self.table.peek(slot)?.into_owned();
        let surprisal = self.options.rest_micros.map(|rest| move_on(&mut words[PANE_AT..], now.0, rest).0);
        Ok(Some(RecentScores {
            is_open: self.options.release.map(|_| words[6] != 0.0),
            surprisal,
            level_weight: self.options.likelihood.as_ref().map(|_| words[5]),
            level_weight_needed: KNOWN_WEIGHT,
        }))
    }

    /// Bytes of memory held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.table.memory_bytes()
    }
}

impl Postprocessing {
    /// One surprisal, in the light of those before.
    fn step(&self, words: &mut [f64], time: i64, surprisal: f64) -> f64 {
        let mut surprisal = surprisal;
        if let Some(likelihood) = &self.likelihood {
            surprisal = likelihood.step(words, time as f64, surprisal);
        }
        match self.rest_micros {
            Some(rest) => rested(&mut words[PANE_AT..], time, rest, surprisal),
            None => surprisal,
        }
    }

    /// Whether an entity that is over the threshold is still in its last finding; notes what is open.
    /// `part` is the surprisal as a part of the threshold's.
    fn is_held(&self, words: &mut [f64], over: bool, part: f64) -> bool {
        let Some(release) = self.release else { return false };
        let open = &mut words[6];
        let was_open = *open != 0.0;
        if over {
            *open = 1.0;
        } else if part < release {
            *open = 0.0;
        }
        was_open
    }
}

impl Likelihood {
    fn step(&self, words: &mut [f64], time: f64, surprisal: f64) -> f64 {
        let [newest, recent, recent_weight, mean, variance, weight] =
            words.first_chunk_mut().expect("the words begin with six of the level");
        let is_first = *recent_weight == 0.0;
        let passed = if is_first { 0.0 } else { (time - *newest).max(0.0) };
        *newest = if is_first { time } else { newest.max(time) };
        *recent_weight = *recent_weight * libm::exp(-passed / self.recent_micros as f64) + 1.0;
        *recent += (surprisal - *recent) / *recent_weight;
        *weight *= libm::exp(-passed / self.over_micros as f64);
        let z = (*recent - *mean) / variance.sqrt().max(DEVIATION_MIN);
        let judged = if *weight >= KNOWN_WEIGHT { normal_surprisal(z) } else { surprisal };
        let (grown, apart) = (*weight + 1.0, *recent - *mean);
        *mean += apart / grown;
        *variance = (*weight / grown) * (*variance + apart * apart / grown);
        *weight = grown;
        judged
    }
}

/// −ln of the chance that a standard normal value is at least as large.
fn normal_surprisal(z: f64) -> f64 {
    -libm::log((0.5 * libm::erfc(z * std::f64::consts::FRAC_1_SQRT_2)).max(TAIL_MIN))
}

/// A surprisal, less what is no news. `words` are the newest pane and the largest surprisal of each of the last panes.
fn rested(words: &mut [f64], time: i64, rest_micros: i64, surprisal: f64) -> f64 {
    let (known, pane) = move_on(words, time, rest_micros);
    if pane > words[0] as i64 - PANES as i64 {
        let own = &mut words[1 + place(pane)];
        *own = own.max(surprisal);
    }
    if known >= NEARLY * surprisal { LEFT * surprisal } else { surprisal }
}

/// Moves the panes on to a moment; returns the largest surprisal that they hold, and the pane of the moment.
fn move_on(words: &mut [f64], time: i64, rest_micros: i64) -> (f64, i64) {
    let pane = time.div_euclid((rest_micros / PANES as i64).max(1));
    let (newest, largest) = words.split_first_mut().expect("a pane comes before the maxima");
    // Nothing remembered is as of now, also for times before 1970.
    let before = if largest.iter().all(|size| *size == 0.0) { pane } else { *newest as i64 };
    let ahead = pane.saturating_sub(before);
    for passed in 1..=ahead.min(PANES as i64) {
        largest[place(pane - ahead.min(PANES as i64) + passed)] = 0.0;
    }
    *newest = before.max(pane) as f64;
    (largest.iter().copied().fold(0.0, f64::max), pane)
}

fn place(pane: i64) -> usize {
    pane.rem_euclid(PANES as i64) as usize
}

#[cfg(test)]
mod tests {
    use lapwing_vocabulary::time::{HOUR, MINUTE, SECOND};

    use super::*;

    const RATE: f64 = 0.01;

    fn stage(options: Postprocessing) -> Postprocess {
        Postprocess::new(&options, None).expect("something is switched on")
    }

    /// Feeds tails of one entity a second apart; returns the new tails and flags.
    fn feed(stage: &mut Postprocess, from: i64, tails: &[f64]) -> Vec<(f64, bool)> {
        let mut scores = Scores {
            tail: tails.to_vec(),
            score: tails.iter().map(|tail| 1.0 - tail).collect(),
            flagged: tails.iter().map(|tail| *tail <= RATE).collect(),
            ..Scores::default()
        };
        let times: Vec<EventTime> = (0..tails.len() as i64).map(|second| EventTime((from + second) * SECOND)).collect();
        let entities = StringArray::from(vec!["a"; tails.len()]);
        stage.apply(&entities, &times, RATE, &mut scores, None).unwrap();
        scores.tail.into_iter().zip(scores.flagged).collect()
    }

    #[test]
    fn nothing_switched_on_is_no_stage() {
        assert!(Postprocess::new(&Postprocessing::default(), None).is_none());
    }

    #[test]
    fn a_second_surprise_of_the_same_size_is_no_news_until_the_rest_is_over() {
        let mut stage = stage(Postprocessing { rest_micros: Some(MINUTE), ..Postprocessing::default() });
        let seen = feed(&mut stage, 0, &[1e-3, 1e-3, 1e-3, 1e-8]);
        assert_eq!(seen.iter().map(|row| row.1).collect::<Vec<_>>(), [true, false, false, true]);
        assert!((seen[1].0 - 1e-3_f64.sqrt()).abs() < 1e-9, "half of the surprisal is the root of the tail");
        assert!(!feed(&mut stage, 30, &[1e-3])[0].1);
        assert!(feed(&mut stage, 100, &[1e-3])[0].1, "the rest is over");
    }

    #[test]
    fn a_finding_stays_open_until_the_score_has_fallen() {
        let mut stage = stage(Postprocessing { release: Some(0.5), ..Postprocessing::default() });
        let flags: Vec<bool> =
            feed(&mut stage, 0, &[1e-4, 1e-9, 0.05, 1e-4, 0.5, 1e-4]).into_iter().map(|row| row.1).collect();
        assert_eq!(flags, [true, false, false, false, false, true]);
    }

    #[test]
    fn a_row_just_at_the_threshold_stays_a_finding() {
        for rate in [0.01, 0.001, 0.003] {
            let mut stage = stage(Postprocessing { rest_micros: Some(MINUTE), ..Postprocessing::default() });
            let mut scores =
                Scores { tail: vec![rate], score: vec![1.0 - rate], flagged: vec![true], ..Scores::default() };
            let (entities, times) = (StringArray::from(vec!["a"]), [EventTime(-400 * HOUR)]);
            stage.apply(&entities, &times, rate, &mut scores, None).unwrap();
            assert_eq!((scores.tail[0], scores.flagged[0]), (rate, true));
        }
    }

    #[test]
    fn before_1970_there_is_rest_too() {
        let mut stage = stage(Postprocessing { rest_micros: Some(MINUTE), ..Postprocessing::default() });
        let seen = feed(&mut stage, -1_000_000, &[1e-3, 1e-3]);
        assert_eq!([seen[0].1, seen[1].1], [true, false]);
    }

    #[test]
    fn a_level_is_judged_by_the_entitys_own_past() {
        let likelihood = Likelihood { recent_micros: 10 * SECOND, over_micros: HOUR };
        let options = Postprocessing { likelihood: Some(likelihood), ..Postprocessing::default() };
        let tails = |level: f64| (0..600).map(|row| level.powf(f64::from(row % 7) / 3.0)).collect::<Vec<_>>();
        let (mut wild, mut calm) = (stage(options.clone()), stage(options));
        feed(&mut wild, 0, &tails(1e-3));
        feed(&mut calm, 0, &tails(0.5));
        let (wild, calm) = (feed(&mut wild, 600, &[1e-4; 10])[9].0, feed(&mut calm, 600, &[1e-4; 10])[9].0);
        assert!(wild > 1e-4 && calm < 1e-8, "{wild} and {calm}");
    }

    #[test]
    fn the_largest_of_the_last_panes_is_that_of_a_list() {
        let mut words = [0.0; 1 + PANES];
        let (rest, mut seen) = (800, Vec::<(i64, f64)>::new());
        let mut random = 1_u64;
        let mut newest = 0;
        for _ in 0..2000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let time = (newest + (random >> 40) as i64 % 300 - 100).max(0);
            let surprisal = ((random >> 20) % 1000) as f64 / 100.0;
            newest = newest.max(time);
            let oldest = newest / 100 - PANES as i64 + 1;
            let known = seen.iter().filter(|(pane, _)| *pane >= oldest).map(|(_, size)| *size).fold(0.0, f64::max);
            let expected = if known >= NEARLY * surprisal { LEFT * surprisal } else { surprisal };
            assert_eq!(rested(&mut words, time, rest, surprisal), expected);
            seen.push((time / 100, surprisal));
        }
    }

    #[test]
    fn batches_and_pauses_change_nothing() {
        let likelihood = Some(Likelihood { recent_micros: MINUTE, over_micros: HOUR });
        let options = Postprocessing { likelihood, rest_micros: Some(MINUTE), release: Some(0.7) };
        let tails: Vec<f64> = (1..500).map(|row| f64::from(row * 7919 % 1000 + 1) / 1001.0).collect();
        let whole = feed(&mut stage(options.clone()), 0, &tails);
        let mut parts = stage(options);
        let mut cut = Vec::new();
        for (index, part) in tails.chunks(37).enumerate() {
            cut.extend(feed(&mut parts, index as i64 * 37, part));
        }
        assert_eq!(whole, cut);
    }
}
