use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use lapwing_pipeline::settings::Pipeline;
use lapwing_server::Quality;
use lapwing_vocabulary::port::Topics;
use serde::Deserialize;

use super::world::{Truth, World};
use crate::failure::{DATA, Failure};
use crate::transports;

/// Records read from one partition at a time.
const READ_RECORDS: usize = 20_000;

/// Reads the enriched topic, as any consumer would, and compares what was flagged with the truth.
pub(super) struct Tally {
    topics: Box<dyn Topics>,
    topic: String,
    next: Vec<i64>,
    world: World,
    truth: Truth,
    /// Whether each block was flagged in any of its rows.
    blocks: HashMap<String, bool>,
    counts: Counts,
}

/// What was judged, by label and flag.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    world: World,
    /// Per label: all, and those that were flagged.
    labels: BTreeMap<String, (u64, u64)>,
}

/// The fields of an enriched event that matter here.
#[derive(Deserialize)]
struct Enriched {
    label: String,
    anomaly: bool,
}

/// The fields of a block's row that matter here.
#[derive(Deserialize)]
struct Block {
    block_id: String,
    anomaly: bool,
}

/// Label of events that are not anomalous.
const NORMAL: &str = "normal";

impl Tally {
    pub(super) fn new(
        world: World,
        truth: Truth,
        mut topics: Box<dyn Topics>,
        settings: &Pipeline,
    ) -> Result<Self, Failure> {
        let topic = settings.outputs.enriched.clone().unwrap_or_default();
        let next = transports::describe(topics.as_mut(), &topic)?.partitions.iter().map(|(_, end)| *end).collect();
        let counts = Counts { world, labels: BTreeMap::new() };
        Ok(Self { topics, topic, next, world, truth, blocks: HashMap::new(), counts })
    }

    /// Counts what has been committed since the last time.
    pub(super) fn advance(&mut self) -> Result<(), Failure> {
        for partition in 0..self.next.len() {
            loop {
                let records = self.topics.read(&self.topic, partition as i32, self.next[partition], READ_RECORDS)?;
                let Some(last) = records.last_offset() else { break };
                for index in 0..records.len() {
                    let fault = |error| Failure::new(DATA, format!("{}: {error}", records.position(index)));
                    match self.world {
                        World::Telemetry => {
                            let Enriched { label, anomaly } =
                                serde_json::from_slice(records.value(index)).map_err(fault)?;
                            self.counts.add(label, anomaly);
                        }
                        World::Logs => self.add_block(serde_json::from_slice(records.value(index)).map_err(fault)?),
                    }
                }
                self.next[partition] = last + 1;
            }
        }
        Ok(())
    }

    /// A block may have several rows: it counts once, as flagged if one of them is.
    fn add_block(&mut self, Block { block_id, anomaly }: Block) {
        let truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
        let label = truth.get(&block_id).cloned().unwrap_or_else(|| NORMAL.to_owned());
        drop(truth);
        match self.blocks.get_mut(&block_id) {
            None => {
                self.blocks.insert(block_id, anomaly);
                self.counts.add(label, anomaly);
            }
            Some(flagged) if anomaly && !*flagged => {
                *flagged = true;
                self.counts.labels.entry(label).or_default().1 += 1;
            }
            Some(_) => {}
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts.clone()
    }
}

impl Counts {
    fn add(&mut self, label: String, flagged: bool) {
        let counts = self.labels.entry(label).or_default();
        counts.0 += 1;
        counts.1 += u64::from(flagged);
    }

    /// Whether each event is judged by itself.
    pub(super) fn is_of_events(&self) -> bool {
        self.world == World::Telemetry
    }

    /// What is judged, in a word.
    pub(super) fn unit(&self) -> &'static str {
        self.world.unit()
    }

    /// All that was judged.
    pub(super) fn all(&self) -> u64 {
        self.labels.values().map(|(events, _)| events).sum()
    }

    /// Events that are anomalous, and those of them that were flagged.
    pub(super) fn anomalous(&self) -> (u64, u64) {
        let anomalous = self.labels.iter().filter(|(label, _)| *label != NORMAL);
        anomalous.fold((0, 0), |(all, found), (_, (events, flagged))| (all + events, found + flagged))
    }

    /// Normal events, and those of them that were flagged.
    pub(super) fn normal(&self) -> (u64, u64) {
        self.labels.get(NORMAL).copied().unwrap_or_default()
    }

    /// Precision, recall and false positive rate over events. Where nothing was flagged, precision is 1; where nothing
    /// is anomalous, recall is 1.
    pub(super) fn quality(&self) -> Quality {
        let ((anomalous, found), (normal, false_alarms)) = (self.anomalous(), self.normal());
        let share = |part: u64, whole: u64, empty: f64| if whole == 0 { empty } else { part as f64 / whole as f64 };
        Quality {
            precision: share(found, found + false_alarms, 1.0),
            recall: share(found, anomalous, 1.0),
            false_positive_rate: share(false_alarms, normal, 0.0),
        }
    }

    /// Share of flagged events per kind of anomaly.
    pub(super) fn recall_by_label(&self) -> BTreeMap<String, f64> {
        let anomalous = self.labels.iter().filter(|(label, _)| *label != NORMAL);
        anomalous.map(|(label, (events, flagged))| (label.clone(), *flagged as f64 / *events as f64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_is_counted_over_events() {
        let labels = [("normal", (1000, 4)), ("port_scan", (10, 9)), ("dead_host", (10, 7))];
        let labels = labels.into_iter().map(|(label, counts)| (label.to_owned(), counts)).collect();
        let quality = Counts { world: World::Telemetry, labels }.quality();
        assert_eq!((quality.precision, quality.recall, quality.false_positive_rate), (0.8, 0.8, 0.004));
        let nothing = Counts { world: World::Telemetry, labels: BTreeMap::new() }.quality();
        assert_eq!((nothing.precision, nothing.recall, nothing.false_positive_rate), (1.0, 1.0, 0.0));
    }
}
