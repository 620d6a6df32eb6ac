use std::fmt;
use std::io::{self, Write};

use lapwing_vocabulary::{Offset, Partition};

use crate::blocks::write_bytes;
use crate::bytes::{Reader, length_u16, put_text};
use crate::chain::{Plan, Written};
use crate::entities::EntityTable;
use crate::error::StateError;
use crate::frozen::{FrozenTable, Kind};

/// The first bytes of every snapshot, of any version.
pub const MAGIC: [u8; 8] = *b"LAPWSNAP";
/// The format that is written, and the newest that is read.
pub const FORMAT_VERSION: u16 = 2;
/// Length and checksum at the end.
pub(crate) const TRAILER_BYTES: usize = 12;
/// Most bytes of a section that is no table.
pub(crate) const SECTION_BYTES_MAX: usize = 1 << 30;
/// Most bytes of a header.
pub(crate) const HEADER_BYTES_MAX: usize = 64 << 20;

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
    /// Where each feature's words are: what lets words be carried over to other features. Opaque here, and not
    /// compared.
    pub layout: Vec<u8>,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}[{}]", self.pipeline, self.topic, self.partition)
    }
}

impl Identity {
    /// Checks that what was found is of this pipeline, topic and partition.
    /// Errors: `Other`.
    pub fn check_place(&self, found: &Self) -> Result<(), StateError> {
        let place = |of: &Self| (of.pipeline.clone(), of.topic.clone(), of.partition);
        if place(found) == place(self) {
            return Ok(());
        }
        Err(StateError::Other { expected: self.to_string(), found: found.to_string() })
    }

    /// Checks that what was found has the same features.
    /// Errors: `OtherFeatures`.
    pub fn check_features(&self, found: &Self) -> Result<(), StateError> {
        if found.graph_digest == self.graph_digest {
            return Ok(());
        }
        let (expected, found) = (self.graph_digest.clone(), found.graph_digest.clone());
        Err(StateError::OtherFeatures { expected, found })
    }
}

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose memory it is.
    pub identity: Identity,
    /// First offset whose event is **not** in it.
    pub offset: Offset,
    /// Whether it is a full one, or what it continues.
    pub plan: Plan,
}

/// The memory of a partition at a moment, about to be written by another thread.
#[derive(Debug)]
pub struct SnapshotParts {
    /// Whose memory it is.
    pub identity: Identity,
    /// First offset whose event is not in it.
    pub offset: Offset,
    /// Tables by name. All of them every time, also in a snapshot of changes.
    pub tables: Vec<(String, FrozenTable)>,
    /// Everything else by name, always whole.
    pub sections: Vec<(String, Vec<u8>)>,
}

/// The memory of a partition as it was read from a snapshot and, if it has changes only, those before it.
#[derive(Debug)]
pub struct Snapshot {
    /// What the newest file says of itself.
    pub header: Header,
    /// Tables by name.
    pub tables: Vec<(String, EntityTable)>,
    /// Everything else by name.
    pub sections: Vec<(String, Vec<u8>)>,
}

impl Snapshot {
    /// Takes a table out.
    /// Errors: `Malformed`, if there is none of that name.
    pub fn take_table(&mut self, name: &str) -> Result<EntityTable, StateError> {
        let found = self.tables.iter().position(|(table, _)| table == name);
        let missing = || StateError::malformed("snapshot", format!("it has no table `{name}`"));
        found.map(|at| self.tables.swap_remove(at).1).ok_or_else(missing)
    }

    /// The bytes of a section.
    /// Errors: `Malformed`, if there is none of that name.
    pub fn section(&self, name: &str) -> Result<&[u8], StateError> {
        let found = self.sections.iter().find(|(section, _)| section == name);
        let missing = || StateError::malformed("snapshot", format!("it has no section `{name}`"));
        found.map(|(_, bytes)| &bytes[..]).ok_or_else(missing)
    }
}

/// Makes an empty table for the words of a snapshot: its header, the table's name, the words per entity. It decides
/// the initial words, and where entities spill to.
pub type MakeTable<'a> = dyn FnMut(&Header, &str, usize) -> Result<EntityTable, StateError> + 'a;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Bytes,
    Table(Kind),
}

impl Holds {
    fn code(self) -> u8 {
        match self {
            Self::Bytes => 0,
            Self::Table(Kind::Full) => 1,
            Self::Table(Kind::Delta) => 2,
        }
    }

    fn of(code: u8) -> Option<Self> {
        [Self::Bytes, Self::Table(Kind::Full), Self::Table(Kind::Delta)].into_iter().find(|holds| holds.code() == code)
    }
}

