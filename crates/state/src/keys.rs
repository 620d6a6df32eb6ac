use std::fmt;
use std::sync::Arc;

/// Longest key that needs no memory beside its entry.
const INLINE_BYTES: usize = 22;
/// Keys of a chunk, which is what a snapshot shares and a change copies.
const CHUNK_KEYS: usize = 256;

/// The key in a slot: short ones lie in the entry itself. 24 bytes.
#[derive(Clone, Default)]
pub(crate) enum Key {
    /// The slot is free.
    #[default]
    Vacant,
    Inline {
        length: u8,
        bytes: [u8; INLINE_BYTES],
    },
    Long(Box<str>),
}

impl Key {
    pub(crate) fn new(text: &str) -> Self {
        if text.len() > INLINE_BYTES {
            return Self::Long(text.into());
        }
        let mut bytes = [0; INLINE_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Self::Inline { length: text.len() as u8, bytes }
    }

    /// The key's bytes; `None` if the slot is free.
    #[inline]
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Vacant => None,
            Self::Inline { length, bytes } => Some(&bytes[..usize::from(*length)]),
            Self::Long(text) => Some(text.as_bytes()),
        }
    }

    /// The key; `None` if the slot is free.
    pub(crate) fn text(&self) -> Option<&str> {
        self.bytes().map(|bytes| std::str::from_utf8(bytes).expect("keys are made of text only"))
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Long(text) => text.len(),
            Self::Vacant | Self::Inline { .. } => 0,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

/// Keys that snapshots share until they change.
pub(crate) type KeyChunk = Arc<[Key; CHUNK_KEYS]>;

/// The key of every slot.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    chunks: Vec<KeyChunk>,
    heap_bytes: usize,
}

impl Keys {
    /// The entry of a slot, which [`Keys::set`] must have named before.
    #[inline]
    pub(crate) fn get(&self, slot: u32) -> &Key {
        key_in(&self.chunks, slot)
    }

    /// Puts a key in a slot and returns what was there.
    pub(crate) fn set(&mut self, slot: u32, key: Key) -> Key {
        let (chunk, at) = place(slot);
        while self.chunks.len() <= chunk {
            self.chunks.push(Arc::new(std::array::from_fn(|_| Key::Vacant)));
        }
        self.heap_bytes += key.heap_bytes();
        let old = std::mem::replace(&mut Arc::make_mut(&mut self.chunks[chunk])[at], key);
        self.heap_bytes -= old.heap_bytes();
        old
    }

    /// The keys as they are now, whatever happens to them later.
    pub(crate) fn freeze(&self) -> Vec<KeyChunk> {
        self.chunks.clone()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.chunks.len() * size_of::<[Key; CHUNK_KEYS]>() + self.heap_bytes
    }
}

/// The entry of a slot in the chunks that [`Keys::freeze`] has given.
#[inline]
pub(crate) fn key_in(chunks: &[KeyChunk], slot: u32) -> &Key {
    let (chunk, at) = place(slot);
    &chunks[chunk][at]
}

#[inline]
fn place(slot: u32) -> (usize, usize) {
    (slot as usize / CHUNK_KEYS, slot as usize % CHUNK_KEYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_length_come_back_from_24_bytes() {
        assert_eq!(size_of::<Key>(), 24);
        for length in [0, 1, 21, 22, 23, 500] {
            let text = "k".repeat(length);
            assert_eq!(Key::new(&text).text(), Some(text.as_str()));
        }
        assert_eq!(Key::Vacant.text(), None);
    }

    #[test]
    fn frozen_keys_stay_as_they_were() {
        let mut keys = Keys::default();
        keys.set(300, Key::new("a key of more than two dozen bytes"));
        let frozen = keys.freeze();
        let before = keys.memory_bytes();
        keys.set(300, Key::new("b"));
        assert_eq!(key_in(&frozen, 300).text(), Some("a key of more than two dozen bytes"));
        assert_eq!((keys.get(300).text(), before - keys.memory_bytes()), (Some("b"), 34));
    }
}
