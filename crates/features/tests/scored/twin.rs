//! The slow, obvious twin: keeps every event, cuts them into windows from scratch after each, and compares what it
//! finds with what it has told. Sessions with an age and counts depend on the order of arrival, so of those it keeps
//! which events were put together, as plain lists.

use std::collections::BTreeMap;

use lapwing_features::{
    Cause, Closed, Placement, ScoredWindowSpec, Texts, WindowColumn, WindowKind, WindowMeasure, WindowText,
};
use lapwing_vocabulary::EventTime;

use super::Ev;

/// What was told of a window.
struct Told {
    /// Whether it had ended in any row.
    ended: bool,
    /// Whether it had ended in the last row.
    at_end: bool,
    rows: u32,
    events: u64,
    values: Vec<f64>,
}

/// A window, cut from scratch.
struct Cut {
    key: String,
    start: i64,
    end: i64,
    full: bool,
    events: Vec<Ev>,
}

pub(crate) struct Twin {
    spec: ScoredWindowSpec,
    /// Lists of events that belong together; one list of all where that follows from the times.
    groups: Vec<Vec<Ev>>,
    told: BTreeMap<(String, i64), Told>,
    due: BTreeMap<(String, i64), i64>,
    /// Of ended windows that gave no row, how many events they had.
    withheld: BTreeMap<(String, i64), usize>,
    watermark: i64,
    pub(crate) small: u64,
}

impl Twin {
    pub(crate) fn new(spec: ScoredWindowSpec) -> Self {
        let (told, due, withheld) = Default::default();
        Self { spec, groups: Vec::new(), told, due, withheld, watermark: i64::MIN / 2, small: 0 }
    }

    pub(crate) fn observe(&mut self, event: &Ev, watermark: i64) -> (Placement, Vec<Closed>) {
        let mut rows = self.advance(watermark);
        if let Some(by_micros) = self.too_late(event) {
            return (Placement::TooLate { by_micros }, rows);
        }
        let before = self.told_starts();
        self.put(event);
        let cuts = self.cuts();
        self.let_go(&cuts, event);
        let mut amended = cuts.iter().any(|cut| holds(cut, event) && self.is_kept(cut) && self.had_ended(cut));
        for name in before.iter().filter(|name| cuts.iter().all(|cut| (&cut.key, cut.start) != (&name.0, name.1))) {
            let told = self.told.remove(name).unwrap();
            amended |= told.ended;
            rows.push(withdrawn(name, told, values(&self.spec, &[])));
        }
        self.note_early(&cuts, event);
        rows.extend(self.tell());
        (Placement::Taken { amended }, rows)
    }

    pub(crate) fn advance(&mut self, watermark: i64) -> Vec<Closed> {
        self.watermark = self.watermark.max(watermark);
        self.tell()
    }

    fn told_starts(&self) -> Vec<(String, i64)> {
        self.told.keys().cloned().collect()
    }

    fn is_kept(&self, cut: &Cut) -> bool {
        !matches!(self.spec.kind, WindowKind::Sliding { .. })
            || cut.end + self.spec.allowed_lateness_micros > self.watermark
    }

    /// Of the sliding windows of an event those that are not kept any longer say nothing of it.
    fn let_go(&mut self, cuts: &[Cut], event: &Ev) {
        let gone: Vec<&Cut> = cuts.iter().filter(|cut| holds(cut, event) && !self.is_kept(cut)).collect();
        for cut in gone {
            let told = Told { ended: true, at_end: true, rows: 0, events: cut.events.len() as u64, values: Vec::new() };
            self.told.insert((cut.key.clone(), cut.start), told);
        }
    }

    fn had_ended(&self, cut: &Cut) -> bool {
        self.told.get(&(cut.key.clone(), cut.start)).is_some_and(|told| told.ended)
    }

