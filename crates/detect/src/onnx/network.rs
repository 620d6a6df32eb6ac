use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use prost::Message;
use serde::{Deserialize, Serialize};

use super::graph::{Graph, floats};
use super::proto::{
    FLOAT, GraphProto, IR_VERSION, ModelProto, NodeProto, TensorProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use super::runner::Runner;
use super::shapes::measure;
use super::wire::FILE_BYTES_MAX;
use crate::error::DetectError;
use crate::matrix::Matrix;
use crate::quantiles::medians;

/// A graph of an ONNX model that is run as it is, one row at a time: so no row can touch another's score.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OnnxNetwork {
    /// What of the model makes the score, as a model of its own: one input, one output, nothing that was not checked.
    model: Vec<u8>,
    /// What stands in for a missing value of each column: its training median.
    fill: Vec<f32>,
    /// Whether lower values of the model are stranger.
    negate: bool,
    /// Made from `model` when it is first needed.
    #[serde(skip)]
    runner: OnceLock<Arc<Runner>>,
}

impl PartialEq for OnnxNetwork {
    fn eq(&self, other: &Self) -> bool {
        (&self.model, &self.fill, self.negate) == (&other.model, &other.fill, other.negate)
    }
}

impl OnnxNetwork {
    /// Takes out of a graph what makes `output`, and prepares to run it. The text says what is wrong.
    pub(super) fn new(graph: &Graph, output: &str, rows: &Matrix, negate: bool) -> Result<Self, String> {
        let (input, width) = (&graph.inputs[0], rows.width());
        if graph.inputs.len() > 1 || input.double {
            return Err("graphs without trees must have one input, of floats".to_owned());
        }
        if input.columns.is_some_and(|columns| columns != width) {
            let columns = input.columns.unwrap_or_default();
            return Err(format!("the model reads {columns} columns, the detector is given {width}"));
        }
        let output = graph.scores_behind(output);
        let shape = measure(graph, output, width)?;
        let is_classifier = graph.outputs.iter().any(|output| !output.scores);
        let columns: usize = shape.iter().product();
        if columns != 1 && !(is_classifier && shape == [1, columns] && columns > 0) {
            return Err(format!(
                "output `{}` has the shape {shape:?} per row, and nothing says which number is the score; save a model \
                 with one",
                output.escape_debug()
            ));
        }
        let network = Self { model: extract(graph, output), fill: medians(rows), negate, runner: OnceLock::new() };
        network.runner()?;
        Ok(network)
    }

    pub(super) fn width(&self) -> usize {
        self.fill.len()
    }

    /// Refuses a network that cannot be run. After it, the runner is there.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.model.len() > FILE_BYTES_MAX || self.fill.iter().any(|fill| !fill.is_finite()) {
            return Err("a network is too large, or a stand-in for missing values is not finite".to_owned());
        }
        let graph = Graph::read(&self.model)?;
        measure(&graph, graph.output("")?, self.width())?;
        self.runner().map(|_| ())
    }

    fn runner(&self) -> Result<&Runner, String> {
        if let Some(runner) = self.runner.get() {
            return Ok(runner);
        }
        let made = Arc::new(Runner::new(&self.model, self.width())?);
        Ok(self.runner.get_or_init(|| made))
    }

    /// Raw scores. Shape: `rows` is n × d, the result has n values.
    pub(super) fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        if rows.width() != self.width() {
            let (expected, found) = (self.width(), rows.width());
            return Err(DetectError::WidthMismatch { act: "score ONNX graph", expected, found });
        }
        rows.iter().map(|row| self.score_filled(&self.filled(row)).map_err(DetectError::Setting)).collect()
    }

    /// Adds to each column by how much the score drops when it takes its usual value, the training median.
    /// Source: occlusion, Zeiler, Fergus 2014, section 4.2, on columns instead of patches.
    pub(super) fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        let mut row = self.filled(row);
        let Ok(score) = self.score_filled(&row) else { return };
        for (column, credit) in credit.iter_mut().enumerate() {
            let value = std::mem::replace(&mut row[column], self.fill[column]);
            let drop = self.score_filled(&row).map_or(0.0, |without| score - without);
            *credit += if drop.is_finite() { drop } else { 0.0 };
            row[column] = value;
        }
    }

    fn filled(&self, row: &[f32]) -> Vec<f32> {
        row.iter().zip(&self.fill).map(|(value, fill)| if value.is_nan() { *fill } else { *value }).collect()
    }

    fn score_filled(&self, row: &[f32]) -> Result<f64, String> {
        let score = f64::from(self.runner()?.run(row)?);
        Ok(if self.negate { -score } else { score })
    }
}

/// A model of what `output` is made of, and nothing else.
fn extract(graph: &Graph, output: &str) -> Vec<u8> {
    let mut constants: Vec<TensorProto> = Vec::new();
    let mut nodes = Vec::new();
    for node in graph.needed(output).into_iter().map(|index| &graph.nodes[index]) {
        match node.op_type == "Scaler" {
            true => nodes.extend(scale(node, &mut constants)),
            false => nodes.push(node.clone()),
        }
    }
    let used: HashSet<&String> = nodes.iter().flat_map(|node: &NodeProto| &node.input).collect();
    let mut stored: Vec<TensorProto> =
        graph.constants().filter(|stored| used.contains(&stored.name)).cloned().collect();
    stored.sort_by(|a, b| a.name.cmp(&b.name));
    stored.append(&mut constants);
    let tensor = TensorTypeProto { elem_type: FLOAT, shape: None };
    let float = TypeProto { tensor_type: Some(tensor), sequence_type: None }.encode_to_vec();
    let value = |name: &str| ValueInfoProto { name: name.to_owned(), r#type: float.clone() };
    let extracted = GraphProto {
        node: nodes,
        name: "score".to_owned(),
        initializer: stored,
        input: vec![value(&graph.inputs[0].name)],
        output: vec![value(output)],
        sparse_initializer: Vec::new(),
    };
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "lapwing".to_owned(),
        graph: Some(extracted),
        opset_import: graph.opsets.clone(),
    };
    model.encode_to_vec()
}

/// A `Scaler` as the subtraction and multiplication it stands for, which every runtime knows.
fn scale(node: &NodeProto, constants: &mut Vec<TensorProto>) -> [NodeProto; 2] {
    let output = node.output.first().cloned().unwrap_or_default();
    let mut constant = |part: &str| {
        let values = floats(node, part).to_vec();
        let name = format!("{output}/{part}");
        constants.push(TensorProto {
            name: name.clone(),
            dims: vec![values.len() as i64],
            data_type: FLOAT,
            float_data: values,
            ..TensorProto::default()
        });
        name
    };
    let (offset, factor) = (constant("offset"), constant("scale"));
    let step = |operator: &str, input: String, by: String, output: String| NodeProto {
        input: vec![input, by],
        output: vec![output],
        op_type: operator.to_owned(),
        ..NodeProto::default()
    };
    let input = node.input.first().cloned().unwrap_or_default();
    let centred = format!("{output}/centred");
    [step("Sub", input, offset, centred.clone()), step("Mul", centred, factor, output)]
}
