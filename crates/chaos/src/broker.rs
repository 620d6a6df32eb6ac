use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lapwing_connect::kafka::{KafkaConnection, KafkaTopics};

use crate::failure::Failure;

/// How long a broker that is down is waited for; longer than any restart.
const GIVE_UP_AFTER: Duration = Duration::from_secs(180);

/// The broker under the campaign.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    /// host:port.
    pub(crate) address: String,
    script: PathBuf,
}

impl Broker {
    /// The broker at `address`, or else the one that the script names.
    pub(crate) fn new(script: &Path, address: Option<&str>) -> Result<Self, Failure> {
        let mut broker = Self { address: String::new(), script: script.to_owned() };
        broker.address = match address {
            Some(address) => address.to_owned(),
            None => broker.ask("url")?,
        };
        Ok(broker)
    }

    /// Tells the script to do something; what it says goes to a file, so that a server it leaves behind holds no pipe.
    pub(crate) fn tell(&self, verb: &str, notes: &Path) -> Result<(), Failure> {
        let what = format!("{} {verb}", self.script.display());
        let file = std::fs::File::create(notes).map_err(Failure::io(format!("create {}", notes.display())))?;
        let again = file.try_clone().map_err(Failure::io("share a file"))?;
        let mut command = Command::new(&self.script);
        command.arg(verb).stdin(Stdio::null()).stdout(file).stderr(again);
        let status = command.status().map_err(Failure::io(&what))?;
        if status.success() {
            return Ok(());
        }
        let said = std::fs::read_to_string(notes).unwrap_or_default();
        Err(Failure::Command { command: what, code: status.to_string(), said })
    }

    /// One line of the script's answer.
    pub(crate) fn ask(&self, verb: &str) -> Result<String, Failure> {
        let what = format!("{} {verb}", self.script.display());
        let answer = Command::new(&self.script).arg(verb).stdin(Stdio::null()).output().map_err(Failure::io(&what))?;
        if answer.status.success() {
            return Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        Err(Failure::Command { command: what, code: answer.status.to_string(), said })
    }

    /// How to reach it.
    pub(crate) fn connection(&self) -> KafkaConnection {
        let properties = BTreeMap::from([
            ("bootstrap.servers".to_owned(), self.address.clone()),
            // A read takes tens of thousands of records and throws away what was fetched beyond them.
            ("queued.max.messages.kbytes".to_owned(), "16384".to_owned()),
        ]);
        KafkaConnection { properties, give_up_after: GIVE_UP_AFTER, max_record_bytes: 1 << 20 }
    }

    /// Its topics.
    pub(crate) fn topics(&self) -> Result<KafkaTopics, Failure> {
        Ok(KafkaTopics::open(self.connection())?)
    }
}
