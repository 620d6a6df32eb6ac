//! How seldom one code followed another in training: a session whose lines come in an order that no usual session has is
//! strange, even if each line is usual.
//!
//! ```text
//! columns   order_1 │ order_2 │ … │ order_L │ missing …            codes, the oldest first
//! steps     start→1 │ 1→2     │ … │ (L−1)→L │ L→end                the end is not judged if no column is left for it
//! raw       the largest −ln p(code | `context` codes before it), or their mean
//! ```
//!
//! A probability mixes what followed these codes with what followed the last ones of them, down to how frequent a code is
//! at all, each with the weight `smoothing` against the times the codes were met:
//!
//! ```text
//! p_k(x | c) = (times x followed c + smoothing · p_{k−1}(x | the last k − 1 of c)) / (times c + smoothing)
//! p_0(x)     = (times x + smoothing / kinds) / (all + smoothing)   kinds: the codes known, one for all others, and the end
//! ```
//!
//! So a code never seen in training is less likely than any other, and a step never seen is the less likely the better
//! its beginning is known.
//! Source: MacKay, Peto 1995, "A hierarchical Dirichlet language model", eq. 11, with a fixed smoothing.

use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::networks::{ABSENT, FIRST_KEY, MASK, VOCABULARY_MAX, Vocabulary};
use crate::options::{Options, Slot};

const ACT: &str = "learn transitions";
/// Token before the first code.
const START: u32 = ABSENT;
/// Token after the last code.
const END: u32 = MASK;
/// Bits of a token; a vocabulary and the three tokens before it fit.
const TOKEN_BITS: u32 = 12;
/// Most codes before the one that is asked for; with it they fill 48 bits.
const CONTEXT_MAX: usize = 3;
/// Most different steps kept of each length, the most frequent ones; bounds the artefact.
const STEPS_MAX: usize = 1 << 18;
/// Most columns.
const WIDTH_MAX: usize = 1024;

/// What a step is, and how steps make a score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransitionsOptions {
    /// Codes before the one that is asked for: 1 looks at pairs, 2 at triples.
    pub context: usize,
    /// How much fewer codes before say against more of them, in times met.
    pub smoothing: f64,
    /// Score by the mean over all steps, instead of by the least likely one.
    pub mean: bool,
    /// Most codes told apart; rarer ones count as never seen.
    pub vocabulary: usize,
}

impl TransitionsOptions {
    /// Pairs, and the least likely of them.
    pub const DEFAULT: Self = Self { context: 1, smoothing: 1.0, mean: false, vocabulary: VOCABULARY_MAX };
}

impl Options for TransitionsOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![
            ("context", Slot::Whole(&mut self.context, 1..=CONTEXT_MAX)),
            ("smoothing", Slot::Number(&mut self.smoothing, 0.001..=1000.0)),
            ("mean", Slot::Flag(&mut self.mean)),
            ("vocabulary", Slot::Whole(&mut self.vocabulary, 1..=VOCABULARY_MAX)),
        ]
    }
}

/// How often codes followed codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transitions {
    width: u32,
    smoothing: f64,
    mean: bool,
    codes: Vocabulary,
    /// By number of codes before, from none.
    orders: Vec<Steps>,
}

/// Steps after the same number of codes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Steps {
    /// Codes before, and how often they were met; ascending.
    before: Vec<(u64, u64)>,
    /// Codes before and the one that followed, and how often; ascending, so that those after the same codes lie together.
    taken: Vec<(u64, u64)>,
}

/// A code of a row, or its end.
struct Step {
    /// Column it stands in.
    place: usize,
    /// The tokens up to it, it being the last.
    tokens: u64,
}

impl Transitions {
    /// Counts the steps of the rows; those without any code are left out. Errors: `Setting` if a value is no code, or
    /// there are too many columns; `TooFewRows` without a code.
    pub fn fit(rows: &Matrix, options: &TransitionsOptions) -> Result<Self, DetectError> {
        let width = rows.width();
        if !(1..=WIDTH_MAX).contains(&width) {
            return Err(DetectError::Setting(format!("{ACT}: {width} columns, 1 to {WIDTH_MAX} are possible")));
        }
        let codes = Vocabulary::fit(ACT, rows, options.vocabulary)?;
        if codes.keys().is_empty() {
            return Err(DetectError::TooFewRows { act: ACT, needed: 1, found: 0 });
        }
        let steps: Vec<u64> = rows.iter().flat_map(|row| steps(&codes, row)).map(|step| step.tokens).collect();
        Ok(Self {
            width: width as u32,
            smoothing: options.smoothing,
            mean: options.mean,
            codes,
            orders: (0..=options.context).map(|before| Steps::count(&steps, before)).collect(),
        })
    }

