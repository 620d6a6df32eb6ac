//! Trees as ONNX files, for other programs.

use prost::Message;

use super::proto::{
    ATTRIBUTE_FLOAT, ATTRIBUTE_FLOATS, ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_STRING, ATTRIBUTE_STRINGS,
    AttributeProto, DimensionProto, FLOAT, GraphProto, IR_VERSION, ModelProto, NodeProto, OperatorSetIdProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::tree_scorer::{TreeNode, TreeScorer};

/// Name of the input of models that are written: float, rows × columns.
pub const INPUT: &str = "rows";
/// Name of the output of models that are written: float, rows × 1.
pub const OUTPUT: &str = "score";
/// Domain of operators of classical models.
const ML_DOMAIN: &str = "ai.onnx.ml";

/// Returns an ONNX model that gives, for each row, the sum of the leaves it falls into.
///
/// It is an `Imputer`, which puts in what stands for missing values, and a `TreeEnsembleRegressor` (ai.onnx.ml 1, opset 9). Splits that pad trees to equal depth are left out. Sums are in single precision
/// there, so they differ in the last digits.
/// Shape: input [`INPUT`] is n × [`TreeScorer::width`], output [`OUTPUT`] n × 1.
pub fn trees_to_onnx(scorer: &TreeScorer) -> Vec<u8> {
    let imputer = NodeProto {
        input: vec![INPUT.to_owned()],
        output: vec!["filled".to_owned()],
        name: "fill".to_owned(),
        op_type: "Imputer".to_owned(),
        attribute: vec![
            floats("imputed_value_floats", scorer.fill().to_vec()),
            float("replaced_value_float", f32::NAN),
        ],
        domain: ML_DOMAIN.to_owned(),
    };
    let mut lists = NodeLists::default();
    for tree in 0..scorer.trees() {
        lists.add_tree(tree as i64, &pruned(&scorer.tree(tree)));
    }
    let trees = NodeProto {
        input: vec!["filled".to_owned()],
        output: vec![OUTPUT.to_owned()],
        name: "trees".to_owned(),
        op_type: "TreeEnsembleRegressor".to_owned(),
        attribute: lists.attributes(),
        domain: ML_DOMAIN.to_owned(),
    };
    let graph = GraphProto {
        node: vec![imputer, trees],
        name: "lapwing".to_owned(),
        input: vec![value_info(INPUT, scorer.width())],
        output: vec![value_info(OUTPUT, 1)],
        ..GraphProto::default()
    };
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "lapwing".to_owned(),
        graph: Some(graph),
        opset_import: vec![opset("", 9), opset(ML_DOMAIN, 1)],
    };
    model.encode_to_vec()
}

/// The nodes of all trees, as the operator lists them.
#[derive(Default)]
struct NodeLists {
    tree_ids: Vec<i64>,
    node_ids: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<Vec<u8>>,
    values: Vec<f32>,
    when_true: Vec<i64>,
    when_false: Vec<i64>,
    leaf_tree_ids: Vec<i64>,
    leaf_node_ids: Vec<i64>,
    weights: Vec<f32>,
}

impl NodeLists {
    fn add_tree(&mut self, id: i64, tree: &[TreeNode]) {
        for (number, node) in tree.iter().enumerate() {
            self.tree_ids.push(id);
            self.node_ids.push(number as i64);
            let (feature, mode, threshold, left, right) = match node {
                TreeNode::Split { feature, threshold, left, right } => {
                    (*feature, "BRANCH_LEQ", *threshold, *left, *right)
                }
                TreeNode::Leaf(weight) => {
                    self.leaf_tree_ids.push(id);
                    self.leaf_node_ids.push(number as i64);
                    self.weights.push(*weight);
                    (0, "LEAF", 0.0, 0, 0)
                }
            };
            self.features.push(feature as i64);
            self.modes.push(mode.as_bytes().to_vec());
            self.values.push(threshold);
            self.when_true.push(left as i64);
            self.when_false.push(right as i64);
        }
    }

    fn attributes(self) -> Vec<AttributeProto> {
        let leaves = self.weights.len();
        vec![
            AttributeProto { name: "n_targets".to_owned(), i: 1, r#type: ATTRIBUTE_INT, ..AttributeProto::default() },
            text("aggregate_function", "SUM"),
            text("post_transform", "NONE"),
            ints("nodes_treeids", self.tree_ids),
            ints("nodes_nodeids", self.node_ids),
            ints("nodes_featureids", self.features),
            AttributeProto {
                name: "nodes_modes".to_owned(),
                strings: self.modes,
                r#type: ATTRIBUTE_STRINGS,
                ..AttributeProto::default()
            },
            floats("nodes_values", self.values),
            ints("nodes_truenodeids", self.when_true),
            ints("nodes_falsenodeids", self.when_false),
            ints("target_treeids", self.leaf_tree_ids),
            ints("target_nodeids", self.leaf_node_ids),
            ints("target_ids", vec![0; leaves]),
            floats("target_weights", self.weights),
        ]
    }
}

/// The tree without splits whose two sides give the same.
fn pruned(tree: &[TreeNode]) -> Vec<TreeNode> {
    let mut kept = Vec::new();
    keep(tree, 0, &mut kept);
    kept
}

/// Copies a node, and what hangs below it, behind `kept`. As deep as the tree, which the scorer bounds.
fn keep(tree: &[TreeNode], from: usize, kept: &mut Vec<TreeNode>) {
    let place = kept.len();
    kept.push(tree[from].clone());
    let TreeNode::Split { feature, threshold, left, right } = tree[from] else { return };
    keep(tree, left, kept);
    let middle = kept.len();
    keep(tree, right, kept);
    match (&kept[place + 1], &kept[middle]) {
        (TreeNode::Leaf(one), TreeNode::Leaf(other)) if one.to_bits() == other.to_bits() => {
            let leaf = TreeNode::Leaf(*one);
            kept.truncate(place);
            kept.push(leaf);
        }
        _ => kept[place] = TreeNode::Split { feature, threshold, left: place + 1, right: middle },
    }
}

fn value_info(name: &str, columns: usize) -> ValueInfoProto {
    let rows = DimensionProto { dim_value: None, dim_param: Some("n".to_owned()) };
    let columns = DimensionProto { dim_value: Some(columns as i64), dim_param: None };
    let shape = Some(TensorShapeProto { dim: vec![rows, columns] });
    let read = TypeProto { tensor_type: Some(TensorTypeProto { elem_type: FLOAT, shape }), sequence_type: None };
    ValueInfoProto { name: name.to_owned(), r#type: read.encode_to_vec() }
}

fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.to_owned(), ints, r#type: ATTRIBUTE_INTS, ..AttributeProto::default() }
}

fn floats(name: &str, floats: Vec<f32>) -> AttributeProto {
    AttributeProto { name: name.to_owned(), floats, r#type: ATTRIBUTE_FLOATS, ..AttributeProto::default() }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.to_owned(), f, r#type: ATTRIBUTE_FLOAT, ..AttributeProto::default() }
}

fn text(name: &str, text: &str) -> AttributeProto {
    let s = text.as_bytes().to_vec();
    AttributeProto { name: name.to_owned(), s, r#type: ATTRIBUTE_STRING, ..AttributeProto::default() }
}
