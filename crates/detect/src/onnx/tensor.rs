use super::proto::{BOOL, DOUBLE, FLOAT, INT32, INT64, TensorProto, UINT8};

/// Most values of a tensor that is read as numbers.
const VALUES_MAX: usize = 16 * 1024 * 1024;

/// A constant of a graph. Shape: `dims`, row by row; none for a single number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) dims: Vec<usize>,
    pub(super) values: Vec<f64>,
}

impl Tensor {
    /// Reads a tensor of numbers; the text says what is wrong.
    pub(super) fn read(proto: &TensorProto) -> Result<Self, String> {
        if proto.data_location != 0 || !proto.external_data.is_empty() {
            return Err("its values lie in another file; save the model as one file".to_owned());
        }
        let dims = dims(proto)?;
        let expected: usize = dims.iter().product();
        let values = values(proto)?;
        match values.len() == expected {
            true => Ok(Self { dims, values }),
            false => Err(format!("it has {} values, its shape {dims:?} asks for {expected}", values.len())),
        }
    }

    /// The only value; `None` if there are more or none.
    pub(super) fn single(&self) -> Option<f64> {
        match self.values[..] {
            [value] => Some(value),
            _ => None,
        }
    }
}

/// The shape, its product bounded.
pub(super) fn dims(proto: &TensorProto) -> Result<Vec<usize>, String> {
    let dims: Option<Vec<usize>> = proto.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect();
    let product = |dims: &[usize]| dims.iter().try_fold(1_usize, |product, dim| product.checked_mul(*dim));
    match dims {
        Some(dims) if dims.len() <= 8 && product(&dims).is_some_and(|size| size <= VALUES_MAX) => Ok(dims),
        _ => {
            let shown = &proto.dims[..proto.dims.len().min(8)];
            Err(format!("its shape {shown:?} is not possible; up to 8 axes and {VALUES_MAX} values are"))
        }
    }
}

fn values(proto: &TensorProto) -> Result<Vec<f64>, String> {
    let raw = &proto.raw_data;
    let values: Vec<f64> = match (proto.data_type, raw.is_empty()) {
        (FLOAT, true) => proto.float_data.iter().map(|value| f64::from(*value)).collect(),
        (FLOAT, false) => fixed(raw, |bytes| f64::from(f32::from_le_bytes(bytes)))?,
        (DOUBLE, true) => proto.double_data.clone(),
        (DOUBLE, false) => fixed(raw, f64::from_le_bytes)?,
        (INT64, true) => proto.int64_data.iter().map(|value| *value as f64).collect(),
        (INT64, false) => fixed(raw, |bytes| i64::from_le_bytes(bytes) as f64)?,
        (INT32 | UINT8 | BOOL, true) => proto.int32_data.iter().map(|value| f64::from(*value)).collect(),
        (INT32, false) => fixed(raw, |bytes| f64::from(i32::from_le_bytes(bytes)))?,
        (UINT8 | BOOL, false) => raw.iter().map(|value| f64::from(*value)).collect(),
        (other, _) => return Err(format!("its element type {other} is not supported; float, double and integers are")),
    };
    Ok(values)
}

fn fixed<const N: usize>(raw: &[u8], read: impl Fn([u8; N]) -> f64) -> Result<Vec<f64>, String> {
    let (chunks, rest) = raw.as_chunks::<N>();
    match rest.is_empty() {
        true => Ok(chunks.iter().map(|chunk| read(*chunk)).collect()),
        false => Err(format!("its {} bytes are no multiple of {N}", raw.len())),
    }
}
