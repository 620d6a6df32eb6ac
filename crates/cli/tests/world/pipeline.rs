use std::fmt::Write;

/// The fields that the tests' pipelines read of a telemetry event.
const FIELDS: [(&str, &str); 12] = [
    ("utc", "time"),
    ("uuid", "text"),
    ("host_id", "text"),
    ("protocol_type", "text"),
    ("src_bytes", "int"),
    ("dst_bytes", "int"),
    ("num_failed_logins", "int"),
    ("count", "float"),
    ("serror_rate", "float"),
    ("rerror_rate", "float"),
    ("diff_srv_rate", "float"),
    ("label", "text"),
];

/// What follows the part that differs: every stage is there, but small.
const STAGES: &str = r#"
[enrich]
tables.hosts = "hosts.csv"
query = """
SELECT e.*, ln(1 + e.src_bytes) AS src_bytes_log, h.role
FROM events e LEFT JOIN hosts h USING (host_id)
"""

[encode]
protocol_type = "one_hot"

[features]
connections_1m = { count = "*", over = "1m" }
errors_1m = { mean = "serror_rate", over = "1m" }
logins_5m = { sum = "num_failed_logins", over = "5m" }
sent_vs_usual = { zscore = "src_bytes_log", baseline = "24h" }

[detect.spike]
method = "robust_zscore"
inputs = ["sent_vs_usual", "errors_1m", "logins_5m", "connections_1m"]
[detect.forest]
method = "isolation_forest"
inputs = "numeric"
trees = 20

[decide]
alert_rate = 0.003
[decide.types.syn_flood]
when = "errors_1m > 0.7 AND count > 50"
severity = "critical"
[decide.types.brute_force]
when = "logins_5m > 2"
severity = "error"

[train]
where = "label = 'normal'"
"#;

/// What differs between the tests' pipelines.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Most events a batch.
    pub(crate) batch: usize,
    /// How often outputs are committed.
    pub(crate) commit: &'static str,
    /// How often snapshots are taken.
    pub(crate) snapshot: &'static str,
    /// Partitions of every topic.
    pub(crate) partitions: usize,
    /// The source topic; `None` for a pipeline on files.
    pub(crate) source: Option<String>,
    /// What group, outputs and state are called: a run of another name starts at the beginning of the same events.
    pub(crate) run: String,
    /// The `[connect]` section.
    pub(crate) connect: String,
}

impl Shape {
    /// On the embedded log, with everything small, so that much can happen in a short run.
    pub(crate) fn embedded() -> Self {
        Self {
            batch: 100,
            commit: "1ms",
            snapshot: "50ms",
            partitions: 4,
            source: Some("sensor_messages".to_owned()),
            run: "first".to_owned(),
            connect: "[connect.embedded]\npath = \"log\"\nsync = false\n".to_owned(),
        }
    }

    /// On files.
    pub(crate) fn files(inputs: &[&str], outputs: &str, follow: bool) -> Self {
        let connect = format!("[connect.files]\ninputs = {inputs:?}\noutputs = {outputs:?}\nfollow = {follow}\n");
        Self { source: None, connect, ..Self::embedded() }
    }

    /// The same pipeline under another group, with outputs and state of its own.
    pub(crate) fn run(&self, name: &str) -> Self {
        Self { run: name.to_owned(), ..self.clone() }
    }

    pub(crate) fn alerts(&self) -> String {
        format!("{}.alerts", self.run)
    }

    pub(crate) fn enriched(&self) -> String {
        format!("{}.enriched", self.run)
    }

    pub(crate) fn dead_letters(&self) -> String {
        format!("{}.dead_letters", self.run)
    }

    pub(crate) fn text(&self) -> String {
        let Self { batch, commit, snapshot, partitions, run, connect, .. } = self;
        let mut text = format!("name = \"telemetry\"\nmax_batch_events = {batch}\ncommit_interval = \"{commit}\"\n");
        let _ = writeln!(text, "\n[source]\nkey = \"host_id\"\ntime = \"utc\"\nid = \"uuid\"\nwatermark = \"90s\"");
        let _ = writeln!(text, "group = \"{run}\"");
        if let Some(source) = &self.source {
            let _ = writeln!(text, "topic = \"{source}\"\n\n[topics]\npartitions = {partitions}");
        }
        let _ = writeln!(text, "\n[schema]");
        FIELDS.iter().for_each(|(name, kind)| {
            let _ = writeln!(text, "{name} = \"{kind}\"");
        });
        text.push_str(STAGES);
        let _ = writeln!(text, "\n[outputs]\nalerts = \"{run}.alerts\"\nenriched = \"{run}.enriched\"");
        let _ = writeln!(text, "dead_letters = \"{run}.dead_letters\"\nlate = \"{run}.late\"");
        let _ = writeln!(text, "\n[state]\npath = \"state-{run}\"\nsnapshot_interval = \"{snapshot}\"");
        let _ = writeln!(text, "\n[models]\npath = \"models\"\n\n{connect}");
        text
    }
}
