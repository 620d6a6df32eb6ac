use super::parse;

const FAULTY: &str = r#"name = "Telemetry"
wokers = 2
commit_interval = "2m"

[source]
topic = "sensor messages"
fromat = "json"
key = "host"
watermark = 90
max_future = "ten minutes"

[schema]
host = "text"
bytes = "integer"

[features]
bytes_5m = { sum = "byts", over = "500ms" }
usual = { zscore = "bytes", over = "5m", baseline = "24h" }

[detect.spike]
method = "robust_zscore"
inputs = ["bytes_5m", "unusual"]
trees = 10

[decide]
alert_rate = 5
[decide.types.big]
when = ""
severity = "urgent"

[connect.kafka]
"bootstrap.servers" = "localhost:9092"
"sasl.password" = "${UNSET}"
[connect.files]
inputs = []
"#;

#[test]
fn a_file_with_many_faults_is_told_all_of_them_at_once() {
    let report = parse(FAULTY).unwrap_err().to_string();
    assert_eq!(report, REPORT, "\n{report}");
}

const REPORT: &str = r#"pipelines/p.toml:1:8: `name` cannot be `Telemetry`
  1 | name = "Telemetry"
    |        ^^^^^^^^^^^
  hint: 1 to 64 small letters, digits, underscores and hyphens

pipelines/p.toml:2:1: unknown key `wokers` in a pipeline file
  2 | wokers = 2
    | ^^^^^^
  hint: did you mean `workers`? allowed: name, workers, processing, commit_interval, max_batch_events, min_batch_events, max_batch_delay, max_record_bytes, source, schema, templates, join, …

pipelines/p.toml:3:19: `commit_interval` is 2m
  3 | commit_interval = "2m"
    |                   ^^^^
  hint: allowed: 1ms to 1m

pipelines/p.toml:5:2: `source.time` is missing
  5 | [source]
    |  ^^^^^^
  hint: the field that holds event time, such as time = "utc"

pipelines/p.toml:6:9: `source.topic` cannot be `sensor messages`
  6 | topic = "sensor messages"
    |         ^^^^^^^^^^^^^^^^^
  hint: a topic's name has 1 to 249 letters, digits, dots, underscores and hyphens

pipelines/p.toml:7:1: unknown key `fromat` in [source]
  7 | fromat = "json"
    | ^^^^^^
  hint: did you mean `format`? allowed: topic, format, key, time, id, dedup, dedup_ids, watermark, idle_after, max_future, repartition, group, …

pipelines/p.toml:9:13: `source.watermark` must be a length of time such as "90s", not a whole number
  9 | watermark = 90
    |             ^^
  hint: write a whole number and one of us, ms, s, m, h, d

pipelines/p.toml:10:14: `source.max_future` must be a length of time such as "90s"
  10 | max_future = "ten minutes"
     |              ^^^^^^^^^^^^^
  hint: write a whole number and one of us, ms, s, m, h, d

pipelines/p.toml:14:9: `schema.bytes` cannot be `integer`
  14 | bytes = "integer"
     |         ^^^^^^^^^
  hint: did you mean `int`? allowed: int, float, text, bool, time

pipelines/p.toml:17:20: the feature `bytes_5m` uses `byts`, which is not a column
  17 | bytes_5m = { sum = "byts", over = "500ms" }
     |                    ^^^^^^
  hint: did you mean `bytes`?

pipelines/p.toml:17:35: `features.bytes_5m.over` is 500ms
  17 | bytes_5m = { sum = "byts", over = "500ms" }
     |                                   ^^^^^^^
  hint: allowed: 1s to 366d

pipelines/p.toml:18:29: a feature has one span, not both `over` and `baseline`
  18 | usual = { zscore = "bytes", over = "5m", baseline = "24h" }
     |                             ^^^^
  and pipelines/p.toml:18:42
  18 | usual = { zscore = "bytes", over = "5m", baseline = "24h" }
     |                                          ^^^^^^^^
  hint: `over` is a sliding window, `baseline` forgets slowly

pipelines/p.toml:22:23: the detector `spike` uses `unusual`, which is not a column
  22 | inputs = ["bytes_5m", "unusual"]
     |                       ^^^^^^^^^
  hint: did you mean `usual`?

pipelines/p.toml:23:1: `detect.spike.trees` goes with isolation_forest, extended_isolation_forest, unsupervised_forest, random_forest, but the method is robust_zscore
  23 | trees = 10
     | ^^^^^
  and pipelines/p.toml:21:10
  21 | method = "robust_zscore"
     |          ^^^^^^^^^^^^^^^
  hint: remove `trees`, or write method = "isolation_forest"

pipelines/p.toml:26:14: `decide.alert_rate` is 5
  26 | alert_rate = 5
     |              ^
  hint: a share of normal rows: more than 0, at most 0.5; 0.003 is three in a thousand

pipelines/p.toml:28:8: `decide.types.big.when` is empty
  28 | when = ""
     |        ^^

pipelines/p.toml:29:12: `decide.types.big.severity` cannot be `urgent`
  29 | severity = "urgent"
     |            ^^^^^^^^
  hint: allowed: info, warning, error, critical

pipelines/p.toml:33:19: `connect.kafka.sasl.password` needs the environment variable UNSET, which is not set
  33 | "sasl.password" = ***
  hint: export UNSET=… before starting

pipelines/p.toml:34:10: a pipeline has one transport, not both [connect.kafka] and [connect.files]
  34 | [connect.files]
     |          ^^^^^
  and pipelines/p.toml:31:10
  31 | [connect.kafka]
     |          ^^^^^
  hint: keep one of them

pipelines/p.toml:35:10: `connect.files.inputs` is empty
  35 | inputs = []
     |          ^^

pipelines/p.toml: 20 faults"#;
