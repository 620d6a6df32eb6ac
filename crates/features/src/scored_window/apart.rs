//! The windows of each entity in a queue ordered by start. The decision where an event belongs is in `seat`; here it is
//! carried out, and what follows from it is told.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::FixedState;
use lapwing_vocabulary::EventTime;

use super::layout::Layout;
use super::row::{Cause, Closed, OpenWindow, Placement};
use super::rules::{Cut, Event, Rules};
use super::seat::{Phase, Seat, Window};
use super::timers::{Timer, Timers, Truth};
use super::totals::Totals;

/// Entities by key. The hash is the same in each run; no order of the map shows anywhere.
pub(super) type ByKey<T> = HashMap<Arc<str>, T, FixedState>;

/// The windows of one entity, ordered by their starts.
#[derive(Clone, Debug)]
pub(super) struct Entity {
    pub(super) key: Arc<str>,
    pub(super) windows: VecDeque<Window>,
}

/// What is due of all windows, how many there are, and how many closed without a row.
#[derive(Clone, Debug, Default)]
struct Agenda {
    closing: Timers,
    expiring: Timers,
    early: Timers,
    windows: usize,
    small: u64,
}

/// All windows of a partition that lie apart.
#[derive(Clone, Debug)]
pub(super) struct Apart {
    cut: Cut,
    pub(super) entities: ByKey<Entity>,
    agenda: Agenda,
}

/// What making room has cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MadeRoom {
    /// Windows closed before their end.
    pub(super) forced: u64,
    /// Windows forgotten while they could still be amended.
    pub(super) forgotten: u64,
}

impl Window {
    pub(super) fn new(start: i64, time: i64, layout: &Layout) -> Self {
        let totals = Totals::new(layout);
        Self { start, last: time, phase: Phase::Open, rows: 0, told: None, early_due: None, totals }
    }

    /// Whether it has too few events for a row. Of what was told once, changes are told too.
    fn is_small(&self, rules: &Rules) -> bool {
        self.rows == 0 && self.totals.events < rules.events_min
    }

    /// Makes the next row.
    fn tell(&mut self, key: &str, end: i64, cause: Cause, layout: &Layout) -> Closed {
        let values = self.totals.values(layout);
        let told = self.told.replace(values.as_slice().into());
        let row = self.row(key, end, cause, self.totals.events, values, told);
        self.rows = self.rows.saturating_add(1);
        self.early_due = None;
        row
    }

    /// Takes back what was told of it, because its start is no more the start of a window.
    fn withdraw(&mut self, key: &str, end: i64, layout: &Layout) -> Option<Closed> {
        let told = self.told.take()?;
        let mut row = self.row(key, end, Cause::Amended, 0, Totals::new(layout).values(layout), Some(told));
        (row.offsets, row.texts) = (Vec::new(), Vec::new());
        (self.rows, self.phase) = (0, Phase::Open);
        Some(row)
    }

    fn row(
        &self,
        key: &str,
        end: i64,
        cause: Cause,
        events: u64,
        values: Vec<f64>,
        told: Option<Box<[f64]>>,
    ) -> Closed {
        let offsets = self.totals.offsets.as_slice().to_vec();
        Closed {
            key: key.to_owned(),
            start: EventTime(self.start),
            end: EventTime(end),
            cause,
            revision: self.rows,
            events,
            first_offset: offsets.first().copied().unwrap_or_default(),
            last_offset: offsets.last().copied().unwrap_or_default(),
            offsets,
            values,
            texts: self.totals.texts(),
            before: told.map(<[f64]>::into_vec),
        }
    }

    /// Why a row comes now that the window has ended.
    fn cause_at_end(&self) -> Cause {
        if self.phase == Phase::Open || self.rows == 0 { Cause::Final } else { Cause::Amended }
    }
}

impl Entity {
    fn find(&self, start: i64) -> Option<usize> {
        let at = self.windows.partition_point(|window| window.start < start);
        self.windows.get(at).is_some_and(|window| window.start == start).then_some(at)
    }

