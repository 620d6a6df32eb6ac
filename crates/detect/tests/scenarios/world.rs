//! Rows drawn from a known law, shared by the tests.

use lapwing_detect::{Ensemble, Inputs, Matrix, MemberSpec, Method, ModelColumns, TrainingSet};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Columns of the rows.
pub(crate) const WIDTH: usize = 6;

/// One normal row: four bell-shaped columns, one of them following another, a skewed one, and a rare flag; a value in
/// fifty is missing.
fn row(rng: &mut ChaCha8Rng) -> [f32; WIDTH] {
    let mut bell = || (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
    let (a, b, c, noise) = (bell(), bell(), bell(), bell());
    let skewed = -(1.0 - rng.random::<f32>()).ln();
    let flag = f32::from(u8::from(rng.random::<f32>() < 0.02));
    let mut row = [a, 10.0 * b, c, a + 0.1 * noise, skewed, flag];
    if rng.random::<f32>() < 0.1 {
        row[rng.random_range(0..WIDTH)] = f32::NAN;
    }
    row
}

/// Normal rows.
pub(crate) fn normal(count: usize, seed: u64) -> Matrix {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Matrix::from_rows(&(0..count).map(|_| row(&mut rng)).collect::<Vec<_>>()).unwrap()
}

/// Names of the columns.
pub(crate) fn columns() -> ModelColumns {
    ModelColumns::numeric(&["a", "b", "c", "follows_a", "skewed", "flag"]).unwrap()
}

/// A member reading all columns.
pub(crate) fn member(name: &str, method: Method) -> MemberSpec {
    MemberSpec { name: name.to_owned(), method, inputs: Inputs::All, rules: vec![] }
}

/// Both methods, trained on normal rows.
pub(crate) fn ensemble(rows: &Matrix, alert_rate: f64, seed: u64) -> Ensemble {
    let members = [member("spike", Method::RobustZscore), member("forest", Method::FOREST)];
    Ensemble::fit(columns(), &TrainingSet::unlabelled(rows), &members, alert_rate, seed).unwrap()
}
