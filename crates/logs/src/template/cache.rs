use super::tree::Grounds;

/// Sets of the cache; a power of two. Messages of a service have some hundred forms.
const SETS: usize = 2_048;
/// Messages with the same set that are remembered side by side, so that two of them do not drive each other out.
const WAYS: usize = 2;
/// Longer messages are decided anew each time: what they cost does not matter beside their length.
const TEXT_BYTES_MAX: usize = 512;

/// Decisions by masked message. It changes how long something takes, never what comes out: an entry counts only while
/// the leaf it was decided in, and the way there, are as they were. The whole text is compared, not its hash alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Cache {
    /// Empty until the first decision.
    entries: Vec<Entry>,
    text_bytes: usize,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    hash: u64,
    text: Vec<u8>,
    decision: Option<Decision>,
}

/// Which template a masked message has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision {
    pub(super) slot: u32,
    pub(super) grounds: Grounds,
}

impl Cache {
    pub(super) fn find(&self, hash: u64, text: &[u8]) -> Option<Decision> {
        let first = first_of(hash);
        let set = self.entries.get(first..first + WAYS)?;
        set.iter().find(|entry| entry.hash == hash && entry.text == text)?.decision
    }

    /// Remembers a decision in place of the same message's, or of the older one of its set.
    pub(super) fn put(&mut self, hash: u64, text: &[u8], decision: Decision) {
        if text.len() > TEXT_BYTES_MAX {
            return;
        }
        if self.entries.is_empty() {
            self.entries.resize_with(SETS * WAYS, Entry::default);
        }
        let first = first_of(hash);
        let set = &mut self.entries[first..first + WAYS];
        let at = set.iter().position(|entry| entry.hash == hash && entry.text == text).unwrap_or(WAYS - 1);
        set[..=at].rotate_right(1);
        let entry = &mut set[0];
        if entry.decision.is_none() || entry.text != text {
            let before = entry.text.capacity();
            entry.text.clear();
            entry.text.extend_from_slice(text);
            self.text_bytes += entry.text.capacity() - before;
        }
        (entry.hash, entry.decision) = (hash, Some(decision));
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries.len() * size_of::<Entry>() + self.text_bytes
    }
}

fn first_of(hash: u64) -> usize {
    (hash >> 32) as usize % SETS * WAYS
}
