#[inline]
pub(super) fn add([n]: &mut [f64; 1]) {
    *n += 1.0;
}

#[inline]
pub(super) fn merge([n]: &mut [f64; 1], [other]: &[f64; 1]) {
    *n += other;
}
