//! Detectors that are trees: what every one of them keeps to, and what labels teach.

use crate::world::{WIDTH, columns, member, normal};
use lapwing_detect::{
    DetectError, Ensemble, ExtendedIsolationForest, ExtendedIsolationForestOptions, GradientBoosting,
    GradientBoostingOptions, IsolationForest, Label, Matrix, Method, RandomForest, RandomForestOptions, TrainingSet,
    UnsupervisedForest, UnsupervisedForestOptions,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const FOREST: RandomForestOptions = RandomForestOptions {
    trees: 20,
    sample_fraction: 1.0,
    split_columns: 0,
    leaf_rows_min: 0,
    leaves_max: 256,
    balanced: true,
};
const BOOSTING: GradientBoostingOptions = GradientBoostingOptions {
    rounds: 30,
    learning_rate: 0.1,
    leaves_max: 15,
    leaf_rows_min: 0,
    l2: 1.0,
    sample_fraction: 1.0,
    column_fraction: 1.0,
    held_back: 0.2,
    patience: 5,
    balanced: false,
};
const SYNTHETIC: UnsupervisedForestOptions =
    UnsupervisedForestOptions { trees: 30, fraction: 1.0, sample_fraction: 0.5, leaf_rows_min: 5, leaves_max: 512 };
const OBLIQUE: ExtendedIsolationForestOptions =
    ExtendedIsolationForestOptions { trees: 60, samples: 256, extension: 1 };

/// Normal rows of which `anomalies`, spread among them, have two columns moved.
fn labelled(count: usize, anomalies: usize, seed: u64) -> (Matrix, Vec<Label>) {
    let mut rows = normal(count, seed);
    let mut labels = vec![Label::Normal; count];
    for place in 0..anomalies {
        let row = place * (count / anomalies);
        labels[row] = Label::Anomaly;
        rows.values_mut()[row * WIDTH] += 2.5;
        rows.values_mut()[row * WIDTH + 4] += 2.5;
    }
    (rows, labels)
}

fn set<'a>(rows: &'a Matrix, labels: &'a [Label], threads: usize) -> TrainingSet<'a> {
    TrainingSet { labels, threads, ..TrainingSet::unlabelled(rows) }
}

/// Share of pairs of an anomaly and a normal row of which the anomaly scores higher; ties count half.
fn auroc(scores: &[f64], labels: &[Label]) -> f64 {
    let of = |kind: Label| scores.iter().zip(labels).filter(move |(_, label)| **label == kind).map(|(score, _)| *score);
    let (mut won, mut pairs) = (0.0, 0.0);
    for anomaly in of(Label::Anomaly) {
        for other in of(Label::Normal) {
            won += f64::from(u8::from(anomaly > other)) + 0.5 * f64::from(u8::from(anomaly == other));
            pairs += 1.0;
        }
    }
    won / pairs
}

#[test]
fn three_labelled_anomalies_teach_where_the_others_are() {
    let (unseen, truth) = labelled(3000, 150, 9);
    for count in [3, 12, 150] {
        let (rows, labels) = labelled(3000, count, 1);
        let forest = RandomForest::fit(&set(&rows, &labels, 1), &FOREST, 1).unwrap();
        let boosting = GradientBoosting::fit(&set(&rows, &labels, 1), &BOOSTING, 1).unwrap();
        let floor = if count == 3 { 0.75 } else { 0.9 };
        for (name, scores) in [("forest", forest.score(&unseen)), ("boosting", boosting.score(&unseen))] {
            let area = auroc(&scores.unwrap(), &truth);
            assert!(area > floor, "{name} with {count} anomalies: {area}");
        }
    }
}

#[test]
fn a_missing_kind_of_label_is_refused_with_the_remedy() {
    let rows = normal(50, 1);
    for labels in [vec![], vec![Label::Normal; 50], vec![Label::Anomaly; 50], vec![Label::Unknown; 50]] {
        let refusals = [
            RandomForest::fit(&set(&rows, &labels, 1), &FOREST, 1).unwrap_err(),
            GradientBoosting::fit(&set(&rows, &labels, 1), &BOOSTING, 1).unwrap_err(),
        ];
        for refusal in refusals {
            let DetectError::Setting(text) = refusal else { panic!("{refusal}") };
            assert!(text.contains("label rows of both kinds"), "{text}");
        }
    }
}

#[test]
fn the_seed_decides_everything_and_threads_nothing() {
    let (rows, labels) = labelled(4000, 200, 1);
    let boosting = GradientBoostingOptions { sample_fraction: 0.7, column_fraction: 0.6, ..BOOSTING };
    let forest = |threads, seed| RandomForest::fit(&set(&rows, &labels, threads), &FOREST, seed).unwrap();
    let boosted = |threads, seed| GradientBoosting::fit(&set(&rows, &labels, threads), &boosting, seed).unwrap();
    let synthetic = |threads, seed| UnsupervisedForest::fit(&set(&rows, &[], threads), &SYNTHETIC, seed).unwrap();
    let oblique = |threads, seed| ExtendedIsolationForest::fit(&set(&rows, &[], threads), &OBLIQUE, seed).unwrap();
    for threads in [2, 4] {
        assert_eq!(forest(threads, 1), forest(1, 1));
        assert_eq!(boosted(threads, 1), boosted(1, 1));
        assert_eq!(synthetic(threads, 1), synthetic(1, 1));
        assert_eq!(oblique(threads, 1), oblique(1, 1));
    }
    assert_ne!(forest(1, 1), forest(1, 2));
    assert_ne!(boosted(1, 1), boosted(1, 2));
    assert_ne!(synthetic(1, 1), synthetic(1, 2));
    assert_ne!(oblique(1, 1), oblique(1, 2));
}

#[test]
fn attributions_sum_to_the_score_less_the_expected_one() {
    let (rows, labels) = labelled(3000, 100, 1);
    let forest = RandomForest::fit(&set(&rows, &labels, 1), &FOREST, 1).unwrap();
    let boosting = GradientBoosting::fit(&set(&rows, &labels, 1), &BOOSTING, 1).unwrap();
    let synthetic = UnsupervisedForest::fit(&set(&rows, &[], 1), &SYNTHETIC, 1).unwrap();
    let odd = [[f32::NAN; WIDTH], [f32::INFINITY; WIDTH], [f32::NEG_INFINITY; WIDTH]];
    for row in normal(50, 3).iter().chain(odd.iter().map(|row| &row[..])) {
        let one = Matrix::from_rows(&[row]).unwrap();
        let mut credits = [[0.0; WIDTH]; 3];
        forest.attribute(row, &mut credits[0]);
        boosting.attribute(row, &mut credits[1]);
        synthetic.attribute(row, &mut credits[2]);
        let above = [
            forest.score(&one).unwrap()[0] - forest.expected(),
            boosting.score(&one).unwrap()[0] - boosting.expected(),
            synthetic.score(&one).unwrap()[0] - synthetic.expected(),
        ];
        for (credit, above) in credits.iter().zip(above) {
            assert!((credit.iter().sum::<f64>() - above).abs() < 1e-9, "{credit:?} for {above}");
        }
    }
}

#[test]
fn the_score_of_a_tree_that_saw_every_row_is_the_share_of_anomalies_in_its_leaf() {
    let rows = Matrix::from_rows(&[[1.0], [1.0], [1.0], [1.0], [5.0], [5.0], [f32::NAN]]).unwrap();
    let mut labels = [Label::Normal; 7];
    (labels[0], labels[6]) = (Label::Anomaly, Label::Anomaly);
    let options = RandomForestOptions { trees: 400, balanced: false, ..FOREST };
    let scores = RandomForest::fit(&set(&rows, &labels, 1), &options, 1).unwrap().score(&rows).unwrap();
    // One anomaly in four, none in two, and the missing value by itself; bootstrap samples scatter around these.
    assert!((scores[0] - 0.25).abs() < 0.1 && scores[0] == scores[3], "{scores:?}");
    assert!(scores[4] < 0.1 && scores[6] > 0.6, "{scores:?}");
}

#[test]
fn boosting_begins_with_the_share_of_anomalies_and_stops_when_nothing_is_learned() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let rows = normal(2000, 1);
    let labels: Vec<Label> =
        (0..2000).map(|_| if rng.random_bool(0.2) { Label::Anomaly } else { Label::Normal }).collect();
    let options = GradientBoostingOptions { rounds: 200, ..BOOSTING };
    let chance = GradientBoosting::fit(&set(&rows, &labels, 1), &options, 1).unwrap();
    assert!(chance.trees().trees() < 20, "{} trees for noise", chance.trees().trees());
    let anomalies = labels.iter().filter(|label| **label == Label::Anomaly).count() as f64;
    let constant = Matrix::from_rows(&vec![[1.0]; 2000]).unwrap();
    let prior = GradientBoosting::fit(&set(&constant, &labels, 1), &options, 1).unwrap();
    assert_eq!(prior.trees().trees(), 0);
    let odds = (anomalies / (2000.0 - anomalies)).ln();
    assert!((prior.score(&constant).unwrap()[0] - odds).abs() < 1e-12);
}

