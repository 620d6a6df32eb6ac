//! Event-time features per entity: the stage that remembers. It never looks at a score.
//!
//! Everything it remembers is a fold of the records of its partition and of the ticks between them: which ids were
//! seen, how far event time has come, the windows that are open, the words of each entity and of each group of peers.
//! The same records in the same order give the same memory and the same rows, however they are cut into batches.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, RecordBatchOptions, StringArray};
use lapwing_features::{Dedup, FeatureState, Graph, Lateness, OpenWindow, ScoredWindows, Timeliness, Watermark};
use lapwing_state::{EntityTable, StateError};
use lapwing_vocabulary::{EventBatch, EventTime, Offset};

use crate::enrich::pick;

/// What the memory of every partition looks like.
mod blueprint;
/// Columns as the feature graph wants them: numbers, and categories as codes.
mod columns;
/// Memory that may be asked for, and what bounds it.
mod limits;
/// What is remembered, to and from a snapshot.
mod memory;
/// Closed windows as rows.
mod window_rows;

pub use blueprint::{Blueprint, StateLayout};
pub use columns::schema_with_features;
pub(crate) use columns::text_column;
pub use limits::{Limits, MemoryRoom};
pub use memory::{Carried, layout_of};
pub use window_rows::{Origin, WindowRow, window_schema};

use columns::{nan_to_null, number_column, text_rows, value};

/// Events folded as one block: their entities are looked up first, so that the waits for memory overlap.
const BLOCK: usize = 16;
/// Entities looked at for expiry with each event.
const EXPIRY_SLOTS_PER_EVENT: usize = 2;

/// The memory of one partition, and the fold that updates it.
pub struct Aggregate {
    blueprint: Arc<Blueprint>,
    graph: Arc<Graph>,

    entities: EntityTable,
    groups: Vec<EntityTable>,
    shared: Vec<f64>,
    watermark: Watermark,
    lateness: Lateness,
    dedup: Option<Dedup>,
    windows: Option<ScoredWindows>,

    /// Words of an entity that has seen nothing.
    fresh: Vec<f64>,
    scratch: Scratch,
}

/// Room that is used again for every event.
struct Scratch {
    inputs: Vec<f64>,
    groups: Vec<f64>,
    outputs: Vec<f64>,
}

/// Rows with their features, and what became of the other events.
#[derive(Debug)]
pub struct Aggregated {
    /// The rows to be scored: the events in time, or the windows that closed. Features stand after the row's columns.
    pub events: EventBatch,
    /// Entity of each row.
    pub entities: StringArray,
    /// Where rows are events: for each the index it had before; `None` if every event is a row.
    pub on_time: Option<Vec<u32>>,
    /// Where rows are windows: what each is.
    pub windows: Option<Vec<WindowRow>>,
    /// Index of each late event, with the microseconds by which it came too late.
    pub late: Vec<(u32, i64)>,
    /// Events left out because their id was seen before.
    pub repeats: u64,
    /// Windows that closed with too few events to be rows.
    pub small: u64,
    /// Events that count.
    pub taken: u64,
}

/// What is remembered of an entity.
#[derive(Clone, Debug)]
pub struct Entity {
    /// When its newest event happened.
    pub last_event: Option<EventTime>,
    /// Its features as they are, with what stands behind them; none where only windows are remembered.
    pub features: Vec<FeatureState>,
    /// Its open windows.
    pub windows: Vec<OpenWindow>,
    /// Bytes of memory it takes.
    pub bytes: usize,
}

/// What becomes of an event before any feature is computed.
#[derive(Clone, Copy)]
enum Judged {
    Repeat,
    OnTime,
    Late { by_micros: i64 },
}

impl Aggregate {
    /// Folds a batch in, event by event in the order of arrival.
    /// Errors: `Storage`, when entities that lie on disk cannot be read or written.
    pub fn aggregate(&mut self, events: EventBatch) -> Result<Aggregated, StateError> {
        match self.windows.is_some() {
            true => self.close_windows(events),
            false => self.fold_events(events),
        }
    }

    /// Finds an entity, new or known, and notes when it was seen; looks at a few others, so that those that are to be
    /// forgotten are found without a pause. It does so with each event, and not with each batch: slots then follow from
    /// the events alone.
    #[inline]
    fn meet(&mut self, entity: &str, time: EventTime, expired_before: i64) -> Result<u32, StateError> {
        let (slot, _) = self.entities.slot(entity, expired_before)?;
        self.entities.seen(slot, time.0);
        self.entities.expire(expired_before, EXPIRY_SLOTS_PER_EVENT);
        Ok(slot)
    }

