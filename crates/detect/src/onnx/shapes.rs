//! What the values of a graph without trees measure, worked out for one row before anything is run.
//!
//! A graph of a few bytes can ask for more memory than there is. So only operators whose result can be measured here
//! are let through, and only results of bounded size.

use std::collections::HashMap;

use super::graph::{Graph, attribute, int, ints, title};
use super::proto::NodeProto;
use super::tensor::{Tensor, dims};
use super::value::constant;

/// Most numbers a value may have for one row.
const NUMBERS_MAX: usize = 1 << 20;
/// Most axes of a tensor.
const AXES_MAX: usize = 8;
/// Most multiplications of one node for one row.
const PRODUCTS_MAX: usize = 1 << 28;
/// Operators that change no shape.
const KEEPING: [&str; 41] = [
    "Abs",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "IsNaN",
    "LayerNormalization",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "Mish",
    "Neg",
    "Not",
    "PRelu",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
];
/// Operators whose operands are stretched to each other.
const JOINING: [&str; 15] = [
    "Add",
    "And",
    "Div",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Max",
    "Mean",
    "Min",
    "Mul",
    "Or",
    "Pow",
    "Sub",
];
/// Operators that are let through besides those two lists, for messages.
const OTHERS: &str = "Sum, Where, MatMul, Gemm, Concat, Flatten, Reshape, Squeeze, Unsqueeze, Transpose, Slice, Gather, \
     Constant, ReduceMax, ReduceMean, ReduceMin, ReduceSum, ReduceSumSquare, ReduceL1, ReduceL2, LinearClassifier, \
     LinearRegressor, Normalizer, Scaler";

/// The shapes of the values made so far, and the constants among them.
struct Shapes<'a> {
    graph: &'a Graph,
    shapes: HashMap<&'a str, Vec<usize>>,
    made: HashMap<&'a str, Tensor>,
}

/// Gives the shape of `output` for one row of `width` columns; refuses a graph with a node that cannot be measured, or
/// a value that is too large.
pub(super) fn measure(graph: &Graph, output: &str, width: usize) -> Result<Vec<usize>, String> {
    let mut shapes = Shapes { graph, shapes: HashMap::new(), made: HashMap::new() };
    for proto in graph.constants() {
        let refuse = |text: String| format!("constant `{}`: {text}", proto.name.escape_debug());
        Tensor::read(proto).map_err(refuse)?;
        shapes.shapes.insert(&proto.name, dims(proto).map_err(refuse)?);
    }
    for input in &graph.inputs {
        shapes.shapes.insert(&input.name, vec![1, width]);
    }
    for index in graph.needed(output) {
        let node = &graph.nodes[index];
        shapes.add(node).map_err(|text| format!("{}: {text}", title(node)))?;
    }
    shapes.shapes.remove(output).ok_or_else(|| format!("output `{}` is made by nothing", output.escape_debug()))
}

impl<'a> Shapes<'a> {
    fn add(&mut self, node: &'a NodeProto) -> Result<(), String> {
        let shape = self.shape(node)?;
        if shape.len() > AXES_MAX {
            return Err(format!("its result has {} axes; up to {AXES_MAX} are possible", shape.len()));
        }
        if size(&shape).is_none_or(|size| size > NUMBERS_MAX) {
            return Err(format!(
                "its result has the shape {shape:?}; up to {NUMBERS_MAX} numbers per row are possible"
            ));
        }
        // Only a linear classifier has a second output that is of use; its first are labels.
        let place = usize::from(node.op_type == "LinearClassifier");
        if let Some(name) = node.output.get(place) {
            self.shapes.insert(name, shape);
        }
        Ok(())
    }