    /// By how much an event is too late: none of its windows is kept.
    fn too_late(&self, event: &Ev) -> Option<i64> {
        let (time, lateness) = (event.time(), self.spec.allowed_lateness_micros);
        let own_end = match self.spec.kind {
            WindowKind::Tumbling { size_micros } => time.div_euclid(size_micros) * size_micros + size_micros,
            WindowKind::Sliding { size_micros, step_micros } => {
                time.div_euclid(step_micros) * step_micros + size_micros
            }
            WindowKind::Session { gap_micros, age_micros_max } => {
                time + gap_micros.min(age_micros_max.unwrap_or(i64::MAX))
            }
            WindowKind::CountOrTimeout { .. } => {
                return Some(self.watermark - time - lateness).filter(|by| *by > 0);
            }
        };
        let session = matches!(self.spec.kind, WindowKind::Session { .. });
        if session && self.group_for(event).is_some() {
            return None;
        }
        Some(self.watermark - own_end - lateness + 1).filter(|by| *by > 0)
    }

    /// The session or count that an event joins.
    fn group_for(&self, event: &Ev) -> Option<usize> {
        let own = |group: &&(usize, &Vec<Ev>)| group.1[0].key == event.key;
        let mut groups: Vec<(usize, &Vec<Ev>)> = self.groups.iter().enumerate().collect();
        groups.sort_by_key(|(_, group)| start_of(group));
        let time = event.time();
        match self.spec.kind {
            WindowKind::CountOrTimeout { .. } => groups.iter().find(own).map(|(at, _)| *at),
            WindowKind::Session { gap_micros, age_micros_max } => {
                let age = age_micros_max.unwrap_or(i64::MAX);
                let before = groups.iter().filter(own).rfind(|(_, group)| start_of(group) <= time);
                if let Some((at, _)) = before.filter(|(_, group)| time < self.end_of(group)) {
                    return Some(*at);
                }
                let after = groups.iter().filter(own).find(|(_, group)| start_of(group) > time)?;
                let young = last_of(after.1) - time < age;
                (start_of(after.1) < time + gap_micros.min(age) && young).then_some(after.0)
            }
            _ => Some(0).filter(|_| !self.groups.is_empty()),
        }
    }

    /// When a session or count ends.
    fn end_of(&self, group: &[Ev]) -> i64 {
        let (gap, age) = match self.spec.kind {
            WindowKind::Session { gap_micros, age_micros_max } => (Some(gap_micros), age_micros_max),
            WindowKind::CountOrTimeout { gap_micros, age_micros_max, .. } => (gap_micros, age_micros_max),
            _ => (None, None),
        };
        let by_gap = gap.map_or(i64::MAX, |gap| last_of(group) + gap);
        by_gap.min(age.map_or(i64::MAX, |age| start_of(group) + age))
    }

    fn put(&mut self, event: &Ev) {
        let mut at = self.group_for(event).unwrap_or_else(|| {
            self.groups.push(Vec::new());
            self.groups.len() - 1
        });
        self.groups[at].push(event.clone());
        let WindowKind::Session { age_micros_max, .. } = self.spec.kind else { return };
        let age = age_micros_max.unwrap_or(i64::MAX);
        loop {
            let (start, end, last) =
                (start_of(&self.groups[at]), self.end_of(&self.groups[at]), last_of(&self.groups[at]));
            let others = self.groups.iter().enumerate().filter(|(_, other)| other[0].key == event.key);
            let next = others.filter(|(_, other)| start_of(other) > start).min_by_key(|(_, other)| start_of(other));
            let Some((next, group)) = next else { return };
            if start_of(group) >= end || last.max(last_of(group)) - start >= age {
                return;
            }
            let group = self.groups.remove(next);
            at -= usize::from(next < at);
            self.groups[at].extend(group);
        }
    }

    /// All windows, from scratch.
    fn cuts(&self) -> Vec<Cut> {
        let mut cuts: BTreeMap<(String, i64), Cut> = BTreeMap::new();
        for event in self.groups.iter().flatten() {
            let (size, step) = match self.spec.kind {
                WindowKind::Tumbling { size_micros } => (size_micros, size_micros),
                WindowKind::Sliding { size_micros, step_micros } => (size_micros, step_micros),
                _ => break,
            };
            let mut start = event.time().div_euclid(step) * step;
            while start + size > event.time() {
                let (key, events) = (event.key.clone(), Vec::new());
                let cut = Cut { key: key.clone(), start, end: start + size, full: false, events };
                cuts.entry((key, start)).or_insert(cut).events.push(event.clone());
                start -= step;
            }
        }
        if !cuts.is_empty() {
            return cuts.into_values().collect();
        }
        let cut = |group: &Vec<Ev>| {
            let full =
                matches!(self.spec.kind, WindowKind::CountOrTimeout { events, .. } if group.len() as u64 >= events);
            let end = if full { last_of(group) } else { self.end_of(group) };
            Cut { key: group[0].key.clone(), start: start_of(group), end, full, events: group.clone() }
        };
        self.groups.iter().map(cut).collect()
    }

