//! The pipelines that stories run, compiled once per thread, because planning a query costs more than a story.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use lapwing_detect::{Ensemble, ModelColumns, TrainingSet};
use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::decode::schema::{Field, Kind, Schema};
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::score::Model;
use lapwing_pipeline::settings::{FieldType, Pipeline, SchemaField};
use lapwing_pipeline::status::Status;
use lapwing_pipeline::task::{Product, Task};
use lapwing_sql::ReferenceTable;
use lapwing_vocabulary::Records;
use tempfile::TempDir;

use crate::chance::{Chance, Stream};
use crate::disk;
use crate::source::{NOW, TOPIC, ordinary_values};

/// What both pipelines begin with. A commit every few polls, a snapshot every few commits.
const HEAD: &str = r#"
name = "sim"
max_record_bytes = "500B"
commit_interval = "20ms"
[state]
snapshot_interval = "60ms"
[source]
topic = "events"
key = "host"
time = "at"
id = "id"
watermark = "30s"
idle_after = "1s"
[schema]
id = "text"
host = "text"
at = "time"
bytes = "int"
errors = "float"
service = "text"
[decide]
alert_rate = 0.01
"#;

/// Windows and a baseline.
const PLAIN: &str = r#"
[features]
events_1m = { count = "*", over = "1m" }
bytes_5m = { mean = "bytes", over = "5m" }
errors_1h = { max = "errors", over = "1h" }
bytes_vs_usual = { zscore = "bytes", baseline = "1h" }
[detect.spike]
method = "robust_zscore"
inputs = ["bytes_vs_usual", "errors", "bytes_5m"]
[detect.forest]
method = "isolation_forest"
inputs = "numeric"
trees = 5
samples = 64
[outputs]
features = true
"#;

/// The same behind a query that filters, joins and computes; features depend on the edition of the table.
const TABLED: &str = r#"
[enrich]
tables.hosts = "hosts.csv"
query = """
SELECT e.*, h.edition, h.weight * e.bytes AS weighted
FROM events e LEFT JOIN hosts h USING (host) WHERE e.service <> 'noise'
"""
[features]
events_1m = { count = "*", over = "1m" }
weighted_5m = { mean = "weighted", over = "5m" }
errors_1h = { max = "errors", over = "1h" }
weighted_vs_usual = { zscore = "weighted", baseline = "1h" }
[detect.spike]
method = "robust_zscore"
inputs = ["weighted_vs_usual", "errors", "events_1m"]
[detect.forest]
method = "isolation_forest"
inputs = "numeric"
trees = 5
samples = 64
[outputs]
features = true
"#;

/// Windows as the scored unit: they close by event time, and by the wall clock where nothing comes; late events amend
/// them.
const WINDOWED: &str = r#"
[window]
kind = "session"
gap = "4s"
max_age = "20s"
allowed_lateness = "10s"
early = "6s"
[window.columns]
bytes = { sum = "bytes" }
worst = { max = "errors" }
services = { distinct = "service" }
[features]
bytes_vs_usual = { zscore = "bytes", baseline = "1h" }
windows_5m = { count = "*", over = "5m" }
[detect.spike]
method = "robust_zscore"
inputs = ["bytes_vs_usual", "worst", "window_events"]
[outputs]
features = true
"#;

/// A stream and a table joined; events wait for what may come after them.
const JOINED: &str = r#"
[join.logins]
topic = "logins"
key = "host"
time = "at"
before = "20s"
after = "3s"
wait = "8s"
match = "all"
max_rows = 40
[join.logins.schema]
host = "text"
at = "time"
n = "int"
[join.roles]
topic = "roles"
key = "host"
table = true
[join.roles.schema]
host = "text"
role = "text"
[features]
logins_5m = { count = "logins_n", over = "5m" }
bytes_vs_usual = { zscore = "bytes", baseline = "1h" }
roles_1h = { distinct = "roles_role", over = "1h" }
[detect.spike]
method = "robust_zscore"
inputs = ["bytes_vs_usual", "errors", "logins_5m"]
[outputs]
features = true
"#;

/// What a score means depends on those before, and so on the models that gave them.
const REMEMBERED: &str = r#"
rest = "20s"
release = 0.5
likelihood = { recent = "5s", over = "2m" }
"#;

/// Events a model is fitted to.
const FITTED_TO: u64 = 600;
/// Names of the editions of the table, each of another length: files that are written within one tick of the clock of
/// the file system are told apart by their size.
pub const EDITIONS: [&str; 3] = ["one", "second", "the third"];

/// One compiled pipeline, with all that can be put in force in it.
pub struct Flavour {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Its models, version 1 first.
    pub models: Vec<Arc<Model>>,
    /// Its reference table in every edition; empty without a query.
    pub editions: Vec<ReferenceTable>,
}

/// The pipelines of one thread.
pub struct Pipelines {
    /// No query, no table.
    pub plain: Flavour,
    /// With query and table.
    pub tabled: Flavour,
    /// Of windows.
    pub windowed: Flavour,
    /// With joins.
    pub joined: Flavour,
    /// With memory of scores.
    pub remembered: Flavour,
    table: PathBuf,
    _folder: TempDir,
}

/// Which pipeline a story runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Plot {
    /// Features and detectors alone.
    Plain,
    /// A query and a reference table.
    Tabled,
    /// Windows as the scored unit, with idle ticks.
    Windowed,
    /// Joined topics, with idle ticks.
    Joined,
    /// Scores in the light of earlier ones.
    Remembered,
}

