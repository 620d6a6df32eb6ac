use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, VecDeque};

use lapwing_vocabulary::EventTime;
use lapwing_vocabulary::time::SECOND;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::anomaly::AnomalyKind;
use super::block::{Block, Step, write_name};
use super::cluster::Cluster;
use super::failure::tell;
use super::job::{File, Jobs};
use super::life::Life;
use super::line::Writer;
use super::message::Message;
use super::options::{LogsOptions, Records};
use crate::chance::generator;
use crate::error::ProduceError;
use crate::flow::Flow;
use crate::produced::{Label, Produced};
use crate::week::level;

/// Room for a line that names one block: they take some 140 bytes.
const LINE_BYTES: usize = 176;
/// Most blocks that a node is asked to delete at once, as there.
const ASKED_MAX: usize = 100;

/// Streams of the scenario's generator.
const ARRIVALS: u64 = 0;
const CONTENT: u64 = 1;
const WRITING: u64 = 2;
const CLUSTER: u64 = 3;

/// How busy the cluster is at a moment: more by day than by night, and than at weekends; 1 on average over a week.
fn busy(micros: i64) -> Vec<f64> {
    vec![level(EventTime(micros), 14.0, 0.5, 0.7)]
}

/// The next step of a block: its time, whether it shares no line, the block's place. In this order, so that requests of
/// one moment to one node, which are one line, follow upon each other.
type Due = Reverse<(i64, bool, usize)>;

/// The scenario: an iterator of records in the order of their times.
#[derive(Debug)]
pub struct Logs {
    options: LogsOptions,
    cluster: Cluster,
    end: i64,
    last_birth: i64,

    arrivals: ChaCha8Rng,
    content: ChaCha8Rng,
    writing: ChaCha8Rng,
    flow: Flow,
    jobs: Jobs,
    /// Blocks of each kind so far, in the order of the kinds asked for.
    told: Vec<u64>,
    blocks: Vec<Block>,
    /// Places in `blocks` whose block has no step left.
    free: Vec<usize>,
    due: BinaryHeap<Due>,
    writer: Writer,
    /// Records of the last line that are still to go out.
    waiting: VecDeque<Produced>,
    named_first: Vec<(i64, Option<AnomalyKind>)>,
}

impl Logs {
    /// Builds the cluster. Errors: `Option`.
    pub fn new(options: LogsOptions) -> Result<Self, ProduceError> {
        options.check()?;
        let mut arrivals = generator(options.seed, ARRIVALS);
        Ok(Self {
            cluster: Cluster::new(options.nodes, &mut generator(options.seed, CLUSTER)),
            end: options.end().0,
            last_birth: options.last_birth(),
            flow: Flow::new(&busy, options.blocks_per_second, options.start.0, &mut arrivals),
            arrivals,
            content: generator(options.seed, CONTENT),
            writing: generator(options.seed, WRITING),
            jobs: Jobs::default(),
            told: vec![0; options.anomalies.kinds.len()],
            blocks: Vec::new(),
            free: Vec::new(),
            due: BinaryHeap::new(),
            writer: Writer::new(),
            waiting: VecDeque::new(),
            named_first: Vec::new(),
            options,
        })
    }

    /// The blocks that the record just produced is the first to name, and what goes wrong with each.
    pub(crate) fn named_first(&self) -> &[(i64, Option<AnomalyKind>)] {
        &self.named_first
    }

    /// Allocates a block, and plans its life.
    fn bear(&mut self, at: i64) {
        let file = self.jobs.file(at, &mut self.content);
        let has_turned = at >= self.options.start.0.saturating_add(self.options.quiet_micros);
        let goes_wrong = self.content.random_bool(self.options.anomalies.share) && has_turned;
        let failed = if goes_wrong { self.fail(at, &file) } else { None };
        let (size, mut steps, kind) = failed.unwrap_or_else(|| {
            let mut life = Life::new(&self.cluster, at, file.deleted_at, &mut self.content);
            life.ordinary();
            (life.size, life.steps, None)
        });
        steps.sort_by_key(|step| Reverse(step.at));
        let block = Block { id: self.content.random(), size, file, kind, steps, is_known: false };
        let place = match self.free.pop() {
            Some(place) => {
                self.blocks[place] = block;
                place
            }
            None => {
                self.blocks.push(block);
                self.blocks.len() - 1
            }
        };
        self.expect_next(place);
    }

