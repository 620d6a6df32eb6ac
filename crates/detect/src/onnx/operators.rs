//! Reads the graph around tree ensembles: what prepares their columns, and what makes a score of their sums.
//!
//! Each value of the graph is one of four: a constant, columns of the row, scores made by trees, or class labels, which
//! say nothing. Columns may be prepared by arithmetic with constants; scores by nearly anything that keeps rows apart.

use std::collections::HashMap;
use std::rc::Rc;

use super::ensemble::TreeEnsemble;
use super::formula::{Binary, Step, Unary};
use super::graph::{Graph, attribute, floats, int, ints, text, title};
use super::plan::{Plan, TreeValue};
use super::probe::{Column, ColumnOp};
use super::proto::NodeProto;
use super::tensor::Tensor;
use super::trees::OnnxTrees;
use super::value::{Value, across, binary, cast, constant, join_column, join_constants, leaves, nth, prepared, unary};

/// Operators that hold trees.
pub(super) const TREE_OPERATORS: [&str; 3] = ["TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble"];
/// What is understood around trees, for messages.
const SUPPORTED: &str = "TreeEnsemble, TreeEnsembleClassifier, TreeEnsembleRegressor, Cast, Identity, Dropout, ZipMap, \
     Normalizer, Scaler, Imputer, LabelEncoder, ArrayFeatureExtractor, Gather, Concat, Reshape, Flatten, Squeeze, \
     Unsqueeze, Constant, Add, Sub, Mul, Div, Pow, Sum, Max, Min, Equal, Greater, Less, Neg, Abs, Exp, Log, Sqrt, \
     Sigmoid, Softmax, ReduceSum";

/// Most columns of a value.
const COLUMNS_MAX: usize = 4096;

struct Compiler<'a> {
    graph: &'a Graph,
    plan: Plan,
    values: HashMap<&'a str, Value>,
}

/// Reads how `output` follows from trees over rows of `width` columns; the text says what is wrong, and with which
/// node.
pub(super) fn compile(graph: &Graph, output: &str, width: usize, negate: bool) -> Result<OnnxTrees, String> {
    let mut compiler = Compiler { graph, plan: Plan::default(), values: HashMap::new() };
    compiler.feed(width)?;
    for index in graph.needed(output) {
        let node = &graph.nodes[index];
        compiler.run(node).map_err(|text| format!("{}: {text}", title(node)))?;
    }
    let found = compiler.values.remove(output);
    let Some(Value::Trees(scores)) = found else {
        return Err(format!("output `{}` holds no scores made by trees", output.escape_debug()));
    };
    let columns = compiler.plan.column_of(&scores)?;
    let is_classifier = graph.outputs.iter().any(|output| !output.scores);
    match columns[..] {
        [.., last] if columns.len() == 1 || is_classifier => compiler.plan.finish(last, width, negate),
        _ => Err(format!(
            "output `{}` has {} columns, and nothing says which is the score; save a model with one",
            output.escape_debug(),
            columns.len()
        )),
    }
}

impl<'a> Compiler<'a> {
    /// Lays the columns of a row side by side over the inputs.
    fn feed(&mut self, width: usize) -> Result<(), String> {
        let mut next = 0;
        for input in &self.graph.inputs {
            let open = self.graph.inputs.len() == 1;
            let columns = input.columns.or(open.then_some(width));
            let columns =
                columns.ok_or_else(|| format!("input `{}` leaves its columns open", input.name.escape_debug()))?;
            let end = next + columns.min(width + 1);
            let laid: Rc<[Column]> = (next..end).map(Column::plain).collect();
            self.values.insert(&input.name, Value::Columns { columns: laid, double: input.double });
            next = end.min(width + 1);
        }
        let declared =
            || self.graph.inputs.iter().filter_map(|input| input.columns).fold(0_usize, usize::saturating_add);
        match next == width {
            true => Ok(()),
            false => Err(format!("the model reads {} columns, the detector is given {width}", declared())),
        }
    }

