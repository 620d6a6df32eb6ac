//! Event-time features per entity: the stage that remembers. It never looks at a score.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema as ArrowSchema, SchemaRef};
use lapwing_features::{Graph, Timeliness, Watermark};
use lapwing_state::{EntityTable, StateError};
use lapwing_vocabulary::{EventBatch, EventTime};

use crate::enrich::pick;

/// The memory of one partition, and the fold that updates it.
pub struct Aggregate {
    graph: Arc<Graph>,
    key: String,
    schema: SchemaRef,

    entities: EntityTable,
    shared: Vec<f64>,
    watermark: Watermark,

    inputs: Vec<f64>,
    outputs: Vec<f64>,
}

/// Events with their features, and those that came too late to have any.
#[derive(Debug)]
pub struct Aggregated {
    /// The events in time; the rows carry the features after the event columns.
    pub events: EventBatch,
    /// Entity of each event in time.
    pub entities: StringArray,
    /// For each event in time the index it had before; `None` if none was late.
    pub on_time: Option<Vec<u32>>,
    /// Index of each late event, with the microseconds by which it missed the watermark.
    pub late: Vec<(u32, i64)>,
}

/// What an [`Aggregate`] remembers, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Words of every entity.
    pub entities: Vec<u8>,
    /// Words of the partition.
    pub shared: Vec<u8>,
    /// The watermark.
    pub watermark: Vec<u8>,
}

impl Aggregate {
    /// An empty memory. `schema` is that of the rows with features, `key` the column of the entity.
    pub fn new(graph: Arc<Graph>, key: &str, schema: SchemaRef, lateness_micros: i64) -> Self {
        let mut fresh = vec![0.0; graph.entity_words()];
        graph.init_entity(&mut fresh);
        let mut shared = vec![0.0; graph.shared_words()];
        graph.init_shared(&mut shared);
        let outputs = vec![0.0; graph.names().len()];
        let inputs = vec![0.0; graph.columns().len()];
        let entities = EntityTable::new(fresh);
        let watermark = Watermark::new(lateness_micros);
        Self { graph, key: key.to_owned(), schema, entities, shared, watermark, inputs, outputs }
    }

    /// Folds a batch in, event by event in the order of arrival, so that how events are cut into batches changes nothing.
    pub fn aggregate(&mut self, events: EventBatch) -> Aggregated {
        let keys = entity_column(&events.rows, &self.key);
        let columns: Vec<Float64Array> =
            self.graph.columns().iter().map(|name| number_column(&events.rows, name)).collect();
        let width = self.graph.names().len();
        let mut features: Vec<Vec<f64>> = (0..width).map(|_| Vec::with_capacity(events.len())).collect();
        let mut late = Vec::new();
        let mut on_time = Vec::with_capacity(events.len());
        for row in 0..events.len() {
            let time = events.times[row];
            if let Timeliness::Late { by_micros } = self.watermark.observe(time) {
                late.push((row as u32, by_micros));
                continue;
            }
            for (input, column) in self.inputs.iter_mut().zip(&columns) {
                *input = if column.is_null(row) { f64::NAN } else { column.value(row) };
            }
            let (slot, _) = self.entities.slot(keys.value(row).as_bytes());
            let words = self.entities.words_mut(slot);
            self.graph.fold(words, &mut self.shared, time, &self.inputs, &mut self.outputs);
            for (feature, value) in features.iter_mut().zip(&self.outputs) {
                feature.push(*value);
            }
            on_time.push(row as u32);
        }
        self.assemble(events, keys, features, on_time, late)
    }

