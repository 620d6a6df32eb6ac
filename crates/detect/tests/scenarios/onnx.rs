//! Models trained elsewhere give the scores that they give elsewhere. The files are made by `tests/onnx/make.py`, the
//! expected scores by onnxruntime.

use std::path::PathBuf;

use lapwing_detect::onnx::trees_to_onnx;
use lapwing_detect::training::Outside;
use lapwing_detect::tree_scorer::TreeNode;
use lapwing_detect::{DetectError, Ensemble, Matrix, Method, ModelColumns, OnnxOptions, TrainingSet, TreeScorer};
use proptest::prelude::*;

use crate::world::member;

/// Sums of single-precision leaves differ by the order in which they are added, and by the precision they are added in.
const TOLERANCE: f64 = 2e-5;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/onnx")
}

/// Reads files of the folder of models.
#[derive(Debug)]
struct Models;

impl Outside for Models {
    fn file(&self, path: &str) -> Result<Vec<u8>, DetectError> {
        std::fs::read(folder().join(path)).map_err(|error| DetectError::Setting(format!("read {path}: {error}")))
    }
}

/// Gives these bytes whatever is asked for.
#[derive(Debug)]
struct Given(Vec<u8>);

impl Outside for Given {
    fn file(&self, _path: &str) -> Result<Vec<u8>, DetectError> {
        Ok(self.0.clone())
    }
}

fn rows() -> Matrix {
    let text = std::fs::read_to_string(folder().join("rows.txt")).unwrap();
    let row = |line: &str| line.split(' ').map(|value| value.parse::<f32>().unwrap()).collect::<Vec<f32>>();
    Matrix::from_rows(&text.lines().map(row).collect::<Vec<_>>()).unwrap()
}

fn fit(outside: &dyn Outside, options: OnnxOptions) -> Result<Ensemble, DetectError> {
    let rows = rows();
    let columns = ModelColumns::numeric(&["a", "b", "c", "d"]).unwrap();
    let set = TrainingSet { outside, ..TrainingSet::unlabelled(&rows) };
    Ensemble::fit(columns, &set, &[member("given", Method::Onnx(options))], 0.1, 1)
}

fn options(name: &str) -> OnnxOptions {
    let negate = name == "sk_isolation";
    OnnxOptions { file: format!("{name}.onnx"), output: String::new(), negate }
}

fn raw(ensemble: &Ensemble, rows: &Matrix) -> Vec<f64> {
    ensemble.score(rows).unwrap().members.swap_remove(0).raw
}

/// Names of the models, with what onnxruntime says of the rows.
fn expected() -> Vec<(String, Vec<f64>)> {
    let text = std::fs::read_to_string(folder().join("expected.txt")).unwrap();
    let line = |line: &str| {
        let (name, scores) = line.split_once(' ').unwrap();
        (name.to_owned(), scores.split(' ').map(|score| score.parse().unwrap()).collect())
    };
    text.lines().map(line).collect()
}

const NETWORKS: [&str; 4] = ["sk_network", "sk_scaled_network", "sk_logistic", "made_autoencoder"];

