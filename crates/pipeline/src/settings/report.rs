use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::path::Path;

use toml_edit::{Item, Table, TableLike};

use super::fault::{Excerpt, Fault, Faults};
use super::secret::{MASK, SENSITIVE};

/// Faults kept; a file can hold a hundred thousand, and nobody reads on.
const FAULTS_KEPT_MAX: usize = 1_000;
/// How far back the key of a long secret is looked for; keys in PEM form have some fifty lines.
const SECRET_LINES_MAX: usize = 200;
/// Longest part of a line that is shown. Units: characters.
const SHOWN_MAX: usize = 120;
/// What is shown before the marked part of a long line. Units: characters.
const LEAD: usize = 40;

/// Collects faults while a file is read.
pub(super) struct Report<'a> {
    file: &'a Path,
    text: &'a str,
    root: Option<&'a Table>,
    line_starts: Vec<usize>,
    faults: RefCell<Vec<Fault>>,
    left_out: Cell<usize>,
}

impl<'a> Report<'a> {
    /// A report without faults. `root` is the parsed file, `None` before it is parsed.
    pub(super) fn new(file: &'a Path, text: &'a str, root: Option<&'a Table>) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(breaks).collect();
        Self { file, text, root, line_starts, faults: RefCell::default(), left_out: Cell::new(0) }
    }

    /// Adds a fault at a place.
    pub(super) fn add(&self, place: &Range<usize>, message: String, hint: impl Into<Option<String>>) {
        self.push(place, None, message, hint.into());
    }

    /// Adds a contradiction between two places.
    pub(super) fn add_pair(
        &self,
        place: &Range<usize>,
        other: &Range<usize>,
        message: String,
        hint: impl Into<Option<String>>,
    ) {
        self.push(place, Some(other), message, hint.into());
    }

    fn push(&self, place: &Range<usize>, other: Option<&Range<usize>>, message: String, hint: Option<String>) {
        if self.faults.borrow().len() >= FAULTS_KEPT_MAX {
            self.left_out.set(self.left_out.get() + 1);
            return;
        }
        let (at, also) = (Some(self.excerpt(place)), other.map(|other| self.excerpt(other)));
        self.faults.borrow_mut().push(Fault { message, hint, at, also });
    }

    /// Number of faults so far.
    pub(super) fn len(&self) -> usize {
        self.faults.borrow().len() + self.left_out.get()
    }

    /// The faults, or `Ok` if there is none.
    pub(super) fn finish(self) -> Result<(), Faults> {
        if self.faults.borrow().is_empty() { Ok(()) } else { Err(self.into_faults()) }
    }

    /// The faults.
    pub(super) fn into_faults(self) -> Faults {
        Faults::new(self.file, self.faults.into_inner(), self.left_out.get())
    }

    /// Where the key at the end of `path` stands; if it is left out, its nearest table.
    pub(super) fn key_place(&self, path: &[&str]) -> Range<usize> {
        self.walk(path).0
    }

    /// Where the value at the end of `path` stands; if it is left out, its nearest table.
    pub(super) fn value_place(&self, path: &[&str]) -> Range<usize> {
        match self.walk(path) {
            (_, Some(item)) => item.span().unwrap_or_else(|| self.key_place(path)),
            (key, None) => key,
        }
    }

    /// Where a text stands in the list at the end of `path`.
    pub(super) fn text_place(&self, path: &[&str], text: &str) -> Range<usize> {
        let list = self.walk(path).1.and_then(Item::as_array);
        let element = list.and_then(|list| list.iter().find(|element| element.as_str() == Some(text)));
        element.and_then(|element| element.span()).unwrap_or_else(|| self.value_place(path))
    }

    /// Whether the key at the end of `path` is written in the file.
    pub(super) fn is_given(&self, path: &[&str]) -> bool {
        self.walk(path).1.is_some()
    }

    fn walk(&self, path: &[&str]) -> (Range<usize>, Option<&'a Item>) {
        let mut place = 0..0;
        let mut table: Option<&'a dyn TableLike> = self.root.map(|root| root as &dyn TableLike);
        let mut found = None;
        for name in path {
            let Some((key, item)) = table.and_then(|table| table.get_key_value(name)) else {
                return (place, None);
            };
            place = key.span().or_else(|| item.span()).unwrap_or(place);
            table = item.as_table_like();
            found = Some(item);
        }
        (place, found)
    }

    fn excerpt(&self, place: &Range<usize>) -> Excerpt {
        let start = floor_boundary(self.text, place.start);
        let index = self.line_starts.partition_point(|line| *line <= start).saturating_sub(1);
        let line = self.line(index);
        let before = start - self.line_starts[index];
        let column = line.get(..before).unwrap_or(line).chars().count();
        let end = floor_boundary(self.text, place.end.max(start)).min(self.line_starts[index] + line.len()).max(start);
        let length = self.text[start..end].chars().count().max(1);
        let masked = self.masked_from(index);
        let (text, caret) = match masked {
            Some(0) => (MASK.to_owned(), None),
            Some(from) => {
                let shown = format!("{} {MASK}", &line[..from]);
                let visible = before < from;
                (clean(&shown), visible.then_some(column))
            }
            None => shorten(line, column),
        };
        let room = text.chars().count().saturating_sub(caret.unwrap_or(0)).max(1);
        Excerpt { line: index + 1, column: column + 1, text, caret, caret_length: length.min(room) }
    }

    fn line(&self, index: usize) -> &'a str {
        let end = self.line_starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        let line = &self.text[self.line_starts[index]..end];
        line.strip_suffix('\r').unwrap_or(line)
    }

    /// From which byte on a line must be masked: after the `=` of a sensitive key; all of it if it continues the
    /// value of one, as a key in PEM form does.
    fn masked_from(&self, index: usize) -> Option<usize> {
        let line = self.line(index);
        let own = secret_value(line);
        if own.is_some() || assignment(line).is_some() || line.trim_start().starts_with('[') {
            return own;
        }
        let before = (0..index).rev().take(SECRET_LINES_MAX).map(|line| self.line(line));
        let opener = before.into_iter().find(|line| assignment(line).is_some());
        opener.is_some_and(|line| secret_value(line).is_some()).then_some(0)
    }
}

/// Byte after the `=` that follows a word for secrets, if there is one in the line.
fn secret_value(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let word = SENSITIVE.iter().chain(&["pem"]).filter_map(|word| lower.find(word)).min()?;
    Some(word + lower[word..].find('=')? + 1)
}

/// Byte of the `=` of `key = value`, if the line looks like that. Base64, which ends in `=`, does not.
fn assignment(line: &str) -> Option<usize> {
    let equals = line.find('=')?;
    let value = line[equals + 1..].trim();
    let is_key = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'' | ' ' | '\t' | '{' | ',');
    (!value.is_empty() && !value.starts_with('=') && line[..equals].chars().all(is_key)).then_some(equals)
}

fn floor_boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// Cuts a long line around a column. Returns the cut and where the column is in it.
fn shorten(line: &str, column: usize) -> (String, Option<usize>) {
    let from = if line.chars().nth(SHOWN_MAX).is_none() { 0 } else { column.saturating_sub(LEAD) };
    let cut: String = line.chars().skip(from).take(SHOWN_MAX).collect();
    (clean(&cut), Some(column - from))
}

/// Control characters would move the caret, or the reader's terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
