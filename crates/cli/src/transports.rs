//! From settings to transports: the one place that knows every kind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lapwing_connect::embedded::{EmbeddedLog, LogOptions};
use lapwing_connect::files::{Begins, FileOptions, FileTransport};
use lapwing_connect::kafka::{KafkaConnection, KafkaOptions, KafkaProducer, KafkaTopics, KafkaTransport};
use lapwing_logs::MultilineStart;
use lapwing_pipeline::clock::Clock;
use lapwing_pipeline::settings::{Connect, Format, Kafka, Pipeline, Role};
use lapwing_state::SnapshotStore;
use lapwing_vocabulary::port::{Epoch, Polled, Producer, TopicLayout, TopicState, Topics, Transport};

use crate::clock::SystemClock;
use crate::failure::{CONFIGURATION, Failure, NO_INPUT, USAGE};
use crate::lines::line_producer as lines_to;
use crate::places;

/// How long an unreachable broker is tried for.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// The transport of a pipeline, open.
pub struct Transports {
    kind: Kind,
    /// What the tasks read.
    tasks: Reading,
    /// What is repartitioned and joined first, if anything.
    forward: Option<Reading>,
    until_end: bool,
}

/// A topic, those that are read with it as one, and the group that reads them.
struct Reading {
    topic: String,
    others: Vec<String>,
    group: String,
}

enum Kind {
    Embedded(EmbeddedLog),
    Kafka(Box<Pipeline>, Seat),
    Files(Box<Pipeline>),
}

impl Transports {
    /// Opens what the settings name. With `until_end` workers end when they have read what is there now.
    pub fn open(settings: &Pipeline, until_end: bool) -> Result<Self, Failure> {
        let kind = match &settings.connect {
            Connect::Embedded(_) => Kind::Embedded(embedded(settings)?),
            Connect::Kafka(_) => Kind::Kafka(Box::new(settings.clone()), Seat::take(&places::state_folder(settings))?),
            Connect::Files(_) => Kind::Files(Box::new(settings.clone())),
        };
        if until_end && matches!(kind, Kind::Kafka(..)) {
            let text = "--until-end: a Kafka topic has no end\nhint: stop the run with Ctrl-C, or use `lapwing score`";
            return Err(Failure::new(USAGE, text));
        }
        let group = settings.source.group.clone();
        let source = settings.source.topic.clone().unwrap_or_default();
        let (tasks, forward) = match settings.repartitioned_topic() {
            Some(topic) => {
                let others = settings.joins.iter().map(|join| join.topic.clone()).collect();
                let forward = Reading { topic: source, others, group: format!("{group}.repartition") };
                (Reading { topic, others: Vec::new(), group }, Some(forward))
            }
            None => (Reading { topic: source, others: Vec::new(), group }, None),
        };
        Ok(Self { kind, tasks, forward, until_end })
    }

    /// Whether positions outlive the process, so that snapshots have something to refer to.
    pub fn keeps_positions(&self) -> bool {
        match &self.kind {
            Kind::Files(settings) => files_resume(settings),
            Kind::Embedded(_) | Kind::Kafka(..) => true,
        }
    }

    /// Makes the internal topics that are not there yet. A marker lies in the partition it is about, so their topic has
    /// as many as the one that is processed.
    pub fn make_internal_topics(&self, settings: &Pipeline) -> Result<(), Failure> {
        if !self.has_topics() {
            return Ok(());
        }
        let mut topics = self.topics()?;
        if let Some(name) = settings.repartitioned_topic() {
            topics.create(&name, &settings.topics.layout(Role::Repartitioned))?;
        }
        let Some(name) = settings.marker_topic() else { return Ok(()) };
        let partitions = describe(topics.as_mut(), &self.tasks.topic)?.partitions.len();
        let layout = TopicLayout { partitions: partitions as i32, ..settings.topics.layout(Role::Markers) };
        topics.create(&name, &layout)?;
        let found = describe(topics.as_mut(), &name)?.partitions.len();
        if found >= partitions {
            return Ok(());
        }
        let text = format!(
            "topic `{name}` has {found} partitions, but `{}`, which it marks, has {partitions}\nhint: add partitions to \
             `{name}`",
            self.tasks.topic
        );
        Err(Failure::new(CONFIGURATION, text))
    }

