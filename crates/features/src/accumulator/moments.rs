/// Adds one value. The running sum stands for the mean, so that `sum` needs no word of its own.
/// Source: Youngs, Cramer 1971, as given in Chan, Golub, LeVeque 1979, eq. 1.5.
#[inline]
pub(super) fn add([n, sum, squares]: &mut [f64; 3], value: f64) {
    *n += 1.0;
    *sum += value;
    if *n > 1.0 {
        let distance = *n * value - *sum;
        *squares += distance * distance / (*n * (*n - 1.0));
    }
}

/// Adds the moments of another set of values.
/// Source: Chan, Golub, LeVeque 1979, eq. 2.1.
#[inline]
pub(super) fn merge(words: &mut [f64; 3], other: &[f64; 3]) {
    let ([n, sum, squares], [other_n, other_sum, other_squares]) = (&mut *words, other);
    if *other_n == 0.0 {
        return;
    }
    if *n == 0.0 {
        *words = *other;
        return;
    }
    let distance = *sum * other_n - other_sum * *n;
    *squares += other_squares + distance * distance / (*n * other_n * (*n + other_n));
    *n += other_n;
    *sum += other_sum;
}

/// Returns the sample variance (divided by n − 1); NaN of fewer than two values.
#[inline]
pub(crate) fn variance(words: &[f64]) -> f64 {
    if words[0] > 1.0 { words[2] / (words[0] - 1.0) } else { f64::NAN }
}
