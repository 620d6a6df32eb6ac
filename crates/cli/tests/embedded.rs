//! The program on the embedded log, end to end: what goes in comes out exactly once, the same whatever happens.

/// What the tests of the binary share.
mod world;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;

use lapwing_connect::embedded::{EmbeddedLog, LogOptions};
use world::{
    JoinedWorld, Kills, Outputs, Shape, World, assert_each_once, embedded, events_of, field, field_values,
    kill_again_and_again, lines, lines_text,
};

const TO_THE_END: [&str; 3] = ["--until-end", "--workers", "2"];

/// A world with a source topic on the embedded log and a trained model.
fn trained(events: usize) -> (World, Shape) {
    let (world, shape) = (World::new(), Shape::embedded());
    let pipeline = world.pipeline("first.toml", &shape);
    world.produce(&pipeline, events, &[]);
    world.lapwing(&["train", &pipeline]).succeeded();
    (world, shape)
}

fn uuids(world: &World) -> Vec<String> {
    events_of(embedded(world).as_mut(), "sensor_messages", "uuid")
}

fn outputs(world: &World, shape: &Shape) -> Outputs {
    Outputs::read(embedded(world).as_mut(), shape)
}

/// Runs a pipeline to the end of its source; returns what came out.
fn run_to_end(world: &World, shape: &Shape, workers: &str) -> Outputs {
    let pipeline = world.pipeline(&format!("{}.toml", shape.run), shape);
    world.lapwing(&["run", &pipeline, "--until-end", "--no-page", "--workers", workers]).succeeded();
    outputs(world, shape)
}

#[test]
fn events_are_produced_learnt_from_and_scored_and_the_strange_ones_raise_alerts() {
    let (world, shape) = trained(20_000);
    let uuids = uuids(&world);
    assert_eq!(uuids.len(), 20_000);
    let outputs = run_to_end(&world, &shape, "2");
    outputs.assert_exactly_once(&uuids);
    let scored = field_values(&outputs.enriched, "anomaly_score");
    assert!(scored.iter().all(|score| score.parse::<f64>().is_ok()), "every event has a score");
    let strange = |event: &&Vec<u8>| field(event, "label") != "normal";
    let strange: BTreeSet<String> = outputs.enriched.iter().filter(strange).map(|event| field(event, "uuid")).collect();
    let alerts = field_values(&outputs.alerts, "event_id");
    let right = alerts.iter().filter(|event| strange.contains(*event)).count();
    assert!(2 * right > alerts.len(), "{right} of {} alerts are of planted anomalies", alerts.len());
}

#[test]
fn killed_twenty_times_nothing_is_lost_nothing_is_doubled_and_the_alerts_are_the_same_bytes() {
    let (world, shape) = trained(40_000);
    let undisturbed = run_to_end(&world, &shape.run("undisturbed"), "2");
    let killed = Shape { batch: 50, ..shape.run("killed") };
    let pipeline = world.pipeline("killed.toml", &killed);
    let kills = Kills { times: 20, epochs_max: 15, seed: 3 };
    kill_again_and_again(&world, &[&["run", &pipeline], &TO_THE_END[..]].concat(), &kills);
    let left = 40_000 - outputs(&world, &killed).enriched.len();
    assert!((1..40_000).contains(&left), "{left} events are left after the last kill: it was not in the middle");
    let outputs = run_to_end(&world, &killed, "2");
    outputs.assert_exactly_once(&uuids(&world));
    assert!(outputs.alerts == undisturbed.alerts, "the alerts differ from those of an undisturbed run");
}

#[test]
fn alerts_are_the_same_bytes_whatever_the_size_of_batches_and_the_number_of_workers() {
    let (world, shape) = trained(3_000);
    let expected = run_to_end(&world, &shape.run("usual"), "2");
    expected.assert_exactly_once(&uuids(&world));
    for (batch, workers) in [(1, "2"), (100, "1"), (50_000, "1"), (50_000, "2")] {
        let shape = Shape { batch, ..shape.run(&format!("batches-of-{batch}-by-{workers}")) };
        let outputs = run_to_end(&world, &shape, workers);
        outputs.assert_exactly_once(&uuids(&world));
        assert!(outputs.alerts == expected.alerts, "other alerts with batches of {batch} and {workers} workers");
    }
}

#[test]
fn ctrl_c_ends_a_run_in_order_and_the_next_one_goes_on_where_it_stopped() {
    let (world, shape) = trained(20_000);
    let mut running = world.start(&["run", "first.toml", "--workers", "2", "--listen", "127.0.0.1:0"]);
    let page = running.page();
    running.until_metric(page, "lapwing_epochs_total", 20.0);
    running.interrupt().succeeded();
    let before = outputs(&world, &shape).enriched.len();
    assert!((1..20_000).contains(&before), "{before} events were processed before Ctrl-C: it was not in the middle");
    run_to_end(&world, &shape, "2").assert_exactly_once(&uuids(&world));
}

