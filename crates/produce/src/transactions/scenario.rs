use std::borrow::Cow;

use lapwing_vocabulary::EventTime;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::customer::{Rhythm, weights, whole_weight};
use super::options::TransactionsOptions;
use super::ordinary::{Latest, ordinary};
use super::payment::{Channel, Frame, Payment};
use super::thieves::{BLOCK_MICROS, Thieves};
use super::travel::{Travel, Whereabouts};
use super::world::World;
use crate::chance::generator;
use crate::error::ProduceError;
use crate::flow::Flow;
use crate::json::Calendar;
use crate::produced::{Label, Produced};
use crate::volume::Volume;

/// Room for one event: they take some 330 bytes.
const EVENT_BYTES: usize = 384;

/// Streams of the scenario's generator; that of the thieves is 2.
const ARRIVALS: u64 = 0;
const CONTENT: u64 = 1;

/// The scenario: an iterator of labelled payments in the order of their times.
#[derive(Debug)]
pub struct Transactions {
    options: TransactionsOptions,
    world: World,
    rhythm: Rhythm,
    /// Ordinary events per second, on average over a week.
    per_second: f64,

    arrivals: ChaCha8Rng,
    content: ChaCha8Rng,
    flow: Flow,
    travel: Travel,
    thieves: Thieves,
    /// Per customer.
    latest: Vec<Latest>,
    calendar: Calendar,
    planned_until: i64,

    emitted: u64,
}

impl Transactions {
    /// Builds the world. Errors: `Option`.
    pub fn new(options: TransactionsOptions) -> Result<Self, ProduceError> {
        options.check()?;
        let world = World::new(options.seed, options.customers, options.terminals);
        let rhythm = Rhythm::new(&world.customers);
        let kinds = &options.anomalies.kinds;
        let share = if kinds.is_empty() { 0.0 } else { options.anomalies.share };
        let (start, end) = (options.start.0, options.end().0);
        let turn = start.saturating_add(options.quiet_micros).min(end);
        let mean_seconds = |from, to| rhythm.mean_seconds(from, to);
        let per_second = options.volume.ordinary_per_second(share, [start, turn, end], &mean_seconds);
        let mut arrivals = generator(options.seed, ARRIVALS);
        let rate = per_second / whole_weight(&world.customers);
        let flow = Flow::new(&|slice| weights(&world.customers, slice), rate, start, &mut arrivals);
        Ok(Self {
            content: generator(options.seed, CONTENT),
            travel: Travel::new(options.seed, start, options.customers),
            thieves: Thieves::new(options.seed, kinds, share, options.customers),
            latest: vec![None; options.customers],
            calendar: Calendar::default(),
            planned_until: turn,
            emitted: 0,
            options,
            world,
            rhythm,
            per_second,
            arrivals,
            flow,
        })
    }

    /// Plans every block of time that the next ordinary event has reached.
    fn plan_ahead(&mut self) {
        let end = self.options.end().0;
        while self.planned_until <= self.flow.next_micros() && self.planned_until < end {
            let block = (self.planned_until, self.planned_until.saturating_add(BLOCK_MICROS).min(end));
            let events = self.per_second * self.rhythm.mean_seconds(block.0, block.1);
            let (travel, customers) = (&mut self.travel, &self.world.customers);
            let mut city = |customer, time| match travel.whereabouts(customers, customer, time) {
                Whereabouts::In(city) => Some(city),
                Whereabouts::UnderWay => None,
            };
            self.thieves.plan(&self.world, block, events, &mut city);
            self.planned_until = block.1;
        }
    }

    fn is_over(&self, at: i64) -> bool {
        match self.options.volume {
            Volume::Total(total) => self.emitted >= total,
            Volume::PerSecond(_) => at >= self.options.end().0,
        }
    }

    /// What the customer pays at this moment; nothing under way, or while the bank keeps the card from it.
    fn ordinary(&mut self, at: i64, customer: usize) -> Option<Payment> {
        if self.thieves.keeps_from_paying(customer, at) {
            return None;
        }
        let Whereabouts::In(city) = self.travel.whereabouts(&self.world.customers, customer, at) else { return None };
        let latest = self.latest[customer];
        let payment = ordinary(&self.world, customer, city, (at, latest), &mut self.content);
        if payment.channel != Channel::Online {
            self.latest[customer] = Some((at, payment.terminal));
        }
        self.thieves.observe(&self.world, at, &payment);
        Some(payment)
    }

    fn emit(&mut self, at: i64, payment: &Payment) -> Produced {
        let customer = &self.world.customers[payment.customer];
        let terminal = self.world.terminals.get(payment.terminal);
        let time = EventTime(at);
        let terminal_id = terminal.id(at - self.options.start.0);
        let frame = Frame { time, id: self.content.random(), customer, terminal, terminal_id: &terminal_id };
        let mut value = Vec::with_capacity(EVENT_BYTES);
        payment.write(&frame, &mut self.calendar, &mut value);
        self.emitted += 1;
        let label = payment.kind.map_or(Label::Normal, |kind| Label::Anomaly(Cow::Borrowed(kind.name())));
        Produced { key: Some(customer.id.as_bytes().to_vec()), value, time, label }
    }
}

impl Iterator for Transactions {
    type Item = Produced;

    fn next(&mut self) -> Option<Produced> {
        loop {
            self.plan_ahead();
            let ordinary_at = self.flow.next_micros();
            let thief_at = self.thieves.next_micros().filter(|at| *at <= ordinary_at);
            let at = thief_at.unwrap_or(ordinary_at);
            if self.is_over(at) {
                return None;
            }
            let payment = if thief_at.is_some() {
                self.thieves.take()
            } else {
                let customer = self.flow.draw(&mut self.arrivals);
                self.flow.advance(&|slice| weights(&self.world.customers, slice), &mut self.arrivals);
                self.ordinary(at, customer)
            };
            if let Some(payment) = payment {
                return Some(self.emit(at, &payment));
            }
        }
    }
}
