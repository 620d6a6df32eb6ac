//! One partition: its stages in order, and its memory. Everything that happens to a record happens here, in one thread,
//! and depends on nothing but the records, the model and the tables in force.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::StringArray;
use lapwing_features::Cause;
use lapwing_sql::ReferenceTable;
use lapwing_state::{Kind, Snapshot, SnapshotParts};
use lapwing_vocabulary::{DeadLetter, EventBatch, EventTime, Offset, OutputRecord, Partition, Reason, Records, Stage};

use crate::aggregate::{Aggregate, Aggregated, Carried, MemoryRoom, Origin, WindowRow, layout_of};
use crate::clock::Clock;
use crate::decide::{Decide, Finding, Rows};
use crate::enrich::Enrich;
use crate::error::RunError;
use crate::join::{self, Join, Joined};
use crate::marker::{Marker, What};
use crate::plan::Plan;
use crate::references::References;
use crate::render::{self, JsonFields};
use crate::score::{Model, Scored, score};
use crate::status::{Status, add};

/// The work of one partition.
pub struct Task {
    plan: Arc<Plan>,
    partition: Partition,

    join: Join,
    enrich: Enrich,
    aggregate: Aggregate,
    decide: Decide,
    model: Option<Arc<Model>>,
}

/// What came of a batch of records.
#[derive(Debug, Default)]
pub struct Product {
    /// Records for the output topics, in order.
    pub outputs: Vec<OutputRecord>,
    /// The alerts among them, each with the append time of its event's record (microseconds since the epoch).
    pub alerts: Vec<(lapwing_vocabulary::Alert, i64)>,
}

/// Rows with features and, where there is a model, scores: for callers that want every event's numbers.
pub struct ScoredBatch {
    /// The events in time, or the windows that closed, with their features.
    pub events: EventBatch,
    /// Entity of each row.
    pub entities: StringArray,
    /// For each event the index of its record: in `released` if there is one, else in the batch; empty where rows are
    /// windows.
    pub records: Vec<u32>,
    /// The records of events that had waited for a join.
    pub released: Option<Records>,
    /// Where rows are windows: what each is.
    pub windows: Option<Vec<WindowRow>>,
    /// Scores, if there is a model.
    pub scored: Option<Scored>,
    /// Alerts, in the order of the rows.
    pub findings: Vec<Finding>,
}

impl ScoredBatch {
    /// Whether a row stands for itself: not one that is only there to know what was said before.
    pub fn counts(&self, row: usize) -> bool {
        self.windows.as_ref().is_none_or(|windows| !windows[row].is_before)
    }

    /// Whether a row is an event, or the one full row of its window: what models learn from.
    pub fn is_final(&self, row: usize) -> bool {
        let is_final = |window: &WindowRow| window.cause == Cause::Final;
        self.counts(row) && self.windows.as_ref().is_none_or(|windows| is_final(&windows[row]))
    }
}

/// Measures the stages one after the other.
struct Lap<'a> {
    clock: &'a dyn Clock,
    status: &'a Status,
    last: u64,
}

impl Lap<'_> {
    fn end(&mut self, stage: usize) {
        let now = self.clock.monotonic_nanos();
        self.status.spent(stage, now.saturating_sub(self.last));
        self.last = now;
    }
}

/// Section of the reference tables in force: JSON, digest by name.
const SECTION_TABLES: &str = "tables";
/// Section of what is joined, and of the events that wait for it.
const SECTION_JOINS: &str = "joins";

impl Task {
    /// A task that remembers nothing yet.
    pub fn new(plan: &Arc<Plan>, partition: Partition, tables: &[ReferenceTable]) -> Result<Self, RunError> {
        Self::within(plan, partition, tables, None)
    }

    /// As [`Task::new`], with entities on disk where they do not fit into `room`.
    pub fn within(
        plan: &Arc<Plan>,
        partition: Partition,
        tables: &[ReferenceTable],
        room: Option<&MemoryRoom>,
    ) -> Result<Self, RunError> {
        Ok(Self {
            join: plan.join(partition)?,
            enrich: plan.enrich(partition, tables)?,
            aggregate: Aggregate::new(&plan.memory, room)?,
            decide: plan.decide()?,
            plan: plan.clone(),
            partition,
            model: None,
        })
    }

    /// Puts a model in force for the records that follow.
    pub fn set_model(&mut self, model: Option<Arc<Model>>) {
        self.model = model;
    }

    /// The stages' memories.
    pub fn aggregate(&self) -> &Aggregate {
        &self.aggregate
    }

    /// The join stage.
    pub fn join(&self) -> &Join {
        &self.join
    }

    /// Whether any of these records is an event, and not only of a joined topic.
    pub fn has_events(records: &Records, mut range: Range<usize>) -> bool {
        range.any(|index| join::is_event(records, index))
    }

