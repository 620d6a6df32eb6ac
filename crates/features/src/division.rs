/// A divisor fixed beforehand: a multiplication and a correction instead of a division, which costs several times as
/// much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Divisor {
    by: i64,
    inverse: f64,
}

impl Divisor {
    /// Divides by `by`, which is positive and such that no quotient reaches 2⁵²: then the product below is off by less
    /// than one.
    pub(crate) fn new(by: i64) -> Self {
        Self { by, inverse: 1.0 / by as f64 }
    }

    /// Returns quotient and remainder; the remainder is not negative.
    #[inline]
    pub(crate) fn divide(self, number: i64) -> (i64, i64) {
        let mut quotient = (number as f64 * self.inverse) as i64;
        let mut rest = number.wrapping_sub(quotient.wrapping_mul(self.by));
        while rest < 0 {
            (quotient, rest) = (quotient - 1, rest + self.by);
        }
        while rest >= self.by {
            (quotient, rest) = (quotient + 1, rest - self.by);
        }
        (quotient, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_divides_as_euclid_does(
            by in prop_oneof![16_000..20_000_i64, 16_000..40_000_000_000_000_i64],
            number in prop_oneof![any::<i64>(), -1_000_000..1_000_000_i64],
            near in -2..=2_i64,
        ) {
            let edge = number.div_euclid(by).saturating_mul(by).saturating_add(near);
            for number in [number, edge, i64::MIN, i64::MAX] {
                prop_assert_eq!(Divisor::new(by).divide(number), (number.div_euclid(by), number.rem_euclid(by)));
            }
        }

        #[test]
        fn the_number_of_a_pane_gives_its_slot(pane in -600_000_000_000_000..600_000_000_000_000_i64, panes in 1..=60_i64) {
            prop_assert_eq!(Divisor::new(panes).divide(pane).1, pane.rem_euclid(panes));
        }
    }
}
