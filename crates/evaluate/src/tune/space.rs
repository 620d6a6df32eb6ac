//! Which options are tried, and how trials are drawn from them.

use lapwing_detect::{Method, OptionValue};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::detectors::value_of;
use crate::error::{EvaluateError, unknown_name};

/// A range whose ends differ by at least this factor is searched by factors, not by steps.
const LOG_FROM: f64 = 8.0;
/// How far the default space reaches from an option's default: so many times smaller and larger.
const REACH: f64 = 4.0;

/// Values of one trial, in the order of the axes.
pub(crate) type Choice = Vec<(String, OptionValue)>;

/// The options to search.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    axes: Vec<(String, Axis)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Axis {
    Whole(usize, usize),
    Number(f64, f64),
    List(Vec<OptionValue>),
}

impl Space {
    /// Reads `OPTION=LOW..HIGH` and `OPTION=VALUE,VALUE,…`; without any, the method's own space.
    /// Errors: `Setting` for unknown options and for ends that the method refuses.
    pub fn parse(method: &Method, searches: &[String]) -> Result<Self, EvaluateError> {
        if searches.is_empty() {
            return Self::around(method);
        }
        let mut axes: Vec<(String, Axis)> = Vec::new();
        for search in searches {
            let Some((name, range)) = search.split_once('=').map(|(name, range)| (name.trim(), range.trim())) else {
                return Err(EvaluateError::setting(format!("`{search}` is not of the form OPTION=LOW..HIGH")));
            };
            if axes.iter().any(|(known, _)| known == name) {
                return Err(EvaluateError::setting(format!("`{name}` is searched twice")));
            }
            let axis = Axis::parse(method, name, range)?;
            for value in axis.ends() {
                method
                    .clone()
                    .set(name, &value)
                    .map_err(|text| EvaluateError::setting(format!("`{search}`: {text}")))?;
            }
            axes.push((name.to_owned(), axis));
        }
        Ok(Self { axes })
    }

    /// Numbers from a fourth to four times their default, as far as the method takes them; yes and no. Texts stay.
    fn around(method: &Method) -> Result<Self, EvaluateError> {
        let accepts = |name: &str, value: OptionValue| method.clone().set(name, &value).is_ok();
        // Nearer and nearer to the default, until the method takes it.
        let reach = |name: &str, default: f64, direction: f64, whole: bool| {
            let factors = (0..8).map(|step| REACH.powf(direction / f64::from(1 << step)));
            let ends = factors.map(|factor| if whole { (default * factor).round() } else { default * factor });
            let value = |end: f64| if whole { OptionValue::Whole(end as usize) } else { OptionValue::Number(end) };
            ends.into_iter().find(|end| accepts(name, value(*end))).unwrap_or(default)
        };
        let mut axes = Vec::new();
        for (name, value) in method.options() {
            let axis = match value {
                OptionValue::Flag(_) => Axis::List(vec![OptionValue::Flag(false), OptionValue::Flag(true)]),
                OptionValue::Whole(default) => {
                    let ends = [-1.0, 1.0].map(|direction| reach(name, default as f64, direction, true) as usize);
                    Axis::Whole(ends[0], ends[1])
                }
                OptionValue::Number(default) => {
                    let ends = [-1.0, 1.0].map(|direction| reach(name, default, direction, false));
                    Axis::Number(ends[0].min(ends[1]), ends[0].max(ends[1]))
                }
                OptionValue::Text(_) => continue,
            };
            let fixed = matches!(axis, Axis::Whole(low, high) if low == high)
                || matches!(axis, Axis::Number(low, high) if low == high);
            if !fixed {
                axes.push((name.to_owned(), axis));
            }
        }
        match axes.is_empty() {
            true => Err(EvaluateError::setting(format!("{} has no options to search", method.name()))),
            false => Ok(Self { axes }),
        }
    }

