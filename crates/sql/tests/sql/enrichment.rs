use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use lapwing_sql::{Enricher, SqlError};

use crate::rows::{TELEMETRY, csv, events, hosts, integers, planned, texts};

/// Queries of every shape the planner makes of them: steps, indexed joins, streams.
const SHAPES: [&str; 14] = [
    "SELECT * FROM events",
    "SELECT src_bytes + dst_bytes AS total FROM events WHERE dst_bytes % 3 = 0",
    TELEMETRY,
    "SELECT e.*, h.role, upper(s.team) AS team FROM events e LEFT JOIN hosts h USING (host_id) LEFT JOIN services s USING (role)",
    "SELECT e.*, h.role FROM events e JOIN hosts h ON e.host_id = h.host_id WHERE h.rank > 1",
    "SELECT e.*, h.role FROM hosts h RIGHT JOIN events e ON e.host_id = h.host_id AND h.rank = e.dst_bytes % 7",
    "SELECT e.*, h.role FROM events e LEFT JOIN hosts h ON e.host_id = h.host_id AND h.rank > e.dst_bytes % 4",
    "SELECT e.dst_bytes, h.role FROM events e LEFT JOIN hosts h ON e.dst_bytes BETWEEN h.rank * 10 AND h.rank * 10 + 9",
    "SELECT * FROM events WHERE host_id IN (SELECT host_id FROM hosts WHERE role = 'web')",
    "SELECT * FROM events WHERE host_id NOT IN (SELECT host_id FROM hosts)",
    "SELECT * FROM events e WHERE NOT EXISTS (SELECT 1 FROM hosts h WHERE h.host_id = e.host_id)",
    "SELECT *, dst_bytes > (SELECT max(rank) FROM hosts) AS large FROM events",
    "SELECT e.dst_bytes, (SELECT max(h.rank) FROM hosts h WHERE h.host_id = e.host_id) AS rank FROM events e",
    "WITH roles AS (SELECT role, count(*) AS n FROM hosts GROUP BY role) \
     SELECT e.*, r.n FROM events e LEFT JOIN hosts h USING (host_id) LEFT JOIN roles r ON r.role = h.role",
];

fn tables() -> Vec<lapwing_sql::ReferenceTable> {
    vec![hosts(), csv("services", "role,team\nweb,front\ndb,back\n")]
}

#[test]
fn a_sum_is_computed_and_untouched_columns_pass_through() {
    let mut enricher = planned("SELECT *, src_bytes + dst_bytes AS total_bytes FROM events", &[]);
    let batch = events(0, 6);
    let enriched = enricher.run(&batch).unwrap();
    let expected = vec![Some(0), Some(3), Some(6), Some(9), None, Some(15)];
    assert_eq!(integers(&enriched.rows, "total_bytes"), expected);
    assert_eq!(enriched.origin, [0, 1, 2, 3, 4, 5]);
    assert!(Arc::ptr_eq(enriched.rows.column(0), batch.column(0)));
}

#[test]
fn a_host_that_is_missing_gives_nulls() {
    let enriched = planned(TELEMETRY, &[hosts()]).run(&events(0, 8)).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let expected = vec![text("web"), text("db"), text("web"), None, None, None, None, text("web")];
    assert_eq!(texts(&enriched.rows, "role"), expected);
    assert_eq!((enriched.duplicates, enriched.failed.len()), (0, 0));
}

#[test]
fn the_first_of_several_matches_counts_and_the_others_are_counted() {
    let twice = csv("hosts", "host_id,role\nh0,first\nh1,only\nh0,second\nh0,third\n");
    let enriched = planned(TELEMETRY, std::slice::from_ref(&twice)).run(&events(0, 9)).unwrap();
    assert_eq!(enriched.origin, (0..9).collect::<Vec<u32>>());
    assert_eq!(texts(&enriched.rows, "role")[0].as_deref(), Some("first"));
    assert_eq!(texts(&enriched.rows, "role")[7].as_deref(), Some("first"));
    assert_eq!(enriched.duplicates, 4);
    // A later match counts if the condition leaves out the earlier one.
    let query = format!("{TELEMETRY} WHERE h.role = 'second'");
    let enriched = planned(&query, &[twice]).run(&events(0, 9)).unwrap();
    assert_eq!((enriched.origin, enriched.duplicates), (vec![0, 7], 0));
}

