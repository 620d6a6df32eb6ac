//! Seeded logs of a cluster file system, in the manner of the Hadoop Distributed File System of 2008: raw lines, no
//! JSON. Jobs write files, files are cut into blocks, and each block has a life: allocated, received by three nodes,
//! stored, at times copied, read, verified, and deleted together with the other files of its job. The lives of
//! thousands of blocks interleave; now and then one of six things goes wrong with one. The same options give the same
//! bytes; a line takes some 140 bytes.
//!
//! A raw line carries no label. What each block truly is comes aside: as the label of each record, and as rows of
//! `Labelled`. Times are of seconds, as in such logs; lines of one second lie in the order of their microseconds.
//!
//! The messages are those of Xu, Huang, Fox, Patterson, Jordan 2009, "Detecting large-scale system problems by mining
//! console logs", under the numbers E1 to E29 that He, Zhu, He, Lyu 2016, "Experience report: system log analysis for
//! anomaly detection", gave them. The cluster, its rates and its failures are made up here.

/// Every message, its number and its words.
mod message;
/// The nodes and their heartbeats.
mod cluster;
/// Who writes files, and when they are deleted.
mod job;
/// A block and what is still to come of its life.
mod block;
/// What befalls a block in the ordinary way.
mod life;
/// What can go wrong with a block.
mod anomaly;
/// How it goes wrong.
mod failure;
/// How a line is written.
mod line;
/// Settings of the scenario.
mod options;
/// The iterator of records.
mod scenario;
/// What each block truly is, as rows of a file.
mod labels;

pub use anomaly::AnomalyKind;
pub use labels::{LABELS_HEADER, Labelled};
pub use options::{AnomalyOptions, LogsOptions, Records};
pub use scenario::Logs;
