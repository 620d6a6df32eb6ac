use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lapwing_pipeline::by_hand::{ByHand, HandClock};
use lapwing_pipeline::forward::Forwarder;
use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::references::References;
use lapwing_pipeline::status::{Status, get};
use lapwing_pipeline::task::Task;
use lapwing_state::{Features, Kind, Plan as SnapshotPlan, SnapshotStore, restore};
use lapwing_vocabulary::{Deviation, OutputRecord, Reason};
use serde_json::Value;

use crate::fake::{Calls, Cut, FakeTransport, Log, Script};
use crate::outputs::{alert_of, json, of_topic};
use crate::setup::{by_hand, compile, settings};
use crate::stream::{Chance, NOW};

const LIST: &str = "EventId,EventTemplate\nE1,Receiving block <*> src: <*> dest: <*>\nE2,Received block <*> of size <*>\n\
                    E3,Deleting block <*> file <*>\n";

const LOGS: &str = r#"
name = "logs"
max_record_bytes = "400B"
[source]
topic = "raw"
format = "lines"
key = "block"
time = "time"
watermark = "5s"
[source.lines]
layout = "hdfs"
keys = 'blk_-?\d+'
[templates]
column = "message"
seed = "list.csv"
parameters = 2
[window]
kind = "session"
gap = "1m"
[window.columns]
events = { counts = "template" }
order = { sequence = "template", length = 6 }
seconds = { span = "*" }
new = { sum = "template_new" }
[window.texts]
events = 4
[detect.counts]
method = "count_distance"
inputs = ["events"]
[decide]
alert_rate = 0.02
"#;

