use std::fmt;

use lapwing_vocabulary::Offset;

use crate::chain::{Link, chain_of};

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
    /// Nothing is gone yet, but the oldest record that a restart would need is soon dropped.
    RetentionNear {
        /// Offset of the newest snapshot, where a replay would begin.
        snapshot: Offset,
        /// First record that exists.
        earliest: Offset,
        /// The offset after the last.
        end: Offset,
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
            Self::RetentionNear { snapshot, earliest, end } => write!(
                f,
                "the newest snapshot is at record {snapshot}, and of records {earliest} to {end} the oldest are being \
                 dropped; a restart may soon find records gone that it needs; take snapshots more often, or keep \
                 records longer"
            ),
        }
    }
}

/// A snapshot that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The snapshot.
    pub newest: Link,
    /// What has to be read for it, the full snapshot first; `Err` is the number of the link that is missing.
    pub chain: Result<Vec<Link>, u16>,
}

/// Snapshots that may be used, newest first: those at or before the committed position. A newer one holds events
/// whose outputs were never committed: they would be missing from the alerts, and counted twice in the memory.
pub fn candidates(links: &[Link], committed: Option<Offset>) -> Vec<Candidate> {
    let Some(committed) = committed else { return Vec::new() };
    let mut usable: Vec<Link> = links.iter().copied().filter(|link| link.offset <= committed).collect();
    usable.sort_unstable_by(|a, b| b.cmp(a));
    usable.dedup();
    usable.into_iter().map(|newest| Candidate { newest, chain: chain_of(links, newest) }).collect()
}

/// Decides where to start. `snapshots` are those that exist, in any order; `committed` is the first offset not yet
/// processed; `earliest` the first that still exists.
pub fn decide(snapshots: &[Offset], committed: Option<Offset>, earliest: Offset) -> Recovery {
    let Some(committed) = committed else {
        return Recovery { snapshot: None, replay_from: earliest, live_from: earliest, warnings: Vec::new() };
    };
    let snapshot = snapshots.iter().copied().filter(|offset| *offset <= committed).max();
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

/// Part of the records that exist, in hundredths, below which the distance to retention is told.
const RETENTION_MARGIN_HUNDREDTHS: i128 = 10;

/// Warns if retention is about to drop records, or has dropped some, that a restart would need now. `snapshot` is the
/// offset of the newest snapshot; `earliest` the first record that exists, `end` the one after the last.
pub fn retention_risk(snapshot: Offset, earliest: Offset, end: Offset) -> Option<Warning> {
    if snapshot < earliest {
        return Some(Warning::MemoryGone { from: snapshot, until: earliest });
    }
    let (left, kept) = (i128::from(snapshot) - i128::from(earliest), i128::from(end) - i128::from(earliest));
    // As long as the first record ever exists, nothing says that retention drops any. With nothing to replay a drop
    // does no harm.
    let near = earliest > 0 && snapshot < end && left * 100 < kept * RETENTION_MARGIN_HUNDREDTHS;
    near.then_some(Warning::RetentionNear { snapshot, earliest, end })
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
    fn candidates_come_newest_first_with_their_chains_and_never_from_the_future() {
        let link = |base, link, offset| Link { offset, base, link };
        let links = [
            Link::full(5),
            Link::full(30),
            Link::full(10),
            link(10, 1, 15),
            link(10, 2, 20),
            link(10, 3, 25),
            Link::full(20),
            link(7, 2, 12),
        ];
        let expected: &[(Link, Result<&[Link], u16>)] = &[
            (links[6], Ok(&links[6..7])),
            (links[4], Ok(&links[2..5])),
            (links[3], Ok(&links[2..4])),
            (links[7], Err(1)),
            (links[2], Ok(&links[2..3])),
            (links[0], Ok(&links[..1])),
        ];
        let found = candidates(&links, Some(20));
        let found: Vec<_> = found.iter().map(|c| (c.newest, c.chain.as_deref().map_err(|link| *link))).collect();
        assert_eq!(found, expected);
        assert_eq!(candidates(&links, None), []);
    }

    #[test]
    fn retention_is_told_before_it_overtakes_the_newest_snapshot() {
        let near = |snapshot, earliest, end| Some(Warning::RetentionNear { snapshot, earliest, end });
        let cases: &[(&str, Offset, Offset, Offset, Option<Warning>)] = &[
            ("far behind it", 900, 100, 1100, None),
            ("just far enough", 200, 100, 1100, None),
            ("close", 199, 100, 1100, near(199, 100, 1100)),
            ("at it", 100, 100, 1100, near(100, 100, 1100)),
            ("passed", 99, 100, 1100, Some(Warning::MemoryGone { from: 99, until: 100 })),
            ("nothing was ever dropped", 0, 0, 1000, None),
            ("nothing to replay", 100, 100, 100, None),
            (
                "any numbers",
                i64::MIN,
                i64::MAX,
                i64::MAX,
                Some(Warning::MemoryGone { from: i64::MIN, until: i64::MAX }),
            ),
        ];
        for (name, snapshot, earliest, end, expected) in cases {
            assert_eq!(retention_risk(*snapshot, *earliest, *end), *expected, "{name}");
        }
    }
}