    fn run(&mut self, node: &'a NodeProto) -> Result<(), String> {
        let is_ml = match node.domain.as_str() {
            "" | "ai.onnx" => false,
            "ai.onnx.ml" => true,
            _ => return Err(format!("operators of other domains are not supported; these are: {SUPPORTED}")),
        };
        let operator = node.op_type.as_str();
        if is_ml && TREE_OPERATORS.contains(&operator) {
            return self.run_trees(node);
        }
        let value = match (is_ml, operator) {
            (false, "Identity" | "Dropout") | (true, "ZipMap") => self.input(node, 0)?,
            (false, "Constant") => Value::Constant(Rc::new(constant(node)?)),
            (false, "Cast") => cast(self.input(node, 0)?, int(node, "to", 0))?,
            (true, "Scaler") => self.scaler(node)?,
            (true, "Imputer") => self.imputer(node)?,
            (true, "Normalizer") => self.normalizer(node)?,
            (true, "LabelEncoder") => self.label_encoder(node)?,
            (true, "ArrayFeatureExtractor") | (false, "Gather") => self.select(node, is_ml)?,
            (false, "Concat") => self.concat(node)?,
            (false, "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze") => self.reshape(node)?,
            (false, "Softmax") => self.softmax(node)?,
            (false, "ReduceSum") => self.reduce_sum(node)?,
            (false, operator) => match (unary(operator), binary(operator)) {
                (Some(unary), _) => self.unary(unary, node)?,
                (_, Some(binary)) => self.fold(binary, node)?,
                (None, None) => {
                    return Err(format!("this operator is not supported beside trees; these are: {SUPPORTED}"));
                }
            },
            _ => return Err(format!("this operator is not supported beside trees; these are: {SUPPORTED}")),
        };
        self.give(node, 0, value)
    }

    fn input(&mut self, node: &'a NodeProto, index: usize) -> Result<Value, String> {
        let name = node.input.get(index).ok_or_else(|| format!("it has no input {index}"))?;
        if let Some(value) = self.values.get(name.as_str()) {
            return Ok(value.clone());
        }
        let constant = self.graph.constant(name);
        let constant = constant.ok_or_else(|| format!("input `{}` is not given", name.escape_debug()))?;
        let value = Value::Constant(Rc::new(constant?));
        self.plan.keep(value.size())?;
        self.values.insert(name, value.clone());
        Ok(value)
    }

    fn constant_input(&mut self, node: &'a NodeProto, index: usize) -> Result<Rc<Tensor>, String> {
        match self.input(node, index)? {
            Value::Constant(tensor) => Ok(tensor),
            _ => Err(format!("input {index} must be a constant")),
        }
    }

    fn columns_input(&mut self, node: &'a NodeProto) -> Result<(Rc<[Column]>, bool), String> {
        match self.input(node, 0)? {
            Value::Columns { columns, double } => Ok((columns, double)),
            _ => Err("it must read columns of the row".to_owned()),
        }
    }

    fn scores_input(&mut self, node: &'a NodeProto) -> Result<Vec<u32>, String> {
        match self.input(node, 0)? {
            Value::Trees(scores) => self.plan.column_of(&scores),
            _ => Err("it must read scores made by trees".to_owned()),
        }
    }

    fn give(&mut self, node: &'a NodeProto, index: usize, value: Value) -> Result<(), String> {
        self.plan.keep(1 + value.size())?;
        if let Some(name) = node.output.get(index) {
            self.values.insert(name, value);
        }
        Ok(())
    }

    fn run_trees(&mut self, node: &'a NodeProto) -> Result<(), String> {
        let (columns, _) = self.columns_input(node)?;
        let ensemble = TreeEnsemble::read(node)?;
        let value = Value::Trees(self.plan.ensemble(&ensemble, &columns)?);
        if ensemble.is_classifier {
            self.give(node, 0, Value::Labels)?;
        }
        self.give(node, usize::from(ensemble.is_classifier), value)
    }

    /// (x − offset) × scale.
    fn scaler(&mut self, node: &'a NodeProto) -> Result<Value, String> {
        let (columns, double) = self.columns_input(node)?;
        let (offset, scale) = (floats(node, "offset"), floats(node, "scale"));
        let by = |values: &[f32], index: usize| match values.len() {
            1 => Ok(values[0]),
            length if length == columns.len() => Ok(values[index]),
            length => Err(format!("it scales {length} columns, it is given {}", columns.len())),
        };
        prepared(&columns, double, |column, index| {
            column.then(ColumnOp::Subtract(by(offset, index)?))?.then(ColumnOp::Multiply(by(scale, index)?))
        })
    }

