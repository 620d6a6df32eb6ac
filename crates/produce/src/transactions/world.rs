use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::category::Category;
use super::customer::Customer;
use super::place::{CITIES, Point};
use super::terminal::{Terminals, choose};
use crate::chance::log_normal;

/// How far the place of a device that pays online is known. Units: kilometres, each way.
const DEVICE_KILOMETRES: f64 = 3.0;

/// Who there is.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) customers: Vec<Customer>,
    pub(crate) terminals: Terminals,
}

impl World {
    pub(crate) fn new(seed: u64, customers: usize, terminals: usize) -> Self {
        let terminals = Terminals::new(seed, terminals);
        let customers = (0..customers).map(|number| Customer::new(seed, number, &terminals)).collect();
        Self { customers, terminals }
    }

    /// A shop of a category in a city, the busier the likelier.
    pub(crate) fn any_shop(&self, rng: &mut ChaCha8Rng, city: usize, category: Category) -> usize {
        choose(rng, &self.terminals, self.terminals.shops(city, category))
    }

    /// Someone who sells a category online, the busier the likelier.
    pub(crate) fn any_seller(&self, rng: &mut ChaCha8Rng, category: Category) -> usize {
        choose(rng, &self.terminals, self.terminals.online(category))
    }

    /// Where a device in a city seems to stand: about the customer's home, or the middle of the city.
    pub(crate) fn device(&self, rng: &mut ChaCha8Rng, customer: usize, city: usize) -> Point {
        let customer = &self.customers[customer];
        let middle = if city == customer.city { customer.home } else { CITIES[city].point };
        let (north, east): (f64, f64) = (StandardNormal.sample(rng), StandardNormal.sample(rng));
        middle.offset(DEVICE_KILOMETRES * north, DEVICE_KILOMETRES * east)
    }
}

/// An amount about so large, and at least one. Units: hundredths.
pub(crate) fn cents(rng: &mut ChaCha8Rng, about: f64, spread: f64) -> u64 {
    let amount = log_normal(rng, about, spread);
    // Some prices are round: a third of them end in nought or nine.
    let cents = (amount * 100.0).round().max(1.0) as u64;
    match rng.random_range(0..6_u32) {
        0 if cents >= 200 => cents / 100 * 100,
        1 if cents >= 200 => cents / 10 * 10 + 9,
        _ => cents,
    }
}
