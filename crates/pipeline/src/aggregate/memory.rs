//! The memory of a partition as parts of a snapshot, and back. Tables of entities are frozen, which costs a moment;
//! everything else is small and written whole.

use std::sync::Arc;

use lapwing_features::{CarryOver, Dedup, FeatureError, Lateness, ScoredWindows, Watermark};
use lapwing_state::{EntityTable, Header, Identity, Kind, Snapshot, SnapshotParts, StateError};
use lapwing_vocabulary::{Offset, Partition};

use super::blueprint::{Blueprint, ENTITIES, GROUPS, StateLayout};
use super::{Aggregate, Limits, MemoryRoom, Scratch};

/// The words of the partition.
const SHARED: &str = "shared";
/// How far event time has come.
const WATERMARK: &str = "watermark";
/// How late events came.
const LATENESS: &str = "lateness";
/// The ids that were seen.
const DEDUP: &str = "dedup";
/// Open windows.
const WINDOWS: &str = "windows";

/// What became of a memory that was taken up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Features whose memory goes on.
    pub kept: Vec<String>,
    /// Features that begin empty.
    pub fresh: Vec<String>,
    /// Features that are no more.
    pub dropped: Vec<String>,
    /// Open windows that were given up, because `[window]` has changed.
    pub windows_dropped: bool,
    /// Ids of events that were given up, because `dedup` or `dedup_ids` has changed.
    pub ids_dropped: bool,
}

impl Carried {
    /// Says so in the log, if anything has changed.
    pub(crate) fn tell(&self, partition: Partition) {
        if !self.fresh.is_empty() || !self.dropped.is_empty() {
            let (fresh, dropped) = (self.fresh.join(", "), self.dropped.join(", "));
            tracing::info!(partition, fresh, dropped, "features have changed: these begin empty, or are gone");
        }
        if self.windows_dropped {
            tracing::warn!(partition, "the windows have changed: those that were open are given up");
        }
        if self.ids_dropped {
            tracing::warn!(partition, "the bounds of dedup have changed: repeats of earlier events are not recognised");
        }
    }
}

impl Aggregate {
    /// An empty memory.
    /// Errors: `Storage`, if there is a room and its file cannot be made.
    pub fn new(blueprint: &Arc<Blueprint>, room: Option<&MemoryRoom>) -> Result<Self, StateError> {
        let graph = blueprint.graph.clone();
        let entities = blueprint.empty_table(ENTITIES, graph.entity_words(), room)?;
        let group = |(index, column): (usize, &String)| {
            blueprint.empty_table(&format!("{GROUPS}{column}"), graph.group_words(index), None)
        };
        let groups = graph.peers().iter().enumerate().map(group).collect::<Result<Vec<_>, _>>()?;
        let mut shared = vec![0.0; graph.shared_words()];
        graph.init_shared(&mut shared);
        let Limits { lateness_micros, dedup_micros, dedup_ids, .. } = blueprint.limits;
        let windows = blueprint.window.as_ref();
        Ok(Self {
            entities,
            groups,
            shared,
            watermark: Watermark::new(lateness_micros),
            lateness: Lateness::default(),
            dedup: (dedup_micros > 0).then(|| Dedup::new(dedup_micros, dedup_ids)),
            windows: windows.map(|window| {
                ScoredWindows::new(window.spec.clone(), window.open_max).expect("the settings were checked")
            }),
            fresh: {
                let mut fresh = vec![0.0; graph.entity_words()];
                graph.init_entity(&mut fresh);
                fresh
            },
            scratch: Scratch {
                inputs: vec![0.0; graph.columns().len()],
                groups: Vec::new(),
                outputs: vec![0.0; graph.names().len()],
            },
            graph,
            blueprint: blueprint.clone(),
        })
    }

    /// Everything remembered at this moment, as parts of a snapshot at `offset`, the first offset not contained.
    pub fn freeze(&mut self, identity: Identity, offset: Offset, kind: Kind) -> SnapshotParts {
        let mut tables = vec![(ENTITIES.to_owned(), self.entities.freeze(kind))];
        for (column, table) in self.graph.peers().iter().zip(&mut self.groups) {
            tables.push((format!("{GROUPS}{column}"), table.freeze(kind)));
        }
        let mut sections = vec![
            (SHARED.to_owned(), self.shared.iter().flat_map(|word| word.to_le_bytes()).collect()),
            (WATERMARK.to_owned(), postcard::to_stdvec(&self.watermark).expect("a watermark is a few numbers")),
            (LATENESS.to_owned(), encoded(|out| self.lateness.encode(out))),
        ];
        if let Some(dedup) = &self.dedup {
            sections.push((DEDUP.to_owned(), encoded(|out| dedup.encode(out))));
        }
        if let Some(windows) = &self.windows {
            sections.push((WINDOWS.to_owned(), windows.encode()));
        }
        SnapshotParts { identity, offset, tables, sections }
    }

