use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::physical_expr::PhysicalExpr;

use crate::error::SqlError;
use crate::guard::check_expression;
use crate::session::context;

/// A boolean SQL expression over the columns of a batch, such as `bytes_vs_usual > 4`.
#[derive(Debug, Clone)]
pub struct Predicate {
    /// The columns it reads.
    schema: SchemaRef,
    condition: Arc<dyn PhysicalExpr>,
}

impl Predicate {
    /// Plans `expression` over columns of `schema`. Errors: `Syntax`, `Unknown`, `Refused`, `Plan`.
    pub fn plan(expression: &str, schema: &SchemaRef) -> Result<Self, SqlError> {
        Self::build(expression, schema).map_err(|error| match error {
            Fault::Ours(error) => error,
            Fault::Planner(error) => SqlError::from_planning(&error),
        })
    }

    fn build(expression: &str, schema: &SchemaRef) -> Result<Self, Fault> {
        let session = context().state();
        let whole = DFSchema::try_from(schema.as_ref().clone())?;
        let logical = session.create_logical_expr(expression, &whole)?;
        check_expression(&logical)?;
        let used = logical.column_refs();
        let places: Vec<usize> =
            (0..schema.fields().len()).filter(|at| used.iter().any(|c| &c.name == schema.field(*at).name())).collect();
        let schema = Arc::new(schema.project(&places).map_err(DataFusionError::from)?);
        let narrow = DFSchema::try_from(schema.as_ref().clone())?;
        let condition = session.create_physical_expr(logical, &narrow)?;
        match condition.data_type(&schema)? {
            DataType::Boolean => Ok(Self { schema, condition }),
            other => Err(Fault::Ours(SqlError::Plan(format!(
                "`{expression}` is of type {other}, not true or false; compare it with something"
            )))),
        }
    }

    /// Names of the columns it reads.
    pub fn columns(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Says for each row whether the expression is true; null counts as false. Errors: `Batch`, `Run`.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray, SqlError> {
        let columns = self.schema.fields().iter().map(|field| column(batch, field.name()));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let read = RecordBatch::try_new_with_options(self.schema.clone(), columns.collect::<Result<_, _>>()?, &options)
            .map_err(|error| SqlError::Batch(format!("the batch is not as planned: {error}")))?;
        let running = |error: DataFusionError| SqlError::from_running(&error);
        let value = self.condition.evaluate(&read).and_then(|value| value.into_array(batch.num_rows()));
        let value = value.map_err(running)?;
        let truth = as_boolean_array(&value).map_err(running)?;
        Ok(if truth.null_count() > 0 { prep_null_mask_filter(truth) } else { truth.clone() })
    }
}

fn column(batch: &RecordBatch, name: &str) -> Result<ArrayRef, SqlError> {
    batch.column_by_name(name).cloned().ok_or_else(|| SqlError::Batch(format!("the batch has no column `{name}`")))
}

/// Two sources of errors while planning.
enum Fault {
    Ours(SqlError),
    Planner(DataFusionError),
}

impl From<SqlError> for Fault {
    fn from(error: SqlError) -> Self {
        Self::Ours(error)
    }
}

impl From<DataFusionError> for Fault {
    fn from(error: DataFusionError) -> Self {
        Self::Planner(error)
    }
}
