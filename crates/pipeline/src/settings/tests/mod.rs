mod accepted;
mod bounds;
mod contradictions;
mod joins;
mod leave_out;
mod reference;
mod report;
mod secrets;
mod surprises;

use super::{Faults, Overrides, Pipeline};

/// The smallest pipeline there is.
const SMALL: &str = "name = \"small\"\n[source]\ntopic = \"events\"\nkey = \"host\"\ntime = \"utc\"\n";

/// Every table and every key, with values that are not the defaults.
const FULL: &str = r#"
name = "telemetry"
workers = 2
commit_interval = "50ms"
max_batch_events = 4096
max_record_bytes = "1MiB"

[source]
topic = "sensor_messages"
format = "json"
key = "host_id"
time = "utc"
id = "uuid"
watermark = "90s"
max_future = "5m"
group = "watchers"

[schema]
host_id = "text"
utc = "time"
uuid = "text"
src_bytes = "int"
ratio = "float"
internal = "bool"
service = "text"
city = { type = "text", path = "user.address.city" }

[enrich]
tables.hosts = "reference/hosts.csv"
query = """
SELECT e.*, e.src_bytes * 2 AS total_bytes, h.role
FROM events e LEFT JOIN hosts h USING (host_id)
"""

[encode]
service = "frequency"
role = "one_hot"

[features]
connections_1m = { count = "*", over = "1m" }
bytes_5m = { sum = "total_bytes", over = "5m" }
mean_5m = { mean = "total_bytes", over = "5m" }
min_5m = { min = "total_bytes", over = "5m" }
max_5m = { max = "total_bytes", over = "5m" }
std_5m = { std = "total_bytes", over = "5m" }
near = { zscore = "total_bytes", over = "1h" }
bytes_vs_usual = { zscore = "total_bytes", baseline = "24h" }

[detect.spike]
method = "robust_zscore"
inputs = ["bytes_vs_usual"]
model = "shared/spike@candidate"
[detect.forest]
method = "isolation_forest"
inputs = "numeric"
exclude = ["ratio", "min_5m"]
trees = 50
samples = 128
[detect.other]
method = "isolation_forest"
inputs = "features"
model = "shared/other@candidate"

[decide]
alert_rate = 0.01
[decide.types.exfiltration]
when = "bytes_vs_usual > 4"
severity = "critical"
[decide.types.burst]
when = "connections_1m > 100"

[train]
where = "label = 'normal'"
sample = 1000
seed = 7

[outputs]
alerts = "a"
enriched = "b"
dead_letters = "c"
late = "d"
features = true
scores = false

[topics]
partitions = 8
replication = 3
retention = "7d"
retention_bytes = "10GiB"
compact = false
[topics.alerts]
retention = "90d"
compact = true

[state]
path = "/var/lib/state"
snapshot_interval = "10s"
[models]
path = "/var/lib/models"

[connect.kafka]
"bootstrap.servers" = "localhost:9092"
socket.timeout.ms = 3000
"enable.idempotence" = true
"queue.ratio" = 0.5
"sasl.password" = "${PASSWORD}"
"#;

/// The only variable that is set in tests.
fn variables(name: &str) -> Option<String> {
    (name == "PASSWORD").then(|| "hunter2".to_owned())
}

fn parse(text: &str) -> Result<Pipeline, Faults> {
    Pipeline::parse_with(text, "pipelines/p.toml", &Overrides::default(), &variables)
}

fn accepted(text: &str) -> Pipeline {
    parse(text).unwrap_or_else(|faults| panic!("refused:\n{faults}"))
}

/// The small pipeline with more text after it.
fn small_with(more: &str) -> String {
    format!("{SMALL}{more}")
}

/// The faults as `line:column message | hint`, with `& line:column` for the other place.
fn faults(text: &str) -> Vec<String> {
    let faults = parse(text).expect_err("it must be refused");
    let line = |fault: &super::Fault| {
        let at = fault.at.as_ref().map_or("-".to_owned(), |at| format!("{}:{}", at.line, at.column));
        let also = fault.also.as_ref().map_or(String::new(), |also| format!(" & {}:{}", also.line, also.column));
        let hint = fault.hint.as_ref().map_or(String::new(), |hint| format!(" | {hint}"));
        format!("{at} {}{also}{hint}", fault.message)
    };
    faults.list().iter().map(line).collect()
}

/// Asserts that the small pipeline with `more` after it has exactly this fault. Lines count within `more`, from 1.
fn assert_fault(more: &str, expected: &str) {
    let all = faults(&small_with(more));
    let lines = SMALL.lines().count();
    let shift = |place: &str| {
        let (line, column) = place.split_once(':').expect("a place is line:column");
        format!("{}:{column}", line.parse::<usize>().expect("a line is a number") + lines)
    };
    let (place, rest) = expected.split_once(' ').expect("a fault has a place and a message");
    let expected = match rest.split_once(" & ") {
        Some((message, rest)) => {
            let (other, hint) = rest.split_once(' ').unwrap_or((rest, ""));
            let hint = if hint.is_empty() { String::new() } else { format!(" {hint}") };
            format!("{} {message} & {}{hint}", shift(place), shift(other))
        }
        None => format!("{} {rest}", shift(place)),
    };
    assert_eq!(all, [expected], "{more}");
}
