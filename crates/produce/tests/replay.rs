//! Files become events.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use lapwing_produce::replay::{RECORD_LINES_MAX, host_of};
use lapwing_produce::schema::{FEATURES, host_id};
use lapwing_produce::{Label, Malformed, Order, ProduceError, Produced, Replay, ReplayFormat, ReplayOptions};
use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::SECOND;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Two rows in the form of KDD Cup 1999.
const NORMAL: &str = "0,tcp,http,SF,181,5450,0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,0,8,8,0.00,0.00,0.00,0.00,1.00,0.00,0.00,9,9,1.00,0.00,0.11,0.00,0.00,0.00,0.00,0.00,normal.";
const SMURF: &str = "0,icmp,ecr_i,SF,1032,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,511,511,0.00,0.00,0.00,0.00,1.00,0.00,0.00,255,255,1.00,0.00,1.00,0.00,0.00,0.00,0.00,0.00,smurf.";

fn file(name: &str, text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn replay(options: ReplayOptions) -> Vec<Produced> {
    Replay::open(options).unwrap().collect::<Result<_, _>>().unwrap()
}

fn json_of(event: &Produced) -> Value {
    serde_json::from_slice(&event.value).unwrap()
}

#[test]
fn kdd_rows_become_json_with_types_label_time_and_host() {
    let (_folder, path) = file("kdd", &format!("{NORMAL}\n{SMURF}\n"));
    let start = EventTime::parse("2026-01-01T00:00:00Z").unwrap();
    let options =
        ReplayOptions { start, interval_micros: SECOND, hosts: 64, ..ReplayOptions::new(path, ReplayFormat::Kdd) };
    let events = replay(options);
    let rows: Vec<Value> = events.iter().map(json_of).collect();
    assert_eq!(events.len(), 2);
    assert_eq!((&events[0].label, events[1].label.name()), (&Label::Normal, "smurf"));
    assert!(FEATURES.iter().all(|feature| !rows[0][feature].is_null()));
    assert_eq!(rows[0]["protocol_type"], "tcp");
    assert_eq!(rows[0]["src_bytes"], 181);
    assert_eq!(rows[0]["dst_host_same_src_port_rate"], 0.11);
    assert_eq!((&rows[0]["label"], &rows[1]["label"]), (&json!("normal"), &json!("smurf")));
    assert_eq!((&rows[1]["index"], &rows[1]["sequence_id"]), (&json!(1), &json!(1)));
    assert_eq!(rows[1]["utc"], "2026-01-01T00:00:01.000000Z");
    let host = host_id(host_of("icmp", "ecr_i", 2, 64));
    assert_eq!(rows[1]["host_id"], host.as_str());
    assert_eq!(events[1].key.as_deref(), Some(host.as_bytes()));
}

#[test]
fn kdd_rows_without_a_label_are_of_unknown_truth() {
    let (_folder, path) = file("kdd", NORMAL.trim_end_matches(",normal."));
    let events = replay(ReplayOptions::new(path, ReplayFormat::Kdd));
    assert_eq!(events[0].label, Label::Unknown);
    assert!(json_of(&events[0]).get("label").is_none());
}

#[test]
fn a_malformed_line_stops_with_file_and_line() {
    let text = format!("{NORMAL}\n\n{}\n{SMURF}\n", NORMAL.replace("181", "many"));
    let (_folder, path) = file("kdd", &text);
    let options = ReplayOptions::new(&path, ReplayFormat::Kdd);
    let mut events = Replay::open(options.clone()).unwrap();
    assert!(events.next().unwrap().is_ok());
    let fault = events.next().unwrap().unwrap_err();
    assert!(matches!(fault, ProduceError::Malformed { line: 3, .. }));
    assert_eq!(fault.to_string(), format!("replay {}:3: field `src_bytes` is not a number: `many`", path.display()));
    assert!(events.next().is_none());

    let mut events = Replay::open(ReplayOptions { malformed: Malformed::Skip, ..options }).unwrap();
    assert_eq!(events.by_ref().filter(Result::is_ok).count(), 2);
    assert_eq!(events.counts().skipped(), 1);
}

#[test]
fn too_few_and_too_many_cells_are_malformed() {
    for (line, count) in [("0,tcp,http", 3), (&*format!("{NORMAL},x"), 43)] {
        let (_folder, path) = file("kdd", line);
        let fault = Replay::open(ReplayOptions::new(path, ReplayFormat::Kdd)).unwrap().next().unwrap().unwrap_err();
        let ProduceError::Malformed { problem, .. } = fault else { panic!("{fault}") };
        assert!(problem.starts_with(&format!("{count} cells")), "{problem}");
    }
}

#[test]
fn csv_rows_become_typed_objects_keyed_by_a_field() {
    let (_folder, path) = file("a.csv", "id,name,amount,ok\n7,\"a, \"\"b\"\"\",1.5,true\n8,,2,false\n");
    let events = replay(ReplayOptions { key: Some("id".into()), ..ReplayOptions::new(path, ReplayFormat::Csv) });
    assert_eq!(json_of(&events[0]), json!({"id": 7, "name": "a, \"b\"", "amount": 1.5, "ok": true}));
    assert_eq!(json_of(&events[1])["name"], Value::Null);
    assert_eq!(events[1].key.as_deref(), Some(&b"8"[..]));
    assert_eq!(events[1].time, EventTime(1_000));
}

#[test]
fn csv_rows_of_another_width_are_malformed() {
    let (_folder, path) = file("a.csv", "a,b\n1,2\n1,2,3\n4,5\n");
    let options = ReplayOptions { malformed: Malformed::Skip, ..ReplayOptions::new(&path, ReplayFormat::Csv) };
    let mut events = Replay::open(options.clone()).unwrap();
    assert_eq!((events.by_ref().filter(Result::is_ok).count(), events.counts().skipped()), (2, 1));
    let fault = Replay::open(ReplayOptions { malformed: Malformed::Fail, ..options }).unwrap().nth(1).unwrap();
    let expected = format!("replay {}:3: 3 cells where the header names 2", path.display());
    assert_eq!(fault.unwrap_err().to_string(), expected);
}

#[test]
fn a_field_that_the_file_lacks_is_refused_before_the_first_row() {
    let (_folder, path) = file("a.csv", "a,b\n1,2\n");
    let options = ReplayOptions { key: Some("c".into()), ..ReplayOptions::new(path, ReplayFormat::Csv) };
    let refused = Replay::open(options).map(|_| ()).unwrap_err();
    assert!(refused.to_string().ends_with("has no field `c`; it has a, b"), "{refused}");
}

#[test]
fn json_lines_and_raw_lines_pass_through_unchanged() {
    let (_folder, path) = file("a.jsonl", "{\"h\": \"x\",  \"n\":1.10}\r\n\n{\"h\":\"y\"}");
    let options = ReplayOptions { key: Some("h".into()), ..ReplayOptions::new(&path, ReplayFormat::JsonLines) };
    let events = replay(options);
    assert_eq!(events[0].value, b"{\"h\": \"x\",  \"n\":1.10}");
    assert_eq!(events[1].key.as_deref(), Some(&b"y"[..]));
    let lines = replay(ReplayOptions::new(&path, ReplayFormat::Lines));
    assert_eq!((lines.len(), &lines[0].key), (2, &None));

    let (_folder, path) = file("b.jsonl", "[1]");
    let fault = Replay::open(ReplayOptions::new(path, ReplayFormat::JsonLines)).unwrap().next().unwrap();
    assert!(matches!(fault, Err(ProduceError::Malformed { line: 1, .. })));
}

#[test]
fn compressed_files_are_unpacked_and_a_broken_one_is_told() {
    let folder = TempDir::new().unwrap();
    let packed = folder.path().join("a.log.gz");
    let mut encoder = GzEncoder::new(File::create(&packed).unwrap(), Compression::fast());
    encoder.write_all(b"one\ntwo\n").unwrap();
    encoder.finish().unwrap();
    assert_eq!(replay(ReplayOptions::new(&packed, ReplayFormat::Lines)).len(), 2);

    let frame = folder.path().join("a.log.zst");
    fs::write(&frame, zstd::encode_all(&b"one\ntwo\nthree"[..], 1).unwrap()).unwrap();
    assert_eq!(replay(ReplayOptions::new(&frame, ReplayFormat::Lines))[2].value, b"three");

    let bytes = fs::read(&packed).unwrap();
    fs::write(&packed, &bytes[..bytes.len() - 10]).unwrap();
    let last = Replay::open(ReplayOptions::new(&packed, ReplayFormat::Lines)).unwrap().last().unwrap();
    assert!(matches!(last, Err(ProduceError::Read { .. })));

    let missing = Replay::open(ReplayOptions::new(folder.path().join("no"), ReplayFormat::Lines)).map(|_| ());
    assert!(matches!(missing, Err(ProduceError::Open { .. })));
}

#[test]
fn replayed_for_ever_kdd_time_goes_on_and_ids_stay_unique() {
    let (_folder, path) = file("kdd", &format!("{NORMAL}\n{SMURF}\n"));
    let options = ReplayOptions { repeat: true, limit: Some(7), ..ReplayOptions::new(path, ReplayFormat::Kdd) };
    let events = replay(options);
    assert_eq!(events.len(), 7);
    assert!(events.windows(2).all(|pair| pair[0].time < pair[1].time));
    let ids: HashSet<String> = events.iter().map(|event| json_of(event)["uuid"].to_string()).collect();
    assert_eq!(ids.len(), 7);
    assert_eq!(json_of(&events[6])["sequence_id"], 4);
    assert_eq!(events[6].key, events[0].key);
}

#[test]
fn replayed_for_ever_named_fields_of_time_and_identity_move_on() {
    let text = "{\"id\":\"a\",\"t\":\"2026-01-01T00:00:00Z\"}\n{\"id\":\"b\",\"t\":\"2026-01-01T00:00:09Z\"}\n";
    let (_folder, path) = file("a.jsonl", text);
    let options = ReplayOptions {
        time: Some("t".into()),
        id: Some("id".into()),
        repeat: true,
        limit: Some(5),
        interval_micros: SECOND,
        ..ReplayOptions::new(path, ReplayFormat::JsonLines)
    };
    let events = replay(options);
    let rows: Vec<(Value, Value)> =
        events.iter().map(json_of).map(|row| (row["id"].clone(), row["t"].clone())).collect();
    assert_eq!(rows[1], (json!("b"), json!("2026-01-01T00:00:09Z")));
    assert_eq!(rows[2], (json!("a-1"), json!("2026-01-01T00:00:10.000000Z")));
    assert_eq!(rows[3], (json!("b-1"), json!("2026-01-01T00:00:19.000000Z")));
    assert_eq!(rows[4], (json!("a-2"), json!("2026-01-01T00:00:20.000000Z")));
    assert_eq!(events[4].time, EventTime::parse("2026-01-01T00:00:20Z").unwrap());
}

#[test]
fn for_ever_ends_when_a_round_gives_nothing() {
    let (_folder, path) = file("a.jsonl", "nothing\nof use\n");
    let options =
        ReplayOptions { repeat: true, malformed: Malformed::Skip, ..ReplayOptions::new(path, ReplayFormat::JsonLines) };
    assert!(replay(options).is_empty());
}

#[test]
fn a_random_order_is_seeded_and_gives_every_row_once_a_round() {
    let text: String = (0..100).map(|number| format!("{number}\n")).collect();
    let (_folder, path) = file("a.log", &text);
    let order = Order::Random { seed: 3, window: 100 };
    let options =
        ReplayOptions { order, repeat: true, limit: Some(200), ..ReplayOptions::new(path, ReplayFormat::Lines) };
    let events = replay(options.clone());
    assert_eq!(events, replay(options));
    let (first, second) = events.split_at(100);
    let values = |events: &[Produced]| events.iter().map(|event| event.value.clone()).collect::<Vec<_>>();
    assert_ne!(values(first), values(second));
    for round in [first, second] {
        assert_eq!(values(round).into_iter().collect::<HashSet<_>>().len(), 100);
    }
}

/// Lines of blocks, one of them without.
const BLOCKS: &str = "ask a to delete blk_1 blk_-22 blk_1\nnothing here\nServed block blk_3 to b\n";

fn keys(events: &[Produced]) -> Vec<String> {
    events.iter().map(|event| String::from_utf8(event.key.clone().unwrap()).unwrap()).collect()
}

#[test]
fn a_raw_line_comes_once_for_each_key_that_it_names() {
    let (_folder, path) = file("a.log", BLOCKS);
    let options = ReplayOptions {
        key_pattern: Some(r"blk_-?\d+".into()),
        malformed: Malformed::Skip,
        ..ReplayOptions::new(&path, ReplayFormat::Lines)
    };
    let mut replay_of_all = Replay::open(options.clone()).unwrap();
    let events: Vec<Produced> = replay_of_all.by_ref().collect::<Result<_, _>>().unwrap();
    assert_eq!(keys(&events), ["blk_1", "blk_-22", "blk_3"]);
    assert_eq!((&events[0].value, &events[1].value[..]), (&events[1].value, BLOCKS.lines().next().unwrap().as_bytes()));
    assert_eq!(replay_of_all.counts().skipped(), 1);
    assert_eq!(keys(&replay(ReplayOptions { limit: Some(1), ..options.clone() })), ["blk_1"]);
    let for_ever = replay(ReplayOptions { repeat: true, limit: Some(5), ..options.clone() });
    assert_eq!(keys(&for_ever), ["blk_1", "blk_-22", "blk_3", "blk_1", "blk_-22"]);

    let fault = Replay::open(ReplayOptions { malformed: Malformed::Fail, ..options }).unwrap().nth(2).unwrap();
    let expected = format!(r"replay {}:2: no key: nothing in it matches `blk_-?\d+`", path.display());
    assert_eq!(fault.unwrap_err().to_string(), expected);
}

#[test]
fn the_keys_of_a_line_stay_together_in_a_random_order() {
    let text: String = (0..50).map(|number| format!("{number} k{number}a k{number}b\n")).collect();
    let (_folder, path) = file("a.log", &text);
    let options = ReplayOptions {
        key_pattern: Some(r"k\w+".into()),
        order: Order::Random { seed: 3, window: 50 },
        ..ReplayOptions::new(path, ReplayFormat::Lines)
    };
    let events = replay(options);
    assert_eq!(events.len(), 100);
    assert!(events.chunks(2).all(|pair| pair[0].value == pair[1].value && pair[0].key < pair[1].key));
    assert_ne!(keys(&events)[..2], ["k0a", "k0b"]);
}

#[test]
fn lines_are_put_together_to_records_that_are_keyed_and_numbered_by_their_first_line() {
    let text = "12:00 failed req=7\n  at one\n\n  at two req=8\n12:01 fine\n12:02 fine req=9\n";
    let (_folder, path) = file("a.log", text);
    let options = ReplayOptions {
        key_pattern: Some(r"req=(\d+)".into()),
        multiline_start: Some(r"^\d\d:\d\d ".into()),
        malformed: Malformed::Skip,
        ..ReplayOptions::new(&path, ReplayFormat::Lines)
    };
    let events = replay(options.clone());
    assert_eq!(keys(&events), ["7", "8", "9"]);
    assert_eq!(events[1].value, b"12:00 failed req=7\n  at one\n\n  at two req=8");
    let fault = Replay::open(ReplayOptions { malformed: Malformed::Fail, ..options }).unwrap().nth(2).unwrap();
    assert!(matches!(fault, Err(ProduceError::Malformed { line: 5, .. })));
}

#[test]
fn records_that_are_cut_are_counted() {
    let text = format!("#a\n{}#b\n", "x\n".repeat(RECORD_LINES_MAX));
    let (_folder, path) = file("a.log", &text);
    let options = ReplayOptions { multiline_start: Some("^#".into()), ..ReplayOptions::new(path, ReplayFormat::Lines) };
    let replay = Replay::open(options).unwrap();
    let counts = replay.counts();
    let events: Vec<Produced> = replay.collect::<Result<_, _>>().unwrap();
    assert_eq!((events.len(), counts.cut(), counts.skipped()), (2, 1, 0));
    assert_eq!(events[0].value.split(|byte| *byte == b'\n').count(), RECORD_LINES_MAX);
}

#[test]
fn an_occurrence_matrix_is_keyed_by_block_and_keeps_its_label() {
    let columns: Vec<String> = (1..=29).map(|number| format!("E{number}")).collect();
    let counts = |of: &dyn Fn(u32) -> u32| (1..=29).map(|number| of(number).to_string()).collect::<Vec<_>>().join(",");
    let text = format!(
        "BlockId,Label,Type,{}\nblk_-5,Success,,{}\nblk_61,Fail,21,{}\n",
        columns.join(","),
        counts(&|number| number % 4),
        counts(&|_| 0)
    );
    let (_folder, path) = file("matrix.csv", &text);
    let events = replay(ReplayOptions { key: Some("BlockId".into()), ..ReplayOptions::new(path, ReplayFormat::Csv) });
    assert_eq!(keys(&events), ["blk_-5", "blk_61"]);
    let rows: Vec<Value> = events.iter().map(json_of).collect();
    assert_eq!((&rows[0]["Label"], &rows[1]["Label"]), (&json!("Success"), &json!("Fail")));
    assert_eq!((&rows[0]["Type"], &rows[1]["Type"]), (&Value::Null, &json!(21)));
    assert_eq!(rows[0].as_object().unwrap().len(), 32);
    assert!((1..=29_u32).all(|number| rows[0][format!("E{number}")] == json!(number % 4)));
}

#[test]
fn options_that_do_not_fit_the_format_are_refused() {
    let (_folder, path) = file("a.log", "x");
    let lines = ReplayOptions::new(path, ReplayFormat::Lines);
    let cases = [
        ("key", ReplayOptions { key: Some("k".into()), ..lines.clone() }),
        ("time", ReplayOptions { time: Some("t".into()), ..lines.clone() }),
        ("key pattern", ReplayOptions { key_pattern: Some("(".into()), ..lines.clone() }),
        (
            "key pattern",
            ReplayOptions { key_pattern: Some("k".into()), format: ReplayFormat::JsonLines, ..lines.clone() },
        ),
        ("multiline start", ReplayOptions { multiline_start: Some("[".into()), ..lines.clone() }),
        (
            "multiline start",
            ReplayOptions { multiline_start: Some("s".into()), format: ReplayFormat::Kdd, ..lines.clone() },
        ),
        ("window", ReplayOptions { order: Order::Random { seed: 1, window: 0 }, ..lines }),
    ];
    for (name, options) in cases {
        let refused = Replay::open(options).map(|_| ()).unwrap_err();
        assert!(matches!(refused, ProduceError::Option { option, .. } if option == name), "{refused}");
    }
}
