use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::events;

/// Most cases that are named one by one.
pub(crate) const EXAMPLES: usize = 20;

/// The book of what came out: enriched events and alerts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Events that were enriched.
    pub(crate) events: HashSet<u128>,
    /// Enriched events that had been there before.
    pub(crate) doubled: u64,
    /// Some of them: identity, and where the later one lies.
    pub(crate) doubled_at: Vec<(u128, String)>,
    /// Alerts by their id.
    pub(crate) alerts: HashMap<u128, AlertMark>,
    /// Alerts whose id had been there before.
    pub(crate) alerts_doubled: u64,
    /// Some of them: id, and where the later one lies.
    pub(crate) alerts_doubled_at: Vec<(u128, String)>,
    /// Records without an identity.
    pub(crate) unreadable: u64,
}

/// What is kept of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AlertMark {
    /// The event it is about.
    pub(crate) event: u128,
    /// The first half of SHA-256 over its bytes.
    pub(crate) digest: [u8; 16],
}

impl Ledger {
    /// Enters an enriched event that lies at `place`.
    pub(crate) fn enriched(&mut self, value: &[u8], place: impl FnOnce() -> String) {
        let Some(id) = events::id_of(value) else {
            self.unreadable += 1;
            return;
        };
        if !self.events.insert(id) {
            self.doubled += 1;
            note(&mut self.doubled_at, id, place);
        }
    }

    /// Enters an alert that lies at `place`.
    pub(crate) fn alert(&mut self, value: &[u8], place: impl FnOnce() -> String) {
        let Some((id, mark)) = mark_of(value) else {
            self.unreadable += 1;
            return;
        };
        if self.alerts.insert(id, mark).is_some() {
            self.alerts_doubled += 1;
            note(&mut self.alerts_doubled_at, id, place);
        }
    }
}

fn note(list: &mut Vec<(u128, String)>, id: u128, place: impl FnOnce() -> String) {
    if list.len() < EXAMPLES {
        list.push((id, place()));
    }
}

fn mark_of(value: &[u8]) -> Option<(u128, AlertMark)> {
    let alert: Value = serde_json::from_slice(value).ok()?;
    let number = |name: &str| events::number(alert[name].as_str()?.as_bytes());
    let digest = Sha256::digest(value);
    let digest = digest.first_chunk::<16>().copied()?;
    Some((number("id")?, AlertMark { event: number("event_id")?, digest }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> String {
        format!("{number:032x}")
    }

    fn place() -> String {
        "t[0]@1".to_owned()
    }

    #[test]
    fn an_event_that_is_there_twice_is_doubled_and_its_place_is_noted() {
        let mut ledger = Ledger::default();
        for number in [1, 2, 1] {
            ledger.enriched(format!("{{\"uuid\":\"{}\"}}", id(number)).as_bytes(), place);
        }
        ledger.enriched(b"{}", place);
        assert_eq!((ledger.events.len(), ledger.doubled, ledger.unreadable), (2, 1, 1));
        assert_eq!(ledger.doubled_at, [(1, "t[0]@1".to_owned())]);
    }

    #[test]
    fn alerts_differ_by_their_bytes_and_are_the_same_by_their_id() {
        let alert = |score: f64| format!("{{\"id\":\"{}\",\"event_id\":\"{}\",\"score\":{score}}}", id(9), id(1));
        let (mut one, mut other) = (Ledger::default(), Ledger::default());
        one.alert(alert(0.5).as_bytes(), place);
        other.alert(alert(0.25).as_bytes(), place);
        assert_eq!(one.alerts[&9].event, 1);
        assert_ne!(one.alerts, other.alerts);
        one.alert(alert(0.5).as_bytes(), place);
        assert_eq!((one.alerts.len(), one.alerts_doubled), (1, 1));
        one.alert(b"{\"id\":\"9\"}", place);
        assert_eq!(one.unreadable, 1);
    }
}
