use std::io::{BufReader, Read};

use crate::blocks::read_bytes;
use crate::bytes::Reader;
use crate::chain::Written;
use crate::error::StateError;
use crate::format1;
use crate::frozen::Kind;
use crate::snapshot::{
    FORMAT_VERSION, HEADER_BYTES_MAX, Header, Holds, MAGIC, MakeTable, SECTION_BYTES_MAX, Snapshot, TRAILER_BYTES,
    decode_header,
};
use crate::thaw::read_table;

/// Magic and version.
const PREFIX_BYTES: usize = 10;
/// Magic, version and length of format 1.
const PREFIX_1_BYTES: usize = 18;
const CHECKSUM_BYTES: usize = 4;
/// Read at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// Reads a file to its end, and refuses it if it is not whole. Nothing of it is kept.
/// Errors: `NotASnapshot`, `Newer`, `Torn`, `Checksum`, `Malformed`, `Storage`.
pub(crate) fn verify(name: &str, mut from: impl Read) -> Result<Written, StateError> {
    let fault = |e| StateError::storage("read snapshot", name, e);
    let mut start = Vec::new();
    (&mut from).take(PREFIX_1_BYTES as u64).read_to_end(&mut start).map_err(fault)?;
    let version = check_prefix(&start)?;
    let mut checksum = crc32fast::Hasher::new();
    // What may be the end is held back: the checksum does not cover itself.
    let mut held = start.clone();
    let mut found = start.len() as u64;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).map_err(fault)?;
        if read == 0 {
            break;
        }
        found += read as u64;
        held.extend_from_slice(&buffer[..read]);
        let sure = held.len().saturating_sub(TRAILER_BYTES);
        checksum.update(&held[..sure]);
        held.drain(..sure);
    }
    let shortest =
        (if version == 1 { PREFIX_1_BYTES + CHECKSUM_BYTES } else { PREFIX_BYTES + 4 + TRAILER_BYTES }) as u64;
    if found < shortest {
        return Err(StateError::Torn { expected: shortest, found });
    }
    let body = held.len() - CHECKSUM_BYTES;
    checksum.update(&held[..body]);
    let length = if version == 1 { &start[PREFIX_BYTES..] } else { &held[body - 8..body] };
    let expected = Reader::new("length", length).u64()?;
    let (stored, summed) = (Reader::new("checksum", &held[body..]).u32()?, checksum.finalize());
    if found != expected {
        return Err(StateError::Torn { expected, found });
    }
    if stored != summed {
        return Err(StateError::Checksum { expected: stored, found: summed });
    }
    Ok(Written { bytes: found, checksum: summed })
}

/// Checks magic and version and returns the latter.
fn check_prefix(start: &[u8]) -> Result<u16, StateError> {
    let known = start.len().min(MAGIC.len());
    if start[..known] != MAGIC[..known] {
        return Err(StateError::NotASnapshot);
    }
    let torn = |_| StateError::Torn { expected: PREFIX_1_BYTES as u64, found: start.len() as u64 };
    let mut reader = Reader::new("snapshot", start);
    reader.take(MAGIC.len() as u64).map_err(torn)?;
    match reader.u16().map_err(torn)? {
        0 => Err(reader.fault("format version 0 never existed")),
        version if version > FORMAT_VERSION => Err(StateError::Newer { found: version, known: FORMAT_VERSION }),
        version => Ok(version),
    }
}

/// A file whose header was read.
pub(crate) struct Opened {
    name: String,
    version: u16,
    pub(crate) header: Header,
    sections: Vec<(String, Holds)>,
    /// Format 1: everything between length and checksum; nothing else is left to read.
    body: Vec<u8>,
    from: Box<dyn Read>,
}

/// Opens a file that [`verify`] has found whole. Errors: `Malformed`, `Storage`.
pub(crate) fn open(name: &str, from: impl Read + 'static) -> Result<Opened, StateError> {
    let mut from = BufReader::with_capacity(BUFFER_BYTES, from);
    let fault = |e| StateError::storage("read snapshot", name, e);
    let mut start = [0; PREFIX_BYTES];
    from.read_exact(&mut start).map_err(fault)?;
    let version = check_prefix(&start)?;
    let mut body = Vec::new();
    let (header, sections) = if version == 1 {
        from.read_to_end(&mut body).map_err(fault)?;
        body.truncate(body.len().saturating_sub(CHECKSUM_BYTES));
        body.drain(..body.len().min(PREFIX_1_BYTES - PREFIX_BYTES));
        (format1::read_header(&mut Reader::new("snapshot", &body))?, Vec::new())
    } else {
        let mut length = [0; 4];
        from.read_exact(&mut length).map_err(fault)?;
        let length = u64::from(u32::from_le_bytes(length));
        if length > HEADER_BYTES_MAX as u64 {
            return Err(StateError::malformed("snapshot", format!("a header of {length} bytes")));
        }
        (&mut from).take(length).read_to_end(&mut body).map_err(fault)?;
        decode_header(&std::mem::take(&mut body))?
    };
    Ok(Opened { name: name.to_owned(), version, header, sections, body, from: Box::new(from) })
}

impl Opened {
    /// Reads the memory. `before` is what the link before it in its chain has left; a full snapshot needs none.
    /// Errors: `Malformed`, `Storage`, those of `make`.
    pub(crate) fn read(mut self, before: Option<Snapshot>, make: &mut MakeTable<'_>) -> Result<Snapshot, StateError> {
        if self.version == 1 {
            return format1::decode(&self.body, make);
        }
        let mut before = before.map(|before| before.tables).unwrap_or_default();
        let mut snapshot = Snapshot { header: self.header, tables: Vec::new(), sections: Vec::new() };
        // A file that ends within a section although its checksum is right was written so.
        let fault = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => StateError::malformed("snapshot", "it ends within a section"),
            _ => StateError::storage("read snapshot", &self.name, e),
        };
        for (name, holds) in self.sections {
            match holds {
                Holds::Bytes => {
                    let bytes = read_bytes(&mut self.from, SECTION_BYTES_MAX).map_err(fault)?;
                    snapshot.sections.push((name, bytes));
                }
                Holds::Table(Kind::Full) => {
                    let make = |words| make(&snapshot.header, &name, words);
                    let table = read_table(&mut self.from, make).map_err(fault)?;
                    snapshot.tables.push((name, table));
                }
                Holds::Table(Kind::Delta) => {
                    let of = before.iter().position(|(table, _)| *table == name);
                    let missing =
                        || StateError::malformed("snapshot", format!("changes of `{name}`, which is not there"));
                    let (_, table) = before.swap_remove(of.ok_or_else(missing)?);
                    let table = read_table(&mut self.from, |_| Ok(table)).map_err(fault)?;
                    snapshot.tables.push((name, table));
                }
            }
        }
        let mut rest = Vec::new();
        (&mut self.from).take(TRAILER_BYTES as u64 + 1).read_to_end(&mut rest).map_err(fault)?;
        if rest.len() != TRAILER_BYTES {
            return Err(StateError::malformed("snapshot", "bytes left over after the last section"));
        }
        Ok(snapshot)
    }
}
