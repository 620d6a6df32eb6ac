// A comparison, not `f64::max`: of 0 and −0 that may return either, differently from build to build.

#[inline]
pub(super) fn add([largest]: &mut [f64; 1], value: f64) {
    if value > *largest {
        *largest = value;
    }
}

#[inline]
pub(super) fn merge(words: &mut [f64; 1], [other]: &[f64; 1]) {
    add(words, *other);
}