    /// Refuses parameters that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.codes.check()?;
        let (width, orders) = (self.width(), self.orders.len());
        if !(1..=WIDTH_MAX).contains(&width) || !(2..=CONTEXT_MAX + 1).contains(&orders) {
            return Err(format!("steps of {orders} lengths over {width} columns"));
        }
        if !(0.001..=1000.0).contains(&self.smoothing) {
            return Err(format!("a smoothing of {}", self.smoothing));
        }
        let rising = |pairs: &[(u64, u64)]| pairs.is_sorted_by(|a, b| a.0 < b.0) && pairs.iter().all(|pair| pair.1 > 0);
        match self.orders.iter().all(|steps| rising(&steps.before) && rising(&steps.taken) && steps.are_possible()) {
            true => Ok(()),
            false => Err("the steps are not in order, or more often taken than begun".to_owned()),
        }
    }

    /// Number of columns of a row.
    pub fn width(&self) -> usize {
        self.width as usize
    }

    /// Returns how unlikely the steps of each row are; 0 for a row without codes. A code that is none, or not in the
    /// vocabulary, is one never seen. Shape: `rows` is n × d; result has n values from 0. Units: nats.
    /// Errors: `WidthMismatch`.
    pub fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score transitions", expected, found });
        }
        Ok(rows.iter().map(|row| self.score_row(row)).collect())
    }

    fn score_row(&self, row: &[f32]) -> f64 {
        let (mut sum, mut most, mut count) = (0.0, 0.0_f64, 0_u32);
        for step in steps(&self.codes, row) {
            let surprise = self.surprise(step.tokens);
            (sum, most, count) = (sum + surprise, most.max(surprise), count + 1);
        }
        if self.mean { sum / f64::from(count.max(1)) } else { most }
    }

    /// Adds to each column how unlikely the step to its code was; the end counts for the column after the last code.
    /// Returns the code that followed most often in each column, NaN after the end.
    /// Shape: `row` and `credit` have d values.
    pub fn attribute(&self, row: &[f32], credit: &mut [f64]) -> Vec<f32> {
        let mut expected = vec![f32::NAN; row.len()];
        for step in steps(&self.codes, row) {
            credit[step.place] += self.surprise(step.tokens);
            expected[step.place] = self.usual(step.tokens).unwrap_or(f32::NAN);
        }
        expected
    }

    /// −ln of the probability of the last token after those before it.
    fn surprise(&self, tokens: u64) -> f64 {
        let kinds = self.codes.classes() + 1;
        let mut probability = 1.0 / kinds as f64;
        for (before, steps) in self.orders.iter().enumerate() {
            let (begun, taken) = steps.times(last(tokens, before + 1));
            probability = (taken as f64 + self.smoothing * probability) / (begun as f64 + self.smoothing);
        }
        -libm::log(probability).min(0.0)
    }

    /// The code that most often followed the longest known beginning of the step; of equally frequent ones the smaller.
    fn usual(&self, tokens: u64) -> Option<f32> {
        let begun = (0..self.orders.len()).rev().map(|before| (before, last(tokens >> TOKEN_BITS, before)));
        begun.into_iter().find_map(|(before, begun)| {
            let followers = self.orders[before].after(begun).iter();
            let codes = followers.filter_map(|(step, times)| {
                let token = last(*step, 1) as u32;
                let place = token.checked_sub(FIRST_KEY)?;
                self.codes.keys().get(place as usize).map(|code| (*code, *times))
            });
            codes.reduce(|best, code| if code.1 > best.1 { code } else { best }).map(|(code, _)| code)
        })
    }
}

