//! Tree ensembles as ONNX stores them, in the two forms there are, read into one.
//!
//! Operators `TreeEnsembleClassifier` and `TreeEnsembleRegressor` (lists of all nodes of all trees, nodes known by tree
//! and number) and `TreeEnsemble` (opset 5: inner nodes and leaves apart, known by place). Source: ONNX ai.onnx.ml
//! operator reference.

use std::collections::{HashMap, HashSet};

use super::graph::{attribute, floats, int, ints, text};
use super::proto::NodeProto;
use super::tensor::Tensor;

/// Most nodes of all trees together.
pub(super) const NODES_MAX: usize = 4_000_000;
/// Most trees: as many as an isolation forest may have.
pub(super) const TREES_MAX: usize = 10_000;
/// Most outputs of an ensemble.
const TARGETS_MAX: usize = 1024;

/// How a node compares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    AtMost,
    Below,
    AtLeast,
    Above,
    Equal,
    NotEqual,
}

/// A node of a tree; children are places in the tree.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum EnsembleNode {
    Split { feature: usize, mode: Mode, threshold: f64, missing_is_true: bool, when_true: usize, when_false: usize },
    Leaf { weights: Vec<(usize, f64)> },
}

/// A tree and the place of its root.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EnsembleTree {
    pub(super) root: usize,
    pub(super) nodes: Vec<EnsembleNode>,
}

/// What is done to the sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PostTransform {
    None,
    Logistic,
    Softmax,
}

/// A tree ensemble. Each row falls into one leaf per tree; each leaf adds its weights to some outputs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TreeEnsemble {
    pub(super) trees: Vec<EnsembleTree>,
    /// Number of outputs; of classes if it is a classifier.
    pub(super) targets: usize,
    pub(super) is_classifier: bool,
    /// Added to the outputs; fewer than them if they are to be understood from the few.
    pub(super) base: Vec<f64>,
    /// Whether outputs are means over trees instead of sums.
    pub(super) averaged: bool,
    pub(super) post: PostTransform,
}

impl TreeEnsemble {
    /// Reads a node of one of the three operators; the text says what is wrong.
    pub(super) fn read(node: &NodeProto) -> Result<Self, String> {
        match node.op_type.as_str() {
            "TreeEnsemble" => read_by_place(node),
            operator => read_by_number(node, operator == "TreeEnsembleClassifier"),
        }
    }
}

/// A list of numbers that may be given as floats or, in double, as a tensor.
fn numbers(node: &NodeProto, name: &str) -> Result<Vec<f64>, String> {
    match attribute(node, &format!("{name}_as_tensor")).and_then(|attribute| attribute.t.as_ref()) {
        Some(proto) => Tensor::read(proto).map(|tensor| tensor.values).map_err(|text| format!("`{name}`: {text}")),
        None => Ok(floats(node, name).iter().map(|value| f64::from(*value)).collect()),
    }
}

/// A list of whole numbers of which none is negative.
fn places(node: &NodeProto, name: &str) -> Result<Vec<usize>, String> {
    let read = |value: &i64| usize::try_from(*value).map_err(|_| format!("`{name}` holds {value}"));
    ints(node, name).iter().map(read).collect()
}

fn same_length(name: &str, found: usize, expected: usize) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("`{name}` has {found} values where {expected} belong")),
    }
}

fn check_targets(targets: usize) -> Result<(), String> {
    match (1..=TARGETS_MAX).contains(&targets) {
        true => Ok(()),
        false => Err(format!("it has {targets} outputs, 1 to {TARGETS_MAX} are possible")),
    }
}

/// Which leaf adds what: by tree and node number, pairs of output and weight.
type Weights = HashMap<(usize, usize), Vec<(usize, f64)>>;

fn read_by_number(node: &NodeProto, is_classifier: bool) -> Result<TreeEnsemble, String> {
    let prefix = if is_classifier { "class" } else { "target" };
    let targets = match is_classifier {
        true => {
            ints(node, "classlabels_int64s").len()
                + attribute(node, "classlabels_strings").map_or(0, |labels| labels.strings.len())
        }
        false => usize::try_from(int(node, "n_targets", 1)).unwrap_or(0),
    };
    check_targets(targets)?;
    let weights = read_weights(node, prefix, targets)?;
    let averaged = match text(node, "aggregate_function") {
        b"" | b"SUM" => false,
        b"AVERAGE" => true,
        other => return Err(unsupported("aggregate_function", other, "SUM and AVERAGE")),
    };
    let post = match text(node, "post_transform") {
        b"" | b"NONE" => PostTransform::None,
        b"LOGISTIC" => PostTransform::Logistic,
        b"SOFTMAX" => PostTransform::Softmax,
        other => return Err(unsupported("post_transform", other, "NONE, LOGISTIC and SOFTMAX")),
    };
    let trees = read_trees(node, weights)?;
    let base = numbers(node, "base_values")?;
    if base.len() > targets {
        return Err(format!("`base_values` has {} values for {targets} outputs", base.len()));
    }
    Ok(TreeEnsemble { trees, targets, is_classifier, base, averaged, post })
}

