//! `lapwing evaluate` and `lapwing tune` without the rest of the program, which takes minutes to build:
//! `cargo run --release -p lapwing-evaluate --example evaluate -- --data rows.csv --label label`.

#[path = "../../cli/src/evaluate/args.rs"]
#[expect(unreachable_pub, reason = "the command line shares this file")]
mod args;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use indicatif::ProgressBar;
use lapwing_evaluate::{EvaluateError, command};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    evaluate: args::EvaluateArgs,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.evaluate) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &args::EvaluateArgs) -> Result<(), EvaluateError> {
    let bar = match std::io::stderr().is_terminal() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    };
    let report = command::evaluate(&args.options(), &bar)?;
    bar.finish_and_clear();
    let mut out = std::io::stdout();
    let _ = write!(out, "{}", report.to_text());
    if let Some(path) = &args.report {
        command::write_page(&report, path)?;
    }
    if args.json {
        let _ = writeln!(out, "{}", report.to_json());
    }
    Ok(())
}
