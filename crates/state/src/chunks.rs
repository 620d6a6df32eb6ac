//! Words in chunks of whole entities. A chunk is owned by the table alone, or shared with a snapshot, or waits in the
//! spill file. Only the first may be changed; the others become it first. So a snapshot costs a pointer per chunk, a
//! change of a shared chunk costs one copy, and a change of an owned one costs nothing.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::bits::Bits;
use crate::error::StateError;
use crate::spill::{Page, SpillFile};

/// Most bytes of a chunk, unless one entity is larger. Small enough that the copy after a snapshot is a microsecond or
/// two; large enough that a million entities are a hundred thousand chunks, which a snapshot has to go through.
const CHUNK_BYTES: usize = 16 << 10;
/// The same for tables with a budget: what is read and written for one entity.
const PAGE_BYTES: usize = 4 << 10;
/// Most entities of a chunk, as a power of two: for very small entities.
const ENTITIES_BITS_MAX: u32 = 8;
/// Chunks that stay in memory however small the budget is.
const RESIDENT_MIN: usize = 16;

/// Words of a chunk that a snapshot holds too.
type SharedWords = Arc<Box<[f64]>>;

#[derive(Debug)]
enum Chunk {
    Owned(Box<[f64]>),
    Shared(SharedWords),
    Spilled(Arc<Page>),
}

/// A chunk as it was at a moment.
#[derive(Clone, Debug)]
pub(crate) enum FrozenChunk {
    Held(SharedWords),
    Spilled(Arc<Page>),
}

/// The words of all slots.
#[derive(Debug)]
pub(crate) struct Chunks {
    /// Words per entity.
    width: usize,
    /// Two to this power is the number of entities of a chunk.
    bits: u32,

    chunks: Vec<Chunk>,
    spill: Option<Spill>,
}

/// What keeps a table within its budget: a clock over its chunks that spares those used since it last came by.
#[derive(Debug)]
struct Spill {
    file: Arc<SpillFile>,
    budget_bytes: usize,

    /// What others than this table take of the budget, and what its keys and indexes do. Units: bytes.
    reserved: usize,
    beside: usize,
    /// Chunks that may be in memory.
    allowed: usize,
    resident: usize,
    touched: Bits,
    hand: usize,
    buffer: Vec<u8>,
    /// A chunk that was written last: its memory is used for the one that is read next.
    spare: Option<Box<[f64]>>,

    read: u64,
    written: u64,
}

impl Chunks {
    pub(crate) fn new(width: usize) -> Self {
        Self { width, bits: entities_bits(width, CHUNK_BYTES), chunks: Vec::new(), spill: None }
    }

