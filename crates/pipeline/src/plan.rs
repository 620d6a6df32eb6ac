//! The compiled pipeline: what the settings mean for these columns. Planned once; every task is made from it.

/// Which columns the stages read.
mod columns;

use std::sync::Arc;

use arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use lapwing_detect::{InputSpec, MemberSpec};
use lapwing_features::Graph;
use lapwing_sql::{Enricher, ReferenceTable};
use lapwing_state::{EntityTable, Identity, StateError};
use lapwing_vocabulary::Partition;
use sha2::{Digest, Sha256};

use columns::{
    check_feature_columns, check_source_columns, check_window_columns, detector_inputs, predicate_columns,
    rendered_columns,
};

use crate::aggregate::{Blueprint, Limits, schema_with_features, window_schema};
use crate::decide::Decide;
use crate::decode::schema::Schema;
use crate::decode::{DecodeOptions, Decoder, Format};
use crate::enrich::Enrich;
use crate::error::RunError;
use crate::join::{self, Join, JoinPlan, Joins, joined_schema};
use crate::settings::{self, Pipeline, Settings};
use crate::templates::{TemplatePlan, Templates, with_templates};
use crate::wording::Wording;

/// What a plan is for: training reads columns that running does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Detect.
    Run,
    /// Gather rows to fit models to: also the columns of `train.where`.
    Train,
}

/// Names of the output topics; `None` where an output is switched off.
#[derive(Clone, Debug)]
pub struct OutputTopics {
    /// Alerts.
    pub alerts: Arc<str>,
    /// Enriched events.
    pub enriched: Option<Arc<str>>,
    /// Records that did not fit.
    pub dead_letters: Arc<str>,
    /// Events behind the watermark.
    pub late: Option<Arc<str>>,
    /// Markers of what happened between two records; `None` where nothing does.
    pub markers: Option<Arc<str>>,
}

/// A compiled pipeline.
pub struct Plan {
    /// The settings it was compiled from.
    pub settings: Pipeline,
    /// Output topics.
    pub topics: OutputTopics,
    /// Columns of the rows after enrich and aggregate.
    pub rows: SchemaRef,
    /// What decode builds.
    pub decode: DecodeOptions,
    /// What is joined to the events.
    pub joins: Arc<[JoinPlan]>,
    /// Columns of the events with what is joined to them.
    pub(crate) joined: SchemaRef,
    /// Which columns of templates are added; `None` if none is read.
    pub(crate) templates: Option<TemplatePlan>,
    /// Inputs of the model: columns and how they become numbers.
    pub inputs: Vec<InputSpec>,
    /// Detectors, each with its inputs.
    pub members: Vec<MemberSpec>,
    /// Whether enriched output is the original record with fields added (JSON passed through by `*`).
    pub(crate) splices_original: bool,
    /// Columns that enriched output adds, or consists of.
    pub(crate) rendered_columns: Vec<String>,

    query: Option<String>,
    needed: Vec<String>,
    events: SchemaRef,
    graph: Arc<Graph>,
    digest: String,
    source_name: String,
    /// What the memory of each partition looks like.
    pub(crate) memory: Arc<Blueprint>,
}

