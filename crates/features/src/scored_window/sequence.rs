/// A value of a sequence and the event it is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) time: i64,
    pub(super) offset: i64,
    pub(super) value: f64,
}

/// The values of the oldest events, ascending by event time, then offset.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sequence(Vec<Step>);

impl Sequence {
    /// Adds one, if it is among the oldest `length`. Events mostly come in order, so its place is looked for from the
    /// end.
    #[inline]
    pub(super) fn add(&mut self, step: Step, length: usize) {
        let is_before = |known: &Step| (known.time, known.offset) <= (step.time, step.offset);
        let place = self.0.iter().rposition(is_before).map_or(0, |at| at + 1);
        if place >= length {
            return;
        }
        self.0.truncate(length - 1);
        self.0.insert(place, step);
    }

    /// Adds those of another.
    pub(super) fn merge(&mut self, other: &Self, length: usize) {
        other.0.iter().for_each(|step| self.add(*step, length));
    }

    pub(super) fn as_slice(&self) -> &[Step] {
        &self.0
    }

    /// Takes steps that were kept, if they can have been.
    pub(super) fn from_kept(kept: Vec<Step>) -> Option<Self> {
        kept.is_sorted_by_key(|step| (step.time, step.offset)).then_some(Self(kept))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Step>()
    }
}
