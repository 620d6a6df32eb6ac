use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::line::{WILD, is_variable};

/// Any number: it makes hashes the same in every process.
const HASH_SEED: u64 = 0x7465_6d70_6c61_7465;
/// The hash of a parameter; no token has it.
const WILD_HASH: u64 = 0;
const ROOT: u32 = 0;

/// The hash by which tokens and masked messages are compared.
pub(super) fn hash_of(bytes: &[u8]) -> u64 {
    FixedState::with_seed(HASH_SEED).hash_one(bytes)
}

/// The hash of a token, by which similarity is counted.
pub(super) fn token_hash(token: &[u8]) -> u64 {
    if token == [WILD] { WILD_HASH } else { hash_of(token) | 1 }
}

/// The tree of Drain: below the root one node for each number of tokens, below that one level for each leading token;
/// the last node on the way is a leaf, which lists the templates to compare with.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    leading_tokens: usize,
    children_max: u32,
    similarity: f64,
    nodes: Vec<Node>,
    /// Nodes that are not in use.
    free: Vec<u32>,
    /// Nodes by parent and key.
    places: HashTable<u32>,
    /// Raised whenever a node comes or goes, which may lead messages another way.
    shape: u64,
    /// Raised with every change of a leaf.
    changes: u64,
    key_bytes: usize,
}

#[derive(Clone, Debug, Default)]
struct Node {
    parent: u32,
    key: Box<[u8]>,
    hash: u64,
    /// Children, and those of them that are not `<*>`.
    children: (u32, u32),
    /// Templates of a leaf, oldest first.
    slots: Vec<u32>,
    /// Hashes of their tokens, one template after the other.
    rows: Vec<u64>,
    stamp: u64,
}

/// What a decision rests on: while this is the same, so is the decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grounds {
    pub(super) leaf: u32,
    stamp: u64,
    shape: u64,
}

impl Tree {
    pub(super) fn new(leading_tokens: usize, children_max: usize, similarity: f64) -> Self {
        Self {
            leading_tokens,
            children_max: u32::try_from(children_max).unwrap_or(u32::MAX),
            similarity,
            nodes: vec![Node::default()],
            free: Vec::new(),
            places: HashTable::new(),
            shape: 1,
            changes: 0,
            key_bytes: 0,
        }
    }

    /// Returns the leaf to which a message belongs, if it is there.
    pub(super) fn leaf(&self, tokens: &[&[u8]], hashes: &[u64]) -> Option<u32> {
        let mut node = self.child(ROOT, &length_key(tokens), length_hash(tokens))?;
        for (token, hash) in tokens.iter().zip(hashes).take(self.leading_tokens) {
            let (key, hash) = self.key(node, token, *hash);
            node = self.child(node, key, hash)?;
        }
        Some(node)
    }

    /// Returns the leaf to which a message belongs, and makes it if need be.
    pub(super) fn leaf_or_new(&mut self, tokens: &[&[u8]], hashes: &[u64]) -> u32 {
        let mut node = self.child_or_new(ROOT, &length_key(tokens), length_hash(tokens));
        for (token, hash) in tokens.iter().zip(hashes).take(self.leading_tokens) {
            let (key, hash) = self.key(node, token, *hash);
            node = self.child_or_new(node, key, hash);
        }
        node
    }

    /// Makes the way that a stored template has; bit i says whether leading token i is a key itself.
    pub(super) fn leaf_by_way(&mut self, tokens: &[&[u8]], way: u32) -> u32 {
        let mut node = self.child_or_new(ROOT, &length_key(tokens), length_hash(tokens));
        for (level, token) in tokens.iter().enumerate().take(self.leading_tokens) {
            let key: &[u8] = if way >> level & 1 == 1 { token } else { &[WILD] };
            node = self.child_or_new(node, key, token_hash(key));
        }
        node
    }

    /// Returns the way to a leaf, as [`Tree::leaf_by_way`] takes it.
    pub(super) fn way(&self, leaf: u32) -> u32 {
        let (mut node, mut way) = (leaf, 0);
        while self.nodes[node as usize].parent != ROOT {
            way = way << 1 | u32::from(*self.nodes[node as usize].key != [WILD]);
            node = self.nodes[node as usize].parent;
        }
        way
    }

