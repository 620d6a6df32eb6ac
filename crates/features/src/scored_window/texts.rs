use std::sync::Arc;

use lapwing_vocabulary::EventTime;

use super::row::WindowText;
use super::rules::Event;
use super::spec::Texts;

/// The texts of the oldest and of the newest events, ascending by event time, then offset; all of them up to as many as
/// are kept. They are shared with the rows that show them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Kept(Vec<WindowText>);

impl Kept {
    /// Adds the text of an event, cut if it is too long.
    pub(super) fn add(&mut self, event: &Event, text: &str, of: Texts) {
        self.put(event.time, event.offset, of, || {
            let end = text.floor_char_boundary(of.bytes);
            let (offset, time) = (event.offset, EventTime(event.time));
            WindowText { offset, time, text: text[..end].into(), is_cut: end < text.len() }
        });
    }

    /// Adds those of another window. Neither has left out what belongs to an end of both together.
    pub(super) fn merge(&mut self, other: &Self, of: Texts) {
        other.0.iter().for_each(|text| self.put(text.time.0, text.offset, of, || text.clone()));
    }

    /// Puts a text in its place, and lets the one go that is then in the middle; one that would be there is not made.
    fn put(&mut self, time: i64, offset: i64, of: Texts, make: impl FnOnce() -> WindowText) {
        let is_before = |known: &WindowText| (known.time.0, known.offset) <= (time, offset);
        let place = self.0.iter().rposition(is_before).map_or(0, |at| at + 1);
        if self.0.len() < of.events {
            self.0.insert(place, make());
            return;
        }
        let oldest = of.events.div_ceil(2);
        if place < oldest {
            self.0[place..oldest].rotate_right(1);
            self.0[place] = make();
        } else if place > oldest {
            self.0[oldest..place].rotate_left(1);
            self.0[place - 1] = make();
        }
    }

    pub(super) fn as_slice(&self) -> &[WindowText] {
        &self.0
    }

    /// Takes texts that were kept, if they can have been.
    pub(super) fn from_kept(kept: Vec<WindowText>) -> Option<Self> {
        kept.is_sorted_by_key(|text| (text.time, text.offset)).then_some(Self(kept))
    }

    /// Memory of the texts, each with the two counters of its `Arc`. Units: bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let behind = |text: &WindowText| size_of::<[usize; 2]>() + Arc::as_ref(&text.text).len();
        self.0.capacity() * size_of::<WindowText>() + self.0.iter().map(behind).sum::<usize>()
    }
}
