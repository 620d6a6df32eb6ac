//! A world in which the real [`lapwing_pipeline::worker::Worker`] runs under every fault that its ports allow.
//!
//! One seed is one story: a source log is drawn, processes start, die, stop and are cut off, partitions move between
//! them, commits are refused or their answers lost, clocks leap, snapshots are damaged, tables and models change. Then
//! all faults stop, the rest is worked off, and the outputs must be those of a run in which nothing happened: nothing
//! lost, nothing doubled, the same bytes. The same seed always tells the same story.

/// Seeded draws.
pub mod chance;
/// Which faults a story has.
pub mod weather;
/// Faults planted on purpose, to check the checks.
pub mod flaw;
/// What lies in the source, and what must become of it.
pub mod source;
/// The disk that processes share.
pub mod disk;
/// The pipelines that stories run.
pub mod pipelines;
/// The broker: records, claims, positions, outputs.
pub mod log;
/// What a worker believes it holds.
pub mod membership;
/// All of it behind one lock.
pub mod world;
/// The world as a worker's transport.
pub mod transport;
/// One story, turn by turn.
pub mod story;
/// The laws that every story must keep.
pub mod check;
/// The same where outputs follow from more than records: told again with the markers that were committed.
pub mod retold;
/// Many stories, in several threads.
pub mod many;
