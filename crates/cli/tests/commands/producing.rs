use std::collections::BTreeSet;

use crate::world::{Shape, World, field_values, lines, shipped};

/// Records in the format of the KDD Cup 1999: 41 features and a label.
const KDD: &str = "\
0,tcp,http,SF,200,4000,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,8,8,0.00,0.00,0.00,0.00,1.00,0.00,0.00,9,9,1.00,0.00,0.11,0.00,0.00,0.00,0.00,0.00,normal.
0,icmp,ecr_i,SF,1032,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,511,511,0.00,0.00,0.00,0.00,1.00,0.00,0.00,255,255,1.00,0.00,1.00,0.00,0.00,0.00,0.00,0.00,smurf.
";

#[test]
fn kdd_records_become_events_with_hosts_times_and_ids() {
    let world = World::new();
    let pipeline = world.pipeline("first.toml", &Shape::embedded());
    world.file("kdd.data", KDD);
    let replay = ["produce", &pipeline, "--file", "kdd.data", "--format", "kdd"];
    let to = ["--start", "2026-01-01T00:00:00Z", "--output", "events.jsonl"];
    let said = world.lapwing(&[&replay[..], &to].concat()).succeeded();
    assert!(said.starts_with("2 events (1 anomalous,"), "{said}");
    let events = lines(&world.path("events.jsonl"));
    let of = |name: &str| events.iter().map(|event| event[name].to_string()).collect::<Vec<_>>();
    assert_eq!(of("utc"), ["\"2026-01-01T00:00:00.000000Z\"", "\"2026-01-01T00:00:00.001000Z\""]);
    assert_eq!(of("service"), ["\"http\"", "\"ecr_i\""]);
    assert_eq!(of("src_bytes"), ["200", "1032"]);
    assert_eq!(of("dst_host_same_src_port_rate"), ["0.11", "1.0"]);
    assert_eq!(of("label"), ["\"normal\"", "\"smurf\""]);
    assert_eq!(of("uuid").into_iter().collect::<BTreeSet<_>>().len(), 2);
    assert!(of("host_id").iter().all(|host| host.starts_with("\"host-")), "{events:?}");
}

#[test]
fn a_line_that_is_no_kdd_record_stops_the_replay_or_is_passed_over() {
    let world = World::new();
    let pipeline = world.pipeline("first.toml", &Shape::embedded());
    world.file("kdd.data", format!("{KDD}a,b\n"));
    let replay = ["produce", &pipeline, "--file", "kdd.data", "--format", "kdd", "--output", "events.jsonl"];
    let said = world.lapwing(&replay).failed(65);
    assert!(said.starts_with("error: replay kdd.data:3: "), "{said}");
    let said = world.lapwing(&[&replay[..], &["--skip-malformed"]].concat()).succeeded();
    assert!(said.starts_with("2 events"), "{said}");
}

#[test]
fn events_on_standard_output_are_the_same_for_the_same_seed() {
    let world = World::new();
    let pipeline = world.pipeline("first.toml", &Shape::embedded());
    let produce = |seed: &str| {
        let scenario = ["produce", &pipeline, "--seed", seed, "--start", "2026-01-01T00:00:00Z"];
        world.lapwing(&[&scenario[..], &["--limit", "200", "--output", "-"]].concat()).succeeded()
    };
    let (first, again, other) = (produce("7"), produce("7"), produce("8"));
    assert_eq!(first.lines().count(), 200);
    let ids: BTreeSet<String> = field_values(&first.lines().collect::<Vec<_>>(), "uuid").into_iter().collect();
    assert_eq!(ids.len(), 200, "ids are unique");
    assert!(first == again, "the same seed gives other events");
    assert!(first != other, "another seed gives the same events");
}

#[test]
fn transactions_are_payments_for_the_shipped_pipeline() {
    let world = World::new();
    let pipeline = shipped("transactions.toml");
    let scenario = ["produce", pipeline.to_str().unwrap(), "--scenario", "transactions", "--customers", "200"];
    let few = ["--start", "2026-01-01T00:00:00Z", "--limit", "300", "--output", "events.jsonl"];
    let said = world.lapwing(&[&scenario[..], &few].concat()).succeeded();
    assert!(said.starts_with("300 events ("), "{said}");
    let events = lines(&world.path("events.jsonl"));
    assert_eq!(events.len(), 300);
    assert!(events.iter().all(|event| event["customer_id"].as_str().is_some_and(|id| id.starts_with("customer-"))));
}