    fn shape(&mut self, node: &'a NodeProto) -> Result<Vec<usize>, String> {
        let operator = node.op_type.as_str();
        match (node.domain.as_str(), operator) {
            ("" | "ai.onnx", operator) if KEEPING.contains(&operator) => self.kept(node),
            ("" | "ai.onnx", operator) if JOINING.contains(&operator) || ["Sum", "Where"].contains(&operator) => (1
                ..node.input.len())
                .try_fold(self.input(node, 0)?, |shape, index| joined(&shape, &self.input(node, index)?)),
            ("" | "ai.onnx", "MatMul") => product(&self.input(node, 0)?, &self.input(node, 1)?),
            ("" | "ai.onnx", "Gemm") => self.gemm(node),
            ("" | "ai.onnx", "Concat") => self.concat(node),
            ("" | "ai.onnx", "Flatten") => flattened(&self.input(node, 0)?, int(node, "axis", 1)),
            ("" | "ai.onnx", "Reshape") => self.reshaped(node),
            ("" | "ai.onnx", "Squeeze") => self.squeezed(node),
            ("" | "ai.onnx", "Unsqueeze") => self.unsqueezed(node),
            ("" | "ai.onnx", "Transpose") => self.transposed(node),
            ("" | "ai.onnx", "Slice") => self.sliced(node),
            ("" | "ai.onnx", "Gather") => self.gathered(node),
            ("" | "ai.onnx", "Constant") => {
                let tensor = constant(node)?;
                let shape = tensor.dims.clone();
                self.made.extend(node.output.first().map(|name| (name.as_str(), tensor)));
                Ok(shape)
            }
            (
                "" | "ai.onnx",
                "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceSum" | "ReduceSumSquare" | "ReduceL1" | "ReduceL2",
            ) => self.reduced(node),
            ("ai.onnx.ml", "Normalizer" | "Scaler") => self.input(node, 0),
            ("ai.onnx.ml", "LinearRegressor") => Ok(vec![1, count(int(node, "targets", 1))?]),
            ("ai.onnx.ml", "LinearClassifier") => {
                let labels = attribute(node, "classlabels_strings").map_or(0, |labels| labels.strings.len());
                Ok(vec![1, ints(node, "classlabels_ints").len() + labels])
            }
            _ => Err(format!(
                "this operator is not supported; these are: {}, {}, {OTHERS}",
                KEEPING.join(", "),
                JOINING.join(", ")
            )),
        }
    }

    fn input(&self, node: &NodeProto, index: usize) -> Result<Vec<usize>, String> {
        let name = node.input.get(index).ok_or_else(|| format!("it has no input {index}"))?;
        let known = self.shapes.get(name.as_str()).cloned();
        known.ok_or_else(|| format!("input `{}` cannot be measured", name.escape_debug()))
    }

    /// Parameters must not stretch the first input.
    fn kept(&self, node: &NodeProto) -> Result<Vec<usize>, String> {
        let shape = self.input(node, 0)?;
        for index in (1..node.input.len()).filter(|index| !node.input[*index].is_empty()) {
            if size(&self.input(node, index)?) > size(&shape) {
                return Err(format!("its input {index} is larger than what it works on"));
            }
        }
        Ok(shape)
    }

    /// Numbers that a list must consist of, from a constant input or, in older files, an attribute; `None` if neither
    /// is given.
    fn list(&self, node: &NodeProto, index: usize, name: &str) -> Result<Option<Vec<i64>>, String> {
        let Some(input) = node.input.get(index).filter(|input| !input.is_empty()) else {
            return Ok(attribute(node, name).map(|attribute| attribute.ints.clone()));
        };
        let values = match (self.made.get(input.as_str()), self.graph.constant(input)) {
            (Some(tensor), _) => tensor.values.clone(),
            (None, Some(tensor)) => tensor?.values,
            (None, None) => return Err(format!("its input {index} must be a constant")),
        };
        Ok(Some(values.into_iter().map(|value| value as i64).collect()))
    }

    fn gemm(&self, node: &NodeProto) -> Result<Vec<usize>, String> {
        let turned = |shape: Vec<usize>, name: &str| match (&shape[..], int(node, name, 0)) {
            ([a, b], 0) => Ok(vec![*a, *b]),
            ([a, b], _) => Ok(vec![*b, *a]),
            _ => Err(format!("it multiplies a value of shape {shape:?}")),
        };
        let shape = product(&turned(self.input(node, 0)?, "transA")?, &turned(self.input(node, 1)?, "transB")?)?;
        match node.input.get(2).is_some_and(|name| !name.is_empty()) {
            true if joined(&shape, &self.input(node, 2)?)? != shape => {
                Err("its third input stretches the result".to_owned())
            }
            _ => Ok(shape),
        }
    }

