use lapwing_vocabulary::time::DAY;

/// How many events there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Volume {
    /// So many per second of event time, on average over a week; the stream ends with its span.
    PerSecond(f64),
    /// So many altogether, exactly; about evenly rated over the span, rhythms aside.
    Total(u64),
}

impl Volume {
    /// What is wrong with it over a span of so many microseconds, as rows of [`refuse_first`].
    ///
    /// [`refuse_first`]: crate::error::refuse_first
    pub(crate) fn faults(self, span_micros: i64) -> [(bool, &'static str, &'static str); 2] {
        let rate_is_sound = match self {
            Self::PerSecond(rate) => rate.is_finite() && rate > 0.0,
            Self::Total(_) => true,
        };
        let total_is_bounded = matches!(self, Self::PerSecond(_)) || span_micros <= 400 * DAY;
        [
            (!rate_is_sound, "events per second", "give a positive number"),
            (!total_is_bounded, "span", "a total number of events needs a span of at most 400 days"),
        ]
    }

    /// Ordinary events per second at mean level, such that they and the anomalous ones, a `share` of all after `turn`,
    /// make this volume. `mean_seconds` weighs a stretch of time by its rhythm.
    pub(crate) fn ordinary_per_second(
        self,
        share: f64,
        [start, turn, end]: [i64; 3],
        mean_seconds: &dyn Fn(i64, i64) -> f64,
    ) -> f64 {
        match self {
            Self::PerSecond(rate) => rate * (1.0 - share),
            Self::Total(total) => {
                let quiet = mean_seconds(start, turn);
                let rest = mean_seconds(turn, end) / (1.0 - share);
                total.max(1) as f64 / (quiet + rest)
            }
        }
    }
}
