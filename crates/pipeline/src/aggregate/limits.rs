use std::path::PathBuf;

use lapwing_vocabulary::EventTime;

/// How many steps a time to live is checked in.
const TTL_STEPS: i64 = 16;

/// The room that one partition has for its entities in memory; what does not fit lies on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryRoom {
    /// Bytes of memory.
    pub bytes: usize,
    /// File for what does not fit; it lives as long as the process.
    pub file: PathBuf,
}

/// What bounds the memory of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How far an event may lag behind the newest and still count. Units: microseconds.
    pub lateness_micros: i64,
    /// How long an entity without events is remembered, in event time. Units: microseconds. `None` is for ever.
    pub ttl_micros: Option<i64>,
    /// For how long repeats of an id are recognised, in event time; 0 not at all. Units: microseconds.
    pub dedup_micros: i64,
    /// Most ids remembered.
    pub dedup_ids: usize,
}

impl Limits {
    /// Entities last seen before this moment are forgotten. It moves in sixteenths of the time to live: an entity is
    /// remembered at least that long, and at most a sixteenth longer.
    pub(super) fn expired_before(&self, watermark: Option<EventTime>) -> i64 {
        let (Some(ttl), Some(watermark)) = (self.ttl_micros, watermark) else { return i64::MIN };
        let step = (ttl / TTL_STEPS).max(1);
        watermark.0.saturating_sub(ttl).div_euclid(step).saturating_mul(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_remembered_for_its_time_to_live_and_at_most_a_sixteenth_longer() {
        let limits = Limits { ttl_micros: Some(1_600), ..Limits::default() };
        assert_eq!(limits.expired_before(None), i64::MIN);
        for watermark in [0, 1, 99, 100, 5_000, 12_345] {
            let before = limits.expired_before(Some(EventTime(watermark)));
            assert!((watermark - 1_700..=watermark - 1_600).contains(&before), "{watermark}: {before}");
        }
        assert_eq!(Limits::default().expired_before(Some(EventTime(7))), i64::MIN);
    }
}