#[test]
fn the_order_of_events_is_kept_for_any_number_of_rows() {
    for query in SHAPES {
        let mut enricher = planned(query, &tables());
        for rows in [0, 1, 2, 10_000] {
            let enriched = enricher.run(&events(0, rows)).unwrap();
            assert!(enriched.origin.is_sorted_by(|a, b| a < b), "{query}");
            assert_eq!(enriched.rows.num_rows(), enriched.origin.len(), "{query}");
            assert_eq!(&enriched.rows.schema(), enricher.schema(), "{query}");
            if query.contains("dst_bytes,") || query.contains('*') {
                let events = integers(&enriched.rows, "dst_bytes");
                assert!(
                    events.iter().zip(&enriched.origin).all(|(value, at)| *value == Some(2 * i64::from(*at))),
                    "{query}"
                );
            }
        }
    }
}

#[test]
fn ten_batches_give_what_one_batch_gives() {
    for query in SHAPES {
        let mut enricher = planned(query, &tables());
        let whole = enricher.run(&events(0, 1_000)).unwrap();
        let (mut parts, mut origin) = (Vec::new(), Vec::new());
        for part in 0..10_u32 {
            let enriched = enricher.run(&events(i64::from(part) * 100, i64::from(part) * 100 + 100)).unwrap();
            origin.extend(enriched.origin.iter().map(|at| at + part * 100));
            parts.push(enriched.rows);
        }
        assert_eq!(concat_batches(&whole.rows.schema(), &parts).unwrap(), whole.rows, "{query}");
        assert_eq!(origin, whole.origin, "{query}");
        assert_ne!(whole.rows.num_rows(), 0, "{query}");
    }
}

#[test]
fn an_indexed_join_and_a_streamed_join_agree() {
    let indexed = "SELECT e.*, h.role, h.rank FROM events e LEFT JOIN hosts h ON e.host_id = h.host_id";
    // The extra condition is always true, but keeps the planner from an index.
    let streamed = format!("{indexed} AND (h.rank < 100 OR e.dst_bytes < 0)");
    let tables = [csv("hosts", "host_id,role,rank\nh0,a,1\nh1,b,2\nh0,c,3\n,d,4\nh6,e,5\n")];
    let (a, b) = (planned(indexed, &tables).run(&events(0, 500)), planned(&streamed, &tables).run(&events(0, 500)));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!((a.rows, a.origin, a.duplicates), (b.rows, b.origin, b.duplicates));
}

#[test]
fn not_in_follows_sql_where_nulls_are_concerned() {
    let query = "SELECT * FROM events WHERE host_id NOT IN (SELECT host_id FROM hosts)";
    let enriched = planned(query, &[hosts()]).run(&events(0, 14)).unwrap();
    // Event 3 has no host: unknown, so left out.
    assert_eq!(enriched.origin, [5, 6, 12, 13]);
    let with_null = csv("hosts", "host_id,role\nh0,a\n,b\n");
    assert!(planned(query, &[with_null]).run(&events(0, 14)).unwrap().origin.is_empty());
}

#[test]
fn keys_of_numbers_and_of_several_columns_are_found() {
    let tables = [csv("ranks", "rank,parity,word\n2,0,two\n4,0,four\n5,1,five\n")];
    let query = "SELECT e.dst_bytes, r.word FROM events e LEFT JOIN ranks r ON r.rank = e.dst_bytes AND r.parity = e.dst_bytes % 2";
    let words = texts(&planned(query, &tables).run(&events(0, 4)).unwrap().rows, "word");
    assert_eq!(words, vec![None, Some("two".into()), Some("four".into()), None]);
}

