//! An ensemble as the pipeline uses it: trained on normal rows, asked about others.

use crate::world::{WIDTH, columns, ensemble, member, normal};
use lapwing_detect::explanation::CONTRIBUTIONS_MAX;
use lapwing_detect::training::Nothing;
use lapwing_detect::{
    DetectError, Direction, Ensemble, InputRule, Inputs, IsolationForestOptions, Label, Matrix, MemberSpec, Method,
    MinimumEffect, TrainingSet,
};

const ALERT_RATE: f64 = 0.01;

/// A normal row with one value replaced.
fn planted(column: usize, value: f32) -> [f32; WIDTH] {
    let mut row = [0.1, 1.0, -0.2, 0.1, 0.7, 0.0];
    row[column] = value;
    row
}

/// Methods that learn from rows of any numbers, by themselves.
fn learning_here() -> impl Iterator<Item = Method> {
    let elsewhere = ["surprise", "autoencoder", "transformer", "transitions", "onnx"];
    let here = move |method: &Method| !method.is_supervised() && !elsewhere.contains(&method.name());
    Method::all().into_iter().filter(here)
}

#[test]
fn the_share_of_normal_rows_flagged_is_the_alert_rate() {
    for (seed, rate) in [(1, 0.01), (2, 0.003), (3, 0.05)] {
        let ensemble = ensemble(&normal(40_000, seed), rate, seed);
        let scores = ensemble.score(&normal(40_000, seed + 100)).unwrap();
        let flagged = scores.flagged.iter().filter(|flagged| **flagged).count() as f64 / 40_000.0;
        // Sampling error of 40,000 rows scored and of those calibrated on, four deviations wide.
        let calibrated_on = (100.0 / rate).clamp(2000.0, 20_000.0);
        let tolerance = 4.0 * (rate * (1.0 / 40_000.0 + 1.0 / calibrated_on)).sqrt();
        assert!((flagged - rate).abs() < tolerance, "seed {seed}: {flagged} flagged at a rate of {rate}");
        assert!((ensemble.threshold() - (1.0 - rate)).abs() < 1e-15);
    }
}

#[test]
fn tails_of_held_out_normal_rows_are_uniform() {
    let ensemble = ensemble(&normal(20_000, 1), ALERT_RATE, 1);
    let scores = ensemble.score(&normal(20_000, 2)).unwrap();
    let forest = &scores.members[1];
    for tails in [&scores.tail, &forest.tail] {
        for share in [0.8, 0.5, 0.2, 0.05] {
            let seen = tails.iter().filter(|tail| **tail <= share).count() as f64 / 20_000.0;
            assert!((seen - share).abs() < 0.02, "{seen} of the rows have tails up to {share}");
        }
    }
}

#[test]
fn a_planted_value_is_flagged_and_the_explanation_names_its_column() {
    let ensemble = ensemble(&normal(10_000, 1), ALERT_RATE, 1);
    for (column, name, value) in [(0, "a", 9.0), (1, "b", -90.0), (2, "c", 8.0), (4, "skewed", 25.0)] {
        let row = planted(column, value);
        let scores = ensemble.score(&Matrix::from_rows(&[row]).unwrap()).unwrap();
        assert!(scores.flagged[0] && scores.score[0] >= ensemble.threshold(), "{name}: {scores:?}");
        let contributions = ensemble.explain(&row).unwrap();
        assert_eq!((contributions[0].input.as_str(), contributions[0].actual), (name, Some(f64::from(value))));
        assert!(contributions[0].share > 0.4, "{contributions:?}");
        assert!(contributions.len() <= CONTRIBUTIONS_MAX);
        assert!(contributions.is_sorted_by(|a, b| a.share >= b.share));
        let expected = if name == "skewed" { std::f64::consts::LN_2 } else { 0.0 };
        assert!((contributions[0].expected - expected).abs() < 0.5, "{contributions:?}");
    }
}

#[test]
fn planted_rows_rank_above_normal_ones_for_every_method() {
    let rows = normal(2000, 5);
    let strange = |n: usize| [4.0, 40.0, -4.0, -4.0, 0.1, 0.0].map(|value: f32| value * (1.0 + n as f32 / 40.0));
    let anomalies = Matrix::from_rows(&(0..40).map(strange).collect::<Vec<_>>()).unwrap();
    for method in learning_here() {
        let ensemble =
            Ensemble::fit(columns(), &TrainingSet::unlabelled(&rows), &[member("only", method.clone())], ALERT_RATE, 1)
                .unwrap();
        let (usual, strange) = (ensemble.score(&normal(2000, 6)).unwrap(), ensemble.score(&anomalies).unwrap());
        let pairs = strange.tail.iter().flat_map(|a| usual.tail.iter().map(move |b| a < b));
        let above = pairs.filter(|above| *above).count() as f64 / (2000.0 * 40.0);
        assert!(above > 0.98, "{}: AUROC {above}", method.name());
        assert_eq!(usual.vote.is_some(), method.takes_rules(), "{}", method.name());
    }
}

