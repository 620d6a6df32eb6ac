//! Snapshots in an object store: S3 and what speaks its protocol, HDFS, or a folder, chosen by a URL.
//!
//! An object appears whole or not at all. On S3 that is so by nature: a small one is one request, and of a large one
//! nothing is there before the request that completes it. What a writer that died had uploaded until then costs money
//! until the bucket's rule for incomplete uploads removes it, but is never listed. On HDFS the client writes under a
//! hidden temporary name and renames.
//!
//! Snapshots are written and read by plain threads, the clients underneath are async: a place has a small runtime of
//! its own, and every call waits for it. So it must not be called from within an async task. Memory is one part of
//! 8 MiB per file that is being read or written. Every request has a time limit and a
//! bounded number of retries.

/// What a URL names.
mod location;
/// Clients for each kind of store.
mod open;
/// What an error of a store means, and what helps.
mod fault;
/// A store, a prefix in it, and the runtime that its client needs.
mod remote;
/// Files in parts: one `Write` and one `Read`.
mod transfer;
/// All of these as a [`SnapshotPlace`](lapwing_state::SnapshotPlace).
mod place;

pub use place::ObjectPlace;