#[test]
fn only_what_is_needed_is_read() {
    let enricher = planned(TELEMETRY, &[hosts()]);
    assert!(enricher.has_wildcard());
    assert_eq!(enricher.events_columns(), ["host_id", "src_bytes", "dst_bytes"]);
    let mut narrow = enricher.narrow(&["role".into()]).unwrap();
    assert_eq!(narrow.events_columns(), ["host_id"]);
    assert_eq!(narrow.schema().fields().len(), 1);
    let batch = events(0, 3).project(&[0]).unwrap();
    assert_eq!(texts(&narrow.run(&batch).unwrap().rows, "role").len(), 3);
    let error = narrow.narrow(&["rolle".into()]).unwrap_err().to_string();
    assert_eq!(error, "plan the query: output column `rolle` does not exist; did you mean `role`?");
}

#[test]
fn a_narrowing_to_nothing_still_says_where_rows_come_from() {
    let mut narrow = planned("SELECT * FROM events WHERE dst_bytes > 2", &[]).narrow(&[]).unwrap();
    assert_eq!(narrow.run(&events(0, 4)).unwrap().origin, [2, 3]);
    assert_eq!(narrow.events_columns(), ["dst_bytes"]);
}

#[test]
fn an_event_for_which_the_query_fails_is_set_aside_alone() {
    let mut enricher = planned("SELECT dst_bytes, 10 / (dst_bytes - 4) AS share FROM events", &[]);
    let enriched = enricher.run(&events(0, 10)).unwrap();
    assert_eq!(enriched.origin, [0, 1, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(enriched.failed.len(), 1);
    assert_eq!(enriched.failed[0].0, 2);
    assert!(enriched.failed[0].1.contains("ivide by zero"), "{}", enriched.failed[0].1);
    assert_eq!(enricher.run(&events(5, 8)).unwrap().failed.len(), 0);
}

#[test]
fn a_batch_that_is_not_as_planned_is_an_error() {
    let mut enricher = planned("SELECT dst_bytes FROM events", &[]);
    let batch = events(0, 3).project(&[0]).unwrap();
    assert!(matches!(enricher.run(&batch), Err(SqlError::Batch(text)) if text.contains("`dst_bytes`")));
    let wrong =
        RecordBatch::try_from_iter([("dst_bytes", Arc::new(arrow::array::Float64Array::from(vec![1.0])) as ArrayRef)]);
    assert!(matches!(enricher.run(&wrong.unwrap()), Err(SqlError::Batch(_))));
}

#[test]
fn outputs_are_of_plain_types() {
    let query = "SELECT concat(host_id, '-', h.role) AS a, substr(host_id, 2) AS b, 'x' AS c, split_part(h.role, 'e', 1) AS d, \
                 lower(host_id) || 'z' AS f, CASE WHEN dst_bytes > 3 THEN 'hi' ELSE 'lo' END AS g \
                 FROM events LEFT JOIN hosts h USING (host_id)";
    let mut enricher = planned(query, &[hosts()]);
    assert!(
        enricher.schema().fields().iter().all(|field| *field.data_type() == DataType::Utf8),
        "{:?}",
        enricher.schema()
    );
    assert_eq!(texts(&enricher.run(&events(1, 2)).unwrap().rows, "a")[0].as_deref(), Some("h1-db"));
}

#[test]
fn an_unquoted_name_is_folded_and_a_quoted_one_is_not() {
    let batch = RecordBatch::try_from_iter([("hostId", Arc::new(Int64Array::from(vec![7])) as ArrayRef)]).unwrap();
    let mut enricher = Enricher::plan("SELECT \"hostId\" + 1 AS next FROM EVENTS", &batch.schema(), &[]).unwrap();
    assert_eq!(integers(&enricher.run(&batch).unwrap().rows, "next"), [Some(8)]);
    let error = Enricher::plan("SELECT hostId FROM events", &batch.schema(), &[]).unwrap_err().to_string();
    assert!(error.ends_with("did you mean `\"hostId\"`?"), "{error}");
}

#[test]
fn planning_and_running_also_work_inside_a_runtime_and_on_another_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut enricher = runtime.block_on(async { planned(SHAPES[9], &tables()) });
    let rows = std::thread::spawn(move || enricher.run(&events(0, 14)).unwrap().rows.num_rows()).join().unwrap();
    assert_eq!(rows, 4);
}
