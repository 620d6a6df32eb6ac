use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use lapwing_sql::{Enricher, SqlError};

use crate::rows::{events, hosts};

fn error(query: &str) -> SqlError {
    match Enricher::plan(query, &events(0, 0).schema(), &[hosts()]) {
        Ok(_) => panic!("{query} was planned"),
        Err(error) => error,
    }
}

#[test]
fn whatever_would_depend_on_other_events_is_refused() {
    for (query, what) in [
        ("SELECT count(*) AS n FROM events", "aggregate"),
        ("SELECT host_id, sum(dst_bytes) AS n FROM events GROUP BY host_id", "aggregate"),
        ("SELECT host_id FROM events GROUP BY host_id", "GROUP BY"),
        ("SELECT dst_bytes, lag(dst_bytes) OVER (ORDER BY dst_bytes) AS before FROM events", "window"),
        ("SELECT sum(dst_bytes) OVER () AS n FROM events", "window"),
        ("SELECT DISTINCT host_id FROM events", "DISTINCT"),
        ("SELECT DISTINCT ON (host_id) host_id FROM events", "DISTINCT"),
        ("SELECT * FROM events ORDER BY dst_bytes", "ORDER BY"),
        ("SELECT * FROM events LIMIT 5", "LIMIT"),
        ("SELECT * FROM events OFFSET 5", "LIMIT"),
        ("SELECT * FROM events UNION ALL SELECT * FROM events", "UNION"),
        ("SELECT * FROM events EXCEPT SELECT * FROM events", "EXCEPT"),
        ("SELECT a.* FROM events a JOIN events b USING (host_id)", "second time"),
        ("SELECT * FROM events WHERE dst_bytes > (SELECT avg(dst_bytes) FROM events)", "a subquery"),
        ("SELECT * FROM events WHERE host_id IN (SELECT host_id FROM events)", "a subquery"),
        ("SELECT * FROM events e WHERE EXISTS (SELECT 1 FROM events o WHERE o.dst_bytes > e.dst_bytes)", "a subquery"),
        ("SELECT * FROM (SELECT * FROM events) e", "FROM clause"),
        ("WITH e AS (SELECT * FROM events) SELECT * FROM e", "FROM clause"),
        ("WITH events AS (SELECT * FROM hosts) SELECT * FROM events", "does not read"),
        ("SELECT h.role FROM hosts h LEFT JOIN events e USING (host_id)", "LEFT JOIN"),
        ("SELECT h.role FROM events e FULL JOIN hosts h USING (host_id)", "FULL JOIN"),
        ("SELECT * FROM events TABLESAMPLE (10 PERCENT)", "TABLESAMPLE"),
        ("SELECT * FROM hosts", "FROM clause"),
        ("SELECT 1", "FROM clause"),
        ("DROP TABLE events", "other than SELECT"),
        ("INSERT INTO events VALUES (1)", "other than SELECT"),
        ("SELECT * FROM events; SELECT * FROM events", "second statement"),
        ("SELECT dst_bytes FROM events WHERE false", "no row"),
    ] {
        let error = error(query);
        assert!(matches!(error, SqlError::Refused { .. }), "{query}: {error:?}");
        assert!(error.to_string().contains(what), "{query}: {error}");
    }
}

#[test]
fn functions_that_change_their_answer_are_refused_wherever_they_stand() {
    for query in [
        "SELECT now() AS t FROM events",
        "SELECT current_date() AS t FROM events",
        "SELECT uuid() AS t FROM events",
        "SELECT * FROM events WHERE now() > TIMESTAMP '2020-01-01T00:00:00Z'",
        "SELECT * FROM events WHERE host_id IN (SELECT host_id FROM hosts WHERE uuid() > host_id)",
    ] {
        let error = error(query).to_string();
        assert!(error.contains("() cannot be used here"), "{query}: {error}");
    }
}

#[test]
fn a_wrong_name_is_named_with_its_place_and_the_nearest_one() {
    let text = error("SELECT src_byte + dst_bytes AS t FROM events").to_string();
    assert_eq!(text, "plan the query: column `src_byte` does not exist at line 1, column 8; did you mean `src_bytes`?");
    let text = error("SELECT e.*,\n       h.rolle\nFROM events e LEFT JOIN hosts h USING (host_id)").to_string();
    assert_eq!(text, "plan the query: column `h.rolle` does not exist at line 2, column 8; did you mean `role`?");
    let text = error("SELECT * FROM events e LEFT JOIN host h USING (host_id)").to_string();
    assert_eq!(text, "plan the query: table `host` does not exist at line 1, column 34; did you mean `hosts`?");
    let text = error("SELECT uper(host_id) AS h FROM events").to_string();
    assert!(text.contains("uper") && text.contains("upper"), "{text}");
}

#[test]
fn nothing_hidden_shows_in_an_error_or_can_be_asked_for() {
    for query in
        ["SELECT zzz FROM events", "SELECT __lapwing_row FROM events", "SELECT e.__lapwing_row AS r FROM events e"]
    {
        let error = error(query);
        assert!(matches!(&error, SqlError::Unknown { what: "column", .. }), "{query}: {error:?}");
        assert!(!error.to_string().replacen("__lapwing_row", "", 1).contains("__lapwing"), "{error}");
    }
    let reserved = Arc::new(Schema::new(vec![Field::new("__lapwing_row", DataType::Int64, true)]));
    assert!(matches!(Enricher::plan("SELECT 1 AS a FROM events", &reserved, &[]), Err(SqlError::Plan(_))));
}

#[test]
fn text_that_is_not_sql_is_refused_with_its_place() {
    let text = error("SELECT * FRM events").to_string();
    assert!(text.starts_with("read the query: ") && text.contains("Line: 1, Column: 10"), "{text}");
    for text in ["", ";", "(", "SELECT", "\u{0}", "SELECT '", "SELECT * FROM events WHERE ((((", "🦜"] {
        let error = error(text);
        assert!(matches!(error, SqlError::Syntax(_) | SqlError::Refused { .. }), "{text}: {error:?}");
    }
}

#[test]
fn two_output_columns_of_one_name_are_refused_with_a_remedy() {
    for query in [
        "SELECT * FROM events e LEFT JOIN hosts h ON e.host_id = h.host_id",
        "SELECT e.*, h.host_id FROM events e LEFT JOIN hosts h USING (host_id)",
    ] {
        let text = error(query).to_string();
        assert!(text.contains("`host_id` appears twice"), "{text}");
    }
    assert!(matches!(error("SELECT host_id, host_id FROM events"), SqlError::Plan(_)));
}

#[test]
fn a_table_that_is_declared_twice_or_called_events_is_refused() {
    let schema = events(0, 0).schema();
    let plan = |tables: &[_]| Enricher::plan("SELECT * FROM events", &schema, tables);
    assert!(matches!(plan(&[hosts(), hosts()]), Err(SqlError::Plan(text)) if text.contains("twice")));
    assert!(matches!(plan(&[crate::rows::csv("events", "a\n1\n")]), Err(SqlError::Plan(_))));
}
