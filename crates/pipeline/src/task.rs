//! One partition: its stages in order, and its memory. Everything that happens to a record happens here, in one thread,
//! and depends on nothing but the records, the model and the tables in force.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::StringArray;
use lapwing_detect::Scores;
use lapwing_features::Cause;
use lapwing_sql::ReferenceTable;
use lapwing_state::{Kind, Snapshot, SnapshotParts};
use lapwing_vocabulary::{DeadLetter, EventBatch, EventTime, Offset, OutputRecord, Partition, Reason, Records, Stage};

use crate::aggregate::{Aggregate, Aggregated, Carried, MemoryRoom, Origin, WindowRow, layout_of};
use crate::clock::Clock;
use crate::decide::{Decide, Finding, Rows};
use crate::decode::Decoder;
use crate::enrich::Enrich;
use crate::error::RunError;
use crate::marker::{Marker, What};
use crate::plan::Plan;
use crate::postprocess::{self, Postprocess};
use crate::references::References;
use crate::render::{self, JsonFields};
use crate::score::{Model, ModelSource, Scored, score};
use crate::status::{Status, add};

/// The work of one partition.
pub struct Task {
    plan: Arc<Plan>,
    partition: Partition,

    decoder: Decoder,
    enrich: Enrich,
    aggregate: Aggregate,
    postprocess: Option<Postprocess>,
    decide: Decide,
    model: Option<Arc<Model>>,
}

