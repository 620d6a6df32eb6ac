//! Events of several lines, such as stack traces: a line that begins no event belongs to the one before.

use std::fmt;
use std::sync::Arc;

use super::split::Chunk;

type Predicate = dyn Fn(&[u8]) -> bool + Send + Sync;

/// Says whether a line begins an event.
#[derive(Clone)]
pub struct Begins(Arc<Predicate>);

impl Begins {
    /// Lines for which `begins` holds begin an event.
    pub fn new(begins: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(begins))
    }
}

impl fmt::Debug for Begins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Begins")
    }
}

/// Puts lines together. An event is handed over when the next one begins, or at the end: which lines it has must not
/// depend on when they were read.
#[derive(Debug)]
pub(super) struct Gather {
    begins: Begins,
    record_bytes_max: usize,
    held: Vec<u8>,
    /// Its length if nothing had been cut. Units: bytes.
    length: u64,
}

impl Gather {
    pub(super) fn new(begins: Begins, record_bytes_max: usize) -> Self {
        Self { begins, record_bytes_max, held: Vec::new(), length: 0 }
    }

    /// The events that these lines complete.
    pub(super) fn gather(&mut self, lines: &Chunk) -> Chunk {
        let mut events = Chunk::default();
        for index in 0..lines.len() {
            let (line, cut) = lines.record(index);
            if (self.begins.0)(line) {
                self.finish(&mut events);
            }
            let gap = if self.length > 0 { b"\n".as_slice() } else { b"" };
            self.length += gap.len() as u64 + cut.unwrap_or(line.len() as u64);
            for part in [gap, line] {
                let room = self.record_bytes_max.saturating_sub(self.held.len());
                self.held.extend_from_slice(&part[..room.min(part.len())]);
            }
        }
        events
    }

    /// The last event.
    pub(super) fn finish(&mut self, events: &mut Chunk) {
        let is_cut = self.length > self.held.len() as u64;
        if is_cut {
            self.held.truncate(super::options::OVERSIZE_KEPT_BYTES);
        }
        events.push(&self.held, is_cut.then_some(self.length));
        self.held.clear();
        self.length = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::split::Splitter;
    use super::*;

    fn events(data: &[u8], piece: usize, bytes_max: usize) -> Vec<(String, Option<u64>)> {
        let mut splitter = Splitter::lines(1_000);
        let mut gather = Gather::new(Begins::new(|line| line.starts_with(b"2026")), bytes_max);
        let mut found = Vec::new();
        let mut keep = |chunk: &Chunk| {
            found.extend((0..chunk.len()).map(|index| {
                let (event, cut) = chunk.record(index);
                (String::from_utf8_lossy(event).into_owned(), cut)
            }));
        };
        for piece in data.chunks(piece) {
            let mut lines = Chunk::default();
            splitter.split(piece, &mut lines);
            keep(&gather.gather(&lines));
        }
        let mut lines = Chunk::default();
        splitter.finish(&mut lines);
        let mut last = gather.gather(&lines);
        gather.finish(&mut last);
        keep(&last);
        found
    }

    #[test]
    fn a_stack_trace_belongs_to_the_line_before() {
        let data = b"lost\n2026 a\n  at x\nCaused by: y\n\n2026 b\n2026 c";
        let texts: Vec<String> = events(data, 1_000, 100).into_iter().map(|(text, _)| text).collect();
        assert_eq!(texts, ["lost", "2026 a\n  at x\nCaused by: y", "2026 b", "2026 c"]);
    }

    #[test]
    fn an_event_that_never_ends_is_cut_and_its_length_told() {
        let data = [b"2026 a\n".to_vec(), b"  more\n".repeat(100), b"2026 b\n".to_vec()].concat();
        let found = events(&data, 13, 50);
        assert_eq!((found[0].0.len(), found[0].1), (50, Some(6 + 700)));
        assert_eq!(found[1], ("2026 b".to_owned(), None));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_events(data in "(2026|[ab \n]){0,40}", piece in 1_usize..20) {
            prop_assert_eq!(events(data.as_bytes(), piece, 30), events(data.as_bytes(), 10_000, 30));
        }
    }
}
