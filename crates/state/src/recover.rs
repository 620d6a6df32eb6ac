use std::fmt;

use lapwing_vocabulary::Offset;

/// Where a partition starts again. Its memory is that of the snapshot; the records from `replay_from` up to
/// `live_from` are folded into it without any output, those from `live_from` on are processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Offset of the snapshot to load; `None` starts with an empty memory.
    pub snapshot: Option<Offset>,
    /// First record to read.
    pub replay_from: Offset,
    /// First record with outputs. Never below `replay_from`.
    pub live_from: Offset,
    /// Records that are needed and no longer exist.
    pub warnings: Vec<Warning>,
}

/// Records that are needed for a recovery and were dropped by the topic's retention. Offsets from `from` up to, but
/// without, `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// They had been processed, but the memory of them is lost: features differ until their windows have passed.
    MemoryGone {
        /// First of them.
        from: Offset,
        /// First that exists.
        until: Offset,
    },
    /// They had never been processed: their events are lost.
    EventsGone {
        /// First of them.
        from: Offset,
        /// First that exists.
        until: Offset,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MemoryGone { from, until } => write!(
                f,
                "records {from} to {until} are needed to rebuild the memory and no longer exist; features differ \
                 until their windows have passed; keep records longer, or take snapshots more often"
            ),
            Self::EventsGone { from, until } => write!(
                f,
                "records {from} to {until} were dropped before they were processed; their events are lost; keep \
                 records longer than this pipeline may stand still"
            ),
        }
    }
}

/// Snapshots that may be used, newest first: those at or before the committed position. A newer one holds events
/// whose outputs were never committed: they would be missing from the alerts, and counted twice in the memory.
pub fn candidates(snapshots: &[Offset], committed: Option<Offset>) -> Vec<Offset> {
    let Some(committed) = committed else { return Vec::new() };
    let mut usable: Vec<Offset> = snapshots.iter().copied().filter(|offset| *offset <= committed).collect();
    usable.sort_unstable_by(|a, b| b.cmp(a));
    usable.dedup();
    usable
}

/// Decides where to start. `snapshots` are those that exist, in any order; `committed` is the first offset not yet
/// processed; `earliest` the first that still exists.
pub fn decide(snapshots: &[Offset], committed: Option<Offset>, earliest: Offset) -> Recovery {
    let Some(committed) = committed else {
        return Recovery { snapshot: None, replay_from: earliest, live_from: earliest, warnings: Vec::new() };
    };
    let snapshot = candidates(snapshots, Some(committed)).first().copied();
    let needed_from = snapshot.unwrap_or(0);
    let mut warnings = Vec::new();
    if needed_from < committed.min(earliest) {
        warnings.push(Warning::MemoryGone { from: needed_from, until: committed.min(earliest) });
    }
    if committed < earliest {
        warnings.push(Warning::EventsGone { from: committed, until: earliest });
    }
    // Without a snapshot the memory is rebuilt from all that exists; with one, from where it ends.
    let replay_from = needed_from.max(earliest);
    Recovery { snapshot, replay_from, live_from: committed.max(earliest), warnings }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recovery(snapshot: Option<Offset>, replay_from: Offset, live_from: Offset, warnings: &[Warning]) -> Recovery {
        Recovery { snapshot, replay_from, live_from, warnings: warnings.to_vec() }
    }

    /// Name, snapshots, committed, earliest; and what is decided.
    type Case<'a> = (&'a str, &'a [Offset], Option<Offset>, Offset, Recovery);

    #[test]
    fn the_table_of_cases() {
        let memory = |from, until| Warning::MemoryGone { from, until };
        let events = |from, until| Warning::EventsGone { from, until };
        let cases: &[Case<'_>] = &[
            ("never committed", &[], None, 0, recovery(None, 0, 0, &[])),
            ("never committed, old records gone", &[], None, 7, recovery(None, 7, 7, &[])),
            ("never committed, snapshots of another life", &[3], None, 0, recovery(None, 0, 0, &[])),
            ("no snapshot yet", &[], Some(20), 0, recovery(None, 0, 20, &[])),
            ("the newest at or before", &[15, 5, 25, 10], Some(20), 0, recovery(Some(15), 15, 20, &[])),
            ("exactly at", &[10, 20], Some(20), 0, recovery(Some(20), 20, 20, &[])),
            ("only newer ones", &[21, 30], Some(20), 0, recovery(None, 0, 20, &[])),
            ("retention behind the snapshot", &[15], Some(20), 15, recovery(Some(15), 15, 20, &[])),
            ("part of the replay gone", &[10], Some(20), 15, recovery(Some(10), 15, 20, &[memory(10, 15)])),
            ("no snapshot, the start gone", &[], Some(20), 15, recovery(None, 15, 20, &[memory(0, 15)])),
            ("unread ones gone", &[20], Some(20), 30, recovery(Some(20), 30, 30, &[events(20, 30)])),
            ("both gone", &[10], Some(20), 30, recovery(Some(10), 30, 30, &[memory(10, 20), events(20, 30)])),
            ("committed at the very start", &[], Some(0), 0, recovery(None, 0, 0, &[])),
        ];
        for (name, snapshots, committed, earliest, expected) in cases {
            assert_eq!(&decide(snapshots, *committed, *earliest), expected, "{name}");
        }
    }

    #[test]
    fn candidates_come_newest_first_and_never_from_the_future() {
        assert_eq!(candidates(&[5, 30, 10, 20, 10], Some(20)), [20, 10, 5]);
        assert_eq!(candidates(&[5], None), [0; 0]);
    }
}
