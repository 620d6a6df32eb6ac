use std::collections::{HashMap, HashSet};

use prost::Message;

use super::proto::{
    AttributeProto, DOUBLE, FLOAT, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TypeProto,
    ValueInfoProto,
};
use super::tensor::Tensor;
use super::wire;

/// Largest type of an input or output that is read; a tensor's takes some 20 bytes.
const TYPE_BYTES_MAX: usize = 4096;

/// A model file's graph, of which is known: every value is made before it is used, so nothing runs in circles; no node
/// holds graphs of its own; no constant lies outside the file.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<NodeProto>,
    pub(super) inputs: Vec<Input>,
    pub(super) outputs: Vec<Output>,
    /// Sets of operators that the file uses.
    pub(super) opsets: Vec<OperatorSetIdProto>,
    constants: HashMap<String, TensorProto>,
    makers: HashMap<String, usize>,
}

/// What is fed in, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Input {
    pub(super) name: String,
    /// Columns of a row; `None` if the file leaves them open.
    pub(super) columns: Option<usize>,
    /// Whether its numbers are double.
    pub(super) double: bool,
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Output {
    pub(super) name: String,
    /// Whether it may be a score: numbers, or a list with a map of numbers per row. Labels are neither.
    pub(super) scores: bool,
}

impl Graph {
    /// Reads a model file; the text says what is wrong. Whatever the bytes are, it neither panics nor takes more than
    /// a small multiple of their size.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        wire::check(bytes)?;
        let model = ModelProto::decode(bytes).map_err(|error| format!("it is no ONNX model: {error}"))?;
        if model.opset_import.is_empty() {
            return Err("it does not say which operators it uses; is it whole?".to_owned());
        }
        let graph = model.graph.ok_or("it holds no graph; is this an ONNX model?")?;
        if !graph.sparse_initializer.is_empty() {
            return Err("it holds sparse constants, which are not supported; save them dense".to_owned());
        }
        if graph.node.is_empty() {
            return Err("its graph has no node; is this an ONNX model?".to_owned());
        }
        let makers = check_order(&graph)?;
        let names: HashSet<&str> = graph.initializer.iter().map(|constant| constant.name.as_str()).collect();
        let fed = graph.input.iter().filter(|input| !names.contains(input.name.as_str()));
        let inputs: Vec<Input> = fed.map(read_input).collect::<Result<_, _>>()?;
        let outputs: Vec<Output> = graph.output.iter().map(read_output).collect();
        let constants = graph.initializer.into_iter().map(|constant| (constant.name.clone(), constant)).collect();
        match inputs.is_empty() || outputs.is_empty() {
            true => Err(format!("it has {} inputs and {} outputs", inputs.len(), outputs.len())),
            false => Ok(Self { nodes: graph.node, inputs, outputs, opsets: model.opset_import, constants, makers }),
        }
    }

    /// The node that makes a value; `None` for inputs and constants.
    pub(super) fn maker(&self, value: &str) -> Option<usize> {
        self.makers.get(value).copied()
    }

    /// A constant stored in the file.
    pub(super) fn constant(&self, name: &str) -> Option<Result<Tensor, String>> {
        let read = |proto| Tensor::read(proto).map_err(|text| format!("constant `{name}`: {text}"));
        self.constants.get(name).map(read)
    }

    /// All stored constants.
    pub(super) fn constants(&self) -> impl Iterator<Item = &TensorProto> {
        self.constants.values()
    }

    /// What a list of maps, as classifiers give, is made of: the scores as a plain value.
    pub(super) fn scores_behind<'a>(&'a self, output: &'a str) -> &'a str {
        let maker = self.maker(output).map(|index| &self.nodes[index]).filter(|node| node.op_type == "ZipMap");
        maker.and_then(|node| node.input.first()).map_or(output, String::as_str)
    }

    /// Nodes that the value is made of, ascending.
    pub(super) fn needed(&self, value: &str) -> Vec<usize> {
        let mut marked = vec![false; self.nodes.len()];
        let mut open: Vec<usize> = self.maker(value).into_iter().collect();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut marked[node], true) {
                open.extend(self.nodes[node].input.iter().filter_map(|input| self.maker(input)));
            }
        }
        (0..marked.len()).filter(|node| marked[*node]).collect()
    }

    /// The output that holds the score: the one asked for, or, if `asked` is empty, the only one that may be one.
    pub(super) fn output(&self, asked: &str) -> Result<&str, String> {
        let names = || self.outputs.iter().map(|output| output.name.as_str()).collect::<Vec<_>>().join("`, `");
        if !asked.is_empty() {
            let found = self.outputs.iter().find(|output| output.name == asked);
            return found.map(|output| output.name.as_str()).ok_or_else(|| {
                format!("it has no output `{}`; it has `{}`", asked.escape_debug(), names().escape_debug())
            });
        }
        let candidates: Vec<&Output> = self.outputs.iter().filter(|output| output.scores).collect();
        match candidates[..] {
            [only] => Ok(&only.name),
            _ => Err(format!("`output` must say which of its outputs is the score: `{}`", names().escape_debug())),
        }
    }
}

