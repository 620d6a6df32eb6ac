use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::SchemaRef;
use lapwing_vocabulary::{DeadLetter, EventBatch, EventTime, Partition, Reason, Records, Stage};

use super::counts::Counts;
use super::interval::{Insertion, MATCHES_MAX};
use super::memory::{Claim, Memory, Waiting};
use super::plan::JoinPlan;
use super::value::{Row, column, read_row};
use super::{stored, stream};
use crate::aggregate::text_column;
use crate::decode::{DecodeOptions, Decoded, Decoder};
use crate::enrich::pick;
use crate::settings::JoinKind;

/// What the join stage of every partition is made of.
#[derive(Clone, Debug)]
pub struct Joins {
    /// What is joined.
    pub plans: Arc<[JoinPlan]>,
    /// How events are decoded.
    pub events: DecodeOptions,
    /// Columns of the events with what is joined to them.
    pub schema: SchemaRef,
    /// The topic that is read.
    pub topic: Arc<str>,
    /// How far an event may lag behind the newest and still count. Units: microseconds.
    pub lateness_micros: i64,
}

/// The join stage of one partition, with decode before it. Without joins events pass as they are decoded.
pub struct Join {
    plans: Arc<[JoinPlan]>,
    topic: Arc<str>,
    partition: Partition,
    events: Decoder,
    /// Decodes events that waited: what was accepted when it came is not refused when it goes on.
    again: Decoder,
    sides: Vec<Decoder>,
    schema: SchemaRef,
    memory: Memory,
    counts: Counts,
    /// For each join whether it was said that it has come to its bounds.
    warned: Vec<bool>,
}

/// What came of a batch of records.
#[derive(Debug)]
pub struct Joined {
    /// The events that go on, with what was joined to them.
    pub events: EventBatch,
    /// For each event the index of its record: in `released` if there is one, else in the batch.
    pub records: Vec<u32>,
    /// The records of the events, where events wait.
    pub released: Option<Records>,
    /// Records set aside: index in the batch, and why.
    pub dead: Vec<(u32, DeadLetter)>,
    /// Joined records that came too late: index in the batch, and by how many microseconds.
    pub late: Vec<(u32, i64)>,
    /// Values that were written in another type than their column's.
    pub coerced: u64,
    /// Keys that lines name beyond those that count.
    pub keys_cut: u64,
}

/// What a record of a batch is.
#[derive(Clone, Copy)]
enum Found {
    /// Set aside, or of no stream that is joined.
    Nothing,
    /// An event: its row.
    Event(u32),
    /// A record of a joined topic: the join, and its row.
    Side(usize, u32),
    /// The deletion of a row of a table.
    Deletion(usize),
}

/// The decoded records of a batch, by stream.
struct Streams {
    events: Decoded,
    /// For each join the column of the events that it compares.
    on: Vec<StringArray>,
    sides: Vec<(Decoded, StringArray)>,
    found: Vec<Found>,
}

/// Events that go on, before they are put together.
struct Going {
    /// Row of each: of the batch, or of those that waited.
    rows: Vec<u32>,
    /// For each join what is joined to each.
    matches: Vec<Vec<Option<Row>>>,
    /// The records of those that waited.
    released: Records,
}

impl Join {
    /// A stage that remembers nothing yet.
    /// Errors: text that says which key or time column the schema lacks.
    pub fn new(made_of: Joins, partition: Partition) -> Result<Self, String> {
        let Joins { plans, events, schema, topic, lateness_micros } = made_of;
        let sides = plans.iter().map(|join| Decoder::new(join.decode.clone()));
        let unbounded = DecodeOptions { max_future_micros: i64::MAX, max_record_bytes: usize::MAX, ..events.clone() };
        Ok(Self {
            events: Decoder::new(events)?,
            again: Decoder::new(unbounded)?,
            sides: sides.collect::<Result<_, _>>()?,
            memory: Memory::new(&plans, lateness_micros),
            counts: Counts::of(&plans),
            warned: vec![false; plans.len()],
            plans,
            topic,
            partition,
            schema,
        })
    }

    /// Whether anything is joined.
    pub fn is_there(&self) -> bool {
        !self.plans.is_empty()
    }

