/// The world's time, handed in by whoever starts the pipeline, so that decisions can be replayed and tested.
pub trait Clock: Send + Sync {
    /// Wall-clock time. Units: microseconds since the epoch.
    fn wall_micros(&self) -> i64;

    /// Time that never goes back, for measuring durations. Units: nanoseconds from an arbitrary start.
    fn monotonic_nanos(&self) -> u64;
}