    /// The space as it can be given again.
    pub fn describe(&self) -> Vec<String> {
        self.axes.iter().map(|(name, axis)| format!("{name}={}", axis.describe())).collect()
    }

    /// A trial at random.
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> Choice {
        self.axes.iter().map(|(name, axis)| (name.clone(), axis.at(rng.random::<f64>()))).collect()
    }

    /// All trials of the finest grid of at most so many. Errors: `Setting` if even the coarsest has more.
    pub(crate) fn grid(&self, trials: usize) -> Result<Vec<Choice>, EvaluateError> {
        let size = |steps: usize| {
            self.axes.iter().map(|(_, axis)| axis.grid(steps).len()).try_fold(1_usize, usize::checked_mul)
        };
        let fits = |steps: usize| size(steps).is_some_and(|size| size <= trials);
        if !fits(2) {
            let size = size(2).map_or("too many".to_owned(), |size| size.to_string());
            return Err(EvaluateError::setting(format!(
                "the coarsest grid has {size} points and {trials} trials are allowed: raise --trials, or search less"
            )));
        }
        // An axis of whole numbers ends somewhere; a finer step than one per trial says nothing.
        let steps = (2..=trials.max(2)).take_while(|steps| fits(*steps)).last().unwrap_or(2);
        let mut choices: Vec<Choice> = vec![Vec::new()];
        for (name, axis) in &self.axes {
            let values = axis.grid(steps);
            let with =
                |choice: &Choice, value: &OptionValue| [choice.as_slice(), &[(name.clone(), value.clone())]].concat();
            choices = choices.iter().flat_map(|choice| values.iter().map(move |value| with(choice, value))).collect();
        }
        Ok(choices)
    }
}

impl Axis {
    fn parse(method: &Method, name: &str, range: &str) -> Result<Self, EvaluateError> {
        let options = method.options();
        let Some((_, default)) = options.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = options.iter().map(|(known, _)| *known).collect();
            let hint = unknown_name(name, &known);
            return Err(EvaluateError::setting(format!("{} has no option `{name}`: {hint}", method.name())));
        };
        let Some((low, high)) = range.split_once("..") else {
            return Ok(Self::List(range.split(',').map(|value| value_of(value.trim())).collect()));
        };
        let refused =
            || EvaluateError::setting(format!("`{name}={range}`: the range needs two numbers, the lower first"));
        let numbers = low.parse::<f64>().ok().zip(high.parse::<f64>().ok());
        let (low, high) = numbers.filter(|(low, high)| low < high && high.is_finite()).ok_or_else(refused)?;
        match default {
            OptionValue::Whole(_) if low >= 0.0 && low.fract() == 0.0 && high.fract() == 0.0 => {
                Ok(Self::Whole(low as usize, high as usize))
            }
            OptionValue::Number(_) => Ok(Self::Number(low, high)),
            OptionValue::Whole(_) => Err(EvaluateError::setting(format!("`{name}` is a whole number, {range} is not"))),
            OptionValue::Flag(_) | OptionValue::Text(_) => {
                Err(EvaluateError::setting(format!("`{name}` has no range; list its values: {name}=VALUE,VALUE")))
            }
        }
    }

    fn ends(&self) -> Vec<OptionValue> {
        match self {
            Self::Whole(low, high) => vec![OptionValue::Whole(*low), OptionValue::Whole(*high)],
            Self::Number(low, high) => vec![OptionValue::Number(*low), OptionValue::Number(*high)],
            Self::List(values) => values.clone(),
        }
    }

    /// The value at a share of the way. Range of the share: 0..=1.
    fn at(&self, share: f64) -> OptionValue {
        match self {
            Self::Whole(low, high) => {
                let value = between(*low as f64, *high as f64, share).round() as usize;
                OptionValue::Whole(value.clamp(*low, *high))
            }
            // Four digits are finer than any search, and can be read.
            Self::Number(low, high) => {
                let value = between(*low, *high, share);
                OptionValue::Number(format!("{value:.3e}").parse::<f64>().unwrap_or(value).clamp(*low, *high))
            }
            Self::List(values) => values[((share * values.len() as f64) as usize).min(values.len() - 1)].clone(),
        }
    }

    fn grid(&self, steps: usize) -> Vec<OptionValue> {
        match self {
            Self::List(values) => values.clone(),
            _ => {
                let mut values: Vec<OptionValue> =
                    (0..steps).map(|step| self.at(step as f64 / (steps - 1) as f64)).collect();
                values.dedup();
                values
            }
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Whole(low, high) => format!("{low}..{high}"),
            Self::Number(low, high) => format!("{low}..{high}"),
            Self::List(values) => {
                values.iter().map(|value| value.to_string().replace('"', "")).collect::<Vec<_>>().join(",")
            }
        }
    }
}