#[test]
fn a_row_scores_the_same_bits_in_any_batch() {
    let ensemble = ensemble(&normal(3000, 1), ALERT_RATE, 1);
    let rows = normal(301, 2);
    let together = ensemble.score(&rows).unwrap();
    for size in [1, 3, 8, 64, 65, 300] {
        for start in (0..rows.rows()).step_by(size) {
            let places: Vec<usize> = (start..(start + size).min(rows.rows())).collect();
            let part = ensemble.score(&rows.take(&places)).unwrap();
            assert_eq!(part.tail[..], together.tail[places[0]..][..places.len()]);
            for (part, whole) in part.members.iter().zip(&together.members) {
                assert_eq!(part.raw[..], whole.raw[places[0]..][..places.len()]);
            }
        }
    }
}

#[test]
fn the_seed_decides_everything() {
    let rows = normal(1000, 1);
    assert_eq!(ensemble(&rows, ALERT_RATE, 7), ensemble(&rows, ALERT_RATE, 7));
    assert_ne!(ensemble(&rows, ALERT_RATE, 7), ensemble(&rows, ALERT_RATE, 8));
}

#[test]
fn members_read_only_the_inputs_named() {
    let named = |names: &[&str]| Inputs::Named(names.iter().map(|name| (*name).to_owned()).collect());
    let members = [
        MemberSpec { name: "left".into(), method: Method::RobustZscore, inputs: named(&["a", "c"]), rules: vec![] },
        MemberSpec { name: "right".into(), method: Method::FOREST, inputs: named(&["b"]), rules: vec![] },
    ];
    let ensemble =
        Ensemble::fit(columns(), &TrainingSet::unlabelled(&normal(5000, 1)), &members, ALERT_RATE, 1).unwrap();
    let [plain, moved] = [0.0, 60.0].map(|b| ensemble.score(&Matrix::from_rows(&[planted(1, b)]).unwrap()).unwrap());
    assert_eq!(plain.members[0], moved.members[0]);
    assert!(moved.members[1].raw[0] > plain.members[1].raw[0]);
    assert_eq!(ensemble.explain(&planted(1, 60.0)).unwrap()[0].input, "b");
    let told = ensemble.detector_scores(&moved, 0);
    assert_eq!(told.iter().map(|score| score.detector.as_str()).collect::<Vec<_>>(), ["left", "right", "column_vote"]);
}

#[test]
fn settings_that_make_no_ensemble_are_refused() {
    let rows = normal(300, 1);
    let spike = || member("spike", Method::RobustZscore);
    let unknown = MemberSpec { inputs: Inputs::Named(vec!["nowhere".into()]), ..spike() };
    let trees = member("forest", Method::IsolationForest(IsolationForestOptions { trees: 0, samples: 256 }));
    let samples = member("forest", Method::IsolationForest(IsolationForestOptions { trees: 1, samples: 1000 }));
    let cases = [
        (vec![], 0.01, "at least one"),
        (vec![spike(), spike()], 0.01, "called `spike`"),
        (vec![spike()], 0.0, "alert_rate"),
        (vec![spike()], f64::NAN, "alert_rate"),
        (vec![unknown], 0.01, "`nowhere`"),
        (vec![trees], 0.01, "`trees` of isolation_forest is 0"),
        (vec![samples], 0.01, "`samples` of isolation_forest is 1000"),
        (vec![ruled(Method::FOREST, "a", Direction::Up)], 0.01, "use robust_zscore or iqr_fence"),
        (vec![ruled(Method::IqrFence, "nowhere", Direction::Up)], 0.01, "rule for `nowhere`"),
    ];
    for (members, rate, text) in cases {
        let error = Ensemble::fit(columns(), &TrainingSet::unlabelled(&rows), &members, rate, 1).unwrap_err();
        assert!(matches!(error, DetectError::Setting(_)) && error.to_string().contains(text), "{error}");
    }
    let few = Ensemble::fit(columns(), &TrainingSet::unlabelled(&normal(9, 1)), &[spike()], 0.01, 1);
    assert!(matches!(few, Err(DetectError::TooFewRows { needed: 10, found: 9, .. })));
    let narrow = Matrix::from_rows(&[[1.0], [2.0]]).unwrap();
    let refused = ensemble(&rows, 0.01, 1).score(&narrow);
    assert!(matches!(refused, Err(DetectError::WidthMismatch { expected: WIDTH, found: 1, .. })));
}

#[test]
fn few_or_constant_rows_still_make_an_ensemble() {
    let constant = Matrix::from_rows(&[[1.0; WIDTH]; 50]).unwrap();
    let ensemble = ensemble(&constant, ALERT_RATE, 1);
    let both = Matrix::from_rows(&[[1.0; WIDTH], [1.0, 1.0, 1.0, 1.0, 1.0, 5.0], [f32::NAN; WIDTH]]).unwrap();
    let scores = ensemble.score(&both).unwrap();
    assert_eq!(scores.flagged, [false, true, false], "{scores:?}");
    assert_eq!(ensemble.explain(both.row(1)).unwrap()[0].input, "flag");
    assert_eq!(ensemble.explain(both.row(0)).unwrap(), []);
}