    fn concat(&self, node: &NodeProto) -> Result<Vec<usize>, String> {
        let mut shape = self.input(node, 0)?;
        let axis = axis(int(node, "axis", 0), shape.len())?;
        for index in 1..node.input.len() {
            let other = self.input(node, index)?;
            let fits = other.len() == shape.len() && (0..shape.len()).all(|at| at == axis || other[at] == shape[at]);
            if !fits {
                return Err(format!("it joins the shapes {shape:?} and {other:?}"));
            }
            shape[axis] = shape[axis].saturating_add(other[axis]);
        }
        Ok(shape)
    }

    fn reshaped(&self, node: &NodeProto) -> Result<Vec<usize>, String> {
        let shape = self.input(node, 0)?;
        let asked = self.list(node, 1, "shape")?.unwrap_or_default();
        let total = size(&shape).ok_or("its input is too large")?;
        if asked.len() > AXES_MAX {
            return Err(format!("it asks for {} axes; up to {AXES_MAX} are possible", asked.len()));
        }
        let mut made = Vec::with_capacity(asked.len());
        for (index, dim) in asked.iter().enumerate() {
            made.push(match *dim {
                -1 => 1,
                0 if int(node, "allowzero", 0) == 0 => *shape.get(index).ok_or("it keeps an axis that is not there")?,
                dim => count(dim)?,
            });
        }
        let rest = size(&made).filter(|rest| *rest > 0 && total.is_multiple_of(*rest)).map_or(0, |rest| total / rest);
        if let Some(open) = asked.iter().position(|dim| *dim == -1) {
            made[open] = rest;
        }
        match size(&made) == Some(total) {
            true => Ok(made),
            false => Err(format!("it makes {asked:?} of {shape:?}")),
        }
    }

    fn squeezed(&self, node: &NodeProto) -> Result<Vec<usize>, String> {
        let shape = self.input(node, 0)?;
        let axes = match self.list(node, 1, "axes")? {
            Some(axes) => axes.iter().map(|at| axis(*at, shape.len())).collect::<Result<Vec<usize>, _>>()?,
            None => (0..shape.len()).filter(|at| shape[*at] == 1).collect(),
        };
        match axes.iter().all(|at| shape[*at] == 1) {
            true => Ok((0..shape.len()).filter(|at| !axes.contains(at)).map(|at| shape[at]).collect()),
            false => Err(format!("it takes axes out of {shape:?} that are longer than 1")),
        }
    }

    fn unsqueezed(&self, node: &NodeProto) -> Result<Vec<usize>, String> {
        let shape = self.input(node, 0)?;
        let axes = self.list(node, 1, "axes")?.unwrap_or_default();
        let rank = shape.len() + axes.len();
        if rank > 8 {
            return Err(format!("its result has {rank} axes"));
        }
        let axes = axes.iter().map(|at| axis(*at, rank)).collect::<Result<Vec<usize>, _>>()?;
        let mut rest = shape.iter();
        Ok((0..rank).map(|at| if axes.contains(&at) { 1 } else { rest.next().copied().unwrap_or(1) }).collect())
    }

    fn transposed(&self, node: &NodeProto) -> Result<Vec<usize>, String> {
        let shape = self.input(node, 0)?;
        let turned: Vec<usize> = match ints(node, "perm") {
            [] => (0..shape.len()).rev().collect(),
            order => order.iter().map(|at| axis(*at, shape.len())).collect::<Result<_, _>>()?,
        };
        let mut sorted = turned.clone();
        sorted.sort_unstable();
        match sorted.iter().copied().eq(0..shape.len()) {
            true => Ok(turned.into_iter().map(|at| shape[at]).collect()),
            false => Err(format!("its order of axes does not fit {shape:?}")),
        }
    }

