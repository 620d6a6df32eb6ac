//! `lapwing evaluate` and `lapwing tune` without the rest of the program, which takes minutes to build:
//! `cargo run --release -p lapwing-evaluate --example evaluate -- evaluate --data rows.csv --label label`.

#[path = "../../cli/src/evaluate/args.rs"]
#[expect(unreachable_pub, reason = "the command line has the same file as a public module")]
mod args;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use args::{EvaluateArgs, TuneArgs};
use clap::Parser;
use indicatif::ProgressBar;
use lapwing_evaluate::{EvaluateError, command, tune};

#[derive(Parser)]
enum Command {
    Evaluate(EvaluateArgs),
    Tune(TuneArgs),
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Evaluate(args) => evaluate(&args),
        Command::Tune(args) => search(&args),
    };
    match outcome {
        Ok(text) => {
            let _ = write!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn progress() -> ProgressBar {
    if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() }
}

fn evaluate(args: &EvaluateArgs) -> Result<String, EvaluateError> {
    let report = command::evaluate(&args.options(), &progress())?;
    if let Some(path) = &args.report {
        command::write_page(&report, path)?;
    }
    let json = if args.json { report.to_json() + "\n" } else { String::new() };
    Ok(report.to_text() + &json)
}

fn search(args: &TuneArgs) -> Result<String, EvaluateError> {
    let tuned = tune(&args.options(), &progress(), &AtomicBool::new(false))?;
    let last = if args.json { tuned.to_json() + "\n" } else { format!("\n{}", tuned.to_toml()) };
    Ok(tuned.to_text() + &last)
}
