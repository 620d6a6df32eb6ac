//! What thieves do with a card: each story is the list of its payments, with their times.

use lapwing_vocabulary::time::{DAY, HOUR, MINUTE};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::anomaly::AnomalyKind;
use super::category::Category;
use super::payment::{Channel, Payment};
use super::place::CITIES;
use super::world::{World, cents};
use crate::chance::one_of;

/// Nothing in the air is as fast. Units: kilometres per hour.
const FASTEST_AIRLINER: f64 = 1_000.0;
/// Cities at least so far away are impossible to reach in the meantime.
const FAR_KILOMETRES: f64 = 1_000.0;

/// Payments of a story, each with its time.
pub(crate) type Payments = Vec<(i64, Payment)>;

/// A card in wrong hands.
pub(crate) struct Theft<'a> {
    pub(crate) world: &'a World,
    pub(crate) customer: usize,
    /// City where the customer is.
    pub(crate) city: usize,
    /// When it begins; for `impossible_travel`, the moment of the customer's own payment.
    pub(crate) start: i64,
    /// How plain it is. Range: 0 (subtle) to 1 (glaring).
    pub(crate) severity: f64,
}

/// About how many payments a story of a kind has, of one card.
pub(crate) fn usual_payments(kind: AnomalyKind) -> f64 {
    match kind {
        AnomalyKind::CardTesting => 20.0,
        AnomalyKind::StolenCard => 8.5,
        AnomalyKind::ImpossibleTravel => 2.5,
        AnomalyKind::CompromisedTerminal => 3.5,
        AnomalyKind::SlowDrain => 20.0,
    }
}

