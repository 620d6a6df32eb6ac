/// Returns the value as evenly spread bits; zero has no sign.
/// Source: Steele, Lea, Flood 2014, SplitMix64, the mixing of its output.
#[inline]
pub(crate) fn spread(value: f64) -> u64 {
    let mut bits = (value + 0.0).to_bits().wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
