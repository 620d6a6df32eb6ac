use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;

use arrow::array::{Array, BooleanArray, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::world::{Shape, World, field, field_values, lines, lines_text};

/// A world with a file of events, plain and compressed, and a model trained on it; returns the events' ids.
pub(crate) fn trained(events: usize) -> (World, String, Vec<String>) {
    let world = World::new();
    let pipeline = world.pipeline("first.toml", &Shape::embedded());
    let lines = world.produce_file(&pipeline, events, "events.jsonl");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&fs::read(world.path("events.jsonl")).unwrap()).unwrap();
    world.file("events.jsonl.gz", gz.finish().unwrap());
    world.lapwing(&["train", &pipeline, "--input", "events.jsonl"]).succeeded();
    (world, pipeline, field_values(&lines, "uuid"))
}

fn score(world: &World, pipeline: &str, input: &str, output: &str) -> String {
    world.lapwing(&["score", pipeline, "--input", input, "--output", output]).succeeded()
}

/// Ids and flags of a table of scores.
type Flags = Vec<(String, bool)>;

fn flags_of_json_lines(world: &World, file: &str) -> Flags {
    let row = |row: &Value| (row["id"].as_str().unwrap().to_owned(), row["anomaly"].as_bool().unwrap());
    lines(&world.path(file)).iter().map(row).collect()
}

fn flags_of_csv(world: &World, file: &str) -> Flags {
    let mut reader = csv::Reader::from_path(world.path(file)).unwrap();
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (id, anomaly) = (at("id"), at("anomaly"));
    reader.records().map(|row| row.unwrap()).map(|row| (row[id].to_owned(), row[anomaly] == *"true")).collect()
}

fn flags_of_parquet(world: &World, file: &str) -> Flags {
    let file = File::open(world.path(file)).unwrap();
    let mut flags = Vec::new();
    for rows in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
        let rows = rows.unwrap();
        let column = |name: &str| rows.column_by_name(name).unwrap().clone();
        let (ids, anomalies) = (column("id"), column("anomaly"));
        let ids = ids.as_any().downcast_ref::<StringArray>().unwrap();
        let anomalies = anomalies.as_any().downcast_ref::<BooleanArray>().unwrap();
        flags.extend((0..rows.num_rows()).map(|row| (ids.value(row).to_owned(), anomalies.value(row))));
    }
    flags
}

#[test]
fn scores_are_the_same_rows_as_csv_json_lines_and_parquet() {
    let (world, pipeline, uuids) = trained(5_000);
    for output in ["scores.csv", "scores.jsonl", "scores.parquet"] {
        let said = score(&world, &pipeline, "events.jsonl", output);
        assert_eq!(said, format!("5000 events scored into {output} (0 late, 0 set aside)\n"));
    }
    let flags = flags_of_json_lines(&world, "scores.jsonl");
    assert_eq!(flags.iter().map(|(id, _)| id).collect::<Vec<_>>(), uuids.iter().collect::<Vec<_>>());
    assert!(flags.iter().any(|(_, anomaly)| *anomaly), "nothing is flagged: there is nothing to compare");
    assert!(flags_of_csv(&world, "scores.csv") == flags, "the CSV differs");
    assert!(flags_of_parquet(&world, "scores.parquet") == flags, "the Parquet file differs");
}

#[test]
fn a_pipeline_on_files_flags_the_events_that_score_flags_and_keeps_its_place() {
    let (world, pipeline, uuids) = trained(5_000);
    score(&world, &pipeline, "events.jsonl", "scores.jsonl");
    let files = world.pipeline("files.toml", &Shape::files(&["events.jsonl.gz"], "out", false));
    world.lapwing(&["run", &files, "--until-end", "--no-page"]).succeeded();
    let enriched = lines_text(&world.path("out/first.enriched.jsonl"));
    let flag = |event: &String| (field(event.as_bytes(), "uuid"), field(event.as_bytes(), "anomaly") == "true");
    let ran: Vec<(String, bool)> = enriched.iter().map(flag).collect();
    assert!(ran == flags_of_json_lines(&world, "scores.jsonl"), "`run` and `score` differ");
    let flagged: BTreeSet<String> = ran.iter().filter(|(_, anomaly)| *anomaly).map(|(id, _)| id.clone()).collect();
    let alerts = field_values(&lines_text(&world.path("out/first.alerts.jsonl")), "event_id");
    assert_eq!(alerts.iter().cloned().collect::<BTreeSet<_>>(), flagged);
    assert_eq!((ran.len(), alerts.len()), (uuids.len(), flagged.len()));

    world.lapwing(&["run", &files, "--until-end", "--no-page"]).succeeded();
    assert_eq!(lines_text(&world.path("out/first.enriched.jsonl")), enriched, "a further run finds nothing new");
}

#[test]
fn an_input_that_is_not_there_is_named() {
    let (world, pipeline, _) = trained(500);
    let command = ["score", &pipeline, "--input", "nowhere.jsonl", "--output", "scores.csv"];
    let said = world.lapwing(&command).failed(66);
    assert!(said.starts_with("error: open nowhere.jsonl: No such file or directory"), "{said}");
}

#[test]
fn an_output_of_unknown_kind_is_refused() {
    let (world, pipeline, _) = trained(500);
    let command = ["score", &pipeline, "--input", "events.jsonl", "--output", "scores.txt"];
    let said = world.lapwing(&command).failed(64);
    assert!(said.contains("scores.txt: end the name in .csv, .jsonl or .parquet"), "{said}");
}

#[test]
fn an_empty_file_gives_an_empty_table_with_its_columns() {
    let (world, pipeline, _) = trained(500);
    world.file("empty.jsonl", "");
    for output in ["scores.csv", "scores.jsonl", "scores.parquet"] {
        let said = score(&world, &pipeline, "empty.jsonl", output);
        assert_eq!(said, format!("0 events scored into {output} (0 late, 0 set aside)\n"));
    }
    assert_eq!(flags_of_json_lines(&world, "scores.jsonl"), []);
    assert_eq!(flags_of_csv(&world, "scores.csv"), []);
    assert_eq!(flags_of_parquet(&world, "scores.parquet"), []);
}

#[test]
fn a_command_that_fails_leaves_an_earlier_table_as_it_was() {
    let (world, pipeline, _) = trained(500);
    score(&world, &pipeline, "events.jsonl", "scores.csv");
    let before = fs::read(world.path("scores.csv")).unwrap();
    for (pipeline, input) in [(pipeline.as_str(), "nowhere.jsonl"), ("nowhere.toml", "events.jsonl")] {
        let command = ["score", pipeline, "--input", input, "--output", "scores.csv"];
        assert_ne!(world.lapwing(&command).code, Some(0));
        assert!(fs::read(world.path("scores.csv")).unwrap() == before, "the table of before is gone");
    }
}
