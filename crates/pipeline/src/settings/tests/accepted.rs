use std::path::{Path, PathBuf};
use std::time::Duration;

use lapwing_detect::IsolationForestOptions;
use lapwing_features::{FeatureSpec, Learn, Measure, Nulls, Over};
use lapwing_vocabulary::Severity;
use lapwing_vocabulary::port::{Processing, TopicLayout};
use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};

use super::super::*;
use super::{FULL, SMALL, accepted, parse, small_with, variables};

#[test]
fn every_key_of_the_full_file_is_read() {
    let pipeline = accepted(FULL);
    assert_eq!((pipeline.name.as_str(), pipeline.workers), ("telemetry", Some(2)));
    assert_eq!((pipeline.commit_interval, pipeline.max_batch_events), (Duration::from_millis(50), 4096));
    assert_eq!(pipeline.max_record_bytes, 1 << 20);
    let expected = Source {
        topic: Some("sensor_messages".into()),
        format: Format::Json,
        key: "host_id".into(),
        time: Some("utc".into()),
        id: Some("uuid".into()),
        dedup_micros: 10 * MINUTE,
        dedup_ids: 1_000_000,
        watermark_micros: 90 * SECOND,
        idle_after_micros: 30 * SECOND,
        max_future_micros: 5 * MINUTE,
        repartition: false,
        group: "watchers".into(),
    };
    assert_eq!(pipeline.source, expected);
    let schema = pipeline.schema.as_ref().unwrap();
    let kinds: Vec<&str> = schema.iter().map(|field| field.kind.name()).collect();
    assert_eq!(kinds, ["text", "time", "text", "int", "float", "bool", "text", "text"]);
    assert_eq!(schema[7].path.as_deref(), Some("user.address.city"));
    assert_eq!(pipeline.encode, [("service".into(), Encoding::Frequency), ("role".into(), Encoding::OneHot)]);
    assert_eq!(
        (pipeline.state.path.as_path(), pipeline.state.snapshot_interval),
        (Path::new("/var/lib/state"), Duration::from_secs(10))
    );
    assert_eq!(pipeline.models.path, Path::new("/var/lib/models"));
    let train = Train { filter: Some("label = 'normal'".into()), label: None, normal: vec![], sample: 1000, seed: 7 };
    assert_eq!(pipeline.train, train);
}

#[test]
fn reference_tables_lie_beside_the_pipeline_file() {
    let pipeline = accepted(FULL);
    let table = &pipeline.enrich.tables[0];
    assert_eq!((table.name.as_str(), table.path.written()), ("hosts", "reference/hosts.csv"));
    assert_eq!(table.path.path(), Path::new("pipelines/reference/hosts.csv"));
    assert!(pipeline.enrich.query.as_deref().unwrap().starts_with("SELECT e.*"));
}

#[test]
fn features_keep_the_order_of_the_file() {
    let pipeline = accepted(FULL);
    let measures: Vec<&str> = pipeline.features.iter().map(|feature| feature.measure.name()).collect();
    assert_eq!(measures, ["count", "sum", "mean", "min", "max", "std", "zscore", "zscore"]);
    let feature = |name: &str, measure, over| FeatureSpec {
        name: name.into(),
        measure,
        over,
        nulls: Nulls::Skip,
        learn: Learn::Robust,
        fill: None,
    };
    let minute = Over::Window { length_micros: MINUTE, panes: 12 };
    let first = feature("connections_1m", Measure::Count { column: None }, minute);
    assert_eq!(pipeline.features[0], first);
    let day = Over::Baseline { length_micros: 24 * HOUR, season: None, peers: None };
    let last = feature("bytes_vs_usual", Measure::Zscore { column: "total_bytes".into() }, day);
    assert_eq!(pipeline.features[7], last);
}

