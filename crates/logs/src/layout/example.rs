//! A pattern made from one line whose parts are marked.

use super::error::LayoutError;
use super::kind::Kind;
use super::pattern::check_name;
use super::{FieldKind, Layout};
use crate::time::{EpochUnit, TimeFormat, excerpt};

/// No header is longer; the pattern made of it is bounded too.
const EXAMPLE_BYTES_MAX: usize = 4_096;
/// What the name of a field must hold for a plain number in it to be taken for a time.
const TIME_NAMES: [&str; 4] = ["time", "epoch", "date", "ts"];
/// Kinds that a text is tried for, the most telling first.
const KINDS: [Kind; 5] = [Kind::Uuid, Kind::Ip, Kind::Integer, Kind::Number, Kind::Quoted];

/// A part of an example.
enum Piece<'a> {
    Literal(&'a str),
    Mark { name: &'a str, text: &'a str },
}

pub(super) fn learn(example: &str) -> Result<Layout, LayoutError> {
    if example.len() > EXAMPLE_BYTES_MAX {
        let size = example.len();
        return Err(LayoutError::TooLarge { what: "example", size, unit: "bytes", size_max: EXAMPLE_BYTES_MAX });
    }
    let pieces = pieces(example)?;
    let last = pieces.len() - 1;
    let (mut pattern, mut line) = (String::new(), String::new());
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Literal(text) => {
                pattern.push_str(&text.replace('%', "%%"));
                line.push_str(text);
            }
            Piece::Mark { name, text } => {
                let kind = if index == last { Kind::Rest } else { kind_of(name, text) };
                pattern.push_str(&format!("%{{{}:{name}}}", kind.name()));
                line.push_str(text);
            }
        }
    }
    let layout = Layout::pattern(&pattern)?;
    prove(&layout, &line, &pieces)?;
    Ok(layout)
}

fn pieces(example: &str) -> Result<Vec<Piece<'_>>, LayoutError> {
    let syntax = |at: usize, why: &str| LayoutError::Syntax { what: "example", at, why: why.to_owned() };
    let mut pieces = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(open) = example[at..].find('{').map(|found| at + found) {
        let Some(name) = mark_name(&example[open + 1..]) else {
            at = open + 1;
            continue;
        };
        let begin = open + 1 + name.len() + 1;
        let length = closing(&example[begin..]).ok_or_else(|| syntax(open, "`{` without `}`; write `{name:text}`"))?;
        if length == 0 {
            return Err(syntax(open, "a mark without text; take a line that has the field"));
        }
        if open > from {
            pieces.push(Piece::Literal(&example[from..open]));
        }
        pieces.push(Piece::Mark { name, text: &example[begin..begin + length] });
        at = begin + length + 1;
        from = at;
    }
    if from < example.len() {
        pieces.push(Piece::Literal(&example[from..]));
    }
    if !pieces.iter().any(|piece| matches!(piece, Piece::Mark { .. })) {
        return Err(syntax(0, "no part is marked; write `{name:text}` around each, such as `{level:INFO}`"));
    }
    Ok(pieces)
}

/// The name before the colon, if this is a mark at all; other braces stand for themselves.
fn mark_name(text: &str) -> Option<&str> {
    let name = &text[..text.find(':')?];
    check_name(name).is_ok().then_some(name)
}

/// Where the brace that closes a mark is; braces inside its text come in pairs.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn kind_of(name: &str, text: &str) -> Kind {
    if let Some(format) = time_format(name, text) {
        return Kind::Time(format);
    }
    let whole = |kind: &Kind| kind.take(text.as_bytes()).is_some_and(|(_, length)| length == text.len());
    if let Some(kind) = KINDS.into_iter().find(whole) {
        return kind;
    }
    // A level is a word; other names grow dots, dashes and colons in the next line.
    let is_level = text.bytes().all(|byte| byte.is_ascii_uppercase());
    match text {
        _ if text.contains([' ', '\t']) => Kind::Data,
        _ if is_level => Kind::Word,
        _ if super::kind::begins_path(text.as_bytes()) => Kind::Path,
        _ => Kind::NotSpace,
    }
}

fn time_format(name: &str, text: &str) -> Option<TimeFormat> {
    let name = name.to_ascii_lowercase();
    let is_named_time = TIME_NAMES.iter().any(|part| name.contains(part));
    // 1973 to 5138 in seconds, and so on: shorter numbers are counts.
    let is_epoch = text.bytes().take_while(u8::is_ascii_digit).count() >= 9;
    let fits = |format: &TimeFormat| match format {
        TimeFormat::Epoch(unit) => *unit == EpochUnit::BySize && is_named_time && is_epoch,
        _ => true,
    };
    TimeFormat::ALL.into_iter().filter(fits).find(|format| format.read(text, 0, 0).is_ok())
}

/// The pattern must read out of the example what is marked in it.
fn prove(layout: &Layout, line: &str, pieces: &[Piece<'_>]) -> Result<(), LayoutError> {
    let mut ranges = Vec::new();
    let misfit = |why: String| LayoutError::Syntax { what: "example", at: 0, why };
    layout.split(line, &mut ranges).map_err(|error| {
        misfit(format!("its pattern `{}` does not fit it ({error}); write the pattern by hand", layout.pattern_text()))
    })?;
    let marks = pieces.iter().filter_map(|piece| match piece {
        Piece::Mark { name, text } => Some((name, text)),
        Piece::Literal(_) => None,
    });
    for ((name, text), (range, field)) in marks.zip(ranges.iter().zip(layout.fields())) {
        let read = range.as_ref().map_or("", |range| &line[range.start as usize..range.end as usize]);
        let quotes = field.kind == FieldKind::Text && text.trim_matches('"') == read;
        if read != *text && !quotes {
            let why = format!(
                "the pattern `{}` reads `{}` instead of what is marked; mark the text between, or write the pattern by hand",
                layout.pattern_text(),
                excerpt(read)
            );
            return Err(LayoutError::Field { field: (*name).to_owned(), why });
        }
    }
    Ok(())
}