/// What a node is called in messages.
pub(super) fn title(node: &NodeProto) -> String {
    let operator = match node.domain.as_str() {
        "" | "ai.onnx" | "ai.onnx.ml" => node.op_type.clone(),
        domain => format!("{domain}.{}", node.op_type),
    };
    let name = [&node.name].into_iter().chain(&node.output).find(|name| !name.is_empty());
    let name: String = name.map(String::as_str).unwrap_or_default().chars().take(100).collect();
    let operator: String = operator.chars().take(100).collect();
    format!("node `{}` ({})", name.escape_debug(), operator.escape_debug())
}

pub(super) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

pub(super) fn ints<'a>(node: &'a NodeProto, name: &str) -> &'a [i64] {
    attribute(node, name).map_or(&[], |attribute| &attribute.ints)
}

pub(super) fn floats<'a>(node: &'a NodeProto, name: &str) -> &'a [f32] {
    attribute(node, name).map_or(&[], |attribute| &attribute.floats)
}

pub(super) fn int(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).map_or(default, |attribute| attribute.i)
}

/// A text; empty if it is not given.
pub(super) fn text<'a>(node: &'a NodeProto, name: &str) -> &'a [u8] {
    attribute(node, name).map_or(&[], |attribute| &attribute.s)
}

/// Refuses a graph whose values are not made before they are used, or are made twice; gives each value's node.
fn check_order(graph: &GraphProto) -> Result<HashMap<String, usize>, String> {
    let mut known: HashSet<&str> = HashSet::new();
    known.extend(graph.input.iter().map(|input| input.name.as_str()));
    known.extend(graph.initializer.iter().map(|constant| constant.name.as_str()));
    let mut makers = HashMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        if node.attribute.iter().any(|attribute| attribute.g.is_some() || !attribute.graphs.is_empty()) {
            return Err(format!("{} holds a graph of its own; loops and branches are not supported", title(node)));
        }
        if let Some(missing) = node.input.iter().find(|input| !input.is_empty() && !known.contains(input.as_str())) {
            return Err(format!(
                "{} reads `{}`, which nothing before it makes; the graph runs in circles or is not in order",
                title(node),
                missing.escape_debug()
            ));
        }
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if !known.insert(output) {
                return Err(format!("{} makes `{}` a second time", title(node), output.escape_debug()));
            }
            makers.insert(output.clone(), index);
        }
    }
    Ok(makers)
}

fn read_type(value: &ValueInfoProto) -> Option<TypeProto> {
    (value.r#type.len() <= TYPE_BYTES_MAX).then(|| TypeProto::decode(value.r#type.as_slice()).ok()).flatten()
}

fn read_input(value: &ValueInfoProto) -> Result<Input, String> {
    let name = || value.name.escape_debug();
    let tensor = read_type(value).and_then(|read| read.tensor_type);
    let tensor = tensor.ok_or_else(|| format!("input `{}` is no tensor of numbers", name()))?;
    if ![FLOAT, DOUBLE].contains(&tensor.elem_type) {
        return Err(format!("input `{}` does not take float; convert the model with a float input", name()));
    }
    let columns = match tensor.shape.map(|shape| shape.dim) {
        None => None,
        Some(dims) => match &dims[..] {
            [_, columns] => columns.dim_value.filter(|columns| *columns > 0),
            _ => return Err(format!("input `{}` has {} axes; rows and columns are needed", name(), dims.len())),
        },
    };
    let columns = columns.and_then(|columns| usize::try_from(columns).ok());
    Ok(Input { name: value.name.clone(), columns, double: tensor.elem_type == DOUBLE })
}

fn read_output(value: &ValueInfoProto) -> Output {
    let scores = match read_type(value) {
        Some(TypeProto { tensor_type: Some(tensor), .. }) => [FLOAT, DOUBLE].contains(&tensor.elem_type),
        Some(TypeProto { sequence_type, .. }) => sequence_type.is_some(),
        // An output whose type nobody wrote down may be anything.
        None => true,
    };
    Output { name: value.name.clone(), scores }
}
