use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::World;

/// How often a run is killed, and where.
pub(crate) struct Kills {
    /// How many times.
    pub(crate) times: usize,
    /// Each run after so many epochs of its own at most; it may be none.
    pub(crate) epochs_max: u32,
    /// Seed of the draws.
    pub(crate) seed: u64,
}

/// Runs a pipeline and kills it without warning in the middle of its work, again and again. Each run is killed once it
/// has committed a drawn number of epochs; some are killed while they still recover.
pub(crate) fn kill_again_and_again(world: &World, arguments: &[&str], kills: &Kills) {
    let mut draw = ChaCha8Rng::seed_from_u64(kills.seed);
    for number in 1..=kills.times {
        let epochs = draw.random_range(0..=kills.epochs_max);
        eprintln!("seed {}, kill {number}: after {epochs} epochs", kills.seed);
        let mut running = world.start(&[arguments, &["--listen", "127.0.0.1:0"]].concat());
        let page = running.page();
        running.until_metric(page, "lapwing_epochs_total", f64::from(epochs));
        running.kill();
    }
}