    pub(crate) fn with_budget(width: usize, budget_bytes: usize, path: &Path) -> Result<Self, StateError> {
        let bits = entities_bits(width, PAGE_BYTES);
        let file = Arc::new(SpillFile::create(path, width << bits)?);
        let spill = Spill {
            file,
            budget_bytes,
            reserved: 0,
            beside: 0,
            allowed: RESIDENT_MIN,
            resident: 0,
            touched: Bits::default(),
            hand: 0,
            buffer: Vec::new(),
            spare: None,
            read: 0,
            written: 0,
        };
        Ok(Self { width, bits, chunks: Vec::new(), spill: Some(spill) })
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Two to this power is the number of entities of a chunk.
    pub(crate) fn bits(&self) -> u32 {
        self.bits
    }

    /// Makes a chunk for a slot that is the next one after all there were. `beside` is the memory that the table
    /// needs for other things than words: it counts towards the budget. Units: bytes.
    pub(crate) fn grow(&mut self, slot: u32, beside: usize) -> Result<(), StateError> {
        if (slot >> self.bits) as usize == self.chunks.len() {
            self.spill.iter_mut().for_each(|spill| spill.beside = beside);
            self.share_out();
            self.make_room(1)?;
            self.chunks.push(Chunk::Owned(vec![0.0; self.width << self.bits].into_boxed_slice()));
            if let Some(spill) = &mut self.spill {
                spill.resident += 1;
                spill.touched.grow(self.chunks.len());
            }
        }
        Ok(())
    }

    /// The words of a slot, to change them. Only a chunk in the spill file can fail.
    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Result<&mut [f64], StateError> {
        let (chunk, words) = place(slot, self.bits, self.width);
        if let Some(spill) = &mut self.spill {
            spill.touched.set(chunk);
        }
        if !matches!(self.chunks[chunk], Chunk::Owned(_)) {
            self.own(chunk)?;
        }
        match &mut self.chunks[chunk] {
            Chunk::Owned(all) => Ok(&mut all[words]),
            Chunk::Shared(_) | Chunk::Spilled(_) => unreachable!("the chunk was made the table's own just before"),
        }
    }

    /// The words of a slot, read into memory if they are not there.
    #[inline]
    pub(crate) fn get(&mut self, slot: u32) -> Result<&[f64], StateError> {
        let (chunk, words) = place(slot, self.bits, self.width);
        if let Some(spill) = &mut self.spill {
            spill.touched.set(chunk);
        }
        if matches!(self.chunks[chunk], Chunk::Spilled(_)) {
            self.own(chunk)?;
        }
        match &self.chunks[chunk] {
            Chunk::Owned(all) => Ok(&all[words]),
            Chunk::Shared(all) => Ok(&all[words]),
            Chunk::Spilled(_) => unreachable!("the chunk was read just before"),
        }
    }

    /// The words of a slot, without moving anything.
    pub(crate) fn peek(&self, slot: u32) -> Result<Cow<'_, [f64]>, StateError> {
        let (chunk, words) = place(slot, self.bits, self.width);
        match &self.chunks[chunk] {
            Chunk::Owned(all) => Ok(Cow::Borrowed(&all[words])),
            Chunk::Shared(all) => Ok(Cow::Borrowed(&all[words])),
            Chunk::Spilled(page) => {
                let mut all = vec![0.0; self.width << self.bits];
                page.read(&mut all, &mut Vec::new())?;
                Ok(Cow::Owned(all[words].to_vec()))
            }
        }
    }

    /// Asks for the first words of a slot, if they are in memory, and does nothing with them: the processor has them
    /// near when they are needed.
    #[inline]
    pub(crate) fn touch(&self, slot: u32) {
        let (chunk, words) = place(slot, self.bits, self.width);
        if let Chunk::Owned(all) = &self.chunks[chunk] {
            std::hint::black_box(all.get(words.start).copied());
        }
    }

    /// Chunks there are.
    pub(crate) fn len(&self) -> usize {
        self.chunks.len()
    }

    /// The chunk as it is now, whatever happens to it later.
    pub(crate) fn freeze(&mut self, chunk: usize) -> FrozenChunk {
        let entry = &mut self.chunks[chunk];
        if let Chunk::Owned(words) = entry {
            *entry = Chunk::Shared(Arc::new(std::mem::take(words)));
        }
        match entry {
            Chunk::Shared(words) => FrozenChunk::Held(words.clone()),
            Chunk::Spilled(page) => FrozenChunk::Spilled(page.clone()),
            Chunk::Owned(_) => unreachable!("an owned chunk was shared just before"),
        }
    }

