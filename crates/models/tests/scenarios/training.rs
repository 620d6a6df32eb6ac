use lapwing_detect::ensemble::VOTE;
use lapwing_models::{Dataset, ModelError, fit};
use lapwing_pipeline::score::{Model, score};
use lapwing_vocabulary::time::SECOND;

use crate::setup::{MEANS, START, fitted, gathered, plan, records};

#[test]
fn the_same_history_gives_the_same_artefact_whatever_the_batches_and_the_order_of_partitions() {
    let plan = plan();
    let history = [records(0, 700), records(1, 500)];
    let whole = fitted(&plan, &history, 10_000);
    assert_eq!((whole.rows, whole.ensemble.trained_rows()), (300, 300));
    let bytes = whole.ensemble.to_bytes().unwrap();
    for size in [1, 7, 256] {
        assert!(fitted(&plan, &history, size).ensemble.to_bytes().unwrap() == bytes, "batches of {size}");
    }
    let [first, second] = history;
    assert!(
        fitted(&plan, &[second, first], 64).ensemble.to_bytes().unwrap() == bytes,
        "partitions the other way round"
    );
}

#[test]
fn another_history_gives_another_artefact() {
    let plan = plan();
    let one = fitted(&plan, &[records(0, 700)], 100).ensemble.to_bytes().unwrap();
    let other = fitted(&plan, &[records(1, 700)], 100).ensemble.to_bytes().unwrap();
    assert!(one != other);
}

#[test]
fn a_dataset_knows_how_much_it_was_offered() {
    let plan = plan();
    let dataset = gathered(&plan, &[records(0, 700), records(1, 500)], 50);
    assert_eq!((dataset.seen(), dataset.span_micros()), (1200, Some((START, START + 699 * SECOND))));
    assert_eq!(dataset.finish().unwrap().num_rows(), 300);
}

#[test]
fn a_fitted_model_scores_the_rows_it_was_fitted_to() {
    let plan = plan();
    let rows = gathered(&plan, &[records(0, 700)], 50).finish().unwrap();
    let ensemble = fit(&plan, &rows, MEANS).unwrap().ensemble;
    assert_eq!(ensemble.member_names(), ["spike", "forest"]);
    assert_eq!((ensemble.alert_rate(), ensemble.seed()), (0.02, 5));
    let columns = ensemble.columns().names();
    for name in ["bytes", "doubled", "events_1m", "bytes_vs_usual", "service=dns"] {
        assert!(columns.iter().any(|column| column == name), "{name} in {columns:?}");
    }
    let model = Model { name: "small".into(), version: 1, ensemble };
    let scored = score(&model, &rows).unwrap();
    let flagged = scored.scores.flagged.iter().filter(|flagged| **flagged).count();
    assert!(flagged <= 18, "a share of 0.02 of 300 rows was allowed, thrice that is too many: {flagged}");
    assert_eq!(model.ensemble.detector_scores(&scored.scores, 0).last().unwrap().detector, VOTE);
}

#[test]
fn nothing_to_learn_from_is_said_with_its_remedy() {
    let error = Dataset::new(10, 1).finish().unwrap_err();
    assert!(matches!(error, ModelError::NoRows(_)), "{error}");
    assert!(error.to_string().contains("hint: "), "{error}");
    let plan = plan();
    let few = gathered(&plan, &[records(0, 3)], 10).finish().unwrap();
    let error = fit(&plan, &few, MEANS).unwrap_err();
    assert!(matches!(error, ModelError::Fit(_)), "{error}");
    assert_eq!(error.to_string(), "train: fit ensemble: 3 rows, at least 10 are needed");
}