    fn imputer(&mut self, node: &'a NodeProto) -> Result<Value, String> {
        let (columns, double) = self.columns_input(node)?;
        let values = floats(node, "imputed_value_floats");
        if values.len() != 1 && values.len() != columns.len() {
            return Err(format!("it has {} floats to fill {} columns with", values.len(), columns.len()));
        }
        let replaced = attribute(node, "replaced_value_float").map(|attribute| attribute.f);
        let replaced = replaced.filter(|value| !value.is_nan());
        prepared(&columns, double, |column, index| {
            column.then(ColumnOp::Impute { replaced, value: values[if values.len() == 1 { 0 } else { index }] })
        })
    }

    fn normalizer(&mut self, node: &'a NodeProto) -> Result<Value, String> {
        let columns = self.scores_input(node)?;
        let size = match text(node, "norm") {
            b"L1" => Binary::Add,
            b"L2" => Binary::Multiply,
            _ => return Err("its `norm` is not supported; L1 and L2 are".to_owned()),
        };
        let mut parts = Vec::with_capacity(columns.len());
        for column in &columns {
            parts.push(match size {
                Binary::Add => self.plan.step(Step::Unary(Unary::Absolute, *column))?,
                _ => self.plan.step(Step::Binary(Binary::Multiply, *column, *column))?,
            });
        }
        let mut norm = self.plan.fold(Binary::Add, &parts)?;
        if size == Binary::Multiply {
            norm = self.plan.step(Step::Unary(Unary::SquareRoot, norm))?;
        }
        // Where all are 0 they stay 0.
        let least = self.plan.constant(f64::MIN_POSITIVE)?;
        let norm = self.plan.step(Step::Binary(Binary::Maximum, norm, least))?;
        let divided = columns.into_iter().map(|column| self.plan.step(Step::Binary(Binary::Divide, column, norm)));
        Ok(Value::Trees(TreeValue::Scores(divided.collect::<Result<_, _>>()?)))
    }

    /// Looks up what stands for a leaf.
    fn label_encoder(&mut self, node: &'a NodeProto) -> Result<Value, String> {
        let Value::Trees(TreeValue::Leaves { tree, values }) = self.input(node, 0)? else {
            return Err("it is supported behind a single tree only".to_owned());
        };
        let list = |name: &str| -> Vec<f64> {
            let floats = floats(node, &format!("{name}_floats")).iter().map(|value| f64::from(*value));
            floats.chain(ints(node, &format!("{name}_int64s")).iter().map(|value| *value as f64)).collect()
        };
        let (keys, results) = (list("keys"), list("values"));
        if keys.is_empty() || keys.len() != results.len() {
            return Err(format!("it has {} numbers for {} keys", results.len(), keys.len()));
        }
        let default = match floats(node, "values_floats").is_empty() {
            true => int(node, "default_int64", -1) as f64,
            false => attribute(node, "default_float").map_or(0.0, |attribute| f64::from(attribute.f)),
        };
        let table: HashMap<u64, f64> = keys.iter().map(|key| (key + 0.0).to_bits()).zip(results).collect();
        let found = values.iter().map(|value| table.get(&(value + 0.0).to_bits()).copied().unwrap_or(default));
        Ok(leaves(tree, found.collect()))
    }

