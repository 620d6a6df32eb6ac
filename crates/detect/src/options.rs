//! Options of methods.
//!
//! Every option is a [`Slot`]: a place to write a value, and what may stand there. Pipeline files, resolved pipelines and
//! searches for good options all go through slots, so an option is declared once, beside the method it belongs to.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

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

impl Slot<'_> {
    pub(crate) fn value(&self) -> OptionValue {
        match self {
            Self::Whole(value, _) => OptionValue::Whole(**value),
            Self::Number(value, _) => OptionValue::Number(**value),
            Self::Flag(value) => OptionValue::Flag(**value),
            Self::Text(value) => OptionValue::Text((**value).clone()),
        }
    }

    /// Writes a value; the error says what is allowed.
    pub(crate) fn set(self, new: &OptionValue) -> Result<(), String> {
        match (self, new) {
            (Self::Whole(value, range), OptionValue::Whole(new)) if range.contains(new) => *value = *new,
            (Self::Whole(_, range), _) => {
                return Err(format!("a whole number from {} to {}", range.start(), range.end()));
            }
            (Self::Number(value, range), OptionValue::Number(new)) if range.contains(new) => *value = *new,
            (Self::Number(value, range), OptionValue::Whole(new)) if range.contains(&(*new as f64)) => {
                *value = *new as f64;
            }
            (Self::Number(_, range), _) => {
                return Err(format!("a number from {} to {}", range.start(), range.end()));
            }
            (Self::Flag(value), OptionValue::Flag(new)) => *value = *new,
            (Self::Flag(_), _) => return Err("true or false".to_owned()),
            (Self::Text(value), OptionValue::Text(new)) => value.clone_from(new),
            (Self::Text(_), _) => return Err("a text".to_owned()),
        }
        Ok(())
    }
}
