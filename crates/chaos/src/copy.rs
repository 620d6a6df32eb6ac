use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::failure::Failure;
use crate::scene::Scene;
use crate::sign::{self, Sign};

/// One copy of the program: a process, then another one, and so on.
#[derive(Debug)]
pub(crate) struct Copy {
    /// What its logs are called.
    pub(crate) name: &'static str,
    scene: Scene,
    pipeline: String,

    process: Option<Child>,
    log: PathBuf,
    read: u64,
    unfinished: Vec<u8>,

    /// How many processes it has been.
    pub(crate) runs: u32,
}

impl Copy {
    /// A copy that is not yet started.
    pub(crate) fn new(name: &'static str, scene: &Scene, pipeline: &str) -> Self {
        Self {
            name,
            scene: scene.clone(),
            pipeline: pipeline.to_owned(),
            process: None,
            log: PathBuf::new(),
            read: 0,
            unfinished: Vec::new(),
            runs: 0,
        }
    }

    /// Starts a process, with a log of its own.
    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        self.runs += 1;
        let (log, file) = self.scene.log(&format!("{}-{:04}.log", self.name, self.runs))?;
        let mut command = self.scene.command(&["run", &self.pipeline, "--no-page", "--log", "info"]);
        let process = command.stdout(Stdio::null()).stderr(file).spawn();
        self.process = Some(process.map_err(Failure::io(format!("start copy {}", self.name)))?);
        (self.log, self.read, self.unfinished) = (log, 0, Vec::new());
        Ok(())
    }

    /// Ends the process without warning; whether it still ran.
    pub(crate) fn kill(&mut self) -> Result<bool, Failure> {
        let Some(mut process) = self.process.take() else { return Ok(false) };
        let what = format!("kill copy {}", self.name);
        if process.try_wait().map_err(Failure::io(&what))?.is_some() {
            return Ok(false);
        }
        process.kill().and_then(|()| process.wait()).map_err(Failure::io(&what))?;
        Ok(true)
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) -> Result<(), Failure> {
        let Some(process) = &self.process else { return Ok(()) };
        let mut command = Command::new("kill");
        command.arg(format!("-{signal}")).arg(process.id().to_string()).stderr(Stdio::null());
        command.status().map(drop).map_err(Failure::io(format!("send SIG{signal} to copy {}", self.name)))
    }

    /// How the process ended, if it has; asked again, nothing.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        let Some(process) = &mut self.process else { return Ok(None) };
        let status = process.try_wait().map_err(Failure::io(format!("look after copy {}", self.name)))?;
        if status.is_some() {
            self.process = None;
        }
        Ok(status)
    }

    /// Whether there is a process, as far as was looked.
    pub(crate) fn runs_now(&self) -> bool {
        self.process.is_some()
    }

    /// What its log says since the last call.
    pub(crate) fn signs(&mut self) -> Result<Vec<Sign>, Failure> {
        if self.runs == 0 {
            return Ok(Vec::new());
        }
        let what = format!("read {}", self.log.display());
        let mut file = File::open(&self.log).map_err(Failure::io(&what))?;
        file.seek(SeekFrom::Start(self.read)).map_err(Failure::io(&what))?;
        let more = file.read_to_end(&mut self.unfinished).map_err(Failure::io(&what))?;
        self.read += more as u64;
        let whole = self.unfinished.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.unfinished.drain(..whole).collect();
        Ok(String::from_utf8_lossy(&lines).lines().filter_map(sign::read).collect())
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(3)..].join("\n")
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A frozen process cannot be waited for until it is killed; that works on frozen ones too.
        let _ = self.kill();
    }
}