    /// Decodes records and joins them, one after the other.
    pub fn join(&mut self, records: &Records, range: Range<usize>) -> Joined {
        if !self.is_there() {
            let Decoded { events, records, dead, coerced, keys_cut } = self.events.decode(records, range);
            return Joined { events, records, released: None, dead, late: Vec::new(), coerced, keys_cut };
        }
        let decoded = self.decode(records, range.clone());
        let mut going = self.going();
        let mut dead: Vec<(u32, DeadLetter)> = decoded.events.dead.clone();
        dead.extend(decoded.sides.iter().flat_map(|(side, _)| side.dead.iter().cloned()));
        let mut late = Vec::new();
        for (index, found) in range.zip(&decoded.found) {
            match *found {
                Found::Nothing => {}
                Found::Event(row) => self.event(records, index, &decoded, row, &mut going),
                Found::Side(join, row) => match self.side(records, index, &decoded, (join, row)) {
                    Fate::Taken => {}
                    Fate::Late(by_micros) => late.push((index as u32, by_micros)),
                    Fate::Refused(reason, message) => {
                        dead.push((index as u32, letter(records, index, reason, message)))
                    }
                },
                Found::Deletion(join) => {
                    if let Fate::Refused(reason, message) = self.delete(records, index, join) {
                        dead.push((index as u32, letter(records, index, reason, message)));
                    }
                }
            }
            self.let_go(&mut going);
            self.memory.prune();
        }
        dead.sort_by_key(|(index, _)| *index);
        let coerced = decoded.events.coerced + decoded.sides.iter().map(|(side, _)| side.coerced).sum::<u64>();
        let Decoded { events, records: origin, keys_cut, .. } = decoded.events;
        let joined = self.put_together(going, events, origin);
        Joined { dead, late, coerced, keys_cut, ..joined }
    }

    /// Lets event time pass without a record; `None` if no event goes on for it.
    pub fn tick(&mut self, time: EventTime) -> Option<Joined> {
        if !self.is_there() {
            return None;
        }
        self.memory.see_event(time.0);
        let mut going = self.going();
        self.let_go(&mut going);
        self.memory.prune();
        let nothing = self.events.decode(&going.released, 0..0);
        (!going.rows.is_empty()).then(|| self.put_together(going, nothing.events, nothing.records))
    }

    /// How far event time must come for an event that waits to go on. `None` if none waits.
    pub fn due(&self) -> Option<EventTime> {
        self.memory.due().map(EventTime)
    }

    /// How far event time must come for all events that wait to go on. `None` if none waits.
    pub fn due_last(&self) -> Option<EventTime> {
        self.memory.due_last().map(EventTime)
    }

    /// How far the stages behind may take event time to have come, when it has come to `time`: an event that still waits
    /// must not be late when it goes on.
    pub fn behind(&self, time: EventTime) -> EventTime {
        let lateness_micros = self.memory.lateness_micros();
        let waits = self.memory.oldest_waiting().map(|oldest| oldest.saturating_add(lateness_micros));
        EventTime(waits.map_or(time.0, |waits| waits.min(time.0)))
    }

    /// The newest time of an event, or of a tick.
    pub fn newest_event(&self) -> Option<EventTime> {
        self.memory.newest_event().map(EventTime)
    }

    /// Events that wait.
    pub fn waiting(&self) -> usize {
        self.memory.waiting().len()
    }

    /// Records and rows remembered of all joined topics.
    pub fn rows(&self) -> usize {
        self.memory.rows()
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        self.memory.memory_bytes()
    }