#[test]
fn a_detector_without_a_model_uses_that_of_the_others() {
    let detect = &accepted(FULL).detect;
    assert_eq!((detect.ensemble.as_str(), &detect.version), ("shared", &ModelVersion::Alias("candidate".into())));
    let exclude = vec!["ratio".to_owned(), "min_5m".to_owned()];
    let expected = [
        ("spike", Method::RobustZscore, Inputs::Listed(vec!["bytes_vs_usual".into()])),
        (
            "forest",
            Method::IsolationForest(IsolationForestOptions { trees: 50, samples: 128 }),
            Inputs::Numeric { exclude },
        ),
        ("other", Method::FOREST, Inputs::Features),
    ];
    let expected = expected.map(|(name, method, inputs)| Detector { name: name.into(), method, inputs, rules: vec![] });
    assert_eq!(detect.detectors, expected);
}

#[test]
fn a_model_can_be_held_to_a_version() {
    let more = "[detect.a]\nmethod = \"robust_zscore\"\ninputs = [\"x\"]\nmodel = \"other-one/a@12\"\n";
    let detect = &accepted(&small_with(more)).detect;
    assert_eq!((detect.ensemble.as_str(), &detect.version), ("other-one", &ModelVersion::Number(12)));
}

#[test]
fn anomaly_types_keep_the_order_of_the_file() {
    let decide = &accepted(FULL).decide;
    let types: Vec<_> = decide.types.iter().map(|kind| (kind.name.as_str(), kind.severity)).collect();
    assert_eq!(types, [("exfiltration", Severity::Critical), ("burst", Severity::Warning)]);
    assert_eq!(decide.alert_rate, 0.01);
}

#[test]
fn a_role_takes_from_all_topics_what_it_leaves_out() {
    let pipeline = accepted(FULL);
    let base = TopicLayout {
        partitions: 8,
        replication: Some(3),
        retention_micros: Some(7 * DAY),
        retention_bytes: Some(10 << 30),
        compact: false,
    };
    let alerts = TopicLayout { retention_micros: Some(90 * DAY), compact: true, ..base.clone() };
    let expected = [
        (Role::Source, "sensor_messages".to_owned(), base.clone()),
        (Role::Alerts, "a".to_owned(), alerts),
        (Role::Enriched, "b".to_owned(), base.clone()),
        (Role::DeadLetters, "c".to_owned(), base.clone()),
        (Role::Late, "d".to_owned(), base.clone()),
        (Role::Markers, "watchers.markers".to_owned(), base),
    ];
    assert_eq!(pipeline.topics_used(), expected);
}

#[test]
fn what_is_left_out_has_its_default() {
    let pipeline = accepted(SMALL);
    let expected = Settings {
        name: "small".into(),
        workers: None,
        processing: Processing::ExactlyOnce,
        commit_interval: Duration::from_millis(100),
        max_batch_events: 8192,
        min_batch_events: 1,
        max_batch_delay: Duration::from_millis(5),
        max_record_bytes: 10 << 20,
        source: Source {
            topic: Some("events".into()),
            format: Format::Json,
            key: "host".into(),
            time: Some("utc".into()),
            id: None,
            dedup_micros: 10 * MINUTE,
            dedup_ids: 1_000_000,
            watermark_micros: MINUTE,
            idle_after_micros: 30_000_000,
            max_future_micros: 10 * MINUTE,
            repartition: false,
            group: "small".into(),
        },
        schema: None,
        templates: None,
        joins: vec![],
        enrich: Enrich { tables: vec![], query: None },
        encode: vec![],
        window: None,
        features: vec![],
        detect: Detect { ensemble: "small".into(), version: ModelVersion::Alias("champion".into()), detectors: vec![] },
        decide: Decide { alert_rate: 0.003, segment: None, postprocessing: Postprocessing::default(), types: vec![] },
        train: Train { filter: None, label: None, normal: vec![], sample: 200_000, seed: 1 },
        outputs: Outputs {
            alerts: "small.alerts".into(),
            enriched: Some("small.enriched".into()),
            dead_letters: "small.dead_letters".into(),
            late: Some("small.late".into()),
            features: false,
            scores: true,
        },
        topics: Topics {
            base: TopicLayout {
                partitions: 4,
                replication: None,
                retention_micros: None,
                retention_bytes: None,
                compact: false,
            },
            own: vec![],
        },
        state: State {
            path: "data/state".into(),
            snapshots: None,
            snapshot_interval: Duration::from_secs(30),
            memory_bytes: None,
            ttl_micros: Some(30 * DAY),
            leave_out: Vec::new(),
        },
        models: Models { path: "data/models".into() },
        connect: Connect::Embedded(EmbeddedLog { path: "data/log".into(), sync: true }),
    };
    assert_eq!(*pipeline, expected);
}