    /// Puts an event in its place.
    fn take(
        &mut self,
        (cut, rules): (Cut, &Rules),
        agenda: &mut Agenda,
        event: &Event,
        watermark: Option<i64>,
        out: &mut Vec<Closed>,
    ) -> Placement {
        let (at, is_new) = match cut.seat(&self.windows, event, watermark, rules.lateness) {
            Seat::TooLate { by } => return Placement::TooLate { by_micros: by },
            Seat::Join(at) => (at, false),
            Seat::New(at) => {
                self.windows.insert(at, Window::new(cut.start(event.time), event.time, &rules.layout));
                agenda.windows += 1;
                (at, true)
            }
        };
        let window = &mut self.windows[at];
        let mut amended = window.was_told();
        let moved = event.time < window.start;
        if moved {
            out.extend(window.withdraw(&self.key, cut.end(window.start, window.last), &rules.layout));
            window.start = event.time;
        }
        window.last = window.last.max(event.time);
        window.totals.add(&rules.layout, event);
        amended |= self.join_next(at, cut, &rules.layout, agenda, out);
        self.settle(at, is_new || moved, (cut, rules), agenda, (event.time, watermark), out);
        Placement::Taken { amended }
    }

    /// Joins the sessions after this one that it has come to reach; answers whether one of them had ended.
    fn join_next(&mut self, at: usize, cut: Cut, layout: &Layout, agenda: &mut Agenda, out: &mut Vec<Closed>) -> bool {
        let mut amended = false;
        while at + 1 < self.windows.len() && cut.joins(&self.windows[at], &self.windows[at + 1]) {
            let Some(mut next) = self.windows.remove(at + 1) else { break };
            agenda.windows -= 1;
            amended |= next.was_told();
            out.extend(next.withdraw(&self.key, cut.end(next.start, next.last), layout));
            let window = &mut self.windows[at];
            window.last = window.last.max(next.last);
            window.totals.merge(layout, &next.totals);
            if let Some(due) = next.early_due {
                window.early_due = Some(window.early_due.map_or(due, |own| own.min(due)));
                agenda.early.push(due, &self.key, window.start);
            }
        }
        amended
    }

    /// Tells a window that has changed, if it has ended, or notes when that will be.
    fn settle(
        &mut self,
        at: usize,
        is_new: bool,
        (cut, rules): (Cut, &Rules),
        agenda: &mut Agenda,
        (time, watermark): (i64, Option<i64>),
        out: &mut Vec<Closed>,
    ) {
        let window = &mut self.windows[at];
        let end = cut.end(window.start, window.last);
        let full = cut.is_full(window);
        if full || watermark.is_some_and(|now| end <= now) {
            let end = if full { window.last } else { end };
            return self.close(at, end, is_new, (cut, rules), agenda, out);
        }
        let reopened = window.phase == Phase::Told;
        if reopened {
            // Of one that gave no row there is nothing to amend.
            window.phase = if window.rows > 0 { Phase::Reopened } else { Phase::Open };
        }
        if is_new || reopened {
            agenda.closing.push(end, &self.key, window.start);
        }
        let Some(early) = rules.early.filter(|_| !window.is_small(rules)) else { return };
        let known = window.early_due.is_some();
        let due = *window.early_due.get_or_insert(watermark.unwrap_or(time).saturating_add(early));
        if !known || is_new {
            agenda.early.push(due, &self.key, window.start);
        }
    }

    /// Tells a window that has ended, unless it has too few events, and keeps it to be amended.
    fn close(
        &mut self,
        at: usize,
        end: i64,
        is_new: bool,
        (cut, rules): (Cut, &Rules),
        agenda: &mut Agenda,
        out: &mut Vec<Closed>,
    ) {
        let window = &mut self.windows[at];
        if window.is_small(rules) {
            agenda.small += 1;
        } else {
            out.push(window.tell(&self.key, end, window.cause_at_end(), &rules.layout));
        }
        if !cut.keeps() {
            self.windows.remove(at);
            agenda.windows -= 1;
            return;
        }
        if is_new || window.phase != Phase::Told {
            agenda.expiring.push(end.saturating_add(rules.lateness), &self.key, window.start);
        }
        window.phase = Phase::Told;
    }
}

/// The window that a timer is of.
fn window_of<'a>(entities: &'a ByKey<Entity>, timer: &Timer) -> Option<&'a Window> {
    let entity = entities.get(&timer.key)?;
    Some(&entity.windows[entity.find(timer.start)?])
}

fn truth(holds_at: Option<i64>, timer: &Timer) -> Truth {
    match holds_at {
        None => Truth::Void,
        Some(time) if time > timer.time => Truth::Later(time),
        Some(_) => Truth::Holds,
    }
}

