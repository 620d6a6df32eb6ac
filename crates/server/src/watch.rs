use crate::overview::{Overview, RaisedAlert};

/// What the server asks of a running pipeline. Every call must return within milliseconds: copy figures out of a lock,
/// never wait for the hot loop.
pub trait Watch: Send + Sync {
    /// How the run stands now.
    fn overview(&self) -> Overview;

    /// The newest alerts, newest first, at most `limit`.
    fn alerts(&self, limit: usize) -> Vec<RaisedAlert>;

    /// Every metric as OpenMetrics text, `# EOF` included.
    fn metrics(&self) -> String;

    /// Whether records are being consumed. Errors: one sentence that says what is awaited.
    fn ready(&self) -> Result<(), String>;
}
