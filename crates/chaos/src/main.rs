//! Kills running copies of Lapwing on a real Kafka at random, again and again, and counts what was lost or doubled.
//!
//! Two copies of the program share the partitions of one topic. A seeded plan says which of them is struck when and how;
//! events flow meanwhile; a reader that sees committed records only keeps book of what comes out. At the end the books
//! must agree: every produced event enriched once, every alert there once, and the alerts those of a run that nobody
//! disturbed.

/// What can be chosen on the command line.
mod arguments;
/// Why the campaign itself could not go on.
mod failure;
/// The machine's clock: the one place that reads time or waits.
mod clock;
/// The broker: where it is, and stopping and starting it.
mod broker;
/// The folder of a run: pipeline files, reference table, model.
mod scene;
/// The events: a seeded scenario, slimmed to the fields that are read.
mod events;
/// How many events may be out by now, and sending them.
mod feed;
/// What the log lines of a copy say of its partitions.
mod sign;
/// Which copy holds which partition, as its log tells.
mod ownership;
/// One copy of the program: started, struck, watched.
mod copy;
/// When which copy is struck, and how: a seeded plan.
mod plan;
/// Committed records of a topic, from the last one read on.
mod follower;
/// The book of what came out.
mod ledger;
/// The reader that keeps the book while copies run.
mod witness;
/// Both copies, their blows, and waiting in between.
mod campaign;
/// The same events in a run that nobody disturbs.
mod undisturbed;
/// Whether the books agree.
mod verdict;
/// The result for people, programs and the documents.
mod report;
/// The whole, from the empty folder to the verdict.
mod drive;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match drive::run(&arguments::Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            say(&format!("error: {failure}"));
            ExitCode::from(2)
        }
    }
}

/// Writes a line for people. A reader that went away is no failure.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
