use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::wait::eventually;

/// Longest that any command takes; reached only if something hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// A command that was started. It is killed if the test ends before it.
pub(crate) struct Running {
    child: Child,
    arguments: String,
    /// Holds what it writes, so that no pipe can fill.
    notes: tempfile::TempDir,
}

impl Running {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::spawn(folder, Command::new(env!("CARGO_BIN_EXE_lapwing")), arguments)
    }

    pub(crate) fn start_after(folder: &Path, preparation: &str, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{preparation}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_lapwing")]);
        Self::spawn(folder, shell, arguments)
    }

    fn spawn(folder: &Path, mut command: Command, arguments: &[&str]) -> Self {
        let notes = tempfile::tempdir().unwrap();
        let into = |name: &str| Stdio::from(File::create(notes.path().join(name)).unwrap());
        command.args(arguments).current_dir(folder).stdin(Stdio::null());
        // What this machine is set up for must not change what is tested.
        command.env_remove("LAPWING_LOG").env_remove("LAPWING_TOKEN");
        let child = command.stdout(into("out")).stderr(into("err")).spawn().unwrap();
        Self { child, arguments: arguments.join(" "), notes }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard output so far.
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.notes.path().join("out")).unwrap()).into_owned()
    }

    /// What it has written to standard error so far.
    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.notes.path().join("err")).unwrap()).into_owned()
    }

    /// Waits for something that is true of the running command; fails if it ends before.
    pub(crate) fn until<T>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        eventually(what, LIMIT, || {
            let ended = self.child.try_wait().unwrap();
            let answer = look(self);
            let gone = answer.is_none() && ended.is_some();
            assert!(!gone, "`{}` ended before: {what}\n{}", self.arguments, self.err());
            answer
        })
    }

    /// Where its page is served.
    pub(crate) fn page(&mut self) -> SocketAddr {
        self.until("the page is served", |running| {
            let err = running.err();
            let mut lines = err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let served = lines.find(|line| line["fields"]["message"] == "page is served")?;
            served["fields"]["address"].as_str()?.parse().ok()
        })
    }

    /// Waits until it has partitions to work on.
    pub(crate) fn until_ready(&mut self, page: SocketAddr) {
        let ready = |_: &Self| get(page, "/health/ready")?.starts_with("HTTP/1.1 200").then_some(());
        self.until("partitions are assigned", ready);
    }

    /// Waits until a metric reaches a number.
    pub(crate) fn until_metric(&mut self, page: SocketAddr, metric: &str, least: f64) {
        let what = format!("{metric} is at least {least}");
        self.until(&what, |_| (metric_of(page, metric)? >= least).then_some(()));
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it without warning; returns what it had written to standard error. Fails if it had ended before.
    pub(crate) fn kill(mut self) -> String {
        assert!(self.is_alive(), "`{}` ended before it was killed\n{}", self.arguments, self.err());
        self.child.kill().unwrap();
        let status = self.wait();
        assert_eq!(status.code(), None, "`{}` ended before it was killed\n{}", self.arguments, self.err());
        self.err()
    }

    /// Asks it to end, as Ctrl-C does, and waits for that.
    pub(crate) fn interrupt(self) -> Ended {
        let sent = Command::new("kill").args(["-INT", &self.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.ended()
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        let status = self.wait();
        Ended { arguments: self.arguments.clone(), code: status.code(), out: self.out(), err: self.err() }
    }

    fn wait(&mut self) -> ExitStatus {
        let (what, child) = (format!("`{}` ends", self.arguments), &mut self.child);
        eventually(&what, LIMIT, || child.try_wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    arguments: String,
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Fails unless it ended well; returns what it wrote to standard output.
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "`{}`\n{}\n{}", self.arguments, self.out, self.err);
        self.out
    }

    /// Fails unless it ended with this exit code; returns its error message.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "`{}`\n{}\n{}", self.arguments, self.out, self.err);
        let from = self.err.find("error: ").unwrap_or_else(|| panic!("no error is named:\n{}", self.err));
        self.err[from..].to_owned()
    }
}

/// A metric of a running pipeline, or the sum over its labels; `None` as long as the page does not answer.
fn metric_of(page: SocketAddr, metric: &str) -> Option<f64> {
    let text = get(page, "/metrics")?;
    let samples = text.lines().filter(|line| line.starts_with(metric));
    Some(samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
}

fn get(page: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(page).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