    /// Whether there are topics at all.
    pub fn has_topics(&self) -> bool {
        !matches!(self.kind, Kind::Files(_))
    }

    /// Number of workers that have something to do.
    pub fn workers(&self, settings: &Pipeline) -> Result<usize, Failure> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let wanted = settings.workers.unwrap_or(cores).max(1);
        let useful = match &self.kind {
            Kind::Embedded(log) => describe(&mut log.topics(), &self.tasks.topic)?.partitions.len(),
            // Partitions come and go with the group's other members.
            Kind::Kafka(..) => wanted,
            // Files are committed together with their outputs by one owner.
            Kind::Files(_) => 1,
        };
        Ok(wanted.min(useful.max(1)))
    }

    /// The transport of one worker.
    pub fn transport(&self, index: usize, workers: usize) -> Result<Box<dyn Transport>, Failure> {
        self.reading(&self.tasks, index, workers)
    }

    /// Whether workers end when they have read what is there now.
    pub fn until_end(&self) -> bool {
        self.until_end
    }

    /// Partitions of the topic that the tasks read.
    pub fn processed_partitions(&self) -> Result<i32, Failure> {
        Ok(describe(self.topics()?.as_mut(), &self.tasks.topic)?.partitions.len() as i32)
    }

    /// The transport that reads what is repartitioned and joined, if anything is.
    pub fn forward_transport(&self) -> Result<Option<Box<dyn Transport>>, Failure> {
        self.forward.as_ref().map(|reading| self.reading(reading, 0, 1)).transpose()
    }

    fn reading(&self, reading: &Reading, index: usize, workers: usize) -> Result<Box<dyn Transport>, Failure> {
        Ok(match &self.kind {
            Kind::Embedded(log) => {
                let topics: Vec<&str> =
                    std::iter::once(&reading.topic).chain(&reading.others).map(String::as_str).collect();
                let transport = log.transport_of(&topics, &reading.group, index, workers)?;
                Box::new(if self.until_end { transport.until_end() } else { transport })
            }
            Kind::Kafka(settings, seat) => {
                let others: Vec<&str> = reading.others.iter().map(String::as_str).collect();
                Box::new(KafkaTransport::open_with(kafka_options(settings, seat, reading, index), &others)?)
            }
            Kind::Files(settings) => {
                let inputs = places::input_files(settings, &places::Inputs::default());
                Box::new(FileTransport::open(file_options(settings, &inputs, true))?)
            }
        })
    }

    /// Appends to topics of the same log.
    pub fn producer(&self) -> Result<Box<dyn Producer>, Failure> {
        match &self.kind {
            Kind::Embedded(log) => Ok(Box::new(log.producer())),
            Kind::Kafka(settings, _) | Kind::Files(settings) => producer(settings),
        }
    }

    /// Topics of the same log.
    pub fn topics(&self) -> Result<Box<dyn Topics>, Failure> {
        match &self.kind {
            Kind::Embedded(log) => Ok(Box::new(log.topics())),
            Kind::Kafka(settings, _) | Kind::Files(settings) => topics(settings),
        }
    }

    /// Commits the end of the source topic as consumed: what is there now only rebuilds state.
    pub fn commit_to_end(&self, topic: &str) -> Result<(), Failure> {
        let ends: Vec<i64> = describe(self.topics()?.as_mut(), topic)?.partitions.iter().map(|(_, end)| *end).collect();
        let mut transport = self.transport(0, 1)?;
        loop {
            if let Polled::Assigned(assignments) = transport.poll(1, Duration::from_millis(100))? {
                let end = |partition: i32| (partition, ends[partition as usize]);
                let positions = assignments.iter().map(|assignment| end(assignment.partition)).collect();
                transport.commit(Epoch { outputs: Vec::new(), positions })?;
                return Ok(());
            }
        }
    }
}