impl Steps {
    /// Counts steps of `before` tokens and one more; of too many kinds the most frequent.
    fn count(steps: &[u64], before: usize) -> Self {
        let mut tokens: Vec<u64> = steps.iter().map(|tokens| last(*tokens, before + 1)).collect();
        tokens.sort_unstable();
        let counted = |key: fn(u64) -> u64| -> Vec<(u64, u64)> {
            let equal = tokens.chunk_by(|a, b| key(*a) == key(*b));
            equal.map(|equal| (key(equal[0]), equal.len() as u64)).collect()
        };
        let (mut begun, mut taken) = (counted(|step| step >> TOKEN_BITS), counted(|step| step));
        if taken.len() > STEPS_MAX {
            taken.sort_unstable_by_key(|(tokens, times)| (std::cmp::Reverse(*times), *tokens));
            taken.truncate(STEPS_MAX);
            taken.sort_unstable();
            let goes_on = |begun: u64| taken.binary_search_by_key(&begun, |(step, _)| step >> TOKEN_BITS).is_ok();
            begun.retain(|(tokens, _)| goes_on(*tokens));
        }
        Self { before: begun, taken }
    }

    /// Whether no beginning was met less often than the steps that went on from it.
    fn are_possible(&self) -> bool {
        let mut followed = self.taken.chunk_by(|a, b| a.0 >> TOKEN_BITS == b.0 >> TOKEN_BITS);
        followed.all(|steps| {
            let taken = steps.iter().try_fold(0_u64, |sum, step| sum.checked_add(step.1));
            taken.is_some_and(|taken| taken <= find(&self.before, steps[0].0 >> TOKEN_BITS))
        })
    }

    /// How often the step was begun, and how often it was taken.
    fn times(&self, tokens: u64) -> (u64, u64) {
        (find(&self.before, tokens >> TOKEN_BITS), find(&self.taken, tokens))
    }

    /// The steps that begin so.
    fn after(&self, begun: u64) -> &[(u64, u64)] {
        let from = self.taken.partition_point(|(step, _)| step >> TOKEN_BITS < begun);
        let to = self.taken.partition_point(|(step, _)| step >> TOKEN_BITS <= begun);
        &self.taken[from..to]
    }
}

/// The steps of a row. Where codes are missing between others, they are passed over.
fn steps<'a>(codes: &'a Vocabulary, row: &'a [f32]) -> impl Iterator<Item = Step> + 'a {
    let length = row.iter().rposition(|value| !value.is_nan()).map_or(0, |place| place + 1);
    let ended = (0 < length && length < row.len()).then_some((length, END));
    let told = row[..length].iter().enumerate().filter(|(_, value)| !value.is_nan());
    let tokens = told.map(|(place, value)| (place, codes.token(*value))).chain(ended);
    tokens.scan(u64::from(START), |before, (place, token)| {
        *before = last((*before << TOKEN_BITS) | u64::from(token), CONTEXT_MAX + 1);
        Some(Step { place, tokens: *before })
    })
}

/// The last of some tokens.
fn last(tokens: u64, count: usize) -> u64 {
    tokens & ((1 << (TOKEN_BITS * count as u32)) - 1)
}

