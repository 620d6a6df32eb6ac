use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use lapwing_vocabulary::time::parse_duration;
use toml_edit::{Item, TableLike, Value};

use super::keys;
use super::nearest::{listed, name_hint, nearest, quoted};
use super::report::Report;
use super::units::{duration_bounds, format_size, parse_size, show_duration};

/// A table of the file. A table that is left out reads as an empty one.
pub(super) struct Section<'a> {
    /// Collects the faults.
    pub(super) report: &'a Report<'a>,
    /// Where its header stands.
    pub(super) place: Range<usize>,
    path: String,
    table: Option<&'a dyn TableLike>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(report: &'a Report<'a>, table: &'a dyn TableLike) -> Self {
        let root = Self { report, place: 0..0, path: String::new(), table: Some(table) };
        root.refuse_unknown(keys::ROOT);
        root
    }

    /// The table `name` with its known keys. Anything else in it is a fault.
    pub(super) fn section(&self, name: &str, known: &[&str]) -> Section<'a> {
        let section = self.free_section(name);
        section.refuse_unknown(known);
        section
    }

    /// The table `name`, whose keys are names the user chooses.
    pub(super) fn free_section(&self, name: &str) -> Section<'a> {
        match self.field(name) {
            Some(field) => field.free_section(),
            None => Self { report: self.report, place: self.place.clone(), path: self.path_of(name), table: None },
        }
    }

    /// Whether it is written in the file.
    pub(super) fn is_given(&self) -> bool {
        self.table.is_some()
    }

    /// The value of a key, if it is given.
    pub(super) fn field(&self, name: &str) -> Option<Field<'a>> {
        let (key, item) = self.table?.get_key_value(name)?;
        let place = item.span().or_else(|| key.span()).unwrap_or_else(|| self.place.clone());
        let key_place = key.span().unwrap_or_else(|| place.clone());
        Some(Field {
            report: self.report,
            path: self.path_of(name),
            name: key.get().to_owned(),
            item,
            place,
            key_place,
        })
    }

    /// The value of a key that must be given.
    pub(super) fn required(&self, name: &str, hint: &str) -> Option<Field<'a>> {
        let field = self.field(name);
        if field.is_none() {
            let message = format!("`{}` is missing", self.path_of(name));
            self.report.add(&self.place, message, hint.to_owned());
        }
        field
    }

    /// Everything in it, in the order of the file.
    pub(super) fn fields(&self) -> Vec<Field<'a>> {
        let names = self.table.into_iter().flat_map(|table| table.iter()).map(|(name, _)| name);
        names.filter_map(|name| self.field(name)).collect()
    }

    /// A text, or its default.
    pub(super) fn text_or(&self, name: &str, default: impl Into<String>) -> String {
        self.field(name).and_then(|field| field.text()).unwrap_or_else(|| default.into())
    }

    /// A whole number within bounds, or its default.
    pub(super) fn integer_or(&self, name: &str, bounds: RangeInclusive<i64>, default: i64) -> i64 {
        self.field(name).and_then(|field| field.integer(bounds)).unwrap_or(default)
    }

    /// `true` or `false`, or its default.
    pub(super) fn flag_or(&self, name: &str, default: bool) -> bool {
        self.field(name).and_then(|field| field.flag()).unwrap_or(default)
    }

    /// A length of time within bounds, or its default. Units: microseconds.
    pub(super) fn duration_or(&self, name: &str, bounds: RangeInclusive<i64>, default: i64) -> i64 {
        self.field(name).and_then(|field| field.duration(bounds)).unwrap_or(default)
    }

    /// The full name of a key in it, given or not.
    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn refuse_unknown(&self, known: &[&str]) {
        for field in self.fields() {
            if !known.contains(&field.name.as_str()) {
                let place =
                    if self.path.is_empty() { "a pipeline file".to_owned() } else { format!("[{}]", self.path) };
                let message = format!("unknown key {} in {place}", quoted(&field.name));
                self.report.add(&field.key_place, message, unknown_hint(&field.name, known));
            }
        }
    }
}

