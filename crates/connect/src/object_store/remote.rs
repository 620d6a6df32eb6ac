use std::future::Future;
use std::time::Duration;

use lapwing_state::StateError;
use object_store::path::Path;
use object_store::{Error, ObjectStore};
use tokio::runtime::Runtime;

use super::fault::{self, Secrets};

/// Longest that one call takes, retries included; the clients' own limits are shorter where they have any.
const CALL_MAX: Duration = Duration::from_secs(120);

/// A store, a prefix in it, and the runtime that its client needs.
pub(super) struct Remote {
    // Given.
    pub(super) store: Box<dyn ObjectStore>,
    pub(super) base: Path,
    pub(super) shown: String,
    pub(super) secrets: Secrets,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Remote {
    pub(super) fn new(
        store: Box<dyn ObjectStore>,
        base: Path,
        shown: String,
        secrets: Secrets,
        runtime: Runtime,
    ) -> Self {
        Self { store, base, shown, secrets, runtime: Some(runtime) }
    }

    /// Waits for an answer of the store.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let runtime = self.runtime.as_ref().expect("it is there until this is dropped");
        // Made within the runtime, whose timer it takes.
        let outcome = runtime.block_on(async { tokio::time::timeout(CALL_MAX, answer).await });
        outcome.unwrap_or_else(|_| {
            let source = format!("no answer within {} s", CALL_MAX.as_secs()).into();
            Err(Error::Generic { store: "object store", source })
        })
    }

    pub(super) fn path(&self, name: &str) -> Path {
        self.base.clone().join(name)
    }

    /// Where a file is, for people.
    pub(super) fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.shown.trim_end_matches('/'))
    }

    pub(super) fn fault(&self, act: &'static str, name: &str, error: &Error) -> StateError {
        fault::fault(act, self.place(name), error, &self.secrets)
    }

    /// Like [`Remote::fault`], for acts on a file that must be there.
    pub(super) fn read_fault(&self, name: &str, error: &Error) -> StateError {
        match error {
            Error::NotFound { .. } | Error::Precondition { .. } => {
                StateError::Missing { name: name.to_owned(), place: self.shown.clone() }
            }
            error => self.fault("read snapshot", name, error),
        }
    }
}

impl Drop for Remote {
    /// A runtime that ends in order may not be dropped within another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
