//! Columns as the feature graph wants them: numbers, and categories as codes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema as ArrowSchema, SchemaRef};
use lapwing_features::Graph;

/// The schema of rows with features: the row's own columns, then one nullable number per feature.
pub fn schema_with_features(rows: &ArrowSchema, graph: &Graph) -> SchemaRef {
    let mut fields: Vec<_> = rows.fields().iter().cloned().collect();
    let feature = |name: &String| Arc::new(Field::new(name, DataType::Float64, true));
    fields.extend(graph.names().iter().map(feature));
    Arc::new(ArrowSchema::new(fields))
}

/// A column as text.
pub(crate) fn text_column(rows: &RecordBatch, name: &str) -> StringArray {
    let column = rows.column_by_name(name).expect("the plan keeps the columns that this stage names");
    cast(column, &DataType::Utf8).expect("every decoded type has a text form").as_string::<i32>().clone()
}

/// The same column at some of its rows.
pub(super) fn text_rows(column: &StringArray, rows: &[u32]) -> StringArray {
    rows.iter().map(|row| Some(column.value(*row as usize))).collect()
}

/// A column as numbers: what is no number is told apart by its code.
pub(super) fn number_column(rows: &RecordBatch, name: &str) -> Float64Array {
    let column = rows.column_by_name(name).expect("the plan keeps the columns of features");
    let numbers = match column.data_type() {
        DataType::Timestamp(..) => cast(column, &DataType::Int64).and_then(|column| cast(&column, &DataType::Float64)),
        kind if kind.is_numeric() || *kind == DataType::Boolean => cast(column, &DataType::Float64),
        _ => {
            let texts = text_column(rows, name);
            let codes = texts.iter().map(|text| text.map(category_code)).collect::<Float64Array>();
            Ok(Arc::new(codes) as ArrayRef)
        }
    };
    numbers.expect("numbers convert to floating point").as_primitive::<Float64Type>().clone()
}

/// The number that stands for a category in features: the same on every machine and in every version, because state
/// remembers it. A whole number below 2⁵³, so that a float holds it exactly; of a million categories two share a code
/// with a chance of about 6·10⁻⁵.
/// Source: FNV-1a of 64 bits (draft-eastlake-fnv), finished as in SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) fn category_code(text: &str) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.as_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((hash ^ (hash >> 31)) >> 11) as f64
}

/// The value of a row, NaN for null.
#[inline]
pub(super) fn value(column: &Float64Array, row: usize) -> f64 {
    if column.is_null(row) { f64::NAN } else { column.value(row) }
}

/// A column of a feature; what does not exist is null.
pub(super) fn nan_to_null(values: Vec<f64>) -> ArrayRef {
    if values.iter().any(|value| value.is_nan()) {
        Arc::new(values.into_iter().map(|value| (!value.is_nan()).then_some(value)).collect::<Float64Array>())
    } else {
        Arc::new(Float64Array::from(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_never_change() {
        let codes = ["", "http", "é"].map(category_code);
        assert_eq!(codes, [8_625_955_362_125_501.0, 1_099_748_416_756_563.0, 1_238_601_663_680_512.0]);
    }
}