/// Fits each of these models and compares; gives how many there were.
fn compare(chosen: impl Fn(&str) -> bool) -> usize {
    let rows = rows();
    let mut tried = 0;
    for (name, expected) in expected().into_iter().filter(|(name, _)| chosen(name)) {
        let ensemble = fit(&Models, options(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let read = Ensemble::from_bytes(&ensemble.to_bytes().unwrap()).unwrap();
        let scores = raw(&read, &rows);
        assert_eq!(scores.len(), expected.len());
        for (row, (score, expected)) in scores.iter().zip(&expected).enumerate() {
            let close = (score - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
            assert!(close, "{name}, row {row}: {score}, onnxruntime says {expected}");
        }
        tried += 1;
    }
    tried
}

#[test]
fn trees_score_as_in_onnxruntime() {
    assert_eq!(compare(|name| !NETWORKS.contains(&name)), 37);
}

#[cfg(feature = "onnx-graphs")]
#[test]
fn graphs_without_trees_score_as_in_onnxruntime() {
    assert_eq!(compare(|name| NETWORKS.contains(&name)), NETWORKS.len());
}

#[cfg(feature = "onnx-graphs")]
#[test]
fn what_a_graph_makes_of_a_row_is_explained_by_the_columns_that_make_it_strange() {
    let ensemble = fit(&Models, options("made_autoencoder")).unwrap();
    let contributions = ensemble.explain(&[0.0, 0.0, 0.0, 40.0]).unwrap();
    assert_eq!(contributions[0].input, "d", "{contributions:?}");
}

#[cfg(not(feature = "onnx-graphs"))]
#[test]
fn a_graph_without_trees_needs_the_feature() {
    for name in NETWORKS {
        let text = refusal(&Models, options(name));
        assert!(text.contains("feature `onnx-graphs`"), "{name}: {text}");
    }
}

/// Files that must be refused, and what the message says.
const REFUSED: [(&str, &str); 33] = [
    ("two_bases", "two base values"),
    ("circle", "circles"),
    ("no_root", "no root"),
    ("no_child", "node 7"),
    ("negative_child", "holds -1"),
    ("no_column", "column 9, it is given 4"),
    ("no_number", "threshold is not a number"),
    ("no_weight", "adds inf"),
    ("no_output", "output 5"),
    ("uneven", "`nodes_values` has 1 values where 3"),
    ("twice", "node 1 of tree 0 is there twice"),
    ("many_outputs", "1 to 1024 are possible"),
    ("two_columns", "2 columns, and nothing says"),
    ("minimum", "`aggregate_function` is MIN; supported are SUM and AVERAGE"),
    ("probit", "PROBIT"),
    ("odd_mode", "BRANCH_NEAR"),
    ("membership", "all but membership"),
    ("place_circle", "node 0 is reached twice"),
    ("place_beyond", "leaf 9"),
    ("giant", "its shape [1099511627776, 1048576]"),
    ("elsewhere", "another file"),
    ("loop", "node `round` (Loop) holds a graph of its own"),
    ("out_of_order", "node `early` (Neg) reads `sum`"),
    ("in_a_circle", "node `first` (Add) reads `b`"),
    ("whole_numbers", "does not take float"),
    ("five_columns", "the model reads 5 columns, the detector is given 4"),
    ("two_scores", "`output` must say which"),
    ("sorted", "node `after` (TopK): this operator is not supported"),
    ("picks_rows", "not rows"),
    ("joins_rows", "one row is supported"),
    ("network_constant_of_shape", "node `big` (ConstantOfShape): this operator is not supported"),
    ("network_expand", "node `big` (Expand): this operator is not supported"),
    ("network_tile", "node `big` (Tile): this operator is not supported"),
];

fn refusal(outside: &dyn Outside, options: OnnxOptions) -> String {
    match fit(outside, options) {
        Err(DetectError::Setting(text)) => text,
        other => panic!("{:?}", other.map(|_| "was accepted")),
    }
}

#[test]
fn what_is_broken_or_not_supported_is_refused_with_its_place() {
    for (name, text) in REFUSED {
        let file = format!("refused/{name}.onnx");
        let found = refusal(&Models, OnnxOptions { file: file.clone(), ..OnnxOptions::default() });
        assert!(found.contains(text) && found.contains(&file), "{name}: {found}");
    }
}

#[test]
fn an_output_is_chosen_by_name_and_a_score_can_be_turned_round() {
    let rows = rows();
    let file = "sk_isolation.onnx".to_owned();
    let fitted = |output: &str, negate| {
        let options = OnnxOptions { file: file.clone(), output: output.to_owned(), negate };
        raw(&fit(&Models, options).unwrap(), &rows)
    };
    let turned: Vec<f64> = fitted("scores", false).into_iter().map(|score| -score).collect();
    assert_eq!(turned, fitted("", true));
    let text = refusal(&Models, OnnxOptions { file: file.clone(), output: "score".to_owned(), negate: false });
    assert!(text.contains("no output `score`; it has `label`, `scores`"), "{text}");
    let text = refusal(&Models, OnnxOptions { file, output: "label".to_owned(), negate: false });
    assert!(text.contains("supported") || text.contains("labels"), "{text}");
    assert!(refusal(&Models, OnnxOptions::default()).contains("does not say which file"));
}

#[test]
fn a_model_cut_anywhere_is_refused_or_has_lost_nothing_that_matters() {
    let (bytes, rows) = (std::fs::read(folder().join("made_eq.onnx")).unwrap(), rows());
    let given = |length: usize| fit(&Given(bytes[..length].to_vec()), options("cut"));
    let whole = raw(&given(bytes.len()).unwrap(), &rows);
    let mut accepted = 0;
    for length in 0..bytes.len() {
        match given(length) {
            Err(error) => assert!(matches!(error, DetectError::Setting(_)), "{length}: {error}"),
            Ok(ensemble) => {
                accepted += 1;
                assert_eq!(raw(&ensemble, &rows), whole, "{length}");
            }
        }
    }
    // The last field of the file is one of two lists of operators.
    assert!(accepted <= 1, "{accepted}");
}

#[test]
fn a_row_of_an_onnx_model_scores_the_same_bits_in_any_batch() {
    let rows = rows();
    for name in ["lgb_missing", "sk_isolation", "sk_forest_three"] {
        let ensemble = fit(&Models, options(name)).unwrap();
        let together = raw(&ensemble, &rows);
        for size in [1, 7, 59] {
            let places: Vec<usize> = (0..size).collect();
            assert_eq!(raw(&ensemble, &rows.take(&places)), together[..size]);
        }
    }
}

/// Two trees with splits that say nothing, an extreme threshold, and a leaf at the root.
fn scorer() -> TreeScorer {
    let split = |feature, threshold, left, right| TreeNode::Split { feature, threshold, left, right };
    let leaf = TreeNode::Leaf;
    let first = vec![
        split(0, 0.25, 1, 4),
        split(3, -0.0, 2, 3),
        leaf(-1.5),
        leaf(0.1),
        split(1, f32::MIN, 5, 6),
        leaf(3.0),
        split(2, 1.0, 7, 8),
        leaf(2.5),
        leaf(2.5),
    ];
    let second = vec![split(2, -0.7, 1, 2), leaf(0.3), leaf(1.0e-3)];
    TreeScorer::new(&[first, second, vec![leaf(7.0)]], 3, vec![0.5, -1.0, 2.0, 0.0]).unwrap()
}

/// Run once with `LAPWING_GOLDEN_WRITE=1` if the layout of written files changes, and `make.py` after it.
#[test]
fn trees_written_as_onnx_are_read_back_the_same() {
    let (scorer, rows) = (scorer(), rows());
    let (bytes, sums) = (trees_to_onnx(&scorer), scorer.sum(&rows).unwrap());
    let (model, text) = (folder().join("written.onnx"), folder().join("written.txt"));
    let lines: String = sums.iter().map(|sum| format!("{sum:?}\n")).collect();
    if std::env::var_os("LAPWING_GOLDEN_WRITE").is_some() {
        std::fs::write(&model, &bytes).unwrap();
        std::fs::write(&text, &lines).unwrap();
    }
    assert!(bytes == std::fs::read(&model).unwrap() && lines == std::fs::read_to_string(&text).unwrap());
    let ensemble = fit(&Given(bytes), options("written")).unwrap();
    assert_eq!(raw(&ensemble, &rows), sums);
}

#[test]
fn the_column_that_trees_split_on_explains_them() {
    // The label follows from column `a`, and from the product of `b` and `c`; `d` is noise.
    for name in ["sk_boosting", "lgb_missing", "xgb_missing"] {
        let ensemble = fit(&Models, options(name)).unwrap();
        let contributions = ensemble.explain(&[3.0, 0.0, 0.0, 0.0]).unwrap();
        assert_eq!(contributions[0].input, "a", "{name}: {contributions:?}");
    }
}

/// Whatever the bytes are: a refusal, or a model that scores and explains.
fn survive(bytes: Vec<u8>) {
    match fit(&Given(bytes), options("odd")) {
        Err(error) => assert!(matches!(error, DetectError::Setting(_)), "{error}"),
        Ok(ensemble) => {
            let rows = rows();
            assert_eq!(raw(&ensemble, &rows).len(), rows.rows());
            ensemble.explain(rows.row(0)).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn noise_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        survive(bytes);
    }

    #[test]
    fn a_damaged_model_is_refused_or_scores(
        model in proptest::sample::select(vec!["made_all_modes", "made_by_place", "sk_isolation", "lgb_three"]),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = std::fs::read(folder().join(format!("{model}.onnx"))).unwrap();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        survive(bytes);
    }
}

#[cfg(feature = "onnx-graphs")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_graph_is_refused_or_scores(
        model in proptest::sample::select(NETWORKS.to_vec()),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = std::fs::read(folder().join(format!("{model}.onnx"))).unwrap();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        survive(bytes);
    }
}
