/// Kilometres of a degree of latitude. Source: a quarter of the meridian is about 10,000 km.
const KILOMETRES_PER_DEGREE: f64 = 111.2;

/// A city of the scenario.
#[derive(Debug)]
pub(crate) struct City {
    pub(crate) country: &'static str,
    pub(crate) currency: &'static str,
    /// Where its middle lies.
    pub(crate) point: Point,
    /// How many live there, relative to others; 0 is abroad, where customers only travel.
    pub(crate) people: u32,
}

/// A point on earth. Units: degrees north, degrees east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

impl Point {
    /// The point so many kilometres to the north and to the east; good enough within a city of these latitudes.
    pub(crate) fn offset(self, north: f64, east: f64) -> Self {
        let parallel = KILOMETRES_PER_DEGREE * self.latitude.to_radians().cos();
        Self { latitude: self.latitude + north / KILOMETRES_PER_DEGREE, longitude: self.longitude + east / parallel }
    }

    /// Great-circle distance by the haversine formula. Units: kilometres.
    pub(crate) fn distance(self, other: Self) -> f64 {
        let half_sine = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
        let parallels = self.latitude.to_radians().cos() * other.latitude.to_radians().cos();
        let chord = half_sine(other.latitude - self.latitude) + parallels * half_sine(other.longitude - self.longitude);
        2.0 * 6_371.0 * chord.sqrt().min(1.0).asin()
    }
}

const fn city(country: &'static str, currency: &'static str, latitude: f64, longitude: f64, people: u32) -> City {
    City { country, currency, point: Point { latitude, longitude }, people }
}

/// The cities: four countries where customers live, and where they travel. Their currencies are worth about the same,
/// so that amounts compare. Positions are those of any atlas.
pub(crate) static CITIES: [City; 20] = [
    city("DE", "EUR", 52.52, 13.40, 5),   // Berlin
    city("DE", "EUR", 53.55, 9.99, 3),    // Hamburg
    city("DE", "EUR", 48.14, 11.58, 3),   // Munich
    city("FR", "EUR", 48.86, 2.35, 5),    // Paris
    city("FR", "EUR", 45.76, 4.84, 2),    // Lyon
    city("FR", "EUR", 43.30, 5.37, 2),    // Marseille
    city("ES", "EUR", 40.42, -3.70, 4),   // Madrid
    city("ES", "EUR", 41.39, 2.17, 3),    // Barcelona
    city("ES", "EUR", 37.39, -5.99, 1),   // Seville
    city("GB", "GBP", 51.51, -0.13, 5),   // London
    city("GB", "GBP", 53.48, -2.24, 2),   // Manchester
    city("GB", "GBP", 55.95, -3.19, 1),   // Edinburgh
    city("IT", "EUR", 41.90, 12.50, 0),   // Rome
    city("CH", "CHF", 47.38, 8.54, 0),    // Zurich
    city("GR", "EUR", 37.98, 23.73, 0),   // Athens
    city("PT", "EUR", 38.72, -9.14, 0),   // Lisbon
    city("FI", "EUR", 60.17, 24.94, 0),   // Helsinki
    city("US", "USD", 40.71, -74.01, 0),  // New York
    city("US", "USD", 25.76, -80.19, 0),  // Miami
    city("US", "USD", 34.05, -118.24, 0), // Los Angeles
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_atlas() {
        // Great-circle distances of the cities' middles, as navigation tables give them.
        for (one, other, kilometres) in [(0, 3, 878.0), (9, 17, 5_570.0), (6, 7, 505.0)] {
            let seen = CITIES[one].point.distance(CITIES[other].point);
            assert!((seen / kilometres - 1.0).abs() < 0.01, "{seen} for {kilometres}");
        }
    }

    #[test]
    fn an_offset_is_as_long_as_it_says() {
        let middle = CITIES[16].point;
        assert!((middle.distance(middle.offset(3.0, 4.0)) - 5.0).abs() < 0.05);
    }
}
