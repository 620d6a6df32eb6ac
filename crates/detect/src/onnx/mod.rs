//! Models trained elsewhere, as ONNX files.
//!
//! ```text
//! bytes ─▶ wire: bounded ─▶ graph: in order ─┬▶ trees: probes, `≤` splits, sums, formula ─▶ the one tree scorer
//!                                            └▶ anything else: run by tract (feature `onnx-graphs`)
//! ```
//!
//! Tree ensembles, with what scikit-learn's, LightGBM's and XGBoost's converters put around them, become trees like our
//! own: as fast, and explained along their paths. Any other graph is run as it is, row by row.

/// The file format.
mod proto;
/// Bounds before anything is unpacked.
mod wire;
/// Constants.
mod tensor;
/// A graph known to be in order.
mod graph;
/// Tree ensembles as the operators store them.
mod ensemble;
/// What trees compare.
mod probe;
/// How a score follows from sums over trees.
mod formula;
/// From ensembles to what is scored.
mod plan;
/// What a name in a graph with trees stands for.
mod value;
/// The graph around the trees.
mod operators;
/// Detector: trees of an ONNX model.
mod trees;
/// What the values of a graph without trees measure.
mod shapes;
/// Detector: a graph without trees.
mod network;
/// The library that runs such graphs.
mod runner;
/// Trees of ours as ONNX files.
mod write;

use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::options::{Options, Slot};
use crate::training::TrainingSet;
use crate::tree_scorer::WIDTH_MAX;
use graph::Graph;
use network::OnnxNetwork;
use operators::TREE_OPERATORS;
use trees::OnnxTrees;

pub use wire::FILE_BYTES_MAX;
pub use write::{INPUT, OUTPUT, trees_to_onnx};

/// Which model is used, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OnnxOptions {
    /// Path of the model file, as [`crate::training::Outside::file`] reads it.
    pub file: String,
    /// Name of the output that holds the score; empty for the only one that may. Of several columns, the last is taken:
    /// the probability of the last class.
    pub output: String,
    /// Whether lower values are stranger, as of scikit-learn's `IsolationForest`.
    pub negate: bool,
}

impl Options for OnnxOptions {
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        vec![
            ("file", Slot::Text(&mut self.file)),
            ("output", Slot::Text(&mut self.output)),
            ("negate", Slot::Flag(&mut self.negate)),
        ]
    }
}

/// A model trained elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum OnnxModel {
    Trees(OnnxTrees),
    Network(OnnxNetwork),
}

impl OnnxModel {
    /// Reads the model file for rows as wide as those of `set`, from which only what explanations need is learnt.
    /// Errors: `Setting` if the file cannot be read or used, `TooFewRows` without rows.
    pub(crate) fn fit(options: &OnnxOptions, set: &TrainingSet<'_>) -> Result<Self, DetectError> {
        if options.file.is_empty() {
            return Err(DetectError::Setting("read ONNX model: `file` does not say which file".to_owned()));
        }
        if set.rows.is_empty() {
            return Err(DetectError::TooFewRows { act: "fit ONNX model", needed: 1, found: 0 });
        }
        let bytes = set.outside.file(&options.file)?;
        let refuse = |text: String| DetectError::Setting(format!("read ONNX model {}: {text}", options.file));
        let model = Self::read(&bytes, options, set.rows).map_err(refuse)?;
        let scores = model.score(set.rows)?;
        match scores.iter().any(|score| score.is_finite()) {
            true => Ok(model),
            false => Err(refuse("it gives no finite score for any row it is tried on".to_owned())),
        }
    }

    fn read(bytes: &[u8], options: &OnnxOptions, rows: &Matrix) -> Result<Self, String> {
        let width = rows.width();
        if width > WIDTH_MAX {
            return Err(format!("rows have {width} columns, up to {WIDTH_MAX} are possible; name fewer as `inputs`"));
        }
        let graph = Graph::read(bytes)?;
        let output = graph.output(&options.output)?;
        let is_tree = |index: usize| TREE_OPERATORS.contains(&graph.nodes[index].op_type.as_str());
        if !graph.needed(output).into_iter().any(is_tree) {
            return OnnxNetwork::new(&graph, output, rows, options.negate).map(Self::Network);
        }
        let mut trees = operators::compile(&graph, output, width, options.negate)?;
        trees.expect(rows);
        Ok(Self::Trees(trees))
    }

    /// Number of columns of a row.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Trees(trees) => trees.width(),
            Self::Network(network) => network.width(),
        }
    }

    /// Refuses a model that could not be applied; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::Trees(trees) => trees.check(),
            Self::Network(network) => network.check(),
        }
    }

    /// Raw scores, larger is stranger. Shape: `rows` is n × d, the result has n values.
    /// Errors: `WidthMismatch`, `Setting` if a graph cannot be run.
    pub(crate) fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        match self {
            Self::Trees(trees) => trees.score(rows),
            Self::Network(network) => network.score(rows),
        }
    }

    /// Adds to each column what it did to the score: along the paths of trees, by taking it away from other graphs.
    pub(crate) fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        match self {
            Self::Trees(trees) => trees.attribute(row, credit),
            Self::Network(network) => network.attribute(row, credit),
        }
    }
}
