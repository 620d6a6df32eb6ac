//! Sections as blocks: each is compressed by itself, so that neither writing nor reading needs a section in one piece.

use std::io::{self, Read, Write};

use crate::error::StateError;

/// A block is ended at the first record at which it has as many bytes.
const BLOCK_BYTES: usize = 256 << 10;
/// Most bytes of a block: what a damaged length can make a reader reserve.
const BLOCK_BYTES_MAX: usize = 64 << 20;
/// Shorter blocks are stored as they are: there is nothing to gain.
const PACKED_FROM_BYTES: usize = 1 << 10;
/// The fastest level: numbers hardly get smaller with more effort.
const LEVEL: i32 = 1;

/// Writes a section.
///
/// ```text
/// each block:
///   length     u32      of its bytes; 0 ends the section, and nothing else follows
///   stored     u32      the same if they are stored as they are; less: of the zstd frame that holds them
///   bytes
/// ```
pub(crate) struct BlockWriter<'a> {
    out: &'a mut dyn Write,
    raw: Vec<u8>,
    packed: Vec<u8>,
    packer: zstd::bulk::Compressor<'static>,
}

impl<'a> BlockWriter<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> io::Result<Self> {
        let packer = zstd::bulk::Compressor::new(LEVEL)?;
        Ok(Self { out, raw: Vec::new(), packed: Vec::new(), packer })
    }

    /// Where the bytes of a record are appended.
    pub(crate) fn record(&mut self) -> &mut Vec<u8> {
        &mut self.raw
    }

    /// A block may end here.
    pub(crate) fn mark(&mut self) -> io::Result<()> {
        if self.raw.len() < BLOCK_BYTES { Ok(()) } else { self.flush() }
    }

    /// A block ends here.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let length = self.raw.len();
        if length == 0 {
            return Ok(());
        }
        if length > BLOCK_BYTES_MAX {
            let fault = StateError::TooLong { what: "an entity", length, longest: BLOCK_BYTES_MAX };
            return Err(io::Error::other(fault));
        }
        let stored = self.pack()?;
        let stored = if stored { &self.packed } else { &self.raw };
        self.out.write_all(&(length as u32).to_le_bytes())?;
        self.out.write_all(&(stored.len() as u32).to_le_bytes())?;
        self.out.write_all(stored)?;
        self.raw.clear();
        Ok(())
    }

    /// Compresses the block; `false` if it does not get smaller.
    fn pack(&mut self) -> io::Result<bool> {
        if self.raw.len() < PACKED_FROM_BYTES {
            return Ok(false);
        }
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(self.raw.len()));
        self.packer.compress_to_buffer(&self.raw, &mut self.packed)?;
        Ok(self.packed.len() < self.raw.len())
    }

    /// Ends the section.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.out.write_all(&0_u32.to_le_bytes())
    }
}

/// Writes a section of bytes that have no records.
pub(crate) fn write_bytes(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    let mut blocks = BlockWriter::new(out)?;
    for part in bytes.chunks(BLOCK_BYTES) {
        blocks.record().extend_from_slice(part);
        blocks.mark()?;
    }
    blocks.end()
}

/// Reads a section, block by block. The bytes may be anything.
pub(crate) struct BlockReader<'a> {
    from: &'a mut dyn Read,
    raw: Vec<u8>,
    stored: Vec<u8>,
}

impl<'a> BlockReader<'a> {
    pub(crate) fn new(from: &'a mut dyn Read) -> Self {
        Self { from, raw: Vec::new(), stored: Vec::new() }
    }

    /// The next block; `None` at the end of the section.
    pub(crate) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let length = self.length()?;
        if length == 0 {
            return Ok(None);
        }
        let stored = self.length()?;
        if length > BLOCK_BYTES_MAX || stored > length {
            return Err(malformed(format!("a block of {length} bytes in {stored}, at most {BLOCK_BYTES_MAX}")));
        }
        self.stored.clear();
        let found = self.from.take(stored as u64).read_to_end(&mut self.stored)?;
        if found != stored {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if stored == length {
            return Ok(Some(&self.stored));
        }
        self.raw = zstd::bulk::decompress(&self.stored, length).map_err(|e| malformed(format!("a block: {e}")))?;
        if self.raw.len() != length {
            return Err(malformed(format!("a block of {} bytes where it says {length}", self.raw.len())));
        }
        Ok(Some(&self.raw))
    }

    fn length(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 4];
        self.from.read_exact(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes) as usize)
    }
}

/// Reads a section of bytes that have no records, of at most `longest`.
pub(crate) fn read_bytes(from: &mut dyn Read, longest: usize) -> io::Result<Vec<u8>> {
    let mut blocks = BlockReader::new(from);
    let mut bytes = Vec::new();
    while let Some(block) = blocks.next()? {
        if bytes.len() + block.len() > longest {
            return Err(malformed(format!("a section has more than {longest} bytes")));
        }
        bytes.extend_from_slice(block);
    }
    Ok(bytes)
}

fn malformed(fault: String) -> io::Error {
    io::Error::other(StateError::malformed("snapshot", fault))
}