impl Apart {
    pub(super) fn new(cut: Cut) -> Self {
        Self { cut, entities: ByKey::default(), agenda: Agenda::default() }
    }

    /// Takes entities whose windows are in order, and notes what is due.
    pub(super) fn restore(cut: Cut, rules: &Rules, entities: Vec<Entity>, small: u64) -> Self {
        let mut apart = Self::new(cut);
        apart.agenda.small = small;
        apart.entities = entities.into_iter().map(|entity| (Arc::clone(&entity.key), entity)).collect();
        apart.agenda.windows = apart.entities.values().map(|entity| entity.windows.len()).sum();
        apart.note_all(rules);
        apart
    }

    /// Notes anew what is due.
    fn note_all(&mut self, rules: &Rules) {
        let Self { cut, entities, agenda } = self;
        [&mut agenda.closing, &mut agenda.expiring, &mut agenda.early].into_iter().for_each(Timers::clear);
        for entity in entities.values() {
            for window in &entity.windows {
                let end = cut.end(window.start, window.last);
                match window.phase {
                    Phase::Told => agenda.expiring.push(end.saturating_add(rules.lateness), &entity.key, window.start),
                    Phase::Open | Phase::Reopened => agenda.closing.push(end, &entity.key, window.start),
                }
                if let Some(due) = window.early_due {
                    agenda.early.push(due, &entity.key, window.start);
                }
            }
        }
    }

    /// Whether a window is open, and when it ends.
    fn closing_truth(cut: Cut, entities: &ByKey<Entity>, timer: &Timer) -> Truth {
        let open = window_of(entities, timer).filter(|window| window.phase != Phase::Told);
        truth(open.map(|window| cut.end(window.start, window.last)), timer)
    }

    fn expiring_truth(cut: Cut, lateness: i64, entities: &ByKey<Entity>, timer: &Timer) -> Truth {
        let kept = window_of(entities, timer).filter(|window| window.phase == Phase::Told);
        truth(kept.map(|window| cut.end(window.start, window.last).saturating_add(lateness)), timer)
    }

    fn early_truth(entities: &ByKey<Entity>, timer: &Timer) -> Truth {
        let due = window_of(entities, timer).and_then(|window| window.early_due);
        if due == Some(timer.time) { Truth::Holds } else { Truth::Void }
    }

    pub(super) fn observe(
        &mut self,
        rules: &Rules,
        event: &Event,
        watermark: Option<i64>,
        out: &mut Vec<Closed>,
    ) -> Placement {
        let how = (self.cut, rules);
        if let Some(entity) = self.entities.get_mut(event.key) {
            let placement = entity.take(how, &mut self.agenda, event, watermark, out);
            if entity.windows.is_empty() {
                self.entities.remove(event.key);
            }
            return placement;
        }
        let key: Arc<str> = event.key.into();
        let mut entity = Entity { key: Arc::clone(&key), windows: VecDeque::with_capacity(1) };
        let placement = entity.take(how, &mut self.agenda, event, watermark, out);
        if !entity.windows.is_empty() {
            self.entities.insert(key, entity);
        }
        placement
    }

    /// Tells what has ended by `now`, forgets what need not be kept any longer, then tells what is early due.
    pub(super) fn advance(&mut self, rules: &Rules, now: i64, out: &mut Vec<Closed>) {
        let Self { cut, entities, agenda } = self;
        while let Some(timer) = agenda.closing.pop_due(now, |timer| Self::closing_truth(*cut, entities, timer)) {
            let entity = entities.get_mut(&timer.key).expect(HOLDS);
            let at = entity.find(timer.start).expect(HOLDS);
            let end = cut.end(entity.windows[at].start, entity.windows[at].last);
            entity.close(at, end, false, (*cut, rules), agenda, out);
            if entity.windows.is_empty() {
                entities.remove(&timer.key);
            }
        }
        self.expire(rules, now);
        let Self { entities, agenda, cut } = self;
        while let Some(timer) = agenda.early.pop_due(now, |timer| Self::early_truth(entities, timer)) {
            let entity = entities.get_mut(&timer.key).expect(HOLDS);
            let at = entity.find(timer.start).expect(HOLDS);
            let window = &mut entity.windows[at];
            window.early_due = None;
            // The fewest events may have been others when it became due.
            if !window.is_small(rules) {
                let end = cut.end(window.start, window.last);
                out.push(window.tell(&entity.key, end, Cause::Early, &rules.layout));
            }
        }
        if agenda.closing.len() + agenda.expiring.len() + agenda.early.len() > 8 * agenda.windows + 1024 {
            self.note_all(rules);
        }
    }

