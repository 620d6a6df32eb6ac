use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::DAY;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::weighted::WeightedAliasIndex;
use rand_distr::{Distribution, StandardNormal};

use super::category::Category;
use super::place::{CITIES, Point};
use super::schema::customer_id;
use super::terminal::{Terminals, choose};
use crate::chance::{generator, log_normal, one_of};
use crate::week;

/// Streams of the generator from here on are those of customers.
const FIRST_STREAM: u64 = 1 << 32;
/// Usual amount of a usual customer in a shop for groceries. Units: the currency's.
const AMOUNT: f64 = 24.0;
/// Spread of the logarithm of that amount among customers.
const AMOUNT_SPREAD: f64 = 0.5;
/// How far people live from the middle of their city, typically. Units: kilometres, each way.
const HOME_KILOMETRES: f64 = 7.0;
/// Days of the month on which salaries come.
const PAYDAYS: [u32; 3] = [1, 15, 25];
/// From payday on, for so many days, more is bought.
const PAYDAY_DAYS: u32 = 3;
/// How much more often, then.
const PAYDAY_LEVEL: f64 = 1.5;
/// Shops, and sellers online, that a customer has of a category.
const FAVOURITES: usize = 2;

/// When someone is out and about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Done by noon.
    Early,
    /// Around lunch; hardly at weekends.
    Office,
    /// After work, and at weekends.
    Evening,
    /// Late.
    Night,
}

impl Habit {
    pub(crate) const ALL: [Self; 4] = [Self::Early, Self::Office, Self::Evening, Self::Night];

    /// Level at a moment, relative to the mean over a week.
    fn level(self, time: EventTime) -> f64 {
        let (peak_hour, swing, weekend) = match self {
            Self::Early => (10.0, 0.95, 0.9),
            Self::Office => (12.5, 0.95, 0.5),
            Self::Evening => (17.5, 0.90, 1.4),
            Self::Night => (20.5, 0.85, 1.2),
        };
        week::level(time, peak_hour, swing, weekend)
    }
}

/// One customer of the scenario.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) city: usize,
    pub(crate) home: Point,
    /// Usual amount for groceries; other categories follow from it.
    pub(crate) amount: f64,
    /// How often the customer pays, relative to others.
    weight: f64,
    habit: Habit,
    /// Place in [`PAYDAYS`].
    payday: usize,
    tastes: WeightedAliasIndex<f64>,
    /// How much likelier than an average customer to pay online.
    pub(crate) online: f64,
    /// How likely a period has a journey.
    pub(crate) wanderlust: f64,
    shops: [[usize; FAVOURITES]; Category::ALL.len()],
    sellers: [[usize; FAVOURITES]; Category::ALL.len()],
}

impl Customer {
    pub(crate) fn new(seed: u64, number: usize, terminals: &Terminals) -> Self {
        let rng = &mut generator(seed, FIRST_STREAM + number as u64);
        let city = draw_city(rng);
        let (north, east): (f64, f64) = (StandardNormal.sample(rng), StandardNormal.sample(rng));
        let tastes = Category::ALL.map(|category| f64::from(category.profile().percent) * log_normal(rng, 1.0, 0.7));
        Self {
            id: customer_id(number),
            city,
            home: CITIES[city].point.offset(HOME_KILOMETRES * north, HOME_KILOMETRES * east),
            amount: log_normal(rng, AMOUNT, AMOUNT_SPREAD),
            weight: log_normal(rng, 1.0, 0.5),
            habit: *one_of(rng, &Habit::ALL),
            payday: rng.random_range(0..PAYDAYS.len() as u32) as usize,
            tastes: WeightedAliasIndex::new(tastes.to_vec()).expect("every category has a positive weight"),
            online: log_normal(rng, 0.8, 0.5),
            wanderlust: rng.random_range(0.1..0.8),
            shops: Category::ALL.map(|category| favourites(rng, terminals, terminals.shops(city, category))),
            sellers: Category::ALL.map(|category| favourites(rng, terminals, terminals.online(category))),
        }
    }

    pub(crate) fn draw_category(&self, rng: &mut ChaCha8Rng) -> Category {
        Category::ALL[self.tastes.sample(rng)]
    }

    /// A shop that the customer is used to.
    pub(crate) fn usual_shop(&self, category: Category, rng: &mut ChaCha8Rng) -> usize {
        *one_of(rng, &self.shops[category as usize])
    }

