use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What befalls copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// SIGKILL to one copy.
    Kill,
    /// SIGKILL to one copy, and to its successor while that one recovers.
    KillTwice {
        /// How long the successor lives.
        lives: Duration,
    },
    /// SIGKILL to both copies.
    KillBoth,
    /// SIGTERM to one copy: it ends in order.
    Stop,
    /// SIGSTOP to one copy until the group has given it up, then SIGCONT: it wakes up believing that it still has its
    /// partitions.
    Freeze {
        /// How long it stands still.
        stands: Duration,
    },
}

impl Blow {
    /// Whether it counts as a kill.
    pub(crate) fn is_kill(self) -> bool {
        matches!(self, Self::Kill | Self::KillTwice { .. } | Self::KillBoth)
    }
}

/// A blow, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strike {
    /// Time since every partition was held.
    pub(crate) calm: Duration,
    /// What happens.
    pub(crate) blow: Blow,
    /// To which copy.
    pub(crate) copy: usize,
    /// Time until the copy is started again. Sometimes before its group has noticed, sometimes after.
    pub(crate) absence: Duration,
}

/// An endless, seeded sequence of strikes; the copies take turns.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    draw: ChaCha8Rng,
    calm_max: Duration,
    copy: usize,
}

impl Plan {
    /// The same seed and longest calm give the same strikes.
    pub(crate) fn new(seed: u64, calm_max: Duration) -> Self {
        Self { draw: ChaCha8Rng::seed_from_u64(seed), calm_max, copy: 0 }
    }

    /// The next strike.
    pub(crate) fn next(&mut self) -> Strike {
        self.copy = 1 - self.copy;
        let calm = self.up_to(self.calm_max);
        let blow = match self.draw.random_range(0..100) {
            0..65 => Blow::Kill,
            65..78 => Blow::KillTwice { lives: self.up_to(Duration::from_millis(2500)) },
            78..88 => Blow::KillBoth,
            88..96 => Blow::Stop,
            _ => Blow::Freeze { stands: Duration::from_secs(3) + self.up_to(Duration::from_secs(3)) },
        };
        Strike { calm, blow, copy: self.copy, absence: self.up_to(Duration::from_secs(3)) }
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.draw.random())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_strikes_of_every_kind_in_turn() {
        let strikes = |seed| {
            let mut plan = Plan::new(seed, Duration::from_secs(10));
            (0..200).map(|_| plan.next()).collect::<Vec<_>>()
        };
        let drawn = strikes(1);
        assert_eq!(drawn, strikes(1));
        assert_ne!(drawn, strikes(2));
        assert!(drawn.windows(2).all(|pair| pair[0].copy != pair[1].copy));
        assert!(drawn.iter().all(|strike| strike.calm <= Duration::from_secs(10)));
        let of = |kind: fn(&Blow) -> bool| drawn.iter().filter(|strike| kind(&strike.blow)).count();
        assert!(of(|blow| *blow == Blow::Kill) > 100);
        assert!(of(|blow| *blow == Blow::KillBoth) > 5);
        assert!(of(|blow| *blow == Blow::Stop) > 5);
        assert!(of(|blow| matches!(blow, Blow::KillTwice { .. })) > 10);
        assert!(of(|blow| matches!(blow, Blow::Freeze { .. })) > 2);
    }
}
