//! The laws, checked when a story is over: every record has exactly the fate it must have, once and in order; every
//! alert id is there once; and the bytes are those of a run in which nothing happened.
//!
//! Models and reference tables change between epochs, so when each came into force is read from the outputs
//! themselves. A model says nothing about memory: each record may have been scored by any one of them, with its alert.
//! A table does: from one record on every later one must have seen it, in its features too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::error::RunError;
use lapwing_pipeline::render::SOURCE_HEADER;
use lapwing_pipeline::score::Model;
use lapwing_pipeline::status::Status;
use lapwing_pipeline::task::Task;
use lapwing_vocabulary::dead_letter::{HEADER_OFFSET, HEADER_PARTITION};
use lapwing_vocabulary::{Alert, Header, Offset, OutputRecord, Partition, Records};

use crate::pipelines::{EDITIONS, Flavour};
use crate::source::{Fate, NOW, Source, SourceRecord, TOPIC};

/// Findings told of one story; the first says most.
const FINDINGS_MAX: usize = 8;

/// Topics that a pipeline puts out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Enriched,
    Alert,
    Dead,
    Late,
}

/// What is compared of a record: all but the moment it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    key: Option<Vec<u8>>,
    value: Vec<u8>,
    headers: Vec<Header>,
}

/// Outputs of one kind and one partition, in the order they were committed.
type Sorted = BTreeMap<(Kind, Partition), Vec<(Offset, Written)>>;

/// Checks all outputs of a story.
pub fn check(flavour: &Flavour, source: &Source, outputs: &[OutputRecord]) -> Result<Vec<String>, RunError> {
    let mut findings = Vec::new();
    let found = sort(flavour, outputs, &mut findings);
    check_order(&found, &mut findings);
    check_fates(source, &found, &mut findings);
    check_alert_ids(flavour, outputs, &mut findings);
    // Without the right records in the right order the bytes would only say the same again.
    if findings.is_empty() {
        for partition in 0..source.partitions.len() as Partition {
            check_bytes(flavour, source, partition, &found, &mut findings)?;
        }
    }
    findings.truncate(FINDINGS_MAX);
    Ok(findings)
}

fn kind_of(flavour: &Flavour, topic: &Arc<str>) -> Option<Kind> {
    let topics = &flavour.plan.topics;
    match topic {
        topic if *topic == topics.alerts => Some(Kind::Alert),
        topic if *topic == topics.dead_letters => Some(Kind::Dead),
        topic if Some(topic) == topics.enriched.as_ref() => Some(Kind::Enriched),
        topic if Some(topic) == topics.late.as_ref() => Some(Kind::Late),
        _ => None,
    }
}

/// Partition and offset of the record that an output is about.
fn origin(kind: Kind, record: &OutputRecord) -> Option<(Partition, Offset)> {
    let header = |name: &str| {
        let found = record.headers.iter().find(|header| header.name == name)?;
        std::str::from_utf8(&found.value).ok()
    };
    match kind {
        Kind::Alert => {
            let alert: Alert = serde_json::from_slice(&record.value).ok()?;
            alert.positions.first().map(|position| (position.partition, position.offset))
        }
        Kind::Dead => Some((header(HEADER_PARTITION)?.parse().ok()?, header(HEADER_OFFSET)?.parse().ok()?)),
        Kind::Enriched | Kind::Late => {
            let (partition, offset) = header(SOURCE_HEADER)?.rsplit_once('[')?.1.split_once("]@")?;
            Some((partition.parse().ok()?, offset.parse().ok()?))
        }
    }
}

fn sort(flavour: &Flavour, outputs: &[OutputRecord], findings: &mut Vec<String>) -> Sorted {
    let mut sorted = Sorted::new();
    let markers = flavour.plan.topics.markers.as_ref();
    for record in outputs.iter().filter(|record| Some(&record.topic) != markers) {
        let placed = kind_of(flavour, &record.topic).and_then(|kind| Some((kind, origin(kind, record)?)));
        let Some((kind, (partition, offset))) = placed else {
            findings.push(format!("a record of `{}` does not say where it comes from", record.topic));
            continue;
        };
        let written = Written { key: record.key.clone(), value: record.value.clone(), headers: record.headers.clone() };
        sorted.entry((kind, partition)).or_default().push((offset, written));
    }
    sorted
}

fn check_order(found: &Sorted, findings: &mut Vec<String>) {
    for ((kind, partition), records) in found {
        for pair in records.windows(2) {
            let (before, after) = (pair[0].0, pair[1].0);
            if after <= before {
                let what = if after == before { "doubled" } else { "doubled or out of order" };
                findings.push(format!("{kind:?} of partition {partition}: {after} after {before}: {what}"));
            }
        }
    }
}

fn check_fates(source: &Source, found: &Sorted, findings: &mut Vec<String>) {
    for (partition, records) in (0..).zip(&source.partitions) {
        let offsets = |kind| -> BTreeSet<Offset> {
            found.get(&(kind, partition)).into_iter().flatten().map(|(offset, _)| *offset).collect()
        };
        let fates = [(Kind::Enriched, Fate::Enriched), (Kind::Dead, Fate::Dead), (Kind::Late, Fate::Late)];
        let known: BTreeSet<Offset> = records.iter().map(|record| record.offset).collect();
        for (kind, fate) in fates {
            let put_out = offsets(kind);
            for SourceRecord { offset, fate: due, .. } in records {
                match (put_out.contains(offset), *due == fate) {
                    (false, true) => {
                        findings.push(format!("record {partition}@{offset} is lost; it should be {due:?}"))
                    }
                    (true, false) => findings.push(format!("record {partition}@{offset} is {kind:?}, not {due:?}")),
                    _ => {}
                }
            }
            findings.extend(put_out.difference(&known).map(|offset| format!("record {partition}@{offset} never was")));
        }
    }
}

