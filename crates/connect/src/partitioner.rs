//! Which partition a record goes to. The rule for keys is that of Kafka's default partitioner, so that a topic moved
//! between the embedded log and Kafka keeps every key where it was.

use lapwing_vocabulary::{Partition, PortError};

/// Returns the partition that a key belongs to, in a topic of `partitions` partitions.
/// Source: Apache Kafka, `BuiltInPartitioner.partitionForKey`: the positive murmur2 of the key, modulo the count.
pub fn partition_of_key(key: &[u8], partitions: i32) -> Partition {
    let count = partitions.max(1) as u32;
    ((murmur2(key) & 0x7fff_ffff) % count) as Partition
}

/// The text for a record that names a partition its topic does not have.
pub(crate) fn no_partition(topic: &str, partition: Partition, partitions: Option<i32>) -> PortError {
    let there_are = match partitions {
        Some(1) => ", only 0".to_owned(),
        Some(count) if count > 1 => format!(", only 0 to {}", count - 1),
        _ => String::new(),
    };
    PortError::Operator(format!(
        "write to topic `{topic}`: it has no partition {partition}{there_are}: it needs as many partitions as the topic \
         it goes with; add them, or remove it and create it anew with `lapwing topics create PIPELINE`"
    ))
}

/// The hash that Kafka's clients partition by.
/// Source: Austin Appleby's MurmurHash2 (32 bits) with the seed of Apache Kafka's `Utils.murmur2`.
pub fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ bytes.len() as u32;
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_kafkas() {
        // Expected values: Apache Kafka, `UtilsTest.testMurmur2`.
        let cases: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, expected) in cases {
            assert_eq!(murmur2(key.as_bytes()) as i32, expected, "{key}");
        }
    }

    #[test]
    fn a_key_stays_within_the_partitions_of_its_topic() {
        for key in ["", "a", "host-1", "host-2"] {
            assert!((0..3).contains(&partition_of_key(key.as_bytes(), 3)));
            assert_eq!(partition_of_key(key.as_bytes(), 1), 0);
        }
    }
}