/// A key that stands in the wrong table is as common as a misspelt one.
fn unknown_hint(name: &str, known: &[&str]) -> String {
    if nearest(name, known.iter().copied()).is_none() {
        let elsewhere = keys::sections_of(name);
        if !elsewhere.is_empty() {
            return format!("`{name}` belongs in {}", listed(elsewhere));
        }
    }
    name_hint(name, known)
}

/// A key with its value.
pub(super) struct Field<'a> {
    /// Collects the faults.
    pub(super) report: &'a Report<'a>,
    /// The key.
    pub(super) name: String,
    /// Where the value stands.
    pub(super) place: Range<usize>,
    /// Where the key stands.
    pub(super) key_place: Range<usize>,
    /// The value.
    pub(super) item: &'a Item,
    path: String,
}

impl<'a> Field<'a> {
    /// The value as a table with its known keys.
    pub(super) fn section(&self, known: &[&str]) -> Section<'a> {
        let section = self.free_section();
        section.refuse_unknown(known);
        section
    }

    /// The value as a table whose keys are names the user chooses.
    pub(super) fn free_section(&self) -> Section<'a> {
        let table = self.item.as_table_like();
        let table = table.or_else(|| self.wrong_type("a table"));
        Section { report: self.report, place: self.key_place.clone(), path: self.path.clone(), table }
    }

    /// The value as a list of tables with their known keys; `form` says in words what is expected.
    pub(super) fn sections(&self, known: &[&str], form: &str) -> Option<Vec<Section<'a>>> {
        let section = |table: &'a dyn TableLike, place: Option<Range<usize>>| {
            let place = place.unwrap_or_else(|| self.place.clone());
            let section = Section { report: self.report, place, path: self.path.clone(), table: Some(table) };
            section.refuse_unknown(known);
            section
        };
        if let Some(tables) = self.item.as_array_of_tables() {
            return Some(tables.iter().map(|table| section(table, table.span())).collect());
        }
        let tables = self.item.as_array().map(|list| list.iter().map(|value| (value.as_inline_table(), value.span())));
        let tables: Option<Vec<_>> = tables.and_then(|tables| tables.map(|(table, at)| Some((table?, at))).collect());
        let Some(tables) = tables else { return self.wrong_type(form) };
        Some(tables.into_iter().map(|(table, place)| section(table, place)).collect())
    }

    /// A text that is not empty.
    pub(super) fn text(&self) -> Option<String> {
        let Some(text) = self.item.as_str() else {
            return self.wrong_type("a text in quotes");
        };
        if text.trim().is_empty() {
            return self.refuse(format!("`{}` is empty", self.path), None);
        }
        Some(text.to_owned())
    }

    /// A text for which `is_valid` holds; `rule` says in words what that is.
    pub(super) fn text_of(&self, is_valid: impl Fn(&str) -> bool, rule: &str) -> Option<String> {
        let text = self.text()?;
        if is_valid(&text) {
            return Some(text);
        }
        self.refuse(format!("`{}` cannot be {}", self.path, quoted(&text)), Some(rule.to_owned()))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        self.item.as_bool().or_else(|| self.wrong_type("true or false"))
    }

    /// A whole number within bounds.
    pub(super) fn integer(&self, bounds: RangeInclusive<i64>) -> Option<i64> {
        let Some(number) = self.item.as_integer() else {
            return self.wrong_type("a whole number");
        };
        let allowed = format!("{} to {}", bounds.start(), bounds.end());
        self.within(number, bounds.contains(&number), number, &allowed)
    }

    /// A number, with or without a fraction.
    pub(super) fn number(&self) -> Option<f64> {
        let whole = self.item.as_integer().map(|number| number as f64);
        self.item.as_float().or(whole).or_else(|| self.wrong_type("a number"))
    }

    /// A length of time within bounds. Units: microseconds.
    pub(super) fn duration(&self, bounds: RangeInclusive<i64>) -> Option<i64> {
        let form = "a length of time such as \"90s\": a whole number and one of us, ms, s, m, h, d";
        let Some(micros) = self.item.as_str().and_then(parse_duration) else {
            return self.wrong_type(form);
        };
        self.within(micros, bounds.contains(&micros), show_duration(micros), &duration_bounds(&bounds))
    }

    /// A size within bounds. Units: bytes.
    pub(super) fn size(&self, bounds: RangeInclusive<u64>) -> Option<u64> {
        let form = "a size such as \"10MiB\": a whole number and one of B, KiB, MiB, GiB, kB, MB, GB";
        let Some(bytes) = self.item.as_str().and_then(parse_size) else {
            return self.wrong_type(form);
        };
        let allowed = format!("{} to {}", format_size(*bounds.start()), format_size(*bounds.end()));
        self.within(bytes, bounds.contains(&bytes), format_size(bytes), &allowed)
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let refused = || self.refuse(format!("`{}` cannot be {}", self.path, quoted(&text)), name_hint(&text, &names));
        found.map(|(_, value)| *value).or_else(refused)
    }

    /// A list of texts, none empty and none twice. Faulty ones are reported and left out.
    pub(super) fn texts(&self) -> Option<Vec<String>> {
        let Some(list) = self.item.as_array() else {
            return self.wrong_type("a list of texts, such as [\"a\", \"b\"]");
        };
        if list.is_empty() {
            return self.refuse(format!("`{}` is empty", self.path), None);
        }
        let mut texts: Vec<String> = Vec::new();
        for element in list {
            match self.element(element) {
                Some(text) if texts.contains(&text) => {
                    let place = element.span().unwrap_or_else(|| self.place.clone());
                    self.report.add(&place, format!("{} is in `{}` twice", quoted(&text), self.path), None);
                }
                Some(text) => texts.push(text),
                None => {}
            }
        }
        Some(texts)
    }

    fn element(&self, element: &Value) -> Option<String> {
        let text = element.as_str().filter(|text| !text.trim().is_empty());
        if text.is_none() {
            let place = element.span().unwrap_or_else(|| self.place.clone());
            self.report.add(&place, format!("`{}` may hold only texts, and none empty", self.path), None);
        }
        text.map(str::to_owned)
    }

    /// Reports the value. Returns `None`, for whoever reads on.
    pub(super) fn refuse<T>(&self, message: String, hint: impl Into<Option<String>>) -> Option<T> {
        self.report.add(&self.place, message, hint);
        None
    }

    /// Reports a value of the wrong type. It is not quoted: it may be a secret.
    pub(super) fn wrong_type<T>(&self, expected: &str) -> Option<T> {
        let (found, place) = match self.item {
            Item::Value(value) => (type_in_words(value), &self.place),
            Item::ArrayOfTables(_) => ("a list of tables", &self.key_place),
            Item::Table(_) | Item::None => ("a table", &self.key_place),
        };
        let hint = expected.split_once(": ").map(|(_, rest)| format!("write {rest}"));
        let expected = expected.split_once(": ").map_or(expected, |(form, _)| form);
        let of_text = expected.contains("such as \"") && found == "a text";
        let message = match of_text {
            true => format!("`{}` must be {expected}", self.path),
            false => format!("`{}` must be {expected}, not {found}", self.path),
        };
        self.report.add(place, message, hint);
        None
    }

    fn within<T>(&self, value: T, is_within: bool, shown: impl Display, allowed: &str) -> Option<T> {
        if is_within {
            return Some(value);
        }
        self.refuse(format!("`{}` is {shown}", self.path), Some(format!("allowed: {allowed}")))
    }

    /// The full name, as in `source.watermark`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

fn type_in_words(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::InlineTable(_) => "a table",
    }
}
