/// Returns one word that holds both numbers, rounded. Finite numbers never look like NaN, so the word can be copied as
/// any other. Range: below zero counts as zero, too large as the largest.
#[inline]
pub(super) fn pack(high: f64, low: f64) -> f64 {
    let bits = |value: f64| u64::from((value.clamp(0.0, f64::from(f32::MAX)) as f32).to_bits());
    f64::from_bits(bits(high) << 32 | bits(low))
}

/// Returns both numbers of a word.
#[inline]
pub(super) fn unpack(word: f64) -> (f64, f64) {
    let bits = word.to_bits();
    (f64::from(f32::from_bits((bits >> 32) as u32)), f64::from(f32::from_bits(bits as u32)))
}
