use std::hint::black_box;

use lapwing_vocabulary::EventTime;
use sha2::{Digest, Sha256};

use crate::baseline::BASELINE_WORDS;
use crate::error::FeatureError;
use crate::input::Reads;
use crate::layout::{CarryOver, Layout};
use crate::plan::Plan;
use crate::rows::{Common, PlacedBaseline, PlacedPart, Rows};
use crate::spec::{FeatureSpec, Learn};
use crate::window::{Window, fetch};

/// Raised whenever the meaning of a word of state changes, so that older snapshots are refused and rebuilt by replay.
pub const LAYOUT_VERSION: u32 = 2;
/// The most columns that one part reads.
const PART_INPUTS_MAX: usize = 2;

/// The features of a pipeline, compiled: windows of one length share their panes, baselines of one column and length
/// share their words.
///
/// Words of an entity, `entity_words` of them; of a group of peers, `group_words`, for each column of `peers`; and of a
/// partition, `shared_words`:
///
/// ```text
/// entity   hot part of each window | each baseline | each part | ring of each window
/// group    each baseline with these peers | each part with these peers
/// shared   each baseline | each part without peers
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    names: Vec<String>,
    columns: Vec<String>,
    peers: Vec<String>,
    pub(crate) windows: Vec<Window>,
    pub(crate) baselines: Vec<PlacedBaseline>,
    pub(crate) parts: Vec<PlacedPart>,
    fills: Vec<(usize, f64)>,
    pub(crate) hot_words: usize,
    window_words: usize,
    rows: Rows,
    features: Vec<(String, String)>,
    digest: String,
}

impl Graph {
    /// Compiles features, in their order.
    /// Errors: whatever [`FeatureSpec::check`] refuses, an empty name, a name used twice.
    pub fn new(specs: Vec<FeatureSpec>) -> Result<Self, FeatureError> {
        let plan = Plan::new(&specs)?;
        let mut rows = Rows::new(plan.peers.len());
        let windows = plan.windows();
        let mut rings = Vec::new();
        for window in &windows {
            let (hot, ring) = window.pieces(&plan.columns, rows.entity.words());
            rows.entity.extend(hot);
            rings.push(ring);
        }
        let window_words = rows.entity.words();
        let (baselines, parts) = rows.place(&plan);
        let hot_words = rows.entity.words();
        rows.entity.extend(rings.into_iter().flatten());
        let features: Vec<_> = specs.iter().map(|spec| (spec.name.clone(), plan.definition(spec))).collect();
        let digest = digest_of(&specs, &features);
        let mut graph = Self {
            fills: plan.fills(),
            names: plan.names,
            columns: plan.columns,
            peers: plan.peers,
            windows,
            baselines,
            parts,
            hot_words,
            window_words,
            rows,
            features,
            digest,
        };
        graph.clear_windows();
        Ok(graph)
    }

    /// Names of the columns that the features become, in the order of `out`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Names of the columns needed, in the order of `inputs`.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Names of the columns by which events are grouped: events with equal values in one of them belong to one group
    /// of it, nulls too.
    pub fn peers(&self) -> &[String] {
        &self.peers
    }

    /// Words of state per entity.
    pub fn entity_words(&self) -> usize {
        self.rows.entity.words()
    }

    /// Words of state per group of column number `peers` of [`Graph::peers`].
    pub fn group_words(&self, peers: usize) -> usize {
        self.rows.groups[peers].words()
    }

    /// Words of state per partition.
    pub fn shared_words(&self) -> usize {
        self.rows.shared.words()
    }

    /// Makes the state of an entity that has seen nothing. Shape: `entity` has `entity_words` values.
    pub fn init_entity(&self, entity: &mut [f64]) {
        entity.copy_from_slice(&self.rows.entity.empty);
    }

    /// Makes the state of a group that has seen nothing. Shape: `group` has `group_words(peers)` values.
    pub fn init_group(&self, peers: usize, group: &mut [f64]) {
        group.copy_from_slice(&self.rows.groups[peers].empty);
    }

    /// Makes the state of a partition that has seen nothing. Shape: `shared` has `shared_words` values.
    pub fn init_shared(&self, shared: &mut [f64]) {
        shared.copy_from_slice(&self.rows.shared.empty);
    }

