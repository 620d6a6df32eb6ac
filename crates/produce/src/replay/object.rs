use csv::StringRecord;
use serde_json::{Map, Number, Value};

/// A row with named fields.
pub(crate) type Object = Map<String, Value>;

/// Reads a JSON line; says what is wrong with it.
pub(crate) fn from_json(line: &[u8]) -> Result<Object, String> {
    serde_json::from_slice(line).map_err(|fault| format!("not a JSON object: {fault}"))
}

/// Names and types the cells of a CSV row.
pub(crate) fn from_cells(header: &[String], cells: &StringRecord) -> Object {
    header.iter().cloned().zip(cells.iter().map(typed)).collect()
}

/// A cell by its looks. A number that would lose digits, such as `007` or one of thirty digits, stays text.
fn typed(cell: &str) -> Value {
    match cell.trim() {
        "" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => number(text).map_or_else(|| Value::String(cell.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let starts_well = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let number: Number = starts_well.then(|| serde_json::from_str(text).ok())??;
    let is_whole = !text.contains(['.', 'e', 'E']);
    (is_whole != number.is_f64()).then_some(number)
}

/// The text of a field that identifies something; says what is wrong with it.
pub(crate) fn identity(object: &Object, field: &str) -> Result<String, String> {
    match object.get(field) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(bool)) => Ok(bool.to_string()),
        Some(_) => Err(format!("field `{field}` is neither text nor a number")),
        None => Err(format!("field `{field}` is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_typed_where_no_digit_is_lost() {
        let cases = [
            ("12", Value::from(12)),
            ("-3.5", Value::from(-3.5)),
            ("1e3", Value::from(1000.0)),
            ("true", Value::from(true)),
            ("", Value::Null),
            ("007", Value::from("007")),
            ("NaN", Value::from("NaN")),
            ("123456789012345678901234567890", Value::from("123456789012345678901234567890")),
            ("a b", Value::from("a b")),
        ];
        for (cell, value) in cases {
            assert_eq!(typed(cell), value, "{cell}");
        }
    }
}
