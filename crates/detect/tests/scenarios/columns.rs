//! How columns of a batch become numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int8Array, Int64Array, LargeStringArray};
use arrow::array::{NullArray, RecordBatch, StringArray, StringViewArray, UInt64Array};
use arrow::datatypes::Int32Type;
use lapwing_detect::columns::ONE_HOT_MAX;
use lapwing_detect::{DetectError, Encoding, InputSpec, ModelColumns};

fn spec(column: &str, encoding: Encoding) -> InputSpec {
    InputSpec { column: column.to_owned(), encoding }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// NaN equals NaN here.
fn assert_rows(columns: &ModelColumns, batch: &RecordBatch, expected: &[&[f32]]) {
    let matrix = columns.encode(batch).unwrap();
    assert_eq!(matrix.rows(), expected.len());
    for (row, expected) in matrix.iter().zip(expected) {
        assert_eq!(format!("{row:?}"), format!("{expected:?}"));
    }
}

#[test]
fn numbers_of_every_type_are_read_and_what_is_no_number_is_missing() {
    let columns = ModelColumns::numeric(&["i", "f", "b", "u", "tiny", "null"]).unwrap();
    let rows = batch(vec![
        ("u", Arc::new(UInt64Array::from(vec![Some(7), None, Some(u64::MAX)]))),
        ("i", Arc::new(Int64Array::from(vec![Some(-3), None, Some(5)]))),
        ("f", Arc::new(Float64Array::from(vec![1e300, f64::INFINITY, f64::NAN]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("tiny", Arc::new(Int8Array::from(vec![1, 2, 3]))),
        ("null", Arc::new(NullArray::new(3))),
    ]);
    let nan = f32::NAN;
    let expected: [&[f32]; 3] = [
        &[-3.0, f32::MAX, 1.0, 7.0, 1.0, nan],
        &[nan, nan, 0.0, nan, 2.0, nan],
        &[5.0, nan, nan, 1.844_674_4e19, 3.0, nan],
    ];
    assert_rows(&columns, &rows, &expected);
}

#[test]
fn every_kind_of_text_gives_the_same_categories() {
    let values = vec![Some("http"), Some("dns"), None, Some("http"), Some("new")];
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(values.clone())),
        Arc::new(LargeStringArray::from(values.clone())),
        Arc::new(StringViewArray::from(values.clone())),
        Arc::new(values.clone().into_iter().collect::<DictionaryArray<Int32Type>>()),
    ];
    let train = batch(vec![("service", Arc::new(StringArray::from(vec!["http", "dns", "http"])))]);
    let specs = [spec("service", Encoding::OneHot), spec("service", Encoding::Frequency)];
    let columns = ModelColumns::fit(&specs, &[train]).unwrap();
    assert_eq!(columns.names(), ["service=http", "service=dns", "service=(other)", "rarity(service)"]);
    assert_eq!((columns.width(), columns.name(2).as_deref(), columns.name(4)), (4, Some("service=(other)"), None));
    assert_eq!(columns.places("service"), [0, 1, 2, 3]);
    assert_eq!(columns.places("service=dns"), [1]);
    assert_eq!(columns.places("servic"), [0; 0]);
    let (http, dns, unseen) = (1.5_f32.ln(), 3_f32.ln(), 6_f32.ln());
    let nan = f32::NAN;
    let expected: [&[f32]; 5] =
        [&[1.0, 0.0, 0.0, http], &[0.0, 1.0, 0.0, dns], &[nan; 4], &[1.0, 0.0, 0.0, http], &[0.0, 0.0, 1.0, unseen]];
    for array in arrays {
        assert_rows(&columns, &batch(vec![("service", array)]), &expected);
    }
}

#[test]
fn only_the_most_frequent_categories_get_a_column() {
    let ports: Vec<i64> = (0..200).flat_map(|port| vec![port; if port < 100 { 2 } else { 1 }]).collect();
    let rows = batch(vec![("port", Arc::new(Int64Array::from(ports)))]);
    let columns = ModelColumns::fit(&[spec("port", Encoding::OneHot)], std::slice::from_ref(&rows)).unwrap();
    assert_eq!(columns.width(), ONE_HOT_MAX + 1);
    let matrix = columns.encode(&rows).unwrap();
    assert!(matrix.iter().all(|row| row.iter().sum::<f32>() == 1.0));
    assert_eq!(matrix.row(matrix.rows() - 1)[ONE_HOT_MAX], 1.0);
}

#[test]
fn a_batch_longer_than_a_block_is_encoded_like_its_slices() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..1000).map(|n| (n % 7 != 0).then_some(n))));
    let texts: ArrayRef =
        Arc::new(StringArray::from_iter((0..1000).map(|n| (n % 5 != 0).then(|| (n % 3).to_string()))));
    let whole = batch(vec![("n", numbers), ("t", texts)]);
    let specs = [spec("t", Encoding::OneHot), spec("n", Encoding::Numeric), spec("t", Encoding::Frequency)];
    let columns = ModelColumns::fit(&specs, std::slice::from_ref(&whole)).unwrap();
    let together = columns.encode(&whole).unwrap();
    for (start, length) in [(0, 1), (1, 299), (300, 700)] {
        let part = columns.encode(&whole.slice(start, length)).unwrap();
        for (index, row) in part.iter().enumerate() {
            assert_eq!(format!("{row:?}"), format!("{:?}", together.row(start + index)));
        }
    }
    assert!(columns.encode(&whole.slice(0, 0)).unwrap().is_empty());
}

#[test]
fn a_batch_that_does_not_fit_is_refused_with_every_difference_named() {
    let columns = ModelColumns::numeric(&["a", "b", "c"]).unwrap();
    let rows = batch(vec![("a", Arc::new(StringArray::from(vec!["1"]))), ("x", Arc::new(Int64Array::from(vec![1])))]);
    let error = columns.encode(&rows).unwrap_err();
    assert!(matches!(error, DetectError::Columns(_)));
    let text = "encode model columns: missing `b`, `c` (the batch has `a`, `x`); `a` is Utf8, the model reads a number";
    assert_eq!(error.to_string(), text);
    let floats = batch(vec![("a", Arc::new(Float64Array::from(vec![1.0])))]);
    let error = ModelColumns::fit(&[spec("a", Encoding::OneHot)], &[floats]).unwrap_err().to_string();
    assert!(error.contains("`a` is Float64, the model reads a category"), "{error}");
}

#[test]
fn a_column_read_twice_the_same_way_is_refused() {
    for names in [vec!["a", "b", "a"], vec![]] {
        assert!(matches!(ModelColumns::numeric(&names), Err(DetectError::Setting(_))));
    }
}
