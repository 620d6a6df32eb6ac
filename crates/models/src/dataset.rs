//! A uniform sample of rows, bounded in memory, that depends on the rows and the seed alone: every row draws a priority
//! from its position, and the rows with the smallest priorities stay. How the stream was cut into batches, or read in
//! parallel, makes no difference.
//! Source: bottom-k sampling; Cohen and Kaplan, "Summarizing data using bottom-k sketches", PODC 2007.

use arrow::array::{BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use lapwing_vocabulary::EventBatch;

use crate::error::ModelError;

/// Collects rows until the stream ends.
#[derive(Debug)]
pub struct Dataset {
    sample: usize,
    seed: u64,

    parts: Vec<Part>,
    kept: usize,
    threshold: u64,

    seen: u64,
    first_micros: i64,
    last_micros: i64,
}

/// Rows of one batch that are still in the sample.
#[derive(Debug)]
struct Part {
    rows: RecordBatch,
    priorities: Vec<u64>,
    order: Vec<(i32, i64)>,
}

impl Dataset {
    /// An empty sample of at most `sample` rows.
    pub fn new(sample: usize, seed: u64) -> Self {
        let (first_micros, last_micros) = (i64::MAX, i64::MIN);
        Self { sample, seed, parts: Vec::new(), kept: 0, threshold: u64::MAX, seen: 0, first_micros, last_micros }
    }

    /// Offers the rows of a batch for which `wanted` holds (all, if `None`).
    pub fn offer(&mut self, events: &EventBatch, wanted: Option<&BooleanArray>) {
        let mut keep = Vec::new();
        let (mut priorities, mut order) = (Vec::new(), Vec::new());
        for row in 0..events.len() {
            if wanted.is_some_and(|wanted| !wanted.value(row)) {
                continue;
            }
            self.seen += 1;
            self.first_micros = self.first_micros.min(events.times[row].0);
            self.last_micros = self.last_micros.max(events.times[row].0);
            let place = (events.partition, events.offsets[row]);
            let priority = mix(self.seed ^ mix((place.0 as u64) << 48 ^ place.1 as u64));
            if priority <= self.threshold {
                keep.push(row as u32);
                priorities.push(priority);
                order.push(place);
            }
        }
        if keep.is_empty() {
            return;
        }
        self.kept += keep.len();
        let rows = take_record_batch(&events.rows, &UInt32Array::from(keep)).expect("rows lie within the batch");
        self.parts.push(Part { rows, priorities, order });
        if self.kept > self.sample.saturating_mul(2) {
            self.thin();
        }
    }

    /// Lowers the threshold so that exactly `sample` rows stay.
    fn thin(&mut self) {
        let mut all: Vec<u64> = self.parts.iter().flat_map(|part| part.priorities.iter().copied()).collect();
        if all.len() <= self.sample || self.sample == 0 {
            return;
        }
        let (_, threshold, _) = all.select_nth_unstable(self.sample - 1);
        self.threshold = *threshold;
        for part in &mut self.parts {
            part.keep_below(self.threshold);
        }
        self.parts.retain(|part| !part.priorities.is_empty());
        self.kept = self.parts.iter().map(|part| part.priorities.len()).sum();
    }

    /// Rows offered so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Event times of the first and last row offered. Units: microseconds since the epoch.
    pub fn span_micros(&self) -> Option<(i64, i64)> {
        (self.seen > 0).then_some((self.first_micros, self.last_micros))
    }

    /// The sample, in the order of partition and offset.
    pub fn finish(mut self) -> Result<RecordBatch, ModelError> {
        self.thin();
        let Some(first) = self.parts.first() else { return Err(ModelError::NoRows(String::new())) };
        let rows = concat_batches(&first.rows.schema(), self.parts.iter().map(|part| &part.rows))
            .expect("all parts come from one plan");
        let order: Vec<(i32, i64)> = self.parts.iter().flat_map(|part| part.order.iter().copied()).collect();
        let mut sorted: Vec<u32> = (0..order.len() as u32).collect();
        sorted.sort_unstable_by_key(|row| order[*row as usize]);
        Ok(take_record_batch(&rows, &UInt32Array::from(sorted)).expect("a permutation of the rows"))
    }
}

impl Part {
    fn keep_below(&mut self, threshold: u64) {
        let stays: Vec<bool> = self.priorities.iter().map(|priority| *priority <= threshold).collect();
        if stays.iter().all(|stays| *stays) {
            return;
        }
        self.rows = filter_record_batch(&self.rows, &BooleanArray::from(stays.clone())).expect("one flag per row");
        let mut flags = stays.iter();
        self.priorities.retain(|_| *flags.next().expect("one flag per priority"));
        let mut flags = stays.iter();
        self.order.retain(|_| *flags.next().expect("one flag per place"));
    }
}

/// Source: SplitMix64's finaliser; Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use lapwing_vocabulary::EventTime;

    use super::*;

    fn batch(partition: i32, offsets: std::ops::Range<i64>) -> EventBatch {
        let values = Arc::new(Int64Array::from_iter_values(offsets.clone())) as _;
        EventBatch {
            topic: "t".into(),
            partition,
            rows: RecordBatch::try_from_iter([("n", values)]).unwrap(),
            times: offsets.clone().map(EventTime).collect(),
            arrived: offsets.clone().collect(),
            offsets: offsets.collect(),
        }
    }

    fn sampled(batches: &[(i32, std::ops::Range<i64>)]) -> Vec<i64> {
        let mut dataset = Dataset::new(50, 7);
        for (partition, offsets) in batches {
            dataset.offer(&batch(*partition, offsets.clone()), None);
        }
        dataset.finish().unwrap().column(0).as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn the_sample_does_not_depend_on_batches_or_their_order() {
        let whole = sampled(&[(0, 0..1000), (1, 0..1000)]);
        assert_eq!(whole.len(), 50);
        assert_eq!(whole, sampled(&[(1, 0..400), (0, 0..1), (1, 400..1000), (0, 1..1000)]));
        assert_eq!(sampled(&[(0, 0..7)]), (0..7).collect::<Vec<_>>());
    }

    #[test]
    fn every_row_has_the_same_chance() {
        let mut early = 0;
        for seed in 0..200 {
            let mut dataset = Dataset::new(20, seed);
            dataset.offer(&batch(0, 0..1000), None);
            let rows = dataset.finish().unwrap();
            early += rows.column(0).as_primitive::<Int64Type>().values().iter().filter(|n| **n < 500).count();
        }
        // 4,000 draws with chance one half: five standard deviations are 158.
        assert!((1842..=2158).contains(&early), "{early}");
    }
}