    /// Event time has come at least this far although no record says so; returns the windows that close. `origin` says
    /// where the rows come from.
    pub fn tick(&mut self, time: EventTime, origin: &Origin) -> Result<Option<Aggregated>, StateError> {
        self.watermark.tick(time);
        let (Some(windows), Some(watermark)) = (&mut self.windows, self.watermark.value()) else { return Ok(None) };
        let (mut closed, small) = (Vec::new(), windows.small());
        windows.advance(watermark, &mut closed);
        let small = windows.small() - small;
        let closed: Vec<_> = closed.into_iter().map(|closed| (origin.arrived, closed)).collect();
        Ok(Some(Aggregated { small, ..self.rows_of(closed, origin)? }))
    }

    /// Judges the row of an event. The rows that a join made of one event follow each other, and what holds for the
    /// first holds for all.
    #[inline]
    fn judge_row(
        &mut self,
        events: &EventBatch,
        row: usize,
        ids: Option<&StringArray>,
        before: &mut Option<(Offset, Judged)>,
    ) -> Judged {
        let offset = events.offsets[row];
        let judged = match *before {
            Some((of, judged)) if of == offset => judged,
            _ => self.judge(events.times[row], events.arrived[row], present(ids, row)),
        };
        *before = Some((offset, judged));
        judged
    }

    /// Judges an event by what was known before it, and moves the watermark.
    #[inline]
    fn judge(&mut self, time: EventTime, arrived: i64, id: Option<&str>) -> Judged {
        if let (Some(dedup), Some(id)) = (&mut self.dedup, id)
            && dedup.is_repeat(id.as_bytes(), time)
        {
            return Judged::Repeat;
        }
        let newest = self.watermark.max_seen();
        let disorder = newest.map_or(0, |newest| newest.0.saturating_sub(time.0).max(0));
        self.lateness.observe(disorder, arrived.saturating_sub(time.0));
        match self.watermark.observe(time) {
            Timeliness::OnTime => Judged::OnTime,
            Timeliness::Late { by_micros } => Judged::Late { by_micros },
        }
    }

    fn fold_events(&mut self, events: EventBatch) -> Result<Aggregated, StateError> {
        let keys = text_column(&events.rows, &self.blueprint.key);
        let ids = self.id_column(&events.rows);
        let inputs = self.input_columns(&events.rows);
        let peers: Vec<StringArray> = self.graph.peers().iter().map(|name| text_column(&events.rows, name)).collect();
        let (mut late, mut on_time, mut repeats) = (Vec::new(), Vec::with_capacity(events.len()), 0);
        let mut features = self.feature_columns(events.len());
        let (mut block, mut before) = (Block::default(), None);
        for row in 0..events.len() {
            let time = events.times[row];
            match self.judge_row(&events, row, ids.as_ref(), &mut before) {
                Judged::Repeat => {
                    repeats += 1;
                    continue;
                }
                Judged::Late { by_micros } => {
                    late.push((row as u32, by_micros));
                    continue;
                }
                Judged::OnTime => on_time.push(row as u32),
            }
            // Within a block nothing expires: an entity met twice in it is the same one.
            let expired_before = self.expired_before();
            if block.rows.len() == BLOCK || block.expired_before != expired_before {
                self.fold_block(&mut block, &events, &inputs, &peers, &mut features)?;
                block.expired_before = expired_before;
            }
            let slot = self.meet(keys.value(row), time, expired_before)?;
            self.graph.touch(self.entities.words_mut(slot)?, time);
            block.rows.push((row, slot));
        }
        self.fold_block(&mut block, &events, &inputs, &peers, &mut features)?;
        let taken = on_time.len() as u64;
        let (events, entities, on_time) = if on_time.len() == events.len() {
            (events, keys, None)
        } else {
            (pick(&events, &on_time), text_rows(&keys, &on_time), Some(on_time))
        };
        let events = self.with_features(events, features);
        Ok(Aggregated { events, entities, on_time, windows: None, late, repeats, small: 0, taken })
    }

    fn fold_block(
        &mut self,
        block: &mut Block,
        events: &EventBatch,
        inputs: &[Float64Array],
        peers: &[StringArray],
        features: &mut [Vec<f64>],
    ) -> Result<(), StateError> {
        for (row, slot) in block.rows.drain(..) {
            for (input, column) in self.scratch.inputs.iter_mut().zip(inputs) {
                *input = value(column, row);
            }
            let group = |index: usize| peers[index].value(row);
            let groups = load_groups(&mut self.groups, &mut self.scratch.groups, group)?;
            let words = self.entities.words_mut(slot)?;
            let Scratch { inputs, groups: group_words, outputs } = &mut self.scratch;
            self.graph.fold(words, group_words, &mut self.shared, events.times[row], inputs, outputs);
            store_groups(&mut self.groups, &self.scratch.groups, &groups)?;
            for (feature, value) in features.iter_mut().zip(&self.scratch.outputs) {
                feature.push(*value);
            }
        }
        Ok(())
    }

    fn id_column(&self, rows: &RecordBatch) -> Option<StringArray> {
        let name = self.blueprint.id.as_ref().filter(|_| self.dedup.is_some())?;
        Some(text_column(rows, name))
    }

