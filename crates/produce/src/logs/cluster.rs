use std::collections::BTreeSet;

use lapwing_vocabulary::time::SECOND;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A node of data calls the node of names so often, and is told then what to delete or copy.
pub(crate) const HEARTBEAT_MICROS: i64 = 3 * SECOND;

/// The nodes of data, by their number.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    addresses: Vec<String>,
}

impl Cluster {
    pub(crate) fn new(nodes: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut taken = BTreeSet::new();
        let mut addresses = Vec::with_capacity(nodes);
        while addresses.len() < nodes {
            let address = [rng.random_range(250..252_u8), rng.random_range(0..=255), rng.random_range(1..255)];
            if taken.insert(address) {
                addresses.push(format!("10.{}.{}.{}", address[0], address[1], address[2]));
            }
        }
        Self { addresses }
    }

    /// Internet address of a node, without port.
    pub(crate) fn address(&self, node: u16) -> &str {
        &self.addresses[usize::from(node)]
    }

    /// When the node first calls at or after a moment. No two nodes call in the same microsecond.
    pub(crate) fn heartbeat(&self, node: u16, from: i64) -> i64 {
        let phase = i64::from(node) * HEARTBEAT_MICROS / self.addresses.len() as i64;
        from + (phase - from).rem_euclid(HEARTBEAT_MICROS)
    }

    /// A node that is none of `others`, of which there must be fewer than nodes.
    pub(crate) fn another(&self, others: &[u16], rng: &mut ChaCha8Rng) -> u16 {
        loop {
            let node = rng.random_range(0..self.addresses.len() as u32) as u16;
            if !others.contains(&node) {
                return node;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::generator;

    #[test]
    fn nodes_call_every_three_seconds_each_at_its_own_microsecond() {
        let cluster = Cluster::new(1_000, &mut generator(1, 0));
        let from = 1_772_409_600 * SECOND + 17;
        let calls: Vec<i64> = (0..1_000).map(|node| cluster.heartbeat(node, from)).collect();
        assert!(calls.iter().all(|at| (from..from + HEARTBEAT_MICROS).contains(at)));
        assert_eq!(calls.iter().collect::<BTreeSet<_>>().len(), 1_000);
        assert_eq!(cluster.heartbeat(7, calls[7]), calls[7]);
        assert_eq!(cluster.heartbeat(7, calls[7] + 1), calls[7] + HEARTBEAT_MICROS);
    }
}