    /// How far event time has come by events and ticks. `None` before the first.
    pub fn newest_event(&self) -> Option<EventTime> {
        if self.join.is_there() { self.join.newest_event() } else { self.aggregate.max_seen() }
    }

    /// How far event time must have come for something that waits for it. `None` if nothing does.
    pub fn due(&mut self) -> Option<EventTime> {
        let waiting = self.join.due();
        // A window cannot close for event time that the events before it have not reached.
        let closing = self.aggregate.due().filter(|due| self.join.behind(*due) >= *due);
        waiting.into_iter().chain(closing).min()
    }

    /// How far event time may be taken to have come in silence: no further than something waits for it.
    pub fn open_until(&mut self) -> Option<EventTime> {
        self.due().max(self.join.due_last())
    }

    /// The enrich stage.
    pub fn enrich_mut(&mut self) -> &mut Enrich {
        &mut self.enrich
    }

    /// Digest of each reference table in use, by name.
    pub fn table_digests(&self) -> &BTreeMap<String, String> {
        self.enrich.digests()
    }

    /// Folds records into memory without producing anything: how state is rebuilt after a restart.
    pub fn replay(&mut self, records: &Records, range: Range<usize>, status: &Status) -> Result<(), RunError> {
        add(&status.replayed, range.len() as u64);
        let joined = self.join.join(records, range);
        self.fold(joined)
    }

    /// Folds events in silently.
    fn fold(&mut self, joined: Joined) -> Result<(), RunError> {
        self.join.take_counts();
        let enriched = self.enrich.enrich(joined.events).map_err(|error| RunError::enrich(self.partition, error))?;
        self.aggregate.aggregate(enriched.events)?;
        Ok(())
    }

    /// Repeats a marker in silence.
    pub fn replay_marker(&mut self, marker: &Marker, references: &References) -> Result<(), RunError> {
        match &marker.what {
            What::Tick { tick_micros } => {
                let (time, origin) = (EventTime(*tick_micros), self.origin(0));
                if let Some(joined) = self.join.tick(time) {
                    self.fold(joined)?;
                }
                self.aggregate.tick(self.join.behind(time), &origin)?;
            }
            What::Table { table, digest } => self.put_in_force(table, digest, references)?,
        }
        Ok(())
    }

    /// Puts a known version of a reference table in force.
    fn put_in_force(&mut self, table: &str, digest: &str, references: &References) -> Result<(), RunError> {
        if self.enrich.digests().get(table).is_none_or(|current| current == digest) {
            return Ok(());
        }
        let fault = |text: String| RunError::Stage { stage: "enrich", partition: self.partition, text };
        let version = references.version(table, digest).map_err(fault)?;
        self.enrich.replace_table(version).map_err(|error| RunError::enrich(self.partition, error))
    }

    /// Markers of the tables in force that differ from those that were told; they are told from now on.
    pub fn tell_tables(&self, told: &mut BTreeMap<String, String>, next: Offset, now: i64) -> Vec<OutputRecord> {
        let Some(topic) = &self.plan.topics.markers else { return Vec::new() };
        let mut records = Vec::new();
        for (table, digest) in self.enrich.digests() {
            if told.get(table) != Some(digest) {
                records.push(Marker::table(next, table, digest).record(topic, self.partition, now));
                told.insert(table.clone(), digest.clone());
            }
        }
        records
    }

    /// Takes records through all stages and renders their outputs.
    pub fn process(
        &mut self,
        records: &Records,
        range: Range<usize>,
        status: &Status,
        clock: &dyn Clock,
    ) -> Result<Product, RunError> {
        let mut product = Product::default();
        let batch = self.score_batch(records, range, status, clock, &mut product)?;
        let mut lap = Lap { clock, status, last: clock.monotonic_nanos() };
        self.render(Some(records), batch, clock.wall_micros(), &mut product);
        lap.end(6);
        Ok(product)
    }

    /// Lets event time pass without a record: what closes is scored and put out, and so is a marker of it. `next` is the
    /// offset of the record that comes next.
    pub fn tick(
        &mut self,
        time: EventTime,
        next: Offset,
        status: &Status,
        clock: &dyn Clock,
    ) -> Result<Product, RunError> {
        let mut product = Product::default();
        let Some(topic) = self.plan.topics.markers.clone() else { return Ok(product) };
        let now = clock.wall_micros();
        product.outputs.push(Marker::tick(next, time).record(&topic, self.partition, now));
        let origin = self.origin(now);
        let mut lap = Lap { clock, status, last: clock.monotonic_nanos() };
        add(&status.ticks, 1);
        if let Some(joined) = self.join.tick(time) {
            let batch = self.carry(joined, None, now, status, &mut lap, &mut product)?;
            self.render(None, batch, now, &mut product);
        }
        if let Some(aggregated) = self.aggregate.tick(self.join.behind(time), &origin)? {
            lap.end(3);
            let batch = self.judge(aggregated, Vec::new(), status, &mut lap)?;
            self.render(None, batch, now, &mut product);
        }
        lap.end(6);
        Ok(product)
    }