#[test]
fn separated_values_have_a_comma_and_a_header_unless_said_otherwise() {
    let csv = |more: &str| {
        let text = SMALL.replace("[source]\n", "[source]\nformat = \"csv\"\n");
        accepted(&format!("{text}{more}")).source.format.clone()
    };
    assert_eq!(csv(""), Format::Csv(Csv { delimiter: b',', columns: None }));
    let more = "[source.csv]\ndelimiter = \"\\t\"\nheader = false\ncolumns = [\"host\", \"utc\"]\n";
    let columns = Some(vec!["host".to_owned(), "utc".to_owned()]);
    assert_eq!(csv(more), Format::Csv(Csv { delimiter: b'\t', columns }));
}

#[test]
fn files_need_no_topic() {
    let text =
        "name = \"f\"\n[source]\nkey = \"k\"\ntime = \"t\"\n[connect.files]\ninputs = [\"in.jsonl.gz\", \"-\"]\n";
    let pipeline = accepted(text);
    let Connect::Files(files) = &pipeline.connect else { panic!("{:?}", pipeline.connect) };
    let FilePlace::Path(first) = &files.inputs[0] else { panic!("{files:?}") };
    assert_eq!(first.path(), Path::new("pipelines/in.jsonl.gz"));
    assert_eq!((&files.inputs[1], &files.outputs, files.follow), (&FilePlace::Standard, &FilePlace::Standard, false));
    assert_eq!(pipeline.topics_used()[0].0, Role::Alerts);
}

#[test]
fn outputs_can_be_switched_off() {
    let pipeline = accepted(&small_with("[outputs]\nenriched = false\nlate = false\n"));
    assert_eq!((&pipeline.outputs.enriched, &pipeline.outputs.late), (&None, &None));
    let roles: Vec<Role> = pipeline.topics_used().into_iter().map(|(role, ..)| role).collect();
    assert_eq!(roles, [Role::Source, Role::Alerts, Role::DeadLetters]);
}

#[test]
fn the_resolved_text_gives_an_equal_pipeline() {
    let csv = "name = \"c\"\n[source]\nformat = \"csv\"\nkey = \"a\"\ntime = \"b\"\nwatermark = \"0s\"\n[source.csv]\n\
               header = false\ncolumns = [\"a\", \"b\"]\ndelimiter = \"\\\\\"\n[connect.files]\ninputs = [\"x \\\"y\\\"\"]\n\
               outputs = \"out\"\nfollow = true\n[outputs]\nenriched = false\nlate = false\n";
    for text in [SMALL, FULL, csv] {
        let pipeline = accepted(text);
        let resolved = pipeline.resolved();
        let again = parse(&resolved).unwrap_or_else(|faults| panic!("{resolved}\n{faults}"));
        assert_eq!(again, pipeline, "{resolved}");
        assert_eq!(again.resolved(), resolved);
    }
}