fn unsupported(name: &str, found: &[u8], supported: &str) -> String {
    let found: String = String::from_utf8_lossy(found).chars().take(40).collect();
    format!("`{name}` is {}; supported are {supported}", found.escape_debug())
}

fn read_weights(node: &NodeProto, prefix: &str, targets: usize) -> Result<Weights, String> {
    let tree_ids = places(node, &format!("{prefix}_treeids"))?;
    let node_ids = places(node, &format!("{prefix}_nodeids"))?;
    let ids = places(node, &format!("{prefix}_ids"))?;
    let values = numbers(node, &format!("{prefix}_weights"))?;
    for (name, length) in [("nodeids", node_ids.len()), ("ids", ids.len()), ("weights", values.len())] {
        same_length(&format!("{prefix}_{name}"), length, tree_ids.len())?;
    }
    let mut weights = Weights::with_capacity(tree_ids.len());
    for (index, leaf) in tree_ids.into_iter().zip(node_ids).enumerate() {
        weights.entry(leaf).or_default().push(weight(ids[index], values[index], targets)?);
    }
    Ok(weights)
}

fn weight(target: usize, value: f64, targets: usize) -> Result<(usize, f64), String> {
    if target >= targets {
        return Err(format!("a leaf adds to output {target}, there are {targets}"));
    }
    match value.is_finite() && value.abs() <= f64::from(f32::MAX) {
        true => Ok((target, value)),
        false => Err(format!("a leaf adds {value}")),
    }
}

fn read_trees(node: &NodeProto, mut weights: Weights) -> Result<Vec<EnsembleTree>, String> {
    let tree_ids = places(node, "nodes_treeids")?;
    let node_ids = places(node, "nodes_nodeids")?;
    let features = places(node, "nodes_featureids")?;
    let when_true = places(node, "nodes_truenodeids")?;
    let when_false = places(node, "nodes_falsenodeids")?;
    let thresholds = numbers(node, "nodes_values")?;
    let modes = attribute(node, "nodes_modes").map_or(&[][..], |modes| &modes.strings);
    let missing = ints(node, "nodes_missing_value_tracks_true");
    let count = tree_ids.len();
    if count > NODES_MAX {
        return Err(format!("it has {count} nodes, up to {NODES_MAX} are possible"));
    }
    for (name, length) in [
        ("nodes_nodeids", node_ids.len()),
        ("nodes_featureids", features.len()),
        ("nodes_truenodeids", when_true.len()),
        ("nodes_falsenodeids", when_false.len()),
        ("nodes_values", thresholds.len()),
        ("nodes_modes", modes.len()),
        ("nodes_missing_value_tracks_true", if missing.is_empty() { count } else { missing.len() }),
    ] {
        same_length(name, length, count)?;
    }
    let places = Places::of(&tree_ids, &node_ids)?;
    let mut trees: Vec<EnsembleTree> = vec![EnsembleTree { root: 0, nodes: Vec::new() }; places.trees];
    for index in 0..count {
        let id = tree_ids[index];
        let child = |number: usize| places.within(id, number);
        let read = match read_mode(&modes[index])? {
            None => EnsembleNode::Leaf { weights: weights.remove(&(id, node_ids[index])).unwrap_or_default() },
            Some(mode) => EnsembleNode::Split {
                feature: features[index],
                mode,
                threshold: thresholds[index],
                missing_is_true: missing.get(index).is_some_and(|tracks| *tracks != 0),
                when_true: child(when_true[index])?,
                when_false: child(when_false[index])?,
            },
        };
        trees[places.at[&(id, node_ids[index])].0].nodes.push(read);
    }
    if let Some((tree, number)) = weights.keys().min() {
        return Err(format!("weights are given for node {number} of tree {tree}, which is no leaf"));
    }
    trees.iter_mut().zip(&places.ids).try_for_each(|(tree, id)| find_root(tree, *id))?;
    Ok(trees)
}