#[test]
fn what_supervised_scores_stand_for_is_the_share_of_anomalies_whatever_rows_weighed() {
    // One in fifty where the column is 1, three in ten where it is 2.
    let rows: Vec<[f32; 1]> = (0..4000).map(|row| [if row % 4 == 0 { 2.0 } else { 1.0 }]).collect();
    let rows = Matrix::from_rows(&rows).unwrap();
    let is_anomaly = |row: usize| if row.is_multiple_of(4) { row / 4 % 10 < 3 } else { row % 50 == 1 };
    let labels: Vec<Label> =
        (0..4000).map(|row| if is_anomaly(row) { Label::Anomaly } else { Label::Normal }).collect();
    let share = |kind: f32| {
        let anomalies = (0..4000).filter(|row| rows.row(*row)[0] == kind && is_anomaly(*row)).count();
        anomalies as f64 / (0..4000).filter(|row| rows.row(*row)[0] == kind).count() as f64
    };
    let set = set(&rows, &labels, 1);
    let close = |method: &Method, scores: Vec<f64>| {
        for (row, kind) in [(0, 2.0), (1, 1.0)] {
            let said = method.probability(scores[row]).unwrap();
            assert!((said - share(kind)).abs() < 0.02, "{}: {said}, not {}", method.name(), share(kind));
        }
    };
    for balanced in [false, true] {
        let options = GradientBoostingOptions { balanced, rounds: 200, held_back: 0.0, ..BOOSTING };
        let scores = GradientBoosting::fit(&set, &options, 1).unwrap().score(&rows).unwrap();
        close(&Method::GradientBoosting(options), scores);
    }
    let options = RandomForestOptions { balanced: false, ..FOREST };
    close(&Method::RandomForest(options), RandomForest::fit(&set, &options, 1).unwrap().score(&rows).unwrap());
    assert_eq!(Method::RobustZscore.probability(0.9), None);
}

