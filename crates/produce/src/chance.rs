use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// The generator for one purpose: streams of the same seed are independent of each other.
pub(crate) fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    generator
}

/// A positive number with a heavy upper tail. `spread` is the standard deviation of its logarithm.
pub(crate) fn log_normal(rng: &mut ChaCha8Rng, median: f64, spread: f64) -> f64 {
    let z: f64 = StandardNormal.sample(rng);
    median * (spread * z).exp()
}

/// How many of `n` things happen, each with probability `p`: exact where few are expected, from the normal
/// distribution where many are.
pub(crate) fn how_many(rng: &mut ChaCha8Rng, n: u32, p: f64) -> u32 {
    if n == 0 || p <= 0.0 {
        return 0;
    }
    if p >= 1.0 {
        return n;
    }
    if p > 0.5 {
        return n - how_many(rng, n, 1.0 - p);
    }
    let mean = f64::from(n) * p;
    if mean < 8.0 { few(rng, n, p) } else { many(rng, n, mean, p) }
}

/// Walks up the binomial distribution until its probabilities make up a drawn share.
fn few(rng: &mut ChaCha8Rng, n: u32, p: f64) -> u32 {
    let mut rest: f64 = rng.random();
    let mut probability = (1.0 - p).powi(n as i32);
    let odds = p / (1.0 - p);
    let mut hits = 0;
    while rest > probability && hits < n {
        rest -= probability;
        probability *= odds * f64::from(n - hits) / f64::from(hits + 1);
        hits += 1;
    }
    hits
}

fn many(rng: &mut ChaCha8Rng, n: u32, mean: f64, p: f64) -> u32 {
    let z: f64 = StandardNormal.sample(rng);
    (mean + z * (mean * (1.0 - p)).sqrt()).round().clamp(0.0, f64::from(n)) as u32
}

/// One of several, each as likely.
pub(crate) fn one_of<'a, T>(rng: &mut ChaCha8Rng, choices: &'a [T]) -> &'a T {
    &choices[rng.random_range(0..choices.len() as u32) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_has_the_right_mean_and_stays_in_range() {
        let mut rng = generator(1, 0);
        for (n, p) in [(10, 0.05), (500, 0.3), (255, 0.95), (3, 0.5), (100, 0.0), (100, 1.0)] {
            let draws: Vec<u32> = (0..20_000).map(|_| how_many(&mut rng, n, p)).collect();
            assert!(draws.iter().all(|k| *k <= n));
            let mean = draws.iter().map(|k| f64::from(*k)).sum::<f64>() / 20_000.0;
            assert!((mean - f64::from(n) * p).abs() < 0.02 * f64::from(n) * p + 0.1, "n {n} p {p} mean {mean}");
        }
    }
}
