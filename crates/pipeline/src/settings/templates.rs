use std::fs::File;
use std::io::Read;
use std::path::Path;

use lapwing_logs::{Mask, SeedTemplate, TemplateSpec, read_seed};

use super::connect::LocalPath;
use super::keys;
use super::schema::{FieldType, SchemaField};
use super::section::{Field, Section};
use super::source::LINE;
use super::units::is_identifier;

/// Largest list of templates. Units: bytes.
const SEED_BYTES_MAX: u64 = 16 << 20;
/// Most variable parts that become columns.
const PARAMETERS_MAX: i64 = 32;

/// Column of the template's id.
pub const TEMPLATE: &str = "template";
/// Column of the template's place in the list that was given, from 1; 0 for every other.
pub const TEMPLATE_CODE: &str = "template_code";
/// Column of the template's text as it is when the line comes.
pub const TEMPLATE_TEXT: &str = "template_text";
/// Column that is 1 for the first line of a template that was not known before, 0 for others.
pub const TEMPLATE_NEW: &str = "template_new";
/// Columns of variable parts: this, and a number from 1.
pub const PARAMETER: &str = "parameter_";

/// Templates of log messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Templates {
    /// Column of the messages.
    pub column: String,
    /// The file of the templates that are known beforehand.
    pub seed: Option<LocalPath>,
    /// What is masked, how alike lines must be, what bounds it; with the templates that are known beforehand.
    pub spec: TemplateSpec,
    /// Variable parts that become columns.
    pub parameters: usize,
}

impl Templates {
    /// The columns it adds to events.
    pub fn columns(&self) -> Vec<SchemaField> {
        let own = [
            (TEMPLATE, FieldType::Text),
            (TEMPLATE_CODE, FieldType::Int),
            (TEMPLATE_TEXT, FieldType::Text),
            (TEMPLATE_NEW, FieldType::Int),
        ];
        let own = own.map(|(name, kind)| (name.to_owned(), kind)).into_iter();
        let parameters = (1..=self.parameters).map(|at| (format!("{PARAMETER}{at}"), FieldType::Text));
        own.chain(parameters).map(|(name, kind)| SchemaField { name, kind, path: None }).collect()
    }

    /// Ids of the templates that are known beforehand; the code of each is its place, from 1.
    pub fn labels(&self) -> Vec<String> {
        self.spec.seed.iter().map(|template| template.id.clone()).collect()
    }
}

/// Reads `[templates]`; `None` if it is left out. The path of the list is relative to `folder`.
pub(super) fn read(root: &Section<'_>, folder: &Path) -> Option<Templates> {
    let section = root.section("templates", keys::TEMPLATES);
    if !section.is_given() {
        return None;
    }
    let faults_before = section.report.len();
    let defaults = TemplateSpec::default();
    let seed = section.field("seed").and_then(|field| Some((LocalPath::within(folder, &field.text()?), field)));
    let list = seed.as_ref().and_then(|(path, field)| read_list(path, field));
    let number = |name: &str, most: i64, default: usize| section.integer_or(name, 1..=most, default as i64) as usize;
    let similarity = section.field("similarity").and_then(|field| field.number());
    let spec = TemplateSpec {
        masks: read_masks(&section).unwrap_or(defaults.masks),
        seed: list.unwrap_or_default(),
        learn: section.flag_or("learn", defaults.learn),
        depth: number("depth", 64, defaults.depth),
        similarity: similarity.unwrap_or(defaults.similarity),
        children_max: number("max_children", 100_000, defaults.children_max),
        templates_max: number("max_templates", 10_000_000, defaults.templates_max),
        tokens_max: number("max_tokens", 100_000, defaults.tokens_max),
        line_bytes_max: number("max_bytes", 1 << 24, defaults.line_bytes_max),
    };
    if section.report.len() == faults_before
        && let Err(error) = spec.check()
    {
        section.report.add(&section.place, format!("[templates] {error}"), None);
    }
    Some(Templates {
        column: section.text_or("column", LINE),
        seed: seed.map(|(path, _)| path),
        spec,
        parameters: section.integer_or("parameters", 0..=PARAMETERS_MAX, 0) as usize,
    })
}

fn read_list(path: &LocalPath, field: &Field<'_>) -> Option<Vec<SeedTemplate>> {
    let mut bytes = Vec::new();
    let read = File::open(path.path()).and_then(|file| file.take(SEED_BYTES_MAX + 1).read_to_end(&mut bytes));
    let shown = path.path().display();
    if let Err(error) = read {
        let hint = "a CSV file with the columns EventId and EventTemplate, relative to the pipeline file".to_owned();
        return field.refuse(format!("`{}`: {shown} cannot be read: {error}", field.path()), hint);
    }
    if bytes.len() as u64 > SEED_BYTES_MAX {
        return field.refuse(format!("`{}`: {shown} is larger than {SEED_BYTES_MAX} bytes", field.path()), None);
    }
    match read_seed(&bytes) {
        Ok(list) => Some(list),
        Err(error) => field.refuse(format!("`{}`: {shown}: {error}", field.path()), None),
    }
}

/// The own patterns, in the order of the file, then the masks known by name. `None` if neither is given.
fn read_masks(section: &Section<'_>) -> Option<Vec<Mask>> {
    let patterns = section.free_section("patterns");
    let own = patterns.fields().into_iter().filter_map(|field| {
        if !is_identifier(&field.name) {
            let message = format!("a mask cannot be called `{}`", field.name.escape_debug());
            field.report.add(&field.key_place, message, "letters, digits and underscores".to_owned());
        }
        Some(Mask { name: field.name.clone(), pattern: field.text()? })
    });
    let mut masks: Vec<Mask> = own.collect();
    let Some(field) = section.field("masks") else {
        if masks.is_empty() {
            return None;
        }
        // Own patterns come first: they know more of these lines.
        masks.extend(TemplateSpec::default().masks);
        return Some(masks);
    };
    let is_empty = field.item.as_array().is_some_and(|list| list.is_empty());
    for name in if is_empty { Vec::new() } else { field.texts().unwrap_or_default() } {
        match Mask::named(&name) {
            Some(mask) => masks.push(mask),
            None => {
                let hint = super::nearest::name_hint(&name, Mask::names());
                field.report.add(&field.place, format!("there is no mask `{}`", name.escape_debug()), hint);
            }
        }
    }
    Some(masks)
}