/// The number at a share of the way from low to high, by factors where the range is wide.
fn between(low: f64, high: f64, share: f64) -> f64 {
    match low > 0.0 && high / low >= LOG_FROM {
        true => low * (high / low).powf(share),
        false => low + (high - low) * share,
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn space(searches: &[&str]) -> Result<Space, String> {
        let searches: Vec<String> = searches.iter().map(|search| (*search).to_owned()).collect();
        Space::parse(&Method::FOREST, &searches).map_err(|error| error.to_string())
    }

    #[test]
    fn a_space_is_read_and_described_alike() {
        let read = space(&["trees=50..400", "samples=64,128"]).unwrap();
        assert_eq!(read.describe(), ["trees=50..400", "samples=64,128"]);
        assert_eq!(space(&["trees=50..400", "samples=64,128"]).unwrap(), read);
    }

    #[test]
    fn the_default_space_lies_around_the_defaults_within_what_the_method_takes() {
        assert_eq!(space(&[]).unwrap().describe(), ["trees=25..400", "samples=64..512"]);
        let refused = Space::parse(&Method::RobustZscore, &[]).unwrap_err().to_string();
        assert!(refused.contains("no options to search"), "{refused}");
    }

    #[test]
    fn what_cannot_be_searched_is_refused_with_the_reason() {
        for (search, text) in [
            ("tree=1..2", "did you mean `trees`?"),
            ("trees", "OPTION=LOW..HIGH"),
            ("trees=9..3", "the lower first"),
            ("trees=1.5..3", "whole number"),
            ("trees=0..9", "1 to 10000"),
            ("trees=5,many", "1 to 10000"),
        ] {
            let refused = space(&[search]).unwrap_err();
            assert!(refused.contains(text), "{refused}");
        }
        assert!(space(&["trees=1..2", "trees=3..4"]).unwrap_err().contains("twice"));
    }

    #[test]
    fn trials_stay_within_the_space_and_follow_the_seed() {
        let space = space(&["trees=10..1000", "samples=64,128"]).unwrap();
        let draw = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            (0..50).map(|_| space.draw(&mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        let trees: Vec<usize> =
            draw(1).iter().map(|choice| if let OptionValue::Whole(trees) = choice[0].1 { trees } else { 0 }).collect();
        assert!(trees.iter().all(|trees| (10..=1000).contains(trees)));
        // By factors: half of the draws lie below the geometric middle, 100.
        assert!((15..=35).contains(&trees.iter().filter(|trees| **trees < 100).count()), "{trees:?}");
    }

    #[test]
    fn a_grid_is_as_fine_as_the_trials_allow() {
        let space = space(&["trees=10..20", "samples=64,128"]).unwrap();
        let grid = space.grid(7).unwrap();
        assert_eq!(grid.len(), 6);
        assert_eq!(
            grid[2],
            [("trees".to_owned(), OptionValue::Whole(15)), ("samples".to_owned(), OptionValue::Whole(64))]
        );
        assert!(space.grid(3).unwrap_err().to_string().contains("4 points"));
        assert_eq!(space.grid(1000).unwrap().len(), 22);
    }
}