/// Where a pipeline's snapshots are.
pub fn snapshot_store(settings: &Pipeline) -> Result<SnapshotStore, Failure> {
    let io = |error| Failure::new(crate::failure::IO, error);
    match &settings.state.snapshots {
        None => SnapshotStore::open(places::state_folder(settings).join("snapshots")).map_err(io),
        Some(url) if url.contains("://") => object_store(&format!("{}/{}", url.trim_end_matches('/'), settings.name)),
        Some(folder) => SnapshotStore::open(Path::new(folder).join(&settings.name)).map_err(io),
    }
}

#[cfg(any(feature = "s3", feature = "hdfs"))]
fn object_store(url: &str) -> Result<SnapshotStore, Failure> {
    let place = lapwing_connect::object_store::ObjectPlace::open(url, &BTreeMap::new())?;
    Ok(SnapshotStore::new(std::sync::Arc::new(place)))
}

#[cfg(not(any(feature = "s3", feature = "hdfs")))]
fn object_store(url: &str) -> Result<SnapshotStore, Failure> {
    let text = format!(
        "state.snapshots: {url}: this build has no object stores\nhint: build it with `--features lapwing-cli/s3` or \
         `--features lapwing-cli/hdfs`, or name a folder"
    );
    Err(Failure::new(CONFIGURATION, text))
}

/// Topics of a pipeline's log.
pub fn topics(settings: &Pipeline) -> Result<Box<dyn Topics>, Failure> {
    match &settings.connect {
        Connect::Embedded(_) => Ok(Box::new(embedded(settings)?.topics())),
        Connect::Kafka(kafka) => Ok(Box::new(KafkaTopics::open(kafka_connection(settings, kafka))?)),
        Connect::Files(_) => Err(Failure::new(CONFIGURATION, "the pipeline reads files: it has no topics")),
    }
}

/// Appends to topics of a pipeline's log.
pub fn producer(settings: &Pipeline) -> Result<Box<dyn Producer>, Failure> {
    match &settings.connect {
        Connect::Embedded(_) => Ok(Box::new(embedded(settings)?.producer())),
        Connect::Kafka(kafka) => Ok(Box::new(KafkaProducer::open(kafka_connection(settings, kafka))?)),
        Connect::Files(_) => Err(Failure::new(CONFIGURATION, "the pipeline reads files: produce with --output FILE")),
    }
}

/// Writes lines to a file.
pub fn line_producer(path: &Path) -> Result<Box<dyn Producer>, Failure> {
    Ok(Box::new(lines_to(path)?))
}

/// A topic that must exist.
pub fn describe(topics: &mut dyn Topics, name: &str) -> Result<TopicState, Failure> {
    match topics.describe(name)? {
        Some(state) => Ok(state),
        None => {
            let known = topics.list()?;
            let known = if known.is_empty() {
                "there are none yet".to_owned()
            } else {
                format!("there are: {}", known.join(", "))
            };
            let hint = match name.ends_with(&format!(".{}", Role::Repartitioned.name())) {
                true => "`lapwing run` makes and fills it: run the pipeline first, it works without a model too",
                false => "`lapwing topics create PIPELINE` makes it, `lapwing produce` too",
            };
            let text = format!("topic `{name}` does not exist; {known}\nhint: {hint}");
            Err(Failure::new(CONFIGURATION, text))
        }
    }
}

/// Files read once to their end, without outputs or positions.
pub fn finite_files(settings: &Pipeline, files: &[PathBuf]) -> Result<Box<dyn Transport>, Failure> {
    for file in files.iter().filter(|file| file.as_os_str() != "-") {
        // Only looked at: what is opened and closed again may be a pipe, whose content would be gone.
        std::fs::metadata(file).map_err(|error| {
            let text = format!("open {}: {error}: check the path and the right to read it", file.display());
            Failure::new(NO_INPUT, text)
        })?;
    }
    Ok(Box::new(FileTransport::open(file_options(settings, files, false))?))
}

