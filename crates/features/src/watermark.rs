use lapwing_vocabulary::EventTime;
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

#[cfg(test)]
mod tests {
    use super::*;

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
