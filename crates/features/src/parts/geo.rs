//! How far and how fast from place to place.
//!
//! ```text
//! entity  time of the newest place | latitude | longitude, in degrees        NaN: none yet
//! ```

use super::MICROS_PER_SECOND;

/// The mean radius of the earth, (2a + b) / 3 of WGS 84. Units: kilometres. Source: Moritz 1980, R₁.
const EARTH_RADIUS_KM: f64 = 6371.0088;
const SECONDS_PER_HOUR: f64 = 3600.0;

/// Great-circle distance and speed between consecutive places. A latitude beyond ±90 or a longitude beyond ±180 is no
/// place, as is one of which a part is null. Events behind the newest: see [`super`].
#[derive(Clone, Debug)]
pub(crate) struct Geo {
    pub(crate) latitude: usize,
    pub(crate) longitude: usize,
    /// Units: kilometres.
    pub(crate) distance_outputs: Vec<usize>,
    /// Does not exist if no time has passed. Units: kilometres per hour.
    pub(crate) speed_outputs: Vec<usize>,
}

/// A place on earth. Units: degrees.
#[derive(Clone, Copy, Debug)]
struct Place {
    latitude: f64,
    longitude: f64,
}

impl Place {
    fn is_valid(self) -> bool {
        self.latitude.abs() <= 90.0 && self.longitude.abs() <= 180.0
    }

    /// Returns the great-circle distance. Units: kilometres.
    /// Source: Sinnott 1984, "Virtues of the haversine".
    fn distance_km(self, other: Self) -> f64 {
        let half_sine_squared = |degrees: f64| {
            let sine = libm::sin(degrees.to_radians() / 2.0);
            sine * sine
        };
        let across = libm::cos(self.latitude.to_radians()) * libm::cos(other.latitude.to_radians());
        let haversine = half_sine_squared(other.latitude - self.latitude)
            + across * half_sine_squared(other.longitude - self.longitude);
        2.0 * EARTH_RADIUS_KM * libm::asin(haversine.sqrt().min(1.0))
    }
}

impl Geo {
    pub(crate) fn entity_words(&self) -> usize {
        3
    }

    pub(crate) fn group_words(&self) -> usize {
        0
    }

    pub(crate) fn clear(&self, own: &mut [f64], _group: &mut [f64]) {
        own[..self.entity_words()].fill(f64::NAN);
    }

