use lapwing_vocabulary::dead_letter::HEADER_CLASS;
use lapwing_vocabulary::{Header, OutputRecord};
use serde_json::{Map, Value, json};

/// Appends an output record as one line. An ordinary one is its value, which is JSON already; a line break within it,
/// which JSON allows between tokens only, becomes a space. A dead letter is an object that holds its value, key and
/// headers: text as it is, other bytes in base 64 under a name that ends in `_base64`.
pub(super) fn append_line(out: &mut Vec<u8>, record: &OutputRecord) {
    if record.headers.iter().any(|header| header.name == HEADER_CLASS) {
        out.extend_from_slice(dead_letter(record).to_string().as_bytes());
    } else {
        let start = out.len();
        out.extend_from_slice(&record.value);
        out[start..].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    }
    out.push(b'\n');
}

fn dead_letter(record: &OutputRecord) -> Value {
    let mut object = Map::new();
    object.insert("timestamp_micros".to_owned(), json!(record.timestamp));
    let headers: Vec<Value> = record.headers.iter().map(header).collect();
    object.insert("headers".to_owned(), Value::from(headers));
    if let Some(key) = &record.key {
        insert_bytes(&mut object, "key", key);
    }
    insert_bytes(&mut object, "value", &record.value);
    Value::from(object)
}

/// A list, not an object: names may repeat.
fn header(header: &Header) -> Value {
    let mut object = Map::new();
    object.insert("name".to_owned(), Value::from(header.name.as_str()));
    insert_bytes(&mut object, "value", &header.value);
    Value::from(object)
}

fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), Value::from(text)),
        Err(_) => object.insert(format!("{name}_base64"), Value::from(base64(bytes))),
    };
}

/// Source: RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: &[u8], headers: Vec<Header>) -> OutputRecord {
        OutputRecord {
            topic: "t".into(),
            partition: None,
            key: Some(b"k".to_vec()),
            value: value.to_vec(),
            headers,
            timestamp: 7,
        }
    }

    fn line(record: &OutputRecord) -> String {
        let mut out = Vec::new();
        append_line(&mut out, record);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn base_64_is_that_of_the_rfc() {
        // RFC 4648, section 10.
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in vectors {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn an_ordinary_record_is_its_value_on_one_line() {
        assert_eq!(line(&record(b"{\"a\":\r\n1}", vec![])), "{\"a\":  1}\n");
    }

    #[test]
    fn a_dead_letter_keeps_its_headers_and_bytes() {
        let class = Header { name: HEADER_CLASS.into(), value: b"malformed".to_vec() };
        let text = line(&record(b"\xff\n", vec![class]));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert_eq!(value["value_base64"], "/wo=");
        assert_eq!((&value["key"], &value["timestamp_micros"]), (&json!("k"), &json!(7)));
        assert_eq!(value["headers"][0], json!({"name": HEADER_CLASS, "value": "malformed"}));
    }
}
