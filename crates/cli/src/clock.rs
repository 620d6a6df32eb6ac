use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lapwing_pipeline::clock::Clock;

/// The machine's own clock: the one place where the program reads time or sleeps.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is handed to everything else")]
    fn wall_micros(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that is handed to everything else")]
    fn monotonic_nanos(&self) -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}

impl lapwing_produce::Clock for SystemClock {
    fn now_micros(&self) -> i64 {
        self.wall_micros()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that is handed to everything else")]
    fn sleep(&self, micros: i64) {
        std::thread::sleep(Duration::from_micros(micros.max(0) as u64));
    }
}
