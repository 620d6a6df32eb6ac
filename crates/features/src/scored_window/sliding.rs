//! Windows that overlap are made of panes of one step each: an event touches one pane, and a row merges the panes of its
//! window. Pane i holds the events of `[i·step, (i + 1)·step)`; window w ends at `w·step` and holds the panes before w,
//! as many as a window has. So whether a window has been told follows from the watermark, and what was told of it
//! before an event from the panes without that event; neither is stored.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lapwing_vocabulary::EventTime;

use super::apart::{ByKey, MadeRoom};
use super::layout::Layout;
use super::row::{Cause, Closed, OpenWindow, Placement};
use super::rules::{Event, Rules, Slide};
use super::timers::{Timers, Truth};
use super::totals::Totals;

/// The events of one step.
#[derive(Clone, Debug)]
pub(super) struct Pane {
    pub(super) index: i64,
    pub(super) totals: Totals,
}

/// The panes of one entity, ordered, none without events.
#[derive(Clone, Debug)]
pub(super) struct Entity {
    pub(super) key: Arc<str>,
    pub(super) panes: VecDeque<Pane>,
    /// Number of rows of the windows that have been amended.
    pub(super) amended: BTreeMap<i64, u32>,
    /// The last window that was closed to make room; up to it nothing more is told.
    pub(super) silent_to: Option<i64>,
    /// The window that is told next.
    next: Option<i64>,
}

/// All panes of a partition.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    slide: Slide,
    pub(super) entities: ByKey<Entity>,
    closing: Timers,
    expiring: Timers,
    panes: usize,

    small: u64,
}

impl Slide {
    /// The last window that has ended.
    fn ended(self, watermark: Option<i64>) -> i64 {
        watermark.map_or(i64::MIN, |now| now.div_euclid(self.step))
    }

    fn end(self, window: i64) -> i64 {
        window * self.step
    }

    /// Until when a pane can be needed.
    fn needed_to(self, pane: i64, lateness: i64) -> i64 {
        self.end(pane + self.panes) + lateness
    }
}

impl Entity {
    pub(super) fn new(key: Arc<str>) -> Self {
        Self { key, panes: VecDeque::with_capacity(1), amended: BTreeMap::new(), silent_to: None, next: None }
    }

    /// The first window from this one on that holds a pane.
    fn window_from(&self, window: i64, slide: Slide) -> Option<i64> {
        let at = self.panes.partition_point(|pane| pane.index.saturating_add(slide.panes) < window);
        self.panes.get(at).map(|pane| window.max(pane.index + 1))
    }

    /// The first window that neither has ended nor was closed to make room.
    fn open_from(&self, ended: i64) -> i64 {
        self.silent_to.map_or(ended, |silent| silent.max(ended)).saturating_add(1)
    }

    /// The panes of a window, merged.
    fn merged(&self, window: i64, slide: Slide, layout: &Layout) -> Totals {
        let from = self.panes.partition_point(|pane| pane.index < window - slide.panes);
        let mut totals = Totals::new(layout);
        let inside = self.panes.range(from..).take_while(|pane| pane.index < window);
        inside.for_each(|pane| totals.merge(layout, &pane.totals));
        totals
    }

    fn row(&self, window: i64, slide: Slide, layout: &Layout, before: Option<Vec<f64>>) -> Closed {
        let totals = self.merged(window, slide, layout);
        let offsets = totals.offsets.as_slice().to_vec();
        Closed {
            key: self.key.to_string(),
            start: EventTime(slide.end(window - slide.panes)),
            end: EventTime(slide.end(window)),
            cause: if before.is_some() { Cause::Amended } else { Cause::Final },
            revision: if before.is_some() { self.amended.get(&window).copied().unwrap_or(1) } else { 0 },
            events: totals.events,
            first_offset: offsets.first().copied().unwrap_or_default(),
            last_offset: offsets.last().copied().unwrap_or_default(),
            values: totals.values(layout),
            texts: totals.texts(),
            offsets,
            before,
        }
    }

