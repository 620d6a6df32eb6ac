use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use lapwing_sql::{Enricher, ReferenceTable};

/// The query of the telemetry pipeline.
pub(crate) const TELEMETRY: &str =
    "SELECT e.*, src_bytes + dst_bytes AS total_bytes, h.role FROM events e LEFT JOIN hosts h USING (host_id)";

/// Events `from..to`: event i comes from host i mod 7, and its bytes are i and 2 i.
pub(crate) fn events(from: i64, to: i64) -> RecordBatch {
    let hosts: StringArray = (from..to).map(|i| (i % 11 != 3).then(|| format!("h{}", i % 7))).collect();
    let src: Int64Array = (from..to).map(|i| (i % 5 != 4).then_some(i)).collect();
    let dst = Int64Array::from_iter_values((from..to).map(|i| 2 * i));
    RecordBatch::try_from_iter_with_nullable([
        ("host_id", Arc::new(hosts) as ArrayRef, true),
        ("src_bytes", Arc::new(src), true),
        ("dst_bytes", Arc::new(dst), true),
    ])
    .unwrap()
}

/// Hosts h0 to h4; h5 and h6 are missing.
pub(crate) fn hosts() -> ReferenceTable {
    csv("hosts", "host_id,role,rank\nh0,web,0\nh1,db,1\nh2,web,2\nh3,mail,3\nh4,,4\n")
}

pub(crate) fn csv(name: &str, text: &str) -> ReferenceTable {
    ReferenceTable::from_bytes(name, "csv", text.as_bytes()).unwrap()
}

pub(crate) fn planned(query: &str, tables: &[ReferenceTable]) -> Enricher {
    Enricher::plan(query, &events(0, 0).schema(), tables).unwrap_or_else(|error| panic!("{query}: {error}"))
}

pub(crate) fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    column.as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect()
}

pub(crate) fn integers(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    column.as_primitive::<Int64Type>().iter().collect()
}
