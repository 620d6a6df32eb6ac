use std::sync::Arc;

use lapwing_pipeline::plan::Plan;
use lapwing_pipeline::score::Model;
use lapwing_pipeline::status::{Status, get};
use lapwing_pipeline::task::Task;
use lapwing_state::{Kind, SnapshotParts};
use lapwing_vocabulary::{OutputRecord, Reason};

use crate::setup::{FULL, HEAD, HOSTS, by_hand, fitted, hosts, plan};
use crate::stream::{Chance, messy};

/// All that a run leaves behind.
#[derive(Debug, PartialEq)]
struct Left {
    outputs: Vec<(String, Vec<OutputRecord>)>,
    memory: Vec<(String, Vec<u8>)>,
    counters: [u64; 7],
    dead: Vec<(Reason, u64)>,
}

const TOPICS: [&str; 4] = ["small.alerts", "small.enriched", "small.dead_letters", "small.late"];

fn counters(status: &Status) -> [u64; 7] {
    let Status { records, processed, late, filtered, duplicate_matches, coerced, repeats, .. } = status;
    [records, processed, late, filtered, duplicate_matches, coerced, repeats].map(get)
}

/// Feeds the values in batches whose sizes `next_size` names one after the other.
fn run(plan: &Arc<Plan>, model: &Arc<Model>, values: &[Vec<u8>], mut next_size: impl FnMut() -> usize) -> Left {
    let mut hand = by_hand(plan, &hosts(HOSTS), Some(model.clone()));
    let mut rest = values;
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(next_size().min(rest.len()));
        hand.feed(batch).expect("every event passes or is set aside");
        rest = later;
    }
    let of = |topic: &str| hand.outputs.iter().filter(|record| &*record.topic == topic).cloned().collect();
    Left {
        outputs: TOPICS.iter().map(|topic| ((*topic).to_owned(), of(topic))).collect(),
        memory: memory(hand.task()),
        counters: counters(&hand.status),
        dead: hand.status.dead_letters(),
    }
}

/// Everything a task remembers, as bytes.
fn memory(task: &mut Task) -> Vec<(String, Vec<u8>)> {
    let SnapshotParts { tables, mut sections, .. } = task.freeze(0, Kind::Full);
    for (name, table) in tables {
        let mut bytes = Vec::new();
        table.encode(&mut bytes).expect("the memory fits a snapshot");
        sections.push((name, bytes));
    }
    sections
}

#[test]
fn batches_of_one_a_hundred_and_all_give_the_same_bytes_and_counters() {
    let plan = plan(&format!("{HEAD}{FULL}"), &hosts(HOSTS));
    let model = fitted(&plan, &hosts(HOSTS), 1);
    let values = messy(3000, 7);
    let whole = run(&plan, &model, &values, || 50_000);
    let [records, processed, late, filtered, duplicates, coerced, repeats] = whole.counters;
    let dead: u64 = whole.dead.iter().map(|(_, count)| count).sum();
    assert_eq!(records, 3000);
    assert_eq!(
        processed + late + repeats + filtered + dead,
        3000,
        "nothing goes without a counter: {:?}",
        whole.counters
    );
    for (what, count) in [("late", late), ("filtered", filtered), ("doubled", duplicates), ("coerced", coerced)] {
        assert!(count > 10, "the stream has too few {what} events to tell: {count}");
    }
    // The query of this pipeline fails on no event, and it joins no table.
    let never = [Reason::QueryFailed, Reason::TableFull];
    for (reason, count) in whole.dead.iter().filter(|(reason, _)| !never.contains(reason)) {
        assert!(*count > 10, "the stream has too few records that are {reason}: {count}");
    }
    for (topic, outputs) in &whole.outputs {
        assert!(outputs.len() > 10, "{topic} has only {} records", outputs.len());
    }
    for size in [1, 100] {
        assert!(run(&plan, &model, &values, || size) == whole, "batches of {size} differ from one batch");
    }
}

#[test]
fn however_the_stream_is_cut_the_outputs_are_the_same() {
    let plan = plan(&format!("{HEAD}{FULL}"), &hosts(HOSTS));
    let model = fitted(&plan, &hosts(HOSTS), 1);
    for seed in 1..=4 {
        let values = messy(600, 100 + seed);
        let whole = run(&plan, &model, &values, || 50_000);
        let mut chance = Chance::new(seed);
        let cut = run(&plan, &model, &values, || 1 + chance.below(70) as usize);
        assert!(cut == whole, "seed {seed}");
    }
}
