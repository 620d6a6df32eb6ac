//! Windows, joins and remembered scores: what is put out depends on when the wall clock stood in for events, and on which
//! model was in force. Both are written down as markers. So one task that has never been disturbed, told the records and
//! the markers that were committed, must put out the same, byte by byte: nothing lost, nothing doubled, nothing other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lapwing_pipeline::by_hand::HandClock;
use lapwing_pipeline::error::RunError;
use lapwing_pipeline::marker::{Marker, What};
use lapwing_pipeline::status::Status;
use lapwing_pipeline::task::Task;
use lapwing_vocabulary::{EventTime, Header, Offset, OutputRecord, Partition, Records};

use crate::pipelines::Flavour;
use crate::source::{NOW, Source, TOPIC};

/// Findings told of one story; the first says most.
const FINDINGS_MAX: usize = 8;

/// What is compared of a record: all but the moment it was written.
type Written<'a> = (&'a Option<Vec<u8>>, &'a Vec<u8>, &'a Vec<Header>);

/// Checks all outputs of a story.
/// Errors: those of the stages.
pub fn check(flavour: &Flavour, source: &Source, outputs: &[OutputRecord]) -> Result<Vec<String>, RunError> {
    let mut expected = Vec::new();
    for partition in 0..source.partitions.len() as Partition {
        match markers(flavour, partition, outputs) {
            Ok(markers) => expected.extend(tell(flavour, source, partition, &markers)?),
            Err(finding) => return Ok(vec![finding]),
        }
    }
    // The partition of an output is not told where its topic has others; with one there is one order.
    let is_ordered = source.partitions.len() == 1;
    let (found, expected) = (by_topic(flavour, outputs, is_ordered), by_topic(flavour, &expected, is_ordered));
    let topics: BTreeSet<&str> = found.keys().chain(expected.keys()).copied().collect();
    let differs = |topic: &str| {
        let found = found.get(topic).map_or(&[][..], Vec::as_slice);
        difference(topic, found, expected.get(topic).map_or(&[][..], Vec::as_slice))
    };
    let mut findings: Vec<String> = topics.into_iter().filter_map(differs).collect();
    findings.truncate(FINDINGS_MAX);
    Ok(findings)
}

/// The committed markers of a partition, in order.
fn markers(flavour: &Flavour, partition: Partition, outputs: &[OutputRecord]) -> Result<Vec<Marker>, String> {
    let topic = flavour.plan.topics.markers.as_ref();
    let of = outputs.iter().filter(|record| Some(&record.topic) == topic && record.partition == Some(partition));
    let markers: Result<Vec<Marker>, _> = of.map(|record| serde_json::from_slice(&record.value)).collect();
    let markers = markers.map_err(|error| format!("a marker of partition {partition} does not read back: {error}"))?;
    match markers.windows(2).find(|pair| pair[0].offset > pair[1].offset) {
        Some(pair) => Err(format!("partition {partition}: the marker {:?} comes after {:?}", pair[1], pair[0])),
        None => Ok(markers),
    }
}

/// What one task puts out that is told everything in one go.
fn tell(
    flavour: &Flavour,
    source: &Source,
    partition: Partition,
    markers: &[Marker],
) -> Result<Vec<OutputRecord>, RunError> {
    let all = &source.partitions[partition as usize];
    let mut records = Records::new(TOPIC.into(), partition);
    all.iter().for_each(|record| record.push(&mut records));
    let mut task = Task::new(&flavour.plan, partition, &[])?;
    task.set_model(flavour.models.first().cloned());
    let (status, clock) = (Status::default(), HandClock::at(NOW));
    let (mut outputs, mut from) = (Vec::new(), 0);
    let before = |offset: Offset| all.partition_point(|record| record.offset < offset);
    for marker in markers {
        let until = before(marker.offset);
        outputs.extend(task.process(&records, from..until, &status, &clock)?.outputs);
        from = until;
        match &marker.what {
            What::Tick { tick_micros } => {
                let time = EventTime(*tick_micros);
                outputs.extend(task.tick(time, marker.offset, &status, &clock)?.outputs);
            }
            What::Model { model_version } => {
                let model = flavour.models.iter().find(|model| model.version == *model_version);
                task.set_model(model.map(Arc::clone));
            }
            // No story of these kinds has a table.
            What::Table { .. } => {}
        }
    }
    outputs.extend(task.process(&records, from..records.len(), &status, &clock)?.outputs);
    Ok(outputs)
}

fn by_topic<'a>(
    flavour: &Flavour,
    outputs: &'a [OutputRecord],
    is_ordered: bool,
) -> BTreeMap<&'a str, Vec<Written<'a>>> {
    let markers = flavour.plan.topics.markers.as_ref();
    let mut sorted: BTreeMap<&str, Vec<Written<'_>>> = BTreeMap::new();
    for record in outputs.iter().filter(|record| Some(&record.topic) != markers) {
        sorted.entry(&record.topic).or_default().push((&record.key, &record.value, &record.headers));
    }
    for (topic, records) in &mut sorted {
        // Late records of joined topics come before late events of the same batch, whatever their offsets.
        let is_late = flavour.plan.topics.late.as_ref().is_some_and(|late| **late == **topic);
        if !is_ordered || is_late {
            records.sort_by(|a, b| order(a).cmp(&order(b)));
        }
    }
    sorted
}

/// What records are sorted by where their order says nothing.
fn order<'a>((key, value, headers): &Written<'a>) -> Vec<&'a [u8]> {
    let headers = headers.iter().flat_map(|header| [header.name.as_bytes(), &header.value[..]]);
    [key.as_deref().unwrap_or_default(), &value[..]].into_iter().chain(headers).collect()
}

fn difference(topic: &str, found: &[Written<'_>], expected: &[Written<'_>]) -> Option<String> {
    let at = (0..found.len().max(expected.len())).find(|at| found.get(*at) != expected.get(*at))?;
    let show = |records: &[Written<'_>]| match records.get(at) {
        Some((_, value, headers)) => {
            let headers: Vec<String> = headers
                .iter()
                .map(|header| format!("{}={}", header.name, String::from_utf8_lossy(&header.value)))
                .collect();
            format!("{} {}", String::from_utf8_lossy(value), headers.join(" "))
        }
        None => "nothing".to_owned(),
    };
    let (counts, found, expected) = ((found.len(), expected.len()), show(found), show(expected));
    Some(format!("{topic}: {counts:?} records, the {at}th differs\n    found    {found}\n    expected {expected}"))
}