#[test]
fn constant_missing_and_infinite_columns_do_no_harm() {
    let (rows, labels) = labelled(1000, 50, 1);
    let widened: Vec<Vec<f32>> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| {
            let odd = [7.0, f32::NAN, [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX][place % 4]];
            [row, &odd[..]].concat()
        })
        .collect();
    let wide = Matrix::from_rows(&widened).unwrap();
    let set = set(&wide, &labels, 1);
    let scores = [
        RandomForest::fit(&set, &FOREST, 1).unwrap().score(&wide),
        GradientBoosting::fit(&set, &BOOSTING, 1).unwrap().score(&wide),
        UnsupervisedForest::fit(&set, &SYNTHETIC, 1).unwrap().score(&wide),
        ExtendedIsolationForest::fit(&set, &OBLIQUE, 1).unwrap().score(&wide),
    ];
    for (place, scores) in scores.into_iter().enumerate() {
        let scores = scores.unwrap();
        assert!(scores.iter().all(|score| score.is_finite()), "detector {place}");
        assert!(scores.iter().any(|score| *score != scores[0]), "detector {place}");
        if place < 2 {
            assert!(auroc(&scores, &labels) > 0.9, "detector {place}");
        }
    }
}

#[test]
fn the_unsupervised_forest_sees_a_broken_rule_between_usual_values() {
    let rows = normal(4000, 1);
    let forest = UnsupervisedForest::fit(&set(&rows, &[], 1), &SYNTHETIC, 1).unwrap();
    // Column 3 follows column 0; both values are usual.
    let kept = [1.2, 0.0, 0.0, 1.2, 0.7, 0.0];
    let broken = [1.2, 0.0, 0.0, -1.2, 0.7, 0.0];
    let scores = forest.score(&Matrix::from_rows(&[kept, broken]).unwrap()).unwrap();
    assert!(scores[0] < 0.4 && scores[1] > 0.8, "{scores:?}");
}

