//! What the trees of an ONNX model compare.
//!
//! The scorer of trees knows one comparison, `≤`, and no missing values. A probe is a column made for it: a value of the
//! row, prepared as the model asks, with a missing one put below or above all others, according to the side that it
//! takes at the nodes that read this probe. So every comparison and every way to treat missing values becomes exact
//! `≤` on probes.

use serde::{Deserialize, Serialize};

/// Most steps that prepare a value.
const OPS_MAX: usize = 64;

/// One step that prepares a value, in single precision as the model's own runtime does it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum ColumnOp {
    Add(f32),
    Subtract(f32),
    SubtractFrom(f32),
    Multiply(f32),
    Divide(f32),
    /// Puts `value` where `replaced` stands; where something is missing if it is `None`.
    Impute {
        replaced: Option<f32>,
        value: f32,
    },
}

impl ColumnOp {
    fn apply(self, value: f32) -> f32 {
        match self {
            Self::Add(by) => value + by,
            Self::Subtract(by) => value - by,
            Self::SubtractFrom(from) => from - value,
            Self::Multiply(by) => value * by,
            Self::Divide(by) => value / by,
            Self::Impute { replaced: None, value: other } if value.is_nan() => other,
            Self::Impute { replaced: Some(replaced), value: other } if value == replaced => other,
            Self::Impute { .. } => value,
        }
    }
}

/// A value of the row, prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Column {
    /// Place in the row.
    pub(super) source: u32,
    pub(super) ops: Vec<ColumnOp>,
}

impl Column {
    pub(super) fn plain(source: usize) -> Self {
        Self { source: source as u32, ops: Vec::new() }
    }

    /// The same, prepared by one step more.
    pub(super) fn then(&self, op: ColumnOp) -> Result<Self, String> {
        if self.ops.len() == OPS_MAX {
            return Err(format!("a column is prepared by more than {OPS_MAX} steps"));
        }
        let mut column = self.clone();
        column.ops.push(op);
        Ok(column)
    }
}

/// What of the prepared value is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Reads {
    /// The value; a missing one is below all others.
    MissingLow,
    /// The value; a missing one is above all others.
    MissingHigh,
    /// 1 if it is missing, else 0.
    IsMissing,
    /// 1 if it is one of these numbers, which ascend, else 0; `missing` says which for a missing one.
    OneOf { numbers: Vec<f32>, missing: bool },
}

/// A column made for the scorer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Probe {
    pub(super) column: Column,
    pub(super) reads: Reads,
}

impl Probe {
    /// What the scorer sees; never NaN.
    pub(super) fn value(&self, row: &[f32]) -> f32 {
        let raw = row[self.column.source as usize];
        let value = self.column.ops.iter().fold(raw, |value, op| op.apply(value));
        match &self.reads {
            Reads::MissingLow if value.is_nan() => f32::NEG_INFINITY,
            Reads::MissingHigh if value.is_nan() => f32::INFINITY,
            Reads::MissingLow | Reads::MissingHigh => value,
            Reads::IsMissing => f32::from(u8::from(value.is_nan())),
            Reads::OneOf { missing, .. } if value.is_nan() => f32::from(u8::from(*missing)),
            Reads::OneOf { numbers, .. } => {
                // Both zeros are one number.
                let found = numbers.binary_search_by(|number| number.total_cmp(&(value + 0.0)));
                f32::from(u8::from(found.is_ok()))
            }
        }
    }
}
