use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE};

/// Levels are held constant over slices of this length: fine enough for a smooth day, and cheap.
pub(crate) const SLICE_MICROS: i64 = 5 * MINUTE;

/// The first moment of the slice that holds `micros`.
pub(crate) fn slice_start(micros: i64) -> i64 {
    micros.div_euclid(SLICE_MICROS) * SLICE_MICROS
}

/// Whether a moment lies on Saturday or Sunday (UTC).
fn is_weekend(time: EventTime) -> bool {
    // 1970-01-01 was a Thursday: three days after a Monday.
    (time.0.div_euclid(DAY) + 3).rem_euclid(7) >= 5
}

/// A level that swings once a day by up to `swing`, highest at `peak_hour`, and is `weekend` times as high at weekends;
/// 1 on average over a week.
pub(crate) fn level(time: EventTime, peak_hour: f64, swing: f64, weekend: f64) -> f64 {
    let hour = time.0.rem_euclid(DAY) as f64 / HOUR as f64;
    let day = 1.0 + swing * ((hour - peak_hour) * std::f64::consts::TAU / 24.0).cos();
    let week = if is_weekend(time) { weekend } else { 1.0 };
    day * week * 7.0 / (5.0 + 2.0 * weekend)
}

/// Seconds at level 1 that carry as many events as the stretch from `from` to `to`, where `level` gives the level of the
/// slice that begins at a moment.
pub(crate) fn mean_seconds(level: &dyn Fn(i64) -> f64, from: i64, to: i64) -> f64 {
    let mut at = from;
    let mut seconds = 0.0;
    while at < to {
        let slice = slice_start(at);
        let end = (slice + SLICE_MICROS).min(to);
        seconds += level(slice) * (end - at) as f64 / 1e6;
        at = end;
    }
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekends_are_told_from_weekdays() {
        let time = |text| EventTime::parse(text).unwrap();
        assert!(is_weekend(time("2026-02-28T12:00:00Z")));
        assert!(is_weekend(time("2026-03-01T12:00:00Z")));
        assert!(!is_weekend(time("2026-03-02T12:00:00Z")));
    }

    #[test]
    fn a_stretch_within_a_slice_counts_for_its_part() {
        let twice = |_| 2.0;
        assert!((mean_seconds(&twice, MINUTE, 3 * MINUTE) - 240.0).abs() < 1e-9);
        assert!((mean_seconds(&twice, 0, DAY) - 172_800.0).abs() < 1e-6);
    }
}