    /// Closes whatever waits for event time to pass, because nothing more will come; `None` if nothing waits.
    pub fn close(&mut self, status: &Status, clock: &dyn Clock) -> Result<Option<ScoredBatch>, RunError> {
        let now = clock.wall_micros();
        let origin = self.origin(now);
        let mut lap = Lap { clock, status, last: clock.monotonic_nanos() };
        // All that wait at once: in the order of their times they close the windows that they are not in.
        let released = self.join.due_last().and_then(|last| self.join.tick(last));
        if let Some(joined) = released {
            return self.carry(joined, None, now, status, &mut lap, &mut Product::default()).map(Some);
        }
        let Some(due) = self.aggregate.due() else { return Ok(None) };
        let aggregated = self.aggregate.tick(due, &origin)?;
        aggregated.map(|aggregated| self.judge(aggregated, Vec::new(), status, &mut lap)).transpose()
    }

    fn origin(&self, arrived: i64) -> Origin {
        Origin { topic: self.plan.source_name().into(), partition: self.partition, arrived }
    }

    /// Takes records through all stages up to the decision. Dead letters and late events go to `product`.
    pub fn score_batch(
        &mut self,
        records: &Records,
        range: Range<usize>,
        status: &Status,
        clock: &dyn Clock,
        product: &mut Product,
    ) -> Result<ScoredBatch, RunError> {
        let now = clock.wall_micros();
        let mut lap = Lap { clock, status, last: clock.monotonic_nanos() };
        add(&status.records, range.len() as u64);
        let joined = self.join.join(records, range);
        add(&status.coerced, joined.coerced);
        for (index, letter) in &joined.dead {
            self.set_aside(letter, records, *index, status, now, product);
        }
        if let Some(topic) = &self.plan.topics.late {
            let late = joined.late.iter();
            let late = late.map(|(index, by)| render::late_record(records, *index as usize, *by, topic, now));
            product.outputs.extend(late);
        }
        lap.end(1);
        self.carry(joined, Some(records), now, status, &mut lap, product)
    }

    /// Takes events through the stages behind the join. `records` are those of the batch, if there is one.
    fn carry(
        &mut self,
        joined: Joined,
        records: Option<&Records>,
        now: i64,
        status: &Status,
        lap: &mut Lap<'_>,
        product: &mut Product,
    ) -> Result<ScoredBatch, RunError> {
        status.count_joins(&self.plan.joins, &self.join.take_counts());
        let Joined { events, records: origin, released, .. } = joined;
        let none = Records::default();
        let carriers = released.as_ref().or(records).unwrap_or(&none);
        let enriched = self.enrich.enrich(events).map_err(|error| RunError::enrich(self.partition, error))?;
        add(&status.filtered, enriched.filtered);
        add(&status.duplicate_matches, enriched.duplicates);
        for (row, message) in enriched.failed {
            let index = origin[row as usize];
            let position = carriers.position(index as usize);
            let letter = DeadLetter { position, stage: Stage::Enrich, reason: Reason::QueryFailed, message };
            self.set_aside(&letter, carriers, index, status, now, product);
        }
        let origin = compose(origin, enriched.origin);
        lap.end(2);
        let aggregated = self.aggregate.aggregate(enriched.events)?;
        add(&status.late, aggregated.late.len() as u64);
        add(&status.repeats, aggregated.repeats);
        if let Some(topic) = &self.plan.topics.late {
            for (row, by_micros) in &aggregated.late {
                let index = origin[*row as usize] as usize;
                product.outputs.push(render::late_record(carriers, index, *by_micros, topic, now));
            }
        }
        add(&status.processed, aggregated.taken);
        lap.end(3);
        let batch = self.judge(aggregated, origin, status, lap)?;
        Ok(ScoredBatch { released, ..batch })
    }

    /// Scores rows and decides about them. `records` names for each event the index of its record.
    fn judge(
        &self,
        aggregated: Aggregated,
        records: Vec<u32>,
        status: &Status,
        lap: &mut Lap<'_>,
    ) -> Result<ScoredBatch, RunError> {
        let Aggregated { events, entities, on_time, windows, .. } = aggregated;
        let records = if windows.is_some() { Vec::new() } else { compose(records, on_time) };
        let scored = match &self.model {
            Some(model) => Some(score(model, &events.rows).map_err(|error| RunError::score(model.id(), error))?),
            None => {
                add(&status.unscored, events.len() as u64);
                None
            }
        };
        lap.end(4);
        let findings = match (&self.model, &scored) {
            (Some(model), Some(scored)) => {
                let windows = windows.as_deref();
                let rows = Rows { model, events: &events, entities: &entities, scored, windows };
                self.decide.decide(&rows).map_err(|error| RunError::enrich(self.partition, error))?
            }
            _ => Vec::new(),
        };
        lap.end(5);
        Ok(ScoredBatch { events, entities, records, released: None, windows, scored, findings })
    }