    /// What was counted since it was last asked.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::replace(&mut self.counts, Counts::of(&self.plans))
    }

    /// Everything remembered, for a snapshot; drawn in `join/stored.rs`.
    pub fn encode(&self) -> Vec<u8> {
        stored::encode(&self.memory)
    }

    /// Takes up what [`Join::encode`] gave.
    /// Errors: text, if it does not read back.
    pub fn recall(&mut self, bytes: &[u8]) -> Result<(), String> {
        let fresh = Memory::new(&self.plans, self.memory.lateness_micros());
        self.memory = stored::decode(bytes, fresh)?;
        Ok(())
    }

    fn going(&self) -> Going {
        let released = Records::new(self.topic.clone(), self.partition);
        Going { rows: Vec::new(), matches: vec![Vec::new(); self.plans.len()], released }
    }

    /// Decodes the records of each stream on its own.
    fn decode(&mut self, records: &Records, range: Range<usize>) -> Streams {
        let mut events = Vec::new();
        let mut sides = vec![Vec::new(); self.plans.len()];
        let mut found = vec![Found::Nothing; range.len()];
        for index in range.clone() {
            let Some(name) = stream(records, index) else {
                events.push(index);
                continue;
            };
            let join = self.plans.iter().position(|plan| plan.settings.name.as_bytes() == name);
            match join {
                Some(join) if self.plans[join].is_deletion(records.value(index)) => {
                    found[index - range.start] = Found::Deletion(join);
                }
                Some(join) => sides[join].push(index),
                None => self.counts.strangers += 1,
            }
        }
        let events = self.events.decode_at(records, events.into_iter());
        for (row, index) in events.records.iter().enumerate() {
            found[*index as usize - range.start] = Found::Event(row as u32);
        }
        let on = self.plans.iter().map(|plan| text_column(&events.events.rows, &plan.settings.on)).collect();
        let decoders = self.sides.iter_mut().zip(sides).zip(self.plans.iter());
        let sides: Vec<(Decoded, StringArray)> = decoders
            .map(|((decoder, indices), plan)| {
                let decoded = decoder.decode_at(records, indices.into_iter());
                let keys = text_column(&decoded.events.rows, &plan.settings.key);
                (decoded, keys)
            })
            .collect();
        for (join, (side, _)) in sides.iter().enumerate() {
            for (row, index) in side.records.iter().enumerate() {
                found[*index as usize - range.start] = Found::Side(join, row as u32);
            }
        }
        Streams { events, on, sides, found }
    }

    /// An event comes: it goes on, or waits.
    fn event(&mut self, records: &Records, index: usize, decoded: &Streams, row: u32, going: &mut Going) {
        let at = row as usize;
        let time = decoded.events.events.times[at].0;
        self.memory.see_event(time);
        let claim = |(join, on): (usize, &StringArray)| {
            let key = on.is_valid(at).then(|| on.value(at));
            self.memory.claim(join, key, time)
        };
        let claims: Vec<Claim> = decoded.on.iter().enumerate().map(claim).collect();
        if self.memory.waits() {
            let moment = (time, records.offset(index));
            self.memory.wait(moment, Waiting::new(records, index, claims));
        } else {
            self.go_on(&claims, time, row, going);
        }
    }

    /// A record of a joined topic comes.
    fn side(&mut self, records: &Records, index: usize, decoded: &Streams, (join, row): (usize, u32)) -> Fate {
        let (side, keys) = &decoded.sides[join];
        let at = row as usize;
        let (time, key) = (side.events.times[at].0, keys.value(at));
        let plan = &self.plans[join];
        let values = read_row(&side.events.rows, &plan.kinds, at);
        let counts = &mut self.counts.joins[join];
        if plan.is_table() {
            return match self.memory.set(join, key, time, values) {
                Ok(()) => {
                    counts.kept += 1;
                    Fate::Taken
                }
                Err(_) => {
                    counts.refused += 1;
                    let message = format!(
                        "the table `{}` is full with {} keys: raise `join.{}.max_rows` or `max_bytes`, or delete keys",
                        plan.settings.name,
                        self.memory.rows_of(join),
                        plan.settings.name
                    );
                    self.warn_of_bounds(join);
                    Fate::Refused(Reason::TableFull, message)
                }
            };
        }
        self.memory.see_stream(time);
        match self.memory.insert(join, key, (time, records.offset(index)), values) {
            Some(Insertion::TooLate { by_micros }) => {
                counts.late += 1;
                return Fate::Late(by_micros);
            }
            Some(Insertion::InPlaceOfTheOldest { records }) => {
                counts.evicted += records as u64;
                self.warn_of_bounds(join);
            }
            Some(Insertion::Taken) | None => {}
        }
        self.counts.joins[join].kept += 1;
        Fate::Taken
    }

    /// Says once that a join has come to its bounds.
    fn warn_of_bounds(&mut self, join: usize) {
        if std::mem::replace(&mut self.warned[join], true) {
            return;
        }
        let (partition, name) = (self.partition, &self.plans[join].settings.name);
        tracing::warn!(
            partition,
            join = name,
            rows = self.memory.rows_of(join),
            "as many joined records are kept as `max_rows` or `max_bytes` allow: from now on matches may be missed; \
             raise them, or shorten the interval"
        );
    }

    /// A row of a table is deleted: the key is that of the record, for it has no value.
    fn delete(&mut self, records: &Records, index: usize, join: usize) -> Fate {
        let Some(key) = records.key(index).and_then(|key| std::str::from_utf8(key).ok()) else {
            let name = &self.plans[join].settings.name;
            let message = format!("a record of the table `{name}` without a value has no key that is text");
            return Fate::Refused(Reason::MissingKey, message);
        };
        self.counts.joins[join].deleted += u64::from(self.memory.delete(join, key));
        Fate::Taken
    }

    /// Lets the events go on whose time has come.
    fn let_go(&mut self, going: &mut Going) {
        while let Some(((time, offset), event, is_hurried)) = self.memory.next_to_go() {
            self.counts.hurried += u64::from(is_hurried);
            let row = going.released.len() as u32;
            if self.go_on(&event.claims, time, row, going) {
                let Waiting { timestamp, key, value, headers, .. } = event;
                going.released.push_anywhere(offset, timestamp, key.as_deref(), &value, headers);
            }
        }
    }

    /// Joins an event that goes on; `false` if it is left out.
    fn go_on(&mut self, claims: &[Claim], time: i64, row: u32, going: &mut Going) -> bool {
        let matches: Vec<(Vec<Row>, usize)> =
            claims.iter().enumerate().map(|(join, claim)| self.memory.matches(join, claim, time)).collect();
        let mut is_left_out = false;
        let counted = self.plans.iter().zip(&mut self.counts.joins);
        for ((plan, counts), (found, more)) in counted.zip(&matches) {
            counts.cut += *more as u64;
            match (found.is_empty(), plan.settings.kind) {
                (false, _) => counts.matched += 1,
                (true, JoinKind::Left) => counts.unmatched += 1,
                (true, JoinKind::Inner) => {
                    counts.no_match += 1;
                    is_left_out = true;
                }
            }
        }
        if is_left_out {
            return false;
        }
        going.push(row, matches.iter().map(|(found, _)| &**found));
        true
    }

    /// Makes a batch of events that go on. `events` are those of the batch, `origin` their records.
    fn put_together(&mut self, going: Going, events: EventBatch, origin: Vec<u32>) -> Joined {
        let Going { rows, matches, released } = going;
        let (events, origin, released) = match self.memory.waits() {
            false => (events, origin, None),
            true => {
                // They were decoded when they came, so they are now: each is a row.
                let decoded = self.again.decode(&released, 0..released.len());
                (decoded.events, decoded.records, Some(released))
            }
        };
        let is_all = rows.len() == events.len() && rows.iter().enumerate().all(|(at, row)| at == *row as usize);
        let (mut events, records) = match is_all {
            true => (events, origin),
            false => {
                let records = rows.iter().map(|row| origin[*row as usize]).collect();
                (pick(&events, &rows), records)
            }
        };
        let mut columns = events.rows.columns().to_vec();
        for (plan, matches) in self.plans.iter().zip(&matches) {
            columns.extend(plan.read.iter().map(|at| column(matches, *at, plan.kinds[*at])));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(events.len()));
        events.rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .expect("the plan made the schema from the same columns, and each has a value per event");
        Joined { events, records, released, dead: Vec::new(), late: Vec::new(), coerced: 0, keys_cut: 0 }
    }
}

impl Going {
    /// Adds an event: a row for every combination of what it matches, those of the last join changing fastest. A join
    /// without a match gives none.
    fn push<'a>(&mut self, row: u32, matches: impl Iterator<Item = &'a [Row]> + Clone) {
        let count = matches.clone().fold(1_usize, |count, found| count.saturating_mul(found.len().max(1)));
        let count = count.min(MATCHES_MAX);
        self.rows.extend(std::iter::repeat_n(row, count));
        // Beyond the last row that is made it does not matter how many more there were.
        let (mut repeats, mut left) = (1_usize, self.matches.len());
        let matches: Vec<&[Row]> = matches.collect();
        while left > 0 {
            left -= 1;
            let found = matches[left];
            let choice = |at: usize| found.get(at / repeats % found.len().max(1)).cloned();
            self.matches[left].extend((0..count).map(choice));
            repeats = repeats.saturating_mul(found.len().max(1));
        }
    }
}

/// What becomes of a record of a joined topic.
enum Fate {
    Taken,
    Late(i64),
    Refused(Reason, String),
}

fn letter(records: &Records, index: usize, reason: Reason, message: String) -> DeadLetter {
    DeadLetter { position: records.position(index), stage: Stage::Join, reason, message }
}