/// `None` for a leaf.
fn read_mode(name: &[u8]) -> Result<Option<Mode>, String> {
    Ok(Some(match name {
        b"LEAF" => return Ok(None),
        b"BRANCH_LEQ" => Mode::AtMost,
        b"BRANCH_LT" => Mode::Below,
        b"BRANCH_GTE" => Mode::AtLeast,
        b"BRANCH_GT" => Mode::Above,
        b"BRANCH_EQ" => Mode::Equal,
        b"BRANCH_NEQ" => Mode::NotEqual,
        other => return Err(unsupported("nodes_modes", other, "BRANCH_LEQ, LT, GTE, GT, EQ, NEQ and LEAF")),
    }))
}

/// Where the nodes of the lists come to lie: by tree and number, place of the tree and place within it.
struct Places {
    at: HashMap<(usize, usize), (usize, usize)>,
    ids: Vec<usize>,
    trees: usize,
}

impl Places {
    fn of(tree_ids: &[usize], node_ids: &[usize]) -> Result<Self, String> {
        let mut trees: HashMap<usize, (usize, usize)> = HashMap::new();
        let (mut at, mut ids) = (HashMap::with_capacity(tree_ids.len()), Vec::new());
        for (tree_id, node_id) in tree_ids.iter().zip(node_ids) {
            let next = trees.len();
            let (tree, length) = trees.entry(*tree_id).or_insert_with(|| {
                ids.push(*tree_id);
                (next, 0)
            });
            if at.insert((*tree_id, *node_id), (*tree, *length)).is_some() {
                return Err(format!("node {node_id} of tree {tree_id} is there twice"));
            }
            *length += 1;
        }
        check_trees(trees.len())?;
        Ok(Self { at, ids, trees: trees.len() })
    }

    fn within(&self, tree: usize, number: usize) -> Result<usize, String> {
        let found = self.at.get(&(tree, number)).map(|(_, place)| *place);
        found.ok_or_else(|| format!("a split of tree {tree} leads to node {number}, which does not exist"))
    }
}

fn check_trees(trees: usize) -> Result<(), String> {
    match (1..=TREES_MAX).contains(&trees) {
        true => Ok(()),
        false => Err(format!("it has {trees} trees, 1 to {TREES_MAX} are possible")),
    }
}

/// The root is the only node that no split leads to.
fn find_root(tree: &mut EnsembleTree, id: usize) -> Result<(), String> {
    let mut reached = HashSet::new();
    for node in &tree.nodes {
        if let EnsembleNode::Split { when_true, when_false, .. } = node {
            reached.extend([*when_true, *when_false]);
        }
    }
    let mut roots = (0..tree.nodes.len()).filter(|place| !reached.contains(place));
    match (roots.next(), roots.next()) {
        (Some(root), None) => {
            tree.root = root;
            Ok(())
        }
        (None, _) => Err(format!("tree {id} has no root: it runs in circles")),
        (Some(_), Some(_)) => Err(format!("tree {id} has two roots")),
    }
}

/// Codes of comparisons in `TreeEnsemble`; code 6, membership in a set, is not supported.
const MODES: [Mode; 6] = [Mode::AtMost, Mode::Below, Mode::AtLeast, Mode::Above, Mode::Equal, Mode::NotEqual];

fn read_by_place(node: &NodeProto) -> Result<TreeEnsemble, String> {
    let targets = usize::try_from(int(node, "n_targets", 1)).unwrap_or(0);
    check_targets(targets)?;
    let averaged = match int(node, "aggregate_function", 1) {
        0 => true,
        1 => false,
        other => return Err(unsupported("aggregate_function", other.to_string().as_bytes(), "0 and 1 (mean, sum)")),
    };
    let post = match int(node, "post_transform", 0) {
        0 => PostTransform::None,
        1 => PostTransform::Softmax,
        2 => PostTransform::Logistic,
        other => return Err(unsupported("post_transform", other.to_string().as_bytes(), "0, 1 and 2")),
    };
    let inner = InnerNodes::read(node, targets)?;
    let roots = places(node, "tree_roots")?;
    check_trees(roots.len())?;
    let mut seen = vec![false; inner.features.len()];
    let trees = roots.into_iter().map(|root| inner.tree(root, &mut seen)).collect::<Result<_, _>>()?;
    Ok(TreeEnsemble { trees, targets, is_classifier: false, base: Vec::new(), averaged, post })
}

