//! The same rows and seed give the same weights for any number of threads. candle reads that number once, from the
//! environment, so each is tried in a process of its own: this program starts itself with an argument more.

use std::io::Write;
use std::process::{Command, ExitCode};

use lapwing_detect::{AutoencoderOptions, Matrix, TransformerOptions};
use lapwing_neural::Networks;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TRAIN: &str = "train-and-print-weights";
/// So wide that a step's products are larger than those which candle leaves to one thread.
const COLUMNS: usize = 100;
/// Columns of the rows of keys.
const KEYS: usize = 4;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(TRAIN) {
        let _ = write!(std::io::stdout(), "{}", trained());
        return ExitCode::SUCCESS;
    }
    let one = weights("1");
    assert!(one.len() > 50_000, "the weights of both networks are printed: {}", one.len());
    for threads in ["2", "5"] {
        assert!(weights(threads) == one, "{threads} threads give other weights than one");
    }
    ExitCode::SUCCESS
}

/// What a process with so many threads learns.
fn weights(threads: &str) -> Vec<u8> {
    let program = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(program).arg(TRAIN).env("RAYON_NUM_THREADS", threads).output().expect("it starts again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn trained() -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let numbers = (0..300 * COLUMNS).map(|_| rng.random_range(-1.0_f32..1.0)).collect();
    let keys = (0..600 * KEYS).map(|_| rng.random_range(0..50) as f32).collect();
    let (numbers, keys) = (Matrix::from_values(COLUMNS, numbers).unwrap(), Matrix::from_values(KEYS, keys).unwrap());
    let networks = Networks::on_cpu();
    let options = AutoencoderOptions { epochs: 1, ..AutoencoderOptions::DEFAULT };
    let autoencoder = networks.autoencoder(&numbers, &options, 1).unwrap();
    let options = TransformerOptions { epochs: 1, batch_rows: 600, heads: 2, layers: 1, ..TransformerOptions::DEFAULT };
    let transformer = networks.transformer(&keys, &options, 1).unwrap();
    format!("{autoencoder:?}\n{transformer:?}")
}
