use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::pipelines::{Pipelines, Plot};
use crate::story::{Options, Outcome, play};
use crate::weather::Fault;

/// What many stories have shown.
#[derive(Debug)]
pub struct Report {
    /// Stories played to their end.
    pub played: u64,
    /// The lowest seed that broke a law, and its findings.
    pub failure: Option<(u64, Vec<String>)>,
    /// How often each fault has happened, in the order of [`Fault::ALL`].
    pub happened: [u64; Fault::ALL.len()],
    /// Stories of each plot, and the markers committed in them, in the order of [`Plot::ALL`].
    pub plots: [(u64, u64); Plot::ALL.len()],
}

impl Report {
    fn new() -> Self {
        Self { played: 0, failure: None, happened: [0; Fault::ALL.len()], plots: [(0, 0); Plot::ALL.len()] }
    }

    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.played += 1;
        for (sum, count) in self.happened.iter_mut().zip(outcome.happened) {
            *sum += count;
        }
        let plot = &mut self.plots[Plot::of(seed) as usize];
        *plot = (plot.0 + 1, plot.1 + outcome.markers);
        let lowest = self.failure.as_ref().is_none_or(|(before, _)| seed < *before);
        if !outcome.findings.is_empty() && lowest {
            self.failure = Some((seed, outcome.findings));
        }
    }
}

/// Plays the stories of `count` seeds from `from` on, in `jobs` threads, until one breaks a law. `told` is called after
/// each story with the number played so far.
/// Errors: those of the machine that plays them.
pub fn play_many(
    from: u64,
    count: u64,
    jobs: usize,
    options: Options,
    told: impl Fn(u64) + Sync,
) -> Result<Report, String> {
    let (next, stopped, report) = (AtomicU64::new(from), AtomicBool::new(false), Mutex::new(Report::new()));
    let work = || -> Result<(), String> {
        let pipelines = Pipelines::compile().map_err(|error| format!("compile the pipelines: {error}"))?;
        while !stopped.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed - from >= count {
                break;
            }
            if options.only.is_some_and(|only| Plot::of(seed) != only) {
                continue;
            }
            let outcome = play_caught(&pipelines, seed, options).map_err(|error| format!("seed {seed}: {error}"))?;
            if !outcome.findings.is_empty() {
                stopped.store(true, Ordering::Relaxed);
            }
            let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
            report.add(seed, outcome);
            told(report.played);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "a thread of the runner panicked".to_owned())?)
    })?;
    Ok(report.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Plays one story; a panic in it is a finding.
pub fn play_caught(pipelines: &Pipelines, seed: u64, options: Options) -> Result<Outcome, Box<dyn Error>> {
    match catch_unwind(AssertUnwindSafe(|| play(pipelines, seed, options))) {
        Ok(outcome) => outcome,
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let findings = vec![format!("panicked: {}", said.unwrap_or("without words"))];
            Ok(Outcome { findings, trace: Vec::new(), happened: [0; Fault::ALL.len()], markers: 0 })
        }
    }
}
