use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of chance decides. Each has numbers of its own, so that a change in how one is used leaves the others
/// as they were.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// What lies in the source log.
    Source,
    /// Which faults there are, and how often.
    Weather,
    /// What happens when.
    Story,
    /// The events that models are fitted to.
    Fitting,
    /// Which pipeline runs.
    Flavour,
}

/// Seeded draws that are the same on every platform.
#[derive(Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The draws of one stream of a seed.
    pub fn new(seed: u64, stream: Stream) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream as u64);
        Self(generator)
    }

    /// A number from 0 up to, but without, `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound.max(1)
    }

    /// A number of both bounds and all between.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True `per_mille` times in a thousand. Never draws where the answer is certain.
    pub fn hits(&mut self, per_mille: u64) -> bool {
        per_mille > 0 && self.below(1000) < per_mille
    }

    /// One of these; `None` of an empty list.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() {
            return None;
        }
        let at = self.below(from.len() as u64);
        from.get(at as usize)
    }
}