/// Two clusters on a diagonal: cuts along columns make the other diagonal look usual, oblique ones do not.
/// Source: Hariri, Carrasco Kind, Brunner 2019, figures 2 and 11.
#[test]
fn oblique_cuts_see_that_the_empty_corners_are_empty() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut bell = || (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
    let rows: Vec<[f32; 2]> = (0..2000)
        .map(|row| {
            let centre = if row % 2 == 0 { [0.0, 1000.0] } else { [10.0, 0.0] };
            // The second column has other units.
            [centre[0] + bell(), centre[1] + 100.0 * bell()]
        })
        .collect();
    let rows = Matrix::from_rows(&rows).unwrap();
    let corners = Matrix::from_rows(&[[0.0, 0.0], [10.0, 1000.0], [0.0, 1000.0], [10.0, 0.0]]).unwrap();
    let options = ExtendedIsolationForestOptions { trees: 200, ..OBLIQUE };
    let oblique = ExtendedIsolationForest::fit(&set(&rows, &[], 1), &options, 1).unwrap().score(&corners).unwrap();
    let straight = IsolationForest::fit(&rows, 200, 256, 1).unwrap().score(&corners).unwrap();
    let contrast = |scores: &[f64]| scores[0].min(scores[1]) - scores[2].max(scores[3]);
    assert!(contrast(&oblique) > contrast(&straight) + 0.03, "{oblique:?} {straight:?}");
}

#[test]
fn an_extended_forest_without_extension_isolates_as_the_isolation_forest_does() {
    let rows = normal(5000, 1);
    let options = ExtendedIsolationForestOptions { trees: 300, samples: 256, extension: 0 };
    let extended = ExtendedIsolationForest::fit(&set(&rows, &[], 1), &options, 1).unwrap();
    let plain = IsolationForest::fit(&rows, 300, 256, 1).unwrap();
    let unseen = normal(200, 2);
    for (one, other) in extended.score(&unseen).unwrap().iter().zip(plain.score(&unseen).unwrap()) {
        assert!((one - other).abs() < 0.04, "{one} {other}");
    }
}

#[test]
fn oblique_attributions_sum_to_what_the_row_saved_on_its_paths() {
    let rows = normal(3000, 1);
    let forest = ExtendedIsolationForest::fit(&set(&rows, &[], 1), &OBLIQUE, 1).unwrap();
    for row in normal(50, 3).iter().chain([&[9.0; WIDTH][..], &[f32::NAN; WIDTH][..]]) {
        let mut credit = [0.0; WIDTH];
        forest.attribute(row, &mut credit);
        let score = forest.score(&Matrix::from_rows(&[row]).unwrap()).unwrap()[0];
        let path_length = -score.log2() * lapwing_detect::isolation_forest::mean_path_length(256);
        let saved = forest.expected_path_length() - path_length;
        assert!((credit.iter().sum::<f64>() - saved).abs() < 1e-4, "{credit:?} for {saved}");
    }
}

