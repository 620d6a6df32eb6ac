//! Infers a schema from a sample of records, once; the result is then frozen.

use serde_json::{Map, Value};

use lapwing_vocabulary::EventTime;

use super::csv::header_names;
use super::schema::{Field, Kind, Schema};

/// Nested objects are followed this deep; what lies deeper stays JSON text.
const DEPTH_MAX: usize = 4;

/// What has been seen of one field.
#[derive(Debug)]
struct Seen {
    path: Vec<String>,
    kind: Option<Kind>,
}

/// Infers columns from JSON records. Nested fields become columns named by their dotted path. Records that are not
/// JSON objects are passed over. A field that was null everywhere is text. `time` is the field of event time.
pub fn infer_json<'a>(records: impl Iterator<Item = &'a [u8]>, time: &str) -> Schema {
    let mut seen = Vec::new();
    for record in records {
        if let Ok(object) = serde_json::from_slice::<Map<String, Value>>(record) {
            observe_object(&object, &mut Vec::new(), &mut seen);
        }
    }
    freeze(seen, time)
}

/// Infers columns from CSV records under the given field names.
pub fn infer_csv<'a>(records: impl Iterator<Item = &'a [u8]>, header: &[String], delimiter: u8, time: &str) -> Schema {
    let mut seen: Vec<Seen> = header.iter().map(|name| Seen { path: vec![name.clone()], kind: None }).collect();
    for record in records {
        for (field, text) in seen.iter_mut().zip(header_names(record, delimiter)) {
            if let Some(kind) = kind_of_text(&text) {
                field.kind = Some(widen(field.kind, kind));
            }
        }
    }
    freeze(seen, time)
}

fn freeze(seen: Vec<Seen>, time: &str) -> Schema {
    let field = |seen: Seen| {
        let name = seen.path.join(".");
        let kind = if name == time { Kind::Time } else { seen.kind.unwrap_or(Kind::Text) };
        Field { name, path: seen.path, kind }
    };
    Schema { fields: seen.into_iter().map(field).collect() }
}

fn observe_object(object: &Map<String, Value>, path: &mut Vec<String>, seen: &mut Vec<Seen>) {
    for (key, value) in object {
        path.push(key.clone());
        match value {
            Value::Object(inner) if path.len() < DEPTH_MAX => observe_object(inner, path, seen),
            value => observe_value(value, path, seen),
        }
        path.pop();
    }
}

fn observe_value(value: &Value, path: &[String], seen: &mut Vec<Seen>) {
    let at = match seen.iter().position(|field| field.path == path) {
        Some(at) => at,
        None => {
            seen.push(Seen { path: path.to_vec(), kind: None });
            seen.len() - 1
        }
    };
    let kind = match value {
        Value::Null => return,
        Value::Bool(_) => Kind::Bool,
        Value::Number(number) if number.is_i64() => Kind::Int,
        Value::Number(_) => Kind::Float,
        Value::String(_) | Value::Array(_) | Value::Object(_) => Kind::Text,
    };
    seen[at].kind = Some(widen(seen[at].kind, kind));
}

fn kind_of_text(text: &str) -> Option<Kind> {
    let text = text.trim();
    match text {
        "" | "NaN" | "nan" | "NA" | "N/A" | "null" | "NULL" | "None" | "\\N" => None,
        "true" | "false" | "True" | "False" | "TRUE" | "FALSE" => Some(Kind::Bool),
        _ if text.parse::<i64>().is_ok() => Some(Kind::Int),
        _ if text.parse::<f64>().is_ok_and(f64::is_finite) => Some(Kind::Float),
        _ if text.len() >= 19 && EventTime::parse(text).is_some() => Some(Kind::Time),
        _ => Some(Kind::Text),
    }
}

/// The narrowest type that holds both.
fn widen(seen: Option<Kind>, kind: Kind) -> Kind {
    match (seen, kind) {
        (None, kind) => kind,
        (Some(a), b) if a == b => a,
        (Some(Kind::Int), Kind::Float) | (Some(Kind::Float), Kind::Int) => Kind::Float,
        _ => Kind::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_widen_over_the_sample_and_objects_become_dotted_columns() {
        let records = [
            &br#"{"t":"2026-01-01T00:00:00Z","n":1,"x":null,"o":{"p":true,"q":[1]}}"#[..],
            b"no json",
            br#"{"t":"2026-01-01T00:00:01Z","n":1.5,"o":{"p":false},"s":7}"#,
            br#"{"s":"seven"}"#,
        ];
        let schema = infer_json(records.into_iter(), "t");
        let found: Vec<(&str, Kind)> = schema.fields.iter().map(|f| (f.name.as_str(), f.kind)).collect();
        let expected = [
            ("t", Kind::Time),
            ("n", Kind::Float),
            ("x", Kind::Text),
            ("o.p", Kind::Bool),
            ("o.q", Kind::Text),
            ("s", Kind::Text),
        ];
        assert_eq!(found, expected);
        assert_eq!(schema.fields[3].path, ["o", "p"]);
    }

    #[test]
    fn csv_fields_are_typed_by_what_parses() {
        let header = header_names(b"when,n,x,s", b',');
        let records = [&b"1700000000,1,NaN,a"[..], b"1700000001,2,0.5,\"b,c\""];
        let schema = infer_csv(records.into_iter(), &header, b',', "when");
        let kinds: Vec<Kind> = schema.fields.iter().map(|field| field.kind).collect();
        assert_eq!(kinds, [Kind::Time, Kind::Int, Kind::Float, Kind::Text]);
    }
}