#[test]
fn a_second_process_on_the_same_log_is_refused_and_told_who_has_it() {
    let (world, _) = trained(2_000);
    let mut running = world.start(&["run", "first.toml", "--listen", "127.0.0.1:0"]);
    let page = running.page();
    running.until_metric(page, "lapwing_epochs_total", 1.0);
    let refused = world.lapwing(&["topics", "list", "first.toml"]).failed(78);
    assert!(refused.contains(&running.id().to_string()), "the process that has the log is not named: {refused}");
    assert!(refused.contains("log"), "the folder is not named: {refused}");
    running.interrupt().succeeded();
    world.lapwing(&["topics", "list", "first.toml"]).succeeded();
}

#[test]
fn a_new_champion_is_taken_up_while_the_pipeline_runs() {
    let (world, shape) = (World::new(), Shape::files(&["events.jsonl"], "out", true));
    let pipeline = world.pipeline("follow.toml", &shape);
    let events = world.produce_file(&pipeline, 10_000, "all.jsonl");
    let (before, after) = events.split_at(6_000);
    world.file("events.jsonl", before.join("\n") + "\n");
    world.lapwing(&["train", &pipeline]).succeeded();
    let second = world.lapwing(&["train", &pipeline, "--no-promote"]).succeeded();
    assert!(second.starts_with("telemetry@2"), "{second}");

    let mut running = world.start(&["run", &pipeline, "--listen", "127.0.0.1:0"]);
    let page = running.page();
    running.until_metric(page, "lapwing_events_total", 6_000.0);
    world.file("next", "2\n");
    std::fs::rename(world.path("next"), world.path("models/telemetry/champion")).unwrap();
    running.until("the second version is in force", |running| running.err().contains("telemetry@2").then_some(()));
    let mut input = OpenOptions::new().append(true).open(world.path("events.jsonl")).unwrap();
    input.write_all((after.join("\n") + "\n").as_bytes()).unwrap();
    running.until_metric(page, "lapwing_events_total", 10_000.0);
    running.interrupt().succeeded();

    let alerts = lines(&world.path("out/first.alerts.jsonl"));
    let first_of = |model: &str| alerts.iter().filter(|alert| alert["model"] == model).count();
    assert!(first_of("telemetry@1") > 0 && first_of("telemetry@2") > 0, "both models raised alerts");
    for alert in &alerts {
        let early = alert["positions"][0]["offset"].as_i64().unwrap() < 6_000;
        assert_eq!(alert["model"], if early { "telemetry@1" } else { "telemetry@2" }, "{alert}");
    }
    let enriched = lines_text(&world.path("out/first.enriched.jsonl"));
    assert_each_once(&field_values(&events, "uuid"), &field_values(&enriched, "uuid"));
}

/// A producer of the embedded log; no process may be using it.
fn appending(world: &World, append: impl FnOnce(&mut dyn lapwing_vocabulary::port::Producer)) {
    append(&mut EmbeddedLog::open(&world.path("log"), LogOptions::default()).unwrap().producer());
}

#[test]
fn topics_are_joined_and_kills_change_nothing() {
    let (world, connect) = (World::new(), Shape::embedded().connect);
    let joined = JoinedWorld { source: "payments".to_owned(), connect };
    world.file("joined.toml", joined.text());
    world.lapwing(&["topics", "create", "joined.toml"]).succeeded();
    let to_the_end = ["run", "joined.toml", "--no-page", "--until-end", "--workers", "2"];
    appending(&world, |producer| joined.produce_tables(producer));
    world.lapwing(&to_the_end).succeeded();
    appending(&world, |producer| joined.produce_streams(producer));
    kill_again_and_again(
        &world,
        &["run", "joined.toml", "--workers", "2"],
        &Kills { times: 6, epochs_max: 12, seed: 11 },
    );
    world.lapwing(&to_the_end).succeeded();
    assert!(joined.is_forwarded(embedded(&world).as_mut(), true));
    appending(&world, |producer| joined.produce_the_end(producer));
    world.lapwing(&to_the_end).succeeded();
    joined.assert_joined(embedded(&world).as_mut());
    // What waits at the end is no row to learn from.
    let said = world.lapwing(&["train", "joined.toml"]).succeeded();
    assert!(said.starts_with("joined@1: 1 detectors fitted to 3000 of 3000 rows"), "{said}");
}

#[test]
fn check_says_what_is_joined_and_files_are_refused_for_training() {
    let world = World::new();
    let joined = JoinedWorld { source: "payments".to_owned(), connect: Shape::embedded().connect };
    world.file("joined.toml", joined.text());
    let said = world.lapwing(&["check", "joined.toml"]).succeeded();
    for line in [
        "# join logins:",
        "#   payments-logins by user = user: records from 30s before to 10s after the event, which waits for 3610s; in the \
         partition of its entity",
        "#   logins_user text, logins_at time, logins_n int",
        "#   payments-merchants by merchant = merchant: the last value of the key; in every partition, because it is not \
         joined by the entity",
    ] {
        assert!(said.lines().any(|found| found == line), "{line}\n{said}");
    }
    let events = world.file("events.jsonl", "{}\n");
    let said = world.lapwing(&["watermark", "joined.toml", "--input", &events.to_string_lossy()]).failed(78);
    assert!(said.contains("--input: files hold nothing of `join.logins`"), "{said}");
}
