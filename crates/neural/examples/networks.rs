//! Trains both networks on rows drawn by chance, and prints how fast that went and how fast they score, as one line of
//! JSON. Times are processor time, so that other programs, and waiting threads, do not count.
//!
//! Usage: `networks [ROWS]`

use std::error::Error;

use lapwing_detect::{AutoencoderOptions, DetectError, Matrix, TransformerOptions};
use lapwing_neural::Networks;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The width at which other systems are compared: KDD'99's numbers.
const COLUMNS: usize = 38;
/// Numbers that rule all columns of a row.
const CAUSES: usize = 4;
/// A present key and nine before it.
const PLACES: usize = 10;
/// Different keys.
const KEYS: usize = 100;
/// Times that all rows are scored: Linux counts processor time in steps of some milliseconds.
const SCORED_TIMES: usize = 20;
/// Passes over the rows while the time is taken.
const EPOCHS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(50_000), |text| text.parse())?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let networks = Networks::on_cpu();

    let rows = numbers(count, &mut rng)?;
    let options = AutoencoderOptions { epochs: EPOCHS, patience: EPOCHS, ..AutoencoderOptions::DEFAULT };
    let start = processor_seconds()?;
    let autoencoder = networks.autoencoder(&rows, &options, 1)?;
    let trained = (count * EPOCHS) as f64 / (processor_seconds()? - start);
    let scored = microseconds_per_row(count, || autoencoder.score(&rows))?;

    let rows = keys(count, &mut rng)?;
    let options = TransformerOptions { epochs: EPOCHS, patience: EPOCHS, ..TransformerOptions::DEFAULT };
    let start = processor_seconds()?;
    let transformer = networks.transformer(&rows, &options, 1)?;
    let read = (count * EPOCHS) as f64 / (processor_seconds()? - start);
    let told = microseconds_per_row(count, || transformer.score(&rows))?;
    let surprisal = transformer.score(&rows)?.iter().sum::<f64>() / count as f64;

    print(&format!(
        "{{\"rows\":{count},\"autoencoder_rows_trained_per_second\":{trained:.0},\
         \"autoencoder_microseconds_per_row\":{scored:.3},\"transformer_rows_trained_per_second\":{read:.0},\
         \"transformer_microseconds_per_row\":{told:.2},\"transformer_mean_surprisal\":{surprisal:.3}}}"
    ))
}

fn print(line: &str) -> Result<(), Box<dyn Error>> {
    use std::io::Write;
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Columns that follow a few causes, with noise.
fn numbers(count: usize, rng: &mut ChaCha8Rng) -> Result<Matrix, Box<dyn Error>> {
    let mixing: Vec<[f32; CAUSES]> =
        (0..COLUMNS).map(|_| std::array::from_fn(|_| rng.random_range(-1.0..1.0))).collect();
    let mut values = Vec::with_capacity(count * COLUMNS);
    for _ in 0..count {
        let causes: [f32; CAUSES] = std::array::from_fn(|_| rng.random_range(-1.0..1.0));
        for column in &mixing {
            let follows: f32 = column.iter().zip(causes).map(|(weight, cause)| weight * cause).sum();
            values.push(follows + rng.random_range(-0.1..0.1));
        }
    }
    Ok(Matrix::from_values(COLUMNS, values)?)
}

/// Keys of which each has three that may follow; any other comes once in a hundred times.
fn keys(count: usize, rng: &mut ChaCha8Rng) -> Result<Matrix, Box<dyn Error>> {
    let mut values = Vec::with_capacity(count * PLACES);
    let mut history = [0_usize; PLACES];
    for _ in 0..count {
        let chance = rng.random_bool(0.01);
        let next = if chance { rng.random_range(0..KEYS) } else { history[0] * 7 + 13 * rng.random_range(1..=3) };
        history.rotate_right(1);
        history[0] = next % KEYS;
        values.extend(history.iter().map(|key| *key as f32));
    }
    Ok(Matrix::from_values(PLACES, values)?)
}

fn microseconds_per_row(
    count: usize,
    score: impl Fn() -> Result<Vec<f64>, DetectError>,
) -> Result<f64, Box<dyn Error>> {
    let start = processor_seconds()?;
    for _ in 0..SCORED_TIMES {
        std::hint::black_box(score()?);
    }
    Ok((processor_seconds()? - start) * 1e6 / (count * SCORED_TIMES) as f64)
}

/// Time all threads of this process have run, as Linux counts it: first number of each `schedstat`, in nanoseconds.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let mut nanos = 0.0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanos += text.split(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(nanos / 1e9)
}
