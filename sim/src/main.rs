//! Plays stories of the simulated world: many, until one breaks a law, or one, told step by step.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use lapwing_sim::many::{play_caught, play_many};
use lapwing_sim::pipelines::{Pipelines, Plot};
use lapwing_sim::story::Options;
use lapwing_sim::weather::Fault;

/// Stories between two words of progress.
const PROGRESS_EVERY: u64 = 1_000;

/// Plays stories of the simulated world until one breaks a law.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds to play.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Plays stories of this kind alone, and passes over the seeds of others.
    #[arg(long)]
    only: Option<Plot>,
    /// Threads.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Plays this seed only.
    #[arg(long, conflicts_with_all = ["seeds", "from", "jobs"])]
    seed: Option<u64>,
    /// Tells the story of the one seed step by step.
    #[arg(long, requires = "seed")]
    trace: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.seed {
        Some(seed) => one(seed, &arguments),
        None => many(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            say(&fault);
            ExitCode::from(70)
        }
    }
}

/// Writes a line; that nobody reads it is no reason to stop.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn tell(seed: u64, findings: &[String]) {
    say(&format!("seed {seed} breaks a law:"));
    findings.iter().for_each(|finding| say(&format!("  {finding}")));
}

fn one(seed: u64, arguments: &Arguments) -> Result<bool, String> {
    let pipelines = Pipelines::compile().map_err(|error| format!("compile the pipelines: {error}"))?;
    let outcome = play_caught(&pipelines, seed, Options { traced: arguments.trace, ..Options::default() })
        .map_err(|error| error.to_string())?;
    outcome.trace.iter().for_each(|line| say(line));
    if outcome.findings.is_empty() {
        say(&format!("seed {seed} keeps every law"));
        return Ok(true);
    }
    tell(seed, &outcome.findings);
    Ok(false)
}

fn many(arguments: &Arguments) -> Result<bool, String> {
    let Arguments { from, seeds, jobs, only, .. } = *arguments;
    let told = |played: u64| {
        if played.is_multiple_of(PROGRESS_EVERY) {
            say(&format!("{played} of {seeds} stories"));
        }
    };
    let options = Options { only, ..Options::default() };
    let report = play_many(from, seeds, jobs, options, told)?;
    let happened = Fault::ALL.iter().zip(report.happened).map(|((fault, _), count)| format!("{fault:?} {count}"));
    say(&format!("{} stories; {}", report.played, happened.collect::<Vec<_>>().join(", ")));
    let plots = Plot::ALL.iter().zip(report.plots);
    let plots = plots.map(|((plot, _), (stories, markers))| format!("{plot:?} {stories} with {markers} markers"));
    say(&plots.collect::<Vec<_>>().join(", "));
    let Some((seed, findings)) = report.failure else { return Ok(true) };
    tell(seed, &findings);
    say(&format!("to see it again: cargo run --release -p lapwing-sim -- --seed {seed} --trace"));
    Ok(false)
}