    /// The first event that the last row of a window does not hold sets the time of its next early row.
    fn note_early(&mut self, cuts: &[Cut], event: &Ev) {
        let Some(early) = self.spec.early_micros else { return };
        let told: Vec<&Cut> = cuts.iter().filter(|cut| holds(cut, event) && !self.is_small(cut)).collect();
        for cut in told {
            let begins = |start: i64| start == cut.start || cut.events.iter().any(|held| held.time() == start);
            let inside = |name: &(String, i64)| name.0 == cut.key && begins(name.1);
            let joined = self.due.iter().filter(|(name, _)| inside(name)).map(|(_, due)| *due).min();
            self.due.retain(|name, _| !inside(name));
            self.due.insert((cut.key.clone(), cut.start), joined.unwrap_or(self.watermark + early));
        }
    }

    /// Whether a window has too few events to be told, and never was.
    fn is_small(&self, cut: &Cut) -> bool {
        !self.told.contains_key(&(cut.key.clone(), cut.start)) && (cut.events.len() as u64) < self.spec.events_min
    }

    /// Tells every window of which the last row is not what it should be by now.
    fn tell(&mut self) -> Vec<Closed> {
        let mut rows = Vec::new();
        let cuts = self.cuts();
        self.withheld.retain(|name, _| cuts.iter().any(|cut| (&cut.key, cut.start) == (&name.0, name.1)));
        for cut in cuts {
            let name = (cut.key.clone(), cut.start);
            let ended = cut.full || cut.end <= self.watermark;
            let early = self.due.get(&name).is_some_and(|due| *due <= self.watermark);
            let told = self.told.get(&name);
            let known = told.is_some_and(|told| told.at_end && told.events == cut.events.len() as u64);
            if (!ended && !early) || (ended && known) {
                continue;
            }
            if self.is_small(&cut) {
                let known = self.withheld.insert(name, cut.events.len());
                self.small += u64::from(known != Some(cut.events.len()));
                continue;
            }
            let had_ended = told.is_some_and(|told| told.ended);
            let cause = match (ended, had_ended) {
                (false, _) => Cause::Early,
                (true, false) => Cause::Final,
                (true, true) => Cause::Amended,
            };
            let row = row(&self.spec, &cut, cause, told);
            self.due.remove(&name);
            let (rows_so_far, events) = (row.revision + 1, row.events);
            let values = row.values.clone();
            let told = Told { ended: ended || had_ended, at_end: ended, rows: rows_so_far, events, values };
            self.told.insert(name, told);
            rows.push(row);
        }
        rows.sort_by(|a, b| (a.end, &a.key, a.start).cmp(&(b.end, &b.key, b.start)));
        self.forget();
        rows
    }

    /// Sessions that are not kept any longer are out of reach; counts are so as soon as they are told.
    fn forget(&mut self) {
        let kept_for = match self.spec.kind {
            WindowKind::Session { .. } => self.spec.allowed_lateness_micros,
            WindowKind::CountOrTimeout { .. } => 0,
            _ => return,
        };
        let gone = |cut: &Cut| cut.full || cut.end + kept_for <= self.watermark;
        let cuts = self.cuts();
        let mut kept = cuts.iter().map(|cut| !gone(cut));
        self.groups.retain(|_| kept.next().unwrap());
        for cut in cuts.iter().filter(|cut| gone(cut)) {
            self.told.remove(&(cut.key.clone(), cut.start));
            self.due.remove(&(cut.key.clone(), cut.start));
        }
    }
}

fn start_of(group: &[Ev]) -> i64 {
    group.iter().map(Ev::time).min().unwrap()
}

fn last_of(group: &[Ev]) -> i64 {
    group.iter().map(Ev::time).max().unwrap()
}

fn holds(cut: &Cut, event: &Ev) -> bool {
    cut.events.iter().any(|held| held.offset == event.offset)
}

