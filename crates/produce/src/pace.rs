use crate::error::ProduceError;

/// Credit is counted in billionths of an event: a thousandth of an event per second, times a microsecond.
const EVENT: u128 = 1_000_000_000;
/// Rates beyond this are no limit at all, and would overflow the count. Units: events per second.
const RATE_MAX: f64 = 1e12;

/// A token bucket: events may go at a steady rate, after a pause at most a burst at once. Pure: time is handed in,
/// and counted exactly, so over any stretch no more than rate × time + burst events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    rate_milli: u128,
    burst: u64,

    credit: u128,
    last_micros: Option<i64>,
}

impl TokenBucket {
    /// A bucket that starts empty. `rate` is in events per second, kept to a thousandth; `burst` is the most that may
    /// go at once, at least 1. Errors: `Option`.
    pub fn new(rate: f64, burst: u64) -> Result<Self, ProduceError> {
        let fault = |option, problem: &str| Err(ProduceError::Option { option, problem: problem.to_owned() });
        if !(0.001..=RATE_MAX).contains(&rate) {
            return fault("rate", "give 0.001 to 1e12 events per second, or leave it out for no limit");
        }
        if burst == 0 {
            return fault("burst", "give at least 1");
        }
        Ok(Self { rate_milli: (rate * 1e3).round() as u128, burst, credit: 0, last_micros: None })
    }

    /// A bucket whose burst is what accrues in 50 ms: short enough to look steady, long enough not to wake for each
    /// event. Errors: `Option`.
    pub fn steady(rate: f64) -> Result<Self, ProduceError> {
        Self::new(rate, (rate / 20.0).clamp(1.0, RATE_MAX) as u64)
    }

    /// The most that may go at once.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// How many events may go now. The first call starts the count; a clock that went backwards adds nothing.
    pub fn available(&mut self, now_micros: i64) -> u64 {
        let last = self.last_micros.replace(now_micros).unwrap_or(now_micros);
        let elapsed = u128::from(now_micros.saturating_sub(last).max(0).unsigned_abs());
        let full = u128::from(self.burst) * EVENT;
        self.credit = self.credit.saturating_add(elapsed.saturating_mul(self.rate_milli)).min(full);
        (self.credit / EVENT) as u64
    }

    /// Pays for events that go; more than available is cut to what is there.
    pub fn take(&mut self, events: u64) {
        self.credit = self.credit.saturating_sub(u128::from(events) * EVENT);
    }

    /// How long from the last call of [`TokenBucket::available`] until `events` may go; 0 if they may already. More
    /// than a burst is taken as a burst. Units: microseconds.
    pub fn wait_micros(&self, events: u64) -> i64 {
        let wanted = u128::from(events.min(self.burst)) * EVENT;
        let wait = wanted.saturating_sub(self.credit).div_ceil(self.rate_milli);
        i64::try_from(wait).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_that_is_asked_often_or_seldom_gives_exactly_the_rate() {
        for step in [1, 7, 333, 10_000] {
            let mut bucket = TokenBucket::new(1234.567, 1_000).unwrap();
            let mut gone = 0;
            let mut now = 5_000_000;
            bucket.available(now);
            while now < 15_000_000 {
                now += step;
                let events = bucket.available(now);
                bucket.take(events);
                gone += events;
            }
            let expected = (now - 5_000_000) as u128 * 1_234_567 / EVENT;
            assert_eq!(u128::from(gone), expected, "step {step}");
        }
    }

    #[test]
    fn the_wait_ends_at_the_very_microsecond() {
        let mut bucket = TokenBucket::new(3.0, 10).unwrap();
        assert_eq!(bucket.available(0), 0);
        let wait = bucket.wait_micros(2);
        assert_eq!(wait, 666_667);
        assert_eq!(bucket.clone().available(wait - 1), 1);
        assert_eq!(bucket.available(wait), 2);
        assert_eq!(bucket.wait_micros(2), 0);
    }

    #[test]
    fn a_pause_saves_up_a_burst_and_no_more() {
        let mut bucket = TokenBucket::new(1000.0, 50).unwrap();
        bucket.available(0);
        assert_eq!(bucket.available(60_000_000), 50);
        bucket.take(50);
        assert_eq!(bucket.available(i64::MAX), 50);
    }

    #[test]
    fn a_clock_that_goes_backwards_adds_nothing() {
        let mut bucket = TokenBucket::new(1000.0, 50).unwrap();
        bucket.available(10_000);
        assert_eq!(bucket.available(0), 0);
        assert_eq!(bucket.available(5_000), 5);
    }

    #[test]
    fn senseless_rates_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(TokenBucket::new(rate, 1), Err(ProduceError::Option { option: "rate", .. })));
        }
        assert!(matches!(TokenBucket::new(1.0, 0), Err(ProduceError::Option { option: "burst", .. })));
    }
}
