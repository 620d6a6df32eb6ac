//! Apache Kafka: the source and sink of a pipeline that runs on a cluster, through librdkafka.
//!
//! Exactly once rests on three things. Outputs and consumed positions go out in one Kafka transaction; the positions
//! carry the group's generation, so a worker that lost its partitions cannot commit for them; and readers see only
//! committed records. The properties that these three need cannot be changed (`options`).
//!
//! At least once, where that is chosen, needs no transaction: outputs go out through an idempotent producer, and the
//! positions are committed once the brokers have acknowledged every output. A commit then waits for two answers instead
//! of five, and outputs are readable at once; after a crash those of one epoch per worker may be repeated.
//!
//! A partition is delivered only between the worker's `resume` and its `release`. Taking over is therefore split in
//! two: the group's assignment is acknowledged at once with an empty list, and each partition is handed to librdkafka
//! with its own starting offset when the worker resumes it. Giving up is deferred: librdkafka holds all fetching and
//! the whole rebalance until `release` acknowledges the revocation, which its event interface allows at any time
//! after the event ("Event based" rebalancing, `rdkafka.h`). A lost assignment is acknowledged at once: there is
//! nothing left to commit.

/// What the caller decides, and the client properties that follow from it.
mod options;
/// Time limits, and the only clock.
mod patience;
/// What an error of the client means, and what the caller does next.
mod fault;
/// Callbacks of librdkafka: its log, changes of assignment, undelivered records.
mod context;
/// The few calls that librdkafka has and its Rust wrapper lacks.
mod native;
/// Waiting for a broker and a topic to be there.
mod reach;
/// The topics that are read, and their partitions as one list of lanes.
mod subscribed;
/// Which partitions this worker holds, and how far each has been read.
mod holdings;
/// Records fetched but not yet handed out, by partition.
mod inbox;
/// Appending outside any transaction.
mod producer;
/// The transactional producer: one epoch, all or none.
mod transaction;
/// Writing an epoch exactly once, or at least once.
mod outbox;
/// One worker's consumer and producer as a [`Transport`](lapwing_vocabulary::Transport).
mod transport;
/// Making, describing and reading topics.
mod topics;

pub use options::{KafkaConnection, KafkaOptions};
pub use producer::KafkaProducer;
pub use topics::KafkaTopics;
pub use transport::KafkaTransport;
