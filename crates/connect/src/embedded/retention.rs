//! What is too old or too much is dropped block by block, from the front, and never the newest block. Age is judged by
//! the records' own timestamps against the newest one of the partition: a partition that nobody writes to keeps what
//! it has, and a replay of history ages as it did at the time.

use lapwing_vocabulary::PortError;
use lapwing_vocabulary::port::TopicLayout;

use super::block_key::BlockKey;
use super::catalog::Head;
use super::store::Blocks;

/// A limit may be exceeded by its sixteenth part, so that blocks are dropped a handful at a time.
const SLACK: i64 = 16;

/// Whether a partition has grown beyond its limits by so much that it is worth dropping blocks.
pub(super) fn is_due(head: &Head, layout: &TopicLayout) -> bool {
    let exceeds = |limit: i64| limit.saturating_add(limit / SLACK);
    let too_large = layout.retention_bytes.is_some_and(|limit| head.bytes as i64 > exceeds(limit));
    let too_old = layout.retention_micros.is_some_and(|limit| head.newest.saturating_sub(head.oldest) > exceeds(limit));
    head.end > head.earliest && (too_large || too_old)
}

/// Whether this block goes, given that it is the oldest one and not the newest.
fn must_go(block: &BlockKey, head: &Head, layout: &TopicLayout) -> bool {
    layout.retention_bytes.is_some_and(|limit| head.bytes as i64 > limit)
        || layout.retention_micros.is_some_and(|limit| head.newest.saturating_sub(block.newest) > limit)
}

/// Chooses the blocks to drop, and moves the head behind them. `stored` are the blocks there are, `fresh` those about to
/// be appended, of which at least the last remains.
pub(super) fn trim(
    head: &mut Head,
    layout: &TopicLayout,
    stored: &mut Blocks<'_>,
    fresh: &[BlockKey],
) -> Result<Vec<BlockKey>, PortError> {
    let mut dropped = Vec::new();
    let mut ahead = stored.next_key()?;
    while let Some(block) = ahead {
        ahead = stored.next_key()?;
        let following = ahead.as_ref().or(fresh.first());
        let Some(following) = following.filter(|_| must_go(&block, head, layout)) else {
            head.oldest = block.newest;
            return Ok(dropped);
        };
        head.bytes = head.bytes.saturating_sub(block.size_bytes());
        head.compacted = head.compacted.saturating_sub(block.size_bytes());
        head.earliest = following.base;
        head.oldest = following.newest;
        dropped.push(block);
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(retention_micros: Option<i64>, retention_bytes: Option<i64>) -> TopicLayout {
        TopicLayout { partitions: 1, replication: None, retention_micros, retention_bytes, compact: false }
    }

    #[test]
    fn limits_are_exceeded_only_beyond_their_slack() {
        let head = Head { end: 9, bytes: 1_062, newest: 1_600, oldest: 0, ..Head::default() };
        assert!(!is_due(&head, &layout(None, Some(1_000))));
        assert!(is_due(&Head { bytes: 1_063, ..head }, &layout(None, Some(1_000))));
        assert!(is_due(&head, &layout(Some(1_500), None)));
        assert!(!is_due(&head, &layout(Some(1_599), None)));
        assert!(!is_due(&head, &layout(None, None)));
    }
}
