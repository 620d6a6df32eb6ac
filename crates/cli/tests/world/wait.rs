use std::time::Duration;

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Looks until there is an answer; fails after `limit`.
pub(crate) fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(waited < limit, "waited {limit:?} in vain: {what}");
        pause();
        waited += LOOK_EVERY;
    }
}

/// Another process gives no other sign than what it shows when it is looked at.
#[expect(clippy::disallowed_methods, reason = "the one place where a test waits for another process")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}
