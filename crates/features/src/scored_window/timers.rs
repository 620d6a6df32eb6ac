use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Something due of a window. Ordered by when, then by whose: so the first of several is the same after a restore.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    pub(super) time: i64,
    pub(super) key: Arc<str>,
    pub(super) start: i64,
}

/// Whether a timer still says what is due.
pub(super) enum Truth {
    /// It is due when it says.
    Holds,
    /// It is due later.
    Later(i64),
    /// It is not due any more.
    Void,
}

/// Timers, the earliest first. A timer may be outdated, but only so that the truth is later than it says: whoever reads
/// asks for the truth, and an outdated one is then put right. So most changes of a deadline cost nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<Timer>>);

impl Timers {
    #[inline]
    pub(super) fn push(&mut self, time: i64, key: &Arc<str>, start: i64) {
        self.0.push(Reverse(Timer { time, key: Arc::clone(key), start }));
    }

    /// Whether something may be due.
    #[inline]
    pub(super) fn may_be_due(&self, now: i64) -> bool {
        self.0.peek().is_some_and(|Reverse(timer)| timer.time <= now)
    }

    /// Takes out the first timer that says the truth, if it is due.
    pub(super) fn pop_due(&mut self, now: i64, truth: impl Fn(&Timer) -> Truth) -> Option<Timer> {
        while self.may_be_due(now) {
            let Reverse(timer) = self.0.pop()?;
            match truth(&timer) {
                Truth::Holds => return Some(timer),
                Truth::Later(time) => self.0.push(Reverse(Timer { time, ..timer })),
                Truth::Void => {}
            }
        }
        None
    }

    /// Takes out the first timer that says the truth.
    pub(super) fn pop_first(&mut self, truth: impl Fn(&Timer) -> Truth) -> Option<Timer> {
        self.pop_due(i64::MAX, truth)
    }

    /// When the first is due.
    pub(super) fn first_due(&mut self, truth: impl Fn(&Timer) -> Truth) -> Option<i64> {
        let first = self.pop_first(truth)?;
        let time = first.time;
        self.0.push(Reverse(first));
        Some(time)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Timer>()
    }
}
