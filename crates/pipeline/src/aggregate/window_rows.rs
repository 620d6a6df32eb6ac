//! Windows as the scored unit: what closes becomes a row, and features are folded over those rows.
//!
//! The first full row of a window moves the features' memory. An early row and a row that amends are judged against the
//! memory as it is and leave no trace in it: otherwise a window would count twice in its own baseline.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef, TimeUnit};
use lapwing_features::{Arrival, Cause, Closed, Placement, ScoredWindows, WindowText};
use lapwing_state::StateError;
use lapwing_vocabulary::{EventBatch, EventTime, Partition};

use super::columns::{number_column, text_column, value};
use super::{Aggregate, Aggregated, Judged, Scratch, load_groups, store_groups};
use crate::settings::{WINDOW_END, WINDOW_EVENTS, WINDOW_SECONDS, WINDOW_START, Window};

/// What a row of a window is, besides its columns.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowRow {
    /// First moment of the window.
    pub start: EventTime,
    /// First moment after it.
    pub end: EventTime,
    /// Number of events in it.
    pub events: u64,
    /// 0 for the first row of the window; the row that takes its place has the next number.
    pub revision: u32,
    /// Why there is a row.
    pub cause: Cause,
    /// Offsets of its first and last events.
    pub offsets: Vec<i64>,
    /// Texts of its first and last events, where they are kept.
    pub texts: Vec<WindowText>,
    /// Whether the next row takes the place of this one, which is scored only to know what was said of it.
    pub is_before: bool,
}

/// Where rows come from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Source topic.
    pub topic: Arc<str>,
    /// Partition of it.
    pub partition: Partition,
    /// When what closed them was appended or, for a tick, happened. Units: microseconds since the epoch.
    pub arrived: i64,
}

/// The columns of windows as rows: entity, bounds, number of events, length, and those declared.
pub fn window_schema(key: &str, window: &Window) -> SchemaRef {
    let time = |name| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false);
    let mut fields = vec![
        Field::new(key, DataType::Utf8, false),
        time(WINDOW_START),
        time(WINDOW_END),
        Field::new(WINDOW_EVENTS, DataType::Int64, false),
        Field::new(WINDOW_SECONDS, DataType::Float64, false),
    ];
    fields.extend(window.spec.outputs().into_iter().map(|name| Field::new(name, DataType::Float64, true)));
    Arc::new(ArrowSchema::new(fields))
}

/// A closed window, and when what closed it was appended.
type Due = (i64, Closed);

impl Aggregate {
    /// Takes events into their windows; the windows that close become rows.
    pub(super) fn close_windows(&mut self, events: EventBatch) -> Result<Aggregated, StateError> {
        let keys = text_column(&events.rows, &self.blueprint.key);
        let ids = self.id_column(&events.rows);
        let names = self.windows.iter().flat_map(|windows| windows.columns().iter());
        let columns: Vec<Float64Array> = names.map(|name| number_column(&events.rows, name)).collect();
        let small_before = self.windows.as_ref().map_or(0, ScoredWindows::small);
        let (mut due, mut late, mut repeats, mut taken) = (Vec::new(), Vec::new(), 0, 0);
        let text = self.blueprint.window.as_ref().and_then(|window| window.text.as_ref());
        let texts = text.map(|name| text_column(&events.rows, name));
        let (mut inputs, mut closed, mut before) = (vec![f64::NAN; columns.len()], Vec::new(), None);
        for row in 0..events.len() {
            let (time, arrived) = (events.times[row], events.arrived[row]);
            // An event behind the watermark may still amend a window that is kept.
            if let Judged::Repeat = self.judge_row(&events, row, ids.as_ref(), &mut before) {
                repeats += 1;
                continue;
            }
            for (input, column) in inputs.iter_mut().zip(&columns) {
                *input = value(column, row);
            }
            let text = texts.as_ref().filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
            let arrival = Arrival { key: keys.value(row), time, offset: events.offsets[row], inputs: &inputs, text };
            let Some(windows) = &mut self.windows else { continue };
            match windows.observe(arrival, self.watermark.value(), &mut closed) {
                Placement::Taken { .. } => taken += 1,
                Placement::TooLate { by_micros } => late.push((row as u32, by_micros)),
            }
            due.extend(closed.drain(..).map(|closed| (arrived, closed)));
        }
        let origin = Origin { topic: events.topic.clone(), partition: events.partition, arrived: 0 };
        let small = self.windows.as_ref().map_or(0, ScoredWindows::small) - small_before;
        Ok(Aggregated { late, repeats, small, taken, ..self.rows_of(due, &origin)? })
    }

