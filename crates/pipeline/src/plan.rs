//! The compiled pipeline: what the settings mean for these columns. Planned once; every task is made from it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use lapwing_detect::{Encoding as ModelEncoding, InputSpec, Inputs as ModelInputs, MemberSpec};
use lapwing_features::{Graph, WindowMeasure};
use lapwing_sql::{Enricher, Predicate, ReferenceTable};
use lapwing_state::{EntityTable, Identity, StateError};
use lapwing_vocabulary::Partition;
use sha2::{Digest, Sha256};

use crate::aggregate::{Blueprint, Limits, schema_with_features, window_schema};
use crate::decide::Decide;
use crate::decode::schema::Schema;
use crate::decode::{DecodeOptions, Decoder, Format};
use crate::enrich::Enrich;
use crate::error::RunError;
use crate::join::{self, Join, JoinPlan, Joins, joined_schema};
use crate::settings::{self, Inputs, Pipeline, Settings};
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
            Some(window) => {
                needed.extend(window.spec.columns.iter().filter_map(|column| column.column.clone()));
                needed.extend(window.text.clone());
            }
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
        let own = settings.templates.iter().flat_map(settings::Templates::columns);
        let own: Vec<String> = own.map(|column| column.name).filter(|name| read.contains(name)).collect();
        if !own.is_empty() {
            read.extend(settings.templates.iter().map(|templates| templates.column.clone()));
        }
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
        let topic = settings.repartitioned_topic().or_else(|| settings.source.topic.clone());
        let source_name = topic.unwrap_or_else(|| "files".to_owned());
        Ok(Self {
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
            source_name,
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

fn check_source_columns(settings: &Settings, rows: &ArrowSchema, faults: &mut Vec<String>) {
    for (what, name) in [("key", Some(&settings.source.key)), ("id", settings.source.id.as_ref())] {
        if let Some(name) = name.filter(|name| rows.field_with_name(name).is_err()) {
            let hint = near(name, rows);
            faults.push(format!("[source] {what} = \"{name}\": the enrich query drops this column; {hint}"));
        }
    }
}

fn check_feature_columns(settings: &Settings, rows: &ArrowSchema, faults: &mut Vec<String>) {
    for feature in &settings.features {
        let columns = feature.measure.columns();
        for column in columns.into_iter().filter(|_| feature.surprise_of(&settings.features).is_none()) {
            let needs_number = feature.measure.needs_number();
            check_column(&format!("[features] {}", feature.name), column, needs_number, rows, faults);
        }
        if let Some(peers) = feature.peers() {
            check_column(&format!("[features] {}: peers", feature.name), peers, false, rows, faults);
        }
    }
}

fn check_window_columns(settings: &Settings, rows: &ArrowSchema, faults: &mut Vec<String>) {
    for column in settings.window.iter().flat_map(|window| &window.spec.columns) {
        let Some(name) = &column.column else { continue };
        let needs_number =
            !matches!(column.measure, WindowMeasure::Count | WindowMeasure::Distinct | WindowMeasure::Span);
        check_column(&format!("[window.columns] {}", column.name), name, needs_number, rows, faults);
    }
}

fn check_column(place: &str, name: &str, needs_number: bool, rows: &ArrowSchema, faults: &mut Vec<String>) {
    match rows.field_with_name(name) {
        Err(_) => faults.push(format!("{place}: no column `{name}`; {}", near(name, rows))),
        Ok(field) if needs_number && !is_number(field) => {
            faults.push(format!("{place}: column `{name}` is {}, not a number", field.data_type()));
        }
        Ok(_) => {}
    }
}

/// Enriched output adds the columns the query made, and the features if asked for. Where the original record cannot be
/// spliced (CSV, or a query that names its columns) it consists of the query's columns.
fn rendered_columns(
    settings: &Settings,
    events: &Schema,
    rows: &ArrowSchema,
    graph: &Graph,
    splices: bool,
) -> Vec<String> {
    if settings.outputs.enriched.is_none() {
        return Vec::new();
    }
    let names = rows.fields().iter().map(|field| field.name().clone());
    let mut names: Vec<String> = names.filter(|name| !splices || events.field(name).is_none()).collect();
    if settings.outputs.features {
        names.extend(graph.names().iter().cloned());
    }
    names
}

/// Inputs of all detectors together, and of each detector on its own.
fn detector_inputs(
    settings: &Settings,
    rows: &ArrowSchema,
    graph: &Graph,
    faults: &mut Vec<String>,
) -> (Vec<InputSpec>, Vec<MemberSpec>) {
    let mut inputs: Vec<InputSpec> = Vec::new();
    let mut members = Vec::new();
    for detector in &settings.detect.detectors {
        let names = match &detector.inputs {
            Inputs::Numeric { exclude } => numeric_inputs(settings, rows, graph, exclude),
            Inputs::Features => graph.names().to_vec(),
            Inputs::Listed(names) => names.clone(),
        };
        let mut own = Vec::new();
        for name in names {
            match input(settings, rows, graph, &name) {
                Ok(spec) => {
                    own.push(name);
                    if !inputs.contains(&spec) {
                        inputs.push(spec);
                    }
                }
                Err(fault) => faults.push(format!("[detect.{}] inputs: {fault}", detector.name)),
            }
        }
        if own.is_empty() && faults.is_empty() {
            faults.push(format!(
                "[detect.{}] has no inputs: name columns or features, or declare [features]",
                detector.name
            ));
        }
        let (name, method) = (detector.name.clone(), detector.method.clone());
        members.push(MemberSpec { name, method, inputs: ModelInputs::Named(own), rules: detector.rules.clone() });
    }
    (inputs, members)
}

fn numeric_inputs(settings: &Settings, rows: &ArrowSchema, graph: &Graph, exclude: &[String]) -> Vec<String> {
    let source = &settings.source;
    let named = [&source.id, &settings.train.label];
    let known = |name: &String| {
        let is_named = named.iter().any(|column| column.as_ref() == Some(name));
        *name == source.key || source.time.as_ref() == Some(name) || is_named || exclude.contains(name)
    };
    let encoded = |name: &String| settings.encode.iter().any(|(column, _)| column == name);
    let columns = rows.fields().iter().filter(|field| is_number(field) || encoded(field.name()));
    let columns = columns.map(|field| field.name().clone()).filter(|name| !known(name));
    columns.chain(graph.names().iter().filter(|name| !exclude.contains(name)).cloned()).collect()
}

fn input(settings: &Settings, rows: &ArrowSchema, graph: &Graph, name: &str) -> Result<InputSpec, String> {
    let spec = |encoding| Ok(InputSpec { column: name.to_owned(), encoding });
    if graph.names().iter().any(|feature| feature == name) {
        return spec(ModelEncoding::Numeric);
    }
    let Ok(field) = rows.field_with_name(name) else {
        return Err(format!("no column or feature `{name}`; {}", near_of(name, rows, graph)));
    };
    match settings.encode.iter().find(|(column, _)| column == name) {
        Some((_, settings::Encoding::OneHot)) => spec(ModelEncoding::OneHot),
        Some((_, settings::Encoding::Frequency)) => spec(ModelEncoding::Frequency),
        None if is_number(field) => spec(ModelEncoding::Numeric),
        None => Err(format!("column `{name}` is {}, not a number; name it in [encode]", field.data_type())),
    }
}

fn predicate_columns(settings: &Settings, rows: &SchemaRef, purpose: Purpose, faults: &mut Vec<String>) -> Vec<String> {
    let mut columns = Vec::new();
    let types = settings.decide.types.iter().map(|kind| (format!("[decide.types.{}] when", kind.name), &kind.when));
    let filter = settings.train.filter.as_ref().filter(|_| purpose == Purpose::Train);
    for (place, expression) in types.chain(filter.map(|filter| ("[train] where".to_owned(), filter))) {
        match Predicate::plan(expression, rows) {
            Ok(predicate) => columns.extend(predicate.columns()),
            Err(error) => faults.push(format!("{place}: {error}")),
        }
    }
    if let (Some(label), Purpose::Train) = (&settings.train.label, purpose) {
        match rows.field_with_name(label) {
            Ok(_) => columns.push(label.clone()),
            Err(_) => faults.push(format!("[train] label: no column `{label}`; {}", near(label, rows))),
        }
    }
    columns
}

fn is_number(field: &ArrowField) -> bool {
    field.data_type().is_numeric() || *field.data_type() == DataType::Boolean
}

fn near(name: &str, rows: &ArrowSchema) -> String {
    nearest(name, rows.fields().iter().map(|field| field.name().as_str()).collect())
}

fn near_of(name: &str, rows: &ArrowSchema, graph: &Graph) -> String {
    let columns = rows.fields().iter().map(|field| field.name().as_str());
    nearest(name, columns.chain(graph.names().iter().map(String::as_str)).collect())
}

fn nearest(name: &str, known: Vec<&str>) -> String {
    let near = known.iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    match near.filter(|near| strsim::jaro_winkler(name, near) > 0.75) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", known.join(", ")),
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
