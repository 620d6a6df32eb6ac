//! One partition: its stages in order, and its memory. Everything that happens to a record happens here, in one thread,
//! and depends on nothing but the records, the model and the tables in force.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::StringArray;
use lapwing_detect::Scores;
use lapwing_features::Cause;
use lapwing_sql::ReferenceTable;
use lapwing_vocabulary::{DeadLetter, EventBatch, EventTime, Offset, OutputRecord, Partition, Reason, Records, Stage};

use crate::aggregate::{Aggregate, Aggregated, MemoryRoom, Origin, WindowRow};
use crate::clock::Clock;
use crate::decide::{Decide, Finding, Rows};
use crate::enrich::Enrich;
use crate::error::RunError;
use crate::join::{self, Join, Joined};
use crate::marker::Marker;
use crate::plan::Plan;
use crate::postprocess::Postprocess;
use crate::render;
use crate::score::{Model, Scored, score};
use crate::status::{Status, add};
use crate::templates::Templates;

/// Events that memory is to know nothing of.
mod leave_out;
/// What a task puts out.
mod output;
/// What a task remembers.
mod past;

pub use past::Past;

/// The work of one partition.
pub struct Task {
    plan: Arc<Plan>,
    partition: Partition,

    join: Join,
    templates: Option<Templates>,
    enrich: Enrich,
    aggregate: Aggregate,
    postprocess: Option<Postprocess>,
    decide: Decide,
    model: Option<Arc<Model>>,

    /// Bytes of memory for it; `None` is unbounded.
    room_bytes: Option<usize>,
    /// Whether it was said that its joins alone need more.
    is_crowded: bool,
    /// Events left out by the replay.
    left_out: u64,
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
            templates: plan.templates()?,
            enrich: plan.enrich(partition, tables)?,
            aggregate: Aggregate::new(&plan.memory, room)?,
            postprocess: Postprocess::new(&plan.settings.decide.postprocessing, plan.memory.limits.ttl_micros),
            decide: plan.decide()?,
            plan: plan.clone(),
            partition,
            model: None,
            room_bytes: room.map(|room| room.bytes),
            is_crowded: false,
            left_out: 0,
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
        let now = clock.wall_micros();
        match &self.plan.topics.markers {
            Some(topic) => product.outputs.push(Marker::tick(next, time).record(topic, self.partition, now)),
            // At the end of files event time passes for good; where they are followed, nobody could repeat it.
            None if self.plan.settings.is_finite() => {}
            None => return Ok(product),
        }
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
        self.share_room()?;
        add(&status.coerced, joined.coerced);
        add(&status.keys_cut, joined.keys_cut);
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

    /// Adds what is known of the templates of log messages.
    fn find_templates(&mut self, events: EventBatch, status: Option<&Status>) -> EventBatch {
        let Some(stage) = &mut self.templates else { return events };
        let events = stage.extend(events);
        let counts = stage.take_counts();
        if let Some(status) = status {
            status.count_templates(&counts);
        }
        events
    }

    /// The stage of templates.
    pub fn templates(&self) -> Option<&Templates> {
        self.templates.as_ref()
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
        let events = self.find_templates(events, Some(status));
        let none = Records::default();
        let carriers = released.as_ref().or(records).unwrap_or(&none);
        let mut enriched = self.enrich.enrich(events).map_err(|error| RunError::enrich(self.partition, error))?;
        add(&status.left_out, self.leave_out(&mut enriched));
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
        &mut self,
        aggregated: Aggregated,
        records: Vec<u32>,
        status: &Status,
        lap: &mut Lap<'_>,
    ) -> Result<ScoredBatch, RunError> {
        let Aggregated { events, entities, on_time, windows, small, .. } = aggregated;
        add(&status.windows_small, small);
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
        Ok(ScoredBatch { events, entities, records, released: None, windows, scored, findings })
    }
}

/// Row → record, through a stage that left rows out.
fn compose(records: Vec<u32>, origin: Option<Vec<u32>>) -> Vec<u32> {
    match origin {
        None => records,
        Some(origin) => origin.into_iter().map(|row| records[row as usize]).collect(),
    }
}
