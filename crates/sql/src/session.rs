use std::future::Future;

use datafusion::config::ConfigOptions;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::runtime::{Builder, Handle, Runtime};

/// A fresh planner: one thread, strings as `Utf8`, places in error texts, and no state shared between the nodes of a
/// plan at run time.
pub(crate) fn context() -> SessionContext {
    let mut options = ConfigOptions::new();
    options.execution.target_partitions = 1;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.collect_spans = true;
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    options.optimizer.enable_join_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    let config = SessionConfig::from(options);
    SessionContext::new_with_state(SessionStateBuilder::new().with_default_features().with_config(config).build())
}

/// Waits for DataFusion's futures on the calling thread. Everything they read is in memory, so nothing truly waits.
#[derive(Debug)]
pub(crate) struct Waiter(Runtime);

impl Waiter {
    pub(crate) fn new() -> Self {
        Self(Builder::new_current_thread().build().expect("a runtime without IO and timers asks nothing of the system"))
    }

    pub(crate) fn wait<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        if Handle::try_current().is_err() {
            return self.0.block_on(future);
        }
        // A runtime may not block inside another one; this happens when a server plans a query, never in the hot loop.
        std::thread::scope(|scope| {
            scope.spawn(|| self.0.block_on(future)).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