fn plan() -> Arc<Plan> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("list.csv"), LIST).unwrap();
    compile(settings(LOGS, folder.path()), &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// A line of 2008-11-09, `seconds` after midnight.
fn line(seconds: u32, message: &str) -> Vec<u8> {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("081109 {hours:02}{minutes:02}{:02} 143 INFO dfs.DataNode$DataXceiver: {message}", seconds % 60)
        .into_bytes()
}

fn receiving(seconds: u32, block: i64) -> Vec<u8> {
    line(seconds, &format!("Receiving block blk_{block} src: /10.0.0.1:54106 dest: /10.0.0.2:50010"))
}

fn received(seconds: u32, block: i64) -> Vec<u8> {
    line(seconds, &format!("Received block blk_{block} of size 67108864"))
}

fn rows(outputs: &[OutputRecord]) -> Vec<Value> {
    of_topic(outputs, "logs.enriched").into_iter().map(json).collect()
}

/// Blocks that are received three times each, now and then with a line of other kinds.
fn ordinary(blocks: i64, seed: u64) -> Vec<Vec<u8>> {
    let mut chance = Chance::new(seed);
    let mut lines = Vec::new();
    for block in 0..blocks {
        let at = block as u32 * 3;
        (0..3).for_each(|copy| lines.push((at + copy, receiving(at + copy, block))));
        (0..3).for_each(|copy| lines.push((at + 3 + copy, received(at + 3 + copy, block))));
        if chance.below(4) == 0 {
            let text = format!("Starting thread to transfer block blk_{block} to 10.0.0.{}:50010", chance.below(9));
            lines.push((at + 6, line(at + 6, &text)));
        }
        if chance.below(5) == 0 && block > 0 {
            lines.push((at + 7, line(at + 7, &format!("ask 10.0.0.1:50010 to delete blk_{block} blk_{}", block - 1))));
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(_, line)| line).collect()
}

#[test]
fn lines_become_blocks_with_counts_order_and_texts() {
    let mut hand = by_hand(&plan(), &[], None);
    let strange = line(3, "Something nobody knows of blk_7 and blk_8");
    hand.feed(&[receiving(0, 7), received(2, 7), strange, receiving(4, 7), receiving(200, 9)]).unwrap();
    let rows = rows(&hand.outputs);
    let row = rows.iter().find(|row| row["block"] == "blk_7").expect("the session is over");
    let expected = [
        ("window_events", Value::from(4)),
        ("events_E1", 2.0.into()),
        ("events_E2", 1.0.into()),
        ("events_E3", 0.0.into()),
        ("events_other", 1.0.into()),
        ("order_1", 1.0.into()),
        ("order_2", 2.0.into()),
        ("order_3", 0.0.into()),
        ("order_4", 1.0.into()),
        ("order_5", Value::Null),
        ("seconds", 4.0.into()),
        ("new", 1.0.into()),
    ];
    for (name, value) in expected {
        assert_eq!(row[name], value, "{name} of {row}");
    }
    let other = rows.iter().find(|row| row["block"] == "blk_8").expect("the line is one of each block that it names");
    assert_eq!((&other["window_events"], &other["events_other"]), (&1.into(), &1.0.into()));
    assert_eq!(hand.task().templates().unwrap().known(), 4);
    assert_eq!(get(&hand.status.templates_created), 1);
}

fn fitted(plan: &Arc<Plan>) -> Arc<lapwing_pipeline::score::Model> {
    use lapwing_detect::{Ensemble, ModelColumns, TrainingSet};
    use lapwing_pipeline::task::Product;
    let lines = ordinary(600, 1);
    let mut records = lapwing_vocabulary::Records::new("raw".into(), 0);
    lines.iter().enumerate().for_each(|(offset, line)| records.push(offset as i64, NOW, None, line, Vec::new()));
    let mut task = Task::new(plan, 0, &[]).unwrap();
    let clock = HandClock::at(NOW);
    let batch =
        task.score_batch(&records, 0..lines.len(), &Status::default(), &clock, &mut Product::default()).unwrap();
    let rows = [batch.events.rows];
    let columns = ModelColumns::fit(&plan.inputs, &rows).unwrap();
    let matrix = columns.encode(&rows[0]).unwrap();
    let set = TrainingSet::unlabelled(&matrix);
    let ensemble = Ensemble::fit(columns, &set, &plan.members, plan.settings.decide.alert_rate, 1).unwrap();
    Arc::new(lapwing_pipeline::score::Model { name: "logs".to_owned(), version: 1, ensemble })
}

#[test]
fn an_alert_shows_the_lines_and_what_is_strange_about_their_templates() {
    let plan = plan();
    let mut hand = by_hand(&plan, &[], Some(fitted(&plan)));
    let mut lines: Vec<Vec<u8>> = (0..9).map(|at| line(at, &format!("Deleting block blk_5 file /a/{at}"))).collect();
    lines.insert(0, receiving(0, 5));
    lines.push(receiving(300, 6));
    hand.feed(&lines).unwrap();
    let alerts: Vec<_> = of_topic(&hand.outputs, "logs.alerts").into_iter().map(alert_of).collect();
    let alert = alerts.iter().find(|alert| alert.entity == "blk_5").expect("nine deletions are strange");
    let many = alert.templates.iter().find(|found| found.template == "E3").expect("it is named");
    assert_eq!((many.finding, many.actual), (Deviation::TooMany, 9.0));
    assert_eq!(many.text, "Deleting block <*> file <*>");
    assert!(alert.summary.contains("E3"), "{}", alert.summary);
    // The first two and the last two lines, as they were read.
    let offsets: Vec<i64> = alert.lines.iter().map(|line| line.position.offset).collect();
    assert_eq!(offsets, [0, 1, 8, 9]);
    assert_eq!(alert.lines[0].text.as_bytes(), receiving(0, 5));
    assert_eq!(alert.lines[3].time, "2008-11-09T00:00:08.000000Z");
}

/// Everything that was put out for the lines, in batches of `size`, with a restart from a snapshot after each
/// `restart` batches.
fn run(lines: &[Vec<u8>], size: usize, restart: Option<usize>) -> Vec<OutputRecord> {
    let plan = plan();
    let model = fitted(&plan);
    let folder = tempfile::tempdir().unwrap();
    let store = SnapshotStore::open(folder.path()).unwrap();
    let mut hand = by_hand(&plan, &[], Some(model.clone()));
    let mut fed = 0;
    for (number, batch) in lines.chunks(size).enumerate() {
        hand.feed(batch).unwrap();
        fed += batch.len() as i64;
        if restart.is_some_and(|every| number % every == every - 1) {
            restarted(&mut hand, &plan, &store, fed);
            hand.task().set_model(Some(model.clone()));
        }
    }
    // The records of one topic have an order; those of two have none between them.
    let mut outputs = hand.outputs;
    outputs.sort_by(|one, other| one.topic.cmp(&other.topic));
    outputs
}

fn restarted(hand: &mut ByHand, plan: &Arc<Plan>, store: &SnapshotStore, offset: i64) {
    store.write(SnapshotPlan::Full, hand.task().freeze(offset, Kind::Full)).unwrap();
    let mut make = |_: &_, name: &str, words: usize| plan.empty_table(name, words);
    let restored = restore(store, &plan.identity(0), Features::Any, Some(offset), 0, &mut make).unwrap();
    let mut task = Task::new(plan, 0, &[]).unwrap();
    let snapshot = restored.snapshot.expect("it was just written");
    task.restore(snapshot, &References::open(&[], None).unwrap()).unwrap();
    *hand.task() = task;
}

#[test]
fn batches_and_restarts_change_nothing() {
    let lines = ordinary(400, 2);
    let whole = run(&lines, lines.len(), None);
    assert!(rows(&whole).len() > 300);
    for (size, restart) in [(1, None), (7, Some(3)), (100, Some(1))] {
        assert!(run(&lines, size, restart) == whole, "batches of {size}");
    }
}

#[test]
fn what_is_no_line_of_the_log_becomes_a_dead_letter_and_an_explosion_of_templates_stays_bounded() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("list.csv"), LIST).unwrap();
    let text = LOGS.replace("parameters = 2", "max_templates = 50\nlearn = true");
    let plan = compile(settings(&text, folder.path()), &[]).unwrap();
    let mut hand = by_hand(&plan, &[], None);
    let huge = line(3, &format!("blk_1 {}", "x".repeat(400)));
    hand.feed(&[b"\xff\xfe".to_vec(), b"rubbish".to_vec(), line(1, "no block"), huge, receiving(0, 1)]).unwrap();
    let dead = |reason| hand.status.dead_letters().iter().find(|(known, _)| *known == reason).map(|(_, count)| *count);
    assert_eq!(dead(Reason::Malformed), Some(2));
    assert_eq!((dead(Reason::MissingKey), dead(Reason::TooLarge)), (Some(1), Some(1)));
    let word = |number: u64| -> String { format!("{number:b}").replace('0', "a").replace('1', "b") };
    let unique: Vec<Vec<u8>> = (0..3_000)
        .map(|at| line(2, &format!("{} {} {} blk_{at}", word(at), word(at * 7919), word(at + 99_991))))
        .collect();
    hand.feed(&unique).unwrap();
    assert!(hand.task().templates().unwrap().known() <= 50 + 3 + 1, "{}", hand.task().templates().unwrap().known());
    assert!(get(&hand.status.templates_evicted) > 0);
}

