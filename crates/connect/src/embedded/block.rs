//! Block format 1. All numbers are little-endian.
//!
//! ```text
//! block   0  version     u8    1
//!         1  reserved    3 × 0
//!         4  checksum    u32   CRC-32 (IEEE) of the block's key (`block_key`) and then of everything from byte 8 on
//!         8  count       u32   records
//!        12  records     count times:
//!
//! record  0  offset      u32   after the block's base offset
//!         4  timestamp   i64   microseconds since the epoch
//!        12  key length  u32   0xffff_ffff: no key
//!        16  value length u32
//!        20  headers length u32   bytes of all headers
//!        24  key, value, headers
//!
//! header  0  name length u32, name (UTF-8), value length u32, value
//! ```

use fjall::Slice;
use lapwing_vocabulary::{Header, Offset};

use super::block_key::BlockKey;

const VERSION: u8 = 1;
const CHECKSUM_AT: usize = 4;
const COUNT_AT: usize = 8;
const BLOCK_HEAD: usize = 12;
const RECORD_HEAD: usize = 24;
const NO_KEY: u32 = u32::MAX;

/// One record within a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) offset: Offset,
    pub(super) timestamp: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: &'a [u8],
    pub(super) headers: Vec<Header>,
}

/// Bytes that a record takes within a block.
pub(super) fn entry_bytes(key: Option<&[u8]>, value: &[u8], headers: &[Header]) -> usize {
    let headers: usize = headers.iter().map(|header| 8 + header.name.len() + header.value.len()).sum();
    RECORD_HEAD + key.map_or(0, <[u8]>::len) + value.len() + headers
}

/// A block being filled.
#[derive(Debug)]
pub(super) struct BlockBuilder {
    bytes: Vec<u8>,
    base: Offset,
    last: Offset,
    newest: i64,
    count: u32,
}

impl BlockBuilder {
    /// Begins a block whose first record will have the offset `base`.
    pub(super) fn new(base: Offset) -> Self {
        let mut bytes = vec![0; BLOCK_HEAD];
        bytes[0] = VERSION;
        Self { bytes, base, last: base, newest: i64::MIN, count: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a record of so many bytes at `offset` belongs into the next block.
    pub(super) fn is_full(&self, offset: Offset, entry_bytes: usize, bytes_max: usize) -> bool {
        self.count > 0 && (self.bytes.len() + entry_bytes > bytes_max || offset - self.base > Offset::from(u32::MAX))
    }

    /// Appends a record. Its parts are shorter than 4 GiB, and its offset is at most 2^32 − 1 after the base.
    pub(super) fn push(
        &mut self,
        offset: Offset,
        timestamp: i64,
        key: Option<&[u8]>,
        value: &[u8],
        headers: &[Header],
    ) {
        let total = entry_bytes(key, value, headers);
        self.bytes.reserve(total);
        let key_bytes = key.unwrap_or_default();
        let headers_length = total - RECORD_HEAD - key_bytes.len() - value.len();
        let mut head = [0; RECORD_HEAD];
        head[0..4].copy_from_slice(&((offset - self.base) as u32).to_le_bytes());
        head[4..12].copy_from_slice(&timestamp.to_le_bytes());
        head[12..16].copy_from_slice(&key.map_or(NO_KEY, |key| key.len() as u32).to_le_bytes());
        head[16..20].copy_from_slice(&(value.len() as u32).to_le_bytes());
        head[20..24].copy_from_slice(&(headers_length as u32).to_le_bytes());
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(key_bytes);
        self.bytes.extend_from_slice(value);
        for header in headers {
            for part in [header.name.as_bytes(), &header.value] {
                self.bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
                self.bytes.extend_from_slice(part);
            }
        }
        self.last = offset;
        self.newest = self.newest.max(timestamp);
        self.count += 1;
    }

    /// Closes the block.
    pub(super) fn finish(mut self, topic: u32, partition: u32) -> (BlockKey, Vec<u8>) {
        let length = self.bytes.len() as u32;
        let key = BlockKey { topic, partition, base: self.base, last: self.last, newest: self.newest, length };
        self.bytes[COUNT_AT..BLOCK_HEAD].copy_from_slice(&self.count.to_le_bytes());
        let checksum = checksum(&key.encode(), &self.bytes[COUNT_AT..]);
        self.bytes[CHECKSUM_AT..COUNT_AT].copy_from_slice(&checksum.to_le_bytes());
        (key, self.bytes)
    }
}

fn checksum(key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}

/// A block being read. What it returns was checked against the checksum when it was opened.
#[derive(Debug)]
pub(super) struct Block {
    key: BlockKey,
    bytes: Slice,
    at: usize,
    left: u32,
}

impl Block {
    /// Opens a block; the error says what is wrong with its bytes.
    pub(super) fn open(key: BlockKey, bytes: Slice) -> Result<Self, String> {
        if bytes.len() < BLOCK_HEAD {
            return Err(format!("a block of {} bytes is too short", bytes.len()));
        }
        if bytes[0] != VERSION {
            return Err(format!("block format {} is not known", bytes[0]));
        }
        let expected = u32_at(&bytes, CHECKSUM_AT).unwrap_or_default();
        let found = checksum(&key.encode(), &bytes[COUNT_AT..]);
        if found != expected {
            return Err(format!("the checksum is {found:08x} and should be {expected:08x}"));
        }
        let left = u32_at(&bytes, COUNT_AT).unwrap_or_default();
        Ok(Self { key, bytes, at: BLOCK_HEAD, left })
    }

    pub(super) fn last(&self) -> Offset {
        self.key.last
    }

    pub(super) fn key(&self) -> BlockKey {
        self.key
    }

    /// Offset of the next record.
    pub(super) fn next_offset(&self) -> Option<Offset> {
        if self.left == 0 {
            return None;
        }
        u32_at(&self.bytes, self.at).map(|relative| self.key.base + Offset::from(relative))
    }

    /// The next record. `Err` only for a block that was written wrongly: its checksum is right.
    pub(super) fn next(&mut self) -> Result<Option<Entry<'_>>, String> {
        if self.left == 0 {
            return Ok(None);
        }
        let start = self.at;
        let wrong = || format!("the record at byte {start} of the block reaches beyond its end");
        let (entry, end) = read_entry(&self.bytes, start, self.key.base).ok_or_else(wrong)?;
        self.at = end;
        self.left -= 1;
        Ok(Some(entry))
    }
}

fn read_entry(bytes: &[u8], start: usize, base: Offset) -> Option<(Entry<'_>, usize)> {
    let head = bytes.get(start..start + RECORD_HEAD)?;
    let key_length = u32_at(head, 12)?;
    let mut at = start + RECORD_HEAD;
    let mut take = |length: usize| {
        let part = bytes.get(at..at + length)?;
        at += length;
        Some(part)
    };
    let key = if key_length == NO_KEY { None } else { Some(take(key_length as usize)?) };
    let value = take(u32_at(head, 16)? as usize)?;
    let headers = read_headers(take(u32_at(head, 20)? as usize)?)?;
    let offset = base + Offset::from(u32_at(head, 0)?);
    let timestamp = i64::from_le_bytes(head.get(4..12)?.try_into().ok()?);
    Some((Entry { offset, timestamp, key, value, headers }, at))
}

fn read_headers(mut bytes: &[u8]) -> Option<Vec<Header>> {
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        let (name, rest) = read_part(bytes)?;
        let (value, rest) = read_part(rest)?;
        headers.push(Header { name: String::from_utf8(name.to_vec()).ok()?, value: value.to_vec() });
        bytes = rest;
    }
    Some(headers)
}