    fn select(&mut self, node: &'a NodeProto, is_extractor: bool) -> Result<Value, String> {
        if !is_extractor && ![1, -1].contains(&int(node, "axis", 0)) {
            return Err("it must pick columns (axis 1), not rows".to_owned());
        }
        let indices = self.constant_input(node, 1)?;
        if indices.values.len() > COLUMNS_MAX {
            return Err(format!("it picks {} columns, {COLUMNS_MAX} are possible", indices.values.len()));
        }
        let pick = |count: usize| {
            let place = |index: &f64| {
                let index = if *index < 0.0 { *index + count as f64 } else { *index };
                let found = index.fract() == 0.0 && index >= 0.0 && index < count as f64;
                if found { Ok(index as usize) } else { Err(format!("it picks column {index} of {count}")) }
            };
            indices.values.iter().map(place).collect::<Result<Vec<usize>, String>>()
        };
        match self.input(node, 0)? {
            Value::Columns { columns, double } => {
                let picked = pick(columns.len())?.into_iter().map(|place| columns[place].clone()).collect();
                Ok(Value::Columns { columns: picked, double })
            }
            Value::Trees(scores) => {
                let columns = self.plan.column_of(&scores)?;
                let picked = pick(columns.len())?.into_iter().map(|place| columns[place]).collect();
                Ok(Value::Trees(TreeValue::Scores(picked)))
            }
            Value::Constant(_) | Value::Labels => Err("it must pick columns of the row, or scores".to_owned()),
        }
    }

    fn concat(&mut self, node: &'a NodeProto) -> Result<Value, String> {
        if ![1, -1].contains(&int(node, "axis", 1)) {
            return Err("it must join columns (axis 1), not rows".to_owned());
        }
        let (mut columns, mut scores, mut precise) = (Vec::new(), Vec::new(), false);
        for index in 0..node.input.len() {
            match self.input(node, index)? {
                Value::Columns { columns: more, double } => {
                    precise |= double;
                    columns.extend(more.iter().cloned());
                }
                Value::Trees(more) => scores.extend(self.plan.column_of(&more)?),
                Value::Constant(_) | Value::Labels => return Err("it joins constants or labels".to_owned()),
            }
            if columns.len().max(scores.len()) > COLUMNS_MAX {
                return Err(format!("it joins more than {COLUMNS_MAX} columns"));
            }
        }
        match (columns.is_empty(), scores.is_empty()) {
            (false, true) => Ok(Value::Columns { columns: columns.into(), double: precise }),
            (true, false) => Ok(Value::Trees(TreeValue::Scores(scores))),
            _ => Err("it joins columns of the row with scores of trees".to_owned()),
        }
    }

    /// Only shapes that keep one row of values per row of the input pass.
    fn reshape(&mut self, node: &'a NodeProto) -> Result<Value, String> {
        let value = self.input(node, 0)?;
        let count = match &value {
            Value::Columns { columns, .. } => columns.len(),
            Value::Trees(TreeValue::Scores(columns)) => columns.len(),
            Value::Trees(TreeValue::Leaves { .. }) => 1,
            Value::Constant(_) | Value::Labels => return Err("it must reshape columns or scores".to_owned()),
        };
        let keeps_rows = match node.op_type.as_str() {
            "Reshape" => match self.constant_input(node, 1)?.values[..] {
                [rows] => rows == -1.0 && count == 1,
                [rows, columns] => (rows == -1.0 && columns == count as f64) || (rows == 0.0 && columns == -1.0),
                _ => false,
            },
            "Flatten" => int(node, "axis", 1) == 1,
            _ => count == 1,
        };
        if keeps_rows { Ok(value) } else { Err(format!("it must keep {count} values per row")) }
    }

    fn softmax(&mut self, node: &'a NodeProto) -> Result<Value, String> {
        if ![1, -1].contains(&int(node, "axis", -1)) {
            return Err("it must run over columns (axis 1), not rows".to_owned());
        }
        let columns = self.scores_input(node)?;
        Ok(Value::Trees(TreeValue::Scores(self.plan.softmax(&columns)?)))
    }

    fn reduce_sum(&mut self, node: &'a NodeProto) -> Result<Value, String> {
        let axes: Vec<f64> = match node.input.len() {
            2.. => self.constant_input(node, 1)?.values.clone(),
            _ => ints(node, "axes").iter().map(|axis| *axis as f64).collect(),
        };
        if ![[1.0], [-1.0]].iter().any(|over| axes == over) {
            return Err("it must run over columns (axis 1), not rows".to_owned());
        }
        let columns = self.scores_input(node)?;
        let (first, rest) = columns.split_first().ok_or("it has no column")?;
        let sum = rest.iter().try_fold(*first, |sum, column| self.plan.add(sum, *column))?;
        Ok(Value::Trees(TreeValue::Scores(vec![sum])))
    }