    /// Number of events of a window.
    fn events(&self, window: i64, slide: Slide) -> u64 {
        let from = self.panes.partition_point(|pane| pane.index < window - slide.panes);
        let inside = self.panes.range(from..).take_while(|pane| pane.index < window);
        inside.fold(0, |events, pane| events.saturating_add(pane.totals.events))
    }

    /// The first row of a window, unless it has too few events, which is counted.
    fn first_row(&self, window: i64, slide: Slide, rules: &Rules, small: &mut u64) -> Option<Closed> {
        if self.events(window, slide) < rules.events_min {
            *small += 1;
            return None;
        }
        Some(self.row(window, slide, &rules.layout, None))
    }

    /// Adds an event to its pane; answers whether the pane is new.
    fn add(&mut self, index: i64, layout: &Layout, event: &Event) -> bool {
        let at = self.panes.partition_point(|pane| pane.index < index);
        let is_new = self.panes.get(at).is_none_or(|pane| pane.index != index);
        if is_new {
            self.panes.insert(at, Pane { index, totals: Totals::new(layout) });
        }
        self.panes[at].totals.add(layout, event);
        is_new
    }
}

impl Sliding {
    pub(super) fn new(slide: Slide) -> Self {
        let (closing, expiring) = (Timers::default(), Timers::default());
        Self { slide, entities: ByKey::default(), closing, expiring, panes: 0, small: 0 }
    }

    /// Takes entities whose panes are in order, and notes what is due.
    pub(super) fn restore(
        slide: Slide,
        rules: &Rules,
        entities: Vec<Entity>,
        watermark: Option<i64>,
        small: u64,
    ) -> Self {
        let mut sliding = Self { small, ..Self::new(slide) };
        for mut entity in entities {
            sliding.panes += entity.panes.len();
            entity.next = entity.window_from(entity.open_from(slide.ended(watermark)), slide);
            sliding.entities.insert(Arc::clone(&entity.key), entity);
        }
        sliding.note_all(rules);
        sliding
    }

    /// Notes anew what is due.
    fn note_all(&mut self, rules: &Rules) {
        self.closing.clear();
        self.expiring.clear();
        for entity in self.entities.values() {
            note_closing(&mut self.closing, entity, self.slide);
            note_expiring(&mut self.expiring, entity, self.slide, rules.lateness);
        }
    }

    pub(super) fn observe(
        &mut self,
        rules: &Rules,
        event: &Event,
        watermark: Option<i64>,
        out: &mut Vec<Closed>,
    ) -> Placement {
        let slide = self.slide;
        let pane = event.time.div_euclid(slide.step);
        let needed_to = slide.needed_to(pane, rules.lateness);
        if let Some(now) = watermark.filter(|now| needed_to <= *now) {
            return Placement::TooLate { by_micros: now - needed_to + 1 };
        }
        if !self.entities.contains_key(event.key) {
            let key: Arc<str> = event.key.into();
            self.entities.insert(Arc::clone(&key), Entity::new(key));
        }
        let entity = self.entities.get_mut(event.key).expect("it is there, or has just been inserted");
        let counts = (&mut self.panes, &mut self.small);
        let amended = take(entity, (slide, rules), event, watermark, counts, out);
        if entity.panes.front().is_some_and(|front| front.index == pane && front.totals.events == 1) {
            note_expiring(&mut self.expiring, entity, slide, rules.lateness);
        }
        let next = entity.window_from(entity.open_from(slide.ended(watermark)), slide);
        if next != entity.next {
            entity.next = next;
            note_closing(&mut self.closing, entity, slide);
        }
        Placement::Taken { amended }
    }

