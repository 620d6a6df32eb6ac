use datafusion::sql::parser::Statement as PlannerStatement;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query as Parsed, Select, SelectItem, SelectItemQualifiedWildcardKind,
    SetExpr, Statement, TableFactor,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::{SqlError, parser_text};
use crate::events_table::{EVENTS, ROW};

/// Name of the hidden output column that says which event a row came from.
pub(crate) const ORIGIN: &str = "__lapwing_origin";

/// One SELECT over `events`, parsed.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    parsed: Box<Parsed>,
    /// The name by which the query calls `events`.
    events: Ident,
    wildcard: bool,
}

impl Query {
    /// Reads one SELECT that names `events` in its FROM clause.
    pub(crate) fn parse(text: &str) -> Result<Self, SqlError> {
        let statements =
            Parser::parse_sql(&GenericDialect {}, text).map_err(|error| SqlError::Syntax(parser_text(&error)))?;
        let parsed = only_query(statements)?;
        let select = top_select(&parsed)?;
        let events = events_name(select)?;
        let wildcard = select.projection.iter().any(|item| takes_all(item, &events));
        Ok(Self { parsed, events, wildcard })
    }

    /// Whether the output holds every event column by `*` or `e.*`.
    pub(crate) fn has_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The query as written.
    pub(crate) fn as_written(&self) -> PlannerStatement {
        PlannerStatement::Statement(Box::new(Statement::Query(self.parsed.clone())))
    }

    /// The query with the hidden row column as its last output, named [`ORIGIN`].
    pub(crate) fn with_origin(&self) -> PlannerStatement {
        let mut parsed = self.parsed.clone();
        if let SetExpr::Select(select) = parsed.body.as_mut() {
            let row = Expr::CompoundIdentifier(vec![self.events.clone(), Ident::new(ROW)]);
            select.projection.push(SelectItem::ExprWithAlias { expr: row, alias: Ident::new(ORIGIN) });
        }
        PlannerStatement::Statement(Box::new(Statement::Query(parsed)))
    }
}

fn only_query(mut statements: Vec<Statement>) -> Result<Box<Parsed>, SqlError> {
    match (statements.pop(), statements.len()) {
        (Some(Statement::Query(parsed)), 0) => Ok(parsed),
        (None, _) => Err(SqlError::Syntax("it is empty; write SELECT … FROM events".to_owned())),
        (Some(_), 0) => Err(SqlError::refused("a statement other than SELECT", "write one SELECT … FROM events")),
        (Some(_), _) => Err(SqlError::refused("a second statement", "write one SELECT … FROM events")),
    }
}

fn top_select(parsed: &Parsed) -> Result<&Select, SqlError> {
    match parsed.body.as_ref() {
        SetExpr::Select(select) => Ok(select),
        SetExpr::SetOperation { op, .. } => Err(SqlError::refused(
            op.to_string(),
            "each event must give at most one row; write one SELECT … FROM events",
        )),
        _ => Err(SqlError::refused("a query that is not a plain SELECT", "write one SELECT … FROM events")),
    }
}

/// Finds `events` in the FROM clause and returns what the query calls it.
fn events_name(select: &Select) -> Result<Ident, SqlError> {
    let joined = |from: &datafusion::sql::sqlparser::ast::TableWithJoins| {
        std::iter::once(from.relation.clone())
            .chain(from.joins.iter().map(|join| join.relation.clone()))
            .collect::<Vec<_>>()
    };
    let mut found = None;
    for factor in select.from.iter().flat_map(joined) {
        let TableFactor::Table { name, alias, sample, .. } = factor else { continue };
        if sample.is_some() {
            return Err(SqlError::refused("TABLESAMPLE", "an answer may not depend on chance; filter with WHERE"));
        }
        if !is_events(&name) {
            continue;
        }
        let called = alias.map_or_else(|| Ident::new(EVENTS), |alias| alias.name);
        if found.replace(called).is_some() {
            return Err(self_join());
        }
    }
    found.ok_or_else(|| {
        SqlError::refused(
            "a query without `events` in its FROM clause",
            "name it there directly (FROM events e), not inside a subquery",
        )
    })
}

/// Refuses a join of events with events.
pub(crate) fn self_join() -> SqlError {
    SqlError::refused(
        "`events` a second time",
        "an event would be compared with whatever events share its batch; use [features] to compare events over time",
    )
}

fn is_events(name: &ObjectName) -> bool {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => folded(ident) == EVENTS,
        _ => false,
    }
}

/// The name SQL means: lower case unless quoted.
fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

fn takes_all(item: &SelectItem, events: &Ident) -> bool {
    match item {
        SelectItem::Wildcard(options) => *options == Default::default(),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
            *options == Default::default()
                && matches!(name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if folded(ident) == folded(events))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_counts_only_if_it_takes_the_events() {
        let wildcard = |text: &str| Query::parse(text).unwrap().has_wildcard();
        assert!(wildcard("SELECT * FROM events"));
        assert!(wildcard("SELECT E.*, h.role FROM Events e LEFT JOIN hosts h USING (host_id)"));
        assert!(!wildcard("SELECT h.* FROM events e JOIN hosts h USING (host_id)"));
        assert!(!wildcard("SELECT count(*) FROM events"));
    }

    #[test]
    fn only_one_select_over_events_is_read() {
        for text in [
            "",
            "SELECT",
            "SELECT 1",
            "SELECT * FROM hosts",
            "DELETE FROM events",
            "SELECT * FROM events; SELECT * FROM events",
            "SELECT * FROM (SELECT * FROM events) e",
            "SELECT * FROM events a, events b",
            "SELECT * FROM events UNION ALL SELECT * FROM events",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
    }
}