    fn unary(&mut self, unary: Unary, node: &'a NodeProto) -> Result<Value, String> {
        Ok(match self.input(node, 0)? {
            Value::Constant(tensor) => Value::Constant(Rc::new(Tensor {
                dims: tensor.dims.clone(),
                values: tensor.values.iter().map(|value| unary.apply(*value)).collect(),
            })),
            Value::Trees(TreeValue::Leaves { tree, values }) => {
                leaves(tree, values.iter().map(|value| unary.apply(*value)).collect())
            }
            Value::Trees(TreeValue::Scores(columns)) => {
                let steps = columns.into_iter().map(|column| self.plan.step(Step::Unary(unary, column)));
                Value::Trees(TreeValue::Scores(steps.collect::<Result<_, _>>()?))
            }
            Value::Columns { .. } => return Err("it is not supported on columns of the row".to_owned()),
            Value::Labels => return Err("it reads class labels".to_owned()),
        })
    }

    /// Joins all inputs of a node, from the first to the last.
    fn fold(&mut self, binary: Binary, node: &'a NodeProto) -> Result<Value, String> {
        let mut joined = self.input(node, 0)?;
        for index in 1..node.input.len() {
            let other = self.input(node, index)?;
            joined = self.join(binary, joined, other)?;
            self.plan.keep(joined.size())?;
        }
        Ok(joined)
    }

    fn join(&mut self, binary: Binary, a: Value, b: Value) -> Result<Value, String> {
        match (a, b) {
            (Value::Constant(a), Value::Constant(b)) => join_constants(binary, &a, &b),
            (Value::Columns { columns, double }, Value::Constant(by)) => {
                join_column(binary, &columns, double, &by, false)
            }
            (Value::Constant(by), Value::Columns { columns, double }) => {
                join_column(binary, &columns, double, &by, true)
            }
            (Value::Trees(a), Value::Trees(b)) => self.join_trees(binary, &a, &b),
            (Value::Trees(a), Value::Constant(b)) => self.join_constant(binary, &a, &b, false),
            (Value::Constant(a), Value::Trees(b)) => self.join_constant(binary, &b, &a, true),
            _ => Err("it joins columns of the row, or labels, with each other or with scores of trees".to_owned()),
        }
    }

    fn join_trees(&mut self, binary: Binary, a: &TreeValue, b: &TreeValue) -> Result<Value, String> {
        if let (TreeValue::Leaves { tree, values }, TreeValue::Leaves { tree: other, values: others }) = (a, b)
            && tree == other
        {
            let joined = values.iter().zip(others.iter()).map(|(a, b)| binary.apply(*a, *b));
            return Ok(leaves(*tree, joined.collect()));
        }
        let (a, b) = (self.plan.column_of(a)?, self.plan.column_of(b)?);
        let mut joined = Vec::new();
        for index in 0..a.len().max(b.len()) {
            let (a, b) = (nth(&a, index)?, nth(&b, index)?);
            joined.push(match binary {
                Binary::Add => self.plan.add(a, b)?,
                _ => self.plan.step(Step::Binary(binary, a, b))?,
            });
        }
        Ok(Value::Trees(TreeValue::Scores(joined)))
    }

    fn join_constant(&mut self, binary: Binary, scores: &TreeValue, by: &Tensor, first: bool) -> Result<Value, String> {
        if let (TreeValue::Leaves { tree, values }, Some(by)) = (scores, by.single()) {
            let apply = |value: &f64| if first { binary.apply(by, *value) } else { binary.apply(*value, by) };
            return Ok(leaves(*tree, values.iter().map(apply).collect()));
        }
        let (columns, by) = (self.plan.column_of(scores)?, across(by)?);
        let mut joined = Vec::new();
        for index in 0..columns.len().max(by.len()) {
            let (column, by) = (nth(&columns, index)?, self.plan.constant(nth(by, index)?)?);
            let (a, b) = if first { (by, column) } else { (column, by) };
            joined.push(self.plan.step(Step::Binary(binary, a, b))?);
        }
        Ok(Value::Trees(TreeValue::Scores(joined)))
    }
}