/// A member that counts one column on one side only.
fn ruled(method: Method, column: &str, direction: Direction) -> MemberSpec {
    let rule = InputRule { column: column.to_owned(), direction, minimum_effect: MinimumEffect::None };
    MemberSpec { rules: vec![rule], ..member("ruled", method) }
}

#[test]
fn a_direction_holds_for_its_column_only() {
    for method in [Method::RobustZscore, Method::IqrFence] {
        let members = [ruled(method, "a", Direction::Up)];
        let ensemble =
            Ensemble::fit(columns(), &TrainingSet::unlabelled(&normal(3000, 1)), &members, ALERT_RATE, 1).unwrap();
        let rows = [planted(0, -20.0), planted(0, 20.0), planted(2, -20.0)];
        let scores = ensemble.score(&Matrix::from_rows(&rows).unwrap()).unwrap();
        assert_eq!(scores.flagged, [false, true, true], "{scores:?}");
    }
}

#[test]
fn rows_labelled_as_anomalies_teach_unsupervised_members_nothing() {
    let usual = normal(2000, 1);
    let mut values = usual.values().to_vec();
    (0..200).for_each(|_| values.extend(planted(2, 30.0)));
    let soiled = Matrix::from_values(WIDTH, values).unwrap();
    let labels: Vec<Label> = (0..2200).map(|row| if row < 2000 { Label::Unknown } else { Label::Anomaly }).collect();
    let members = [member("fence", Method::IqrFence), member("forest", Method::FOREST)];
    let fit = |set: TrainingSet| Ensemble::fit(columns(), &set, &members, ALERT_RATE, 1).unwrap();
    let labelled = fit(TrainingSet { rows: &soiled, labels: &labels, outside: &Nothing, threads: 1 });
    let clean = fit(TrainingSet::unlabelled(&usual));
    let rows = normal(100, 2);
    assert_eq!(labelled.score(&rows).unwrap(), clean.score(&rows).unwrap());
    let few = TrainingSet { labels: &labels[..3], rows: &soiled, outside: &Nothing, threads: 1 };
    let refused = Ensemble::fit(columns(), &few, &members, ALERT_RATE, 1).unwrap_err().to_string();
    assert!(refused.contains("3 labels for 2200 rows"), "{refused}");
}

#[test]
fn far_rows_stay_ranked_however_far() {
    let ensemble = ensemble(&normal(2000, 1), ALERT_RATE, 1);
    let rows = [10.0, 1e2, 1e4, 1e8, 1e16, 1e32].map(|value| planted(2, value));
    let scores = ensemble.score(&Matrix::from_rows(&rows).unwrap()).unwrap();
    assert!(scores.tail.is_sorted_by(|a, b| a > b), "{:?}", scores.tail);
}

#[test]
fn columns_without_information_break_no_method() {
    let usual = normal(500, 1);
    let widened = |row: &[f32]| [row[0], row[1], f32::NAN, 7.0, row[4], if row[0] > 0.0 { 1e30 } else { -1e30 }];
    let rows = Matrix::from_rows(&usual.iter().map(widened).collect::<Vec<_>>()).unwrap();
    let asked = [[f32::NAN; WIDTH], [0.0, 0.0, 5.0, 8.0, 0.0, 0.0], [f32::MAX; WIDTH], [f32::INFINITY; WIDTH]];
    let asked = Matrix::from_rows(&asked).unwrap();
    for method in learning_here() {
        let members = [member("only", method)];
        let ensemble = Ensemble::fit(columns(), &TrainingSet::unlabelled(&rows), &members, ALERT_RATE, 1).unwrap();
        let scores = ensemble.score(&asked).unwrap();
        assert!(scores.tail.iter().all(|tail| *tail > 0.0 && *tail <= 1.0), "{members:?}: {scores:?}");
        for row in asked.iter() {
            let shares: f64 = ensemble.explain(row).unwrap().iter().map(|part| part.share).sum();
            assert!((0.0..=1.0 + 1e-9).contains(&shares), "{members:?}: {shares}");
        }
    }
}

#[test]
fn the_default_ensemble_flags_one_odd_column_and_many_slightly_odd_ones() {
    let members: Vec<MemberSpec> =
        Method::default_ensemble().into_iter().map(|method| member(method.name(), method)).collect();
    let ensemble =
        Ensemble::fit(columns(), &TrainingSet::unlabelled(&normal(5000, 1)), &members, ALERT_RATE, 1).unwrap();
    let rows = [planted(2, 12.0), [2.8, 28.0, -2.8, 2.8, 3.0, 0.0], planted(2, 0.3)];
    let scores = ensemble.score(&Matrix::from_rows(&rows).unwrap()).unwrap();
    assert_eq!(scores.flagged, [true, true, false], "{scores:?}");
    assert!(scores.tail[1] < scores.tail[2]);
    let explained = ensemble.explain(&rows[0]).unwrap();
    assert_eq!((explained[0].input.as_str(), explained[0].share > 0.6), ("c", true), "{explained:?}");
}