    /// Tells what has ended by `now`, then forgets what need not be kept any longer.
    pub(super) fn advance(&mut self, rules: &Rules, now: i64, out: &mut Vec<Closed>) {
        let Self { slide, entities, closing, small, .. } = self;
        let ended = slide.ended(Some(now));
        while let Some(timer) = closing.pop_due(now, |timer| closing_truth(*slide, entities, &timer.key, timer.time)) {
            let entity = entities.get_mut(&timer.key).expect(HOLDS);
            while let Some(window) = entity.next.filter(|window| *window <= ended) {
                out.extend(entity.first_row(window, *slide, rules, small));
                entity.next = entity.window_from(window + 1, *slide);
            }
            note_closing(closing, entity, *slide);
        }
        self.expire(rules, now);
        if self.closing.len() + self.expiring.len() > 8 * self.panes + 1024 {
            self.note_all(rules);
        }
    }

    /// Forgets what need not be kept any longer.
    pub(super) fn expire(&mut self, rules: &Rules, now: i64) {
        let Self { slide, entities, expiring, panes, .. } = self;
        let (slide, lateness) = (*slide, rules.lateness);
        let of = |entities: &ByKey<Entity>, key: &str, time| expiring_truth(slide, lateness, entities, key, time);
        while let Some(timer) = expiring.pop_due(now, |timer| of(entities, &timer.key, timer.time)) {
            let entity = entities.get_mut(&timer.key).expect(HOLDS);
            while entity.panes.front().is_some_and(|front| slide.needed_to(front.index, lateness) <= now) {
                entity.panes.pop_front();
                *panes -= 1;
            }
            entity.amended = entity.amended.split_off(&((now - lateness).div_euclid(slide.step) + 1));
            if entity.panes.is_empty() {
                entities.remove(&timer.key);
            } else {
                note_expiring(expiring, entity, slide, lateness);
            }
        }
    }

    /// Makes room until there are no more panes than allowed: each time the oldest pane goes, after the windows that
    /// hold it have been told.
    pub(super) fn make_room(&mut self, rules: &Rules, watermark: Option<i64>, out: &mut Vec<Closed>) -> MadeRoom {
        let Self { slide, entities, closing, expiring, panes, small } = self;
        let mut made = MadeRoom::default();
        while *panes > rules.open_max {
            let of = |key: &str, time| expiring_truth(*slide, rules.lateness, entities, key, time);
            let first = expiring.pop_first(|timer| of(&timer.key, timer.time));
            let timer = first.expect("each entity has a pane, and its oldest a timer");
            let entity = entities.get_mut(&timer.key).expect(HOLDS);
            let front = entity.panes.front().expect("an entity without panes is removed").index;
            let told = entity.open_from(slide.ended(watermark)).max(front + 1)..=front + slide.panes;
            if told.is_empty() {
                made.forgotten += 1;
            } else {
                made.forced += told.clone().count() as u64;
                out.extend(told.filter_map(|window| entity.first_row(window, *slide, rules, small)));
                entity.silent_to = Some(front + slide.panes);
            }
            entity.panes.pop_front();
            *panes -= 1;
            entity.next = entity.window_from(entity.open_from(slide.ended(watermark)), *slide);
            if entity.panes.is_empty() {
                entities.remove(&timer.key);
                continue;
            }
            note_closing(closing, entity, *slide);
            note_expiring(expiring, entity, *slide, rules.lateness);
        }
        made
    }

    /// When the next row is due.
    pub(super) fn next_deadline(&mut self) -> Option<i64> {
        let Self { slide, entities, closing, .. } = self;
        closing.first_due(|timer| closing_truth(*slide, entities, &timer.key, timer.time))
    }

    pub(super) fn len(&self) -> usize {
        self.panes
    }

    /// Number of times that a row was left out for want of events.
    pub(super) fn small(&self) -> u64 {
        self.small
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let entity = |entity: &Entity| {
            let behind: usize = entity.panes.iter().map(|pane| pane.totals.memory_bytes()).sum();
            let amended = entity.amended.len() * size_of::<(i64, u32)>();
            entity.key.len() + entity.panes.capacity() * size_of::<Pane>() + behind + amended
        };
        self.entities.capacity() * size_of::<(Arc<str>, Entity)>()
            + self.entities.values().map(entity).sum::<usize>()
            + self.closing.memory_bytes()
            + self.expiring.memory_bytes()
    }

