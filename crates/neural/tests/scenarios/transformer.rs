//! A transformer learns which key follows which, and is surprised by others.

use lapwing_detect::{DetectError, Matrix, Transformer, TransformerOptions};
use lapwing_neural::Networks;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const OPTIONS: TransformerOptions =
    TransformerOptions { heads: 2, epochs: 12, batch_rows: 64, learning_rate: 0.005, ..TransformerOptions::DEFAULT };
/// Columns: the present key and five before it.
const PLACES: usize = 6;
/// What is done again and again; whether 30 or 40 follows 20 depends on what came two keys earlier.
const ROUNDS: [[f32; 4]; 2] = [[10.0, 20.0, 30.0, 50.0], [11.0, 20.0, 40.0, 50.0]];

fn train(rows: &Matrix, options: &TransformerOptions, seed: u64) -> Result<Transformer, DetectError> {
    Networks::on_cpu().transformer(rows, options, seed)
}

/// Sequences of whole rounds drawn by chance, each present key with those before it, the newest first. The first rows
/// have too few before them.
fn grammar(rounds: usize, seed: u64) -> Matrix {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let keys: Vec<f32> = (0..rounds).flat_map(|_| ROUNDS[rng.random_range(0..2)]).collect();
    let key = |at: usize, before: usize| at.checked_sub(before).map_or(f32::NAN, |at| keys[at]);
    let row = |at: usize| -> [f32; PLACES] { std::array::from_fn(|before| key(at, before)) };
    Matrix::from_rows(&(0..keys.len()).map(row).collect::<Vec<_>>()).unwrap()
}

/// The row after these keys, oldest first.
fn after(keys: [f32; PLACES]) -> Matrix {
    let mut keys = keys;
    keys.reverse();
    Matrix::from_rows(&[keys]).unwrap()
}

#[test]
fn a_key_against_the_grammar_is_a_surprise_and_the_reason_is_the_key_that_forbids_it() {
    let network = train(&grammar(400, 1), &OPTIONS, 1).unwrap();
    let score = |keys| network.score(&after(keys)).unwrap()[0];
    let (right, wrong) = ([30.0, 50.0, 11.0, 20.0, 40.0, 50.0], [30.0, 50.0, 11.0, 20.0, 40.0, 20.0]);
    assert!(score(right) < 0.1 && score(wrong) > 3.0, "{} and {}", score(right), score(wrong));
    let (right, wrong) = ([20.0, 30.0, 50.0, 11.0, 20.0, 40.0], [20.0, 30.0, 50.0, 11.0, 20.0, 30.0]);
    assert!(score(right) < 0.1 && score(wrong) > 3.0, "{} and {}", score(right), score(wrong));
    let unheard_of = score([20.0, 30.0, 50.0, 11.0, 20.0, 999.0]);
    assert!(unheard_of > 3.0, "{unheard_of}");
    // Known with the present key 30 and 20 before it, nothing is wrong; 11 before them makes it so.
    let mut credit = [0.0; PLACES];
    network.attribute(after(wrong).row(0), &mut credit);
    assert!((1..PLACES).all(|place| place == 2 || credit[place] < credit[2]), "{credit:?}");
}

#[test]
fn by_rank_an_expected_key_stands_below_one_and_a_forbidden_one_above_all_allowed() {
    let network = train(&grammar(400, 1), &TransformerOptions { by_rank: true, ..OPTIONS }, 1).unwrap();
    let score = |keys| network.score(&after(keys)).unwrap()[0];
    assert!(score([30.0, 50.0, 11.0, 20.0, 40.0, 50.0]) < 0.2);
    assert!(score([11.0, 20.0, 40.0, 50.0, 10.0, 30.0]) > 1.0);
}

#[test]
fn masked_keys_are_told_from_both_sides_and_the_wrong_one_bears_the_blame() {
    let network = train(&grammar(400, 1), &TransformerOptions { masked_key: true, ..OPTIONS }, 1).unwrap();
    let (right, wrong) = ([50.0, 11.0, 20.0, 40.0, 50.0, 11.0], [50.0, 11.0, 20.0, 30.0, 50.0, 11.0]);
    let score = |keys| network.score(&after(keys)).unwrap()[0];
    assert!(score(wrong) > 3.0 * score(right), "{} and {}", score(right), score(wrong));
    let mut credit = [0.0; PLACES];
    network.attribute(after(wrong).row(0), &mut credit);
    // Either of the two that contradict each other may be the wrong one.
    let most = credit.iter().copied().fold(f64::MIN, f64::max);
    assert!(credit[2] == most || credit[4] == most, "{credit:?}");
}

#[test]
fn the_same_rows_and_seed_give_the_same_network_and_another_seed_another() {
    let rows = grammar(40, 1);
    let short = TransformerOptions { epochs: 1, samples: 100, ..OPTIONS };
    let network = train(&rows, &short, 5).unwrap();
    assert_eq!(train(&rows, &short, 5).unwrap(), network);
    assert_ne!(train(&rows, &short, 6).unwrap(), network);
}

#[test]
fn missing_and_constant_columns_do_no_harm_and_what_is_no_key_is_refused() {
    let rows: Vec<[f32; 4]> = (0..60).map(|row| [(row % 3) as f32, f32::NAN, 7.0, (row % 2) as f32]).collect();
    let short = TransformerOptions { epochs: 2, ..OPTIONS };
    let network = train(&Matrix::from_rows(&rows).unwrap(), &short, 1).unwrap();
    assert!(network.score(&Matrix::from_rows(&rows).unwrap()).unwrap().iter().all(|score| score.is_finite()));
    for value in [f32::INFINITY, 0.25] {
        let mut odd = rows.clone();
        odd[5][3] = value;
        let error = train(&Matrix::from_rows(&odd).unwrap(), &short, 1).unwrap_err();
        assert!(matches!(&error, DetectError::Setting(text) if text.contains("row 5, column 3")), "{error}");
    }
    let wide = train(&Matrix::missing(5, 200), &short, 1).unwrap_err().to_string();
    assert!(wide.contains("200 columns, 1 to 128"), "{wide}");
}

#[test]
fn few_rows_are_enough_and_rows_without_a_key_do_not_count() {
    let rows = [[1.0, 2.0], [2.0, 1.0], [1.0, f32::NAN], [1.0, 2.0], [f32::NAN, 1.0]];
    let short = TransformerOptions { epochs: 2, ..OPTIONS };
    let network = train(&Matrix::from_rows(&rows).unwrap(), &short, 1).unwrap();
    assert_eq!((network.width(), network.vocabulary().keys()), (2, &[1.0, 2.0][..]));
    let act = "train transformer";
    let error = train(&Matrix::from_rows(&rows[1..]).unwrap(), &short, 1);
    assert_eq!(error, Err(DetectError::TooFewRows { act, needed: 4, found: 3 }));
    let one_column = Matrix::from_values(1, vec![3.0; 30]).unwrap();
    assert!(train(&one_column, &short, 1).unwrap().score(&one_column).unwrap()[0] < 1.0);
}
