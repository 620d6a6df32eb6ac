/// e^−x is taken as 0 from here on: smaller than 1e-304, and its exponent would leave the normal range.
const X_MAX: f64 = 700.0;
/// ln 2 in two parts; the first has so many trailing zero bits that its product with a small whole number is exact.
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1/k! for k = 13 down to 0: within ±ln2/2 the next term is below 1e-17.
const TERMS: [f64; 14] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// Returns e^−x for x ≥ 0.
///
/// `f64::exp` is the C library's, whose last bits differ between systems; features of one machine must be those of
/// another, bit for bit. Only additions, multiplications and bits are used here, which IEEE 754 fixes.
/// Range: 0..=1; NaN counts as no decay at all, thus 1.
#[inline]
pub(crate) fn decay(x: f64) -> f64 {
    if x >= X_MAX {
        return 0.0;
    }
    if x.is_nan() || x <= 0.0 {
        return 1.0;
    }
    let halvings = (x * std::f64::consts::LOG2_E + 0.5) as u64;
    let rest = (halvings as f64 * LN2_HIGH - x) + halvings as f64 * LN2_LOW;
    let power = TERMS.iter().skip(1).fold(TERMS[0], |sum, term| sum * rest + term);
    power * f64::from_bits((1023 - halvings) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_library_to_the_last_digits() {
        for step in 0..70_000 {
            let x = f64::from(step) * 0.009_999;
            let expected = (-x).exp();
            assert!((decay(x) - expected).abs() <= 4e-16 * expected, "{x}: {} {expected}", decay(x));
        }
    }

    #[test]
    fn the_ends_are_exact() {
        assert_eq!((decay(0.0), decay(-1.0), decay(f64::NAN)), (1.0, 1.0, 1.0));
        assert_eq!((decay(700.0), decay(f64::INFINITY)), (0.0, 0.0));
    }
}