#[test]
fn a_row_scores_the_same_bits_in_any_batch() {
    let (rows, labels) = labelled(1500, 60, 1);
    let set = set(&rows, &labels, 1);
    let forest = RandomForest::fit(&set, &FOREST, 1).unwrap();
    let boosting = GradientBoosting::fit(&set, &BOOSTING, 1).unwrap();
    let oblique = ExtendedIsolationForest::fit(&set, &OBLIQUE, 1).unwrap();
    let scores = |rows: &Matrix| [forest.score(rows), boosting.score(rows), oblique.score(rows)].map(Result::unwrap);
    let all = scores(&rows);
    for row in (0..1500).step_by(97) {
        let alone = scores(&rows.take(&[row]));
        for (all, alone) in all.iter().zip(alone) {
            assert_eq!(all[row], alone[0]);
        }
    }
    let narrow = Matrix::from_rows(&[[1.0]]).unwrap();
    for refusal in [forest.score(&narrow), boosting.score(&narrow), oblique.score(&narrow)] {
        assert!(matches!(refusal, Err(DetectError::WidthMismatch { expected: WIDTH, found: 1, .. })));
    }
}

#[test]
fn an_artefact_of_forests_reads_back_and_a_changed_byte_is_refused_or_harmless() {
    let synthetic = UnsupervisedForestOptions { trees: 2, leaves_max: 6, ..SYNTHETIC };
    let oblique = ExtendedIsolationForestOptions { trees: 2, samples: 4, extension: 1 };
    let members = [
        member("synthetic", Method::UnsupervisedForest(synthetic)),
        member("oblique", Method::ExtendedIsolationForest(oblique)),
    ];
    let ensemble = Ensemble::fit(columns(), &TrainingSet::unlabelled(&normal(60, 1)), &members, 0.05, 1).unwrap();
    let bytes = ensemble.to_bytes().unwrap();
    assert_eq!(Ensemble::from_bytes(&bytes).unwrap(), ensemble);
    let rows = Matrix::from_rows(&[[1.0, -1.0, 0.5, 1.0, 0.1, 0.0], [f32::NAN; WIDTH]]).unwrap();
    let (mut refused, mut accepted) = (0, 0);
    for place in crate::artefact::HEADER_BYTES..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut payload = bytes[crate::artefact::HEADER_BYTES..].to_vec();
            payload[place - crate::artefact::HEADER_BYTES] ^= flip;
            match Ensemble::from_bytes(&crate::artefact::sealed(&bytes, &payload)) {
                Err(refusal) => {
                    assert!(matches!(refusal, DetectError::Artefact(_)), "byte {place}: {refusal}");
                    refused += 1;
                }
                Ok(ensemble) => {
                    let scores = ensemble.score(&rows).unwrap();
                    assert!(scores.tail.iter().all(|tail| *tail > 0.0 && *tail <= 1.0), "byte {place}");
                    ensemble.explain(rows.row(0)).unwrap();
                    accepted += 1;
                }
            }
        }
    }
    assert!(refused > 200 && accepted > 200, "{refused} refused, {accepted} accepted");
}

#[test]
fn an_option_out_of_range_is_refused_with_what_is_allowed() {
    let (rows, labels) = labelled(100, 10, 1);
    let set = set(&rows, &labels, 1);
    let refusals = [
        RandomForest::fit(&set, &RandomForestOptions { trees: 0, ..FOREST }, 1).unwrap_err(),
        GradientBoosting::fit(&set, &GradientBoostingOptions { learning_rate: f64::NAN, ..BOOSTING }, 1).unwrap_err(),
        UnsupervisedForest::fit(&set, &UnsupervisedForestOptions { fraction: -1.0, ..SYNTHETIC }, 1).unwrap_err(),
        ExtendedIsolationForest::fit(&set, &ExtendedIsolationForestOptions { samples: 513, ..OBLIQUE }, 1).unwrap_err(),
    ];
    for (refusal, option) in refusals.into_iter().zip(["trees", "learning_rate", "fraction", "samples"]) {
        let DetectError::Setting(text) = refusal else { panic!("{refusal}") };
        assert!(text.starts_with(&format!("`{option}` of ")) && text.contains("allowed: "), "{text}");
    }
}
