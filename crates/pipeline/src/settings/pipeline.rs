use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lapwing_features::FeatureSpec;
use lapwing_vocabulary::port::{Processing, TopicLayout};
use lapwing_vocabulary::time::SECOND;
use toml_edit::Document;

use super::connect::{self, Connect, EmbeddedLog};
use super::decide::{self, Decide, Train};
use super::detect::{self, Detect, Inputs};
use super::enrich::{self, Encoding, Enrich};
use super::fault::{Fault, Faults};
use super::features;
use super::join::{self, Join, Joined};
use super::outputs::{self, Outputs, Role, Topics};
use super::report::Report;
use super::schema::{self, SchemaField};
use super::section::Section;
use super::source::{self, Source};
use super::storage::{self, Models, State};
use super::templates::{self, Templates};
use super::units::is_plain_name;
use super::window::{self, Window};
use super::{consistency, digest, resolved};

/// Largest pipeline file. Units: bytes. Files written by people have a few thousand.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Largest record that may be allowed. Units: bytes.
const RECORD_BYTES_MAX: u64 = 1 << 30;

/// Looks up a variable of the environment.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A checked pipeline. There is no other way to one than [`Pipeline::parse`] and [`Pipeline::read`], and it cannot be
/// changed, so whoever holds one need not check again.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    file: PathBuf,
    settings: Settings,
}

/// The parts of a [`Pipeline`].
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Name of the pipeline.
    pub name: String,
    /// Threads; `None` is one for each core.
    pub workers: Option<usize>,
    /// What a crash may do to outputs.
    pub processing: Processing,
    /// How often results are committed.
    pub commit_interval: Duration,
    /// Most events of one batch.
    pub max_batch_events: usize,
    /// A batch of fewer events waits for more, up to `max_batch_delay`.
    pub min_batch_events: usize,
    /// Longest wait for `min_batch_events`.
    pub max_batch_delay: Duration,
    /// Largest record that is read; larger ones become dead letters. Units: bytes.
    pub max_record_bytes: usize,
    /// Where events come from.
    pub source: Source,
    /// The fields; `None` if they are inferred from a sample.
    pub schema: Option<Vec<SchemaField>>,
    /// Templates of log messages; `None` looks for none.
    pub templates: Option<Templates>,
    /// Other topics joined to the events, in the order of the file.
    pub joins: Vec<Join>,
    /// Reference tables and the query.
    pub enrich: Enrich,
    /// Categorical columns and how models see them.
    pub encode: Vec<(String, Encoding)>,
    /// Windows as the scored unit; `None` scores each event.
    pub window: Option<Window>,
    /// Features in the order of the file.
    pub features: Vec<FeatureSpec>,
    /// Detectors and their model.
    pub detect: Detect,
    /// Alert rate and anomaly types.
    pub decide: Decide,
    /// What models are fitted to.
    pub train: Train,
    /// Where results go.
    pub outputs: Outputs,
    /// How topics are laid out.
    pub topics: Topics,
    /// Snapshots.
    pub state: State,
    /// Model registry.
    pub models: Models,
    /// The transport.
    pub connect: Connect,
}

/// What the command line sets in place of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Another transport.
    pub connect: Option<Connect>,
    /// Folder under which state, models and the embedded log are kept: `state`, `models`, `log`.
    pub data_dir: Option<PathBuf>,
    /// Threads.
    pub workers: Option<usize>,
}

impl Deref for Pipeline {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Pipeline {
    /// Checks the text of a pipeline file. `file` names it in faults, and its folder is where reference tables lie.
    /// Errors: every fault at once.
    pub fn parse(text: &str, file: impl AsRef<Path>) -> Result<Self, Faults> {
        Self::parse_with(text, file, &Overrides::default(), &environment)
    }

    /// [`Pipeline::parse`] with overrides and the environment handed in.
    pub fn parse_with(
        text: &str,
        file: impl AsRef<Path>,
        overrides: &Overrides,
        variables: Variables<'_>,
    ) -> Result<Self, Faults> {
        let file = file.as_ref();
        if text.len() > FILE_BYTES_MAX {
            return Err(too_large(file));
        }
        let document = Document::parse(text).map_err(|error| syntax_fault(file, text, &error))?;
        let report = Report::new(file, text, Some(document.as_table()));
        let root = Section::root(&report, document.as_table());
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut settings = read_settings(&root, folder, overrides.connect.is_none().then_some(variables));
        overrides.apply(&mut settings);
        settings.name_each_input();
        consistency::check(&settings, &report);
        report.finish()?;
        Ok(Self { file: file.to_owned(), settings })
    }