    pub(super) fn inspect(&self, rules: &Rules, key: &str, watermark: Option<i64>) -> Vec<OpenWindow> {
        let (slide, ended) = (self.slide, self.slide.ended(watermark));
        let Some(entity) = self.entities.get(key) else { return Vec::new() };
        let windows =
            std::iter::successors(entity.window_from(i64::MIN, slide), |window| entity.window_from(window + 1, slide));
        let needed = |window: &i64| watermark.is_none_or(|now| slide.end(*window) + rules.lateness > now);
        let show = |window: i64| {
            let totals = entity.merged(window, slide, &rules.layout);
            let kept = window < entity.open_from(ended);
            let was_told = kept && totals.events >= rules.events_min;
            OpenWindow {
                start: EventTime(slide.end(window - slide.panes)),
                end: EventTime(slide.end(window)),
                kept,
                rows: if was_told { entity.amended.get(&window).copied().unwrap_or(1) } else { 0 },
                events: totals.events,
                values: totals.values(&rules.layout),
            }
        };
        windows.filter(needed).map(show).collect()
    }
}

const HOLDS: &str = "a timer that holds is of an entity that exists";

/// Adds an event to its pane and amends those of its windows that have ended; answers whether one had been told.
fn take(
    entity: &mut Entity,
    (slide, rules): (Slide, &Rules),
    event: &Event,
    watermark: Option<i64>,
    (panes, small): (&mut usize, &mut u64),
    out: &mut Vec<Closed>,
) -> bool {
    let pane = event.time.div_euclid(slide.step);
    let ended = slide.ended(watermark);
    let silent = entity.silent_to.unwrap_or(i64::MIN);
    let kept = |window: &i64| watermark.is_some_and(|now| slide.end(*window) + rules.lateness > now);
    let late = (pane + 1..=(pane + slide.panes).min(ended)).filter(|window| *window > silent && kept(window));
    let told = |window: i64| {
        let totals = entity.merged(window, slide, &rules.layout);
        (window, (totals.events >= rules.events_min).then(|| totals.values(&rules.layout)))
    };
    let late: Vec<(i64, Option<Vec<f64>>)> = late.map(told).collect();
    *panes += usize::from(entity.add(pane, &rules.layout, event));
    let mut amended = false;
    for (window, before) in late {
        if before.is_none() {
            out.extend(entity.first_row(window, slide, rules, small));
            continue;
        }
        let row = entity.row(window, slide, &rules.layout, before);
        entity.amended.insert(window, row.revision.saturating_add(1));
        amended = true;
        out.push(row);
    }
    amended
}

/// Notes when the next window of an entity ends.
fn note_closing(closing: &mut Timers, entity: &Entity, slide: Slide) {
    if let Some(window) = entity.next {
        closing.push(slide.end(window), &entity.key, 0);
    }
}

/// Notes until when the oldest pane of an entity is needed.
fn note_expiring(expiring: &mut Timers, entity: &Entity, slide: Slide, lateness: i64) {
    if let Some(front) = entity.panes.front() {
        expiring.push(slide.needed_to(front.index, lateness), &entity.key, 0);
    }
}

fn closing_truth(slide: Slide, entities: &ByKey<Entity>, key: &str, time: i64) -> Truth {
    match entities.get(key).and_then(|entity| entity.next) {
        Some(window) if slide.end(window) == time => Truth::Holds,
        // Whenever another window became the next one, it got a timer of its own.
        _ => Truth::Void,
    }
}

fn expiring_truth(slide: Slide, lateness: i64, entities: &ByKey<Entity>, key: &str, time: i64) -> Truth {
    let front = entities.get(key).and_then(|entity| entity.panes.front());
    match front.map(|front| slide.needed_to(front.index, lateness)) {
        Some(needed_to) if needed_to == time => Truth::Holds,
        // Whenever another pane became the oldest, it got a timer of its own.
        _ => Truth::Void,
    }
}
