//! Options as places to write values: a pipeline file, a resolved pipeline and a search for good options go through
//! them, so an option is declared once, beside the method it belongs to.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::error::DetectError;

/// Where the value of an option is kept, and what may stand there.
#[derive(Debug)]
pub enum Slot<'a> {
    /// A whole number.
    Whole(&'a mut usize, RangeInclusive<usize>),
    /// A number.
    Number(&'a mut f64, RangeInclusive<f64>),
    /// Yes or no.
    Flag(&'a mut bool),
    /// A name or a path.
    Text(&'a mut String),
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OptionValue {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Whole(usize),
    /// A number.
    Number(f64),
    /// A name or a path.
    Text(String),
}

impl fmt::Display for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(value) => write!(f, "{value}"),
            Self::Whole(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value:?}"),
            Self::Text(value) => write!(f, "{value:?}"),
        }
    }
}

/// Options of a method, in the order in which people read them.
pub trait Options {
    /// Each option's name and slot.
    fn slots(&mut self) -> Vec<(&'static str, Slot<'_>)>;
}

/// Refuses options that are out of range; the text says which, and what is allowed. Errors: `Setting`.
pub(crate) fn check(method: &str, mut options: impl Options) -> Result<(), DetectError> {
    for (name, slot) in options.slots() {
        let (value, allowed) = (slot.value(), slot.allowed());
        if !slot.set(&value) {
            return Err(DetectError::Setting(format!("`{name}` of {method} is {value}; allowed: {allowed}")));
        }
    }
    Ok(())
}

impl Slot<'_> {
    pub(crate) fn value(&self) -> OptionValue {
        match self {
            Self::Whole(value, _) => OptionValue::Whole(**value),
            Self::Number(value, _) => OptionValue::Number(**value),
            Self::Flag(value) => OptionValue::Flag(**value),
            Self::Text(value) => OptionValue::Text((**value).clone()),
        }
    }

    /// In words, what may stand here.
    pub(crate) fn allowed(&self) -> String {
        match self {
            Self::Whole(_, range) => format!("{} to {}", range.start(), range.end()),
            Self::Number(_, range) => format!("a number from {} to {}", range.start(), range.end()),
            Self::Flag(_) => "true or false".to_owned(),
            Self::Text(_) => "a text".to_owned(),
        }
    }

    /// Writes a value, if it may stand here.
    pub(crate) fn set(self, new: &OptionValue) -> bool {
        match (self, new) {
            (Self::Whole(value, range), OptionValue::Whole(new)) if range.contains(new) => *value = *new,
            (Self::Number(value, range), OptionValue::Number(new)) if range.contains(new) => *value = *new,
            (Self::Number(value, range), OptionValue::Whole(new)) if range.contains(&(*new as f64)) => {
                *value = *new as f64;
            }
            (Self::Flag(value), OptionValue::Flag(new)) => *value = *new,
            (Self::Text(value), OptionValue::Text(new)) => value.clone_from(new),
            _ => return false,
        }
        true
    }
}