impl Plan {
    /// Compiles settings for events of `schema`. `header` names the fields of CSV records; `extra` columns are kept
    /// although no stage reads them. All faults are listed.
    pub fn compile(
        settings: Pipeline,
        schema: &Schema,
        header: Option<Vec<String>>,
        tables: &[ReferenceTable],
        purpose: Purpose,
        extra: &[String],
    ) -> Result<Self, RunError> {
        let mut faults = Vec::new();
        let mut joins = join::compile(&settings, schema, &mut faults)?;
        let joined = join::with_all_columns(&schema.arrow(), &joins);
        let events = with_templates(&joined, settings.templates.as_ref());
        let query = settings.enrich.query.clone();
        let (wide, wildcard) = enriched_schema(query.as_deref(), &events, tables)?;
        let graph = Graph::new(settings.features.clone());
        let graph = Arc::new(graph.map_err(|error| RunError::Plan(vec![format!("[features] {error}")]))?);
        check_window_columns(&settings, &wide, &mut faults);
        // What features and detectors see: the events, or windows of them.
        let scored = match &settings.window {
            Some(window) => window_schema(&settings.source.key, window),
            None => wide.clone(),
        };
        check_feature_columns(&settings, &scored, &mut faults);
        let all_rows = schema_with_features(&scored, &graph);
        let (inputs, members) = detector_inputs(&settings, &scored, &graph, &mut faults);
        let is_json = settings.source.format == settings::Format::Json;
        let splices_original = wildcard && is_json && settings.window.is_none();
        let rendered_columns = rendered_columns(&settings, schema, &scored, &graph, splices_original);
        let seen = predicate_columns(&settings, &all_rows, purpose, &mut faults);
        let mut needed = vec![settings.source.key.clone()];
        needed.extend(settings.source.id.clone());
        needed.extend(extra.iter().cloned());
        match &settings.window {
            Some(window) => needed.extend(columns_of_window(window)),
            None => {
                needed.extend(graph.columns().iter().chain(graph.peers()).cloned());
                needed.extend(inputs.iter().map(|input| input.column.clone()));
                needed.extend(rendered_columns.iter().cloned());
                needed.extend(seen);
            }
        }
        needed.retain(|name| wide.field_with_name(name).is_ok());
        needed.sort();
        needed.dedup();
        check_source_columns(&settings, &wide, &mut faults);
        if !faults.is_empty() {
            return Err(RunError::Plan(faults));
        }
        let (enriched, mut read) = narrow(query.as_deref(), &events, tables, &needed)?;
        let own = columns_of_templates(&settings, &mut read);
        joins.iter_mut().for_each(|join| join.narrow(&read));
        let mut decoded = read;
        decoded.push(settings.source.key.clone());
        decoded.extend(settings.source.time.clone());
        decoded.extend(joins.iter().map(|join| join.settings.on.clone()));
        let decode = decode_options(&settings, schema.narrowed(&decoded), header);
        Decoder::new(decode.clone()).map_err(|fault| RunError::Plan(vec![format!("[source] {fault}")]))?;
        // Without a query rows are what is decoded, event time included.
        let joined = joined_schema(&decode.schema.arrow(), &joins);
        let templates = settings.templates.as_ref().filter(|_| !own.is_empty());
        let templates = templates.map(|templates| TemplatePlan::new(templates, &joined, &own));
        let decoded = templates.as_ref().map_or(&joined, TemplatePlan::schema);
        let enriched = if query.is_none() { decoded.clone() } else { enriched };
        let rows = schema_with_features(if settings.window.is_some() { &scored } else { &enriched }, &graph);
        let digest = digest(&settings, schema);
        let memory = Blueprint {
            graph: graph.clone(),
            limits: limits(&settings),
            key: settings.source.key.clone(),
            id: settings.source.id.clone(),
            rows: rows.clone(),
            window: settings.window.clone(),
            postprocessing: settings.decide.postprocessing.clone(),
            events: digest.clone(),
        };
        let topics = output_topics(&settings);
        Ok(Self {
            source_name: source_name(&settings),
            settings,
            topics,
            rows,
            decode,
            joins: joins.into(),
            joined,
            templates,
            inputs,
            members,
            splices_original,
            rendered_columns,
            query,
            needed,
            events,
            graph,
            digest,
            memory: Arc::new(memory),
        })
    }

    /// The reference tables the settings name.
    pub fn tables(&self) -> Vec<settings::ReferenceTable> {
        self.settings.enrich.tables.clone()
    }

    /// The enrich stage with these tables.
    pub(crate) fn enrich(&self, partition: Partition, tables: &[ReferenceTable]) -> Result<Enrich, RunError> {
        let enricher = match &self.query {
            None => None,
            Some(query) => Some(
                Enricher::plan(query, &self.events, tables)
                    .and_then(|enricher| enricher.narrow(&self.needed))
                    .map_err(|error| RunError::enrich(partition, error))?,
            ),
        };
        Ok(Enrich::new(enricher, tables))
    }

    /// The join stage, with decode before it.
    pub(crate) fn join(&self, partition: Partition) -> Result<Join, RunError> {
        let made_of = Joins {
            plans: self.joins.clone(),
            events: self.decode.clone(),
            schema: self.joined.clone(),
            topic: self.source_name().into(),
            lateness_micros: self.settings.source.watermark_micros,
        };
        Join::new(made_of, partition).map_err(|fault| RunError::Plan(vec![fault]))
    }

    /// The stage of templates.
    pub(crate) fn templates(&self) -> Result<Option<Templates>, RunError> {
        let stage = self.templates.as_ref().map(Templates::new).transpose();
        stage.map_err(|fault| RunError::Plan(vec![format!("[templates] {fault}")]))
    }

    /// The decide stage.
    pub(crate) fn decide(&self) -> Result<Decide, RunError> {
        let settings = &self.settings;
        // A window has many events, and none of their ids is its own.
        let id = settings.source.id.as_deref().filter(|_| settings.window.is_none());
        Decide::new(&settings.name, id, &settings.decide.types, Wording::new(settings), &self.rows)
            .map_err(|(name, error)| RunError::Plan(vec![format!("[decide.types.{name}] when: {error}")]))
    }

    /// An empty table of state for words that any version of this pipeline has written; see
    /// [`lapwing_state::MakeTable`].
    pub fn empty_table(&self, name: &str, words: usize) -> Result<EntityTable, StateError> {
        self.memory.empty_table(name, words, None)
    }

