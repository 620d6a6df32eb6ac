use std::sync::atomic::{AtomicU64, Ordering};

/// What a replay has left out. Shared, so that it can be asked for when the replay itself is gone.
#[derive(Debug, Default)]
pub struct ReplayCounts {
    skipped: AtomicU64,
    cut: AtomicU64,
}

impl ReplayCounts {
    /// Malformed lines passed over so far.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Records of several lines of which only the beginning was taken, because they were too long.
    pub fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    pub(crate) fn skip(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn cut_one(&self) {
        self.cut.fetch_add(1, Ordering::Relaxed);
    }
}