    /// The key by which a message goes on from a node: its token, unless that is variable or the node is full.
    fn key<'t>(&self, node: u32, token: &'t [u8], hash: u64) -> (&'t [u8], u64) {
        let is_full = || self.nodes[node as usize].children.1 >= self.children_max;
        if is_variable(token) || is_full() && self.child(node, token, hash).is_none() {
            return (&[WILD], WILD_HASH);
        }
        (token, hash)
    }

    fn child(&self, parent: u32, key: &[u8], hash: u64) -> Option<u32> {
        let is_it = |id: &u32| {
            let node = &self.nodes[*id as usize];
            node.parent == parent && *node.key == *key
        };
        self.places.find(below(parent, hash), is_it).copied()
    }

    fn child_or_new(&mut self, parent: u32, key: &[u8], hash: u64) -> u32 {
        if let Some(child) = self.child(parent, key, hash) {
            return child;
        }
        let hash = below(parent, hash);
        let node = Node { parent, key: key.into(), hash, ..Node::default() };
        let id = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(Node::default());
            u32::try_from(self.nodes.len() - 1).expect("templates, and so nodes, are bounded")
        });
        self.nodes[id as usize] = node;
        let nodes = &self.nodes;
        self.places.insert_unique(hash, id, |id| nodes[*id as usize].hash);
        let children = &mut self.nodes[parent as usize].children;
        *children = (children.0 + 1, children.1 + u32::from(key != [WILD]));
        self.shape += 1;
        self.key_bytes += key.len();
        id
    }

    /// Returns the most similar template of a leaf, if it is similar enough; of equals the one with more parameters,
    /// then the oldest. A parameter is equal to nothing but a parameter.
    pub(super) fn most_similar(&self, leaf: u32, hashes: &[u64]) -> Option<u32> {
        let node = &self.nodes[leaf as usize];
        if hashes.is_empty() {
            return node.slots.first().copied();
        }
        let parameters = |row: &[u64]| row.iter().filter(|hash| **hash == WILD_HASH).count();
        let mut best: Option<(usize, usize, u32)> = None;
        for (row, slot) in node.rows.chunks_exact(hashes.len()).zip(&node.slots) {
            let equal = row.iter().zip(hashes).filter(|(left, right)| left == right).count();
            let is_better = match best {
                None => true,
                Some((most, of, _)) => equal > most || equal == most && parameters(row) > of,
            };
            if is_better {
                best = Some((equal, parameters(row), *slot));
            }
        }
        best.filter(|best| best.0 as f64 / hashes.len() as f64 >= self.similarity).map(|best| best.2)
    }

    /// Returns a leaf's templates if it has room for no more.
    pub(super) fn full(&self, leaf: u32) -> Option<&[u32]> {
        let slots = &self.nodes[leaf as usize].slots;
        (slots.len() >= self.children_max as usize).then_some(slots)
    }

    pub(super) fn add(&mut self, leaf: u32, slot: u32, hashes: &[u64]) {
        let node = &mut self.nodes[leaf as usize];
        node.slots.push(slot);
        node.rows.extend_from_slice(hashes);
        self.touch(leaf);
    }

    /// Tells the tree the tokens of a template anew.
    pub(super) fn change<'t>(&mut self, leaf: u32, slot: u32, tokens: impl Iterator<Item = &'t [u8]>) {
        let node = &mut self.nodes[leaf as usize];
        let width = node.rows.len() / node.slots.len();
        let at = node.slots.iter().position(|other| *other == slot).expect("it is in its leaf") * width;
        for (hash, token) in node.rows[at..at + width].iter_mut().zip(tokens) {
            *hash = token_hash(token);
        }
        self.touch(leaf);
    }

    /// Takes a template out, and every node that has become empty with it.
    pub(super) fn remove(&mut self, leaf: u32, slot: u32) {
        let node = &mut self.nodes[leaf as usize];
        let width = node.rows.len() / node.slots.len();
        let at = node.slots.iter().position(|other| *other == slot).expect("it is in its leaf");
        node.slots.remove(at);
        node.rows.drain(at * width..(at + 1) * width);
        self.touch(leaf);
        let mut id = leaf;
        while id != ROOT && self.nodes[id as usize].slots.is_empty() && self.nodes[id as usize].children.0 == 0 {
            id = self.remove_node(id);
        }
    }

    /// Returns the parent.
    fn remove_node(&mut self, id: u32) -> u32 {
        let node = std::mem::take(&mut self.nodes[id as usize]);
        let found = self.places.find_entry(node.hash, |other| *other == id);
        found.expect("every node is in the table").remove();
        let children = &mut self.nodes[node.parent as usize].children;
        *children = (children.0 - 1, children.1 - u32::from(*node.key != [WILD]));
        self.free.push(id);
        self.shape += 1;
        self.key_bytes -= node.key.len();
        node.parent
    }

    fn touch(&mut self, leaf: u32) {
        self.changes += 1;
        self.nodes[leaf as usize].stamp = self.changes;
    }

    /// What a decision in a leaf rests on now.
    pub(super) fn grounds(&self, leaf: u32) -> Grounds {
        Grounds { leaf, stamp: self.nodes[leaf as usize].stamp, shape: self.shape }
    }

    /// Whether a decision still holds, the way of the message included.
    pub(super) fn holds(&self, grounds: Grounds) -> bool {
        self.shape == grounds.shape && self.nodes[grounds.leaf as usize].stamp == grounds.stamp
    }

    /// Whether a decision still holds for a message whose way leads to this leaf.
    pub(super) fn holds_at(&self, leaf: u32, grounds: Grounds) -> bool {
        leaf == grounds.leaf && self.nodes[leaf as usize].stamp == grounds.stamp
    }

    /// Bytes of nodes, without the rows of leaves.
    pub(super) fn bytes(&self) -> usize {
        (self.nodes.len() + self.free.len()) * size_of::<Node>() + self.places.capacity() * 5 + self.key_bytes
    }
}

fn length_key(tokens: &[&[u8]]) -> [u8; 4] {
    u32::try_from(tokens.len()).expect("tokens are bounded").to_le_bytes()
}

fn length_hash(tokens: &[&[u8]]) -> u64 {
    tokens.len() as u64
}

/// The hash of a child of a node.
fn below(parent: u32, hash: u64) -> u64 {
    // Multiplied by the golden ratio, so that neighbours in the list of nodes lie apart.
    (hash ^ u64::from(parent)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32) ^ hash
}
