//! Products as output records. Enriched output is the original record with the new fields spliced in before its closing
//! brace: what the pipeline does not know of a record passes through untouched, and costs a copy instead of a rewrite.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use lapwing_features::Cause;
use lapwing_vocabulary::{Alert, DeadLetter, EventTime, Header, OutputRecord, Position, Records};

use crate::aggregate::WindowRow;

/// Header of enriched and late records: where the event came from, as `topic[partition]@offset`.
pub const SOURCE_HEADER: &str = "lapwing.source";
/// Header of late records: by how much the event missed the watermark. Units: microseconds.
pub const LATE_HEADER: &str = "lapwing.late_by_micros";
/// Field of enriched output: the calibrated score.
pub const SCORE_FIELD: &str = "anomaly_score";
/// Field of enriched output: whether the event was flagged.
pub const FLAG_FIELD: &str = "anomaly";

/// Field of a window's row: 0 for its first row; a later one takes the place of those before.
pub const REVISION_FIELD: &str = "window_revision";
/// Field of a window's row: `early`, `final` or `amended`.
pub const CAUSE_FIELD: &str = "window_cause";

/// Columns to be written as JSON fields, ready to be asked row by row.
pub(crate) struct JsonFields {
    fields: Vec<(Vec<u8>, Values)>,
}

enum Values {
    Int(arrow::array::PrimitiveArray<Int64Type>),
    Float(arrow::array::PrimitiveArray<Float64Type>),
    Bool(arrow::array::BooleanArray),
    Text(arrow::array::StringArray),
    Time(arrow::array::PrimitiveArray<TimestampMicrosecondType>),
}

impl JsonFields {
    /// Prepares the named columns of a batch.
    pub(crate) fn new(rows: &RecordBatch, names: &[String]) -> Self {
        let field = |name: &String| {
            let column = rows.column_by_name(name)?;
            let mut key = Vec::new();
            write_text(name, &mut key);
            key.push(b':');
            Some((key, Values::new(column)))
        };
        Self { fields: names.iter().filter_map(field).collect() }
    }

    /// Writes `"name":value` pairs of one row, each followed by a comma.
    pub(crate) fn write(&self, row: usize, into: &mut Vec<u8>) {
        for (key, values) in &self.fields {
            into.extend_from_slice(key);
            values.write(row, into);
            into.push(b',');
        }
    }
}

impl Values {
    fn new(column: &ArrayRef) -> Self {
        let cast = |kind: &DataType| arrow::compute::cast(column, kind).expect("columns have a JSON form");
        match column.data_type() {
            DataType::Boolean => Self::Bool(column.as_boolean().clone()),
            kind if kind.is_integer() => Self::Int(cast(&DataType::Int64).as_primitive().clone()),
            kind if kind.is_numeric() => Self::Float(cast(&DataType::Float64).as_primitive().clone()),
            DataType::Timestamp(..) => {
                Self::Time(cast(&DataType::Timestamp(TimeUnit::Microsecond, None)).as_primitive().clone())
            }
            _ => Self::Text(cast(&DataType::Utf8).as_string::<i32>().clone()),
        }
    }

    fn write(&self, row: usize, into: &mut Vec<u8>) {
        let null = match self {
            Self::Int(array) => array.is_null(row),
            Self::Float(array) => array.is_null(row),
            Self::Bool(array) => array.is_null(row),
            Self::Text(array) => array.is_null(row),
            Self::Time(array) => array.is_null(row),
        };
        match self {
            _ if null => into.extend_from_slice(b"null"),
            Self::Int(array) => into.extend_from_slice(itoa::Buffer::new().format(array.value(row)).as_bytes()),
            Self::Float(array) => write_number(array.value(row), into),
            Self::Bool(array) => into.extend_from_slice(if array.value(row) { b"true" } else { b"false" }),
            Self::Text(array) => write_text(array.value(row), into),
            Self::Time(array) => write_text(&EventTime(array.value(row)).to_rfc3339(), into),
        }
    }
}

/// Writes a number so that it reads back to the same bits; what JSON cannot say is null.
pub(crate) fn write_number(value: f64, into: &mut Vec<u8>) {
    if value.is_finite() {
        into.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        into.extend_from_slice(b"null");
    }
}

/// Writes text in quotes, escaped.
pub(crate) fn write_text(text: &str, into: &mut Vec<u8>) {
    into.push(b'"');
    let plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    if text.as_bytes().iter().all(plain) {
        into.extend_from_slice(text.as_bytes());
    } else {
        let quoted = serde_json::to_vec(text).expect("text has a JSON form");
        into.extend_from_slice(&quoted[1..quoted.len() - 1]);
    }
    into.push(b'"');
}

