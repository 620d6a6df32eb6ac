//! Stands in for the program under test, to test the campaign itself: it copies events and makes an alert of each
//! anomalous one, exactly once. With STAND_IN_FAULT it does so wrongly, and the campaign must find that out:
//! `two_commits` commits outputs before positions, so that a kill in between doubles; `skips` goes on one event too late
//! after each take-over, so that one is lost. It knows no SIGTERM, so a few ends by themselves are reported besides.
//!
//! `cargo build --release -p lapwing-chaos --example stand_in`, then
//! `lapwing-chaos --lapwing target/release/examples/stand_in --kills 5 --events 20000 --train 100`.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lapwing_connect::kafka::{KafkaConnection, KafkaOptions, KafkaTopics, KafkaTransport};
use lapwing_vocabulary::port::{TopicLayout, Topics};
use lapwing_vocabulary::{Epoch, Offset, OutputRecord, Partition, Polled, PortError, Records, Transport};
use serde_json::{Value, json};

/// Events of one epoch at most.
const EPOCH_EVENTS: usize = 500;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["topics", "create", file] => create_topics(&Pipeline::read(file)?),
        ["run", file, ..] => Ok(run(&Pipeline::read(file)?)?),
        ["--version"] => Ok(writeln!(std::io::stdout(), "stand-in {}", env!("CARGO_PKG_VERSION"))?),
        _ => Ok(()),
    }
}

/// What it needs of a pipeline file.
struct Pipeline {
    bootstrap: String,
    source: String,
    run: String,
    partitions: i32,
}

