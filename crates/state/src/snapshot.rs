use std::fmt;
use std::ops::Range;

use lapwing_vocabulary::{Offset, Partition};

use crate::bytes::{Reader, length_u16, put_text};
use crate::error::StateError;

/// The first bytes of every snapshot, of any version.
pub const MAGIC: [u8; 8] = *b"LAPWSNAP";
/// The format that is written, and the newest that is read.
pub const FORMAT_VERSION: u16 = 1;
/// Magic, version and length.
const PREFIX_BYTES: usize = 18;
const CHECKSUM_BYTES: usize = 4;

/// Whose memory a snapshot is. Text form: `pipeline topic[partition]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Source topic.
    pub topic: String,
    /// Partition of it.
    pub partition: Partition,
    /// Digest of the features whose words are in it.
    pub graph_digest: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}[{}]", self.pipeline, self.topic, self.partition)
    }
}

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose memory it is.
    pub identity: Identity,
    /// First offset whose event is **not** in it.
    pub offset: Offset,
}

/// A snapshot that was read and found whole. Holds the file's bytes; sections are parts of them.
#[derive(Clone, Debug)]
pub struct Snapshot {
    header: Header,
    bytes: Vec<u8>,
    sections: Vec<(String, Range<usize>)>,
}

/// Writes a snapshot of named sections. All numbers are little-endian; a text is its length as u16, then UTF-8.
///
/// ```text
/// magic       8 bytes   LAPWSNAP
/// version     u16       1
/// length      u64       of the whole file, checksum included
/// pipeline    text
/// topic       text
/// partition   i32
/// offset      i64       first offset not contained
/// digest      text      of the feature graph
/// sections    u16       how many; then of each:
///   name      text
///   length    u64
///   payload   bytes
/// checksum    u32       CRC-32 (IEEE) of everything before it
/// ```
///
/// Errors: `TooLong`, for a text above 65,535 bytes or as many sections.
pub fn encode(header: &Header, sections: &[(&str, &[u8])]) -> Result<Vec<u8>, StateError> {
    let Header { identity, offset } = header;
    let payload: usize = sections.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut out = Vec::with_capacity(payload + 256);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    put_text(&mut out, "the pipeline's name", &identity.pipeline)?;
    put_text(&mut out, "the topic's name", &identity.topic)?;
    out.extend_from_slice(&identity.partition.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    put_text(&mut out, "the digest", &identity.graph_digest)?;
    out.extend_from_slice(&length_u16("the list of sections", sections.len())?.to_le_bytes());
    for (name, bytes) in sections {
        put_text(&mut out, "a section's name", name)?;
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(bytes);
    }
    let length = (out.len() + CHECKSUM_BYTES) as u64;
    out[PREFIX_BYTES - 8..PREFIX_BYTES].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32fast::hash(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    Ok(out)
}

/// Reads a snapshot and refuses any that is not whole, or not that of `expected`. The bytes may be anything.
/// Errors: `NotASnapshot`, `Newer`, `Torn`, `Checksum`, `Malformed`, `Other`, `OtherFeatures`.
pub fn decode(bytes: Vec<u8>, expected: &Identity) -> Result<Snapshot, StateError> {
    check_whole(&bytes)?;
    let body = &bytes[..bytes.len() - CHECKSUM_BYTES];
    let mut reader = Reader::new("snapshot", body);
    reader.take(PREFIX_BYTES as u64)?;
    let header = read_header(&mut reader)?;
    check_identity(&header.identity, expected)?;
    let sections = read_sections(&mut reader)?;
    Ok(Snapshot { header, bytes, sections })
}

/// Checks magic, version, length and checksum, in this order.
fn check_whole(bytes: &[u8]) -> Result<(), StateError> {
    let known = bytes.len().min(MAGIC.len());
    if bytes[..known] != MAGIC[..known] {
        return Err(StateError::NotASnapshot);
    }
    let found = bytes.len() as u64;
    let torn = |expected| StateError::Torn { expected, found };
    let shortest = (PREFIX_BYTES + CHECKSUM_BYTES) as u64;
    let mut reader = Reader::new("snapshot", bytes);
    reader.take(MAGIC.len() as u64).map_err(|_| torn(shortest))?;
    let version = reader.u16().map_err(|_| torn(shortest))?;
    if version > FORMAT_VERSION {
        return Err(StateError::Newer { found: version, known: FORMAT_VERSION });
    }
    if version == 0 {
        return Err(reader.fault("format version 0 never existed"));
    }
    let expected = reader.u64().map_err(|_| torn(shortest))?;
    if found < shortest || found != expected {
        return Err(torn(expected.max(shortest)));
    }
    check_checksum(bytes)
}

fn check_checksum(bytes: &[u8]) -> Result<(), StateError> {
    let (body, stored) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
    let expected = Reader::new("checksum", stored).u32()?;
    let found = crc32fast::hash(body);
    if found == expected { Ok(()) } else { Err(StateError::Checksum { expected, found }) }
}

fn read_header(reader: &mut Reader<'_>) -> Result<Header, StateError> {
    let (pipeline, topic) = (reader.text()?.to_owned(), reader.text()?.to_owned());
    let partition = Partition::from_le_bytes(reader.array()?);
    let offset = Offset::from_le_bytes(reader.array()?);
    let graph_digest = reader.text()?.to_owned();
    Ok(Header { identity: Identity { pipeline, topic, partition, graph_digest }, offset })
}

fn check_identity(found: &Identity, expected: &Identity) -> Result<(), StateError> {
    let place = |identity: &Identity| (identity.pipeline.clone(), identity.topic.clone(), identity.partition);
    if place(found) != place(expected) {
        return Err(StateError::Other { expected: expected.to_string(), found: found.to_string() });
    }
    if found.graph_digest != expected.graph_digest {
        let (expected, found) = (expected.graph_digest.clone(), found.graph_digest.clone());
        return Err(StateError::OtherFeatures { expected, found });
    }
    Ok(())
}

fn read_sections(reader: &mut Reader<'_>) -> Result<Vec<(String, Range<usize>)>, StateError> {
    let mut sections: Vec<(String, Range<usize>)> = Vec::new();
    for _ in 0..reader.u16()? {
        let name = reader.text()?.to_owned();
        let length = reader.u64()?;
        let start = reader.at();
        reader.take(length)?;
        sections.push((name, start..reader.at()));
    }
    reader.end()?;
    Ok(sections)
}

impl Snapshot {
    /// What it says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Names of the sections, in the order written.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|(name, _)| name.as_str())
    }

    /// The bytes of a section.
    /// Errors: `Malformed`, if there is none of that name.
    pub fn section(&self, name: &str) -> Result<&[u8], StateError> {
        let found = self.sections.iter().find(|(section, _)| section == name);
        let missing = || StateError::malformed("snapshot", format!("it has no section `{name}`"));
        found.map(|(_, range)| &self.bytes[range.clone()]).ok_or_else(missing)
    }
}
