use std::ops::Range;

use arrow::array::{Array, ArrowPrimitiveType, AsArray, BooleanArray, LargeStringArray, PrimitiveArray, StringArray};
use arrow::array::{ArrayRef, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};

/// A column read as numbers; rarer types are cast once per batch.
pub(crate) enum Numbers {
    Int32(PrimitiveArray<Int32Type>),
    Int64(PrimitiveArray<Int64Type>),
    UInt32(PrimitiveArray<UInt32Type>),
    UInt64(PrimitiveArray<UInt64Type>),
    Float32(PrimitiveArray<Float32Type>),
    Float64(PrimitiveArray<Float64Type>),
    Boolean(BooleanArray),
}

/// A column read as text; numbers and dictionaries are cast once per batch.
pub(crate) enum Texts {
    Small(StringArray),
    Large(LargeStringArray),
    View(StringViewArray),
}

impl Numbers {
    /// Takes a column; `None` if its type is no number.
    pub(crate) fn of(array: &ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Int32 => Self::Int32(array.as_primitive().clone()),
            DataType::Int64 => Self::Int64(array.as_primitive().clone()),
            DataType::UInt32 => Self::UInt32(array.as_primitive().clone()),
            DataType::UInt64 => Self::UInt64(array.as_primitive().clone()),
            DataType::Float32 => Self::Float32(array.as_primitive().clone()),
            DataType::Float64 => Self::Float64(array.as_primitive().clone()),
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            other if other.is_numeric() || other.is_null() => {
                Self::Float64(cast(array, &DataType::Float64).ok()?.as_primitive().clone())
            }
            _ => return None,
        })
    }

    /// Writes the values of `rows` to the first cell of each stretch of `width` cells.
    pub(crate) fn write(&self, rows: Range<usize>, cells: &mut [f32], width: usize) {
        match self {
            Self::Int32(array) => write(array, rows, cells, width, |value| value as f32),
            Self::Int64(array) => write(array, rows, cells, width, |value| value as f32),
            Self::UInt32(array) => write(array, rows, cells, width, |value| value as f32),
            Self::UInt64(array) => write(array, rows, cells, width, |value| value as f32),
            Self::Float32(array) => write(array, rows, cells, width, |value| narrow(f64::from(value))),
            Self::Float64(array) => write(array, rows, cells, width, narrow),
            Self::Boolean(array) => {
                for (cell, row) in cells.iter_mut().step_by(width).zip(rows) {
                    *cell = if array.is_null(row) { f32::NAN } else { f32::from(u8::from(array.value(row))) };
                }
            }
        }
    }
}

/// Infinite is missing; finite but beyond single precision is as large as it gets.
fn narrow(value: f64) -> f32 {
    if value.is_finite() { (value as f32).clamp(f32::MIN, f32::MAX) } else { f32::NAN }
}

fn write<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    rows: Range<usize>,
    cells: &mut [f32],
    width: usize,
    number: impl Fn(T::Native) -> f32,
) {
    let cells = cells.iter_mut().step_by(width);
    let values = &array.values()[rows.clone()];
    if array.null_count() == 0 {
        for (cell, value) in cells.zip(values) {
            *cell = number(*value);
        }
        return;
    }
    for ((cell, value), row) in cells.zip(values).zip(rows) {
        *cell = if array.is_null(row) { f32::NAN } else { number(*value) };
    }
}

impl Texts {
    /// Takes a column; `None` if its type is no category: categories are text, whole numbers and booleans.
    pub(crate) fn of(array: &ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Utf8 => Self::Small(array.as_string().clone()),
            DataType::LargeUtf8 => Self::Large(array.as_string().clone()),
            DataType::Utf8View => Self::View(array.as_string_view().clone()),
            other if is_category(other) => Self::Small(cast(array, &DataType::Utf8).ok()?.as_string().clone()),
            _ => return None,
        })
    }

    /// The text of row `row`; `None` if it is null.
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Small(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Large(array) => array.is_valid(row).then(|| array.value(row)),
            Self::View(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

fn is_category(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_category(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean | DataType::Null => true,
        other => other.is_integer(),
    }
}
