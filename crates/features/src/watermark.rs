//! The watermark of a partition, and how it goes on while the partition is idle.
//!
//! Windows close when event time passes them, and event time moves with events. Where none come, it would stand still
//! and the last windows would stay open for ever. So the wall clock may take over, by these rules ([`idle_tick`]):
//!
//! 1. Idle is a partition whose source is at its end: the transport has said that there is nothing more to read. That
//!    nothing came is not enough; behind a broker that cannot be reached, or a worker that was held up, events may
//!    wait that a tick would make late.
//! 2. After `idle_after` without an event, event time goes on at the pace of the wall clock: by as much as has passed
//!    since the last record. So the distance between event time and wall clock stays what it was at the last event.
//! 3. It is the distance that decides, never the clock's own date. A replay of last year's events ends in last year:
//!    its last windows close after their length and the lateness allowed, as they would have done then, and a second
//!    file that follows the first at once is not late. A jump to the present would make all of it late.
//! 4. Event time never goes beyond the wall clock by a tick. Where events are already ahead of it, no tick comes
//!    until the clock has caught up.
//! 5. Where nothing is open any more there is nothing to close, and going on would only make a stream that resumes
//!    late. The caller names the event time by which all will have closed.
//!
//! A tick depends on the wall clock, so it is no fold of the events. The caller writes it down as a marker among the
//! records, and replay reads it there. A marker counts as a record, not as an event: ticks add up to the time that has
//! passed, each counted from the one before.
//!
//! The wall times are those at which this process took the records. The times a broker gives them say when they were
//! written, or even when they happened, and would make a replay jump.

use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::SECOND;
use serde::{Deserialize, Serialize};

/// Whether an event came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeliness {
    /// At or ahead of the watermark.
    OnTime,
    /// Behind the watermark.
    Late {
        /// How far behind it. Units: microseconds, at least 1.
        by_micros: i64,
    },
}

/// How far event time has come in one partition: the newest event time seen, less the lateness allowed.
/// A pure fold of the partition's events; it never moves back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    lateness_micros: i64,
    max_seen: Option<EventTime>,
    late_events: u64,
    late_by_max_micros: i64,
}

impl Watermark {
    /// A watermark before the first event. A negative lateness counts as none.
    pub fn new(lateness_micros: i64) -> Self {
        Self { lateness_micros: lateness_micros.max(0), max_seen: None, late_events: 0, late_by_max_micros: 0 }
    }

    /// The same watermark with another lateness allowed from now on.
    pub fn with_lateness(self, lateness_micros: i64) -> Self {
        Self { lateness_micros: lateness_micros.max(0), ..self }
    }

    /// Judges an event by the watermark as it was before this event, then moves the watermark.
    pub fn observe(&mut self, time: EventTime) -> Timeliness {
        let timeliness = match self.value() {
            Some(watermark) if time < watermark => Timeliness::Late { by_micros: watermark.0.saturating_sub(time.0) },
            _ => Timeliness::OnTime,
        };
        if let Timeliness::Late { by_micros } = timeliness {
            self.late_events += 1;
            self.late_by_max_micros = self.late_by_max_micros.max(by_micros);
        }
        self.max_seen = Some(self.max_seen.map_or(time, |seen| seen.max(time)));
        timeliness
    }

    /// Moves event time without an event: it has come at least as far as `now_time`, says a marker in the partition.
    /// Moves the watermark as an event of that time would; answers whether it did.
    pub fn tick(&mut self, now_time: EventTime) -> bool {
        let moves = self.max_seen.is_none_or(|seen| now_time > seen);
        if moves {
            self.max_seen = Some(now_time);
        }
        moves
    }

    /// The watermark: events older than it are late. `None` before the first event.
    pub fn value(&self) -> Option<EventTime> {
        self.max_seen.map(|seen| EventTime(seen.0.saturating_sub(self.lateness_micros)))
    }

    /// The newest event time seen. `None` before the first event.
    pub fn max_seen(&self) -> Option<EventTime> {
        self.max_seen
    }

    /// How late an event may be and still count. Units: microseconds.
    pub fn lateness_micros(&self) -> i64 {
        self.lateness_micros
    }