#[test]
fn a_line_is_forwarded_to_each_block_that_it_names() {
    let two = line(1, "ask 10.0.0.1:50010 to delete blk_1 blk_2");
    let (log, status) =
        (Log::new(vec![vec![two.clone(), receiving(2, 3), b"rubbish".to_vec()]]), Arc::new(Status::default()));
    let clock = Arc::new(HandClock::at(NOW));
    let calls = Arc::new(std::sync::Mutex::new(Calls::default()));
    let transport = FakeTransport::new(&log, &clock, Script::calm(log.partitions(), Cut::Even(20)), &calls);
    let text = LOGS.replace("watermark", "repartition = true\nwatermark");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("list.csv"), LIST).unwrap();
    let plan = compile(settings(&text, folder.path()), &[]).unwrap();
    let forwarder = Forwarder::new(transport, &plan, ("again", 3), status, clock).unwrap();
    forwarder.run(&AtomicBool::new(false)).unwrap();
    let keys: Vec<Option<String>> =
        log.outputs().iter().map(|record| record.key.clone().map(|key| String::from_utf8(key).unwrap())).collect();
    let key = |text: &str| Some(text.to_owned());
    assert_eq!(keys.len(), 4);
    for expected in [key("blk_1"), key("blk_2"), key("blk_3"), None] {
        assert!(keys.contains(&expected), "{expected:?} in {keys:?}");
    }
    assert_eq!(log.outputs().iter().filter(|record| record.value == two).count(), 2);
}
