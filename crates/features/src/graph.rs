use std::hint::black_box;

use lapwing_vocabulary::EventTime;
use sha2::{Digest, Sha256};

use crate::baseline::{BASELINE_WORDS, Baseline};
use crate::error::FeatureError;
use crate::spec::{FeatureSpec, Over};
use crate::window::{Wanted, Window};

/// Raised whenever the meaning of a word of state changes, so that older snapshots are refused and rebuilt by replay.
const LAYOUT_VERSION: u32 = 1;

/// The features of a pipeline, compiled: windows of one length share their panes, baselines of one column and length
/// share their words.
///
/// Words of an entity, `entity_words` of them, and of a partition, `shared_words`:
///
/// ```text
/// entity   hot part of each window | each baseline | ring of each window
/// shared   each baseline
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    names: Vec<String>,
    columns: Vec<String>,
    windows: Vec<Window>,
    baselines: Vec<Baseline>,
    hot_words: usize,
    entity_words: usize,
    digest: String,
}

impl Graph {
    /// Compiles features, in their order.
    /// Errors: whatever [`FeatureSpec::check`] refuses, an empty name, a name used twice.
    pub fn new(specs: Vec<FeatureSpec>) -> Result<Self, FeatureError> {
        check(&specs)?;
        let columns = columns_of(&specs);
        let windows = windows_of(&specs, &columns);
        let baselines = baselines_of(&specs, &columns);
        let hot_words = windows.iter().map(Window::hot_words).sum::<usize>() + baselines.len() * BASELINE_WORDS;
        let entity_words = hot_words + windows.iter().map(Window::ring_words).sum::<usize>();
        let digest = digest_of(&specs);
        let names = specs.into_iter().map(|spec| spec.name).collect();
        Ok(Self { names, columns, windows, baselines, hot_words, entity_words, digest })
    }

    /// Names of the features, in the order of `out`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Names of the columns needed, in the order of `inputs`.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Words of state per entity.
    pub fn entity_words(&self) -> usize {
        self.entity_words
    }

    /// Words of state per partition.
    pub fn shared_words(&self) -> usize {
        self.baselines.len() * BASELINE_WORDS
    }

    /// Makes the state of an entity that has seen nothing. Shape: `entity` has `entity_words` values.
    pub fn init_entity(&self, entity: &mut [f64]) {
        entity.fill(0.0);
        let mut hot = entity;
        for window in &self.windows {
            let (mine, rest) = hot.split_at_mut(window.hot_words());
            window.clear(mine);
            hot = rest;
        }
    }

    /// Makes the state of a partition that has seen nothing. Shape: `shared` has `shared_words` values.
    pub fn init_shared(&self, shared: &mut [f64]) {
        shared.fill(0.0);
    }

    /// Takes one event into the state and writes its features; a feature that does not exist, such as the mean of
    /// nothing, is NaN.
    /// Shape: `entity` has `entity_words` values, `shared` `shared_words`; `inputs` one per column, NaN for null and
    /// infinities treated alike; `out` one per feature.
    pub fn fold(&self, entity: &mut [f64], shared: &mut [f64], time: EventTime, inputs: &[f64], out: &mut [f64]) {
        self.touch(entity, time);
        let (mut hot, mut rings) = entity.split_at_mut(self.hot_words);
        for window in &self.windows {
            let (mine, rest) = hot.split_at_mut(window.hot_words());
            let (ring, other_rings) = rings.split_at_mut(window.ring_words());
            window.fold(mine, ring, time.0, inputs, out);
            (hot, rings) = (rest, other_rings);
        }
        let words = hot.chunks_exact_mut(BASELINE_WORDS).zip(shared.chunks_exact_mut(BASELINE_WORDS));
        for (baseline, (mine, all)) in self.baselines.iter().zip(words) {
            baseline.fold(mine, all, time.0, inputs, out);
        }
    }

    /// Fetches from memory what the windows are about to need.
    #[inline]
    fn touch(&self, entity: &[f64], time: EventTime) {
        let (mut hot, mut rings) = entity.split_at(self.hot_words);
        let mut sum = 0.0;
        for window in &self.windows {
            let (mine, rest) = hot.split_at(window.hot_words());
            let (ring, other_rings) = rings.split_at(window.ring_words());
            sum += window.touch(mine, ring, time.0);
            (hot, rings) = (rest, other_rings);
        }
        black_box(sum);
    }

    /// Returns a name for the meaning of the state: equal for equal features in equal order, different otherwise.
    /// 32 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn check(specs: &[FeatureSpec]) -> Result<(), FeatureError> {
    for (index, spec) in specs.iter().enumerate() {
        if spec.name.is_empty() {
            return Err(FeatureError::EmptyName { number: index + 1 });
        }
        if specs[..index].iter().any(|before| before.name == spec.name) {
            return Err(FeatureError::DuplicateName { name: spec.name.clone() });
        }
        spec.check()?;
    }
    Ok(())
}

fn columns_of(specs: &[FeatureSpec]) -> Vec<String> {
    let mut columns = Vec::new();
    for column in specs.iter().filter_map(|spec| spec.column.as_ref()) {
        if !columns.contains(column) {
            columns.push(column.clone());
        }
    }
    columns
}

fn input_of(spec: &FeatureSpec, columns: &[String]) -> Option<usize> {
    columns.iter().position(|column| Some(column) == spec.column.as_ref())
}

fn windows_of(specs: &[FeatureSpec], columns: &[String]) -> Vec<Window> {
    let mut lengths: Vec<(i64, Vec<Wanted>)> = Vec::new();
    for (output, spec) in specs.iter().enumerate() {
        let Over::Window { length_micros } = spec.over else { continue };
        let wanted = Wanted { measure: spec.measure, input: input_of(spec, columns), output };
        match lengths.iter_mut().find(|(length, _)| *length == length_micros) {
            Some((_, same)) => same.push(wanted),
            None => lengths.push((length_micros, vec![wanted])),
        }
    }
    lengths.iter().map(|(length, wanted)| Window::new(*length, wanted)).collect()
}

fn baselines_of(specs: &[FeatureSpec], columns: &[String]) -> Vec<Baseline> {
    let mut baselines: Vec<Baseline> = Vec::new();
    for (output, spec) in specs.iter().enumerate() {
        let (Over::Baseline { length_micros }, Some(input)) = (spec.over, input_of(spec, columns)) else { continue };
        match baselines.iter_mut().find(|same| same.input == input && same.length_micros == length_micros) {
            Some(same) => same.outputs.push(output),
            None => baselines.push(Baseline { input, length_micros, outputs: vec![output] }),
        }
    }
    baselines
}

/// Each text goes in with its length before it, so that no two sets of features give the same bytes.
fn digest_of(specs: &[FeatureSpec]) -> String {
    let mut hash = Sha256::new();
    hash.update(LAYOUT_VERSION.to_le_bytes());
    for spec in specs {
        let column = spec.column.as_deref();
        let texts = [&spec.name, spec.measure.name(), spec.over.name(), column.unwrap_or_default()];
        for text in texts {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.update([u8::from(column.is_some())]);
        hash.update(spec.over.length_micros().to_le_bytes());
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