fn row(spec: &ScoredWindowSpec, cut: &Cut, cause: Cause, told: Option<&Told>) -> Closed {
    let mut offsets: Vec<i64> = cut.events.iter().map(|event| event.offset).collect();
    offsets.sort_unstable();
    let (first_offset, last_offset) = (offsets[0], offsets[offsets.len() - 1]);
    if offsets.len() > 16 {
        offsets.drain(8..offsets.len() - 8);
    }
    Closed {
        key: cut.key.clone(),
        start: EventTime(cut.start),
        end: EventTime(cut.end),
        cause,
        revision: told.map_or(0, |told| told.rows),
        events: cut.events.len() as u64,
        first_offset,
        last_offset,
        offsets,
        values: values(spec, &cut.events),
        texts: spec.texts.map_or_else(Vec::new, |of| texts(of, &cut.events)),
        before: told.map(|told| told.values.clone()),
    }
}

fn withdrawn((key, start): &(String, i64), told: Told, values: Vec<f64>) -> Closed {
    Closed {
        key: key.clone(),
        start: EventTime(*start),
        end: EventTime(*start),
        cause: Cause::Amended,
        revision: told.rows,
        events: 0,
        first_offset: 0,
        last_offset: 0,
        offsets: Vec::new(),
        values,
        texts: Vec::new(),
        before: Some(told.values),
    }
}

/// The values of a row.
fn values(spec: &ScoredWindowSpec, events: &[Ev]) -> Vec<f64> {
    let mut events: Vec<&Ev> = events.iter().collect();
    events.sort_by_key(|event| (event.second, event.offset));
    spec.columns.iter().flat_map(|column| measured(column, &events)).collect()
}

/// The values of a column, of the events by event time, then offset.
fn measured(column: &WindowColumn, events: &[&Ev]) -> Vec<f64> {
    let is_known = |event: &&&Ev| column.column.is_none() || event.value.is_finite();
    let known: Vec<&Ev> = events.iter().filter(is_known).copied().collect();
    let values: Vec<f64> = known.iter().map(|event| event.value).collect();
    let n = values.len() as f64;
    let sum: f64 = values.iter().fold(0.0, |sum, value| sum + value);
    let mean = if values.is_empty() { f64::NAN } else { sum / n };
    let pick = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick).unwrap_or(f64::NAN);
    let value = match column.measure {
        WindowMeasure::Count => n,
        WindowMeasure::Sum => sum,
        WindowMeasure::Mean => mean,
        WindowMeasure::Min => pick(f64::min),
        WindowMeasure::Max => pick(f64::max),
        WindowMeasure::Std if values.len() < 2 => f64::NAN,
        WindowMeasure::Std => {
            let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
            (squares / (n - 1.0)).sqrt()
        }
        WindowMeasure::First => pick(|first, _| first),
        WindowMeasure::Last => pick(|_, last| last),
        WindowMeasure::Distinct => {
            let mut different = values.clone();
            different.sort_by(f64::total_cmp);
            different.dedup();
            different.len() as f64
        }
        WindowMeasure::Counts => {
            let of = |code: usize| values.iter().filter(|value| **value == code as f64).count() as f64;
            let mut counts: Vec<f64> = (1..=column.labels.len()).map(of).collect();
            counts.push(n - counts.iter().sum::<f64>());
            return counts;
        }
        WindowMeasure::Sequence => {
            return (0..column.length).map(|at| values.get(at).copied().unwrap_or(f64::NAN)).collect();
        }
        WindowMeasure::Span => match (known.first(), known.last()) {
            (Some(oldest), Some(newest)) => (newest.second - oldest.second) as f64,
            _ => f64::NAN,
        },
    };
    vec![value]
}

/// The texts of the oldest and the newest events.
fn texts(of: Texts, events: &[Ev]) -> Vec<WindowText> {
    let mut events: Vec<&Ev> = events.iter().filter(|event| event.text().is_some()).collect();
    events.sort_by_key(|event| (event.second, event.offset));
    if events.len() > of.events {
        events.drain(of.events.div_ceil(2)..events.len() - of.events / 2);
    }
    let show = |event: &&Ev| {
        let text = event.text().unwrap();
        let mut kept = text.clone();
        while kept.len() > of.bytes {
            kept.pop();
        }
        let is_cut = kept != text;
        WindowText { offset: event.offset, time: EventTime(event.time()), text: kept.into(), is_cut }
    };
    events.iter().map(show).collect()
}