    /// Reads and checks a pipeline file.
    /// Errors: every fault at once, or that the file cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Faults> {
        Self::read_with(path, &Overrides::default())
    }

    /// [`Pipeline::read`] with overrides.
    pub fn read_with(path: impl AsRef<Path>, overrides: &Overrides) -> Result<Self, Faults> {
        let path = path.as_ref();
        let text = read_text(path)?;
        Self::parse_with(&text, path, overrides, &environment)
    }

    /// The file it was read from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The topics it uses, with their roles and layouts, the source first.
    pub fn topics_used(&self) -> Vec<(Role, String, TopicLayout)> {
        let mut topics: Vec<(Role, String)> =
            self.settings.topics_named().into_iter().map(|(role, topic)| (role, topic.to_owned())).collect();
        topics.extend(self.repartitioned_topic().map(|topic| (Role::Repartitioned, topic)));
        topics.extend(self.marker_topic().map(|topic| (Role::Markers, topic)));
        let mut topics: Vec<_> =
            topics.into_iter().map(|(role, topic)| (role, topic, self.topics.layout(role))).collect();
        let tables = self.joins.iter().filter(|join| matches!(join.what, Joined::Table { .. }));
        for table in tables {
            let own = topics.iter_mut().filter(|(role, topic, _)| *role == Role::Joined && *topic == table.topic);
            own.for_each(|(_, _, layout)| layout.compact = true);
        }
        topics
    }

    /// Whether the source ends for good: files that are not followed.
    pub fn is_finite(&self) -> bool {
        matches!(&self.connect, Connect::Files(files) if !files.follow)
    }

    /// The internal topic of markers, named by the consumer group, because they are about its positions.
    pub fn marker_topic(&self) -> Option<String> {
        let has_topics = !matches!(self.connect, Connect::Files(_));
        let is_needed = self.settings.needs_markers();
        (is_needed && has_topics).then(|| format!("{}.{}", self.source.group, Role::Markers.name()))
    }

    /// The internal topic in which each event lies in the partition of its entity, and with it what is joined; named by the
    /// consumer group.
    pub fn repartitioned_topic(&self) -> Option<String> {
        let is_needed = self.source.repartition || !self.joins.is_empty();
        is_needed.then(|| format!("{}.{}", self.source.group, Role::Repartitioned.name()))
    }

    /// Fingerprint, as 64 hexadecimal digits, of everything that decides state: name, how records become events, schema,
    /// and enrichment. State of another digest is of no use; features may change, see [`lapwing_features::Layout`].
    pub fn digest(&self) -> String {
        digest::digest(&self.settings)
    }

    /// The pipeline with every default filled in, as the text of a pipeline file; secrets are masked. Read under the
    /// same file name it gives an equal pipeline, unless a secret stood in the file itself.
    pub fn resolved(&self) -> String {
        resolved::resolved(&self.settings)
    }
}

impl Settings {
    /// A feature or a column of windows that has several values may be listed by its own name: that means all of them.
    fn name_each_input(&mut self) {
        let windows = self.window.iter().flat_map(|window| &window.spec.columns);
        let windows = windows.map(|column| (column.name.clone(), column.outputs()));
        let features = self.features.iter().map(|feature| (feature.name.clone(), feature.outputs()));
        let vectors: BTreeMap<String, Vec<String>> =
            windows.chain(features).filter(|(name, outputs)| *outputs != [name.as_str()]).collect();
        let each = |name: &String| vectors.get(name).cloned().unwrap_or_else(|| vec![name.clone()]);
        for detector in &mut self.detect.detectors {
            if let Inputs::Listed(names) | Inputs::Numeric { exclude: names } = &mut detector.inputs {
                *names = names.iter().flat_map(each).collect();
            }
        }
    }

    /// The topics that are used, by role.
    pub(super) fn topics_named(&self) -> Vec<(Role, &str)> {
        let outputs = &self.outputs;
        let source = [(Role::Source, self.source.topic.as_deref())];
        let joined = self.joins.iter().map(|join| (Role::Joined, Some(join.topic.as_str())));
        let outputs = [
            (Role::Alerts, Some(outputs.alerts.as_str())),
            (Role::Enriched, outputs.enriched.as_deref()),
            (Role::DeadLetters, Some(outputs.dead_letters.as_str())),
            (Role::Late, outputs.late.as_deref()),
        ];
        source.into_iter().chain(joined).chain(outputs).filter_map(|(role, topic)| Some((role, topic?))).collect()
    }
}