    fn assemble(
        &self,
        events: EventBatch,
        keys: StringArray,
        features: Vec<Vec<f64>>,
        on_time: Vec<u32>,
        late: Vec<(u32, i64)>,
    ) -> Aggregated {
        let (mut kept, entities, on_time) = if late.is_empty() {
            (events, keys, None)
        } else {
            let kept = pick(&events, &on_time);
            (kept, entity_column_of(&keys, &on_time), Some(on_time))
        };
        let mut columns = kept.rows.columns().to_vec();
        columns.extend(features.into_iter().map(|values| Arc::new(nan_to_null(values)) as ArrayRef));
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(kept.len()));
        kept.rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .expect("features are one value per event and the schema was planned from the same graph");
        Aggregated { events: kept, entities, on_time, late }
    }

    /// Number of entities remembered.
    pub fn entities(&self) -> usize {
        self.entities.len()
    }

    /// Bytes of memory held for entities.
    pub fn memory_bytes(&self) -> usize {
        self.entities.memory_bytes()
    }

    /// The watermark: no event older than this counts any more. `None` before the first event.
    pub fn watermark(&self) -> Option<EventTime> {
        self.watermark.value()
    }

    /// Everything remembered, as bytes; the same input gives the same bytes.
    pub fn remember(&self) -> Result<Memory, StateError> {
        let mut entities = Vec::new();
        self.entities.encode(&mut entities)?;
        Ok(Memory {
            entities,
            shared: self.shared.iter().flat_map(|word| word.to_le_bytes()).collect(),
            watermark: postcard::to_stdvec(&self.watermark).expect("a watermark is a few numbers"),
        })
    }

    /// Takes up a memory. `Err` says which part does not fit this graph; the memory is then unchanged.
    pub fn recall(&mut self, memory: &Memory) -> Result<(), String> {
        let mut fresh = vec![0.0; self.graph.entity_words()];
        self.graph.init_entity(&mut fresh);
        let entities = EntityTable::decode(&memory.entities, fresh).map_err(|error| error.to_string())?;
        if memory.shared.len() != self.shared.len() * 8 {
            return Err(format!("{} bytes of shared state, {} expected", memory.shared.len(), self.shared.len() * 8));
        }
        let watermark = postcard::from_bytes(&memory.watermark)
            .map_err(|error| format!("the watermark does not read back: {error}"))?;
        self.entities = entities;
        self.watermark = watermark;
        for (word, bytes) in self.shared.iter_mut().zip(memory.shared.chunks_exact(8)) {
            *word = f64::from_le_bytes(bytes.try_into().expect("chunks have eight bytes"));
        }
        Ok(())
    }
}

/// The schema of rows with features: the event columns, then one nullable number per feature.
pub fn schema_with_features(events: &ArrowSchema, graph: &Graph) -> SchemaRef {
    let mut fields: Vec<_> = events.fields().iter().cloned().collect();
    let feature = |name: &String| Arc::new(arrow::datatypes::Field::new(name, DataType::Float64, true));
    fields.extend(graph.names().iter().map(feature));
    Arc::new(ArrowSchema::new(fields))
}

/// The entity of each row, as text.
fn entity_column(rows: &RecordBatch, key: &str) -> StringArray {
    let column = rows.column_by_name(key).expect("the plan keeps the key column");
    cast(column, &DataType::Utf8).expect("every decoded type has a text form").as_string::<i32>().clone()
}

fn entity_column_of(keys: &StringArray, rows: &[u32]) -> StringArray {
    rows.iter().map(|row| Some(keys.value(*row as usize))).collect()
}

/// A column as numbers. Of a column that is no number only presence counts: 1 where there is a value.
fn number_column(rows: &RecordBatch, name: &str) -> Float64Array {
    let column = rows.column_by_name(name).expect("the plan keeps the columns of features");
    let numbers = match column.data_type() {
        DataType::Timestamp(..) => cast(column, &DataType::Int64).and_then(|column| cast(&column, &DataType::Float64)),
        kind if kind.is_numeric() || *kind == DataType::Boolean => cast(column, &DataType::Float64),
        _ => Ok(Arc::new((0..column.len()).map(|row| column.is_valid(row).then_some(1.0)).collect::<Float64Array>())
            as ArrayRef),
    };
    numbers.expect("numbers convert to floating point").as_primitive::<Float64Type>().clone()
}

fn nan_to_null(values: Vec<f64>) -> Float64Array {
    if values.iter().any(|value| value.is_nan()) {
        values.into_iter().map(|value| (!value.is_nan()).then_some(value)).collect()
    } else {
        Float64Array::from(values)
    }
}