    fn set_aside(
        &self,
        letter: &DeadLetter,
        records: &Records,
        index: u32,
        status: &Status,
        now: i64,
        product: &mut Product,
    ) {
        status.count_dead(letter.reason);
        let topic = &self.plan.topics.dead_letters;
        product.outputs.push(render::dead_letter_record(letter, records, index as usize, topic, now));
    }

    /// `records` is `None` where rows do not come from records.
    fn render(&self, records: Option<&Records>, batch: ScoredBatch, now: i64, product: &mut Product) {
        if let Some(topic) = &self.plan.topics.enriched {
            self.render_enriched(records, &batch, topic, now, product);
        }
        for finding in batch.findings {
            product.outputs.push(render::alert_record(&finding.alert, &self.plan.topics.alerts, now));
            product.alerts.push((finding.alert, batch.events.arrived[finding.row as usize]));
        }
    }

    fn render_enriched(
        &self,
        records: Option<&Records>,
        batch: &ScoredBatch,
        topic: &Arc<str>,
        now: i64,
        product: &mut Product,
    ) {
        let columns = JsonFields::new(&batch.events.rows, &self.plan.rendered_columns);
        product.outputs.reserve(batch.events.len());
        for row in 0..batch.events.len() {
            let window = batch.windows.as_ref().map(|windows| &windows[row]);
            if window.is_some_and(|window| window.is_before) {
                continue;
            }
            let write = |into: &mut Vec<u8>| {
                columns.write(row, into);
                window.into_iter().for_each(|window| render::write_window(window, into));
                if let (Some(scored), true) = (&batch.scored, self.plan.settings.outputs.scores) {
                    render::write_score(1.0 - scored.scores.tail[row], scored.scores.flagged[row], into);
                }
            };
            let records = batch.released.as_ref().or(records);
            let index = batch.records.get(row).map(|index| *index as usize);
            let (value, position) = match (records, index) {
                (Some(records), Some(index)) if self.plan.splices_original => {
                    (render::splice(records.value(index), write), records.position(index))
                }
                _ => (render::object(write), batch.events.position(row)),
            };
            product.outputs.push(OutputRecord {
                topic: topic.clone(),
                partition: None,
                key: Some(batch.entities.value(row).as_bytes().to_vec()),
                value,
                headers: vec![render::source_header(&position)],
                timestamp: now,
            });
        }
    }

    /// The memory at this moment, as parts of a snapshot at `offset`, the first offset not contained.
    pub fn freeze(&mut self, offset: Offset, kind: Kind) -> SnapshotParts {
        let mut parts = self.aggregate.freeze(self.plan.identity(self.partition), offset, kind);
        let digests = serde_json::to_vec(self.enrich.digests()).expect("names and digests have a JSON form");
        parts.sections.push((SECTION_TABLES.to_owned(), digests));
        if self.join.is_there() {
            parts.sections.push((SECTION_JOINS.to_owned(), self.join.encode()));
        }
        parts
    }

    /// Takes up a memory, and the versions of the reference tables that were in force with it. After `Err` the task is
    /// to be thrown away.
    pub fn restore(&mut self, mut snapshot: Snapshot, references: &References) -> Result<Carried, String> {
        let digests = snapshot.section(SECTION_TABLES).map_err(|error| error.to_string())?;
        let digests: BTreeMap<String, String> = serde_json::from_slice(digests).map_err(|error| error.to_string())?;
        let layout = layout_of(&snapshot.header)?;
        if layout.events != self.plan.digest() {
            return Err(
                "it is of events that are read in another way: [source], [schema], [join] or [enrich] has changed"
                    .into(),
            );
        }
        for (name, digest) in digests {
            if self.enrich.digests().get(&name).is_some_and(|current| *current != digest) {
                let version = references.version(&name, &digest)?;
                self.enrich.replace_table(version).map_err(|error| error.to_string())?;
            }
        }
        if self.join.is_there() {
            let section = snapshot.section(SECTION_JOINS).map_err(|error| error.to_string())?;
            self.join.recall(section)?;
        }
        self.aggregate.recall(&mut snapshot)
    }
}

/// Row → record, through a stage that left rows out.
fn compose(records: Vec<u32>, origin: Option<Vec<u32>>) -> Vec<u32> {
    match origin {
        None => records,
        Some(origin) => origin.into_iter().map(|row| records[row as usize]).collect(),
    }
}