    /// A seller online that the customer is used to.
    pub(crate) fn usual_seller(&self, category: Category, rng: &mut ChaCha8Rng) -> usize {
        *one_of(rng, &self.sellers[category as usize])
    }

    /// What the customer usually pays for something of a category.
    pub(crate) fn usual_amount(&self, category: Category) -> f64 {
        self.amount * category.profile().size
    }
}

/// A city, the more people live there the likelier.
fn draw_city(rng: &mut ChaCha8Rng) -> usize {
    let people: u32 = CITIES.iter().map(|city| city.people).sum();
    let mut rest = rng.random_range(0..people);
    for (number, city) in CITIES.iter().enumerate() {
        if rest < city.people {
            return number;
        }
        rest -= city.people;
    }
    0
}

fn favourites(rng: &mut ChaCha8Rng, terminals: &Terminals, among: &[usize]) -> [usize; FAVOURITES] {
    std::array::from_fn(|_| choose(rng, terminals, among))
}

/// Level of a payday's customers, relative to a month's mean.
fn payday_level(payday: u32, day_of_month: u32) -> f64 {
    let is_flush = (payday..payday + PAYDAY_DAYS).contains(&day_of_month);
    // A month has 30.4 days on average.
    let mean = 1.0 + (PAYDAY_LEVEL - 1.0) * f64::from(PAYDAY_DAYS) / 30.4;
    if is_flush { PAYDAY_LEVEL / mean } else { 1.0 / mean }
}

/// Day of the month, from 1. Source: the calendar of 400 years that are 146,097 days, counted from a March 1.
fn day_of_month(time: EventTime) -> u32 {
    // 1970-01-01 came 719,468 days after 0000-03-01; in years that begin in March, months have a rule: five of them
    // make 153 days.
    let day_of_era = (time.0.div_euclid(DAY) + 719_468).rem_euclid(146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    (day_of_year - (153 * month + 2) / 5 + 1) as u32
}

/// Levels at a moment by habit and payday.
fn levels(start: i64) -> [[f64; PAYDAYS.len()]; Habit::ALL.len()] {
    let time = EventTime(start);
    let day = day_of_month(time);
    Habit::ALL.map(|habit| PAYDAYS.map(|payday| habit.level(time) * payday_level(payday, day)))
}

/// Weight of each customer in the slice of time that begins at `start`.
pub(crate) fn weights(customers: &[Customer], start: i64) -> Vec<f64> {
    let levels = levels(start);
    customers.iter().map(|customer| customer.weight * levels[customer.habit as usize][customer.payday]).collect()
}

/// Weight of all customers at mean level.
pub(crate) fn whole_weight(customers: &[Customer]) -> f64 {
    customers.iter().map(|customer| customer.weight).sum()
}

/// Weight of customers by habit and payday; all together make 1.
#[derive(Clone, Debug)]
pub(crate) struct Rhythm([[f64; PAYDAYS.len()]; Habit::ALL.len()]);

impl Rhythm {
    pub(crate) fn new(customers: &[Customer]) -> Self {
        let mut shares = [[0.0; PAYDAYS.len()]; Habit::ALL.len()];
        let whole = whole_weight(customers);
        for customer in customers {
            shares[customer.habit as usize][customer.payday] += customer.weight / whole;
        }
        Self(shares)
    }

    /// Seconds at mean level that carry as many events as the stretch from `from` to `to`.
    pub(crate) fn mean_seconds(&self, from: i64, to: i64) -> f64 {
        let level = |start| {
            levels(start).as_flattened().iter().zip(self.0.as_flattened()).map(|(level, share)| level * share).sum()
        };
        week::mean_seconds(&level, from, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_months_are_those_of_the_calendar() {
        for text in ["1970-01-01", "1969-12-31", "2000-02-29", "2026-03-01", "2028-02-29", "2100-02-28", "2100-03-01"] {
            let time = EventTime::parse(&format!("{text}T23:59:59Z")).unwrap();
            assert_eq!(day_of_month(time), text[8..].parse::<u32>().unwrap(), "{text}");
        }
    }

    #[test]
    fn a_year_has_mean_level_one() {
        let customers: Vec<Customer> =
            (0..200).map(|number| Customer::new(1, number, &Terminals::new(1, 300))).collect();
        let start = EventTime::parse("2026-01-01T00:00:00Z").unwrap().0;
        let seconds = Rhythm::new(&customers).mean_seconds(start, start + 364 * DAY);
        assert!((seconds / (364.0 * 86_400.0) - 1.0).abs() < 0.01, "{seconds}");
    }
}
