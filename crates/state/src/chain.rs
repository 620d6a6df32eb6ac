//! Chains: a full snapshot, and snapshots of what changed since the one before. All here is decisions.

use lapwing_vocabulary::Offset;

use crate::frozen::Kind;

/// Most snapshots of changes upon a full one: what a restart has to read one after the other.
const LINKS_MAX: u16 = 20;
/// A chain ends when its changes have more than this part of the bytes of its full snapshot.
const DELTA_BYTES_PART: u64 = 2;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Length of the file.
    pub bytes: u64,
    /// Checksum at its end, by which the next link of the chain knows it.
    pub checksum: u32,
}

/// What the next snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// A full one, which begins a chain.
    Full,
    /// One of changes.
    Delta {
        /// Offset of the full snapshot that its chain begins with.
        base: Offset,
        /// Its number in the chain, from 1.
        link: u16,
        /// Checksum of the link before.
        previous: u32,
    },
}

impl Plan {
    /// How tables are to be frozen for it.
    pub fn kind(self) -> Kind {
        match self {
            Self::Full => Kind::Full,
            Self::Delta { .. } => Kind::Delta,
        }
    }
}

/// The chain that was written last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    base: Offset,
    newest: Offset,
    link: u16,
    checksum: u32,
    full_bytes: u64,
    delta_bytes: u64,
}

impl Chain {
    /// The chain after one more snapshot was written. `before` is the chain that `plan` was made for.
    pub fn after(before: Option<&Self>, plan: Plan, offset: Offset, written: Written) -> Self {
        let Written { bytes, checksum } = written;
        match (before, plan) {
            (Some(before), Plan::Delta { link, .. }) => {
                Self { newest: offset, link, checksum, delta_bytes: before.delta_bytes + bytes, ..*before }
            }
            _ => Self { base: offset, newest: offset, link: 0, checksum, full_bytes: bytes, delta_bytes: 0 },
        }
    }
}

/// Decides what the next snapshot, at `offset`, is. `chain` is the one written last, `None` if there is none or its
/// last write failed: what has changed since is not known then.
pub fn plan_snapshot(chain: Option<&Chain>, offset: Offset) -> Plan {
    match chain {
        Some(chain)
            if offset >= chain.newest
                && chain.link < LINKS_MAX
                && chain.delta_bytes.saturating_mul(DELTA_BYTES_PART) <= chain.full_bytes =>
        {
            Plan::Delta { base: chain.base, link: chain.link + 1, previous: chain.checksum }
        }
        _ => Plan::Full,
    }
}

/// A snapshot as its file's name tells it. Ordered by age: later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// First offset not contained.
    pub offset: Offset,
    /// Offset of the full snapshot that its chain begins with.
    pub base: Offset,
    /// Number in the chain, 0 for a full snapshot.
    pub link: u16,
}

impl Link {
    /// A full snapshot.
    pub fn full(offset: Offset) -> Self {
        Self { offset, base: offset, link: 0 }
    }

    /// What a plan makes at `offset`.
    pub fn planned(plan: Plan, offset: Offset) -> Self {
        match plan {
            Plan::Full => Self::full(offset),
            Plan::Delta { base, link, .. } => Self { offset, base, link },
        }
    }
}

/// The links to read for `newest`, the full one first; `Err` is the number of one that is missing.
pub fn chain_of(links: &[Link], newest: Link) -> Result<Vec<Link>, u16> {
    let mut chain = vec![newest];
    let mut until = newest.offset;
    for number in (0..newest.link).rev() {
        let before =
            links.iter().filter(|link| (link.base, link.link) == (newest.base, number) && link.offset <= until);
        let before = before.max().ok_or(number)?;
        until = before.offset;
        chain.push(*before);
    }
    chain.reverse();
    Ok(chain)
}

/// The snapshots that may go once the one at `current` is written, in the order of removal: all but the chain of
/// `current` and the one before it. A snapshot of changes goes before the one that it continues.
pub fn obsolete(links: &[Link], current: Link) -> Vec<Link> {
    let mut bases: Vec<Offset> =
        links.iter().filter(|link| link.link == 0 && link.base < current.base).map(|link| link.base).collect();
    bases.sort_unstable();
    let kept_from = bases.last().copied().unwrap_or(current.base);
    let has_base = |link: &Link| link.base == current.base || bases.contains(&link.base);
    // What is beyond `current` is another's, or of another time, and left alone.
    let ours = links.iter().filter(|link| link.base <= current.base);
    let mut gone: Vec<Link> = ours.filter(|link| link.base < kept_from || !has_base(link)).copied().collect();
    gone.sort_unstable_by_key(|link| (link.base, std::cmp::Reverse(link.link), link.offset));
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(base: Offset, link: u16, offset: Offset) -> Link {
        Link { offset, base, link }
    }

    fn chain(full_bytes: u64, deltas: &[u64]) -> Chain {
        let written = |bytes| Written { bytes, checksum: bytes as u32 };
        let mut chain = Chain::after(None, Plan::Full, 100, written(full_bytes));
        for (number, bytes) in deltas.iter().enumerate() {
            let plan = Plan::Delta { base: 100, link: number as u16 + 1, previous: 0 };
            chain = Chain::after(Some(&chain), plan, 101 + number as Offset, written(*bytes));
        }
        chain
    }

    #[test]
    fn first_a_full_one_then_changes_until_they_are_half_of_it_or_twenty() {
        let delta = |link, previous| Plan::Delta { base: 100, link, previous };
        let cases: &[(&str, Option<Chain>, Offset, Plan)] = &[
            ("nothing yet, or the last write failed", None, 100, Plan::Full),
            ("after a full one", Some(chain(1000, &[])), 200, delta(1, 1000)),
            ("at the same position again", Some(chain(1000, &[])), 100, delta(1, 1000)),
            ("before the newest", Some(chain(1000, &[1])), 100, Plan::Full),
            ("half of it exactly", Some(chain(1000, &[400, 100])), 200, delta(3, 100)),
            ("more than half of it", Some(chain(1000, &[400, 101])), 200, Plan::Full),
            ("the twentieth", Some(chain(1000, &[1; 19])), 200, delta(20, 1)),
            ("twenty already", Some(chain(1000, &[1; 20])), 200, Plan::Full),
        ];
        for (name, chain, offset, expected) in cases {
            assert_eq!(plan_snapshot(chain.as_ref(), *offset), *expected, "{name}");
        }
    }

    #[test]
    fn a_chain_is_found_link_by_link_down_to_its_full_one() {
        let links = [link(10, 0, 10), link(10, 1, 14), link(10, 1, 18), link(10, 2, 16), link(30, 1, 31)];
        assert_eq!(chain_of(&links, links[0]), Ok(vec![links[0]]));
        assert_eq!(chain_of(&links, links[3]), Ok(vec![links[0], links[1], links[3]]), "18 is later than 16");
        assert_eq!(chain_of(&links, links[4]), Err(0));
        assert_eq!(chain_of(&links, link(10, 4, 40)), Err(3));
    }

    #[test]
    fn cleaning_keeps_two_chains_whole_and_never_a_change_without_its_base() {
        let links =
            [link(10, 0, 10), link(10, 1, 12), link(10, 2, 14), link(20, 0, 20), link(20, 1, 22), link(25, 1, 27)];
        let of = |current| obsolete(&links, current);
        assert_eq!(of(link(30, 0, 30)), [links[2], links[1], links[0], links[5]], "20 stays beside 30");
        assert_eq!(of(links[4]), [], "10 stays beside 20, and 25 is beyond");
        assert_eq!(of(links[0]), []);
    }
}
