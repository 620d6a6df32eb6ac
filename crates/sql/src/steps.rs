use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result, cast::as_boolean_array};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, collect};

use crate::compile::reads_events;
use crate::events_table::{EventsLeaf, Slot, fill};
use crate::lookup::{Lookup, replaces};
use crate::session::Waiter;

/// One thing done to a batch.
#[derive(Debug)]
pub(crate) enum Step {
    /// Computes columns.
    Project(Vec<Arc<dyn PhysicalExpr>>, SchemaRef),
    /// Drops rows, then columns.
    Filter(Arc<dyn PhysicalExpr>, Option<Vec<usize>>),
    /// Joins with a reference table.
    Join(Box<Lookup>),
}

/// A plan made ready to run many times.
#[derive(Debug)]
pub(crate) enum Route {
    /// Every node is one of our steps: run them one after the other.
    Steps(Vec<Step>),
    /// Some node needs DataFusion's streams. Its nodes keep state, so each run starts from a reset copy.
    Streams(Arc<dyn ExecutionPlan>, Arc<TaskContext>, Slot),
}

impl Route {
    /// Prepares `plan`, indexing the reference tables it joins with.
    pub(crate) fn prepare(
        plan: Arc<dyn ExecutionPlan>,
        task: Arc<TaskContext>,
        slot: Slot,
        waiter: &Waiter,
    ) -> Result<Self> {
        let mut steps = Vec::new();
        if add_steps(&plan, &task, waiter, &mut steps)? {
            return Ok(Self::Steps(steps));
        }
        Ok(Self::Streams(plan, task, slot))
    }

    /// Runs the plan on what its leaf reads.
    pub(crate) fn run(&self, leaf: RecordBatch, waiter: &Waiter) -> Result<RecordBatch> {
        match self {
            Self::Steps(steps) => steps.iter().try_fold(leaf, |batch, step| step.apply(&batch)),
            Self::Streams(plan, task, slot) => {
                let plan = reset_plan_states(plan.clone())?;
                let schema = plan.schema();
                fill(slot, Some(leaf));
                let batches = waiter.wait(collect(plan, task.clone()));
                fill(slot, None);
                Ok(concat_batches(&schema, &batches?)?)
            }
        }
    }
}

/// Appends the steps of `plan`, first things first; `false` if some node is not one of ours.
fn add_steps(
    plan: &Arc<dyn ExecutionPlan>,
    task: &Arc<TaskContext>,
    waiter: &Waiter,
    steps: &mut Vec<Step>,
) -> Result<bool> {
    if plan.is::<EventsLeaf>() {
        return Ok(true);
    }
    let Some(input) = plan.children().into_iter().find(|child| reads_events(child)) else { return Ok(false) };
    if !add_steps(input, task, waiter, steps)? {
        return Ok(false);
    }
    if let Some(node) = plan.downcast_ref::<ProjectionExec>() {
        steps.push(Step::Project(node.expr().iter().map(|output| output.expr.clone()).collect(), node.schema()));
    } else if let Some(node) = plan.downcast_ref::<FilterExec>() {
        let projection = node.projection().as_ref().map(|columns| columns.to_vec());
        steps.push(Step::Filter(node.predicate().clone(), projection));
    } else if let Some(node) =
        plan.downcast_ref::<HashJoinExec>().filter(|node| !reads_events(node.left()) && replaces(node))
    {
        let batches = waiter.wait(collect(node.left().clone(), task.clone()))?;
        let table = concat_batches(&node.left().schema(), &batches)?;
        steps.push(Step::Join(Box::new(Lookup::build(node, table)?)));
    } else {
        return Ok(false);
    }
    Ok(true)
}

impl Step {
    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        match self {
            Self::Project(outputs, schema) => project(batch, outputs, schema),
            Self::Filter(condition, projection) => {
                let keep = condition.evaluate(batch)?.into_array(batch.num_rows())?;
                let kept = match projection {
                    Some(columns) => batch.project(columns)?,
                    None => batch.clone(),
                };
                Ok(filter_record_batch(&kept, as_boolean_array(&keep)?)?)
            }
            Self::Join(lookup) => lookup.join(batch),
        }
    }
}

fn project(batch: &RecordBatch, outputs: &[Arc<dyn PhysicalExpr>], schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let column = |output: &Arc<dyn PhysicalExpr>| -> Result<ArrayRef> { output.evaluate(batch)?.into_array(rows) };
    let columns = outputs.iter().map(column).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(DataFusionError::from)
}