#[test]
fn logs_are_raw_lines_with_their_labels_aside() {
    let world = World::new();
    let pipeline = world.pipeline("first.toml", &Shape::embedded());
    let scenario = ["produce", &pipeline, "--scenario", "logs", "--start", "2008-11-09T20:00:00Z", "--span", "20m"];
    let to = ["--anomalies", "0.2", "--labels", "labels.csv", "--output", "hdfs.log"];
    let said = world.lapwing(&[&scenario[..], &to].concat()).succeeded();
    let log = std::fs::read_to_string(world.path("hdfs.log")).unwrap();
    assert!(said.starts_with(&format!("{} events (", log.lines().count())), "{said}");
    assert!(log.lines().all(|line| line.starts_with("081109 20") && line.contains("blk_")));
    assert_eq!(log.lines().collect::<BTreeSet<_>>().len(), log.lines().count(), "each line comes once");
    let labels = std::fs::read_to_string(world.path("labels.csv")).unwrap();
    assert_eq!(labels.lines().next(), Some("block_id,label,type"));
    let is_row = |row: &str| row.starts_with("blk_") && (row.ends_with(",0,") || row.contains(",1,"));
    assert!(labels.lines().skip(1).all(is_row) && labels.contains(",1,lost_replica\n"), "{labels}");
    let refused = world.lapwing(&["produce", &pipeline, "--labels", "labels.csv"]).failed(64);
    assert!(refused.starts_with("error: --labels: only logs"), "{refused}");
}

#[test]
fn raw_lines_go_into_the_topic_once_for_each_key_that_they_name() {
    let world = World::new();
    let pipeline = world.pipeline("first.toml", &Shape::embedded());
    world.file("hdfs.log", "ask a to delete blk_1 blk_-2\nnothing\nServed block blk_3 to b\n");
    let replay = ["produce", &pipeline, "--file", "hdfs.log", "--format", "lines", "--key-pattern", r"blk_-?\d+"];
    let said = world.lapwing(&replay).failed(65);
    assert!(said.starts_with("error: replay hdfs.log:2: no key: "), "{said}");
    let said = world.lapwing(&[&replay[..], &["--skip-malformed"]].concat()).succeeded();
    assert!(said.starts_with("3 events ("), "{said}");
    let said = world.lapwing(&[&replay[..], &["--multiline-start", "^(ask|Served)"]].concat()).succeeded();
    assert!(said.starts_with("3 events ("), "{said}");
}

#[test]
fn topics_are_created_once_described_and_listed() {
    let world = World::new();
    let pipeline = world.pipeline("first.toml", &Shape::embedded());
    let described = world.lapwing(&["topics", "describe", &pipeline]).succeeded();
    assert!(described.starts_with("sensor_messages (source): does not exist\n"), "{described}");
    let created = world.lapwing(&["topics", "create", &pipeline]).succeeded();
    assert_eq!(created.lines().next(), Some("sensor_messages: created (4 partitions wanted)"));
    let again = world.lapwing(&["topics", "create", &pipeline]).succeeded();
    assert!(again.lines().all(|line| line.contains("exists already, left as it is")), "{again}");
    let listed = world.lapwing(&["topics", "list", &pipeline]).succeeded();
    let names =
        ["first.alerts", "first.dead_letters", "first.enriched", "first.late", "first.markers", "sensor_messages"];
    assert_eq!(listed.lines().collect::<Vec<_>>(), names);
    world.produce(&pipeline, 500, &[]);
    let described = world.lapwing(&["topics", "describe", &pipeline]).succeeded();
    assert!(described.starts_with("sensor_messages (source): 4 partitions, 500 offsets in use\n  [0] 0.."));
    assert!(described.contains("\nfirst.alerts (alerts): 4 partitions, 0 offsets in use\n  [0] 0..0\n"), "{described}");
}
