use std::path::Path;
use std::sync::{Arc, OnceLock};

use lapwing_detect::{Ensemble, ModelColumns, TrainingSet};
use lapwing_pipeline::by_hand::{ByHand, HandClock};
use lapwing_pipeline::decode::lines;
use lapwing_pipeline::decode::schema::{Field, Kind, Schema};
use lapwing_pipeline::error::RunError;
use lapwing_pipeline::plan::{Plan, Purpose};
use lapwing_pipeline::score::Model;
use lapwing_pipeline::settings::{FieldType, Format, Pipeline, SchemaField};
use lapwing_pipeline::status::Status;
use lapwing_pipeline::task::{Product, Task};
use lapwing_sql::ReferenceTable;
use lapwing_vocabulary::Records;

use crate::stream::{NOW, ordinary};

/// What every pipeline of these scenarios begins with.
pub(crate) const HEAD: &str = r#"
name = "small"
max_record_bytes = "500B"
[source]
topic = "events"
key = "host"
time = "at"
id = "id"
watermark = "30s"
[schema]
id = "text"
host = "text"
at = "time"
bytes = "int"
errors = "float"
service = "text"
"#;

/// Features and detectors that need no query.
pub(crate) const DETECT: &str = r#"
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
trees = 10
samples = 64
[decide]
alert_rate = 0.01
"#;

/// Everything at once: a reference table, a query that filters, joins and computes, windows, a baseline, types.
pub(crate) const FULL: &str = r#"
[enrich]
tables.hosts = "hosts.csv"
query = """
SELECT e.*, e.bytes * 2 AS doubled, h.role, h.weight * e.bytes AS weighted
FROM events e LEFT JOIN hosts h USING (host) WHERE e.service <> 'noise'
"""
[encode]
service = "frequency"
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
trees = 10
samples = 64
[decide]
alert_rate = 0.01
[decide.types.burst]
when = "weighted_vs_usual > 8"
severity = "critical"
[outputs]
features = true
"#;

/// As [`HEAD`], for workers: a commit every second poll of the fake log, a snapshot every tenth.
pub(crate) fn worker_head() -> String {
    let (commits, snapshots) = ("commit_interval = \"20ms\"", "[state]\nsnapshot_interval = \"100ms\"");
    HEAD.replace("[source]", &format!("{commits}\n{snapshots}\n[source]"))
}

/// The table of [`FULL`]; `h0` is there twice, `h5` not at all.
pub(crate) const HOSTS: &str =
    "host,role,weight\nh0,web,1.5\nh1,web,2.0\nh2,db,1.0\nh3,db,0.5\nh4,mail,3.0\nh0,old,9.0\n";

pub(crate) fn hosts(csv: &str) -> Vec<ReferenceTable> {
    vec![ReferenceTable::from_bytes("hosts", "csv", csv.as_bytes()).expect("the table is well formed")]
}

/// Reads a pipeline file that would lie in `folder`.
pub(crate) fn settings(text: &str, folder: &Path) -> Pipeline {
    Pipeline::parse(text, folder.join("small.toml")).unwrap_or_else(|faults| panic!("{faults}"))
}

pub(crate) fn try_plan(text: &str, tables: &[ReferenceTable]) -> Result<Arc<Plan>, RunError> {
    compile(settings(text, Path::new("")), tables)
}

pub(crate) fn plan(text: &str, tables: &[ReferenceTable]) -> Arc<Plan> {
    try_plan(text, tables).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn compile(settings: Pipeline, tables: &[ReferenceTable]) -> Result<Arc<Plan>, RunError> {
    let header = match &settings.source.format {
        Format::Json | Format::Lines(_) => None,
        Format::Csv(csv) => csv.columns.clone(),
    };
    let declared = || settings.schema.as_ref().expect("every scenario declares its schema").iter().map(field).collect();
    let schema = match &settings.source.format {
        Format::Lines(lines) => lines::schema(lines, &settings.source.key).expect("the layout was checked"),
        Format::Json | Format::Csv(_) => Schema { fields: declared() },
    };
    Plan::compile(settings.clone(), &schema, header, tables, Purpose::Run, &[]).map(Arc::new)
}

fn field(declared: &SchemaField) -> Field {
    let kind = match declared.kind {
        FieldType::Int => Kind::Int,
        FieldType::Float => Kind::Float,
        FieldType::Text => Kind::Text,
        FieldType::Bool => Kind::Bool,
        FieldType::Time => Kind::Time,
    };
    match &declared.path {
        None => Field::top(&declared.name, kind),
        Some(path) => Field { name: declared.name.clone(), path: path.split('.').map(str::to_owned).collect(), kind },
    }
}

/// The model of `plan` fitted to what its own stages make of ordinary events.
pub(crate) fn fitted(plan: &Arc<Plan>, tables: &[ReferenceTable], version: u64) -> Arc<Model> {
    let records = records_of(&ordinary(1200, 42 + version).iter().map(|event| event.json()).collect::<Vec<_>>());
    let mut task = Task::new(plan, 0, tables).expect("the plan was compiled with these tables");
    let batch = task
        .score_batch(&records, 0..records.len(), &Status::default(), &HandClock::at(NOW), &mut Product::default())
        .expect("ordinary events pass all stages");
    let rows = [batch.events.rows];
    let columns = ModelColumns::fit(&plan.inputs, &rows).expect("the plan's inputs are columns of its rows");
    let matrix = columns.encode(&rows[0]).expect("the model reads the rows it was fitted to");
    let settings = &plan.settings;
    let ensemble = Ensemble::fit(
        columns,
        &TrainingSet::unlabelled(&matrix),
        &plan.members,
        settings.decide.alert_rate,
        settings.train.seed,
    );
    Arc::new(Model { name: "small".to_owned(), version, ensemble: ensemble.expect("there are rows enough") })
}

/// The pipeline of workers that needs no query, with its model: made once, because most scenarios run it.
pub(crate) fn worker_pipeline() -> (Arc<Plan>, Arc<Model>) {
    static MADE: OnceLock<(Arc<Plan>, Arc<Model>)> = OnceLock::new();
    let make = || {
        let plan = plan(&format!("{}{DETECT}", worker_head()), &[]);
        let model = fitted(&plan, &[], 1);
        (plan, model)
    };
    MADE.get_or_init(make).clone()
}

/// Values as records of partition 0, from offset 0 on.
pub(crate) fn records_of<V: AsRef<[u8]>>(values: &[V]) -> Records {
    let mut records = Records::new("events".into(), 0);
    for (offset, value) in values.iter().enumerate() {
        records.push(offset as i64, NOW, None, value.as_ref(), Vec::new());
    }
    records
}

/// A pipeline in the test's hands, its clock at [`NOW`].
pub(crate) fn by_hand(plan: &Arc<Plan>, tables: &[ReferenceTable], model: Option<Arc<Model>>) -> ByHand {
    ByHand::new(plan, tables, model, NOW).expect("the plan was compiled with these tables")
}