/// The inner nodes of all trees of a `TreeEnsemble`, and its leaves.
struct InnerNodes {
    features: Vec<usize>,
    modes: Vec<Mode>,
    splits: Vec<f64>,
    missing: Vec<i64>,
    when_true: Vec<(usize, bool)>,
    when_false: Vec<(usize, bool)>,
    leaves: Vec<(usize, f64)>,
}

impl InnerNodes {
    fn read(node: &NodeProto, targets: usize) -> Result<Self, String> {
        let features = places(node, "nodes_featureids")?;
        let count = features.len();
        if count > NODES_MAX {
            return Err(format!("it has {count} nodes, up to {NODES_MAX} are possible"));
        }
        let mode = |code: &f64| match MODES.iter().zip(0_u8..).find(|(_, known)| f64::from(*known) == *code) {
            Some((mode, _)) => Ok(*mode),
            None => Err(unsupported("nodes_modes", code.to_string().as_bytes(), "0 to 5 (all but membership)")),
        };
        let modes = tensor(node, "nodes_modes")?.iter().map(mode).collect::<Result<Vec<Mode>, _>>()?;
        let splits = tensor(node, "nodes_splits")?;
        let missing = ints(node, "nodes_missing_value_tracks_true").to_vec();
        let child = |side: &str| {
            let ids = places(node, &format!("nodes_{side}nodeids"))?;
            let leafs = places(node, &format!("nodes_{side}leafs"))?;
            same_length(&format!("nodes_{side}nodeids"), ids.len(), count)?;
            same_length(&format!("nodes_{side}leafs"), leafs.len(), count)?;
            Ok::<_, String>(ids.into_iter().zip(leafs).map(|(id, leaf)| (id, leaf != 0)).collect())
        };
        let (when_true, when_false) = (child("true")?, child("false")?);
        same_length("nodes_modes", modes.len(), count)?;
        same_length("nodes_splits", splits.len(), count)?;
        same_length("nodes_missing_value_tracks_true", if missing.is_empty() { count } else { missing.len() }, count)?;
        let (ids, values) = (places(node, "leaf_targetids")?, tensor(node, "leaf_weights")?);
        same_length("leaf_weights", values.len(), ids.len())?;
        let leaves = ids.into_iter().zip(values).map(|(id, value)| weight(id, value, targets));
        let leaves = leaves.collect::<Result<_, _>>()?;
        Ok(Self { features, modes, splits, missing, when_true, when_false, leaves })
    }

    /// Copies what hangs below an inner node. Each inner node belongs to one place in one tree (`seen`), so trees in
    /// circles end.
    fn tree(&self, root: usize, seen: &mut [bool]) -> Result<EnsembleTree, String> {
        let unfilled = || EnsembleNode::Leaf { weights: Vec::new() };
        let mut nodes = vec![unfilled()];
        let mut open = vec![(0, (root, false))];
        while let Some((place, (id, is_leaf))) = open.pop() {
            if is_leaf {
                let leaf =
                    self.leaves.get(id).ok_or_else(|| format!("a split leads to leaf {id}, which does not exist"))?;
                nodes[place] = EnsembleNode::Leaf { weights: vec![*leaf] };
                continue;
            }
            match seen.get_mut(id) {
                None => return Err(format!("a split leads to node {id}, which does not exist")),
                Some(true) => return Err(format!("node {id} is reached twice: its tree runs in circles")),
                Some(seen) => *seen = true,
            }
            let (when_true, when_false) = (nodes.len(), nodes.len() + 1);
            nodes.extend([unfilled(), unfilled()]);
            open.extend([(when_true, self.when_true[id]), (when_false, self.when_false[id])]);
            nodes[place] = EnsembleNode::Split {
                feature: self.features[id],
                mode: self.modes[id],
                threshold: self.splits[id],
                missing_is_true: self.missing.get(id).is_some_and(|tracks| *tracks != 0),
                when_true,
                when_false,
            };
        }
        Ok(EnsembleTree { root: 0, nodes })
    }
}

fn tensor(node: &NodeProto, name: &str) -> Result<Vec<f64>, String> {
    let proto = attribute(node, name).and_then(|attribute| attribute.t.as_ref());
    let proto = proto.ok_or_else(|| format!("`{name}` is missing"))?;
    Tensor::read(proto).map(|tensor| tensor.values).map_err(|text| format!("`{name}`: {text}"))
}
