//! Adds columns by SQL over the batch and reference tables.

use std::collections::BTreeMap;

use arrow::array::UInt32Array;
use arrow::compute::take;
use lapwing_sql::{Enricher, ReferenceTable, SqlError};
use lapwing_vocabulary::EventBatch;

/// The enrich stage of one partition. Without a query events pass unchanged.
pub struct Enrich {
    enricher: Option<Enricher>,
    /// Digest of each reference table in use, by name.
    digests: BTreeMap<String, String>,
}

/// What came of a batch.
#[derive(Debug)]
pub struct Enriched {
    /// The events with their new columns.
    pub events: EventBatch,
    /// For each event the index it had before, ascending; `None` if nothing was left out.
    pub origin: Option<Vec<u32>>,
    /// Events left out by the query's WHERE or an inner join.
    pub filtered: u64,
    /// Events on which the query failed: their index before, and why.
    pub failed: Vec<(u32, String)>,
    /// Extra rows that a reference table with repeated keys would have added.
    pub duplicates: u64,
}

impl Enrich {
    /// Prepares the stage with the tables in force.
    pub fn new(enricher: Option<Enricher>, tables: &[ReferenceTable]) -> Self {
        let digests = tables.iter().map(|table| (table.name().to_owned(), table.digest().to_owned())).collect();
        Self { enricher, digests }
    }

    /// Digest of each reference table in use, by name.
    pub fn digests(&self) -> &BTreeMap<String, String> {
        &self.digests
    }

    /// Puts a new version of a reference table in force for the events that follow.
    pub fn replace_table(&mut self, table: ReferenceTable) -> Result<(), SqlError> {
        let Some(enricher) = &mut self.enricher else { return Ok(()) };
        let (name, digest) = (table.name().to_owned(), table.digest().to_owned());
        enricher.replace_table(table)?;
        self.digests.insert(name, digest);
        Ok(())
    }

    /// Enriches a batch.
    pub fn enrich(&mut self, events: EventBatch) -> Result<Enriched, SqlError> {
        let Some(enricher) = &mut self.enricher else {
            return Ok(Enriched { events, origin: None, filtered: 0, failed: Vec::new(), duplicates: 0 });
        };
        let enriched = enricher.run(&events.rows)?;
        let left_out = events.len() - enriched.origin.len();
        let filtered = (left_out - enriched.failed.len()) as u64;
        let pick = |index: &u32| *index as usize;
        let events = EventBatch {
            topic: events.topic,
            partition: events.partition,
            rows: enriched.rows,
            offsets: enriched.origin.iter().map(|index| events.offsets[pick(index)]).collect(),
            times: enriched.origin.iter().map(|index| events.times[pick(index)]).collect(),
            arrived: enriched.origin.iter().map(|index| events.arrived[pick(index)]).collect(),
        };
        let origin = (left_out > 0).then_some(enriched.origin);
        let duplicates = enriched.duplicates as u64;
        Ok(Enriched { events, origin, filtered, failed: enriched.failed, duplicates })
    }
}

/// Keeps the named rows of a batch, in that order.
pub(crate) fn pick(events: &EventBatch, rows: &[u32]) -> EventBatch {
    let indices = UInt32Array::from(rows.to_vec());
    let columns = events.rows.columns().iter().map(|column| take(column, &indices, None));
    let columns: Result<Vec<_>, _> = columns.collect();
    let columns = columns.expect("indices lie within the batch");
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = arrow::array::RecordBatch::try_new_with_options(events.rows.schema(), columns, &options);
    EventBatch {
        topic: events.topic.clone(),
        partition: events.partition,
        rows: batch.expect("taking rows keeps the schema"),
        offsets: rows.iter().map(|row| events.offsets[*row as usize]).collect(),
        times: rows.iter().map(|row| events.times[*row as usize]).collect(),
        arrived: rows.iter().map(|row| events.arrived[*row as usize]).collect(),
    }
}