impl Overrides {
    fn apply(&self, settings: &mut Settings) {
        if let Some(connect) = &self.connect {
            settings.connect = connect.clone();
        }
        if let Some(folder) = &self.data_dir {
            settings.state.path = folder.join("state");
            settings.models.path = folder.join("models");
            if let Connect::Embedded(EmbeddedLog { path, .. }) = &mut settings.connect {
                *path = folder.join("log");
            }
        }
        settings.workers = self.workers.or(settings.workers);
    }
}

fn read_settings(root: &Section<'_>, folder: &Path, variables: Option<Variables<'_>>) -> Settings {
    let name = read_name(root);
    let max_batch_events = root.integer_or("max_batch_events", 1..=1_000_000, 8192) as usize;
    let features = features::read(root);
    let source = source::read(root, &name);
    let templates = templates::read(root, folder);
    let record_bytes = root.field("max_record_bytes").and_then(|field| field.size(1..=RECORD_BYTES_MAX));
    Settings {
        workers: root.field("workers").and_then(|field| field.integer(1..=1024)).map(|count| count as usize),
        commit_interval: Duration::from_micros(root.duration_or("commit_interval", 1_000..=60 * SECOND, 100_000) as u64),
        processing: read_processing(root),
        max_batch_events,
        min_batch_events: root.integer_or("min_batch_events", 1..=max_batch_events as i64, 1) as usize,
        max_batch_delay: Duration::from_micros(root.duration_or("max_batch_delay", 0..=60 * SECOND, 5_000) as u64),
        max_record_bytes: record_bytes.unwrap_or(10 << 20) as usize,
        joins: join::read(root, &source.key, source.watermark_micros),
        source,
        schema: schema::read(root),
        enrich: enrich::read(root, folder),
        encode: enrich::read_encodings(root),
        window: window::read(root, templates.as_ref()),
        templates,
        detect: detect::read(root, &name),
        decide: decide::read(root),
        train: decide::read_train(root),
        outputs: outputs::read(root, &name),
        topics: outputs::read_topics(root),
        state: storage::read_state(root, &features),
        features,
        models: storage::read_models(root),
        connect: connect::read(root, folder, variables),
        name,
    }
}

fn read_processing(root: &Section<'_>) -> Processing {
    let words = [("exactly_once", Processing::ExactlyOnce), ("at_least_once", Processing::AtLeastOnce)];
    root.field("processing").and_then(|field| field.choice(&words)).unwrap_or(Processing::ExactlyOnce)
}

fn read_name(root: &Section<'_>) -> String {
    let field = root.required("name", "add name = \"…\" at the top of the file");
    let rule = "1 to 64 small letters, digits, underscores and hyphens";
    field.and_then(|field| field.text_of(|name| is_plain_name(name, "_-"), rule)).unwrap_or_default()
}

fn read_text(path: &Path) -> Result<String, Faults> {
    let unreadable = |error: std::io::Error| {
        let hint = "is the path right, and may it be read?".to_owned();
        Faults::new(path, vec![Fault::of_file(format!("cannot be read: {error}"), Some(hint))], 0)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    // A byte more than allowed tells a file that is too large from one that just fits.
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(too_large(path));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        let report = Report::new(path, &text, None);
        // Up to the first wrong byte both texts are the same.
        report.add(&(at..at + 1), "this is not UTF-8".to_owned(), "save the file as UTF-8".to_owned());
        report.into_faults()
    })
}

fn too_large(file: &Path) -> Faults {
    let message = format!("larger than {FILE_BYTES_MAX} bytes");
    let hint = "a pipeline file has a few thousand; is this the right file?".to_owned();
    Faults::new(file, vec![Fault::of_file(message, Some(hint))], 0)
}

/// What is not TOML cannot be read further, so this fault stands alone.
fn syntax_fault(file: &Path, text: &str, error: &toml_edit::TomlError) -> Faults {
    let report = Report::new(file, text, None);
    report.add(&error.span().unwrap_or(0..0), format!("not TOML: {}", error.message()), None);
    report.into_faults()
}

#[expect(clippy::disallowed_methods, reason = "`${NAME}` in a pipeline file is defined to mean the environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Settings {
    /// Whether something besides records decides what is remembered: windows close when event time passes, reference
    /// tables change while the pipeline runs, events wait for a join, and scores that are remembered follow from the model.
    pub fn needs_markers(&self) -> bool {
        self.window.is_some()
            || !self.enrich.tables.is_empty()
            || !self.joins.is_empty()
            || self.decide.postprocessing.is_on()
    }
}
