//! When what befalls whom. Time is planned in blocks; each block owes as many anomalous events as its share of ordinary
//! ones asks for, and what a story has more or less is carried on. Two kinds wait for the customer: impossible travel
//! for the next payment in a shop, a compromised terminal for cards to be put into it.

use std::collections::BTreeMap;

use lapwing_vocabulary::time::{DAY, HOUR};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::anomaly::AnomalyKind;
use super::payment::{Channel, Payment};
use super::story::{Theft, usual_payments};
use super::world::World;
use crate::chance::generator;

/// Time is planned in blocks of this length.
pub(crate) const BLOCK_MICROS: i64 = 6 * HOUR;
/// Stream of the generator for all that thieves do.
const STREAM: u64 = 2;
/// Customers that are tried before a story is given up.
const TRIES: usize = 30;
/// After the last payment of a story the card rests at least so long.
const REST_MICROS_MIN: i64 = 12 * HOUR;
/// And at most so long.
const REST_MICROS_MAX: i64 = 48 * HOUR;
/// From a story's beginning on, nothing else may befall a customer for so long after its end.
const PEACE_MICROS: i64 = 2 * DAY;
/// Shortest time for which a terminal copies cards.
const COPYING_MICROS_MIN: i64 = 2 * DAY;
/// Longest such time.
const COPYING_MICROS_MAX: i64 = 7 * DAY;
/// Share of the cards put into a compromised terminal that are copied and used.
const COPIED_SHARE: f64 = 0.3;

/// A terminal that copies cards.
#[derive(Clone, Copy, Debug)]
struct Skimmer {
    terminal: usize,
    until: i64,
    /// How many more cards are copied.
    cards_left: u64,
    severity: f64,
}

/// What thieves have done to a customer.
#[derive(Clone, Copy, Debug, Default)]
struct Victim {
    /// No other story before this.
    peace_until: i64,
    /// The card pays nothing from the first moment to before the second.
    rest: (i64, i64),
    /// How plain the impossible travel is that begins with the next payment in a shop.
    waits_for_travel: Option<f64>,
}

/// What befalls cards, now and later.
#[derive(Debug)]
pub(crate) struct Thieves {
    kinds: Vec<AnomalyKind>,
    share: f64,
    rng: ChaCha8Rng,

    victims: Vec<Victim>,
    skimmers: Vec<Skimmer>,
    /// Payments to come, by time and number.
    coming: BTreeMap<(i64, u64), Payment>,
    /// Events owed; below zero if there have been too many.
    owed: f64,

    numbered: u64,
    /// Events of each kind so far, those that are only expected included.
    made: [f64; AnomalyKind::ALL.len()],
}

impl Thieves {
    pub(crate) fn new(seed: u64, kinds: &[AnomalyKind], share: f64, customers: usize) -> Self {
        Self {
            kinds: kinds.to_vec(),
            share,
            rng: generator(seed, STREAM),
            victims: vec![Victim::default(); customers],
            skimmers: Vec::new(),
            coming: BTreeMap::new(),
            owed: 0.0,
            numbered: 0,
            made: [0.0; AnomalyKind::ALL.len()],
        }
    }

    /// When the next payment of a thief comes. Units: microseconds.
    pub(crate) fn next_micros(&self) -> Option<i64> {
        self.coming.first_key_value().map(|((time, _), _)| *time)
    }

    /// Takes the next payment of a thief.
    pub(crate) fn take(&mut self) -> Option<Payment> {
        self.coming.pop_first().map(|(_, payment)| payment)
    }

    /// Whether the bank keeps the customer's card from paying.
    pub(crate) fn keeps_from_paying(&self, customer: usize, time: i64) -> bool {
        let (from, until) = self.victims[customer].rest;
        (from..until).contains(&time)
    }

    /// Plans the stories that begin in a block of time which has so many ordinary events; `whereabouts` gives the city
    /// of a customer at a moment, if there is one.
    pub(crate) fn plan(
        &mut self,
        world: &World,
        (start, end): (i64, i64),
        ordinary_events: f64,
        whereabouts: &mut dyn FnMut(usize, i64) -> Option<usize>,
    ) {
        self.retire_skimmers(start);
        let budget = ordinary_events * self.share / (1.0 - self.share);
        // What no customer could be found for is not owed for ever.
        self.owed = (self.owed + budget).min(2.0 * budget + 100.0);
        while self.owed > 0.0 {
            let Some(kind) = self.rarest() else { return };
            let start = self.rng.random_range(start..end);
            let severity = self.rng.random();
            let events = match kind {
                AnomalyKind::CompromisedTerminal => self.place_skimmer(world, start, severity),
                AnomalyKind::ImpossibleTravel => self.await_travel(start, severity),
                _ => self.steal(world, kind, (start, severity), whereabouts),
            };
            if events == 0.0 {
                return;
            }
            self.count(kind, events);
        }
    }