impl Plot {
    /// Every kind, with its share of the stories. Units: in a thousand. Tabled and joined ones cost more than others.
    pub const ALL: [(Self, u64); 5] =
        [(Self::Plain, 540), (Self::Tabled, 60), (Self::Windowed, 180), (Self::Joined, 50), (Self::Remembered, 170)];

    /// That of a seed.
    pub fn of(seed: u64) -> Self {
        let mut at = Chance::new(seed, Stream::Flavour).below(Self::ALL.iter().map(|(_, share)| share).sum());
        for (kind, share) in Self::ALL {
            if at < share {
                return kind;
            }
            at -= share;
        }
        unreachable!("the draw is below the sum of the shares")
    }

    /// Whether what is put out follows from the records and the markers alone, so that a run that repeats the markers
    /// gives it byte by byte.
    pub fn is_retold(self) -> bool {
        matches!(self, Self::Windowed | Self::Joined | Self::Remembered)
    }

    /// Whether a new model leaves a marker, or else nothing tells from which record on it scored.
    pub fn tells_models(self) -> bool {
        self == Self::Remembered
    }
}

type Made<T> = Result<T, Box<dyn Error>>;

impl Pipelines {
    /// Compiles the pipelines and fits their models.
    pub fn compile() -> Made<Self> {
        let folder = disk::folder()?;
        let table = folder.path().join("hosts.csv");
        fs::write(&table, edition_csv(0))?;
        let editions = (0..EDITIONS.len())
            .map(|edition| ReferenceTable::from_bytes("hosts", "csv", edition_csv(edition).as_bytes()));
        let editions: Vec<ReferenceTable> = editions.collect::<Result<_, _>>()?;
        let plain = Flavour::compile(PLAIN, folder.path(), Vec::new())?;
        let tabled = Flavour::compile(TABLED, folder.path(), editions)?;
        let other = |rest: &str| Flavour::compile(rest, folder.path(), Vec::new());
        let (windowed, joined) = (other(WINDOWED)?, other(JOINED)?);
        let remembered = other(&format!("{REMEMBERED}{PLAIN}"))?;
        Ok(Self { plain, tabled, windowed, joined, remembered, table, _folder: folder })
    }

    /// The pipeline of a plot.
    pub fn of(&self, plot: Plot) -> &Flavour {
        match plot {
            Plot::Plain => &self.plain,
            Plot::Tabled => &self.tabled,
            Plot::Windowed => &self.windowed,
            Plot::Joined => &self.joined,
            Plot::Remembered => &self.remembered,
        }
    }

    /// Puts an edition of the reference table where the workers look for it.
    pub fn write_table(&self, edition: usize) -> std::io::Result<()> {
        let beside = self.table.with_extension("new");
        fs::write(&beside, edition_csv(edition))?;
        fs::rename(&beside, &self.table)
    }
}

impl Flavour {
    fn compile(rest: &str, folder: &Path, editions: Vec<ReferenceTable>) -> Made<Self> {
        let settings = Pipeline::parse(&format!("{HEAD}{rest}"), folder.join("sim.toml")).map_err(|e| e.to_string())?;
        let fields = settings.schema.as_ref().ok_or("the schema is declared")?.iter().map(field).collect();
        let tables = &editions[..editions.len().min(1)];
        let plan = Arc::new(Plan::compile(settings.clone(), &Schema { fields }, None, tables, Purpose::Run, &[])?);
        let models = (1..=2).map(|version| fit(&plan, tables, version)).collect::<Made<_>>()?;
        Ok(Self { plan, models, editions })
    }
}

fn field(declared: &SchemaField) -> Field {
    let kind = match declared.kind {
        FieldType::Int => Kind::Int,
        FieldType::Float => Kind::Float,
        FieldType::Text => Kind::Text,
        FieldType::Bool => Kind::Bool,
        FieldType::Time => Kind::Time,
    };
    Field::top(&declared.name, kind)
}

/// Roles and weights of six hosts; whoever folds with another edition computes other features.
fn edition_csv(edition: usize) -> String {
    let row = |host: usize| format!("h{host},{},{}.5\n", EDITIONS[edition], (host * 7 + edition * 13) % 10);
    format!("host,edition,weight\n{}", (0..6).map(row).collect::<String>())
}

/// The model of a plan, fitted to what its own stages make of ordinary events.
fn fit(plan: &Arc<Plan>, tables: &[ReferenceTable], version: u64) -> Made<Arc<Model>> {
    let mut records = Records::new(TOPIC.into(), 0);
    for (offset, value) in ordinary_values(FITTED_TO, version).iter().enumerate() {
        records.push(offset as i64, NOW, None, value, Vec::new());
    }
    let mut task = Task::new(plan, 0, tables)?;
    let (status, clock) = (Status::default(), HandClock::at(NOW));
    let batch = task.score_batch(&records, 0..records.len(), &status, &clock, &mut Product::default())?;
    let rows = [batch.events.rows];
    let columns = ModelColumns::fit(&plan.inputs, &rows)?;
    let matrix = columns.encode(&rows[0])?;
    let settings = &plan.settings;
    let ensemble = Ensemble::fit(
        columns,
        &TrainingSet::unlabelled(&matrix),
        &plan.members,
        settings.decide.alert_rate,
        settings.train.seed,
    )?;
    Ok(Arc::new(Model { name: "sim".to_owned(), version, ensemble }))
}
