use thiserror::Error;

/// Why a layout, or a pattern of keys or of the beginnings of events, was refused. All are mended in the pipeline file
/// by the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LayoutError {
    /// No layout has this name.
    #[error(
        "layout `{name}` does not exist{hint}; there are: {known}. For other lines give a `pattern` or an `example`"
    )]
    UnknownLayout {
        /// The name.
        name: String,
        /// The nearest name, as a question, or nothing.
        hint: String,
        /// All names.
        known: String,
    },
    /// A pattern names a kind that does not exist.
    #[error("pattern, byte {at}: kind `{kind}` does not exist{hint}; there are: {known}")]
    UnknownKind {
        /// Byte of the pattern.
        at: usize,
        /// The kind.
        kind: String,
        /// The nearest name, as a question, or nothing.
        hint: String,
        /// All kinds.
        known: String,
    },
    /// A pattern or an example is not written as it must be.
    #[error("{what}, byte {at}: {why}")]
    Syntax {
        /// `pattern` or `example`.
        what: &'static str,
        /// Byte of its text.
        at: usize,
        /// What is wrong, and the remedy.
        why: String,
    },
    /// A field that cannot be.
    #[error("field `{field}`: {why}")]
    Field {
        /// Its name.
        field: String,
        /// What is wrong, and the remedy.
        why: String,
    },
    /// A text of the pipeline file is larger than any sensible one.
    #[error("{what}: {size} {unit}, at most {size_max}; shorten it")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: usize,
        /// `bytes`, `fields`, …
        unit: &'static str,
        /// The most it may be.
        size_max: usize,
    },
    /// A regular expression that cannot be used.
    #[error("{what} `{pattern}`: {why}")]
    Regex {
        /// `keys` or `start of an event`.
        what: &'static str,
        /// The expression.
        pattern: String,
        /// What is wrong.
        why: String,
    },
}

/// The nearest of some names as a question, if it is near enough to be meant.
pub(super) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known.map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
    match near {
        Some((distance, known)) if distance <= 2.max(known.len() / 3) => format!(" (did you mean `{known}`?)"),
        _ => String::new(),
    }
}

/// Why a line is not of its layout: the furthest place to which it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("byte {at}: expected {expected}, found {found}")]
pub struct LineMisfit {
    /// The field that was expected, if it was one and has a name.
    pub field: Option<String>,
    /// What was expected, in words.
    pub expected: String,
    /// Byte of the line.
    pub at: usize,
    /// What begins there, cut short.
    pub found: String,
}