impl Pipeline {
    fn read(file: &str) -> Result<Self, std::io::Error> {
        let text = std::fs::read_to_string(file)?;
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
            line.unwrap_or_default().trim().trim_matches('"').to_owned()
        };
        Ok(Self {
            bootstrap: value("\"bootstrap.servers\""),
            source: value("topic"),
            run: value("group"),
            partitions: value("partitions").parse().unwrap_or(1),
        })
    }

    fn properties(&self) -> BTreeMap<String, String> {
        let pairs = [
            ("bootstrap.servers", self.bootstrap.as_str()),
            ("session.timeout.ms", "2000"),
            ("heartbeat.interval.ms", "300"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

fn create_topics(pipeline: &Pipeline) -> Outcome {
    let give_up_after = Duration::from_secs(60);
    let properties = pipeline.properties();
    let mut topics = KafkaTopics::open(KafkaConnection { properties, give_up_after, max_record_bytes: 1 << 20 })?;
    let layout = TopicLayout {
        partitions: pipeline.partitions,
        replication: None,
        retention_micros: None,
        retention_bytes: None,
        compact: false,
    };
    let outputs = ["alerts", "enriched", "dead_letters", "late"].map(|role| format!("{}.{role}", pipeline.run));
    for topic in [pipeline.source.clone()].into_iter().chain(outputs) {
        topics.create(&topic, &layout)?;
    }
    Ok(())
}

/// Holds the first free number, so that a successor takes up the transactional id of the dead.
fn seat(pipeline: &Pipeline) -> Result<(File, usize), std::io::Error> {
    let folder = Path::new("seats").join(&pipeline.run);
    std::fs::create_dir_all(&folder)?;
    let mut number = 0;
    loop {
        let file = File::create(folder.join(number.to_string()))?;
        if file.try_lock().is_ok() {
            return Ok((file, number));
        }
        number += 1;
    }
}

fn run(pipeline: &Pipeline) -> Result<(), PortError> {
    let (_seat, number) = seat(pipeline).map_err(|error| PortError::Storage(error.to_string()))?;
    let options = KafkaOptions {
        properties: pipeline.properties(),
        topic: pipeline.source.clone(),
        group: pipeline.run.clone(),
        processing: lapwing_vocabulary::Processing::ExactlyOnce,
        transactional_id: format!("{}-{number}", pipeline.run),
        give_up_after: Duration::from_secs(60),
        max_record_bytes: 1 << 20,
    };
    #[expect(clippy::disallowed_methods, reason = "the one setting of this program")]
    let fault = std::env::var("STAND_IN_FAULT").unwrap_or_default();
    let mut worker = Worker {
        transport: KafkaTransport::open(options)?,
        enriched: format!("{}.enriched", pipeline.run).into(),
        alerts: format!("{}.alerts", pipeline.run).into(),
        fault,
        epoch: Epoch::default(),
        next: HashMap::new(),
    };
    loop {
        match worker.step() {
            Ok(()) => {}
            Err(PortError::Restart(why)) => {
                worker.forget();
                log(&json!({ "message": "starting again from the committed positions", "worker": 0, "why": why }));
            }
            Err(error) => return Err(error),
        }
    }
}

struct Worker {
    transport: KafkaTransport,
    enriched: Arc<str>,
    alerts: Arc<str>,
    fault: String,
    epoch: Epoch,
    next: HashMap<Partition, Offset>,
}

impl Worker {
    fn step(&mut self) -> Result<(), PortError> {
        match self.transport.poll(EPOCH_EVENTS, Duration::from_millis(50))? {
            Polled::Assigned(assignments) => {
                self.commit()?;
                for assignment in assignments {
                    let skipped = Offset::from(self.fault == "skips" && assignment.committed.is_some());
                    let from = assignment.committed.unwrap_or(assignment.earliest) + skipped;
                    self.transport.resume(assignment.partition, from)?;
                    let partition = assignment.partition;
                    log(&json!({ "message": "partition taken up", "worker": 0, "partition": partition }));
                }
            }
            Polled::Revoked(partitions) => {
                self.commit()?;
                self.transport.release(&partitions)?;
                let partitions = format!("{partitions:?}");
                log(&json!({ "message": "partitions handed over", "worker": 0, "partitions": partitions }));
            }
            Polled::Lost(_) => self.forget(),
            Polled::Records(records) => self.take(&records),
            Polled::Idle | Polled::End => self.commit()?,
        }
        match self.epoch.outputs.len() > EPOCH_EVENTS {
            true => self.commit(),
            false => Ok(()),
        }
    }

    fn take(&mut self, records: &Records) {
        for index in 0..records.len() {
            let (key, value) = (records.key(index).map(<[u8]>::to_vec), records.value(index).to_vec());
            let event: Value = serde_json::from_slice(&value).unwrap_or_default();
            if event["label"] != "normal" {
                let alert = json!({ "id": event["uuid"], "event_id": event["uuid"] }).to_string().into_bytes();
                self.epoch.outputs.push(output(&self.alerts, key.clone(), alert, records.timestamp(index)));
            }
            self.epoch.outputs.push(output(&self.enriched, key, value, records.timestamp(index)));
        }
        if let Some(last) = records.last_offset() {
            self.next.insert(records.partition(), last + 1);
        }
    }

    fn commit(&mut self) -> Result<(), PortError> {
        let mut epoch = std::mem::take(&mut self.epoch);
        epoch.positions = self.next.drain().collect();
        if epoch.is_empty() {
            return Ok(());
        }
        if self.fault == "two_commits" {
            let positions = std::mem::take(&mut epoch.positions);
            self.transport.commit(epoch)?;
            epoch = Epoch { outputs: Vec::new(), positions };
        }
        self.transport.commit(epoch)
    }

    fn forget(&mut self) {
        self.epoch = Epoch::default();
        self.next.clear();
    }
}

fn output(topic: &Arc<str>, key: Option<Vec<u8>>, value: Vec<u8>, timestamp: i64) -> OutputRecord {
    OutputRecord { topic: topic.clone(), partition: None, key, value, headers: Vec::new(), timestamp }
}

fn log(fields: &Value) {
    let _ = writeln!(std::io::stderr(), "{}", json!({ "level": "INFO", "fields": fields }));
}
