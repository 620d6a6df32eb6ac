use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::options::Order;

/// Items in another order: each is drawn from a window of those to come.
#[derive(Clone, Debug)]
pub(crate) struct Shuffle<I: Iterator> {
    items: I,
    window: usize,
    rng: ChaCha8Rng,
    held: Vec<I::Item>,
}

impl<I: Iterator> Shuffle<I> {
    /// `round` gives each pass over the same items another order.
    pub(crate) fn new(items: I, order: Order, round: u64) -> Self {
        let (seed, window) = match order {
            Order::InOrder => (0, 1),
            Order::Random { seed, window } => (seed, window.max(1)),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(round);
        Self { items, window, rng, held: Vec::new() }
    }

    /// The items underneath.
    pub(crate) fn inner(&self) -> &I {
        &self.items
    }
}

impl<I: Iterator> Iterator for Shuffle<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if self.window == 1 {
            return self.items.next();
        }
        while self.held.len() < self.window {
            let Some(item) = self.items.next() else { break };
            self.held.push(item);
        }
        if self.held.is_empty() {
            return None;
        }
        let drawn = self.rng.random_range(0..self.held.len() as u64) as usize;
        Some(self.held.swap_remove(drawn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shuffled(window: usize, round: u64) -> Vec<u32> {
        Shuffle::new(0..1000, Order::Random { seed: 5, window }, round).collect()
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_repeats_with_its_seed() {
        let mut items = shuffled(100, 0);
        assert_eq!(items, shuffled(100, 0));
        assert_ne!(items, shuffled(100, 1));
        assert!(items.windows(2).any(|pair| pair[0] > pair[1]));
        items.sort_unstable();
        assert!(items.into_iter().eq(0..1000));
    }

    #[test]
    fn no_item_comes_earlier_than_its_window_allows() {
        let is_in_reach = |(place, item): (usize, u32)| (item as usize) < place + 10;
        assert!(shuffled(10, 0).into_iter().enumerate().all(is_in_reach));
    }
}