/// Splices fields into a JSON object: everything up to its closing brace, then what `fields` writes, each field
/// followed by a comma.
pub(crate) fn splice(object: &[u8], fields: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let body = object.trim_ascii_end();
    let body = body.strip_suffix(b"}").unwrap_or(body).trim_ascii_end();
    let mut into = Vec::with_capacity(body.len() + 256);
    into.extend_from_slice(body);
    if !body.ends_with(b"{") {
        into.push(b',');
    }
    finish_object(into, fields)
}

/// An object of only what `fields` writes, each field followed by a comma.
pub(crate) fn object(fields: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    finish_object(Vec::from(b"{"), fields)
}

fn finish_object(mut into: Vec<u8>, fields: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    fields(&mut into);
    if into.last() == Some(&b',') {
        into.pop();
    }
    into.push(b'}');
    into
}

/// Writes what a row of a window is, as fields.
pub(crate) fn write_window(window: &WindowRow, into: &mut Vec<u8>) {
    let cause = match window.cause {
        Cause::Early => "early",
        Cause::Final => "final",
        Cause::Amended => "amended",
    };
    write_text(REVISION_FIELD, into);
    into.push(b':');
    into.extend_from_slice(itoa::Buffer::new().format(window.revision).as_bytes());
    into.push(b',');
    write_text(CAUSE_FIELD, into);
    into.push(b':');
    write_text(cause, into);
    into.push(b',');
}

/// Writes the score of an event and whether it was flagged, as fields.
pub(crate) fn write_score(score: f64, flagged: bool, into: &mut Vec<u8>) {
    for (name, number) in [(SCORE_FIELD, Some(score)), (FLAG_FIELD, None)] {
        write_text(name, into);
        into.push(b':');
        match number {
            Some(number) => write_number(number, into),
            None => into.extend_from_slice(if flagged { b"true" } else { b"false" }),
        }
        into.push(b',');
    }
}

pub(crate) fn source_header(position: &Position) -> Header {
    Header { name: SOURCE_HEADER.to_owned(), value: position.to_string().into_bytes() }
}

/// An alert as a record, keyed by entity.
pub fn alert_record(alert: &Alert, topic: &Arc<str>, now: i64) -> OutputRecord {
    OutputRecord {
        topic: topic.clone(),
        partition: None,
        key: Some(alert.entity.clone().into_bytes()),
        value: serde_json::to_vec(alert).expect("an alert has a JSON form"),
        headers: Vec::new(),
        timestamp: now,
    }
}

/// A refused record as it came, with the headers that say why.
pub fn dead_letter_record(
    letter: &DeadLetter,
    records: &Records,
    index: usize,
    topic: &Arc<str>,
    now: i64,
) -> OutputRecord {
    let mut headers = records.headers(index).to_vec();
    headers.extend(letter.headers());
    OutputRecord {
        topic: topic.clone(),
        partition: None,
        key: records.key(index).map(<[u8]>::to_vec),
        value: records.value(index).to_vec(),
        headers,
        timestamp: now,
    }
}

/// A late event as it came, with the headers that say from where and how late.
pub fn late_record(records: &Records, index: usize, late_by: i64, topic: &Arc<str>, now: i64) -> OutputRecord {
    let mut headers = records.headers(index).to_vec();
    headers.push(source_header(&records.position(index)));
    headers.push(Header { name: LATE_HEADER.to_owned(), value: late_by.to_string().into_bytes() });
    OutputRecord {
        topic: topic.clone(),
        partition: None,
        key: records.key(index).map(<[u8]>::to_vec),
        value: records.value(index).to_vec(),
        headers,
        timestamp: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_fields_go_before_the_closing_brace_and_the_rest_stays_as_it_was() {
        let add = |into: &mut Vec<u8>| into.extend_from_slice(b"\"x\":1,");
        assert_eq!(splice(b"{\"a\" : 1 }\n", add), b"{\"a\" : 1,\"x\":1}");
        assert_eq!(splice(b"{ }", add), b"{\"x\":1}");
        assert_eq!(splice(b"{\"a\":1}", |_| ()), b"{\"a\":1}");
        assert_eq!(object(add), b"{\"x\":1}");
    }

    #[test]
    fn text_is_escaped_and_numbers_read_back() {
        let mut into = Vec::new();
        write_text("a\"\n<é>", &mut into);
        write_number(0.1, &mut into);
        write_number(f64::INFINITY, &mut into);
        assert_eq!(String::from_utf8(into).unwrap(), "\"a\\\"\\n<é>\"0.1null");
    }
}
