//! The header of a log line.
//!
//! A layout is compiled once into a short list of steps, each of which looks at bytes: a literal, a run of blanks, a
//! part that knows its own end (a number, a time), a part that ends where the next literal begins. There is one way
//! through the list for nearly every line. Where there are several (an optional part, a text that could end at several
//! places) they are tried in order, and the number of tries per line is bounded, so a line costs time in
//! proportion to its length.

mod error;
mod kind;
mod named;
mod example;
mod pattern;
mod split;

use std::ops::Range;
use std::sync::Arc;

pub use error::{LayoutError, LineMisfit};

use crate::time::{TimeFormat, TimeMisfit};
use split::Step;

/// What a field of a layout holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Any text.
    Text,
    /// A whole number of at most 64 bits, with or without a sign.
    Integer,
    /// A decimal number.
    Float,
    /// A moment; [`Layout::time`] reads it.
    Time,
}

/// A field that a layout finds in every line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutField {
    /// Its name, unique in the layout: a letter or `_`, then letters, digits and `_`.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
}

/// A compiled description of a line's header.
#[derive(Clone, Debug)]
pub struct Layout {
    pattern: Arc<str>,
    steps: Arc<[Step]>,
    fields: Arc<[LayoutField]>,
    /// How each field of kind `Time` is written.
    formats: Arc<[Option<TimeFormat>]>,
    offset_seconds: i32,
}

impl Layout {
    /// The layout of a known kind of log. Errors: `UnknownLayout`, which lists them.
    pub fn named(name: &str) -> Result<Self, LayoutError> {
        let pattern = named::pattern(name)?;
        Self::pattern(pattern)
    }

    /// Compiles a pattern: text as it is, `%{kind:field}` or `%{kind}` for a part, `%[…%]` around what may be absent,
    /// `%%` for a percent sign; a blank stands for one or more blanks or tabs.
    /// Errors: all of [`LayoutError`] besides `UnknownLayout` and `Regex`, with the place in the pattern.
    pub fn pattern(pattern: &str) -> Result<Self, LayoutError> {
        let compiled = pattern::compile(pattern)?;
        Ok(Self {
            pattern: pattern.into(),
            steps: compiled.steps.into(),
            fields: compiled.fields.into(),
            formats: compiled.formats.into(),
            offset_seconds: 0,
        })
    }

    /// Makes a pattern of a real line whose parts are marked, `{name:text}`; [`Layout::pattern_text`] shows it. The
    /// kind of a field follows from its text, and the last field is the rest of the line.
    /// Errors: `Syntax`; `Field` if the pattern reads another text out of the line than the marked one.
    pub fn example(example: &str) -> Result<Self, LayoutError> {
        example::learn(example)
    }

    /// The names that [`Layout::named`] knows.
    pub fn names() -> &'static [&'static str] {
        &named::NAMES
    }

    /// The fields in the order in which the pattern names them.
    pub fn fields(&self) -> &[LayoutField] {
        &self.fields
    }

    /// The pattern that it stands for.
    pub fn pattern_text(&self) -> &str {
        &self.pattern
    }

    /// Splits the first line of an event. `into` is cleared and gets one byte range per field, `None` where an optional
    /// part is absent; what is in it after an error means nothing. A `rest` field also takes the further lines of the
    /// event. Line breaks at the end, with or without a carriage return, belong to no field.
    /// Errors: the field expected at the furthest byte that was reached, and what is there instead.
    pub fn split(&self, line: &str, into: &mut Vec<Option<Range<u32>>>) -> Result<(), LineMisfit> {
        into.clear();
        into.resize(self.fields.len(), None);
        split::split(&self.steps, line, into).map_err(|place| place.misfit(&self.steps, &self.fields, line))
    }

    /// Event time of a field of kind `Time`, whose text is `text`. Units: microseconds since the epoch, UTC.
    /// `arrived_micros`, in the same units, fills in what the format lacks: the year or the day that brings the time
    /// nearest to it. Errors: `Form`, `Range`; `NoTime` if the field is of another kind.
    pub fn time(&self, field: usize, text: &str, arrived_micros: i64) -> Result<i64, TimeMisfit> {
        let format = self.formats.get(field).copied().flatten().ok_or(TimeMisfit::NoTime { field })?;
        format.read(text, self.offset_seconds, arrived_micros)
    }

    /// The same layout for times that name no zone and are ahead of UTC by so many seconds; UTC if never called.
    pub fn with_offset(self, offset_seconds: i32) -> Self {
        Self { offset_seconds, ..self }
    }
}
