//! The text of a pattern turned into steps.

use std::collections::BTreeSet;

use super::error::{LayoutError, did_you_mean};
use super::kind::Kind;
use super::split::{Ends, Step};
use super::{FieldKind, LayoutField};
use crate::time::TimeFormat;

/// No header is longer.
const PATTERN_BYTES_MAX: usize = 4_096;
const FIELDS_MAX: usize = 64;
/// Optional parts inside optional parts.
const NESTING_MAX: usize = 8;
const NAME_BYTES_MAX: usize = 64;

/// A layout's steps and fields.
pub(super) struct Compiled {
    pub(super) steps: Vec<Step>,
    pub(super) fields: Vec<LayoutField>,
    pub(super) formats: Vec<Option<TimeFormat>>,
}

/// A piece of a pattern and where it begins.
enum Piece {
    Literal(Vec<u8>),
    Blank,
    Part { kind: Kind, field: Option<String> },
    Open,
    Close,
}

pub(super) fn compile(pattern: &str) -> Result<Compiled, LayoutError> {
    if pattern.len() > PATTERN_BYTES_MAX {
        let size = pattern.len();
        return Err(LayoutError::TooLarge { what: "pattern", size, unit: "bytes", size_max: PATTERN_BYTES_MAX });
    }
    let pieces = pieces(pattern)?;
    let mut compiled = steps(&pieces, pattern.len())?;
    let mut places = pieces.iter().filter(|(_, piece)| !matches!(piece, Piece::Close)).map(|(at, _)| *at);
    for index in 0..compiled.steps.len() {
        let at = places.next().unwrap_or(pattern.len());
        finish(&mut compiled.steps, index, at)?;
    }
    Ok(compiled)
}

fn syntax(at: usize, why: impl Into<String>) -> LayoutError {
    LayoutError::Syntax { what: "pattern", at, why: why.into() }
}

fn pieces(pattern: &str) -> Result<Vec<(usize, Piece)>, LayoutError> {
    let bytes = pattern.as_bytes();
    let mut pieces: Vec<(usize, Piece)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (piece, length) = match &bytes[at..] {
            [b'%', b'{', ..] => part(pattern, at)?,
            [b'%', b'[', ..] => (Piece::Open, 2),
            [b'%', b']', ..] => (Piece::Close, 2),
            [b'%', b'%', ..] => (Piece::Literal(b"%".to_vec()), 2),
            [b' ' | b'\t', ..] => (Piece::Blank, 1),
            [b'\r' | b'\n', ..] => return Err(syntax(at, "a line break; a layout describes the first line only")),
            [byte, ..] => (Piece::Literal(vec![*byte]), 1),
            [] => break,
        };
        match (pieces.last_mut(), piece) {
            (Some((_, Piece::Literal(before))), Piece::Literal(more)) => before.extend(more),
            (Some((_, Piece::Blank)), Piece::Blank) => {}
            (_, piece) => pieces.push((at, piece)),
        }
        at += length;
    }
    if pieces.is_empty() {
        return Err(syntax(0, "it is empty; `%{rest:message}` takes a line as it is"));
    }
    Ok(pieces)
}

/// `%{kind}` or `%{kind:field}`, and its length.
fn part(pattern: &str, at: usize) -> Result<(Piece, usize), LayoutError> {
    let inside = &pattern[at + 2..];
    let end = inside.find('}').ok_or_else(|| syntax(at, "`%{` without `}`; write `%{kind:field}`"))?;
    let inside = &inside[..end];
    let (name, field) = inside.split_once(':').map_or((inside, None), |(kind, field)| (kind, Some(field)));
    let kind = Kind::named(name).ok_or_else(|| LayoutError::UnknownKind {
        at,
        kind: name.to_owned(),
        hint: did_you_mean(&name.to_ascii_lowercase(), Kind::names()),
        known: Kind::names().collect::<Vec<_>>().join(", "),
    })?;
    if let Some(field) = field {
        check_name(field)?;
    }
    Ok((Piece::Part { kind, field: field.map(str::to_owned) }, end + 3))
}

/// Whether a field can have this name. Errors: `Field`.
pub(super) fn check_name(name: &str) -> Result<(), LayoutError> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = begins && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits && name.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    let why = format!("a name is a letter or `_`, then letters, digits and `_`, at most {NAME_BYTES_MAX}; rename it");
    Err(LayoutError::Field { field: crate::time::excerpt(name), why })
}

