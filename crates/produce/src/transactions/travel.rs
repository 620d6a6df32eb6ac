use lapwing_vocabulary::time::{DAY, HOUR};
use rand::Rng;

use super::customer::Customer;
use super::place::CITIES;
use crate::chance::{generator, one_of};

/// Streams of the generator from here on are those of journeys: one per customer and period.
const FIRST_STREAM: u64 = 1 << 56;
/// Customers are at most 2²⁴, so that number of period and customer share a stream's number.
const CUSTOMER_BITS: u32 = 24;
/// A customer has at most one journey in so long a time.
const PERIOD_MICROS: i64 = 45 * DAY;
/// Longest journey.
const JOURNEY_DAYS_MAX: i64 = 10;
/// Share of journeys within the customer's country.
const NEAR_SHARE: f64 = 0.4;
/// How fast people travel, door to door once under way. Units: kilometres per hour.
const CRUISE: f64 = 600.0;

/// Where a customer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// In this city.
    In(usize),
    /// Between two cities, and paying nothing.
    UnderWay,
}

/// A stay in another city.
#[derive(Clone, Copy, Debug)]
struct Journey {
    city: usize,
    leave: i64,
    arrive: i64,
    depart: i64,
    back: i64,
}

/// Who travels when: follows from seed, customer and time alone, and remembers each customer's latest period.
#[derive(Clone, Debug)]
pub(crate) struct Travel {
    seed: u64,
    start: i64,
    latest: Vec<(i64, Option<Journey>)>,
}

impl Travel {
    pub(crate) fn new(seed: u64, start: i64, customers: usize) -> Self {
        Self { seed, start, latest: vec![(-1, None); customers] }
    }

    pub(crate) fn whereabouts(&mut self, customers: &[Customer], number: usize, time: i64) -> Whereabouts {
        let customer = &customers[number];
        let period = time.saturating_sub(self.start) / PERIOD_MICROS;
        if self.latest[number].0 != period {
            self.latest[number] = (period, self.journey(customer, number, period));
        }
        match self.latest[number].1 {
            Some(journey) if (journey.arrive..journey.depart).contains(&time) => Whereabouts::In(journey.city),
            Some(journey) if (journey.leave..journey.back).contains(&time) => Whereabouts::UnderWay,
            _ => Whereabouts::In(customer.city),
        }
    }

    /// The journey of a period, if there is one; it ends before the period does.
    fn journey(&self, customer: &Customer, number: usize, period: i64) -> Option<Journey> {
        let stream = FIRST_STREAM + ((period as u64) << CUSTOMER_BITS) + number as u64;
        let rng = &mut generator(self.seed, stream);
        if rng.random::<f64>() >= customer.wanderlust {
            return None;
        }
        let is_near = rng.random::<f64>() < NEAR_SHARE;
        let home = &CITIES[customer.city];
        let fits = |city: &usize| *city != customer.city && (CITIES[*city].country == home.country) == is_near;
        let cities: Vec<usize> = (0..CITIES.len()).filter(fits).collect();
        let city = *one_of(rng, &cities);
        let way = HOUR + (home.point.distance(CITIES[city].point) / CRUISE * HOUR as f64) as i64;
        let stay = rng.random_range(DAY..=JOURNEY_DAYS_MAX * DAY);
        let leave = self.start + period * PERIOD_MICROS + rng.random_range(0..PERIOD_MICROS - stay - 2 * way);
        let (arrive, depart) = (leave + way, leave + way + stay);
        Some(Journey { city, leave, arrive, depart, back: depart + way })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transactions::terminal::Terminals;

    #[test]
    fn journeys_take_their_time_and_lead_home() {
        let terminals = Terminals::new(1, 300);
        let customers: Vec<Customer> = (0..50).map(|number| Customer::new(1, number, &terminals)).collect();
        let mut travel = Travel::new(1, 0, customers.len());
        let mut journeys = 0;
        for number in 0..customers.len() {
            let mut before = Whereabouts::In(customers[number].city);
            for hour in 0..200 * 24 {
                let now = travel.whereabouts(&customers, number, hour * HOUR);
                let is_leap = matches!((before, now), (Whereabouts::In(one), Whereabouts::In(other)) if one != other);
                assert!(!is_leap, "customer {number} hour {hour}");
                journeys += usize::from(before != now && now == Whereabouts::UnderWay);
                before = now;
            }
        }
        // Five periods of fifty customers, of which somewhat less than half have a journey, there and back.
        assert!((120..350).contains(&journeys), "{journeys}");
    }
}
