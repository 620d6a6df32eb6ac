use lapwing_vocabulary::EventTime;

use super::hosts::Host;
use super::role::{Profile, Role};
use crate::week::{self, mean_seconds};

/// The level of a role at a moment, relative to its mean over a week.
pub(crate) fn level(profile: &Profile, time: EventTime) -> f64 {
    week::level(time, profile.peak_hour, profile.swing, profile.weekend)
}

/// Levels of all roles at a moment, in the order of [`Role::ALL`].
pub(crate) fn levels(time: EventTime) -> [f64; 8] {
    Role::ALL.map(|role| level(role.profile(), time))
}

/// Weight of each host in the slice of time that begins at `start`.
pub(crate) fn weights(hosts: &[Host], start: i64) -> Vec<f64> {
    let levels = levels(EventTime(start));
    let level = |role| Role::ALL.iter().position(|other| *other == role).map_or(1.0, |place| levels[place]);
    hosts.iter().map(|host| host.weight * level(host.role)).collect()
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
        mean_seconds(&|slice| self.slice_level(slice), from, to)
    }
}

#[cfg(test)]
mod tests {
    use lapwing_vocabulary::time::DAY;

    use super::*;
    use crate::week::SLICE_MICROS;

    #[test]
    fn a_week_has_mean_level_one() {
        let week = 7 * DAY;
        for role in Role::ALL {
            let slices = week / SLICE_MICROS;
            let sum: f64 = (0..slices).map(|slice| level(role.profile(), EventTime(slice * SLICE_MICROS))).sum();
            assert!((sum / slices as f64 - 1.0).abs() < 1e-9, "{}", role.name());
        }
    }
}
