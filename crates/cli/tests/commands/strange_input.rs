use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::scoring::trained;
use crate::world::{Shape, World, field_values, lines, lines_text};

/// Size of a record that is far too large. Units: bytes.
const HUGE: usize = 100_000_000;

/// Appends lines of which none is an event.
fn append_malformed(world: &World) {
    let mut events = OpenOptions::new().append(true).open(world.path("events.jsonl")).unwrap();
    let no_key = r#"{"uuid":"a","utc":"2026-01-01T00:00:00Z"}"#;
    let wrong_type = r#"{"uuid":"b","host_id":"h","utc":"2026-01-01T00:00:00Z","src_bytes":"many"}"#;
    let no_time = r#"{"uuid":"c","host_id":"h","utc":"yesterday"}"#;
    write!(events, "no json\n{{\"host_id\": 3\n{no_key}\n{wrong_type}\n{no_time}\n").unwrap();
    events.write_all(b"{\"host_id\":\"\xff\"}\n").unwrap();
}

fn write_huge(path: &Path, before: &str, after: &str) {
    let mut file = BufWriter::new(std::fs::File::create(path).unwrap());
    write!(file, "{before}\n{{\"uuid\":\"huge\",\"host_id\":\"h\",\"utc\":\"2026-01-01T00:00:00Z\",\"pad\":\"")
        .unwrap();
    let part = [b'x'; 10_000];
    (0..HUGE / part.len()).for_each(|_| file.write_all(&part).unwrap());
    write!(file, "\"}}\n{after}\n").unwrap();
    file.flush().unwrap();
}

/// The reasons of the dead letters in a file, sorted.
fn reasons(world: &World, file: &str) -> Vec<String> {
    let class = |letter: &serde_json::Value| {
        let headers = letter["headers"].as_array().unwrap();
        let of_class = |header: &&serde_json::Value| header["name"] == "__connect.errors.exception.class.name";
        headers.iter().find(of_class).unwrap()["value"].as_str().unwrap().to_owned()
    };
    let mut reasons: Vec<String> = lines(&world.path(file)).iter().map(class).collect();
    reasons.sort();
    reasons
}

#[test]
fn lines_that_are_no_events_are_set_aside_and_counted_by_reason() {
    let (world, pipeline, uuids) = trained(500);
    append_malformed(&world);
    let score = ["score", &pipeline, "--input", "events.jsonl", "--output", "scores.jsonl"];
    let said = world.lapwing(&score).succeeded();
    let mut said: Vec<&str> = said.lines().collect();
    assert_eq!(said.remove(0), "500 events scored into scores.jsonl (0 late, 6 set aside)");
    said.sort();
    let counts = ["malformed: 3", "missing_key: 1", "missing_time: 1", "wrong_type: 1"];
    assert_eq!(said, counts.map(|count| format!("  set aside as {count}")));
    assert_eq!(field_values(&lines_text(&world.path("scores.jsonl")), "id"), uuids);

    let files = world.pipeline("files.toml", &Shape::files(&["events.jsonl"], "out", false));
    world.lapwing(&["run", &files, "--until-end", "--no-page"]).succeeded();
    let expected = ["malformed", "malformed", "malformed", "missing_key", "missing_time", "wrong_type"];
    assert_eq!(reasons(&world, "out/first.dead_letters.jsonl"), expected);
    assert_eq!(field_values(&lines_text(&world.path("out/first.enriched.jsonl")), "uuid"), uuids);
}

#[test]
fn a_record_of_a_hundred_megabytes_is_set_aside_and_its_neighbours_are_not() {
    let (world, pipeline, uuids) = trained(500);
    let events = lines_text(&world.path("events.jsonl"));
    write_huge(&world.path("huge.jsonl"), &events[..250].join("\n"), &events[250..].join("\n"));
    let score = ["score", &pipeline, "--input", "huge.jsonl", "--output", "scores.jsonl"];
    let said = world.lapwing(&score).succeeded();
    let counted = "500 events scored into scores.jsonl (0 late, 1 set aside)\n  set aside as too_large: 1\n";
    assert_eq!(said, counted);

    let files = world.pipeline("files.toml", &Shape::files(&["huge.jsonl"], "out", false));
    world.lapwing(&["run", &files, "--until-end", "--no-page"]).succeeded();
    assert_eq!(reasons(&world, "out/first.dead_letters.jsonl"), ["too_large"]);
    let letters = std::fs::metadata(world.path("out/first.dead_letters.jsonl")).unwrap().len();
    assert!(letters < 1 << 20, "a dead letter of {letters} bytes: only the beginning of the record is kept");
    assert_eq!(field_values(&lines_text(&world.path("out/first.enriched.jsonl")), "uuid"), uuids);
}