    /// What a snapshot of a partition must say of itself to be taken up.
    pub fn identity(&self, partition: Partition) -> Identity {
        Identity {
            pipeline: self.settings.name.clone(),
            topic: self.source_name().to_owned(),
            partition,
            graph_digest: format!("{}{}", self.digest, self.graph.digest()),
            layout: serde_json::to_vec(&self.memory.layout()).expect("a layout has a JSON form"),
        }
    }

    /// Fingerprint of everything that decides what an event is.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The topic that the tasks read: the source topic or, with `repartition` or joins, the internal one; for files, which have
    /// none, the word `files`.
    pub fn source_name(&self) -> &str {
        &self.source_name
    }

    /// Names of the features, in order.
    pub fn features(&self) -> &[String] {
        self.graph.names()
    }

    /// Bytes of state per entity, without its key.
    pub fn entity_bytes(&self) -> usize {
        self.graph.entity_words() * size_of::<f64>()
    }
}

/// The topic that tasks read; for files, which have none, the word `files`.
fn source_name(settings: &Pipeline) -> String {
    let topic = settings.repartitioned_topic().or_else(|| settings.source.topic.clone());
    topic.unwrap_or_else(|| "files".to_owned())
}

/// The columns of events that windows are made of.
fn columns_of_window(window: &settings::Window) -> impl Iterator<Item = String> {
    window.spec.columns.iter().filter_map(|column| column.column.clone()).chain(window.text.clone())
}

/// The columns of templates that are read; if there are any, the messages are read too.
fn columns_of_templates(settings: &Settings, read: &mut Vec<String>) -> Vec<String> {
    let own = settings.templates.iter().flat_map(settings::Templates::columns);
    let own: Vec<String> = own.map(|column| column.name).filter(|name| read.contains(name)).collect();
    if !own.is_empty() {
        read.extend(settings.templates.iter().map(|templates| templates.column.clone()));
    }
    own
}

/// What bounds the memory of a partition.
fn limits(settings: &Settings) -> Limits {
    let (source, state) = (&settings.source, &settings.state);
    Limits {
        lateness_micros: source.watermark_micros,
        ttl_micros: state.ttl_micros,
        dedup_micros: if source.id.is_some() { source.dedup_micros } else { 0 },
        dedup_ids: source.dedup_ids,
    }
}

fn decode_options(settings: &Settings, schema: Schema, header: Option<Vec<String>>) -> DecodeOptions {
    let format = match (&settings.source.format, header) {
        (settings::Format::Csv(csv), Some(header)) => Format::Csv { delimiter: csv.delimiter, header },
        (settings::Format::Lines(lines), _) => Format::Lines(lines.clone()),
        _ => Format::Json,
    };
    DecodeOptions {
        schema,
        format,
        key: settings.source.key.clone(),
        time: settings.source.time.clone(),
        max_future_micros: settings.source.max_future_micros,
        max_record_bytes: settings.max_record_bytes,
    }
}

fn output_topics(settings: &Pipeline) -> OutputTopics {
    let outputs = &settings.outputs;
    OutputTopics {
        alerts: outputs.alerts.as_str().into(),
        enriched: outputs.enriched.as_deref().map(Arc::from),
        dead_letters: outputs.dead_letters.as_str().into(),
        late: outputs.late.as_deref().map(Arc::from),
        markers: settings.marker_topic().map(Arc::from),
    }
}

/// Plans the query for the needed columns only; returns the schema it gives and the event columns it reads.
fn narrow(
    query: Option<&str>,
    events: &SchemaRef,
    tables: &[ReferenceTable],
    needed: &[String],
) -> Result<(SchemaRef, Vec<String>), RunError> {
    let Some(query) = query else {
        let fields: Vec<_> = events.fields().iter().filter(|field| needed.contains(field.name())).cloned().collect();
        let names = fields.iter().map(|field| field.name().clone()).collect();
        return Ok((Arc::new(ArrowSchema::new(fields)), names));
    };
    let enricher = Enricher::plan(query, events, tables)
        .and_then(|enricher| enricher.narrow(needed))
        .map_err(|error| RunError::Plan(vec![format!("[enrich] query: {error}")]))?;
    Ok((enricher.schema().clone(), enricher.events_columns()))
}

/// The columns that the whole query gives, and whether it passes all of the event's columns on.
fn enriched_schema(
    query: Option<&str>,
    events: &SchemaRef,
    tables: &[ReferenceTable],
) -> Result<(SchemaRef, bool), RunError> {
    let Some(query) = query else { return Ok((events.clone(), true)) };
    match Enricher::plan(query, events, tables) {
        Ok(enricher) => Ok((enricher.schema().clone(), enricher.has_wildcard())),
        Err(error) => Err(RunError::Plan(vec![format!("[enrich] query: {error}")])),
    }
}

fn digest(settings: &Pipeline, schema: &Schema) -> String {
    let schema = serde_json::to_string(schema).expect("a schema has a JSON form");
    let mut hash = Sha256::new();
    for part in [settings.digest().as_str(), &schema] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