    /// Forgets what need not be kept any longer.
    pub(super) fn expire(&mut self, rules: &Rules, now: i64) {
        let Self { cut, entities, agenda } = self;
        let of = |entities: &ByKey<Entity>, timer: &Timer| Self::expiring_truth(*cut, rules.lateness, entities, timer);
        while let Some(timer) = agenda.expiring.pop_due(now, |timer| of(entities, timer)) {
            forget(entities, agenda, &timer);
        }
    }

    /// Makes room until there are no more windows than allowed: first forgets what is only kept, then closes what is
    /// open, each time the one that ends first.
    pub(super) fn make_room(&mut self, rules: &Rules, out: &mut Vec<Closed>) -> MadeRoom {
        let Self { cut, entities, agenda } = self;
        let mut made = MadeRoom::default();
        while agenda.windows > rules.open_max {
            let of = |timer: &Timer| Self::expiring_truth(*cut, rules.lateness, entities, timer);
            if let Some(timer) = agenda.expiring.pop_first(of) {
                forget(entities, agenda, &timer);
                made.forgotten += 1;
                continue;
            }
            let first = agenda.closing.pop_first(|timer| Self::closing_truth(*cut, entities, timer));
            let timer = first.expect("each window is either kept or open, and has a timer");
            let entity = entities.get_mut(&timer.key).expect(HOLDS);
            let at = entity.find(timer.start).expect(HOLDS);
            let window = &mut entity.windows[at];
            if window.is_small(rules) {
                agenda.small += 1;
            } else {
                out.push(window.tell(&entity.key, timer.time, window.cause_at_end(), &rules.layout));
            }
            forget(entities, agenda, &timer);
            made.forced += 1;
        }
        made
    }

    /// When the next row is due.
    pub(super) fn next_deadline(&mut self) -> Option<i64> {
        let Self { cut, entities, agenda } = self;
        let closing = agenda.closing.first_due(|timer| Self::closing_truth(*cut, entities, timer));
        let early = agenda.early.first_due(|timer| Self::early_truth(entities, timer));
        closing.into_iter().chain(early).min()
    }

    pub(super) fn len(&self) -> usize {
        self.agenda.windows
    }

    /// Number of times that a row was left out for want of events.
    pub(super) fn small(&self) -> u64 {
        self.agenda.small
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let window = |window: &Window| window.totals.memory_bytes() + window.told.as_deref().map_or(0, size_of_val);
        let entity = |entity: &Entity| {
            let behind: usize = entity.windows.iter().map(window).sum();
            entity.key.len() + entity.windows.capacity() * size_of::<Window>() + behind
        };
        let Agenda { closing, expiring, early, .. } = &self.agenda;
        self.entities.capacity() * size_of::<(Arc<str>, Entity)>()
            + self.entities.values().map(entity).sum::<usize>()
            + [closing, expiring, early].into_iter().map(Timers::memory_bytes).sum::<usize>()
    }

    pub(super) fn inspect(&self, rules: &Rules, key: &str) -> Vec<OpenWindow> {
        let show = |window: &Window| OpenWindow {
            start: EventTime(window.start),
            end: EventTime(self.cut.end(window.start, window.last)),
            kept: window.phase == Phase::Told,
            rows: window.rows,
            events: window.totals.events,
            values: window.totals.values(&rules.layout),
        };
        self.entities.get(key).map(|entity| entity.windows.iter().map(show).collect()).unwrap_or_default()
    }
}

const HOLDS: &str = "a timer that holds is of a window that exists";

fn forget(entities: &mut ByKey<Entity>, agenda: &mut Agenda, timer: &Timer) {
    let Some(entity) = entities.get_mut(&timer.key) else { return };
    let Some(at) = entity.find(timer.start) else { return };
    entity.windows.remove(at);
    agenda.windows -= 1;
    if entity.windows.is_empty() {
        entities.remove(&timer.key);
    }
}
