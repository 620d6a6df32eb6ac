/// Rows that go through a network together: four vector registers of any 128-bit machine.
pub(super) const WIDE: usize = 16;
/// Rows that go together where fewer are left.
pub(super) const NARROW: usize = 4;

/// Below this, e^x is smaller than any normal number of single precision.
const EXP_LEAST: f32 = -87.0;
/// Above this, e^x is close to overflow.
const EXP_GREATEST: f32 = 88.0;
/// 1.5 × 2²³: adding it rounds a small number to a whole one, which then stands in the lowest bits.
const ROUNDER: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has so few bits that its product with any exponent is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// e^r − 1 − r over r², fitted on −ln 2 / 2 ..= ln 2 / 2, from the fifth power down.
/// Source: Moshier, Cephes 2.2, `expf`.
const EXP_TERMS: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// Returns e^x with an error of at most 2 in the last place, the same bits on every system; NaN gives a number.
/// It has no branch and calls nothing, so that several lanes become one vector.
#[inline]
pub(super) fn exp(x: f32) -> f32 {
    let x = if x > EXP_LEAST { x } else { EXP_LEAST };
    let x = if x < EXP_GREATEST { x } else { EXP_GREATEST };
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let whole = shifted - ROUNDER;
    let rest = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    let series = EXP_TERMS.iter().fold(0.0, |sum, term| sum * rest + term);
    let exponent = (shifted.to_bits().wrapping_sub(ROUNDER.to_bits()) as i32 + 127) << 23;
    (series * rest * rest + rest + 1.0) * f32::from_bits(exponent as u32)
}

/// The larger one; `b` if `a` is NaN.
#[inline]
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// Largest value of each lane.
pub(super) fn greatest<const L: usize>(values: &[[f32; L]]) -> [f32; L] {
    let mut most = [f32::MIN; L];
    for value in values {
        for lane in 0..L {
            most[lane] = larger(value[lane], most[lane]);
        }
    }
    most
}

/// Replaces the values of each lane by numbers that are larger where they are, all positive, summing to 1.
pub(super) fn softmax<const L: usize>(values: &mut [[f32; L]]) {
    let most = greatest(values);
    let mut sum = [0.0; L];
    for value in values.iter_mut() {
        for lane in 0..L {
            value[lane] = exp(value[lane] - most[lane]);
            sum[lane] += value[lane];
        }
    }
    for value in values {
        for lane in 0..L {
            value[lane] /= sum[lane];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_the_last_places() {
        for step in -86_999..=87_999 {
            let x = step as f32 * 0.001;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 2.4e-7, "e^{x} came out as {}", exp(x));
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(f32::INFINITY).is_finite() && exp(f32::NAN).is_finite());
    }

    #[test]
    fn a_softmax_sums_to_one_in_every_lane() {
        let mut values = [[1.0, 1000.0, -5.0, 0.0], [2.0, 0.0, -5.0, 0.0]];
        softmax(&mut values);
        assert!(values[0].iter().zip(values[1]).all(|(a, b)| (a + b - 1.0).abs() < 1e-6));
        assert!((values[1][0] / values[0][0] - std::f32::consts::E).abs() < 1e-5);
        assert_eq!(values[0][2], 0.5);
    }
}