    fn input_columns(&self, rows: &RecordBatch) -> Vec<Float64Array> {
        self.graph.columns().iter().map(|name| number_column(rows, name)).collect()
    }

    fn feature_columns(&self, rows: usize) -> Vec<Vec<f64>> {
        self.graph.names().iter().map(|_| Vec::with_capacity(rows)).collect()
    }

    fn with_features(&self, mut events: EventBatch, features: Vec<Vec<f64>>) -> EventBatch {
        let mut columns: Vec<ArrayRef> = events.rows.columns().to_vec();
        columns.extend(features.into_iter().map(nan_to_null));
        let options = RecordBatchOptions::new().with_row_count(Some(events.len()));
        events.rows = RecordBatch::try_new_with_options(self.blueprint.rows.clone(), columns, &options)
            .expect("features are one value per row and the schema was planned from the same graph");
        events
    }

    /// Entities whose last event is older are forgotten. It moves in steps, so that blocks of events share one value.
    fn expired_before(&self) -> i64 {
        self.blueprint.limits.expired_before(self.watermark.value())
    }

    /// Number of entities remembered.
    pub fn entities(&self) -> usize {
        self.entities.len()
    }

    /// Leaves so much of its room to other stages of the task: entities go to disk the sooner. Units: bytes.
    /// Errors: `Storage`.
    pub fn leave_room(&mut self, bytes: usize) -> Result<(), StateError> {
        self.entities.reserve(bytes)
    }

    /// Bytes of memory held for entities, windows and ids.
    pub fn memory_bytes(&self) -> usize {
        let groups: usize = self.groups.iter().map(EntityTable::memory_bytes).sum();
        let windows = self.windows.as_ref().map_or(0, ScoredWindows::memory_bytes);
        self.entities.memory_bytes() + groups + windows + self.dedup.as_ref().map_or(0, Dedup::memory_bytes)
    }

    /// The watermark: no event older than this counts any more. `None` before the first event.
    pub fn watermark(&self) -> Option<EventTime> {
        self.watermark.value()
    }

    /// The newest event time seen. `None` before the first event.
    pub fn max_seen(&self) -> Option<EventTime> {
        self.watermark.max_seen()
    }

    /// How far event time must have come for the next window to close. `None` if nothing waits for it.
    pub fn due(&mut self) -> Option<EventTime> {
        let deadline = self.windows.as_mut()?.next_deadline()?;
        Some(EventTime(deadline.0.saturating_add(self.blueprint.limits.lateness_micros)))
    }

    /// What is remembered of an entity; `None` if nothing is.
    /// Errors: `Storage`.
    pub fn inspect(&self, entity: &str) -> Result<Option<Entity>, StateError> {
        let windows = self.windows.as_ref().map_or_else(Vec::new, |windows| windows.inspect(entity));
        let Some(slot) = self.entities.find(entity) else {
            let none = Entity { last_event: None, features: Vec::new(), windows, bytes: 0 };
            return Ok((!none.windows.is_empty()).then_some(none));
        };
        let words = self.entities.peek(slot)?;
        let now = self.watermark.max_seen().unwrap_or_default();
        let features = self.graph.explain(&words, &self.shared, now);
        let last_event = self.entities.last_seen(slot).map(EventTime);
        Ok(Some(Entity { last_event, features, windows, bytes: self.entities.entity_bytes() }))
    }

    /// How late events came.
    pub fn lateness(&self) -> &Lateness {
        &self.lateness
    }
}

/// The id of an event, if it has one.
fn present(ids: Option<&StringArray>, row: usize) -> Option<&str> {
    ids.filter(|ids| ids.is_valid(row)).map(|ids| ids.value(row))
}

/// Events whose entities were looked up and not yet folded in.
#[derive(Default)]
struct Block {
    expired_before: i64,
    rows: Vec<(usize, u32)>,
}

/// Copies the words of an event's groups side by side; returns their slots.
fn load_groups<'a>(
    tables: &mut [EntityTable],
    words: &mut Vec<f64>,
    group: impl Fn(usize) -> &'a str,
) -> Result<Vec<u32>, StateError> {
    words.clear();
    let mut slots = Vec::new();
    for (index, table) in tables.iter_mut().enumerate() {
        let (slot, _) = table.slot(group(index), i64::MIN)?;
        words.extend_from_slice(table.words_mut(slot)?);
        slots.push(slot);
    }
    Ok(slots)
}

fn store_groups(tables: &mut [EntityTable], words: &[f64], slots: &[u32]) -> Result<(), StateError> {
    let mut rest = words;
    for (table, slot) in tables.iter_mut().zip(slots) {
        let own = table.words_mut(*slot)?;
        let (mine, others) = rest.split_at(own.len());
        own.copy_from_slice(mine);
        rest = others;
    }
    Ok(())
}
