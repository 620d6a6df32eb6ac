use lapwing_vocabulary::time::MINUTE;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::payment::{Channel, Payment};
use super::place::CITIES;
use super::world::{World, cents};

/// Who pays twice within so short a time is still in the same shop.
const STAY_MICROS: i64 = 6 * MINUTE;
/// Share of purchases at shops and sellers that the customer is used to.
const LOYALTY: f64 = 0.8;
/// Share of payments online that seem to come from another city, because the way through the network leads there.
const DETOUR: f64 = 0.004;
/// Up to here most cards pay without contact. Units: hundredths.
const CONTACTLESS_CENTS: u64 = 5_000;

/// The latest payment in a shop of each customer: time and terminal.
pub(crate) type Latest = Option<(i64, usize)>;

/// A payment on an ordinary day of a customer who is in this city.
pub(crate) fn ordinary(
    world: &World,
    number: usize,
    city: usize,
    (time, latest): (i64, Latest),
    rng: &mut ChaCha8Rng,
) -> Payment {
    let customer = &world.customers[number];
    let stay = latest.filter(|(before, _)| time - before < STAY_MICROS);
    let category = match stay {
        Some((_, terminal)) => world.terminals.get(terminal).category,
        None => customer.draw_category(rng),
    };
    let profile = category.profile();
    let cents = cents(rng, customer.usual_amount(category), profile.spread);
    let is_online = stay.is_none() && rng.random::<f64>() < profile.online * customer.online.max(profile.online);
    let is_loyal = rng.random::<f64>() < LOYALTY;
    if is_online {
        let terminal = if is_loyal { customer.usual_seller(category, rng) } else { world.any_seller(rng, category) };
        let is_detour = rng.random::<f64>() < DETOUR;
        let city = if is_detour { rng.random_range(0..CITIES.len() as u32) as usize } else { city };
        let point = world.device(rng, number, city);
        return Payment { customer: number, terminal, cents, city, point, channel: Channel::Online, kind: None };
    }
    let terminal = match stay {
        Some((_, terminal)) => terminal,
        None if is_loyal && city == customer.city => customer.usual_shop(category, rng),
        None => world.any_shop(rng, city, category),
    };
    let (channel, point) = (card_channel(cents, rng), world.terminals.get(terminal).point);
    Payment { customer: number, terminal, cents, city, point, channel, kind: None }
}

/// How a card that is at the terminal pays. A few old terminals still read the stripe.
fn card_channel(cents: u64, rng: &mut ChaCha8Rng) -> Channel {
    let lot: f64 = rng.random();
    let contactless = if cents <= CONTACTLESS_CENTS { 0.8 } else { 0.15 };
    match lot {
        lot if lot < 0.02 => Channel::Magstripe,
        lot if lot < 0.02 + 0.98 * contactless => Channel::Contactless,
        _ => Channel::Chip,
    }
}