    /// Number of late events so far.
    pub fn late_events(&self) -> u64 {
        self.late_events
    }

    /// How far the latest of them was behind. Units: microseconds.
    pub fn late_by_max_micros(&self) -> i64 {
        self.late_by_max_micros
    }
}

/// What is known of a partition that may be idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle {
    /// Whether the transport has just said that the source is at its end.
    pub at_end: bool,
    /// When the last event was taken, by the wall clock of this process; its start if none was yet.
    /// Units: microseconds since 1970.
    pub last_event_wall_micros: i64,
    /// When the last record was taken: the event, or a marker after it. Units: microseconds since 1970.
    pub last_record_wall_micros: i64,
    /// The newest event time seen, ticks included; [`Watermark::max_seen`].
    pub max_seen: Option<EventTime>,
    /// Event time by which all that is open will have closed: the newest event, plus the longest window, plus the
    /// lateness. `None` if something waits for ever, such as an alarm that no event has come.
    pub open_until: Option<EventTime>,
}

/// Decides whether event time of an idle partition moves on now, and how far; the rules are at the top of this file.
/// The caller writes the answer down as a marker, and gives it to [`Watermark::tick`].
pub fn idle_tick(idle: &Idle, now_wall_micros: i64, idle_after_micros: i64) -> Option<EventTime> {
    let max_seen = idle.max_seen?;
    let without_event = now_wall_micros.saturating_sub(idle.last_event_wall_micros);
    if !idle.at_end || without_event < idle_after_micros.max(0) {
        return None;
    }
    // A marker is a record in the log of the partition: a few while idle_after passes, and not one at every poll.
    let since_record = now_wall_micros.saturating_sub(idle.last_record_wall_micros);
    let after_marker = idle.last_record_wall_micros > idle.last_event_wall_micros;
    if after_marker && since_record < (idle_after_micros / 4).max(SECOND) {
        return None;
    }
    let paced = EventTime(max_seen.0.saturating_add(since_record.max(0)));
    let reached = paced.min(EventTime(now_wall_micros)).min(idle.open_until.unwrap_or(paced));
    (reached > max_seen).then_some(reached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapwing_vocabulary::time::{DAY, MINUTE};

    const NOON: i64 = 1_772_000_000 * SECOND;

    fn live() -> Idle {
        Idle {
            at_end: true,
            last_event_wall_micros: NOON,
            last_record_wall_micros: NOON,
            max_seen: Some(EventTime(NOON - 5 * SECOND)),
            open_until: None,
        }
    }

    #[test]
    fn the_table_of_idle_partitions() {
        let year_old = Some(EventTime(NOON - 365 * DAY));
        let ahead = Some(EventTime(NOON + 90 * SECOND));
        let open_until = Some(EventTime(NOON + 10 * SECOND));
        let marked = Idle { last_record_wall_micros: NOON + 40 * SECOND, ..live() };
        // What is so, the partition, seconds since the last event, how far event time comes: seconds after NOON.
        let cases: [(&str, Idle, i64, Option<i64>); 18] = [
            ("events came just now", live(), 0, None),
            ("not yet idle for long enough", live(), 29, None),
            ("idle: event time keeps its distance", live(), 30, Some(25)),
            ("idle for long: all of it at once", live(), 3600, Some(3595)),
            ("the source is not at its end", Idle { at_end: false, ..live() }, 3600, None),
            ("before the first event", Idle { max_seen: None, ..live() }, 3600, None),
            ("a replay stays in its own time", Idle { max_seen: year_old, ..live() }, 30, Some(30 - 365 * 86_400)),
            (
                "a replay does not come to the present",
                Idle { max_seen: year_old, ..live() },
                3600,
                Some(3600 - 365 * 86_400),
            ),
            ("events ahead of the clock: the clock must catch up", Idle { max_seen: ahead, ..live() }, 60, None),
            ("just caught up", Idle { max_seen: ahead, ..live() }, 90, None),
            ("caught up: no further than the clock", Idle { max_seen: ahead, ..live() }, 100, Some(100)),
            ("no further than is open", Idle { open_until, ..live() }, 60, Some(10)),
            ("not as far as is open", Idle { open_until, ..live() }, 14, None),
            ("all is closed", Idle { open_until, max_seen: open_until, ..live() }, 60, None),
            ("a marker a moment ago", marked, 47, None),
            ("a quarter of the time after a marker: from there on", marked, 48, Some(3)),
            ("the clock was set back", live(), -3600, None),
            ("the clock was set back below the marker", marked, 30, None),
        ];
        for (what, idle, seconds, reached) in cases {
            let reached = reached.map(|seconds| EventTime(NOON + seconds * SECOND));
            assert_eq!(idle_tick(&idle, NOON + seconds * SECOND, 30 * SECOND), reached, "{what}");
        }
    }

    #[test]
    fn ticks_add_up_to_the_time_that_has_passed() {
        let (mut idle, mut watermark) = (live(), Watermark::new(MINUTE));
        watermark.observe(EventTime(NOON - 5 * SECOND));
        let mut markers = 0;
        for now in (0..600).map(|second| NOON + second * SECOND) {
            if let Some(reached) = idle_tick(&idle, now, 30 * SECOND) {
                assert!(watermark.tick(reached));
                idle = Idle { last_record_wall_micros: now, max_seen: watermark.max_seen(), ..idle };
                assert_eq!(reached.0, now - 5 * SECOND, "the distance to the clock is kept");
                markers += 1;
            }
        }
        assert_eq!(markers, 1 + (599 - 30) / 8, "one after idle_after, then one each quarter of it, by the second");
        assert!(watermark.value() > Some(EventTime(NOON + 8 * MINUTE)));
    }

    #[test]
    fn nothing_overflows_at_the_ends_of_the_scale() {
        for wall in [i64::MIN, -1, 0, i64::MAX] {
            for now in [i64::MIN, 0, i64::MAX] {
                for seen in [i64::MIN, 0, i64::MAX] {
                    let (last_event_wall_micros, last_record_wall_micros) = (wall, wall);
                    let max_seen = Some(EventTime(seen));
                    let idle = Idle { last_event_wall_micros, last_record_wall_micros, max_seen, ..live() };
                    let reached = idle_tick(&idle, now, i64::MIN);
                    assert!(reached.is_none_or(|time| time > EventTime(seen) && time.0 <= now));
                }
            }
        }
    }

    #[test]
    fn a_tick_moves_the_watermark_and_is_no_event() {
        let mut watermark = Watermark::new(10);
        assert!(watermark.tick(EventTime(100)));
        assert!(!watermark.tick(EventTime(100)));
        assert!(!watermark.tick(EventTime(-5)));
        assert_eq!(watermark.value(), Some(EventTime(90)));
        assert_eq!(watermark.observe(EventTime(80)), Timeliness::Late { by_micros: 10 });
        assert_eq!((watermark.late_events(), watermark.max_seen()), (1, Some(EventTime(100))));
    }

    #[test]
    fn an_event_is_judged_by_the_watermark_before_it() {
        let mut watermark = Watermark::new(10);
        assert_eq!(watermark.value(), None);
        assert_eq!(watermark.observe(EventTime(-100)), Timeliness::OnTime);
        assert_eq!(watermark.observe(EventTime(100)), Timeliness::OnTime);
        assert_eq!(watermark.observe(EventTime(90)), Timeliness::OnTime);
        assert_eq!(watermark.observe(EventTime(89)), Timeliness::Late { by_micros: 1 });
        assert_eq!(watermark.observe(EventTime(50)), Timeliness::Late { by_micros: 40 });
        assert_eq!((watermark.value(), watermark.max_seen()), (Some(EventTime(90)), Some(EventTime(100))));
        assert_eq!((watermark.late_events(), watermark.late_by_max_micros()), (2, 40));
    }

    #[test]
    fn times_at_the_ends_of_the_scale_do_not_overflow() {
        let mut watermark = Watermark::new(i64::MAX);
        assert_eq!(watermark.observe(EventTime(i64::MIN)), Timeliness::OnTime);
        assert_eq!(watermark.observe(EventTime(i64::MAX)), Timeliness::OnTime);
        let mut strict = Watermark::new(-5);
        strict.observe(EventTime(i64::MAX));
        assert_eq!(strict.observe(EventTime(i64::MIN)), Timeliness::Late { by_micros: i64::MAX });
    }
}
