//! The isolation forest against its published definition.

use crate::world::{WIDTH, normal};
use lapwing_detect::isolation_forest::mean_path_length;
use lapwing_detect::{IsolationForest, Matrix};

#[test]
fn mean_path_lengths_are_those_of_the_paper() {
    // Liu, Ting, Zhou 2008: c(256) ≈ 10.24.
    assert!((mean_path_length(256) - 10.244_770_92).abs() < 1e-6);
    assert_eq!((mean_path_length(0), mean_path_length(1), mean_path_length(2)), (0.0, 0.0, 1.0));
}

#[test]
fn two_different_rows_are_isolated_by_one_split_each() {
    let rows = Matrix::from_rows(&[[0.0], [1.0]]).unwrap();
    let forest = IsolationForest::fit(&rows, 10, 256, 1).unwrap();
    assert_eq!(forest.score(&rows).unwrap(), [0.5, 0.5]);
}

#[test]
fn a_mean_path_as_long_as_expected_scores_one_half() {
    let forest = IsolationForest::fit(&normal(5000, 1), 100, 256, 1).unwrap();
    let scores = forest.score(&normal(5000, 2)).unwrap();
    let mean = scores.iter().sum::<f64>() / 5000.0;
    assert!((0.40..0.52).contains(&mean), "{mean}");
    let far = Matrix::from_rows(&[[50.0; WIDTH]]).unwrap();
    assert!(forest.score(&far).unwrap()[0] > 0.7);
}

#[test]
fn a_forest_of_more_trees_begins_with_the_trees_of_the_smaller() {
    let rows = normal(500, 1);
    let [one, two] = [1, 2].map(|trees| IsolationForest::fit(&rows, trees, 64, 9).unwrap());
    let (mut first, mut both) = ([0.0; WIDTH], [0.0; WIDTH]);
    let row = [3.0; WIDTH];
    one.attribute(&row, &mut first);
    two.attribute(&row, &mut both);
    assert_eq!(one, IsolationForest::fit(&rows, 1, 64, 9).unwrap());
    assert_ne!(one, IsolationForest::fit(&rows, 1, 64, 10).unwrap());
    assert_ne!(first, both);
}

#[test]
fn attributions_sum_to_what_the_row_saved_on_its_paths() {
    let forest = IsolationForest::fit(&normal(5000, 1), 100, 256, 1).unwrap();
    for row in normal(50, 3).iter().chain([&[9.0; WIDTH][..]]) {
        let mut credit = [0.0; WIDTH];
        forest.attribute(row, &mut credit);
        let score = forest.score(&Matrix::from_rows(&[row]).unwrap()).unwrap()[0];
        let path_length = -score.log2() * mean_path_length(256);
        let saved = forest.expected_path_length() - path_length;
        assert!((credit.iter().sum::<f64>() - saved).abs() < 1e-4, "{credit:?} for {saved}");
    }
}

#[test]
fn a_missing_value_counts_as_the_median() {
    let rows = normal(2001, 1);
    let forest = IsolationForest::fit(&rows, 50, 256, 1).unwrap();
    let mut column = rows.present(2);
    column.sort_by(f32::total_cmp);
    let median = (column[(column.len() - 1) / 2] + column[column.len() / 2]) / 2.0;
    let [missing, filled] =
        [f32::NAN, median].map(|value| Matrix::from_rows(&[[0.5, 1.0, value, 0.5, 1.0, 0.0]]).unwrap());
    assert_eq!(forest.score(&missing).unwrap(), forest.score(&filled).unwrap());
}