    /// Takes up a memory that was written with these features or with others.
    /// Errors: text that says which part does not fit; the memory is then to be thrown away.
    pub fn recall(&mut self, snapshot: &mut Snapshot) -> Result<Carried, String> {
        let layout = layout_of(&snapshot.header)?;
        let carry = self.graph.carry_over(&layout.features);
        self.recall_tables(snapshot, &carry)?;
        let shared = words_of(section(snapshot, SHARED)?)?;
        self.shared = carry.shared(&shared).map_err(|error| error.to_string())?;
        let watermark: Watermark =
            postcard::from_bytes(section(snapshot, WATERMARK)?).map_err(|error| format!("the watermark: {error}"))?;
        self.watermark = watermark.with_lateness(self.blueprint.limits.lateness_micros);
        self.lateness = Lateness::decode(section(snapshot, LATENESS)?).map_err(|error| error.to_string())?;
        let ids_dropped = self.recall_ids(snapshot)?;
        let windows_dropped = self.recall_windows(snapshot, &layout)?;
        let CarryOver { kept, fresh, dropped, .. } = carry;
        Ok(Carried { kept, fresh, dropped, windows_dropped, ids_dropped })
    }

    /// Takes up the ids that were seen; answers whether they had to be given up.
    fn recall_ids(&mut self, snapshot: &Snapshot) -> Result<bool, String> {
        let (Some(dedup), Ok(bytes)) = (&mut self.dedup, snapshot.section(DEDUP)) else { return Ok(false) };
        let found = Dedup::decode(bytes).map_err(|error| error.to_string())?;
        let limits = |dedup: &Dedup| (dedup.horizon_micros(), dedup.ids_max());
        let fits = limits(&found) == limits(dedup);
        if fits {
            *dedup = found;
        }
        Ok(!fits)
    }

    fn recall_tables(&mut self, snapshot: &mut Snapshot, carry: &CarryOver) -> Result<(), String> {
        let entities = snapshot.take_table(ENTITIES).map_err(|error| error.to_string())?;
        if carry.is_identity() {
            self.entities = entities;
        } else {
            carry_table(&entities, &mut self.entities, |words| carry.entity(words))?;
        }
        for (index, column) in self.graph.peers().iter().enumerate() {
            // Peers that are new begin empty.
            let Ok(table) = snapshot.take_table(&format!("{GROUPS}{column}")) else { continue };
            if carry.is_identity() {
                self.groups[index] = table;
            } else if carry.group_from(index).is_some() {
                carry_table(&table, &mut self.groups[index], |words| carry.group(index, words))?;
            }
        }
        Ok(())
    }

    /// Takes up open windows; answers whether some had to be given up.
    fn recall_windows(&mut self, snapshot: &Snapshot, layout: &StateLayout) -> Result<bool, String> {
        let Some(window) = &self.blueprint.window else { return Ok(layout.windows.is_some()) };
        match (&layout.windows, snapshot.section(WINDOWS)) {
            (Some(spec), Ok(bytes)) if *spec == window.spec => {
                self.windows = Some(ScoredWindows::decode(spec.clone(), window.open_max, bytes)?);
                Ok(false)
            }
            (before, _) => Ok(before.is_some()),
        }
    }
}

/// What the words of a snapshot mean.
/// Errors: text, if it is older than this kind of description, or damaged.
pub fn layout_of(header: &Header) -> Result<StateLayout, String> {
    serde_json::from_slice(&header.identity.layout)
        .map_err(|error| format!("it does not say what its words mean ({error}); it was written by an older Lapwing"))
}

fn carry_table(
    from: &EntityTable,
    to: &mut EntityTable,
    carry: impl Fn(&[f64]) -> Result<Vec<f64>, FeatureError>,
) -> Result<(), String> {
    for entity in from.iter() {
        let (key, slot, words) = entity.map_err(|error| error.to_string())?;
        let words = carry(&words).map_err(|error| error.to_string())?;
        let (own, _) = to.slot(key, i64::MIN).map_err(|error| error.to_string())?;
        to.words_mut(own).map_err(|error| error.to_string())?.copy_from_slice(&words);
        from.last_seen(slot).into_iter().for_each(|time| to.seen(own, time));
    }
    Ok(())
}

fn section<'a>(snapshot: &'a Snapshot, name: &str) -> Result<&'a [u8], String> {
    snapshot.section(name).map_err(|error| error.to_string())
}

fn words_of(bytes: &[u8]) -> Result<Vec<f64>, String> {
    if !bytes.len().is_multiple_of(8) {
        return Err(format!("{} bytes of shared words", bytes.len()));
    }
    let word = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().expect("chunks have eight bytes"));
    Ok(bytes.chunks_exact(8).map(word).collect())
}

fn encoded(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}
