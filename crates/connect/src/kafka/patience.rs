use std::time::{Duration, Instant};

/// Longest that one blocking call of the client may take: after it, the caller gets to say that it still waits.
pub(super) const CALL_MAX: Duration = Duration::from_secs(3);

/// A moment until which something may be tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    at: Instant,
    span: Duration,
}

impl Deadline {
    /// The moment `span` from now.
    pub(super) fn after(span: Duration) -> Self {
        Self { at: now() + span, span }
    }

    /// What is left, zero when it has passed.
    pub(super) fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(now())
    }

    /// Whether nothing is left.
    pub(super) fn passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// What one call may take: the rest, but not longer than [`CALL_MAX`].
    pub(super) fn for_one_call(&self) -> Duration {
        self.remaining().clamp(Duration::from_millis(1), CALL_MAX)
    }

    /// The whole time it was set to, for messages.
    pub(super) fn span(&self) -> Duration {
        self.span
    }
}

#[expect(clippy::disallowed_methods, reason = "network waits are bounded by real time; no result depends on it")]
fn now() -> Instant {
    Instant::now()
}

/// Lets `span` pass between two attempts; may return early.
pub(super) fn pause(span: Duration) {
    std::thread::park_timeout(span);
}
