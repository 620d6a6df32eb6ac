//! Every figure against a slow and obvious way to get it.

use lapwing_evaluate::bootstrap::{Bands, Resamples, quantile_of};
use lapwing_evaluate::ranking::{FALSE_POSITIVE_RATES, Ranking};
use lapwing_evaluate::spread::{histogram, reliability};
use lapwing_evaluate::threshold::{AtProbability, AtThreshold};
use proptest::prelude::*;

/// All pairs of an anomaly and a normal row, ties counted half.
fn roc_auc(scores: &[f64], anomalous: &[bool]) -> f64 {
    let of = |wanted: bool| scores.iter().zip(anomalous).filter(move |(_, is)| **is == wanted).map(|(score, _)| *score);
    let (mut won, mut pairs) = (0.0, 0.0);
    for anomaly in of(true) {
        for normal in of(false) {
            won += if anomaly > normal {
                1.0
            } else if anomaly == normal {
                0.5
            } else {
                0.0
            };
            pairs += 1.0;
        }
    }
    won / pairs
}

/// Recall and false positive rate and precision of flagging everything from a threshold on.
fn flag(scores: &[f64], anomalous: &[bool], threshold: f64) -> (f64, f64, f64) {
    let count = |anomaly: bool, flagged: bool| {
        scores.iter().zip(anomalous).filter(|(s, is)| **is == anomaly && (**s >= threshold) == flagged).count() as f64
    };
    let (tp, fp) = (count(true, true), count(false, true));
    (tp / (tp + count(true, false)), fp / (fp + count(false, false)), tp / (tp + fp))
}

/// Every score as a threshold, highest first.
fn thresholds(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted.dedup();
    sorted
}

/// Sum of precision × recall gained over all thresholds, as scikit-learn defines average precision.
fn average_precision(scores: &[f64], anomalous: &[bool]) -> f64 {
    let (mut sum, mut before) = (0.0, 0.0);
    for threshold in thresholds(scores) {
        let (recall, _, precision) = flag(scores, anomalous, threshold);
        sum += (recall - before) * precision;
        before = recall;
    }
    sum
}

fn recall_at(scores: &[f64], anomalous: &[bool], rate: f64) -> f64 {
    let flags = thresholds(scores).into_iter().map(|threshold| flag(scores, anomalous, threshold));
    flags.filter(|(_, fpr, _)| *fpr <= rate).map(|(recall, _, _)| recall).fold(0.0, f64::max)
}

/// Few different scores, so that ties are common; at least one row of each kind.
fn rows() -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    prop::collection::vec((0_u8..12, any::<bool>()), 0..60).prop_map(|mut rows| {
        rows.extend([(5, true), (5, false)]);
        rows.into_iter().map(|(score, is)| (f64::from(score) / 4.0, is)).unzip()
    })
}