    /// Makes rows of windows and computes their features.
    pub(super) fn rows_of(&mut self, due: Vec<Due>, origin: &Origin) -> Result<Aggregated, StateError> {
        let (batch, rows) = self.batch_of(due, origin);
        let inputs = self.input_columns(&batch.rows);
        let entities = text_column(&batch.rows, &self.blueprint.key);
        let peers: Vec<StringArray> = self.graph.peers().iter().map(|name| text_column(&batch.rows, name)).collect();
        let mut features = self.feature_columns(rows.len());
        for (row, window) in rows.iter().enumerate() {
            for (input, column) in self.scratch.inputs.iter_mut().zip(&inputs) {
                *input = value(column, row);
            }
            self.fold_window(entities.value(row), batch.times[row], window, |group| peers[group].value(row))?;
            for (feature, value) in features.iter_mut().zip(&self.scratch.outputs) {
                feature.push(*value);
            }
        }
        let events = self.with_features(batch, features);
        Ok(Aggregated {
            events,
            entities,
            on_time: None,
            windows: Some(rows),
            late: Vec::new(),
            repeats: 0,
            small: 0,
            taken: 0,
        })
    }

    fn fold_window<'a>(
        &mut self,
        entity: &str,
        time: EventTime,
        window: &WindowRow,
        group: impl Fn(usize) -> &'a str,
    ) -> Result<(), StateError> {
        let expired_before = self.expired_before();
        let slots = load_groups(&mut self.groups, &mut self.scratch.groups, group)?;
        if self.graph.names().is_empty() {
            // Nothing is remembered of an entity whose windows are all there is.
            return store_groups(&mut self.groups, &self.scratch.groups, &slots);
        }
        if window.cause == Cause::Final && !window.is_before {
            let slot = self.meet(entity, time, expired_before)?;
            let Scratch { inputs, groups, outputs } = &mut self.scratch;
            let words = self.entities.words_mut(slot)?;
            self.graph.fold(words, groups, &mut self.shared, time, inputs, outputs);
            return store_groups(&mut self.groups, &self.scratch.groups, &slots);
        }
        // An entity that has only had early rows is remembered by nothing yet.
        let mut words = match self.entities.find(entity) {
            Some(slot) => self.entities.peek(slot)?.into_owned(),
            None => self.fresh.clone(),
        };
        let mut shared = self.shared.clone();
        let Scratch { inputs, groups, outputs } = &mut self.scratch;
        self.graph.fold(&mut words, groups, &mut shared, time, inputs, outputs);
        Ok(())
    }

    fn batch_of(&self, due: Vec<Due>, origin: &Origin) -> (EventBatch, Vec<WindowRow>) {
        let mut table = Table::new(self.windows.as_ref().map_or(0, |windows| windows.names().len()));
        for (arrived, mut closed) in due {
            if let Some(before) = closed.before.take() {
                table.push(&closed, arrived, Some(before));
            }
            table.push(&closed, arrived, None);
        }
        table.finish(self.blueprint.rows.clone(), origin)
    }
}

/// Rows of windows, column by column.
struct Table {
    keys: Vec<String>,
    rows: Vec<WindowRow>,
    values: Vec<Vec<f64>>,
    offsets: Vec<i64>,
    arrived: Vec<i64>,
}

impl Table {
    fn new(width: usize) -> Self {
        Self {
            keys: Vec::new(),
            rows: Vec::new(),
            values: vec![Vec::new(); width],
            offsets: Vec::new(),
            arrived: Vec::new(),
        }
    }

    /// Adds the row of a window or, with `before`, the row whose place it takes.
    fn push(&mut self, closed: &Closed, arrived: i64, before: Option<Vec<f64>>) {
        let is_before = before.is_some();
        let values = before.as_ref().unwrap_or(&closed.values);
        self.values.iter_mut().zip(values).for_each(|(column, value)| column.push(*value));
        self.keys.push(closed.key.clone());
        self.offsets.push(closed.last_offset);
        self.arrived.push(arrived);
        self.rows.push(WindowRow {
            start: closed.start,
            end: closed.end,
            events: closed.events,
            revision: closed.revision,
            cause: closed.cause,
            offsets: closed.offsets.clone(),
            texts: closed.texts.clone(),
            is_before,
        });
    }

    fn finish(self, with_features: SchemaRef, origin: &Origin) -> (EventBatch, Vec<WindowRow>) {
        let rows = &self.rows;
        let count = rows.len();
        let time = |moment: fn(&WindowRow) -> EventTime| -> ArrayRef {
            let times = rows.iter().map(|row| Some(moment(row).0)).collect::<TimestampMicrosecondArray>();
            Arc::new(times.with_timezone("UTC"))
        };
        let seconds = rows.iter().map(|row| Some(row.end.0.saturating_sub(row.start.0) as f64 / 1e6));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.keys.iter().map(Some).collect::<StringArray>()),
            time(|row| row.start),
            time(|row| row.end),
            Arc::new(rows.iter().map(|row| Some(row.events as i64)).collect::<Int64Array>()),
            Arc::new(seconds.collect::<Float64Array>()),
        ];
        columns.extend(self.values.into_iter().map(super::columns::nan_to_null));
        let own: Vec<_> = with_features.fields().iter().take(columns.len()).cloned().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(Arc::new(ArrowSchema::new(own)), columns, &options)
            .expect("the rows' schema begins with the columns of windows");
        let events = EventBatch {
            topic: origin.topic.clone(),
            partition: origin.partition,
            rows: batch,
            offsets: self.offsets,
            times: rows.iter().map(|row| row.end).collect(),
            arrived: self.arrived,
        };
        (events, self.rows)
    }
}
