//! Events that memory is to know nothing of, taken out in front of it.

use crate::aggregate::text_column;
use crate::enrich::{Enriched, pick};
use crate::settings::LeaveOut;

/// Leaves the events of these intervals out; returns how many. `key` is the column of the entity.
pub(super) fn leave_out(enriched: &mut Enriched, key: &str, intervals: &[LeaveOut]) -> u64 {
    if intervals.is_empty() {
        return 0;
    }
    let events = &enriched.events;
    let entities = text_column(&events.rows, key);
    let stays = |row: &u32| {
        let at = *row as usize;
        !intervals.iter().any(|interval| interval.holds(entities.value(at), events.times[at]))
    };
    let kept: Vec<u32> = (0..events.len() as u32).filter(stays).collect();
    let left_out = events.len() - kept.len();
    if left_out > 0 {
        enriched.events = pick(events, &kept);
        enriched.origin = Some(match &enriched.origin {
            None => kept,
            Some(origin) => kept.into_iter().map(|row| origin[row as usize]).collect(),
        });
    }
    left_out as u64
}