#[test]
fn the_resolved_text_of_the_smallest_pipeline_shows_every_default() {
    let expected = r#"name = "small"
processing = "exactly_once"
commit_interval = "100ms"
max_batch_events = 8192
min_batch_events = 1
max_batch_delay = "5ms"
max_record_bytes = "10MiB"

[source]
topic = "events"
format = "json"
key = "host"
time = "utc"
watermark = "1m"
idle_after = "30s"
max_future = "10m"
repartition = false
group = "small"

[decide]
alert_rate = 0.003

[train]
sample = 200000
seed = 1

[outputs]
alerts = "small.alerts"
enriched = "small.enriched"
dead_letters = "small.dead_letters"
late = "small.late"
features = false
scores = true

[topics]
partitions = 4
compact = false

[state]
path = "data/state"
snapshot_interval = "30s"
ttl = "30d"

[models]
path = "data/models"

[connect.embedded]
path = "data/log"
sync = true
"#;
    assert_eq!(accepted(SMALL).resolved(), expected);
}

#[test]
fn the_digest_follows_what_an_event_is_and_nothing_else() {
    let base = accepted(FULL).digest();
    assert_eq!(base.len(), 64);
    let changed = |from: &str, to: &str| {
        assert!(FULL.contains(from), "{from}");
        accepted(&FULL.replace(from, to)).digest()
    };
    for (from, to) in [
        ("name = \"telemetry\"", "name = \"other\""),
        ("key = \"host_id\"", "key = \"uuid\""),
        ("src_bytes = \"int\"", "src_bytes = \"float\""),
        ("user.address.city", "user.city"),
        ("src_bytes * 2", "src_bytes * 3"),
    ] {
        assert_ne!(changed(from, to), base, "{from}");
    }
    for (from, to) in [
        ("watermark = \"90s\"", "watermark = \"91s\""),
        ("sum = \"total_bytes\"", "max = \"total_bytes\""),
        ("workers = 2", "workers = 3"),
        ("sensor_messages", "elsewhere"),
        ("group = \"watchers\"", "group = \"others\""),
        ("alert_rate = 0.01", "alert_rate = 0.02"),
        ("trees = 50", "trees = 51"),
        ("localhost:9092", "broker:9092"),
    ] {
        assert_eq!(changed(from, to), base, "{from}");
    }
}

#[test]
fn the_digest_of_version_2_stays_what_it_is() {
    assert_eq!(accepted(SMALL).digest(), "177163785601275298ad5f5c3e4d61b3093d9819e885f5e6853dafde8e0b9c4e");
    assert_eq!(accepted(FULL).digest(), "358ba05ff94e9624c406705083037cd1a90bf47154fe373484872b6b32f6d439");
}

#[test]
fn the_command_line_goes_before_the_file() {
    let overrides = Overrides { connect: None, data_dir: Some("elsewhere".into()), workers: Some(3) };
    let pipeline = Pipeline::parse_with(SMALL, "p.toml", &overrides, &variables).unwrap();
    let log = EmbeddedLog { path: "elsewhere/log".into(), sync: true };
    assert_eq!((&pipeline.connect, pipeline.workers), (&Connect::Embedded(log), Some(3)));
    let folders = [&pipeline.state.path, &pipeline.models.path];
    assert_eq!(folders, [&PathBuf::from("elsewhere/state"), &PathBuf::from("elsewhere/models")]);
}

#[test]
fn another_transport_needs_no_variable_of_the_one_in_the_file() {
    let connect = Connect::Embedded(EmbeddedLog { path: "mine".into(), sync: false });
    let overrides = Overrides { connect: Some(connect.clone()), ..Overrides::default() };
    let pipeline = Pipeline::parse_with(FULL, "p.toml", &overrides, &|_| None).unwrap();
    assert_eq!(pipeline.connect, connect);
}

#[test]
fn a_topic_is_needed_again_if_the_command_line_replaces_files() {
    let text = "name = \"f\"\n[source]\nkey = \"k\"\ntime = \"t\"\n[connect.files]\ninputs = [\"-\"]\n";
    let connect = Some(Connect::Embedded(EmbeddedLog::default()));
    let overrides = Overrides { connect, ..Overrides::default() };
    let faults = Pipeline::parse_with(text, "p.toml", &overrides, &variables).unwrap_err();
    assert_eq!(faults.list()[0].message, "`source.topic` is missing");
}
