use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE};

use super::hosts::Host;
use super::role::{Profile, Role};

/// The level is held constant over slices of this length: fine enough for a smooth day, and cheap.
pub(crate) const SLICE_MICROS: i64 = 5 * MINUTE;

/// Whether a moment lies on Saturday or Sunday (UTC).
fn is_weekend(time: EventTime) -> bool {
    // 1970-01-01 was a Thursday: three days after a Monday.
    (time.0.div_euclid(DAY) + 3).rem_euclid(7) >= 5
}

/// The level of a role at a moment, relative to its mean over a week.
pub(crate) fn level(profile: &Profile, time: EventTime) -> f64 {
    let hour = time.0.rem_euclid(DAY) as f64 / HOUR as f64;
    let day = 1.0 + profile.swing * ((hour - profile.peak_hour) * std::f64::consts::TAU / 24.0).cos();
    let week = if is_weekend(time) { profile.weekend } else { 1.0 };
    day * week * 7.0 / (5.0 + 2.0 * profile.weekend)
}

/// Levels of all roles at a moment, in the order of [`Role::ALL`].
pub(crate) fn levels(time: EventTime) -> [f64; 8] {
    Role::ALL.map(|role| level(role.profile(), time))
}

/// The first moment of the slice that holds `micros`.
pub(crate) fn slice_start(micros: i64) -> i64 {
    micros.div_euclid(SLICE_MICROS) * SLICE_MICROS
}

/// The rhythm of all hosts together.
#[derive(Clone, Debug)]
pub(crate) struct Rhythm {
    /// Weight of each role's hosts; all together make 1.
    role_shares: [f64; 8],
}

impl Rhythm {
    pub(crate) fn new(hosts: &[Host]) -> Self {
        let whole: f64 = hosts.iter().map(|host| host.weight).sum();
        let of = |role| hosts.iter().filter(|host| host.role == role).map(|host| host.weight).sum::<f64>() / whole;
        Self { role_shares: Role::ALL.map(of) }
    }

    /// Level of the slice that begins at `start`, relative to the mean over a week.
    fn slice_level(&self, start: i64) -> f64 {
        levels(EventTime(start)).iter().zip(self.role_shares).map(|(level, share)| level * share).sum()
    }

    /// Seconds at mean level that carry as many events as the stretch from `from` to `to`.
    pub(crate) fn mean_seconds(&self, from: i64, to: i64) -> f64 {
        let mut at = from;
        let mut seconds = 0.0;
        while at < to {
            let slice = slice_start(at);
            let end = (slice + SLICE_MICROS).min(to);
            seconds += self.slice_level(slice) * (end - at) as f64 / 1e6;
            at = end;
        }
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_has_mean_level_one() {
        let week = 7 * DAY;
        for role in Role::ALL {
            let slices = week / SLICE_MICROS;
            let sum: f64 = (0..slices).map(|slice| level(role.profile(), EventTime(slice * SLICE_MICROS))).sum();
            assert!((sum / slices as f64 - 1.0).abs() < 1e-9, "{}", role.name());
        }
    }

    #[test]
    fn weekends_are_told_from_weekdays() {
        let time = |text| EventTime::parse(text).unwrap();
        assert!(is_weekend(time("2026-02-28T12:00:00Z")));
        assert!(is_weekend(time("2026-03-01T12:00:00Z")));
        assert!(!is_weekend(time("2026-03-02T12:00:00Z")));
    }
}
