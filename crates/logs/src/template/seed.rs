use super::error::TemplateError;

/// Most templates of a list.
pub(super) const SEED_TEMPLATES_MAX: usize = 10_000;
/// Most bytes of one template.
pub(super) const SEED_TEXT_BYTES_MAX: usize = 4_096;
/// The column of ids in a list.
const ID: &str = "EventId";
/// The column of templates in a list.
const TEXT: &str = "EventTemplate";

/// A template that is known beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedTemplate {
    /// Its id, such as `E5`.
    pub id: String,
    /// Its text. `<*>` (also `[*]`, and `<NAME>` of a mask in use) stands for any characters, blanks too, or none.
    /// All else is literal, a single `*` too.
    pub text: String,
}

/// Reads a list of templates: CSV whose header names `EventId` and `EventTemplate`; other columns are passed over.
/// Errors: `List`, with the line.
pub fn read_seed(csv: &[u8]) -> Result<Vec<SeedTemplate>, TemplateError> {
    let mut reader = csv::ReaderBuilder::new().from_reader(csv);
    let headers = reader.headers().map_err(|error| fault(&error))?;
    let column = |name: &str| {
        let reason = || format!("the header has no column `{name}`; it must name {ID} and {TEXT}");
        headers.iter().position(|header| header == name).ok_or_else(|| list(1, reason()))
    };
    let (id, text) = (column(ID)?, column(TEXT)?);
    let mut seed = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| fault(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        // Records are as wide as the header: the reader refuses others.
        let template = SeedTemplate { id: record[id].to_owned(), text: record[text].to_owned() };
        if seed.len() == SEED_TEMPLATES_MAX {
            return Err(list(line, format!("more than {SEED_TEMPLATES_MAX} templates; leave out some")));
        }
        if let Some(reason) = refusal(&template) {
            return Err(list(line, reason));
        }
        seed.push(template);
    }
    Ok(seed)
}

/// Returns a list of templates, given as id and text, as [`read_seed`] reads it.
pub fn write_seed<'a>(templates: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let rows = std::iter::once((ID, TEXT)).chain(templates);
    for (id, text) in rows {
        writer.write_record([id, text]).expect("a vector takes every byte, and all rows have two fields");
    }
    writer.into_inner().expect("a vector takes every byte")
}

/// Why a template cannot be one, by itself.
pub(super) fn refusal(seed: &SeedTemplate) -> Option<String> {
    if seed.id.trim().is_empty() {
        return Some("its id is empty; give it one".into());
    }
    if seed.text.trim().is_empty() {
        return Some("its text is empty; leave it out".into());
    }
    (seed.text.len() > SEED_TEXT_BYTES_MAX)
        .then(|| format!("its text has {} bytes, more than {SEED_TEXT_BYTES_MAX}; shorten it", seed.text.len()))
}

fn list(line: u64, reason: String) -> TemplateError {
    TemplateError::List { line, reason }
}

fn fault(error: &csv::Error) -> TemplateError {
    let line = error.position().map_or(1, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields instead of {expected_len}; put a template that holds a comma in quotes")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8; convert the file".into(),
        other => format!("it is no CSV ({other:?}); write it anew"),
    };
    list(line, reason)
}
