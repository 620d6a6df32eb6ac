use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lapwing_produce::hosts_csv;

use crate::arguments::Arguments;
use crate::events;
use crate::failure::Failure;

/// The pipeline file, with names to fill in.
const PIPELINE: &str = include_str!("../pipeline.toml");

/// The folder of a run, the working directory of every copy.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Where it is.
    pub(crate) folder: PathBuf,
    /// The program under test.
    pub(crate) lapwing: PathBuf,
    /// The topic that is read.
    pub(crate) source: String,
}

impl Scene {
    /// Makes the folder, with the reference table in it.
    pub(crate) fn make(arguments: &Arguments, name: &str) -> Result<Self, Failure> {
        let lapwing = arguments.lapwing.canonicalize();
        let lapwing = lapwing.map_err(Failure::io(format!(
            "find the program {} (cargo build --release builds it)",
            arguments.lapwing.display()
        )))?;
        let folder = arguments.scratch.join(name);
        fs::create_dir_all(folder.join("logs")).map_err(Failure::io(format!("make {}", folder.display())))?;
        let folder = folder.canonicalize().map_err(Failure::io(format!("find {}", folder.display())))?;
        let scene = Self { folder, lapwing, source: format!("{name}.events") };
        scene.write("hosts.csv", hosts_csv(arguments.seed, events::HOSTS))?;
        Ok(scene)
    }

    /// Writes the pipeline file of a group of copies and makes its topics; returns the file's name.
    pub(crate) fn pipeline(&self, arguments: &Arguments, bootstrap: &str, run: &str) -> Result<String, Failure> {
        let filled = [
            ("@run@", run.to_owned()),
            ("@source@", self.source.clone()),
            ("@bootstrap@", bootstrap.to_owned()),
            ("@workers@", arguments.workers.to_string()),
            ("@partitions@", arguments.partitions.to_string()),
        ];
        let text = filled.iter().fold(PIPELINE.to_owned(), |text, (name, value)| text.replace(name, value));
        let file = format!("{run}.toml");
        self.write(&file, &text)?;
        self.lapwing(&["topics", "create", &file])?;
        Ok(file)
    }

    /// Trains a model on the first events.
    pub(crate) fn train(&self, arguments: &Arguments, pipeline: &str) -> Result<(), Failure> {
        let mut lines = Vec::new();
        for event in events::scenario(arguments.seed, arguments.events)?.take(arguments.train as usize) {
            lines.extend_from_slice(&event.value);
            lines.push(b'\n');
        }
        self.write("train.jsonl", lines)?;
        self.lapwing(&["train", pipeline, "--input", "train.jsonl"]).map(drop)
    }

    /// Runs a command of the program to its end; returns what it wrote to standard output.
    pub(crate) fn lapwing(&self, arguments: &[&str]) -> Result<String, Failure> {
        let command = format!("lapwing {}", arguments.join(" "));
        let answer = self.command(arguments).output().map_err(Failure::io(&command))?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match answer.status.success() {
            true => Ok(said(&answer.stdout)),
            false => Err(Failure::Command { command, code: answer.status.to_string(), said: said(&answer.stderr) }),
        }
    }

    /// A command of the program. What this machine is set up for must not change what is tested.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.lapwing);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.env_remove("LAPWING_LOG").env_remove("LAPWING_TOKEN");
        command
    }

    /// A new file for what a process writes.
    pub(crate) fn log(&self, name: &str) -> Result<(PathBuf, File), Failure> {
        let path = self.folder.join("logs").join(name);
        let file = File::create(&path).map_err(Failure::io(format!("create {}", path.display())))?;
        Ok((path, file))
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).map_err(Failure::io(format!("write {}", path.display())))
    }

    /// Takes the folder away.
    pub(crate) fn remove(self) {
        let _ = fs::remove_dir_all(Path::new(&self.folder));
    }
}
