use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

/// Name of the table of events in a query.
pub(crate) const EVENTS: &str = "events";
/// Hidden column of that table: the row's place in the batch.
pub(crate) const ROW: &str = "__lapwing_row";
/// A size no reference table reaches, so that the planner indexes the table and streams the events.
const ROWS_ASSUMED: usize = 1 << 40;

/// The batch a plan is about to read.
pub(crate) type Slot = Arc<Mutex<Option<RecordBatch>>>;

/// Puts a batch where the plan's leaf finds it.
pub(crate) fn fill(slot: &Slot, batch: Option<RecordBatch>) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = batch;
}

/// `schema` with the hidden row column at its end.
pub(crate) fn with_row(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(ROW, DataType::UInt32, false)));
    Arc::new(Schema::new(fields))
}

/// The table `events` as the planner sees it.
#[derive(Debug)]
pub(crate) struct EventsTable {
    schema: SchemaRef,
    slot: Slot,
}

impl EventsTable {
    pub(crate) fn new(schema: SchemaRef, slot: Slot) -> Self {
        Self { schema, slot }
    }

    fn leaf(&self, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => self.schema.clone(),
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        // One batch per run: there is no long loop that would have to yield.
        .with_scheduling_type(SchedulingType::Cooperative);
        Ok(Arc::new(EventsLeaf { schema, slot: self.slot.clone(), properties: Arc::new(properties) }))
    }
}

/// The future that `#[async_trait]` would write for `scan`.
type Scan<'a> = Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'a>>;

impl TableProvider for EventsTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn scan<'a, 'b, 'c, 'd, 'future>(
        &'a self,
        _session: &'b dyn Session,
        projection: Option<&'c Vec<usize>>,
        _filters: &'d [Expr],
        _limit: Option<usize>,
    ) -> Scan<'future>
    where
        'a: 'future,
        'b: 'future,
        'c: 'future,
        'd: 'future,
        Self: 'future,
    {
        Box::pin(std::future::ready(self.leaf(projection)))
    }
}

/// The leaf of a plan that yields the batch in the slot.
#[derive(Debug)]
pub(crate) struct EventsLeaf {
    schema: SchemaRef,
    slot: Slot,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for EventsLeaf {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventsLeaf")
    }
}

impl ExecutionPlan for EventsLeaf {
    fn name(&self) -> &str {
        "EventsLeaf"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batch = self.slot.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Box::pin(MemoryStream::try_new(batch.into_iter().collect(), self.schema.clone(), None)?))
    }

    fn statistics_from_inputs(&self, _inputs: &[Arc<Statistics>], _args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Inexact(ROWS_ASSUMED);
        statistics.total_byte_size = Precision::Inexact(ROWS_ASSUMED);
        Ok(Arc::new(statistics))
    }
}