    /// A life that goes wrong, in the way that has been told least; none if no way shows before the end.
    fn fail(&mut self, at: i64, file: &File) -> Option<(u32, Vec<Step>, Option<AnomalyKind>)> {
        let kinds = &self.options.anomalies.kinds;
        // A draw settles ties, so that kinds do not come in turns.
        let mut order: Vec<(u64, u32, usize)> =
            self.told.iter().enumerate().map(|(place, told)| (*told, self.content.random(), place)).collect();
        order.sort_unstable();
        for (_, _, place) in order {
            let mut life = Life::new(&self.cluster, at, file.deleted_at, &mut self.content);
            if tell(kinds[place], &mut life, self.end) < self.end {
                self.told[place] += 1;
                return Some((life.size, life.steps, Some(kinds[place])));
            }
        }
        None
    }

    /// Takes note of a block's first step.
    fn expect_next(&mut self, place: usize) {
        match due(&self.blocks[place], place) {
            Some(next) => self.due.push(next),
            None => self.free.push(place),
        }
    }

    /// Takes the next step of the block that is due, and takes note of the one after it.
    fn take_due(&mut self) -> Option<(Step, usize)> {
        let mut top = self.due.peek_mut()?;
        let place = top.0.2;
        let step = self.blocks[place].steps.pop()?;
        match due(&self.blocks[place], place) {
            Some(next) => *top = next,
            None => {
                PeekMut::pop(top);
                self.free.push(place);
            }
        }
        Some((step, place))
    }

    /// Writes the line that is due: with those of other blocks in one, if the same node is asked for them.
    fn write(&mut self) -> Option<Produced> {
        let (step, place) = self.take_due()?;
        let is_shared = |due: &Due| (due.0.0, due.0.1) == (step.at, false);
        let mut others = Vec::new();
        while step.message == Message::AskedToDelete
            && others.len() + 1 < ASKED_MAX
            && self.due.peek().is_some_and(is_shared)
        {
            others.push(self.take_due()?.1);
        }
        let ids: Vec<i64> = others.iter().map(|place| self.blocks[*place].id).collect();
        let mut value = Vec::with_capacity(LINE_BYTES + 28 * ids.len());
        let block = &self.blocks[place];
        self.writer.write(&mut value, (&step, block), &ids, &self.cluster, &mut self.writing);
        Some(self.record((place, &others), value, step.at))
    }

    /// The record of a line, and further ones to wait, if the line is to come once for each block.
    fn record(&mut self, (first, others): (usize, &[usize]), value: Vec<u8>, at: i64) -> Produced {
        let time = EventTime(at.div_euclid(SECOND) * SECOND);
        for place in std::iter::once(first).chain(others.iter().copied()) {
            let block = &mut self.blocks[place];
            if !std::mem::replace(&mut block.is_known, true) {
                self.named_first.push((block.id, block.kind));
            }
        }
        if self.options.records == Records::PerBlock {
            for place in others {
                let block = &self.blocks[*place];
                self.waiting.push_back(Produced { key: key(block), value: value.clone(), time, label: label(block) });
            }
        }
        let first = &self.blocks[first];
        let is_wrong = |block: &&Block| block.kind.is_some();
        let label = match self.options.records {
            Records::PerBlock => label(first),
            Records::PerLine => {
                let mut all = std::iter::once(first).chain(others.iter().map(|place| &self.blocks[*place]));
                label(all.find(is_wrong).unwrap_or(first))
            }
        };
        Produced { key: key(first), value, time, label }
    }
}

/// When the next step of the block at a place is due; none if it has no more.
fn due(block: &Block, place: usize) -> Option<Due> {
    block.steps.last().map(|step| Reverse((step.at, step.message != Message::AskedToDelete, place)))
}

fn key(block: &Block) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(24);
    write_name(&mut name, block.id);
    Some(name)
}

fn label(block: &Block) -> Label {
    block.kind.map_or(Label::Normal, |kind| Label::Anomaly(Cow::Borrowed(kind.name())))
}

impl Iterator for Logs {
    type Item = Produced;

    fn next(&mut self) -> Option<Produced> {
        self.named_first.clear();
        if let Some(record) = self.waiting.pop_front() {
            return Some(record);
        }
        loop {
            let birth = self.flow.next_micros();
            let next = self.due.peek().map(|due| due.0.0);
            if birth < self.last_birth && next.is_none_or(|at| birth <= at) {
                self.bear(birth);
                self.flow.advance(&busy, &mut self.arrivals);
                continue;
            }
            if next? >= self.end {
                return None;
            }
            return self.write();
        }
    }
}
