//! What a task remembers: to and from snapshots, repeated in silence, and written down as markers.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use lapwing_state::{Kind, Snapshot, SnapshotParts};
use lapwing_vocabulary::{EventTime, Offset, OutputRecord, Records};

use super::Task;
use super::leave_out::leave_out;
use crate::aggregate::{Aggregated, Carried, layout_of};
use crate::enrich::Enriched;
use crate::error::RunError;
use crate::join::Joined;
use crate::marker::{Marker, What};
use crate::postprocess::{self, Postprocess, RecentScores};
use crate::references::References;
use crate::score::{Model, ModelSource, score};
use crate::status::{Status, add};
use crate::templates::Templates;

/// Section of the reference tables in force: JSON, digest by name.
const SECTION_TABLES: &str = "tables";
/// Section of what is joined, and of the events that wait for it.
const SECTION_JOINS: &str = "joins";

/// Section of the templates of log messages.
const SECTION_TEMPLATES: &str = "templates";

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

impl Task {
    /// Folds records into memory without producing anything: how state is rebuilt after a restart.
    pub fn replay(&mut self, records: &Records, range: Range<usize>, status: &Status) -> Result<(), RunError> {
        add(&status.replayed, range.len() as u64);
        let joined = self.join.join(records, range);
        self.share_room()?;
        self.fold(joined)
    }

    /// Folds events in silently.
    fn fold(&mut self, joined: Joined) -> Result<(), RunError> {
        self.join.take_counts();
        let events = self.find_templates(joined.events, None);
        let mut enriched = self.enrich.enrich(events).map_err(|error| RunError::enrich(self.partition, error))?;
        self.left_out += self.leave_out(&mut enriched);
        let Aggregated { events, entities, .. } = self.aggregate.aggregate(enriched.events)?;
        if let (Some(_), Some(model)) = (&self.postprocess, &self.model) {
            let mut scored = score(model, &events.rows).map_err(|error| RunError::score(model.id(), error))?;
            let rate = model.ensemble.alert_rate();
            self.remember_scores(&entities, &events.times, rate, &mut scored.scores, None)?;
        }
        Ok(())
    }

    /// Takes out the events that memory is to know nothing of; returns how many.
    pub(super) fn leave_out(&self, enriched: &mut Enriched) -> u64 {
        leave_out(enriched, &self.plan.settings.source.key, &self.plan.settings.state.leave_out)
    }

    /// How many events the replay has left out since it was last asked.
    pub fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    /// Whether what is remembered depends on the model in force.
    pub fn remembers_scores(&self) -> bool {
        self.postprocess.is_some()
    }

    /// Version of the model in force.
    pub fn model_version(&self) -> Option<u64> {
        self.model.as_ref().map(|model| model.version)
    }

    /// Repeats a marker in silence.
    pub fn replay_marker(&mut self, marker: &Marker, past: &Past<'_>) -> Result<(), RunError> {
        match &marker.what {
            What::Tick { tick_micros } => {
                let (time, origin) = (EventTime(*tick_micros), self.origin(0));
                if let Some(joined) = self.join.tick(time) {
                    self.fold(joined)?;
                }
                self.aggregate.tick(self.join.behind(time), &origin)?;
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

    /// The memory at this moment, as parts of a snapshot at `offset`, the first offset not contained.
    pub fn freeze(&mut self, offset: Offset, kind: Kind) -> SnapshotParts {
        let mut parts = self.aggregate.freeze(self.plan.identity(self.partition), offset, kind);
        let digests = serde_json::to_vec(self.enrich.digests()).expect("names and digests have a JSON form");
        parts.sections.push((SECTION_TABLES.to_owned(), digests));
        if let Some(stage) = &mut self.postprocess {
            parts.tables.push((postprocess::TABLE.to_owned(), stage.freeze(kind)));
        }
        if self.join.is_there() {
            parts.sections.push((SECTION_JOINS.to_owned(), self.join.encode()));
        }
        if let Some(stage) = &self.templates {
            parts.sections.push((SECTION_TEMPLATES.to_owned(), stage.encode()));
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
                "it is of events that are read in another way: [source], [schema], [join], [enrich] or state.leave_out \
                 has changed"
                    .into(),
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
        if self.join.is_there() {
            let section = snapshot.section(SECTION_JOINS).map_err(|error| error.to_string())?;
            self.join.recall(section)?;
        }
        // Where no column of templates was read, none was kept: they begin empty.
        if let (Some(stage), Ok(section)) = (&mut self.templates, snapshot.section(SECTION_TEMPLATES)) {
            stage.recall(section)?;
        }
        self.aggregate.recall(&mut snapshot)
    }

    /// What an entity's recent scores mean for its next one, at the newest event time; `None` if none are remembered.
    /// Errors: `State`.
    pub fn recent_scores(&self, entity: &str) -> Result<Option<RecentScores>, RunError> {
        let now = self.aggregate.max_seen().unwrap_or_default();
        let seen = self.postprocess.as_ref().map(|stage| stage.look(entity, now)).transpose()?;
        Ok(seen.flatten())
    }

    /// Entities have what the other stages leave of the task's memory.
    pub(super) fn share_room(&mut self) -> Result<(), RunError> {
        let Some(room_bytes) = self.room_bytes else { return Ok(()) };
        let scores = self.postprocess.as_ref().map_or(0, Postprocess::memory_bytes);
        let joins = self.join.memory_bytes();
        if joins > room_bytes && !std::mem::replace(&mut self.is_crowded, true) {
            let partition = self.partition;
            tracing::warn!(
                partition,
                joins,
                room_bytes,
                "what is joined takes more than this partition's part of `state.memory`, and cannot go to disk: raise it, \
                 or lower `max_rows`, `max_bytes` or the interval of the joins"
            );
        }
        Ok(self.aggregate.leave_room(joins + scores)?)
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        self.aggregate.memory_bytes()
            + self.join.memory_bytes()
            + self.templates.as_ref().map_or(0, Templates::memory_bytes)
            + self.postprocess.as_ref().map_or(0, Postprocess::memory_bytes)
    }
}
