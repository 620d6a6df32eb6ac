use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lapwing_vocabulary::EventTime;

use crate::failure::Failure;

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

/// Looks at a condition until it gives an answer, an error, or the limit has passed: then `None`. Other processes give no
/// other sign than what they show when looked at.
pub(crate) fn until<T>(
    limit: Duration,
    every: Duration,
    mut look: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<Option<T>, Failure> {
    let begun = elapsed();
    loop {
        if let Some(answer) = look()? {
            return Ok(Some(answer));
        }
        if elapsed() - begun >= limit {
            return Ok(None);
        }
        // Nothing can wake this thread; it is parked for the bounded time between two looks.
        std::thread::park_timeout(every);
    }
}