    /// Measures the way from the last place to this event's, then takes it in.
    #[inline]
    pub(crate) fn fold(&self, own: &mut [f64], _group: &mut [f64], time: i64, inputs: &[f64], out: &mut [f64]) {
        let place = Place { latitude: inputs[self.latitude], longitude: inputs[self.longitude] };
        let (mut distance, mut speed) = (f64::NAN, f64::NAN);
        let before = own[0];
        if place.is_valid() && time as f64 >= before {
            let hours = (time as f64 - before) / (MICROS_PER_SECOND * SECONDS_PER_HOUR);
            distance = Place { latitude: own[1], longitude: own[2] }.distance_km(place);
            speed = if hours > 0.0 { distance / hours } else { f64::NAN };
        }
        for output in &self.distance_outputs {
            out[*output] = distance;
        }
        for output in &self.speed_outputs {
            out[*output] = speed;
        }
        if place.is_valid() && (before.is_nan() || time as f64 >= before) {
            own[..3].copy_from_slice(&[time as f64, place.latitude, place.longitude]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::drive::{driver, events, near, wild};
    use super::*;
    use lapwing_vocabulary::time::HOUR;
    use proptest::prelude::*;

    const BERLIN: [f64; 2] = [52.52, 13.405];
    const PARIS: [f64; 2] = [48.8566, 2.3522];

    fn part() -> Geo {
        Geo { latitude: 0, longitude: 1, distance_outputs: vec![0], speed_outputs: vec![1] }
    }

    #[test]
    fn from_berlin_to_paris_are_878_kilometres() {
        let part = part();
        let mut driver = driver!(part, 2);
        assert!(driver.fold(0, &BERLIN).iter().all(|value| value.is_nan()));
        let out = driver.fold(2 * HOUR, &PARIS);
        assert!(near(out[0], 877.5, 0.5), "{out:?}");
        assert!(near(out[1], out[0] / 2.0, 1e-9), "{out:?}");
        let back = driver.fold(2 * HOUR, &BERLIN);
        assert!(near(back[0], out[0], 1e-9) && back[1].is_nan());
    }

    #[test]
    fn a_quarter_and_half_of_a_great_circle_have_their_lengths() {
        let part = part();
        let quarter = std::f64::consts::FRAC_PI_2 * EARTH_RADIUS_KM;
        for (from, to, quarters) in [
            ([0.0, 0.0], [90.0, 33.0], 1.0),
            ([0.0, -179.0], [0.0, 91.0], 1.0),
            ([90.0, 0.0], [-90.0, 0.0], 2.0),
            ([10.0, 180.0], [10.0, -180.0], 0.0),
        ] {
            let mut driver = driver!(part, 2);
            driver.fold(0, &from);
            let out = driver.fold(HOUR, &to);
            assert!(near(out[0], quarters * quarter, 1e-3), "{from:?} {to:?} {out:?}");
        }
    }

    #[test]
    fn what_is_no_place_changes_nothing() {
        let part = part();
        let mut driver = driver!(part, 2);
        driver.fold(0, &BERLIN);
        for bad in [[91.0, 0.0], [0.0, -180.5], [f64::NAN, 0.0], [0.0, f64::INFINITY]] {
            assert!(driver.fold(HOUR, &bad).iter().all(|value| value.is_nan()));
        }
        assert_eq!(driver.own, [0.0, BERLIN[0], BERLIN[1]]);
        assert!(driver.fold(-1, &PARIS)[0].is_nan());
        assert_eq!(driver.own, [0.0, BERLIN[0], BERLIN[1]]);
    }

    /// The slow, obvious twin: the angle between two vectors.
    fn twin(a: [f64; 2], b: [f64; 2]) -> f64 {
        let vector = |[latitude, longitude]: [f64; 2]| {
            let (latitude, longitude) = (latitude.to_radians(), longitude.to_radians());
            [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()]
        };
        let (a, b) = (vector(a), vector(b));
        let chord = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
        2.0 * (chord / 2.0).min(1.0).asin() * EARTH_RADIUS_KM
    }

    proptest! {
        #[test]
        fn it_agrees_with_its_twin(events in events(0.0..1.0_f64, 40, 12)) {
            let part = part();
            let mut driver = driver!(part, 2);
            let mut taken: Option<(i64, [f64; 2])> = None;
            for (time, value) in events {
                let place = [value * 170.0 - 85.0, (value * 1e4).rem_euclid(360.0) - 180.0];
                let out = driver.fold(time, &place);
                if value.is_nan() || taken.is_some_and(|(newest, _)| time < newest) {
                    prop_assert!(out[0].is_nan() && out[1].is_nan());
                    continue;
                }
                let expected = taken.map_or(f64::NAN, |(_, before)| twin(before, place));
                prop_assert!(near(out[0], expected, 1e-3), "{} {expected}", out[0]);
                taken = Some((time, place));
            }
        }

        #[test]
        fn no_way_is_longer_than_half_around_the_earth(events in wild()) {
            let part = part();
            let mut driver = driver!(part, 2);
            for (time, latitude, longitude) in events {
                let out = driver.fold(time, &[latitude % 95.0, longitude % 190.0]);
                prop_assert!(out[0].is_nan() || (0.0..20_015.2).contains(&out[0]));
                prop_assert!(out[1].is_nan() || out[1] >= 0.0);
            }
        }
    }
}
