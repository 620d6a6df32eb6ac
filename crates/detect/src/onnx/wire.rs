//! Bounds on an ONNX file before any of it is unpacked.
//!
//! Two bytes of protobuf can become a message of two hundred in memory. So the file is walked once, unpacking nothing,
//! and refused if it holds more messages or texts than a detector can need.

/// Largest file that is read: about 1.7 million tree nodes, at the 38 bytes each takes in the files of `tests/onnx`.
/// Units: bytes.
pub const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most nodes, attributes, initialisers, inputs and outputs together. The most talkative converter, of isolation forests,
/// makes 56 for each tree.
const MESSAGES_MAX: usize = 400_000;
/// Most texts in lists: a tree ensemble names the comparison of each of its nodes.
const TEXTS_MAX: usize = 4_000_000;

/// What a message is, and so what its fields are.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    /// A message that is counted, and not walked.
    Leaf,
    /// A text or list of bytes.
    Text,
}

/// What a field of a message holds; `None` if it is a number, one text, or skipped.
fn held(kind: Kind, field: u64) -> Option<Kind> {
    match (kind, field) {
        (Kind::Model, 7) => Some(Kind::Graph),
        (Kind::Graph, 1) => Some(Kind::Node),
        (Kind::Node, 5) => Some(Kind::Attribute),
        (Kind::Model, 8) | (Kind::Graph, 5 | 11 | 12) | (Kind::Attribute, 5) => Some(Kind::Leaf),
        (Kind::Graph, 15) | (Kind::Node, 1 | 2) | (Kind::Attribute, 9 | 11) => Some(Kind::Text),
        _ => None,
    }
}

#[derive(Default)]
struct Counts {
    messages: usize,
    texts: usize,
}

/// Refuses a file that is too large, holds too many messages, or is no protobuf; the text says what is wrong.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("it has {} bytes, {FILE_BYTES_MAX} are possible", bytes.len()));
    }
    walk(bytes, Kind::Model, &mut Counts::default())
}

fn walk(mut bytes: &[u8], kind: Kind, counts: &mut Counts) -> Result<(), String> {
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        match tag & 7 {
            0 => drop(varint(&mut bytes)?),
            1 => drop(take(&mut bytes, 8)?),
            5 => drop(take(&mut bytes, 4)?),
            2 => {
                let length = varint(&mut bytes)?;
                let inner = take(&mut bytes, length)?;
                if let Some(held) = held(kind, tag >> 3) {
                    enter(inner, held, counts)?;
                }
            }
            other => return Err(format!("it holds a field of wire type {other}, which ONNX does not use")),
        }
    }
    Ok(())
}

fn enter(bytes: &[u8], kind: Kind, counts: &mut Counts) -> Result<(), String> {
    if kind == Kind::Text {
        counts.texts += 1;
    } else {
        counts.messages += 1;
    }
    if counts.messages > MESSAGES_MAX || counts.texts > TEXTS_MAX {
        return Err(format!(
            "it holds more than {MESSAGES_MAX} nodes, attributes and tensors, or {TEXTS_MAX} texts in lists"
        ));
    }
    match kind {
        Kind::Leaf | Kind::Text => Ok(()),
        Kind::Model | Kind::Graph | Kind::Node | Kind::Attribute => walk(bytes, kind, counts),
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8], String> {
    let split = usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length));
    let (taken, rest) = split.ok_or_else(|| "it is cut short, or no ONNX file".to_owned())?;
    *bytes = rest;
    Ok(taken)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("it holds a number of more than 64 bits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_messages_are_refused_before_they_are_unpacked() {
        let nodes = [0x0a, 0x00].repeat(MESSAGES_MAX + 1);
        let mut length = nodes.len();
        let mut file = vec![0x3a];
        while length >= 0x80 {
            file.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        file.push(length as u8);
        file.extend(nodes);
        assert!(check(&file).unwrap_err().contains("more than"), "{:?}", check(&file));
    }

    #[test]
    fn what_is_cut_or_no_protobuf_is_refused() {
        for (bytes, text) in [
            (&[0x3a, 0x05, 0x00][..], "cut short"),
            (&[0x3b], "wire type 3"),
            (&[0xff; 11], "64 bits"),
            (&[0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "cut short"),
        ] {
            assert!(check(bytes).unwrap_err().contains(text), "{bytes:?}");
        }
        assert_eq!(check(&[]), Ok(()));
    }
}
