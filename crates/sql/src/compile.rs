use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, Result as PlanResult, TableReference};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::prelude::SessionContext;

use crate::error::{SqlError, twice};
use crate::events_table::{EVENTS, EventsLeaf, EventsTable, ROW, Slot, with_row};
use crate::guard;
use crate::near::hint;
use crate::query::{ORIGIN, Query};
use crate::reference::ReferenceTable;
use crate::session::{Waiter, context};

/// A query turned into a physical plan. Its output is the query's columns and, last, [`ORIGIN`].
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) task: Arc<TaskContext>,
    /// Output without [`ORIGIN`].
    pub(crate) schema: SchemaRef,
    /// What the plan's leaf reads, [`ROW`] included.
    pub(crate) leaf: SchemaRef,
}

/// Plans `query`; with `needed`, only those output columns are kept.
pub(crate) fn compile(
    query: &Query,
    events: &SchemaRef,
    tables: &[ReferenceTable],
    needed: Option<&[String]>,
    slot: &Slot,
    waiter: &Waiter,
) -> Result<Compiled, SqlError> {
    check_names(events, tables)?;
    let planning = |error| SqlError::from_planning(&error);
    // First as written, so that error texts do not speak of hidden columns.
    let written = context_with(events.clone(), tables, slot)?;
    let plan = waiter.wait(written.state().statement_to_plan(query.as_written()));
    let plan = plan.map_err(|error| planning(error).with_tables(&known(tables)))?;
    guard::check(&plan)?;

    let hidden = context_with(with_row(events), tables, slot)?;
    let plan = waiter.wait(hidden.state().statement_to_plan(query.with_origin())).map_err(planning)?;
    let plan = shape(plan, needed)?;
    let plan = waiter.wait(hidden.state().create_physical_plan(&plan)).map_err(planning)?;
    let plan = stream_events(plan).map_err(planning)?;
    let leaf = check_physical(&plan)?;
    let schema = plan.schema();
    let schema = Arc::new(Schema::new(schema.fields()[..schema.fields().len() - 1].to_vec()));
    Ok(Compiled { plan, task: hidden.task_ctx(), schema, leaf })
}

fn known(tables: &[ReferenceTable]) -> Vec<String> {
    std::iter::once(EVENTS).chain(tables.iter().map(ReferenceTable::name)).map(str::to_owned).collect()
}

fn check_names(events: &SchemaRef, tables: &[ReferenceTable]) -> Result<(), SqlError> {
    if let Some(field) = events.fields().iter().find(|field| [ROW, ORIGIN].contains(&field.name().as_str())) {
        return Err(SqlError::Plan(format!("the name of event column `{}` is reserved; rename it", field.name())));
    }
    let mut seen = HashSet::from([EVENTS]);
    match tables.iter().find(|table| !seen.insert(table.name())) {
        Some(table) => Err(SqlError::Plan(format!("table `{}` is declared twice; rename one", table.name()))),
        None => Ok(()),
    }
}

fn context_with(events: SchemaRef, tables: &[ReferenceTable], slot: &Slot) -> Result<SessionContext, SqlError> {
    let context = context();
    let register = |name: &str, table: Arc<dyn TableProvider>| {
        context.register_table(TableReference::bare(name), table).map_err(|error| SqlError::from_planning(&error))
    };
    register(EVENTS, Arc::new(EventsTable::new(events, slot.clone())))?;
    for table in tables {
        let rows = vec![vec![table.batch().clone()]];
        let memory = MemTable::try_new(table.schema(), rows).map_err(|error| SqlError::from_planning(&error))?;
        register(table.name(), Arc::new(memory))?;
    }
    Ok(context)
}

/// Puts a projection on top: hidden and unneeded columns out, string views as plain strings, the origin last.
fn shape(plan: LogicalPlan, needed: Option<&[String]>) -> Result<LogicalPlan, SqlError> {
    let names: Vec<String> = visible(&plan).map(|(_, field)| field.name().clone()).collect();
    let mut seen = HashSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(twice(name));
    }
    if let Some(wrong) = needed.unwrap_or_default().iter().find(|name| !seen.contains(name.as_str())) {
        let hint = hint(wrong, &names);
        return Err(SqlError::Unknown { what: "output column", name: wrong.clone(), place: String::new(), hint });
    }
    let mut outputs: Vec<Expr> = visible(&plan)
        .filter(|(_, field)| needed.is_none_or(|needed| needed.contains(field.name())))
        .map(|(column, field)| plain(column, field.data_type()).alias(field.name()))
        .collect();
    outputs.push(Expr::Column(Column::from_name(ORIGIN)).alias(ORIGIN));
    let built = LogicalPlanBuilder::from(plan).project(outputs).and_then(LogicalPlanBuilder::build);
    built.map_err(|error| SqlError::from_planning(&error))
}

fn visible(plan: &LogicalPlan) -> impl Iterator<Item = (Expr, &arrow::datatypes::FieldRef)> {
    plan.schema()
        .iter()
        .filter(|(_, field)| ![ROW, ORIGIN].contains(&field.name().as_str()))
        .map(|(table, field)| (Expr::Column(Column::new(table.cloned(), field.name())), field))
}

fn plain(column: Expr, kind: &DataType) -> Expr {
    match kind {
        DataType::Utf8View => cast(column, DataType::Utf8),
        DataType::BinaryView => cast(column, DataType::Binary),
        _ => column,
    }
}

/// Turns joins round so that the events are on the side that streams and the reference table is the one indexed.
fn stream_events(plan: Arc<dyn ExecutionPlan>) -> PlanResult<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let turned = match node.downcast_ref::<HashJoinExec>() {
            Some(join) if reads_events(join.left()) && join.join_type().supports_swap() && !join.null_aware => {
                Some(join.swap_inputs(PartitionMode::CollectLeft)?)
            }
            _ => None,
        };
        Ok(turned.map_or_else(|| Transformed::no(node), Transformed::yes))
    })
    .data()
}

/// Whether the batch of events flows into `plan`.
pub(crate) fn reads_events(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<EventsLeaf>() || plan.children().into_iter().any(reads_events)
}

/// The optimiser may rewrite subqueries; whatever it makes of them must still treat each event by itself.
/// Returns what the leaf reads.
fn check_physical(plan: &Arc<dyn ExecutionPlan>) -> Result<SchemaRef, SqlError> {
    if plan.is::<EventsLeaf>() {
        return Ok(plan.schema());
    }
    let row_by_row = plan.is::<ProjectionExec>()
        || plan.is::<FilterExec>()
        || plan.is::<HashJoinExec>()
        || plan.is::<NestedLoopJoinExec>()
        || plan.is::<CrossJoinExec>()
        || plan.is::<ScalarSubqueryExec>();
    let below: Vec<_> = plan.children().into_iter().filter(|child| reads_events(child)).collect();
    match below.as_slice() {
        [child] if row_by_row => check_physical(child),
        // A condition that is never true leaves nothing to read.
        [] => Err(SqlError::refused("a query that gives no row", "its conditions contradict each other")),
        _ => Err(SqlError::refused("this form of subquery", "write it as a LEFT JOIN with the reference table")),
    }
}