impl Theft<'_> {
    /// The payments of the story, in the order of their times.
    pub(crate) fn payments(&self, kind: AnomalyKind, rng: &mut ChaCha8Rng) -> Payments {
        let mut payments = match kind {
            AnomalyKind::CardTesting => self.card_testing(rng),
            AnomalyKind::StolenCard => self.stolen_card(rng),
            AnomalyKind::ImpossibleTravel => self.impossible_travel(rng),
            AnomalyKind::CompromisedTerminal => self.copied_card(rng),
            AnomalyKind::SlowDrain => self.slow_drain(rng),
        };
        payments.sort_by_key(|(time, _)| *time);
        payments
    }

    fn card_testing(&self, rng: &mut ChaCha8Rng) -> Payments {
        let count = 8 + (24.0 * self.severity * rng.random::<f64>().max(0.5)) as usize + rng.random_range(0..6);
        let calm = 1.0 - self.severity;
        let lasting = 4 * MINUTE + (56.0 * calm * calm * MINUTE as f64) as i64;
        let sellers: Vec<usize> = (0..rng.random_range(1..=4))
            .map(|_| {
                let category = *one_of(rng, &[Category::Digital, Category::Entertainment, Category::Transport]);
                self.world.any_seller(rng, category)
            })
            .collect();
        let city = if rng.random::<f64>() < 0.6 { self.elsewhere(rng, |_| true) } else { self.same_country(rng) };
        (0..count)
            .map(|_| {
                let terminal = *one_of(rng, &sellers);
                let cents = cents(rng, 1.0 + 1.5 * calm, 0.3);
                (self.within(0, lasting, rng), self.online(AnomalyKind::CardTesting, terminal, cents, city, rng))
            })
            .collect()
    }

    fn stolen_card(&self, rng: &mut ChaCha8Rng) -> Payments {
        let lasting = rng.random_range(HOUR..=6 * HOUR);
        (0..rng.random_range(5..=12))
            .map(|_| {
                let category = *one_of(rng, &Category::RESOLD);
                let usual = self.world.customers[self.customer].usual_amount(category);
                let cents = cents(rng, usual * (1.5 + 3.5 * self.severity), 0.3);
                let at = self.within(0, lasting, rng);
                if rng.random::<f64>() < 0.2 {
                    let terminal = self.world.any_seller(rng, category);
                    return (at, self.online(AnomalyKind::StolenCard, terminal, cents, self.city, rng));
                }
                let channel = *one_of(rng, &[Channel::Chip, Channel::Contactless, Channel::Magstripe]);
                (at, self.at_shop(AnomalyKind::StolenCard, self.city, category, cents, channel, rng))
            })
            .collect()
    }

    fn impossible_travel(&self, rng: &mut ChaCha8Rng) -> Payments {
        let here = CITIES[self.city].point;
        let city = self.elsewhere(rng, |city| here.distance(CITIES[city].point) >= FAR_KILOMETRES);
        let speed = FASTEST_AIRLINER * (1.1 + 7.0 * self.severity);
        let mut at = self.start + (here.distance(CITIES[city].point) / speed * HOUR as f64) as i64;
        (0..rng.random_range(1..=4))
            .map(|_| {
                let category = self.category(rng);
                let usual = self.world.customers[self.customer].usual_amount(category);
                let cents = cents(rng, usual * (0.9 + 0.8 * self.severity), 0.5);
                let channel = if rng.random::<f64>() < 0.6 { Channel::Magstripe } else { Channel::Chip };
                let payment = self.at_shop(AnomalyKind::ImpossibleTravel, city, category, cents, channel, rng);
                let now = at;
                at += rng.random_range(10 * MINUTE..HOUR);
                (now, payment)
            })
            .collect()
    }

    fn copied_card(&self, rng: &mut ChaCha8Rng) -> Payments {
        let kind = AnomalyKind::CompromisedTerminal;
        let wait = rng.random_range(6 * HOUR..5 * DAY);
        let lasting = rng.random_range(HOUR..36 * HOUR);
        let city = if rng.random::<f64>() < 0.5 { self.same_country(rng) } else { self.elsewhere(rng, |_| true) };
        (0..rng.random_range(2..=5))
            .map(|_| {
                let category = self.category(rng);
                let usual = self.world.customers[self.customer].usual_amount(category);
                let cents = cents(rng, usual * (0.8 + 0.8 * self.severity), 0.5);
                let at = self.within(wait, lasting, rng);
                if rng.random::<f64>() < 0.4 {
                    let terminal = self.world.any_seller(rng, category);
                    return (at, self.online(kind, terminal, cents, city, rng));
                }
                (at, self.at_shop(kind, city, category, cents, Channel::Magstripe, rng))
            })
            .collect()
    }

    fn slow_drain(&self, rng: &mut ChaCha8Rng) -> Payments {
        let lasting = rng.random_range(3 * DAY..=10 * DAY);
        let goods: Vec<(Category, usize)> = (0..rng.random_range(1..=2))
            .map(|_| {
                let category = *one_of(rng, &[Category::Digital, Category::Entertainment, Category::Clothing]);
                (category, self.world.any_seller(rng, category))
            })
            .collect();
        (0..rng.random_range(10..=30))
            .map(|_| {
                let (category, terminal) = *one_of(rng, &goods);
                let usual = self.world.customers[self.customer].usual_amount(category);
                let cents = cents(rng, usual * (1.3 + 1.7 * self.severity), 0.25);
                (self.within(0, lasting, rng), self.online(AnomalyKind::SlowDrain, terminal, cents, self.city, rng))
            })
            .collect()
    }

    /// A moment within so long a time, after so long a wait.
    fn within(&self, wait: i64, lasting: i64, rng: &mut ChaCha8Rng) -> i64 {
        self.start + wait + rng.random_range(0..lasting)
    }

    /// Half the time what can be resold, else what the customer buys, too.
    fn category(&self, rng: &mut ChaCha8Rng) -> Category {
        if rng.random::<bool>() {
            return *one_of(rng, &Category::RESOLD);
        }
        self.world.customers[self.customer].draw_category(rng)
    }

    /// Another city than where the customer is, of those that will do.
    fn elsewhere(&self, rng: &mut ChaCha8Rng, will_do: impl Fn(usize) -> bool) -> usize {
        let cities: Vec<usize> = (0..CITIES.len()).filter(|city| *city != self.city && will_do(*city)).collect();
        *one_of(rng, &cities)
    }

    /// A city of the country where the customer is, maybe the same.
    fn same_country(&self, rng: &mut ChaCha8Rng) -> usize {
        let country = CITIES[self.city].country;
        let cities: Vec<usize> = (0..CITIES.len()).filter(|city| CITIES[*city].country == country).collect();
        *one_of(rng, &cities)
    }

    fn online(&self, kind: AnomalyKind, terminal: usize, cents: u64, city: usize, rng: &mut ChaCha8Rng) -> Payment {
        let point = self.world.device(rng, self.customer, city);
        let kind = Some(kind);
        Payment { customer: self.customer, terminal, cents, city, point, channel: Channel::Online, kind }
    }

    fn at_shop(
        &self,
        kind: AnomalyKind,
        city: usize,
        category: Category,
        cents: u64,
        channel: Channel,
        rng: &mut ChaCha8Rng,
    ) -> Payment {
        // What no shop of the city sells, such as digital goods, is bought at another kind of shop.
        let terminal = self.world.any_shop(rng, city, category);
        let point = self.world.terminals.get(terminal).point;
        Payment { customer: self.customer, terminal, cents, city, point, channel, kind: Some(kind) }
    }
}
