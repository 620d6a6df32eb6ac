#[inline]
pub(super) fn add([sum]: &mut [f64; 1], value: f64) {
    *sum += value;
}

#[inline]
pub(super) fn merge([sum]: &mut [f64; 1], [other]: &[f64; 1]) {
    *sum += other;
}
