//! The commands one by one: what they answer, and what they say when something is wrong.

/// What the tests of the binary share.
#[path = "../world/mod.rs"]
mod world;
/// Answers and refusals of `check`, and what must be there before a run.
mod checking;
/// `evaluate`.
mod evaluating;
/// `produce` and `topics`.
mod producing;
/// `score`, and a pipeline on files.
mod scoring;
/// `state` and `watermark`.
mod state;
/// Records that cannot be used.
mod strange_input;
/// A disk without space.
mod space;
