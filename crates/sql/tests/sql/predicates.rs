use lapwing_sql::{Predicate, SqlError};

use crate::rows::events;

fn truth(expression: &str) -> Vec<bool> {
    let batch = events(0, 6);
    let predicate =
        Predicate::plan(expression, &batch.schema()).unwrap_or_else(|error| panic!("{expression}: {error}"));
    predicate.evaluate(&batch).unwrap().values().iter().collect()
}

#[test]
fn rows_are_judged_and_null_counts_as_false() {
    assert_eq!(truth("src_bytes >= 2"), [false, false, true, true, false, true]);
    assert_eq!(truth("NOT src_bytes >= 2"), [true, true, false, false, false, false]);
    assert_eq!(truth("host_id = 'h1' OR dst_bytes > 8"), [false, true, false, false, false, true]);
    assert_eq!(truth("src_bytes IS NULL"), [false, false, false, false, true, false]);
    assert_eq!(truth("true"), [true; 6]);
    assert_eq!(truth("src_bytes > NULL"), [false; 6]);
    assert_eq!(truth("host_id LIKE 'h%' AND dst_bytes / 2.0 > 1.5"), [false, false, true, false, true, true]);
}

#[test]
fn only_the_columns_named_are_read() {
    let batch = events(0, 6);
    let predicate = Predicate::plan("Dst_Bytes > 4", &batch.schema()).unwrap();
    assert_eq!(predicate.columns(), ["dst_bytes"]);
    let narrow = batch.project(&[2]).unwrap();
    assert_eq!(predicate.evaluate(&narrow).unwrap().true_count(), 3);
    let error = predicate.evaluate(&batch.project(&[0]).unwrap()).unwrap_err();
    assert!(matches!(error, SqlError::Batch(text) if text.contains("`dst_bytes`")));
    assert_eq!(predicate.evaluate(&narrow.slice(0, 0)).unwrap().len(), 0);
}

#[test]
fn what_is_not_a_condition_on_one_row_is_refused() {
    let schema = events(0, 0).schema();
    let error = |text: &str| Predicate::plan(text, &schema).unwrap_err();
    for text in
        ["count(*) > 1", "sum(dst_bytes) > 1", "now() > TIMESTAMP '2020-01-01'", "random() > 0.5", "uuid() = 'a'"]
    {
        assert!(matches!(error(text), SqlError::Refused { .. } | SqlError::Plan(_)), "{text}: {}", error(text));
    }
    for text in ["dst_bytes", "'yes'", "dst_bytes = ", "", "dst_bytes > 1 host_id", "host_id > 1; true", "SELECT 1"] {
        assert!(Predicate::plan(text, &schema).is_err(), "{text}");
    }
    for text in ["dst_bytes IN (SELECT 1)", "EXISTS (SELECT 1)", "dst_bytes > (SELECT 1)"] {
        assert!(matches!(error(text), SqlError::Refused { .. }), "{text}: {}", error(text));
    }
}

#[test]
fn a_wrong_name_is_answered_with_the_nearest_one() {
    let text = Predicate::plan("dst_byte > 4", &events(0, 0).schema()).unwrap_err().to_string();
    assert_eq!(text, "plan the query: column `dst_byte` does not exist at line 1, column 1; did you mean `dst_bytes`?");
}

#[test]
fn a_row_that_cannot_be_judged_is_an_error() {
    let batch = events(0, 6);
    let predicate = Predicate::plan("10 / dst_bytes > 1", &batch.schema()).unwrap();
    assert!(matches!(predicate.evaluate(&batch), Err(SqlError::Run(text)) if text.contains("ivide by zero")));
}
