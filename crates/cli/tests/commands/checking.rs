use std::fs;

use crate::world::{Shape, World, shipped};

#[test]
fn check_prints_the_resolved_settings_and_the_columns_of_the_shipped_pipeline() {
    let world = World::new();
    let file = shipped("telemetry.toml");
    let printed = world.lapwing(&["check", file.to_str().unwrap()]).succeeded();
    let expected = [
        "name = \"telemetry\"",
        "commit_interval = \"100ms\"",
        "max_record_bytes = \"10MiB\"",
        "topic = \"sensor_messages\"",
        "max_future = \"10m\"",
        "group = \"telemetry\"",
        "connections_1m = { count = \"*\", over = \"1m\" }",
        "sent_vs_usual = { zscore = \"src_bytes_log\", baseline = \"1d\" }",
        "model = \"telemetry/spike@champion\"",
        "trees = 100",
        "alerts = \"telemetry.alerts\"",
        "dead_letters = \"telemetry.dead_letters\"",
        "snapshot_interval = \"30s\"",
        "# columns that decode builds (45):",
        "# columns after enrich (49):",
        "# features (12): 1672 bytes of state per entity",
        "# detector spike (robust_zscore) reads:",
        "#   sent_vs_usual, received_vs_usual, errors_1m, refused_5m, logins_5m, connections_1m",
        "# detector forest (isolation_forest) reads:",
        "# model: none yet; events are enriched and forwarded, none is scored",
    ];
    let mut lines = printed.lines();
    for line in expected {
        assert!(lines.any(|printed| printed == line), "`{line}` is not there, or not in this order:\n{printed}");
    }
}

#[test]
fn the_shipped_pipeline_for_card_payments_is_without_fault() {
    let world = World::new();
    let file = shipped("transactions.toml");
    let printed = world.lapwing(&["check", file.to_str().unwrap()]).succeeded();
    let expected = [
        "name = \"transactions\"",
        "id = \"id\"",
        "categories = \"reference/categories.csv\"",
        "# detector behaviour (hbos) reads:",
        "# model: none yet; events are enriched and forwarded, none is scored",
    ];
    let mut lines = printed.lines();
    for line in expected {
        assert!(lines.any(|printed| printed == line), "`{line}` is not there, or not in this order:\n{printed}");
    }
}

#[test]
fn all_faults_of_a_pipeline_file_are_reported_at_once_with_the_nearest_names() {
    let world = World::new();
    let text = Shape::embedded().text();
    let text = text.replace("commit_interval", "comit_interval").replace("watermark", "watermrk");
    world.file("bad.toml", text.replace("robust_zscore", "robust_zscores").replace("count = \"*\"", "cont = \"*\""));
    let said = world.lapwing(&["check", "bad.toml"]).failed(78);
    let expected = [
        "error: bad.toml:3:1: unknown key `comit_interval` in a pipeline file\n  3 | comit_interval = \"1ms\"",
        "did you mean `commit_interval`?",
        "unknown key `watermrk` in [source]",
        "did you mean `watermark`?",
        "unknown key `cont` in [features.connections_1m]",
        "did you mean `count`?",
        "`detect.spike.method` cannot be `robust_zscores`",
        "did you mean `robust_zscore`?",
        "bad.toml: 5 faults",
    ];
    for part in expected {
        assert!(said.contains(part), "`{part}` is not there:\n{said}");
    }
    assert_eq!(world.lapwing(&["run", "bad.toml", "--no-page"]).failed(78), said, "`run` says the same");
}

#[test]
fn a_pipeline_file_that_is_not_there_is_named() {
    let said = World::new().lapwing(&["check", "nowhere.toml"]).failed(78);
    assert!(said.starts_with("error: nowhere.toml: cannot be read: No such file or directory"), "{said}");
}

#[test]
fn a_missing_topic_is_named_together_with_those_that_are_there() {
    let world = World::new();
    let pipeline = world.pipeline("first.toml", &Shape::embedded());
    let said = world.lapwing(&["run", &pipeline, "--until-end", "--no-page"]).failed(78);
    assert!(said.contains("topic `sensor_messages` does not exist; there are none yet"), "{said}");
    world.produce(&pipeline, 10, &["--topic", "others"]);
    let said = world.lapwing(&["train", &pipeline]).failed(78);
    assert!(said.contains("topic `sensor_messages` does not exist; there are: others"), "{said}");
    assert!(said.contains("hint: `lapwing topics create PIPELINE`"), "{said}");
}

#[test]
fn training_on_nothing_fails_and_says_why() {
    let world = World::new();
    let pipeline = world.pipeline("first.toml", &Shape::embedded());
    world.file("empty.jsonl", "");
    let said = world.lapwing(&["train", &pipeline, "--input", "empty.jsonl"]).failed(65);
    assert!(said.contains("no rows where label = 'normal' (0 records were set aside)"), "{said}");
    assert!(!world.path("models").exists(), "no model is kept");
}

#[test]
fn a_damaged_model_is_refused_and_named() {
    let world = World::new();
    let pipeline = world.pipeline("first.toml", &Shape::embedded());
    world.produce_file(&pipeline, 1_000, "events.jsonl");
    world.lapwing(&["train", &pipeline, "--input", "events.jsonl"]).succeeded();
    let checked = world.lapwing(&["check", &pipeline]).succeeded();
    assert!(checked.ends_with("# model: telemetry@1\n"), "{checked}");
    let model = world.path("models/telemetry/1.model");
    let mut bytes = fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&model, bytes).unwrap();
    let score = ["score", &pipeline, "--input", "events.jsonl", "--output", "scores.csv"];
    for command in [&["check", &pipeline][..], &score[..]] {
        let said = world.lapwing(command).failed(65);
        assert!(said.contains("models/telemetry/1.model: "), "the file is not named: {said}");
        assert!(said.contains("checksum does not match"), "{said}");
    }
}
