use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lapwing_vocabulary::EventTime;

/// Time since the program first asked.
#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
pub(crate) fn elapsed() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "names of topics and the date of a result need it")]
pub(crate) fn wall() -> EventTime {
    EventTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64))
}

/// Waits. Other processes give no other sign than what they show when looked at.
#[expect(clippy::disallowed_methods, reason = "the one place that waits for other processes")]
pub(crate) fn pause(wait: Duration) {
    std::thread::sleep(wait);
}