/// Writes a snapshot, version 2. All numbers are little-endian; a text is its length as u16, then UTF-8.
///
/// ```text
/// magic          8 bytes   LAPWSNAP
/// version        u16       2
/// header length  u32
/// header:
///   pipeline     text
///   topic        text
///   partition    i32
///   offset       i64       first offset not contained
///   digest       text      of the feature graph
///   layout       u32 length, bytes: of the feature graph
///   base         i64       offset of the full snapshot that it continues; of a full one its own
///   link         u16       0 for a full snapshot; its number in the chain otherwise
///   previous     u32       checksum of the link before; 0 for a full snapshot
///   sections     u16       how many; then of each:
///     name       text
///     holds      u8        0 bytes, 1 a whole table, 2 changes of a table
/// sections       blocks of each, in this order
/// length         u64       of the whole file
/// checksum       u32       CRC-32 (IEEE) of everything before it
/// ```
///
/// Errors: those of `out`; `TooLong` inside `Other`, for a text above 65,535 bytes or as many sections.
pub(crate) fn write_snapshot(out: &mut dyn Write, plan: Plan, parts: SnapshotParts) -> io::Result<Written> {
    let mut out = Summed { out, bytes: 0, checksum: crc32fast::Hasher::new() };
    let header = encode_header(plan, &parts).map_err(io::Error::other)?;
    out.write_all(&MAGIC)?;
    out.write_all(&FORMAT_VERSION.to_le_bytes())?;
    out.write_all(&(header.len() as u32).to_le_bytes())?;
    out.write_all(&header)?;
    for (_, table) in parts.tables {
        table.encode(&mut out)?;
    }
    for (_, bytes) in parts.sections {
        write_bytes(&mut out, &bytes)?;
    }
    let bytes = out.bytes + TRAILER_BYTES as u64;
    out.write_all(&bytes.to_le_bytes())?;
    let checksum = out.checksum.clone().finalize();
    out.write_all(&checksum.to_le_bytes())?;
    Ok(Written { bytes, checksum })
}

fn encode_header(plan: Plan, parts: &SnapshotParts) -> Result<Vec<u8>, StateError> {
    let SnapshotParts { identity, offset, tables, sections } = parts;
    let mut out = Vec::new();
    put_text(&mut out, "the pipeline's name", &identity.pipeline)?;
    put_text(&mut out, "the topic's name", &identity.topic)?;
    out.extend_from_slice(&identity.partition.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    put_text(&mut out, "the digest", &identity.graph_digest)?;
    out.extend_from_slice(&(identity.layout.len() as u32).to_le_bytes());
    out.extend_from_slice(&identity.layout);
    let (base, link, previous) = match plan {
        Plan::Full => (*offset, 0, 0),
        Plan::Delta { base, link, previous } => (base, link, previous),
    };
    out.extend_from_slice(&base.to_le_bytes());
    out.extend_from_slice(&link.to_le_bytes());
    out.extend_from_slice(&previous.to_le_bytes());
    out.extend_from_slice(&length_u16("the list of sections", tables.len() + sections.len())?.to_le_bytes());
    let tables = tables.iter().map(|(name, table)| (name, Holds::Table(table.kind())));
    for (name, holds) in tables.chain(sections.iter().map(|(name, _)| (name, Holds::Bytes))) {
        put_text(&mut out, "a section's name", name)?;
        out.push(holds.code());
    }
    let (length, longest) = (out.len(), HEADER_BYTES_MAX);
    if length > longest {
        return Err(StateError::TooLong { what: "the header with the layout of features", length, longest });
    }
    Ok(out)
}

/// Reads what [`encode_header`] has written.
pub(crate) fn decode_header(bytes: &[u8]) -> Result<(Header, Vec<(String, Holds)>), StateError> {
    let mut reader = Reader::new("snapshot", bytes);
    let (pipeline, topic) = (reader.text()?.to_owned(), reader.text()?.to_owned());
    let partition = Partition::from_le_bytes(reader.array()?);
    let offset = Offset::from_le_bytes(reader.array()?);
    let graph_digest = reader.text()?.to_owned();
    let layout = u64::from(reader.u32()?);
    let layout = reader.take(layout)?.to_vec();
    let base = Offset::from_le_bytes(reader.array()?);
    let (link, previous) = (reader.u16()?, reader.u32()?);
    let plan = if link == 0 { Plan::Full } else { Plan::Delta { base, link, previous } };
    if link == 0 && base != offset {
        return Err(reader.fault(format!("a full snapshot at {offset} that begins at {base}")));
    }
    let mut sections = Vec::new();
    for _ in 0..reader.u16()? {
        let name = reader.text()?.to_owned();
        let [code] = reader.array()?;
        let holds = Holds::of(code).ok_or_else(|| reader.fault(format!("a section of kind {code}")))?;
        sections.push((name, holds));
    }
    reader.end()?;
    let identity = Identity { pipeline, topic, partition, graph_digest, layout };
    Ok((Header { identity, offset, plan }, sections))
}

/// Counts and sums what goes through.
struct Summed<'a> {
    out: &'a mut dyn Write,
    bytes: u64,
    checksum: crc32fast::Hasher,
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.checksum.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