fn steps(pieces: &[(usize, Piece)], length: usize) -> Result<Compiled, LayoutError> {
    let mut compiled = Compiled { steps: Vec::new(), fields: Vec::new(), formats: Vec::new() };
    let mut open: Vec<usize> = Vec::new();
    let mut names = BTreeSet::new();
    for (at, piece) in pieces {
        let here = compiled.steps.len();
        let step = match piece {
            Piece::Literal(literal) => Step::Literal(literal.as_slice().into()),
            Piece::Blank => Step::Blank { may_end: false },
            Piece::Open if open.len() == NESTING_MAX => {
                return Err(syntax(*at, format!("more than {NESTING_MAX} optional parts inside each other")));
            }
            Piece::Open => {
                open.push(here);
                Step::Optional { end: 0, field: compiled.fields.len() }
            }
            Piece::Close => {
                let opened = open.pop().ok_or_else(|| syntax(*at, "`%]` without `%[`"))?;
                if opened + 1 == here {
                    return Err(syntax(*at, "an optional part with nothing in it; take it out"));
                }
                if let Step::Optional { end, .. } = &mut compiled.steps[opened] {
                    *end = here;
                }
                continue;
            }
            Piece::Part { kind, field } => {
                if let Some(name) = field.as_ref().filter(|name| !names.insert(name.as_str())) {
                    let why = "the name is used twice; rename one of the two";
                    return Err(LayoutError::Field { field: name.clone(), why: why.into() });
                }
                let field = field.as_ref().map(|name| add_field(&mut compiled, *kind, name));
                match kind {
                    Kind::Rest => Step::Rest { field },
                    kind if kind.ends_with_next() => Step::Until { kind: *kind, field, ends: Ends::default() },
                    kind => Step::Part { kind: *kind, field },
                }
            }
        };
        compiled.steps.push(step);
    }
    if !open.is_empty() {
        return Err(syntax(length, "`%[` without `%]`"));
    }
    if compiled.fields.len() > FIELDS_MAX {
        let size = compiled.fields.len();
        return Err(LayoutError::TooLarge { what: "pattern", size, unit: "fields", size_max: FIELDS_MAX });
    }
    Ok(compiled)
}

fn add_field(compiled: &mut Compiled, kind: Kind, name: &str) -> usize {
    compiled.fields.push(LayoutField { name: name.to_owned(), kind: kind.field_kind() });
    let format = match kind {
        Kind::Time(format) => Some(format),
        _ => None,
    };
    debug_assert_eq!(format.is_some(), kind.field_kind() == FieldKind::Time);
    compiled.formats.push(format);
    compiled.fields.len() - 1
}

/// What a step must know of those after it.
fn finish(steps: &mut [Step], index: usize, at: usize) -> Result<(), LayoutError> {
    let next = steps.get(index + 1);
    let filled = match &steps[index] {
        Step::Blank { .. } => Some(Step::Blank { may_end: matches!(next, Some(Step::Rest { .. })) }),
        Step::Rest { .. } if next.is_some() => {
            return Err(syntax(
                at,
                "`rest` takes all that follows, so it must be the last; `data` ends at what comes next",
            ));
        }
        Step::Until { kind, field, .. } => {
            let mut ends = Ends::default();
            if !beginnings(steps, index + 1, &mut ends) {
                let why = format!(
                    "nothing says where this `{}` ends; put text or a blank after it, or use a kind such as `integer`",
                    kind.name()
                );
                return Err(syntax(at, why));
            }
            Some(Step::Until { kind: *kind, field: *field, ends })
        }
        _ => None,
    };
    if let Some(filled) = filled {
        steps[index] = filled;
    }
    Ok(())
}

/// Gathers the bytes with which the steps from `index` on can begin; false if a field may begin there.
fn beginnings(steps: &[Step], index: usize, ends: &mut Ends) -> bool {
    let mut add = |bytes: &[u8]| {
        for byte in bytes.iter().filter(|byte| !ends.bytes.contains(byte)).copied().collect::<Vec<_>>() {
            ends.bytes.push(byte);
        }
    };
    match steps.get(index) {
        None => ends.line = true,
        Some(Step::Literal(literal)) => add(&literal[..1]),
        Some(Step::Blank { .. }) => {
            add(b" \t");
            // Before the rest a blank may be missing where the line ends.
            ends.line |= matches!(steps.get(index + 1), Some(Step::Rest { .. }));
        }
        Some(Step::Optional { end, .. }) => {
            return beginnings(steps, index + 1, ends) && beginnings(steps, *end, ends);
        }
        Some(Step::Part { .. } | Step::Until { .. } | Step::Rest { .. }) => return false,
    }
    true
}
