use super::connect::Connect;
use super::join::Join;
use super::nearest::{listed, nearest, quoted};
use super::pipeline::Settings;
use super::report::Report;
use super::schema::{FieldType, SchemaField};
use super::source::Format;

/// Checks what a join needs of its own fields, of the source and of the other joins.
pub(super) fn check(settings: &Settings, report: &Report<'_>) {
    for (index, join) in settings.joins.iter().enumerate() {
        check_fields(join, report);
        check_on(settings, join, report);
        check_columns(settings, join, &settings.joins[..index], report);
        if matches!(&join.format, Format::Csv(csv) if csv.columns.is_none()) {
            let message = format!("`join.{}.csv` needs `header = false` and `columns`", join.name);
            let hint = "a topic has no header line".to_owned();
            report.add(&report.key_place(&["join", &join.name, "csv"]), message, hint);
        }
    }
    let Some(first) = settings.joins.first() else { return };
    if matches!(settings.connect, Connect::Files(_)) {
        let message = "`join` needs topics, but the events come from files".to_owned();
        let hint = "join files by [enrich] tables, or take the events from topics".to_owned();
        report.add(&report.key_place(&["join", &first.name]), message, hint);
    }
}

fn check_fields(join: &Join, report: &Report<'_>) {
    let fields = [("key", Some(&join.key)), ("time", join.time.as_ref())];
    for (role, name) in fields {
        let Some(name) = name.filter(|name| !name.is_empty() && !join.schema.is_empty()) else { continue };
        let place = report.value_place(&["join", &join.name, role]);
        match join.schema.iter().find(|field| field.name == *name) {
            None => {
                let known = join.schema.iter().map(|field| field.name.as_str());
                let message = format!("`join.{}.{role}` is {}, which is not in its schema", join.name, quoted(name));
                report.add(&place, message, hint(name, known));
            }
            Some(field) if role == "time" && field.kind != FieldType::Time => {
                let message = format!("`join.{}.time` is {}, which is {}", join.name, quoted(name), field.kind.name());
                let other = report.value_place(&["join", &join.name, "schema", name]);
                report.add_pair(&place, &other, message, "give it the type \"time\"".to_owned());
            }
            Some(_) => {}
        }
    }
}

/// The column of the event is compared with the key as text: numbers of different types would not be found.
fn check_on(settings: &Settings, join: &Join, report: &Report<'_>) {
    let Some(fields) = &settings.schema else { return };
    let path = ["join", &join.name, "on"];
    let Some(on) = fields.iter().find(|field| field.name == join.on) else {
        if !join.on.is_empty() {
            let message = format!("`join.{}.on` is {}, which is not a field of the event", join.name, quoted(&join.on));
            let known = fields.iter().map(|field| field.name.as_str());
            report.add(&report.value_place(&path), message, hint(&join.on, known));
        }
        return;
    };
    if let Some(key) = join.schema.iter().find(|field| field.name == join.key && field.kind != on.kind) {
        let (name, own) = (&join.name, on.kind.name());
        let message =
            format!("`join.{name}.on` is {own}, but `join.{name}.key` is {}: they are never equal", key.kind.name());
        let other = report.value_place(&["join", name, "schema", &key.name]);
        report.add_pair(&report.value_place(&path), &other, message, "declare both with the same type".to_owned());
    }
}

fn check_columns(settings: &Settings, join: &Join, earlier: &[Join], report: &Report<'_>) {
    let fields = settings.schema.iter().flatten().map(|field: &SchemaField| &field.name);
    let taken: Vec<&String> = fields.chain(earlier.iter().flat_map(|join| &join.columns)).collect();
    for (field, column) in join.schema.iter().zip(&join.columns).filter(|(_, column)| taken.contains(column)) {
        let message = format!("the join `{}` gives the event a column {} a second time", join.name, quoted(column));
        let place = report.key_place(&["join", &join.name, "schema", &field.name]);
        report.add(&place, message, "rename the join: its name begins those of its columns".to_owned());
    }
}

fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", listed(known)),
    }
}
