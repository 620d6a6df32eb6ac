//! An autoencoder learns what columns have to do with each other, and is not put off by odd columns.

use lapwing_detect::{Autoencoder, AutoencoderOptions, DetectError, Matrix};
use lapwing_neural::Networks;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const OPTIONS: AutoencoderOptions =
    AutoencoderOptions { epochs: 15, learning_rate: 0.005, ..AutoencoderOptions::DEFAULT };

fn train(rows: &Matrix, seed: u64) -> Result<Autoencoder, DetectError> {
    Networks::on_cpu().autoencoder(rows, &OPTIONS, seed)
}

/// Eight columns that lie on a surface of two dimensions, bent, with a little noise.
fn surface(count: usize, seed: u64) -> Vec<[f32; 8]> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut row = || {
        let (a, b): (f32, f32) = (rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0));
        let mut row = [a, b, a + b, a - b, 2.0 * a, 5.0 * b + 100.0, a.abs(), (a + b).max(0.0)];
        row.iter_mut().for_each(|value| *value += rng.random_range(-0.02..0.02));
        row
    };
    (0..count).map(|_| row()).collect()
}

/// Rows each of whose columns is as usual, but taken from different rows.
fn torn(rows: &[[f32; 8]]) -> Vec<[f32; 8]> {
    let other = |row: usize, column: usize| rows[(row + 37 * column) % rows.len()][column];
    (0..rows.len()).map(|row| std::array::from_fn(|column| other(row, column))).collect()
}

/// Share of pairs in which the second kind scores higher.
fn auroc(usual: &[f64], strange: &[f64]) -> f64 {
    let below = strange.iter().map(|score| usual.iter().filter(|other| *other < score).count()).sum::<usize>();
    below as f64 / (usual.len() * strange.len()) as f64
}

#[test]
fn rows_off_the_surface_are_found_though_each_column_is_as_usual() {
    let network = train(&Matrix::from_rows(&surface(2000, 1)).unwrap(), 1).unwrap();
    let unseen = surface(400, 2);
    let usual = network.score(&Matrix::from_rows(&unseen).unwrap()).unwrap();
    let strange = network.score(&Matrix::from_rows(&torn(&unseen)).unwrap()).unwrap();
    let auroc = auroc(&usual, &strange);
    assert!(auroc > 0.95, "{auroc}");
}

#[test]
fn the_same_rows_and_seed_give_the_same_network_and_another_seed_another() {
    let rows = Matrix::from_rows(&surface(300, 3)).unwrap();
    let network = train(&rows, 5).unwrap();
    assert_eq!(train(&rows, 5).unwrap(), network);
    assert_ne!(train(&rows, 6).unwrap(), network);
}

#[test]
fn missing_constant_and_infinite_columns_do_no_harm() {
    let odd = |row: usize, [a, b, c, ..]: &[f32; 8]| {
        let often = if row.is_multiple_of(3) { f32::NAN } else { *b };
        let far = if row.is_multiple_of(50) { f32::INFINITY } else { *c };
        [*a, often, far, f32::NAN, f32::NEG_INFINITY, 7.0, a + b]
    };
    let odd = |seed| -> Vec<[f32; 7]> { surface(1500, seed).iter().enumerate().map(|(n, row)| odd(n, row)).collect() };
    let network = train(&Matrix::from_rows(&odd(1)).unwrap(), 1).unwrap();
    let unseen = odd(2);
    let usual = network.score(&Matrix::from_rows(&unseen).unwrap()).unwrap();
    assert!(usual.iter().all(|score| score.is_finite()));
    let moved: Vec<[f32; 7]> = unseen
        .iter()
        .map(|row| {
            let mut row = *row;
            row[6] = -row[6] - 1.0;
            row
        })
        .collect();
    let strange = network.score(&Matrix::from_rows(&moved).unwrap()).unwrap();
    let auroc = auroc(&usual, &strange);
    assert!(auroc > 0.8, "{auroc}");
    let nothing = network.score(&Matrix::missing(1, 7)).unwrap();
    assert_eq!(nothing, [0.0]);
}

#[test]
fn few_rows_are_enough_and_too_few_are_refused() {
    let rows = surface(4, 1);
    let network = train(&Matrix::from_rows(&rows).unwrap(), 1).unwrap();
    assert_eq!(network.width(), 8);
    let few = Matrix::from_rows(&rows[..3]).unwrap();
    let act = "train autoencoder";
    assert_eq!(train(&few, 1), Err(DetectError::TooFewRows { act, needed: 4, found: 3 }));
    let one_column = Matrix::from_values(1, (0..50).map(|value| value as f32).collect()).unwrap();
    assert_eq!(train(&one_column, 1).unwrap().width(), 1);
    let wide = train(&Matrix::missing(5, 3000), 1).unwrap_err().to_string();
    assert!(wide.contains("3000 columns, 1 to 2048"), "{wide}");
    assert_eq!(train(&Matrix::missing(20, 3), 1).unwrap().score(&Matrix::missing(1, 3)).unwrap(), [0.0]);
}