proptest! {
    #[test]
    fn figures_are_those_of_the_obvious_way((scores, anomalous) in rows()) {
        let figures = Ranking::of(&scores, &anomalous).figures().unwrap();
        prop_assert!((figures.roc_auc - roc_auc(&scores, &anomalous)).abs() < 1e-12);
        prop_assert!((figures.pr_auc - average_precision(&scores, &anomalous)).abs() < 1e-12);
        for (rate, recall) in FALSE_POSITIVE_RATES.iter().zip(figures.tpr_at_fpr) {
            prop_assert_eq!(recall, recall_at(&scores, &anomalous, *rate));
        }
    }

    #[test]
    fn a_weight_is_worth_as_many_copies_of_the_row((scores, anomalous) in rows(), seed in 1_u32..50) {
        let weights: Vec<u32> = (0..scores.len() as u32).map(|row| (row * 7 + seed) % 3 + u32::from(row as usize + 2 >= scores.len())).collect();
        let copies = |row: usize| std::iter::repeat_n(row, weights[row] as usize);
        let copied: Vec<usize> = (0..scores.len()).flat_map(copies).collect();
        let copied_scores: Vec<f64> = copied.iter().map(|row| scores[*row]).collect();
        let copied_truths: Vec<bool> = copied.iter().map(|row| anomalous[*row]).collect();
        let weighted = Ranking::of(&scores, &anomalous).weighted(&weights).unwrap();
        let plain = Ranking::of(&copied_scores, &copied_truths).figures().unwrap();
        for (one, other) in weighted.values().iter().zip(plain.values()) {
            prop_assert!((one - other).abs() < 1e-12);
        }
    }

    #[test]
    fn curves_pass_through_their_ends_and_never_fall((scores, anomalous) in rows()) {
        let curves = Ranking::of(&scores, &anomalous).curves();
        prop_assert_eq!((curves.roc[0], *curves.roc.last().unwrap()), ((0.0, 0.0), (1.0, 1.0)));
        prop_assert!(curves.roc.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
        prop_assert!(curves.precision_recall.is_sorted_by(|a, b| a.0 <= b.0));
        prop_assert_eq!(curves.precision_recall.last().unwrap().0, 1.0);
    }
}

#[test]
fn figures_match_scikit_learn_on_a_small_example() {
    // roc_auc_score and average_precision_score of scikit-learn for these ten rows.
    let scores = [0.1, 0.4, 0.35, 0.8, 0.8, 0.2, 0.9, 0.5, 0.35, 0.7];
    let anomalous = [false, false, true, true, false, false, true, false, true, false];
    let figures = Ranking::of(&scores, &anomalous).figures().unwrap();
    assert!((figures.roc_auc - 0.645_833_333_333_333_3).abs() < 1e-12, "{}", figures.roc_auc);
    assert!((figures.pr_auc - 0.666_666_666_666_666_6).abs() < 1e-12, "{}", figures.pr_auc);
    assert_eq!(figures.tpr_at_fpr, [0.25; 3]);
}

#[test]
fn nan_is_the_least_strange_and_one_kind_of_rows_has_no_figures() {
    let figures = Ranking::of(&[f64::NAN, f64::NEG_INFINITY, 1.0], &[true, false, false]).figures().unwrap();
    assert_eq!(figures.roc_auc, 0.25);
    assert_eq!(Ranking::of(&[1.0, 2.0], &[true, true]).figures(), None);
    assert_eq!(Ranking::of(&[], &[]).figures(), None);
    assert_eq!(Ranking::of(&[0.0, -0.0], &[true, false]).figures().unwrap().roc_auc, 0.5);
}

/// Scores of which anomalies tend to have the higher ones.
fn noisy(rows: usize) -> (Vec<f64>, Vec<bool>) {
    let noise = |row: usize| (row as f64 * 0.754_877_666).fract();
    let anomalous: Vec<bool> = (0..rows).map(|row| row % 20 == 0).collect();
    let scores = (0..rows).map(|row| noise(row) + if anomalous[row] { 0.4 } else { 0.0 }).collect();
    (scores, anomalous)
}

#[test]
fn intervals_hold_the_figure_do_not_depend_on_threads_and_narrow_with_rows() {
    let width = |rows: usize| {
        let (scores, anomalous) = noisy(rows);
        let ranking = Ranking::of(&scores, &anomalous);
        let draw = |threads| Resamples::draw(&[&ranking], &anomalous, 200, 7, threads).intervals(0).unwrap();
        assert_eq!(draw(1), draw(3));
        let figures = ranking.figures().unwrap().values();
        for (interval, figure) in draw(2).iter().zip(figures) {
            assert!(interval.low <= figure && figure <= interval.high, "{interval:?} {figure}");
        }
        draw(1)[0].high - draw(1)[0].low
    };
    // Four times the rows halve the width; sixteen times quarter it.
    let ratio = width(400) / width(6400);
    assert!((2.5..6.0).contains(&ratio), "{ratio}");
}

#[test]
fn bands_hold_what_every_threshold_reaches_and_agree_with_the_intervals() {
    let (scores, anomalous) = noisy(2000);
    let ranking = Ranking::of(&scores, &anomalous);
    let bands = Bands::draw(&ranking, &anomalous, 100, 7, 2);
    assert_eq!(bands, Bands::draw(&ranking, &anomalous, 100, 7, 1));
    for (rate, ends) in &bands.roc {
        let recall = recall_at(&scores, &anomalous, *rate);
        assert!(ends.low <= recall && recall <= ends.high, "{rate}: {recall} {ends:?}");
    }
    for (recall, ends) in &bands.precision_recall {
        let reaches = |threshold: &f64| flag(&scores, &anomalous, *threshold).0 >= *recall;
        let first = thresholds(&scores)
            .into_iter()
            .find(|threshold| reaches(threshold) && flag(&scores, &anomalous, *threshold).0 > 0.0);
        let precision = flag(&scores, &anomalous, first.unwrap()).2;
        assert!(ends.low <= precision && precision <= ends.high, "{recall}: {precision} {ends:?}");
    }
    // The same resamples: recall at a rate that both know lies in the same interval.
    let known = bands.roc.iter().find(|(rate, _)| *rate == FALSE_POSITIVE_RATES[2]).unwrap();
    let intervals = Resamples::draw(&[&ranking], &anomalous, 100, 7, 2).intervals(0).unwrap();
    assert_eq!(known.1, intervals[4]);
    assert_eq!(Bands::draw(&ranking, &anomalous, 0, 7, 2), Bands::default());
}

#[test]
fn a_paired_difference_of_an_order_with_itself_is_nothing() {
    let (scores, anomalous) = noisy(500);
    let (one, other) = (Ranking::of(&scores, &anomalous), Ranking::of(&scores, &anomalous));
    let resamples = Resamples::draw(&[&one, &other], &anomalous, 50, 1, 2);
    assert!(resamples.differences(0, 1).unwrap().iter().all(|gap| gap.low == 0.0 && gap.high == 0.0));
    assert!(Resamples::draw(&[&one], &anomalous, 0, 1, 2).intervals(0).is_none());
}

#[test]
fn quantiles_lie_between_neighbours() {
    assert_eq!(quantile_of(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.5), 3.0);
    assert_eq!(quantile_of(&[1.0, 2.0], 0.25), 1.25);
    assert_eq!(quantile_of(&[7.0], 0.975), 7.0);
}

#[test]
fn precision_and_recall_follow_from_the_counts() {
    let tail = [0.001, 0.003, 0.2, 0.002, 0.5, 0.9];
    let anomalous = [true, false, true, true, false, false];
    let at = AtThreshold::of(&tail, &anomalous, 0.003).flagged;
    let counts = at.confusion;
    assert_eq!((counts.true_positives, counts.false_positives), (2, 1));
    assert_eq!((counts.false_negatives, counts.true_negatives), (1, 2));
    assert_eq!((at.precision, at.recall, at.f1), (2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0));
    assert_eq!(at.false_positive_rate, 1.0 / 3.0);
    let none = AtThreshold::of(&tail, &anomalous, 1e-9).flagged;
    assert_eq!((none.precision, none.recall, none.f1), (0.0, 0.0, 0.0));
}

#[test]
fn a_probability_is_reached_where_it_is_met_exactly() {
    let at = AtProbability::each(&[0.75, 0.74, 0.5, 0.49, f64::NAN], &[true, false, true, true, false]);
    let counts = |place: usize| (at[place].probability, at[place].flagged.confusion);
    let (half, three_to_one) = (counts(0), counts(1));
    assert_eq!((half.0, half.1.true_positives, half.1.false_positives), (0.5, 2, 1));
    assert_eq!((three_to_one.0, three_to_one.1.true_positives, three_to_one.1.false_positives), (0.75, 1, 0));
}

#[test]
fn reliability_counts_normal_rows_alone() {
    // A thousand normal rows with evenly spread tails keep every promise; the anomalies do not matter.
    let mut tail: Vec<f64> = (1..=1000).map(|rank| f64::from(rank) / 1000.0).collect();
    let mut anomalous = vec![false; 1000];
    tail.extend([1e-9; 50]);
    anomalous.extend([true; 50]);
    let points = reliability(&tail, &anomalous);
    assert_eq!(points.len(), 9);
    assert!(points.iter().all(|point| (point.seen - point.tail).abs() < 1e-12), "{points:?}");
}

#[test]
fn each_row_is_in_one_bar_of_its_kind() {
    let tail = [1.0, 0.5, 0.1, 1e-12, 1e-12];
    let spread = histogram(&tail, &[false, false, false, true, true]);
    assert!((spread.normal.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(spread.anomalies.last(), Some(&1.0));
    assert!((spread.surprisal_max - 27.631).abs() < 1e-3);
}