fn read_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32_at(bytes, 0)? as usize;
    let rest = &bytes[4..];
    (length <= rest.len()).then(|| rest.split_at(length))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of format 1, for ever readable.
    const GOLDEN: &[u8] = include_bytes!("../../tests/golden/block_1.bin");

    fn sample() -> (BlockKey, Vec<u8>) {
        let mut builder = BlockBuilder::new(1000);
        let header = |name: &str, value: &[u8]| Header { name: name.into(), value: value.to_vec() };
        builder.push(
            1000,
            1_700_000_000_000_000,
            Some(b"host-1"),
            b"{\"a\":1}",
            &[header("h", b"v"), header("h", b"")],
        );
        builder.push(1001, 1_700_000_000_000_002, None, b"", &[]);
        builder.push(1007, 1_700_000_000_000_001, Some(b""), &[0, 255, 10], &[]);
        builder.finish(7, 3)
    }

    #[test]
    fn a_block_of_format_1_is_written_as_the_golden_file_has_it() {
        let (key, bytes) = sample();
        assert_eq!([&key.encode()[..], &bytes].concat(), GOLDEN);
    }

    #[test]
    fn the_golden_file_of_format_1_reads_back() {
        let (key, bytes) = GOLDEN.split_at(BlockKey::LENGTH);
        let key = BlockKey::decode(key).unwrap();
        assert_eq!((key.topic, key.partition, key.base, key.last), (7, 3, 1000, 1007));
        let mut block = Block::open(key, Slice::from(bytes)).unwrap();
        let first = block.next().unwrap().unwrap();
        assert_eq!((first.offset, first.timestamp), (1000, 1_700_000_000_000_000));
        assert_eq!((first.key, first.value), (Some(&b"host-1"[..]), &b"{\"a\":1}"[..]));
        assert_eq!(first.headers.len(), 2);
        let second = block.next().unwrap().unwrap();
        assert_eq!((second.key, second.value, second.headers.len()), (None, &b""[..], 0));
        assert_eq!(block.next_offset(), Some(1007));
        let third = block.next().unwrap().unwrap();
        assert_eq!((third.key, third.value), (Some(&b""[..]), &[0, 255, 10][..]));
        assert_eq!(block.next().unwrap(), None);
        assert_eq!(block.next_offset(), None);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let (key, bytes) = sample();
        for bit in 0..bytes.len() * 8 {
            // The reserved bytes say nothing.
            if (8..32).contains(&bit) {
                continue;
            }
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Block::open(key, Slice::from(damaged)).is_err(), "bit {bit}");
        }
        let elsewhere = BlockKey { base: 999, ..key };
        assert!(Block::open(elsewhere, Slice::from(bytes)).is_err(), "a block under another key");
    }
}
