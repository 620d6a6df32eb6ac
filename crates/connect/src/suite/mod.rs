//! Test support: what every [`Transport`](lapwing_vocabulary::Transport) must do, as one list of cases that each implementation runs through its own
//! small [`Fixture`](crate::suite::Fixture). It is for tests only and panics where a transport breaks the contract.
//!
//! Nothing here depends on how fast a transport is: every wait is a bounded number of polls.

/// A worker driven by hand.
mod worker;
/// Reading: order, resuming, idling, sharing.
mod reading;
/// Committing: whole epochs, positions, crashes, successors.
mod committing;
/// Several topics read as one.
mod several;

use std::sync::Arc;

use lapwing_vocabulary::{Header, OutputRecord, PortError, Transport};

pub use several::{OpenSeveral, run_several};

/// How a transport is reached by the suite.
pub trait Fixture {
    /// What this transport can and cannot do.
    fn abilities(&self) -> Abilities;

    /// Makes an empty topic whose name contains `subject` and that no other case uses, and returns its name.
    fn create(&mut self, subject: &str, partitions: i32) -> Arc<str>;

    /// Appends records, each to the partition that [`partition_of_key`](crate::partitioner::partition_of_key) names,
    /// so that they can be read at once. All have a key.
    fn produce(&mut self, records: Vec<OutputRecord>);

    /// Opens the transport of a worker that reads `topic` for `group`, as a process does when it starts.
    fn open(
        &mut self,
        topic: &str,
        group: &str,
        worker: usize,
        workers: usize,
    ) -> Result<Box<dyn Transport>, PortError>;

    /// Everything that is committed of a topic, in order within each partition, as an independent reader sees it.
    fn committed(&mut self, topic: &str) -> Vec<Committed>;
}

/// What a transport can and cannot do; where it cannot, the suite asserts what it does instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Whether keys, headers and times of records survive. Otherwise a record read has no key and no headers, and an
    /// output is only its value.
    pub metadata: bool,
    /// Whether a topic may be read by several workers. Otherwise opening a second one is refused with
    /// [`PortError::Operator`].
    pub several_workers: bool,
    /// Whether the source ends with [`Polled::End`](lapwing_vocabulary::Polled::End). Otherwise it idles.
    pub finite: bool,
}

/// A committed output as an independent reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value.
    pub value: Vec<u8>,
    /// Headers.
    pub headers: Vec<Header>,
    /// Append time. Units: microseconds since the epoch.
    pub timestamp: i64,
}

/// One thing that every transport must do.
pub struct Case {
    /// The rule, as a sentence.
    pub name: &'static str,
    /// Panics where it is broken.
    pub check: fn(&mut dyn Fixture),
}

/// What every transport must do.
pub const CASES: &[Case] = &[
    Case { name: "records come in order, without gap or repeat", check: reading::in_order },
    Case { name: "delivery starts again wherever the worker resumes", check: reading::resumes_anywhere },
    Case { name: "nothing is delivered before the worker resumes", check: reading::nothing_before_resume },
    Case { name: "an empty source idles", check: reading::empty_source },
    Case { name: "two workers share the partitions", check: reading::two_workers },
    Case { name: "keys, headers and times survive", check: reading::metadata },
    Case { name: "large records survive", check: reading::large_records },
    Case { name: "an unknown topic is named", check: reading::unknown_topic },
    Case { name: "an epoch is visible entirely or not at all", check: committing::whole_epochs },
    Case { name: "positions survive a crash", check: committing::positions_survive },
    Case { name: "positions can be committed without outputs", check: committing::positions_alone },
    Case { name: "an empty epoch is no fault", check: committing::empty_epoch },
    Case { name: "stopped anywhere and started again, nothing is lost or doubled", check: committing::stop_anywhere },
    Case { name: "an output goes to the partition it names", check: committing::named_partitions },
    Case { name: "a partition that does not exist is refused", check: committing::unknown_partition },
];

/// What a transport must do besides where it is exactly once.
pub const EXACTLY_ONCE_CASES: &[Case] =
    &[Case { name: "a worker whose place was taken cannot commit", check: committing::replaced_worker }];

/// What a transport must do besides where it is at least once.
pub const AT_LEAST_ONCE_CASES: &[Case] = &[
    Case { name: "a crash between outputs and positions loses nothing", check: committing::outputs_before_positions },
    Case { name: "positions stay where an output failed", check: committing::no_positions_without_outputs },
];

/// Runs every case for a transport that is exactly once, each with a fixture of its own.
pub fn run<F: Fixture>(fixture: impl FnMut() -> F) {
    run_cases(CASES.iter().chain(EXACTLY_ONCE_CASES), fixture);
}

/// Runs every case for a transport that is at least once, each with a fixture of its own.
pub fn run_at_least_once<F: Fixture>(fixture: impl FnMut() -> F) {
    run_cases(CASES.iter().chain(AT_LEAST_ONCE_CASES), fixture);
}

fn run_cases<'a, F: Fixture>(cases: impl Iterator<Item = &'a Case>, mut fixture: impl FnMut() -> F) {
    for case in cases {
        tracing::info!(case = case.name, "running");
        (case.check)(&mut fixture());
    }
}
