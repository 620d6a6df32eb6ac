use toml_edit::{Item, TableLike, Value};

use super::pipeline::Variables;
use super::secret::{MASK, Secret, is_sensitive};
use super::section::{Field, Section};

/// Properties of librdkafka that name the brokers; one must be given.
const BROKERS: [&str; 2] = ["bootstrap.servers", "metadata.broker.list"];

/// A Kafka cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kafka {
    /// Properties of librdkafka, in the order of the file.
    pub properties: Vec<KafkaProperty>,
}

/// A property of librdkafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaProperty {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: PropertyValue,
}

impl KafkaProperty {
    /// A property whose value is a secret if its name says so.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        let value = match is_sensitive(&name) {
            true => PropertyValue::Secret(Secret::new(value)),
            false => PropertyValue::Plain(value),
        };
        Self { name, value }
    }
}

/// The value of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropertyValue {
    /// Anybody may see it.
    Plain(String),
    /// It is never shown.
    Secret(Secret),
}

impl PropertyValue {
    /// The value itself, for librdkafka only.
    pub fn reveal(&self) -> &str {
        match self {
            Self::Plain(value) => value,
            Self::Secret(secret) => secret.reveal(),
        }
    }

    /// The value as it may be shown.
    pub fn shown(&self) -> String {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Secret(secret) => secret.to_string(),
        }
    }
}

/// Reads `[connect.kafka]`.
pub(super) fn read(field: &Field<'_>, variables: Option<Variables<'_>>) -> Kafka {
    let section = field.free_section();
    let mut kafka = Kafka::default();
    collect(&section, "", variables, &mut kafka.properties);
    let names_brokers = |property: &KafkaProperty| BROKERS.contains(&property.name.as_str());
    if section.is_given() && !kafka.properties.iter().any(names_brokers) {
        let hint = "add \"bootstrap.servers\" = \"localhost:9092\"".to_owned();
        section.report.add(&section.place, "[connect.kafka] names no brokers".to_owned(), hint);
    }
    kafka
}

/// Names have dots, which TOML reads as tables unless they are quoted; both spellings mean the same.
fn collect(section: &Section<'_>, prefix: &str, variables: Option<Variables<'_>>, into: &mut Vec<KafkaProperty>) {
    for field in section.fields() {
        let name = format!("{prefix}{}", field.name);
        if field.item.as_table_like().is_some_and(|table: &dyn TableLike| !table.is_empty()) {
            collect(&field.free_section(), &format!("{name}."), variables, into);
            continue;
        }
        if into.iter().any(|property| property.name == name) {
            field.report.add(&field.key_place, format!("`{}` is given twice", name.escape_debug()), None);
        }
        let value = written(&field).and_then(|text| substitute(&field, &name, &text, variables));
        // A faulty one keeps its name, so that it does not count as missing.
        into.push(KafkaProperty { name, value: value.unwrap_or_else(|| PropertyValue::Plain(String::new())) });
    }
}

/// The value as librdkafka's text.
fn written(field: &Field<'_>) -> Option<String> {
    match field.item {
        Item::Value(Value::String(text)) => Some(text.value().clone()),
        Item::Value(Value::Integer(number)) => Some(number.value().to_string()),
        Item::Value(Value::Float(number)) => Some(number.value().to_string()),
        Item::Value(Value::Boolean(flag)) => Some(flag.value().to_string()),
        _ => field.wrong_type("a text, a number, or true or false"),
    }
}

/// Replaces every `${NAME}` by its variable. What comes from the environment, or belongs to a sensitive name, is secret.
fn substitute(field: &Field<'_>, name: &str, text: &str, variables: Option<Variables<'_>>) -> Option<PropertyValue> {
    let Some(pieces) = pieces(text) else {
        let hint = "write ${NAME}: letters, digits and underscores in braces".to_owned();
        return field.refuse(format!("a variable in `{}` is not written right", field.path()), hint);
    };
    let has_variables = pieces.iter().any(|piece| matches!(piece, Piece::Variable(_)));
    if !has_variables {
        return Some(KafkaProperty::new(name, text).value);
    }
    let is_only_variable = matches!(pieces[..], [Piece::Variable(_)]);
    let shown = if is_sensitive(name) && !is_only_variable { MASK } else { text };
    let value: Vec<String> = pieces.iter().filter_map(|piece| resolve(field, piece, variables)).collect();
    (value.len() == pieces.len()).then(|| PropertyValue::Secret(Secret::shown_as(value.concat(), shown)))
}

/// A part of a value.
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// The text cut at its variables. `None` if one has no end or no proper name.
fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}')?;
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            return None;
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Variable(name));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Some(pieces)
}

fn resolve(field: &Field<'_>, piece: &Piece<'_>, variables: Option<Variables<'_>>) -> Option<String> {
    let name = match piece {
        Piece::Text(text) => return Some((*text).to_owned()),
        Piece::Variable(name) => *name,
    };
    let Some(variables) = variables else {
        return Some(String::new());
    };
    let value = variables(name);
    if value.is_none() {
        let message = format!("`{}` needs the environment variable {name}, which is not set", field.path());
        field.report.add(&field.place, message, format!("export {name}=… before starting"));
    }
    value
}