    /// Memory of the chunks that are in memory, and of what finds them. Units: bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.resident() * self.chunk_bytes() + self.beside_bytes()
    }

    /// Chunks read from the spill file and written to it.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        self.spill.as_ref().map_or((0, 0), |spill| (spill.read, spill.written))
    }

    fn resident(&self) -> usize {
        self.spill.as_ref().map_or(self.chunks.len(), |spill| spill.resident)
    }

    fn chunk_bytes(&self) -> usize {
        (self.width << self.bits) * size_of::<f64>()
    }

    fn beside_bytes(&self) -> usize {
        let spilled = self.chunks.len() - self.resident();
        let pages = spilled * (size_of::<Page>() + 2 * size_of::<usize>());
        self.chunks.capacity() * size_of::<Chunk>() + pages
    }

    /// Leaves so much of the budget to others: what no longer fits goes to the file at once.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<(), StateError> {
        let Some(spill) = self.spill.as_mut().filter(|spill| spill.reserved != bytes) else { return Ok(()) };
        spill.reserved = bytes;
        self.share_out();
        self.make_room(0)
    }

    /// How many chunks fit into what the budget leaves.
    fn share_out(&mut self) {
        let (chunk_bytes, own) = (self.chunk_bytes().max(1), self.beside_bytes());
        if let Some(spill) = &mut self.spill {
            let left =
                spill.budget_bytes.saturating_sub(spill.beside.saturating_add(spill.reserved).saturating_add(own));
            spill.allowed = (left / chunk_bytes).max(RESIDENT_MIN);
        }
    }

    /// Makes a chunk that is shared or spilled the table's own.
    #[cold]
    #[inline(never)]
    fn own(&mut self, chunk: usize) -> Result<(), StateError> {
        if let Chunk::Spilled(page) = &self.chunks[chunk] {
            let page = page.clone();
            self.make_room(1)?;
            let length = self.width << self.bits;
            if let Some(spill) = &mut self.spill {
                let mut words = spill.spare.take().unwrap_or_else(|| vec![0.0; length].into_boxed_slice());
                page.read(&mut words, &mut spill.buffer)?;
                spill.resident += 1;
                spill.read += 1;
                self.chunks[chunk] = Chunk::Owned(words);
            }
            return Ok(());
        }
        let entry = &mut self.chunks[chunk];
        if let Chunk::Shared(words) = std::mem::replace(entry, Chunk::Owned(Box::default())) {
            // Nothing is copied if the snapshot is done with it.
            *entry = Chunk::Owned(Arc::try_unwrap(words).unwrap_or_else(|words| (*words).clone()));
        }
        Ok(())
    }

    /// Writes chunks to the file until so many more may be in memory.
    fn make_room(&mut self, more: usize) -> Result<(), StateError> {
        let Some(spill) = &mut self.spill else { return Ok(()) };
        while spill.resident + more > spill.allowed {
            let at = spill.hand;
            spill.hand = (at + 1) % self.chunks.len();
            if matches!(self.chunks[at], Chunk::Spilled(_)) || spill.touched.take(at) {
                continue;
            }
            let page = match &self.chunks[at] {
                Chunk::Owned(words) => spill.file.write(words, &mut spill.buffer)?,
                Chunk::Shared(words) => spill.file.write(words, &mut spill.buffer)?,
                Chunk::Spilled(_) => unreachable!("spilled chunks were passed over"),
            };
            spill.resident -= 1;
            spill.written += 1;
            if let Chunk::Owned(words) = std::mem::replace(&mut self.chunks[at], Chunk::Spilled(Arc::new(page))) {
                spill.spare = Some(words);
            }
        }
        Ok(())
    }
}

impl FrozenChunk {
    /// The words of the chunk; `room` is where a spilled one is read into.
    pub(crate) fn load<'a>(&'a self, width: usize, bits: u32, room: &'a mut Room) -> Result<&'a [f64], StateError> {
        match self {
            Self::Held(words) => Ok(words),
            Self::Spilled(page) => {
                room.words.resize(width << bits, 0.0);
                page.read(&mut room.words, &mut room.buffer)?;
                Ok(&room.words)
            }
        }
    }
}

/// Memory to read a spilled chunk into.
#[derive(Debug, Default)]
pub(crate) struct Room {
    words: Vec<f64>,
    buffer: Vec<u8>,
}

/// The chunk of a slot, and its words in it.
#[inline]
pub(crate) fn place(slot: u32, bits: u32, width: usize) -> (usize, Range<usize>) {
    let at = (slot & ((1 << bits) - 1)) as usize * width;
    ((slot >> bits) as usize, at..at + width)
}

fn entities_bits(width: usize, bytes: usize) -> u32 {
    let entities = bytes / (width * size_of::<f64>()).max(1);
    entities.max(1).ilog2().min(ENTITIES_BITS_MAX)
}
