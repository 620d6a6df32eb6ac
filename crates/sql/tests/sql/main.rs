//! What queries, predicates and reference tables do, seen from outside. One binary, because linking the planner takes
//! longer than all tests together.

/// Small batches and tables.
mod rows;
/// Rows in, rows out.
mod enrichment;
/// Queries that are not planned, and what is said of them.
mod refusals;
/// Reading, comparing and replacing reference tables.
mod reference_tables;
/// Boolean expressions.
mod predicates;
