use std::rc::Rc;

use super::formula::{Binary, Unary};
use super::graph::{attribute, floats, ints};
use super::plan::TreeValue;
use super::probe::{Column, ColumnOp};
use super::proto::{BOOL, DOUBLE, FLOAT, INT32, INT64, NodeProto};
use super::tensor::Tensor;

/// What a name in the graph stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Constant(Rc<Tensor>),
    /// Columns of the row; `double` if the model goes on in double precision.
    Columns {
        columns: Rc<[Column]>,
        double: bool,
    },
    Trees(TreeValue),
    Labels,
}

impl Value {
    /// How much it holds, in numbers or steps.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Constant(tensor) => tensor.values.len(),
            Self::Columns { columns, .. } => columns.iter().map(|column| 1 + column.ops.len()).sum(),
            Self::Trees(TreeValue::Leaves { values, .. }) => values.len(),
            Self::Trees(TreeValue::Scores(columns)) => columns.len(),
            Self::Labels => 0,
        }
    }
}

pub(super) fn leaves(tree: usize, values: Vec<f64>) -> Value {
    Value::Trees(TreeValue::Leaves { tree, values: Rc::new(values) })
}

/// Value `index`, or the only one.
pub(super) fn nth<T: Copy>(values: &[T], index: usize) -> Result<T, String> {
    let found = if values.len() == 1 { values.first() } else { values.get(index) };
    found.copied().ok_or_else(|| format!("it joins values of different widths, one of {}", values.len()))
}

/// The values of a constant that lie beside each other in a row; a constant of several rows is refused.
pub(super) fn across(tensor: &Tensor) -> Result<&[f64], String> {
    let last = tensor.dims.last().copied().unwrap_or(1);
    match !tensor.values.is_empty() && tensor.values.len() == last {
        true => Ok(&tensor.values),
        false => Err(format!("it joins with a constant of shape {:?}; one row is supported", tensor.dims)),
    }
}

pub(super) fn join_constants(binary: Binary, a: &Tensor, b: &Tensor) -> Result<Value, String> {
    if a.dims != b.dims && a.values.len() != 1 && b.values.len() != 1 {
        return Err(format!("it joins constants of shapes {:?} and {:?}; equal ones are supported", a.dims, b.dims));
    }
    let longer = if a.values.len() >= b.values.len() { a } else { b };
    let joined = (0..longer.values.len())
        .map(|index| Ok(binary.apply(nth(&a.values, index)?, nth(&b.values, index)?)))
        .collect::<Result<_, String>>()?;
    Ok(Value::Constant(Rc::new(Tensor { dims: longer.dims.clone(), values: joined })))
}

/// Prepares every column by steps of its own.
pub(super) fn prepared(
    columns: &[Column],
    double: bool,
    prepare: impl Fn(&Column, usize) -> Result<Column, String>,
) -> Result<Value, String> {
    if double {
        return Err("it reckons in double precision; convert the model with float inputs".to_owned());
    }
    let columns = columns.iter().enumerate().map(|(index, column)| prepare(column, index)).collect::<Result<_, _>>()?;
    Ok(Value::Columns { columns, double })
}

pub(super) fn join_column(
    binary: Binary,
    columns: &[Column],
    double: bool,
    by: &Tensor,
    first: bool,
) -> Result<Value, String> {
    let by = across(by)?;
    if by.len() != 1 && by.len() != columns.len() {
        return Err(format!("it joins {} columns with a constant of {}", columns.len(), by.len()));
    }
    prepared(columns, double, |column, index| {
        let by = nth(by, index)? as f32;
        column.then(match (binary, first) {
            (Binary::Add, _) => ColumnOp::Add(by),
            (Binary::Multiply, _) => ColumnOp::Multiply(by),
            (Binary::Subtract, false) => ColumnOp::Subtract(by),
            (Binary::Subtract, true) => ColumnOp::SubtractFrom(by),
            (Binary::Divide, false) => ColumnOp::Divide(by),
            _ => return Err("on columns of the row, Add, Sub, Mul and Div by a constant are supported".to_owned()),
        })
    })
}

pub(super) fn cast(value: Value, to: i64) -> Result<Value, String> {
    let to = i32::try_from(to).unwrap_or(0);
    let whole = [INT32, INT64].contains(&to);
    match value {
        Value::Columns { columns, .. } if [FLOAT, DOUBLE].contains(&to) => {
            Ok(Value::Columns { columns, double: to == DOUBLE })
        }
        Value::Trees(TreeValue::Leaves { tree, values }) if whole => {
            Ok(leaves(tree, values.iter().map(|value| value.trunc()).collect()))
        }
        Value::Trees(scores) if [FLOAT, DOUBLE].contains(&to) => Ok(Value::Trees(scores)),
        Value::Labels => Ok(Value::Labels),
        Value::Constant(tensor) if whole || to == BOOL => {
            let value = |value: &f64| if whole { value.trunc() } else { f64::from(u8::from(*value != 0.0)) };
            let values = tensor.values.iter().map(value).collect();
            Ok(Value::Constant(Rc::new(Tensor { dims: tensor.dims.clone(), values })))
        }
        Value::Constant(tensor) if [FLOAT, DOUBLE].contains(&to) => Ok(Value::Constant(tensor)),
        _ => {
            Err(format!("it casts to element type {to}; float and double are supported, whole numbers behind one tree"))
        }
    }
}

/// The value of a `Constant` node.
pub(super) fn constant(node: &NodeProto) -> Result<Tensor, String> {
    if let Some(proto) = attribute(node, "value").and_then(|attribute| attribute.t.as_ref()) {
        return Tensor::read(proto);
    }
    let many: Vec<f64> = floats(node, "value_floats").iter().map(|value| f64::from(*value)).collect();
    let many: Vec<f64> = many.into_iter().chain(ints(node, "value_ints").iter().map(|value| *value as f64)).collect();
    if !many.is_empty() {
        return Ok(Tensor { dims: vec![many.len()], values: many });
    }
    let float = attribute(node, "value_float").map(|attribute| f64::from(attribute.f));
    let single = float.or_else(|| attribute(node, "value_int").map(|attribute| attribute.i as f64));
    single.map(|value| Tensor { dims: Vec::new(), values: vec![value] }).ok_or_else(|| "it is no number".to_owned())
}

pub(super) fn unary(operator: &str) -> Option<Unary> {
    Some(match operator {
        "Neg" => Unary::Negate,
        "Abs" => Unary::Absolute,
        "Exp" => Unary::Exponential,
        "Log" => Unary::Logarithm,
        "Sqrt" => Unary::SquareRoot,
        "Sigmoid" => Unary::Logistic,
        _ => return None,
    })
}

pub(super) fn binary(operator: &str) -> Option<Binary> {
    Some(match operator {
        "Add" | "Sum" => Binary::Add,
        "Sub" => Binary::Subtract,
        "Mul" => Binary::Multiply,
        "Div" => Binary::Divide,
        "Pow" => Binary::Power,
        "Max" => Binary::Maximum,
        "Min" => Binary::Minimum,
        "Equal" => Binary::Equal,
        "Greater" => Binary::Greater,
        "Less" => Binary::Less,
        _ => return None,
    })
}