    fn sliced(&self, node: &NodeProto) -> Result<Vec<usize>, String> {
        let mut shape = self.input(node, 0)?;
        let list = |index: usize, name: &str| self.list(node, index, name);
        let (starts, ends) = (list(1, "starts")?.unwrap_or_default(), list(2, "ends")?.unwrap_or_default());
        let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        if starts.len() != ends.len()
            || axes.len() != starts.len()
            || list(4, "steps")?.is_some_and(|steps| steps.iter().any(|step| *step != 1))
        {
            return Err("it must have as many starts as ends and axes, and steps of 1".to_owned());
        }
        for ((start, end), at) in starts.iter().zip(&ends).zip(&axes) {
            let at = axis(*at, shape.len())?;
            let length = shape[at] as i64;
            let place = |bound: i64| if bound < 0 { bound.saturating_add(length) } else { bound }.clamp(0, length);
            shape[at] = (place(*end) - place(*start)).max(0) as usize;
        }
        Ok(shape)
    }

    fn gathered(&self, node: &NodeProto) -> Result<Vec<usize>, String> {
        let (shape, picked) = (self.input(node, 0)?, self.input(node, 1)?);
        let at = axis(int(node, "axis", 0), shape.len())?;
        let bound = |index: &i64| (-(shape[at] as i64)..shape[at] as i64).contains(index);
        if !self.list(node, 1, "")?.unwrap_or_default().iter().all(bound) {
            return Err(format!("it picks what is not there in {shape:?}"));
        }
        Ok([&shape[..at], &picked, &shape[at + 1..]].concat())
    }

    fn reduced(&self, node: &NodeProto) -> Result<Vec<usize>, String> {
        let shape = self.input(node, 0)?;
        let axes = self.list(node, 1, "axes")?.filter(|axes| !axes.is_empty());
        let axes = match axes {
            Some(axes) => axes.iter().map(|at| axis(*at, shape.len())).collect::<Result<Vec<usize>, _>>()?,
            None => (0..shape.len()).collect(),
        };
        let keeps = int(node, "keepdims", 1) != 0;
        let dim = |at: usize| if axes.contains(&at) { keeps.then_some(1) } else { Some(shape[at]) };
        Ok((0..shape.len()).filter_map(dim).collect())
    }
}

/// Number of values of a shape; `None` if it cannot be counted.
fn size(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |size, dim| size.checked_mul(*dim))
}

fn count(dim: i64) -> Result<usize, String> {
    usize::try_from(dim).map_err(|_| format!("{dim} is no length"))
}

fn axis(at: i64, rank: usize) -> Result<usize, String> {
    let place = if at < 0 { at.saturating_add(rank as i64) } else { at };
    usize::try_from(place)
        .ok()
        .filter(|place| *place < rank)
        .ok_or_else(|| format!("axis {at} of {rank} does not exist"))
}

/// The shape that two shapes are stretched to. Source: ONNX, "Broadcasting", multidirectional.
fn joined(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let dim = |shape: &[usize], at: usize| (at + shape.len()).checked_sub(rank).map_or(1, |place| shape[place]);
    let stretch = |at: usize| match (dim(a, at), dim(b, at)) {
        (a, b) if a == b || b == 1 => Ok(a),
        (1, b) => Ok(b),
        _ => Err(format!("it joins the shapes {a:?} and {b:?}")),
    };
    (0..rank).map(stretch).collect()
}

fn product(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let ([rest_a @ .., rows, inner], [rest_b @ .., other, columns]) = (a, b) else {
        return Err(format!("it multiplies the shapes {a:?} and {b:?}; at least two axes each are supported"));
    };
    let mut shape = joined(rest_a, rest_b)?;
    shape.extend([*rows, *columns]);
    let products = size(&shape).and_then(|size| size.checked_mul(*inner));
    match inner == other && products.is_some_and(|products| products <= PRODUCTS_MAX) {
        true => Ok(shape),
        false => Err(format!("it multiplies the shapes {a:?} and {b:?}, which do not fit or are too large")),
    }
}

fn flattened(shape: &[usize], at: i64) -> Result<Vec<usize>, String> {
    let at = if at == shape.len() as i64 { shape.len() } else { axis(at, shape.len())? };
    let sizes = size(&shape[..at]).zip(size(&shape[at..]));
    sizes.map(|(rows, columns)| vec![rows, columns]).ok_or_else(|| format!("{shape:?} is too large"))
}
