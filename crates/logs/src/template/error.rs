use thiserror::Error;

/// Why settings, a list of templates or stored memory was refused. All but `Store` are mended by the person who wrote
/// them; memory that was refused is learned again from the messages.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// A mask that cannot be.
    #[error("mask `{name}`: {reason}")]
    Mask {
        /// The mask.
        name: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// An option out of its range.
    #[error("templates: `{option}` = {value} is not in {range}; choose a value in that range")]
    Range {
        /// The option.
        option: &'static str,
        /// As set.
        value: String,
        /// What may be set.
        range: String,
    },
    /// A template that is given and cannot be.
    #[error("template {number} (`{id}`): {reason}")]
    Seed {
        /// Place in the list, from 1.
        number: usize,
        /// Its id.
        id: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A list of templates that does not read.
    #[error("read templates, line {line}: {reason}")]
    List {
        /// Line of the list, from 1.
        line: u64,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Memory that does not read, or was made with other settings.
    #[error("restore templates at byte {offset}: {reason}; learn them again from the messages")]
    Store {
        /// Where.
        offset: usize,
        /// What is wrong.
        reason: String,
    },
}
