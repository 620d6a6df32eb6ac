//! One partition: its stages in order, and its memory. Everything that happens to a record happens here, in one thread,
//! and depends on nothing but the records, the model and the tables in force.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::StringArray;
use lapwing_sql::ReferenceTable;
use lapwing_state::{Header, Snapshot, StateError};
use lapwing_vocabulary::{DeadLetter, EventBatch, Offset, OutputRecord, Partition, Reason, Records, Stage};

use crate::aggregate::{Aggregate, Memory};
use crate::clock::Clock;
use crate::decide::{Decide, Finding};
use crate::decode::Decoder;
use crate::enrich::Enrich;
use crate::error::RunError;
use crate::plan::Plan;
use crate::references::References;
use crate::render::{self, JsonFields};
use crate::score::{Model, Scored, score};
use crate::status::{Status, add};

/// The work of one partition.
pub struct Task {
    plan: Arc<Plan>,
    partition: Partition,

    decoder: Decoder,
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
    /// The events in time, with their features.
    pub events: EventBatch,
    /// Entity of each event.
    pub entities: StringArray,
    /// For each event the index of its record in the batch.
    pub records: Vec<u32>,
    /// Scores, if there is a model.
    pub scored: Option<Scored>,
    /// Alerts, in the order of the rows.
    pub findings: Vec<Finding>,
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

const SECTION_ENTITIES: &str = "entities";
const SECTION_SHARED: &str = "shared";
const SECTION_WATERMARK: &str = "watermark";
const SECTION_TABLES: &str = "tables";

impl Task {
    /// A task without memory.
    pub fn new(plan: &Arc<Plan>, partition: Partition, tables: &[ReferenceTable]) -> Result<Self, RunError> {
        Ok(Self {
            decoder: Decoder::new(plan.decode.clone()).map_err(|fault| RunError::Plan(vec![fault]))?,
            enrich: plan.enrich(partition, tables)?,
            aggregate: plan.aggregate(),
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
        self.aggregate.aggregate(enriched.events);
        Ok(())
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
        self.render(records, batch, clock.wall_micros(), &mut product);
        lap.end(6);
        Ok(product)
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
        let aggregated = self.aggregate.aggregate(enriched.events);
        add(&status.late, aggregated.late.len() as u64);
        if let Some(topic) = &self.plan.topics.late {
            for (row, by_micros) in &aggregated.late {
                let index = origin[*row as usize] as usize;
                product.outputs.push(render::late_record(records, index, *by_micros, topic, now));
            }
        }
        let origin = compose(origin, aggregated.on_time);
        add(&status.processed, origin.len() as u64);
        lap.end(3);
        let scored = match &self.model {
            Some(model) => Some(score(model, &aggregated.events.rows).map_err(|e| RunError::score(model.id(), e))?),
            None => {
                add(&status.unscored, origin.len() as u64);
                None
            }
        };
        lap.end(4);
        let findings = match (&self.model, &scored) {
            (Some(model), Some(scored)) => self
                .decide
                .decide(model, &aggregated.events, &aggregated.entities, scored)
                .map_err(|error| RunError::enrich(self.partition, error))?,
            _ => Vec::new(),
        };
        lap.end(5);
        let (events, entities) = (aggregated.events, aggregated.entities);
        Ok(ScoredBatch { events, entities, records: origin, scored, findings })
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

    fn render(&self, records: &Records, batch: ScoredBatch, now: i64, product: &mut Product) {
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
        records: &Records,
        batch: &ScoredBatch,
        topic: &Arc<str>,
        now: i64,
        product: &mut Product,
    ) {
        let columns = JsonFields::new(&batch.events.rows, &self.plan.rendered_columns);
        product.outputs.reserve(batch.events.len());
        for (row, index) in batch.records.iter().enumerate() {
            let index = *index as usize;
            let write = |into: &mut Vec<u8>| {
                columns.write(row, into);
                if let (Some(scored), true) = (&batch.scored, self.plan.settings.outputs.scores) {
                    write_score(1.0 - scored.scores.tail[row], scored.scores.flagged[row], into);
                }
            };
            let value = match self.plan.splices_original {
                true => render::splice(records.value(index), write),
                false => render::object(write),
            };
            product.outputs.push(OutputRecord {
                topic: topic.clone(),
                partition: None,
                key: Some(batch.entities.value(row).as_bytes().to_vec()),
                value,
                headers: vec![render::source_header(&records.position(index))],
                timestamp: now,
            });
        }
    }

    /// The memory as a snapshot at `offset`, the first offset not contained.
    pub fn snapshot(&self, offset: Offset) -> Result<Vec<u8>, StateError> {
        let memory = self.aggregate.remember()?;
        let tables = serde_json::to_vec(self.enrich.digests()).expect("names and digests have a JSON form");
        let header = Header { identity: self.plan.identity(self.partition), offset };
        let sections = [
            (SECTION_ENTITIES, memory.entities.as_slice()),
            (SECTION_SHARED, &memory.shared),
            (SECTION_WATERMARK, &memory.watermark),
            (SECTION_TABLES, &tables),
        ];
        lapwing_state::snapshot::encode(&header, &sections)
    }

    /// Takes up a memory, and the versions of the reference tables that were in force with it.
    pub fn restore(&mut self, snapshot: &Snapshot, references: &References) -> Result<(), String> {
        let section = |name: &str| snapshot.section(name).map_err(|error| error.to_string());
        let memory = Memory {
            entities: section(SECTION_ENTITIES)?.to_vec(),
            shared: section(SECTION_SHARED)?.to_vec(),
            watermark: section(SECTION_WATERMARK)?.to_vec(),
        };
        let digests: BTreeMap<String, String> =
            serde_json::from_slice(section(SECTION_TABLES)?).map_err(|error| error.to_string())?;
        for (name, digest) in digests {
            if self.enrich.digests().get(&name).is_some_and(|current| *current != digest) {
                let version = references.version(&name, &digest)?;
                self.enrich.replace_table(version).map_err(|error| error.to_string())?;
            }
        }
        self.aggregate.recall(&memory)
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