/// What a replay asks for things of the past.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    /// Versions of reference tables.
    pub references: &'a References,
    /// Versions of the model.
    pub models: &'a dyn ModelSource,
    /// The model that is in force now.
    pub model: Option<&'a Arc<Model>>,
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
    /// For each event the index of its record in the batch; empty where rows are windows.
    pub records: Vec<u32>,
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
            decoder: Decoder::new(plan.decode.clone()).map_err(|fault| RunError::Plan(vec![fault]))?,
            enrich: plan.enrich(partition, tables)?,
            aggregate: Aggregate::new(&plan.memory, room)?,
            postprocess: Postprocess::new(&plan.settings.decide.postprocessing, plan.memory.limits.ttl_micros),
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

    /// How far event time must have come for something that waits for it. `None` if nothing does.
    pub fn due(&mut self) -> Option<EventTime> {
        self.aggregate.due()
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
        let decoded = self.decoder.decode(records, range);
        let enriched = self.enrich.enrich(decoded.events).map_err(|error| RunError::enrich(self.partition, error))?;
        let Aggregated { events, entities, .. } = self.aggregate.aggregate(enriched.events)?;
        if let (Some(_), Some(model)) = (&self.postprocess, &self.model) {
            let mut scored = score(model, &events.rows).map_err(|error| RunError::score(model.id(), error))?;
            let rate = model.ensemble.alert_rate();
            self.remember_scores(&entities, &events.times, rate, &mut scored.scores, None)?;
        }
        Ok(())
    }

    /// Whether what is remembered depends on the model in force.
    pub fn remembers_scores(&self) -> bool {
        self.postprocess.is_some()
    }

    /// Version of the model in force.
    pub fn model_version(&self) -> Option<u64> {
        self.model.as_ref().map(|model| model.version)
    }

    fn remember_scores(
        &mut self,
        entities: &StringArray,
        times: &[EventTime],
        alert_rate: f64,
        scores: &mut Scores,
        status: Option<&Status>,
    ) -> Result<(), RunError> {
        match &mut self.postprocess {
            Some(stage) => Ok(stage.apply(entities, times, alert_rate, scores, status)?),
            None => Ok(()),
        }
    }

    /// Repeats a marker in silence.
    pub fn replay_marker(&mut self, marker: &Marker, past: &Past<'_>) -> Result<(), RunError> {
        match &marker.what {
            What::Tick { tick_micros } => {
                let origin = self.origin(0);
                self.aggregate.tick(EventTime(*tick_micros), &origin)?;
            }
            What::Table { table, digest } => self.put_in_force(table, digest, past.references)?,
            What::Model { model_version } => match past.models.version(*model_version) {
                Ok(model) => self.model = Some(model),
                Err(fault) => {
                    let partition = self.partition;
                    tracing::warn!(
                        partition,
                        fault,
                        "scores of that time are not known again: `decide` starts without them"
                    );
                    self.model = None;
                }
            },
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

    /// A marker of the model in force.
    pub fn tell_model(&self, next: Offset, now: i64) -> Option<OutputRecord> {
        let (topic, version) = (self.plan.topics.markers.as_ref()?, self.model_version()?);
        Some(Marker::model(next, version).record(topic, self.partition, now))
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
        if let Some(aggregated) = self.aggregate.tick(time, &origin)? {
            lap.end(3);
            let batch = self.judge(aggregated, Vec::new(), status, &mut lap)?;
            self.render(None, batch, now, &mut product);
            lap.end(6);
        }
        Ok(product)
    }

    /// Closes whatever waits for event time to pass, because nothing more will come; `None` if nothing waits.
    pub fn close(&mut self, status: &Status, clock: &dyn Clock) -> Result<Option<ScoredBatch>, RunError> {
        let Some(due) = self.aggregate.due() else { return Ok(None) };
        let origin = self.origin(clock.wall_micros());
        let mut lap = Lap { clock, status, last: clock.monotonic_nanos() };
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
        let decoded = self.decoder.decode(records, range);
        add(&status.coerced, decoded.coerced);
        for (index, letter) in &decoded.dead {
            self.set_aside(letter, records, *index, status, now, product);
        }
        lap.end(1);
        let enriched = self.enrich.enrich(decoded.events).map_err(|error| RunError::enrich(self.partition, error))?;
        add(&status.filtered, enriched.filtered);
        add(&status.duplicate_matches, enriched.duplicates);
        for (row, message) in enriched.failed {
            let index = decoded.records[row as usize];
            let position = records.position(index as usize);
            let letter = DeadLetter { position, stage: Stage::Enrich, reason: Reason::QueryFailed, message };
            self.set_aside(&letter, records, index, status, now, product);
        }
        let origin = compose(decoded.records, enriched.origin);
        lap.end(2);
        let aggregated = self.aggregate.aggregate(enriched.events)?;
        add(&status.late, aggregated.late.len() as u64);
        add(&status.repeats, aggregated.repeats);
        if let Some(topic) = &self.plan.topics.late {
            for (row, by_micros) in &aggregated.late {
                let index = origin[*row as usize] as usize;
                product.outputs.push(render::late_record(records, index, *by_micros, topic, now));
            }
        }
        add(&status.processed, aggregated.taken);
        lap.end(3);
        self.judge(aggregated, origin, status, &mut lap)
    }

    /// Scores rows and decides about them. `records` names for each event the index of its record.
    fn judge(
        &mut self,
        aggregated: Aggregated,
        records: Vec<u32>,
        status: &Status,
        lap: &mut Lap<'_>,
    ) -> Result<ScoredBatch, RunError> {
        let Aggregated { events, entities, on_time, windows, .. } = aggregated;
        let records = if windows.is_some() { Vec::new() } else { compose(records, on_time) };
        let mut scored = match &self.model {
            Some(model) => Some(score(model, &events.rows).map_err(|error| RunError::score(model.id(), error))?),
            None => {
                add(&status.unscored, events.len() as u64);
                None
            }
        };
        lap.end(4);
        if let (Some(scored), Some(model)) = (&mut scored, &self.model) {
            let rate = model.ensemble.alert_rate();
            self.remember_scores(&entities, &events.times, rate, &mut scored.scores, Some(status))?;
        }
        let findings = match (&self.model, &scored) {
            (Some(model), Some(scored)) => {
                let windows = windows.as_deref();
                let rows = Rows { model, events: &events, entities: &entities, scored, windows };
                self.decide.decide(&rows).map_err(|error| RunError::enrich(self.partition, error))?
            }
            _ => Vec::new(),
        };
        lap.end(5);
        Ok(ScoredBatch { events, entities, records, windows, scored, findings })
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
                    write_score(1.0 - scored.scores.tail[row], scored.scores.flagged[row], into);
                }
            };
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
        if let Some(stage) = &mut self.postprocess {
            parts.tables.push((postprocess::TABLE.to_owned(), stage.freeze(kind)));
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
                "it is of events that are read in another way: [source], [schema] or [enrich] has changed".into()
            );
        }
        for (name, digest) in digests {
            if self.enrich.digests().get(&name).is_some_and(|current| *current != digest) {
                let version = references.version(&name, &digest)?;
                self.enrich.replace_table(version).map_err(|error| error.to_string())?;
            }
        }
        if let Some(stage) = &mut self.postprocess
            && layout.postprocessing == self.plan.settings.decide.postprocessing
        {
            stage.recall(snapshot.take_table(postprocess::TABLE).map_err(|error| error.to_string())?);
        }
        self.aggregate.recall(&mut snapshot)
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        self.aggregate.memory_bytes() + self.postprocess.as_ref().map_or(0, Postprocess::memory_bytes)
    }
}

/// Row → record, through a stage that left rows out.
fn compose(records: Vec<u32>, origin: Option<Vec<u32>>) -> Vec<u32> {
    match origin {
        None => records,
        Some(origin) => origin.into_iter().map(|row| records[row as usize]).collect(),
    }
}

fn write_score(score: f64, flagged: bool, into: &mut Vec<u8>) {
    for (name, number) in [(render::SCORE_FIELD, Some(score)), (render::FLAG_FIELD, None)] {
        render::write_text(name, into);
        into.push(b':');
        match number {
            Some(number) => render::write_number(number, into),
            None => into.extend_from_slice(if flagged { b"true" } else { b"false" }),
        }
        into.push(b',');
    }
}
