//! The rows of words that a graph keeps, and where in them its steps have theirs.

use std::ops::Range;

use crate::baseline::{BASELINE_WORDS, Baseline};
use crate::input::{Input, Reads};
use crate::layout::{Block, Move, Piece};
use crate::parts::Part;
use crate::plan::{Plan, PlannedPart};
use crate::spec::Learn;
use crate::spec::quoted;

/// A baseline and where its words lie.
#[derive(Clone, Debug)]
pub(crate) struct PlacedBaseline {
    pub(crate) baseline: Baseline,
    pub(crate) own_at: usize,
    /// Within the words of all groups of an event.
    pub(crate) group_at: Option<usize>,
    pub(crate) shared_at: usize,
}

/// A part, what it reads and where its words lie.
#[derive(Clone, Debug)]
pub(crate) struct PlacedPart {
    pub(crate) part: Part,
    pub(crate) reads: Vec<Reads>,
    pub(crate) learn: Learn,
    pub(crate) own: Range<usize>,
    pub(crate) common: Common,
}

/// Where the words lie that a part shares between entities.
#[derive(Clone, Debug)]
pub(crate) enum Common {
    /// Within those of the partition.
    Shared(Range<usize>),
    /// Within those of all groups of an event.
    Groups(Range<usize>),
}

/// One kind of rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pieces: Vec<Piece>,
    /// The row of one that has seen nothing.
    pub(crate) empty: Vec<f64>,
}

impl Row {
    pub(crate) fn words(&self) -> usize {
        self.empty.len()
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        self.pieces.iter().map(Piece::block).collect()
    }

    /// Adds pieces, as zeros, and returns where they lie.
    pub(crate) fn extend(&mut self, pieces: impl IntoIterator<Item = Piece>) -> Range<usize> {
        let from = self.words();
        for piece in pieces {
            self.empty.resize(self.words() + piece.words(), 0.0);
            self.pieces.push(piece);
        }
        from..self.words()
    }

    /// Plans how a row of other blocks becomes one of these.
    pub(crate) fn carry_from(&self, old: &[Block]) -> Move {
        Move::new(old, &self.pieces, self.empty.clone())
    }

    fn push(&mut self, identity: String, words: usize) -> Range<usize> {
        self.extend((words > 0).then(|| Piece::new(identity, words, None)))
    }
}

/// Every kind of rows of a graph.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) entity: Row,
    /// For each column of peers.
    pub(crate) groups: Vec<Row>,
    pub(crate) shared: Row,
}

impl Rows {
    pub(crate) fn new(peers: usize) -> Self {
        Self { entity: Row::default(), groups: vec![Row::default(); peers], shared: Row::default() }
    }

    /// Places the plan's baselines and then its parts behind whatever an entity has already.
    pub(crate) fn place(&mut self, plan: &Plan) -> (Vec<PlacedBaseline>, Vec<PlacedPart>) {
        let baselines = plan.baselines().into_iter().map(|baseline| self.place_baseline(baseline, plan));
        let mut baselines: Vec<_> = baselines.collect();
        let parts = plan.parts().into_iter().map(|part| (part.peers, self.place_part(part)));
        let (peers, mut parts): (Vec<_>, Vec<_>) = parts.unzip();
        // Places within one group become places within all groups of an event, which begin where those before end.
        let start = |peers: usize| self.groups[..peers].iter().map(Row::words).sum::<usize>();
        for placed in &mut baselines {
            placed.group_at = placed.group_at.zip(placed.baseline.peers).map(|(at, peers)| at + start(peers));
        }
        for (placed, peers) in parts.iter_mut().zip(peers) {
            if let (Common::Groups(range), Some(peers)) = (&mut placed.common, peers) {
                *range = range.start + start(peers)..range.end + start(peers);
            }
        }
        (baselines, parts)
    }

    fn place_baseline(&mut self, baseline: Baseline, plan: &Plan) -> PlacedBaseline {
        let peers = baseline.peers.map_or_else(String::new, |peers| format!("peers {} ", quoted(&plan.peers[peers])));
        let input = Input::name(Some(baseline.input), &plan.columns);
        let name = format!("baseline {} {peers}{input}", baseline.length_micros);
        let own_at = self.entity.push(name.clone(), BASELINE_WORDS).start;
        let group_at = baseline.peers.map(|peers| self.groups[peers].push(name.clone(), BASELINE_WORDS).start);
        let shared_at = self.shared.push(name, BASELINE_WORDS).start;
        PlacedBaseline { baseline, own_at, group_at, shared_at }
    }

    fn place_part(&mut self, PlannedPart { part, identity, reads, learn, peers }: PlannedPart) -> PlacedPart {
        let own = self.entity.push(identity.clone(), part.entity_words());
        let row = peers.map_or(&mut self.shared, |peers| &mut self.groups[peers]);
        let range = row.push(identity, part.group_words());
        part.clear(&mut self.entity.empty[own.clone()], &mut row.empty[range.clone()]);
        let common = if peers.is_some() { Common::Groups(range) } else { Common::Shared(range) };
        PlacedPart { part, reads, learn, own, common }
    }
}
