use std::collections::HashSet;

use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, JoinType};
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Volatility};

use crate::error::SqlError;
use crate::events_table::EventsTable;
use crate::query::self_join;

/// What to do instead of looking at several events at once.
const USE_FEATURES: &str =
    "the answer for an event would depend on whatever events share its batch; use [features] to compute over events";

/// Accepts a plan whose answer for an event depends on that event and the reference tables alone.
pub(crate) fn check(plan: &LogicalPlan) -> Result<(), SqlError> {
    let mut scans = 0;
    let mut refusal = None;
    let visited = plan.apply_with_subqueries(|node| {
        scans += usize::from(is_events(node));
        refusal = refuse_node(node).or_else(|| refuse_expressions(node));
        Ok::<_, DataFusionError>(if refusal.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    visited.map_err(|error| SqlError::from_planning(&error))?;
    match (refusal, scans) {
        (Some(refusal), _) => Err(refusal),
        (None, 0) => Err(SqlError::refused("a query that does not read `events`", "name it in the FROM clause")),
        (None, 1) => Ok(()),
        (None, _) => Err(self_join()),
    }
}

fn is_events(node: &LogicalPlan) -> bool {
    let LogicalPlan::TableScan(scan) = node else { return false };
    source_as_provider(&scan.source).is_ok_and(|provider| provider.is::<EventsTable>())
}

fn reads_events(plan: &LogicalPlan) -> bool {
    plan.exists(|node| Ok::<_, DataFusionError>(is_events(node))).unwrap_or(true)
}

/// Nodes above the events may only look at one row at a time; over reference tables anything goes.
fn refuse_node(node: &LogicalPlan) -> Option<SqlError> {
    if !reads_events(node) {
        return None;
    }
    let what = match node {
        LogicalPlan::TableScan(_) | LogicalPlan::Projection(_) | LogicalPlan::Filter(_) => return None,
        LogicalPlan::SubqueryAlias(_) => return None,
        LogicalPlan::Join(join) => return refuse_join(join),
        LogicalPlan::Subquery(_) => "a subquery over `events`",
        LogicalPlan::Aggregate(_) => "an aggregate function or GROUP BY",
        LogicalPlan::Window(_) => "a window function",
        LogicalPlan::Distinct(_) => "DISTINCT",
        LogicalPlan::Sort(_) => "ORDER BY",
        LogicalPlan::Limit(_) => "LIMIT or OFFSET",
        LogicalPlan::Union(_) => "UNION",
        LogicalPlan::Unnest(_) => "unnest()",
        _ => "this clause",
    };
    Some(SqlError::refused(what, USE_FEATURES))
}

fn refuse_join(join: &Join) -> Option<SqlError> {
    use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
    let allowed = match (reads_events(&join.left), reads_events(&join.right)) {
        (true, true) => return Some(self_join()),
        (true, false) => matches!(join.join_type, Inner | Left | LeftSemi | LeftAnti | LeftMark),
        (false, _) => matches!(join.join_type, Inner | Right | RightSemi | RightAnti | RightMark),
    };
    (!allowed).then(|| {
        SqlError::refused(
            format!("a {} JOIN that keeps rows of the reference table", join.join_type.to_string().to_uppercase()),
            "its rows without an event belong to no event; keep the events instead: FROM events LEFT JOIN table",
        )
    })
}

fn refuse_expressions(node: &LogicalPlan) -> Option<SqlError> {
    let mut refusal = None;
    // The closure itself never fails, so neither does the walk.
    let _ = node.apply_expressions(|expression| {
        refusal = volatile(expression);
        Ok::<_, DataFusionError>(if refusal.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    refusal
}

/// Refuses functions that answer differently when asked again: replay must give what was given live.
pub(crate) fn volatile(expression: &Expr) -> Option<SqlError> {
    let mut refusal = None;
    let _ = expression.apply(|part| {
        if let Expr::ScalarFunction(call) = part
            && call.func.signature().volatility != Volatility::Immutable
        {
            refusal = Some(SqlError::refused(
                format!("{}()", call.name()),
                "its answer changes from call to call, so replay would not repeat it; take times from the event",
            ));
            return Ok::<_, DataFusionError>(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    refusal
}

/// Accepts an expression that can be evaluated row by row.
pub(crate) fn check_expression(expression: &Expr) -> Result<(), SqlError> {
    if let Some(refusal) = volatile(expression) {
        return Err(refusal);
    }
    let mut found = HashSet::new();
    let _ = expression.apply(|part| {
        match part {
            Expr::AggregateFunction(_) => found.insert("an aggregate function"),
            Expr::WindowFunction(_) => found.insert("a window function"),
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) => found.insert("a subquery"),
            _ => false,
        };
        Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
    });
    match found.into_iter().min() {
        Some(what) => Err(SqlError::refused(what, "an expression is evaluated for each row by itself")),
        None => Ok(()),
    }
}
