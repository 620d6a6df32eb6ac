#[inline]
pub(super) fn add([n, sum]: &mut [f64; 2], value: f64) {
    *n += 1.0;
    *sum += value;
}

#[inline]
pub(super) fn merge([n, sum]: &mut [f64; 2], [other_n, other_sum]: &[f64; 2]) {
    *n += other_n;
    *sum += other_sum;
}

/// Returns the mean of words that begin with n and sum; NaN of nothing.
#[inline]
pub(crate) fn mean(words: &[f64]) -> f64 {
    if words[0] > 0.0 { words[1] / words[0] } else { f64::NAN }
}