fn check_alert_ids(flavour: &Flavour, outputs: &[OutputRecord], findings: &mut Vec<String>) {
    let mut ids = BTreeSet::new();
    for record in outputs.iter().filter(|record| record.topic == flavour.plan.topics.alerts) {
        match serde_json::from_slice::<Alert>(&record.value) {
            Ok(alert) if ids.insert(alert.id.clone()) => {}
            Ok(alert) => findings.push(format!("alert {} is there twice", alert.id)),
            Err(error) => findings.push(format!("an alert does not read back: {error}")),
        }
    }
}

/// Records of a kind by offset.
type ByOffset<'a> = BTreeMap<Offset, &'a Written>;

fn of_kind(sorted: &Sorted, kind: Kind, partition: Partition) -> ByOffset<'_> {
    sorted.get(&(kind, partition)).into_iter().flatten().map(|(offset, written)| (*offset, written)).collect()
}

fn check_bytes(
    flavour: &Flavour,
    source: &Source,
    partition: Partition,
    found: &Sorted,
    findings: &mut Vec<String>,
) -> Result<(), RunError> {
    let enriched = of_kind(found, Kind::Enriched, partition);
    let switches = match switches(flavour, &enriched) {
        Ok(switches) => switches,
        Err(finding) => {
            findings.push(format!("partition {partition}: {finding}"));
            return Ok(());
        }
    };
    let records = &source.partitions[partition as usize];
    // Most stories have one model only; the next is asked for what the one before does not explain.
    let mut unexplained: Option<BTreeMap<Offset, String>> = None;
    for model in &flavour.models {
        let expected = undisturbed(flavour, model, records, partition, &switches, findings)?;
        let differs = |offset: &Offset| difference(found, &expected, partition, *offset);
        let left = match unexplained {
            None => records.iter().filter_map(|record| Some((record.offset, differs(&record.offset)?))).collect(),
            Some(mut before) => {
                before.retain(|offset, _| differs(offset).is_some());
                before
            }
        };
        if left.is_empty() {
            return Ok(());
        }
        unexplained = Some(left);
    }
    findings.extend(unexplained.unwrap_or_default().into_values());
    Ok(())
}

/// What differs of everything that was made of one record.
fn difference(found: &Sorted, expected: &Sorted, partition: Partition, offset: Offset) -> Option<String> {
    for kind in [Kind::Enriched, Kind::Alert, Kind::Dead, Kind::Late] {
        let one = |sorted: &Sorted| {
            let records = sorted.get(&(kind, partition))?;
            let at = records.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
            Some(records[at].1.clone())
        };
        let (found, expected) = (one(found), one(expected));
        if found != expected {
            let show = |written: Option<Written>| match written {
                Some(written) => String::from_utf8_lossy(&written.value).into_owned(),
                None => "nothing".to_owned(),
            };
            let (found, expected) = (show(found), show(expected));
            return Some(format!("{kind:?} of {partition}@{offset}\n    found    {found}\n    expected {expected}"));
        }
    }
    None
}

/// From which record on each edition of the table was in force, by what the records say they saw. Empty without a table.
fn switches(flavour: &Flavour, enriched: &ByOffset<'_>) -> Result<Vec<(Offset, usize)>, String> {
    let mut switches: Vec<(Offset, usize)> = Vec::new();
    if flavour.editions.is_empty() {
        return Ok(switches);
    }
    for (offset, written) in enriched {
        let event: serde_json::Value = serde_json::from_slice(&written.value).map_err(|error| error.to_string())?;
        let told = event.get("edition").and_then(serde_json::Value::as_str);
        let edition = EDITIONS.iter().position(|edition| Some(*edition) == told);
        let edition = edition.ok_or_else(|| format!("event {offset} saw no edition of the table"))?;
        match switches.last() {
            Some((_, before)) if *before == edition => {}
            Some((_, before)) if *before > edition => {
                return Err(format!("event {offset} saw the older edition {edition} after {before}"));
            }
            _ => switches.push((*offset, edition)),
        }
    }
    Ok(switches)
}

/// What one task puts out in one go, with each edition of the table from its record on.
fn undisturbed(
    flavour: &Flavour,
    model: &Arc<Model>,
    source: &[SourceRecord],
    partition: Partition,
    switches: &[(Offset, usize)],
    findings: &mut Vec<String>,
) -> Result<Sorted, RunError> {
    let first = switches.first().map_or(0, |(_, edition)| *edition);
    let table = flavour.editions.get(first).cloned();
    let mut task = Task::new(&flavour.plan, partition, table.as_slice())?;
    task.set_model(Some(model.clone()));
    let mut records = Records::new(TOPIC.into(), partition);
    for record in source {
        record.push(&mut records);
    }
    let (status, clock) = (Status::default(), HandClock::at(NOW));
    let (mut outputs, mut from) = (Vec::new(), 0);
    for (offset, edition) in switches.iter().skip(1) {
        let until = source.partition_point(|record| record.offset < *offset);
        outputs.extend(task.process(&records, from..until, &status, &clock)?.outputs);
        let table = flavour.editions[*edition].clone();
        task.enrich_mut().replace_table(table).map_err(|e| RunError::Plan(vec![e.to_string()]))?;
        from = until;
    }
    outputs.extend(task.process(&records, from..records.len(), &status, &clock)?.outputs);
    Ok(sort(flavour, &outputs, findings))
}