    /// What an ordinary payment in a shop gives occasion to.
    pub(crate) fn observe(&mut self, world: &World, time: i64, payment: &Payment) {
        if payment.channel == Channel::Online {
            return;
        }
        let customer = payment.customer;
        let theft = |severity| Theft { world, customer, city: payment.city, start: time, severity };
        let victim = &mut self.victims[customer];
        if let Some(severity) = victim.waits_for_travel.take() {
            let made = self.admit(&theft(severity), AnomalyKind::ImpossibleTravel);
            self.count(AnomalyKind::ImpossibleTravel, made - usual_payments(AnomalyKind::ImpossibleTravel));
            return;
        }
        if victim.peace_until > time {
            return;
        }
        let is_copying = |skimmer: &Skimmer| skimmer.terminal == payment.terminal && skimmer.until > time;
        let Some(place) = self.skimmers.iter().position(is_copying) else { return };
        if self.rng.random::<f64>() >= COPIED_SHARE {
            return;
        }
        let skimmer = &mut self.skimmers[place];
        skimmer.cards_left -= 1;
        let severity = skimmer.severity;
        if skimmer.cards_left == 0 {
            self.skimmers.swap_remove(place);
        }
        let made = self.admit(&theft(severity), AnomalyKind::CompromisedTerminal);
        self.count(AnomalyKind::CompromisedTerminal, made - usual_payments(AnomalyKind::CompromisedTerminal));
    }

    /// The kind that has had the fewest events; the first of several.
    fn rarest(&self) -> Option<AnomalyKind> {
        let made = |kind: &AnomalyKind| self.made[*kind as usize];
        self.kinds.iter().copied().min_by(|one, other| made(one).total_cmp(&made(other)))
    }

    fn count(&mut self, kind: AnomalyKind, events: f64) {
        self.made[kind as usize] += events;
        self.owed -= events;
    }

    /// A terminal begins to copy cards; returns the events that are expected of it.
    fn place_skimmer(&mut self, world: &World, start: i64, severity: f64) -> f64 {
        let cards_left = self.rng.random_range(6..=20);
        let until = start + self.rng.random_range(COPYING_MICROS_MIN..=COPYING_MICROS_MAX);
        for _ in 0..TRIES {
            let terminal = self.rng.random_range(0..world.terminals.len() as u32) as usize;
            let is_taken = self.skimmers.iter().any(|skimmer| skimmer.terminal == terminal);
            if !is_taken && !world.terminals.get(terminal).is_online {
                self.skimmers.push(Skimmer { terminal, until, cards_left, severity });
                return cards_left as f64 * usual_payments(AnomalyKind::CompromisedTerminal);
            }
        }
        0.0
    }

    /// Cards that were never copied are owed again.
    fn retire_skimmers(&mut self, now: i64) {
        let cards: u64 = self.skimmers.iter().filter(|skimmer| skimmer.until <= now).map(|one| one.cards_left).sum();
        self.skimmers.retain(|skimmer| skimmer.until > now);
        let kind = AnomalyKind::CompromisedTerminal;
        self.count(kind, -(cards as f64) * usual_payments(kind));
    }

    fn await_travel(&mut self, start: i64, severity: f64) -> f64 {
        let Some(customer) = self.find_victim(start, |_| true) else { return 0.0 };
        self.victims[customer].waits_for_travel = Some(severity);
        self.victims[customer].peace_until = i64::MAX;
        usual_payments(AnomalyKind::ImpossibleTravel)
    }

    fn steal(
        &mut self,
        world: &World,
        kind: AnomalyKind,
        (start, severity): (i64, f64),
        whereabouts: &mut dyn FnMut(usize, i64) -> Option<usize>,
    ) -> f64 {
        let Some(customer) = self.find_victim(start, |customer| whereabouts(customer, start).is_some()) else {
            return 0.0;
        };
        let city = whereabouts(customer, start).expect("the victim was chosen for being somewhere");
        self.admit(&Theft { world, customer, city, start, severity }, kind)
    }

    fn find_victim(&mut self, start: i64, mut will_do: impl FnMut(usize) -> bool) -> Option<usize> {
        for _ in 0..TRIES {
            let customer = self.rng.random_range(0..self.victims.len() as u32) as usize;
            if self.victims[customer].peace_until <= start && will_do(customer) {
                return Some(customer);
            }
        }
        None
    }

    /// Takes a story's payments in, and lets the card rest after the last; returns how many they are.
    fn admit(&mut self, theft: &Theft<'_>, kind: AnomalyKind) -> f64 {
        let payments = theft.payments(kind, &mut self.rng);
        let made = payments.len() as f64;
        let end = payments.last().map_or(theft.start, |(time, _)| *time) + 1;
        let rested = end + self.rng.random_range(REST_MICROS_MIN..=REST_MICROS_MAX);
        self.victims[theft.customer] =
            Victim { peace_until: rested + PEACE_MICROS, rest: (end, rested), waits_for_travel: None };
        for (time, payment) in payments {
            self.coming.insert((time, self.numbered), payment);
            self.numbered += 1;
        }
        made
    }
}
