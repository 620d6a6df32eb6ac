use lapwing_vocabulary::time::DAY;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::category::Category;
use super::place::{CITIES, Point};
use crate::chance::{generator, log_normal, one_of};

/// Streams of the generator from here on are those of terminals.
const FIRST_STREAM: u64 = 1 << 40;
/// Every so manyth terminal takes payments over the network.
const ONLINE_EVERY: usize = 7;
/// How far shops lie from the middle of their city, typically. Units: kilometres, each way.
const CITY_KILOMETRES: f64 = 4.0;
/// Shortest time after which a terminal is replaced by one of a new name.
const RENEWAL_MICROS_MIN: i64 = 120 * DAY;
/// Longest such time.
const RENEWAL_MICROS_MAX: i64 = 720 * DAY;

/// One place that takes payments.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    number: usize,
    pub(crate) category: Category,
    /// City where it stands, or where its company sits if it sells online.
    pub(crate) city: usize,
    pub(crate) point: Point,
    pub(crate) is_online: bool,
    /// How much goes through it, relative to others of its kind.
    pub(crate) weight: f64,
    /// How long a device serves, and how long the first one had served at the start.
    renewal_micros: i64,
    age_micros: i64,
}

impl Terminal {
    fn new(seed: u64, number: usize, spot: Spot) -> Self {
        let mut rng = generator(seed, FIRST_STREAM + number as u64);
        let renewal_micros = rng.random_range(RENEWAL_MICROS_MIN..=RENEWAL_MICROS_MAX);
        let (north, east): (f64, f64) = (StandardNormal.sample(&mut rng), StandardNormal.sample(&mut rng));
        Self {
            number,
            category: spot.category,
            city: spot.city,
            point: CITIES[spot.city].point.offset(CITY_KILOMETRES * north, CITY_KILOMETRES * east),
            is_online: spot.is_online,
            weight: log_normal(&mut rng, 1.0, 0.7),
            renewal_micros,
            age_micros: rng.random_range(0..renewal_micros),
        }
    }

    /// Name at so many microseconds after the start: `terminal-0042`, and `terminal-0042-1` once it has been replaced.
    pub(crate) fn id(&self, since_start: i64) -> String {
        let name = format!("terminal-{:04}", self.number + 1);
        match since_start.saturating_add(self.age_micros) / self.renewal_micros {
            0 => name,
            replaced => format!("{name}-{replaced}"),
        }
    }
}

/// Where a terminal stands and what it sells.
#[derive(Clone, Copy)]
struct Spot {
    city: usize,
    category: Category,
    is_online: bool,
}

/// All terminals, found by where they stand and what they sell.
#[derive(Clone, Debug)]
pub(crate) struct Terminals {
    all: Vec<Terminal>,
    /// Of each city, its shops by category.
    shops: Vec<[Vec<usize>; Category::ALL.len()]>,
    /// Of each category, who sells it online.
    online: [Vec<usize>; Category::ALL.len()],
}

impl Terminals {
    /// Fewest terminals of which each city has a shop and each category a seller online; see [`spots`].
    pub(crate) const LEAST: usize = 100;

    pub(crate) fn new(seed: u64, count: usize) -> Self {
        let all: Vec<Terminal> =
            spots(count).enumerate().map(|(number, spot)| Terminal::new(seed, number, spot)).collect();
        let mut shops = vec![std::array::from_fn(|_| Vec::new()); CITIES.len()];
        let mut online = std::array::from_fn(|_| Vec::new());
        for terminal in &all {
            let places: &mut [Vec<usize>] = if terminal.is_online { &mut online } else { &mut shops[terminal.city] };
            places[terminal.category as usize].push(terminal.number);
        }
        Self { all, shops, online }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn get(&self, number: usize) -> &Terminal {
        &self.all[number]
    }

    /// Shops of a category in a city; where a small world has none there, all of a category that it has.
    pub(crate) fn shops(&self, city: usize, category: Category) -> &[usize] {
        let shops = &self.shops[city];
        let has = |category: &Category| !shops[*category as usize].is_empty();
        let nearest = std::iter::once(category).chain(Category::ALL).find(has);
        &shops[nearest.expect("LEAST terminals give every city a shop") as usize]
    }

    /// Who sells a category online.
    pub(crate) fn online(&self, category: Category) -> &[usize] {
        // Fuel is not sold online; who asks for it is content with what is.
        let sold = if category == Category::Fuel { Category::Digital } else { category };
        &self.online[sold as usize]
    }
}

/// Cities in turn, in the measure of their people; in each, categories in the measure of their payments.
fn spots(count: usize) -> impl Iterator<Item = Spot> {
    let cities: Vec<usize> =
        (0..CITIES.len()).flat_map(|city| vec![city; 1 + CITIES[city].people as usize / 2]).collect();
    let mut shops = 0;
    (0..count).map(move |number| {
        if number % ONLINE_EVERY == 0 {
            let sellers = Category::ALL.len() - 1;
            let place = number / ONLINE_EVERY;
            let category =
                Category::ALL.into_iter().filter(|category| *category != Category::Fuel).nth(place % sellers);
            let category = category.expect("the place is below the number of categories but fuel");
            return Spot { city: place % CITIES.len(), category, is_online: true };
        }
        let (city, round) = (cities[shops % cities.len()], shops / cities.len());
        shops += 1;
        Spot { city, category: SHOPS[round % SHOPS.len()], is_online: false }
    })
}

/// What the shops of a city sell, the first the most needed: every category that is not only sold online.
const SHOPS: [Category; 14] = [
    Category::Grocery,
    Category::Restaurant,
    Category::Transport,
    Category::Fuel,
    Category::Clothing,
    Category::Pharmacy,
    Category::Electronics,
    Category::Entertainment,
    Category::Grocery,
    Category::Restaurant,
    Category::Travel,
    Category::Restaurant,
    Category::Grocery,
    Category::Clothing,
];

/// One of several terminals, the busier the likelier.
pub(crate) fn choose(rng: &mut ChaCha8Rng, terminals: &Terminals, among: &[usize]) -> usize {
    let whole: f64 = among.iter().map(|number| terminals.get(*number).weight).sum();
    let mut rest = rng.random::<f64>() * whole;
    for number in among {
        rest -= terminals.get(*number).weight;
        if rest < 0.0 {
            return *number;
        }
    }
    *one_of(rng, among)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_world_sells_everything_online_and_something_in_every_city() {
        let terminals = Terminals::new(1, Terminals::LEAST);
        for category in Category::ALL {
            assert!(!terminals.online(category).is_empty(), "{}", category.name());
            assert!((0..CITIES.len()).all(|city| !terminals.shops(city, category).is_empty()));
        }
    }

    #[test]
    fn a_replaced_terminal_has_another_name_and_no_two_share_one() {
        let terminals = Terminals::new(1, 300);
        let of_day = |day: i64| (0..300).map(|number| terminals.get(number).id(day * DAY)).collect::<Vec<_>>();
        let (first, later) = (of_day(0), of_day(30));
        let replaced = first.iter().zip(&later).filter(|(one, other)| one != other).count();
        // A device lasts 420 days on average, so about one in twelve to fourteen is replaced within thirty.
        assert!((8..60).contains(&replaced), "{replaced}");
        let names: std::collections::HashSet<&String> = first.iter().chain(&later).collect();
        assert_eq!(names.len(), 300 + replaced);
    }
}