    /// Takes one event into the state and writes its features; a feature that does not exist, such as the mean of
    /// nothing, is what its `fill` says, else NaN.
    /// Shape: `entity` has `entity_words` values, `shared` `shared_words`; `groups` the words of the groups the event
    /// belongs to, one after the other in the order of `peers`; `inputs` one per column, NaN for null, numbers as they
    /// are and categories as whole numbers below 2⁵³; `out` one per name.
    pub fn fold(
        &self,
        entity: &mut [f64],
        groups: &mut [f64],
        shared: &mut [f64],
        time: EventTime,
        inputs: &[f64],
        out: &mut [f64],
    ) {
        let (hot, mut rings) = entity.split_at_mut(self.hot_words);
        let mut windows = &mut hot[..self.window_words];
        for window in &self.windows {
            let (mine, rest) = windows.split_at_mut(window.hot_words());
            let (ring, other_rings) = rings.split_at_mut(window.ring_words());
            window.fold(mine, ring, time.0, inputs, out);
            (windows, rings) = (rest, other_rings);
        }
        for PlacedBaseline { baseline, own_at, group_at, shared_at } in &self.baselines {
            let own = &mut hot[*own_at..own_at + BASELINE_WORDS];
            let group = group_at.map(|at| &mut groups[at..at + BASELINE_WORDS]);
            let all = &mut shared[*shared_at..shared_at + BASELINE_WORDS];
            baseline.fold(own, group, all, time.0, inputs, out);
        }
        for placed in &self.parts {
            let mut values = [f64::NAN; PART_INPUTS_MAX];
            for (value, reads) in values.iter_mut().zip(&placed.reads) {
                *value = match reads {
                    Reads::Column(input) => input.read(inputs),
                    Reads::Feature(feature) => feature.read(out),
                };
            }
            let common = match &placed.common {
                Common::Shared(range) => &mut shared[range.clone()],
                Common::Groups(range) => &mut groups[range.clone()],
            };
            let own = &mut hot[placed.own.clone()];
            match placed.learn {
                Learn::Off => placed.part.fold(&mut own.to_vec(), &mut common.to_vec(), time.0, &values, out),
                Learn::Robust | Learn::All => placed.part.fold(own, common, time.0, &values, out),
            }
        }
        for (at, fill) in &self.fills {
            if out[*at].is_nan() {
                out[*at] = *fill;
            }
        }
    }

    /// Fetches from memory the words of an entity that [`Graph::fold`] will need for an event of this time, without
    /// doing anything with them. The words of a hundred thousand entities lie in main memory; whoever touches those of
    /// a block of events before folding them waits for all at once instead of one after the other.
    #[inline]
    pub fn touch(&self, entity: &[f64], time: EventTime) {
        let (hot, mut rings) = entity.split_at(self.hot_words);
        let plain = &hot[..self.window_words + self.baselines.len() * BASELINE_WORDS];
        let mut bits = fetch(plain);
        // Of a part with many words an event needs few, and which only the part knows.
        for part in &self.parts {
            bits ^= hot.get(part.own.start).map_or(0, |word| word.to_bits());
        }
        let mut windows = &hot[..self.window_words];
        for window in &self.windows {
            let (mine, rest) = windows.split_at(window.hot_words());
            let (ring, other_rings) = rings.split_at(window.ring_words());
            bits ^= window.touch(mine, ring, time.0);
            (windows, rings) = (rest, other_rings);
        }
        black_box(bits);
    }

    /// Returns a name for the meaning of the state: equal for equal features in equal order, different otherwise.
    /// 32 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the meaning of every word, to be stored beside the words.
    pub fn layout(&self) -> Layout {
        let groups = self.peers.iter().zip(&self.rows.groups);
        Layout {
            features: self.features.clone(),
            entity: self.rows.entity.blocks(),
            groups: groups.map(|(column, row)| (column.clone(), row.blocks())).collect(),
            shared: self.rows.shared.blocks(),
        }
    }

    /// Plans how memory of another layout becomes memory of this graph: what both have is kept bit for bit, what only
    /// this one has starts empty, what only the other has is dropped.
    pub fn carry_over(&self, old: &Layout) -> CarryOver {
        let had = |definition: &String| old.features.iter().any(|(_, known)| known == definition);
        let has = |definition: &String| self.features.iter().any(|(_, known)| known == definition);
        let names = |features: &[(String, String)], wanted: &dyn Fn(&String) -> bool| -> Vec<String> {
            features.iter().filter(|(_, definition)| wanted(definition)).map(|(name, _)| name.clone()).collect()
        };
        let groups = self.peers.iter().zip(&self.rows.groups).map(|(column, row)| {
            let from = old.groups.iter().position(|(known, _)| known == column);
            (from, row.carry_from(from.map_or(&[], |index| &old.groups[index].1)))
        });
        CarryOver {
            kept: names(&self.features, &had),
            fresh: names(&self.features, &|definition| !had(definition)),
            dropped: names(&old.features, &|definition| !has(definition)),
            entity: self.rows.entity.carry_from(&old.entity),
            groups: groups.collect(),
            shared: self.rows.shared.carry_from(&old.shared),
        }
    }

    /// Makes the windows of an entity that has seen nothing.
    fn clear_windows(&mut self) {
        let (mut hot, mut rings) = self.rows.entity.empty.split_at_mut(self.hot_words);
        for window in &self.windows {
            let (mine, rest) = hot.split_at_mut(window.hot_words());
            let (ring, other_rings) = rings.split_at_mut(window.ring_words());
            window.clear(mine, ring);
            (hot, rings) = (rest, other_rings);
        }
    }
}

/// Each text goes in with its length before it, so that no two sets of features give the same bytes.
fn digest_of(specs: &[FeatureSpec], features: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    hash.update(LAYOUT_VERSION.to_le_bytes());
    for (spec, (name, definition)) in specs.iter().zip(features) {
        for text in [name, definition] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.update([u8::from(spec.fill.is_some())]);
        hash.update(spec.fill.map_or(0, |fill| fill.value().to_bits()).to_le_bytes());
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
