//! Calibration by segment, from a batch with a categorical column to flags.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray};
use lapwing_detect::{Encoding, Ensemble, EnsembleSpec, InputSpec, Matrix, Method, ModelColumns, TrainingSet};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::world::member;

/// Two kinds of machine: servers are ten times as busy as laptops.
fn machines(count: usize, seed: u64) -> RecordBatch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let kinds: Vec<&str> = (0..count).map(|row| if row % 2 == 0 { "laptop" } else { "server" }).collect();
    let busy = kinds.iter().map(|kind| {
        let bell = (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
        if *kind == "server" { 100.0 + 30.0 * bell } else { 10.0 + bell }
    });
    let busy: ArrayRef = Arc::new(Float32Array::from_iter_values(busy));
    RecordBatch::try_from_iter([("busy", busy), ("kind", Arc::new(StringArray::from(kinds)) as ArrayRef)]).unwrap()
}

fn fit(segment: Option<&str>, batch: &RecordBatch) -> Result<Ensemble, lapwing_detect::DetectError> {
    let input = |column: &str, encoding| InputSpec { column: column.to_owned(), encoding };
    let inputs = [input("busy", Encoding::Numeric), input("kind", Encoding::OneHot)];
    let columns = ModelColumns::fit(&inputs, std::slice::from_ref(batch))?;
    let rows = columns.encode(batch)?;
    let members = [member("spike", Method::RobustZscore), member("forest", Method::FOREST)];
    let spec = EnsembleSpec { members: &members, alert_rate: 0.02, segment, seed: 1 };
    Ensemble::fit_by(columns, &TrainingSet::unlabelled(&rows), &spec)
}

/// Share of the rows of each kind that are flagged.
fn flagged(ensemble: &Ensemble, batch: &RecordBatch) -> [f64; 2] {
    let rows: Matrix = ensemble.columns().encode(batch).unwrap();
    let flags = ensemble.score(&rows).unwrap().flagged;
    [0, 1].map(|kind| {
        let own: Vec<&bool> = flags.iter().skip(kind).step_by(2).collect();
        own.iter().filter(|flag| ***flag).count() as f64 / own.len() as f64
    })
}

#[test]
fn each_segment_gets_its_share_of_alerts() {
    let (history, live) = (machines(8000, 1), machines(8000, 2));
    let [laptops, servers] = flagged(&fit(None, &history).unwrap(), &live);
    assert!(servers > 3.0 * laptops, "all together: {laptops} and {servers}");
    let ensemble = fit(Some("kind"), &history).unwrap();
    for share in flagged(&ensemble, &live) {
        // Sampling error of 4,000 rows scored and 2,000 calibrated on, four deviations wide.
        assert!((share - 0.02).abs() < 4.0 * (0.02_f64 * (1.0 / 4000.0 + 1.0 / 2000.0)).sqrt(), "{share}");
    }
    let read = Ensemble::from_bytes(&ensemble.to_bytes().unwrap()).unwrap();
    assert_eq!(read, ensemble);
}

#[test]
fn only_categories_with_columns_of_their_own_are_segments() {
    let history = machines(500, 1);
    for (name, text) in [("busy", "encode it as one_hot"), ("site", "it has `busy`, `kind`")] {
        let refused = fit(Some(name), &history).unwrap_err().to_string();
        assert!(refused.contains(text), "{refused}");
    }
}

#[test]
fn a_category_never_seen_is_evidence_with_either_encoding() {
    let history = machines(4000, 1);
    for encoding in [Encoding::OneHot, Encoding::Frequency] {
        let input = InputSpec { column: "kind".to_owned(), encoding };
        let columns = ModelColumns::fit(&[input], std::slice::from_ref(&history)).unwrap();
        let rows = columns.encode(&history).unwrap();
        let members = [member("spike", Method::RobustZscore), member("fence", Method::IqrFence)];
        let ensemble = Ensemble::fit(columns, &TrainingSet::unlabelled(&rows), &members, 0.01, 1).unwrap();
        let kinds: ArrayRef = Arc::new(StringArray::from(vec![Some("laptop"), Some("toaster"), None]));
        let live = RecordBatch::try_from_iter([("kind", kinds)]).unwrap();
        let scores = ensemble.score(&ensemble.columns().encode(&live).unwrap()).unwrap();
        assert_eq!(scores.flagged, [false, true, false], "{encoding:?}: {scores:?}");
    }
}
