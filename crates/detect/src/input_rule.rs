//! What counts as strange in a single column: on which side of the usual, and from which distance.
//!
//! Statistics know how far a value is off; whether that matters is known to people. A disk that is emptier than usual
//! may be no fault, and a latency of 2 ms instead of 1 ms no trouble, however rare it is.

use serde::{Deserialize, Serialize};

/// Side of the usual on which a value counts as strange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Above.
    Up,
    /// Below.
    Down,
    /// Above and below.
    #[default]
    Both,
}

/// Smallest distance from the usual value that counts; what is nearer is as good as usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MinimumEffect {
    /// Every distance counts.
    #[default]
    None,
    /// In units of the column.
    Absolute(f64),
    /// As a share of the usual value's magnitude.
    Relative(f64),
}

/// What counts as strange in one input of a detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputRule {
    /// Name of a batch column (then it is for all its encoded columns), or of an encoded column.
    pub column: String,
    /// Side that counts.
    #[serde(default)]
    pub direction: Direction,
    /// Distance from which it counts.
    #[serde(default)]
    pub minimum_effect: MinimumEffect,
}

/// A rule as detectors keep it, one per column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnRule {
    /// Side that counts.
    pub direction: Direction,
    /// Distance from which it counts.
    pub minimum_effect: MinimumEffect,
}

/// A rule made ready for one column: what to compare a value's distance with. Units: those of the column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Margin {
    /// Distance from the usual above which a higher value counts; infinite if none does.
    above: f32,
    /// Distance from the usual above which a lower value counts; infinite if none does.
    below: f32,
}

impl InputRule {
    /// Refuses a minimum effect that is no distance; the text says what may stand there.
    pub fn check(&self) -> Result<(), String> {
        match self.minimum_effect {
            MinimumEffect::Absolute(least) | MinimumEffect::Relative(least) if !(least >= 0.0 && least.is_finite()) => {
                Err(format!("the minimum effect of `{}` is {least}; it must be a number from 0", self.column))
            }
            _ => Ok(()),
        }
    }
}

impl ColumnRule {
    /// The margin around a usual value.
    pub(crate) fn margin(&self, usual: f32) -> Margin {
        let least = match self.minimum_effect {
            MinimumEffect::None => 0.0,
            MinimumEffect::Absolute(least) => least as f32,
            MinimumEffect::Relative(share) => (share * f64::from(usual.abs())) as f32,
        };
        let side = |counts: bool| if counts { least } else { f32::INFINITY };
        Margin { above: side(self.direction != Direction::Down), below: side(self.direction != Direction::Up) }
    }
}

impl Margin {
    /// Everything counts.
    pub(crate) const NONE: Self = Self { above: 0.0, below: 0.0 };

    /// Whether a value this far above (or, negative, below) the usual counts. NaN does not.
    pub(crate) fn counts(self, difference: f32) -> bool {
        let difference = difference.clamp(f32::MIN, f32::MAX);
        difference >= self.above || difference <= -self.below
    }

    /// Whether it could have been made by a rule.
    pub(crate) fn is_usable(self) -> bool {
        self.above >= 0.0 && self.below >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(direction: Direction, minimum_effect: MinimumEffect, usual: f32) -> [bool; 4] {
        let margin = ColumnRule { direction, minimum_effect }.margin(usual);
        [-10.0, -1.0, 1.0, 10.0].map(|difference| margin.counts(difference))
    }

    #[test]
    fn only_the_side_and_the_distance_asked_for_count() {
        assert_eq!(counted(Direction::Both, MinimumEffect::None, 0.0), [true; 4]);
        assert_eq!(counted(Direction::Up, MinimumEffect::None, 0.0), [false, false, true, true]);
        assert_eq!(counted(Direction::Down, MinimumEffect::Absolute(2.0), 0.0), [true, false, false, false]);
        assert_eq!(counted(Direction::Both, MinimumEffect::Relative(0.05), -100.0), [true, false, false, true]);
        assert!(!Margin::NONE.counts(f32::NAN));
    }

    #[test]
    fn a_minimum_effect_that_is_no_distance_is_refused() {
        for least in [-1.0, f64::NAN, f64::INFINITY] {
            let minimum_effect = MinimumEffect::Absolute(least);
            let rule = InputRule { column: "latency".to_owned(), direction: Direction::Up, minimum_effect };
            assert!(rule.check().unwrap_err().contains("`latency`"), "{least}");
        }
    }
}