fn find(counted: &[(u64, u64)], tokens: u64) -> u64 {
    counted.binary_search_by_key(&tokens, |(known, _)| *known).map_or(0, |place| counted[place].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: f32 = f32::NAN;

    /// Sessions 1 2 3 and 1 3, three of the first for each of the second.
    fn sessions() -> Matrix {
        let kind = |n: usize| if n.is_multiple_of(4) { [1.0, 3.0, NONE, NONE] } else { [1.0, 2.0, 3.0, NONE] };
        Matrix::from_rows(&(0..80).map(kind).collect::<Vec<_>>()).unwrap()
    }

    fn fit(options: &TransitionsOptions) -> Transitions {
        let detector = Transitions::fit(&sessions(), options).unwrap();
        assert_eq!(detector.check(), Ok(()));
        detector
    }

    fn score(detector: &Transitions, row: [f32; 4]) -> f64 {
        detector.score(&Matrix::from_rows(&[row]).unwrap()).unwrap()[0]
    }

    fn close(seen: f64, probability: f64) {
        assert!((seen + probability.ln()).abs() < 1e-12, "{seen} is not −ln {probability}");
    }

    /// The mixture of the module's head; 80 sessions have 300 steps, to the end included, of 5 kinds.
    fn mixed(taken: f64, begun: f64, taken_of_all: f64) -> f64 {
        let of_all = (taken_of_all + 0.2) / 301.0;
        (taken + of_all) / (begun + 1.0)
    }

    #[test]
    fn a_step_is_as_likely_as_it_was_frequent() {
        let detector = fit(&TransitionsOptions::DEFAULT);
        // The least likely step of 1 3 is 1→3, taken 20 of 80 times; 3 comes in 80 of the 300 steps.
        close(score(&detector, [1.0, 3.0, NONE, NONE]), mixed(20.0, 80.0, 80.0));
        // After 2 nothing but 3 came, 60 times; 1 comes 80 times.
        close(score(&detector, [1.0, 2.0, 1.0, 2.0]), mixed(0.0, 60.0, 80.0));
        // 7 was never seen.
        close(score(&detector, [1.0, 2.0, 7.0, 3.0]), mixed(0.0, 60.0, 0.0));
    }

    #[test]
    fn a_session_that_ends_early_is_strange_and_one_that_fills_its_columns_is_not_known_to_end() {
        let detector = fit(&TransitionsOptions::DEFAULT);
        close(score(&detector, [1.0, 2.0, NONE, NONE]), mixed(0.0, 60.0, 80.0));
        let filled = Matrix::from_rows(&[[1.0, 2.0], [1.0, 2.0]]).unwrap();
        let detector = Transitions::fit(&filled, &TransitionsOptions::DEFAULT).unwrap();
        assert_eq!(detector.orders[0].before, [(0, 4)], "no end was counted");
        assert_eq!(score(&fit(&TransitionsOptions::DEFAULT), [NONE; 4]), 0.0);
    }

    #[test]
    fn longer_contexts_tell_orders_that_pairs_do_not() {
        let rows = [[1.0, 2.0, 3.0, NONE], [4.0, 2.0, 5.0, NONE]];
        let rows = Matrix::from_rows(&(0..60).map(|n| rows[n % 2]).collect::<Vec<_>>()).unwrap();
        let of = |context: usize| {
            let options = TransitionsOptions { context, ..TransitionsOptions::DEFAULT };
            score(&Transitions::fit(&rows, &options).unwrap(), [1.0, 2.0, 5.0, NONE])
        };
        assert!(of(1) < 1.0 && of(2) > 3.0, "{} and {}", of(1), of(2));
    }

    #[test]
    fn the_explanation_names_the_place_and_the_usual_code() {
        let mean = TransitionsOptions { mean: true, ..TransitionsOptions::DEFAULT };
        let detector = fit(&mean);
        let row = [1.0, 9.0, 3.0, NONE];
        let mut credit = [0.0; 4];
        let expected = detector.attribute(&row, &mut credit);
        assert_eq!(expected[..2], [1.0, 2.0]);
        assert!(credit[1] > 4.0 && credit[0] < 0.1, "{credit:?}");
        assert!((credit.iter().sum::<f64>() / 4.0 - score(&detector, row)).abs() < 1e-12);
        let expected = detector.attribute(&[1.0, 2.0, NONE, NONE], &mut credit);
        assert_eq!((expected[2], expected[3].is_nan()), (3.0, true), "3 was missing at the end");
    }

    #[test]
    fn what_are_no_codes_is_refused_in_training_and_never_seen_afterwards() {
        let refused = Transitions::fit(&Matrix::from_rows(&[[0.5]]).unwrap(), &TransitionsOptions::DEFAULT);
        assert!(refused.unwrap_err().to_string().contains("learn transitions: row 0, column 0 holds 0.5"));
        let empty = Transitions::fit(&Matrix::missing(9, 2), &TransitionsOptions::DEFAULT);
        assert!(matches!(empty, Err(DetectError::TooFewRows { .. })));
        let detector = fit(&TransitionsOptions::DEFAULT);
        let odd = [0.5, f32::INFINITY, -1e30, 99.0].map(|code| score(&detector, [code, 2.0, 3.0, NONE]));
        assert!(odd.iter().all(|score| *score == odd[0] && *score > 5.0), "{odd:?}");
    }

    #[test]
    fn steps_taken_more_often_than_begun_are_refused() {
        let mut detector = fit(&TransitionsOptions::DEFAULT);
        detector.orders[1].taken[0].1 += 1;
        assert!(detector.check().unwrap_err().contains("more often taken"));
    }
}
