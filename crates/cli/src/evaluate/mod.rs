//! `lapwing evaluate`: how good detectors are on labelled rows. `lapwing tune`: with which options they are better.

/// Arguments of both.
mod args;

use std::io::IsTerminal;
use std::sync::atomic::AtomicBool;

use indicatif::{ProgressBar, ProgressStyle};
use lapwing_evaluate::command;

use crate::failure::Failure;
pub use args::{EvaluateArgs, TuneArgs};

/// Runs `lapwing evaluate`.
pub fn run(args: &EvaluateArgs) -> Result<(), Failure> {
    let bar = progress();
    let report = command::evaluate(&args.options(), &bar)?;
    bar.finish_and_clear();
    if let Some(path) = &args.report {
        command::write_page(&report, path)?;
    }
    crate::print_line(report.to_text().trim_end());
    if args.json {
        crate::print_line(&report.to_json());
    }
    Ok(())
}

/// Runs `lapwing tune`; an interrupt ends it after the trial under way.
pub fn tune(args: &TuneArgs, stop: &AtomicBool) -> Result<(), Failure> {
    let bar = progress();
    let tuned = lapwing_evaluate::tune(&args.options(), &bar, stop)?;
    bar.finish_and_clear();
    crate::print_line(&tuned.to_text());
    let last = if args.json { tuned.to_json() } else { tuned.to_toml() };
    crate::print_line(last.trim_end());
    Ok(())
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len}, {elapsed} gone, {eta} left");
    ProgressBar::new(0).with_style(style.expect("the template is valid"))
}
