//! Which template each message of a log was printed from, as columns of the event. What is learned of the lines is a
//! fold of them, like all memory of a partition.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use lapwing_logs::{Miner, MinerCounts, Template};
use lapwing_vocabulary::{EventBatch, Offset};

use crate::settings::{self, FieldType, PARAMETER, TEMPLATE, TEMPLATE_CODE, TEMPLATE_NEW, TEMPLATE_TEXT};

/// What a column holds of a message's template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Id,
    Code,
    Text,
    New,
    /// The variable part at this place, from 0.
    Parameter(usize),
}

/// The stage of every partition: which columns it adds.
#[derive(Clone, Debug)]
pub struct TemplatePlan {
    settings: settings::Templates,
    told: Vec<Told>,
    /// The events' columns, then those that are added.
    schema: SchemaRef,
}

/// The stage of one partition.
#[derive(Debug)]
pub struct Templates {
    plan: TemplatePlan,
    miner: Miner,
    counted: MinerCounts,
}

/// The columns of events with those of templates.
pub fn with_templates(events: &SchemaRef, settings: Option<&settings::Templates>) -> SchemaRef {
    let columns = settings.iter().flat_map(|settings| settings.columns());
    let added = columns.map(|column| {
        let kind = if column.kind == FieldType::Text { DataType::Utf8 } else { DataType::Int64 };
        Arc::new(Field::new(column.name, kind, true))
    });
    Arc::new(ArrowSchema::new(events.fields().iter().cloned().chain(added).collect::<Vec<_>>()))
}

impl TemplatePlan {
    /// A stage behind `events` that adds those of its columns that are `read`.
    pub fn new(settings: &settings::Templates, events: &SchemaRef, read: &[String]) -> Self {
        let told = |name: &str| match name {
            TEMPLATE => Some(Told::Id),
            TEMPLATE_CODE => Some(Told::Code),
            TEMPLATE_TEXT => Some(Told::Text),
            TEMPLATE_NEW => Some(Told::New),
            _ => name
                .strip_prefix(PARAMETER)
                .and_then(|at| Some(Told::Parameter(at.parse::<usize>().ok()?.checked_sub(1)?))),
        };
        let all = with_templates(events, Some(settings));
        let added = all.fields().iter().skip(events.fields().len()).filter(|field| read.contains(field.name()));
        let added: Vec<_> = added.cloned().collect();
        let told = added.iter().filter_map(|field| told(field.name())).collect();
        let fields: Vec<_> = events.fields().iter().cloned().chain(added).collect();
        Self { settings: settings.clone(), told, schema: Arc::new(ArrowSchema::new(fields)) }
    }

    /// The columns behind the stage.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Templates {
    /// A stage that has learned nothing.
    /// Errors: what is wrong with the settings.
    pub fn new(plan: &TemplatePlan) -> Result<Self, String> {
        let miner = Miner::new(plan.settings.spec.clone()).map_err(|error| error.to_string())?;
        Ok(Self { plan: plan.clone(), miner, counted: MinerCounts::default() })
    }

    /// Adds the columns. A message without text has no template.
    pub fn extend(&mut self, mut events: EventBatch) -> EventBatch {
        let column = events.rows.column_by_name(&self.plan.settings.column).expect("the plan keeps the messages");
        let messages = column.as_string::<i32>().clone();
        let mut columns: Vec<Column> = self.plan.told.iter().map(|told| Column::new(*told)).collect();
        let wants_parameters = self.plan.told.iter().any(|told| matches!(told, Told::Parameter(_)));
        let (mut parameters, mut before): (Vec<_>, Option<(Offset, _)>) = (Vec::new(), None);
        for row in 0..events.len() {
            let message = messages.is_valid(row).then(|| messages.value(row));
            let Some(message) = message else {
                columns.iter_mut().for_each(Column::push_null);
                before = None;
                continue;
            };
            // A line that is for several entities is one line.
            let offset = events.offsets[row];
            let taken = match before {
                Some((of, taken)) if of == offset => taken,
                _ => self.miner.take(message, wants_parameters.then_some(&mut parameters)),
            };
            before = Some((offset, taken));
            let template = self.miner.template(taken.slot);
            for column in &mut columns {
                match (column.told, template) {
                    (_, None) => column.push_null(),
                    (Told::Id, Some(template)) => column.push_text(&template.id),
                    (Told::Text, Some(template)) => column.push_text(&template.text),
                    (Told::Code, _) => column.push_number(i64::from(taken.code)),
                    (Told::New, _) => column.push_number(i64::from(taken.is_new)),
                    (Told::Parameter(at), _) => match parameters.get(at) {
                        Some(range) => column.push_text(&message[range.start as usize..range.end as usize]),
                        None => column.push_null(),
                    },
                }
            }
        }
        let mut arrays: Vec<ArrayRef> = events.rows.columns().to_vec();
        arrays.extend(columns.into_iter().map(Column::finish));
        let options = RecordBatchOptions::new().with_row_count(Some(events.len()));
        events.rows = RecordBatch::try_new_with_options(self.plan.schema.clone(), arrays, &options)
            .expect("the schema was made for these columns, and each has a value per event");
        events
    }

    /// The templates that are known.
    pub fn each(&self) -> impl Iterator<Item = &Template> {
        self.miner.templates()
    }

    /// Templates known.
    pub fn known(&self) -> usize {
        self.miner.templates().count()
    }

    /// What was counted since it was last asked.
    pub fn take_counts(&mut self) -> MinerCounts {
        let now = self.miner.counts();
        let before = std::mem::replace(&mut self.counted, now);
        MinerCounts {
            lines: now.lines - before.lines,
            created: now.created - before.created,
            evicted: now.evicted - before.evicted,
            unknown: now.unknown - before.unknown,
            cut: now.cut - before.cut,
        }
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        self.miner.bytes()
    }

    /// What was learned, for a snapshot.
    pub fn encode(&self) -> Vec<u8> {
        self.miner.store()
    }

    /// Takes up what [`Templates::encode`] gave.
    /// Errors: text, if it does not read back.
    pub fn recall(&mut self, bytes: &[u8]) -> Result<(), String> {
        let spec = self.plan.settings.spec.clone();
        self.miner = Miner::restore(spec, bytes).map_err(|error| error.to_string())?;
        self.counted = self.miner.counts();
        Ok(())
    }
}

/// A column under construction.
struct Column {
    told: Told,
    texts: StringBuilder,
    numbers: Vec<Option<i64>>,
}

impl Column {
    fn new(told: Told) -> Self {
        Self { told, texts: StringBuilder::new(), numbers: Vec::new() }
    }

    fn is_text(&self) -> bool {
        !matches!(self.told, Told::Code | Told::New)
    }

    fn push_null(&mut self) {
        if self.is_text() { self.texts.append_null() } else { self.numbers.push(None) }
    }

    fn push_text(&mut self, text: &str) {
        self.texts.append_value(text);
    }

    fn push_number(&mut self, number: i64) {
        self.numbers.push(Some(number));
    }

    fn finish(mut self) -> ArrayRef {
        let texts: StringArray = self.texts.finish();
        if matches!(self.told, Told::Code | Told::New) {
            Arc::new(Int64Array::from(self.numbers))
        } else {
            Arc::new(texts)
        }
    }
}
