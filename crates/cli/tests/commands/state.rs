//! What is remembered, and what becomes of it.

use crate::world::{Shape, World};

/// A world whose pipeline has run over some events and left its state.
fn with_state() -> (World, String) {
    let world = World::new();
    let pipeline = world.pipeline("first.toml", &Shape::embedded());
    world.produce(&pipeline, 3_000, &[]);
    world.lapwing(&["run", &pipeline, "--until-end", "--no-page"]).succeeded();
    (world, pipeline)
}

#[test]
fn state_is_listed_and_an_entity_is_looked_at() {
    let (world, pipeline) = with_state();
    let listed = world.lapwing(&["state", "list", &pipeline]).succeeded();
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(listed.starts_with("partition 0: up to offset "), "{listed}");
    let events = world.lapwing(&["state", "list", &pipeline, "--json"]).succeeded();
    let offsets =
        events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["snapshot"].as_i64());
    assert_eq!(offsets.map(Option::unwrap).sum::<i64>(), 3_000);
    let told = world.lapwing(&["state", "inspect", &pipeline, "host-0001", "--json"]).succeeded();
    let told: serde_json::Value = serde_json::from_str(told.trim()).unwrap();
    assert_eq!(told["entity"], "host-0001");
    let connections = &told["features"]["connections_1m"];
    assert_eq!(connections["value"], connections["samples"], "a count counts its samples: {told}");
    assert!(told["scored"].as_str().unwrap().contains("there is no model yet"), "{told}");
    assert_eq!(told["model"], serde_json::Value::Null);
    let fault = world.lapwing(&["state", "inspect", &pipeline, "nobody"]).failed(65);
    assert!(fault.contains("nothing is remembered of `nobody`"), "{fault}");
}

#[test]
fn what_becomes_of_the_state_is_said_before_the_settings_are_used() {
    let (world, pipeline) = with_state();
    let same = world.lapwing(&["check", &pipeline, "--against-state"]).succeeded();
    assert!(same.lines().last().unwrap().starts_with("# partition 3: kept from offset "), "{same}");
    let text = Shape::embedded().text();
    let one_more =
        text.replace("[features]", "[features]\nprotocols_5m = { distinct = \"protocol_type\", over = \"5m\" }");
    world.file("more.toml", one_more);
    let said = world.lapwing(&["check", "more.toml", "--against-state"]).succeeded();
    assert!(said.lines().last().unwrap().ends_with("; new, begin empty: protocols_5m"), "{said}");
    world.file("else.toml", text.replace("key = \"host_id\"", "key = \"uuid\""));
    let refused = world.lapwing(&["check", "else.toml", "--against-state"]).failed(65);
    assert!(refused.contains("the state of 4 partitions cannot be used"), "{refused}");
}

#[test]
fn what_is_to_be_left_out_is_forgotten_with_the_next_start() {
    let (world, pipeline) = with_state();
    world.lapwing(&["state", "inspect", &pipeline, "host-0001"]).succeeded();
    let interval =
        "[[state.leave_out]]\nfrom = 1970-01-01T00:00:00Z\nto = 2100-01-01T00:00:00Z\nentity = \"host-0001\"\n";
    let text = Shape::embedded().text().replace("[models]", &format!("{interval}\n[models]"));
    world.file("without.toml", text);
    let said = world.lapwing(&["check", "without.toml", "--against-state"]).failed(65);
    assert!(said.contains("state of 4 partitions cannot be used"), "{said}");
    world.lapwing(&["run", "without.toml", "--until-end", "--no-page"]).succeeded();
    let kept = world.lapwing(&["check", "without.toml", "--against-state"]).succeeded();
    assert!(kept.lines().last().unwrap().starts_with("# partition 3: kept from offset "), "{kept}");
    let fault = world.lapwing(&["state", "inspect", "without.toml", "host-0001"]).failed(65);
    assert!(fault.contains("nothing is remembered of `host-0001`"), "{fault}");
    let other = world.lapwing(&["state", "inspect", "without.toml", "host-0002"]).succeeded();
    assert!(other.contains("values seen") && other.contains("own past counts"), "{other}");
}

#[test]
fn the_watermark_that_a_stream_needs_is_told() {
    let (world, pipeline) = with_state();
    let told = world.lapwing(&["watermark", &pipeline]).succeeded();
    assert!(told.contains("p99.9 of disorder is"), "{told}");
    let told = world.lapwing(&["watermark", &pipeline, "--json"]).succeeded();
    let told: serde_json::Value = serde_json::from_str(told.trim()).unwrap();
    assert_eq!((told["events"].as_u64(), told["late_share"].as_f64()), (Some(3_000), Some(0.0)), "{told}");
}