fn embedded(settings: &Pipeline) -> Result<EmbeddedLog, Failure> {
    let Connect::Embedded(place) = &settings.connect else {
        return Err(Failure::new(CONFIGURATION, "the pipeline does not use the embedded log"));
    };
    let layouts = settings.topics_used().into_iter().map(|(_, name, layout)| (name, layout));
    let options = LogOptions {
        sync: place.sync,
        layouts: layouts.collect::<BTreeMap<_, _>>(),
        layout: settings.topics.layout(Role::Source),
        ..LogOptions::default()
    };
    Ok(EmbeddedLog::open(&place.path, options)?)
}

fn kafka_connection(settings: &Pipeline, kafka: &Kafka) -> KafkaConnection {
    let properties =
        kafka.properties.iter().map(|property| (property.name.clone(), property.value.reveal().to_owned()));
    KafkaConnection {
        properties: properties.collect(),
        give_up_after: GIVE_UP_AFTER,
        max_record_bytes: settings.max_record_bytes,
    }
}

fn kafka_options(settings: &Pipeline, seat: &Seat, reading: &Reading, index: usize) -> KafkaOptions {
    let properties = match &settings.connect {
        Connect::Kafka(kafka) => kafka_connection(settings, kafka).properties,
        Connect::Embedded(_) | Connect::Files(_) => BTreeMap::new(),
    };
    KafkaOptions {
        properties,
        topic: reading.topic.clone(),
        group: reading.group.clone(),
        processing: settings.processing,
        transactional_id: format!("lapwing-{}-{}-{index}", reading.group, seat.name),
        give_up_after: GIVE_UP_AFTER,
        max_record_bytes: settings.max_record_bytes,
    }
}

/// Whether a files pipeline can go on where it stopped: not from standard input, nor into standard output.
fn files_resume(settings: &Pipeline) -> bool {
    let Connect::Files(files) = &settings.connect else { return false };
    let places = files.inputs.iter().chain([&files.outputs]);
    places.map(places::place_path).all(|path| path.as_os_str() != "-")
}

fn file_options(settings: &Pipeline, inputs: &[PathBuf], with_outputs: bool) -> FileOptions {
    let (outputs, follow) = match &settings.connect {
        Connect::Files(files) if with_outputs => (Some(places::place_path(&files.outputs)), files.follow),
        _ => (None, false),
    };
    FileOptions {
        inputs: inputs.to_vec(),
        csv: matches!(&settings.source.format, Format::Csv(_)),
        csv_delimiter: match &settings.source.format {
            Format::Csv(csv) => csv.delimiter,
            Format::Json | Format::Lines(_) => b',',
        },
        begins: match &settings.source.format {
            Format::Lines(lines) => lines.start().ok().flatten().map(begins),
            Format::Json | Format::Csv(_) => None,
        },
        csv_header: matches!(&settings.source.format, Format::Csv(csv) if csv.columns.is_none()),
        outputs,
        follow,
        stdout_topic: settings.outputs.alerts.clone(),
        record_bytes_max: settings.max_record_bytes,
        clock: || SystemClock.wall_micros(),
    }
}

fn begins(start: MultilineStart) -> Begins {
    Begins::new(move |line| start.begins(line, &mut Vec::new()))
}

/// A number that this process holds among those that share its state folder, so that a restarted process takes up the
/// transactional id of the killed one and thereby ends its open transaction at once.
struct Seat {
    name: String,
    /// Locked as long as the process lives.
    _lock: std::fs::File,
}

impl Seat {
    fn take(folder: &Path) -> Result<Self, Failure> {
        let fault = |error: std::io::Error| Failure::new(crate::failure::IO, format!("{}: {error}", folder.display()));
        let seats = folder.join("seats");
        std::fs::create_dir_all(&seats).map_err(fault)?;
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        for number in 0..1_000 {
            let file =
                std::fs::File::options().create(true).truncate(false).write(true).open(seats.join(number.to_string()));
            let file = file.map_err(fault)?;
            if file.try_lock().is_ok() {
                return Ok(Self { name: format!("{host}-{number}"), _lock: file });
            }
        }
        Err(Failure::new(CONFIGURATION, format!("{}: all thousand seats are taken", seats.display())))
    }
}
