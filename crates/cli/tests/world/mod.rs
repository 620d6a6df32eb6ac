//! What the tests of the binary share: a folder with a pipeline in it, the program run there as a person runs it, and
//! what it left behind.

#![allow(dead_code, unused_imports, reason = "each test uses a part of it")]

/// Waiting for a condition, never longer than stated.
mod wait;
/// The program as a child process.
mod program;
/// Pipeline files.
mod pipeline;
/// What topics and output files hold.
mod outputs;
/// Killed again and again.
mod killing;
/// A pipeline with joins, and what must come of it.
mod joined;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub(crate) use joined::JoinedWorld;
pub(crate) use killing::{Kills, kill_again_and_again};
pub(crate) use outputs::{
    Outputs, assert_each_once, embedded, events_of, field, field_values, lines, lines_text, topic_values,
};
pub(crate) use pipeline::Shape;
pub(crate) use program::{Ended, Running};
pub(crate) use wait::eventually;

/// A folder of its own, the working directory of every command.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(shipped("reference/hosts.csv"), folder.path().join("hosts.csv")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Writes a pipeline file; returns its name.
    pub(crate) fn pipeline(&self, file: &str, shape: &Shape) -> String {
        self.file(file, shape.text());
        file.to_owned()
    }

    /// Runs a command to its end.
    pub(crate) fn lapwing(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).ended()
    }

    /// Starts a command.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.folder.path(), arguments)
    }

    /// As [`World::start`], in a shell that first executes `preparation`.
    pub(crate) fn start_after(&self, preparation: &str, arguments: &[&str]) -> Running {
        Running::start_after(self.folder.path(), preparation, arguments)
    }

    /// Produces so many events of the telemetry scenario, the same ones every time: an hour of a hundred hosts.
    pub(crate) fn produce(&self, pipeline: &str, events: usize, to: &[&str]) {
        // Denser than needed on average, so that the limit is reached within the hour.
        let (limit, density) = (events.to_string(), (events as f64 * 1.6 / 3600.0).to_string());
        let scenario = ["--scenario", "telemetry", "--seed", "7", "--start", "2026-01-01T00:00:00Z", "--hosts", "100"];
        let anomalies = ["--quiet", "10m", "--anomalies", "0.02", "--density", &density, "--limit", &limit];
        let said = self.lapwing(&[&["produce", pipeline], &scenario[..], &anomalies, to].concat()).succeeded();
        assert!(said.starts_with(&format!("{events} events")), "{said}");
    }

    /// Produces a file of events as JSON lines; returns its lines.
    pub(crate) fn produce_file(&self, pipeline: &str, events: usize, file: &str) -> Vec<String> {
        self.produce(pipeline, events, &["--output", file]);
        lines_text(&self.path(file))
    }
}

/// A file beside the shipped pipelines.
pub(crate) fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines").join(name)
}
