//! The one binary of Lapwing: real-time anomaly detection on event streams.

/// The machine's clock.
mod clock;
/// Failures and exit codes.
mod failure;
/// Where a pipeline's files lie.
mod places;
/// Records as lines.
mod lines;
/// From settings to transports.
mod transports;
/// What a source holds now.
mod history;
/// From a pipeline file to a plan.
mod load;
/// What the page shows.
mod watch;
/// `lapwing demo`.
mod demo;
/// `lapwing run`.
mod run;
/// `lapwing check`.
mod check;
/// `lapwing train`.
mod train;
/// `lapwing score`.
mod score;
/// `lapwing evaluate` and `lapwing tune`.
mod evaluate;
/// `lapwing produce`.
mod produce;
/// `lapwing topics`.
mod topics;
/// `lapwing watermark`.
mod watermark;
/// `lapwing state`.
mod state;
/// `lapwing templates`.
mod templates;
/// `lapwing bench`.
mod bench;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};
use failure::{Failure, INTERNAL};
use tracing_subscriber::EnvFilter;

/// Set by Ctrl-C and SIGTERM: everything finishes its epoch and ends.
static STOP: AtomicBool = AtomicBool::new(false);

/// Real-time anomaly detection on event streams.
#[derive(Parser, Debug)]
#[command(name = "lapwing", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What to log to standard error: error, warn, info, debug, trace, or a filter such as lapwing_pipeline=debug.
    #[arg(long, global = true, env = "LAPWING_LOG", default_value = "info")]
    log: String,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Everything at once, with nothing installed: produce telemetry, train, detect, show.
    Demo(demo::DemoArgs),
    Run(run::RunArgs),
    Check(check::CheckArgs),
    Train(train::TrainArgs),
    Score(score::ScoreArgs),
    Evaluate(evaluate::EvaluateArgs),
    Tune(evaluate::TuneArgs),
    Produce(produce::ProduceArgs),
    #[command(subcommand)]
    Topics(topics::TopicsCommand),
    Watermark(watermark::WatermarkArgs),
    #[command(subcommand)]
    State(state::StateCommand),
    #[command(subcommand)]
    Templates(templates::TemplatesCommand),
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(&arguments);
    // A second Ctrl-C does not wait for the epoch: whatever is not committed is not visible, so nothing is harmed.
    let interrupted = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    let outcome =
        interrupted.map_err(|error| Failure::new(INTERNAL, error)).and_then(|()| dispatch(&arguments.command));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "error: {failure}");
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(args, &STOP),
        Command::Run(args) => run::run(args, &STOP),
        Command::Check(args) => check::run(args),
        Command::Train(args) => train::run(args, &STOP),
        Command::Score(args) => score::run(args, &STOP),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Tune(args) => evaluate::tune(args, &STOP),
        Command::Produce(args) => produce::run(args, &STOP),
        Command::Topics(command) => topics::run(command),
        Command::Watermark(args) => watermark::run(args, &STOP),
        Command::State(command) => state::run(command),
        Command::Templates(command) => templates::run(command, &STOP),
        Command::Bench(command) => bench::run(command, &STOP),
    }
}

fn start_log(arguments: &Arguments) {
    // The terminal view of the demo owns the screen; only what needs a person may break into it.
    let quiet = matches!(arguments.command, Command::Demo(_)) && arguments.log == "info";
    let filter = EnvFilter::try_new(if quiet { "warn" } else { &arguments.log });
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().init();
    }
}

/// Writes a line to standard output. A reader that went away (`| head`) is no failure.
pub(crate) fn print_line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
