use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Most steps of a formula.
pub(super) const STEPS_MAX: usize = 100_000;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Unary {
    Negate,
    Absolute,
    Exponential,
    Logarithm,
    SquareRoot,
    Logistic,
}

impl Unary {
    pub(super) fn apply(self, value: f64) -> f64 {
        match self {
            Self::Negate => -value,
            Self::Absolute => value.abs(),
            Self::Exponential => value.exp(),
            Self::Logarithm => value.ln(),
            Self::SquareRoot => value.sqrt(),
            Self::Logistic => 1.0 / (1.0 + (-value).exp()),
        }
    }
}

/// A function of two numbers; comparisons give 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Maximum,
    Minimum,
    Equal,
    Greater,
    Less,
}

impl Binary {
    pub(super) fn apply(self, a: f64, b: f64) -> f64 {
        let truth = |holds: bool| f64::from(u8::from(holds));
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::Power => a.powf(b),
            Self::Maximum => a.max(b),
            Self::Minimum => a.min(b),
            Self::Equal => truth(a == b),
            Self::Greater => truth(a > b),
            Self::Less => truth(a < b),
        }
    }
}

/// One step; operands are places of earlier steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Step {
    Constant(f64),
    /// A sum over trees.
    Margin(u32),
    Unary(Unary, u32),
    Binary(Binary, u32, u32),
}

impl Step {
    fn operands(self) -> impl Iterator<Item = u32> {
        match self {
            Self::Constant(_) | Self::Margin(_) => [None, None],
            Self::Unary(_, a) => [Some(a), None],
            Self::Binary(_, a, b) => [Some(a), Some(b)],
        }
        .into_iter()
        .flatten()
    }
}

/// How the score follows from sums over trees: the last step is the score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Formula {
    steps: Vec<Step>,
}

impl Formula {
    /// Keeps of `steps` what step `last` needs; also gives the margins that are left, which it numbers anew.
    pub(super) fn reaching(steps: &[Step], last: u32) -> (Self, Vec<u32>) {
        let mut needed = vec![false; last as usize + 1];
        needed[last as usize] = true;
        for place in (0..needed.len()).rev() {
            if needed[place] {
                steps[place].operands().for_each(|operand| needed[operand as usize] = true);
            }
        }
        let (mut places, mut kept) = (vec![0_u32; needed.len()], Vec::new());
        let (mut margins, mut numbers): (Vec<u32>, HashMap<u32, u32>) = (Vec::new(), HashMap::new());
        for place in (0..needed.len()).filter(|place| needed[*place]) {
            places[place] = kept.len() as u32;
            let moved = |operand: u32| places[operand as usize];
            kept.push(match steps[place] {
                Step::Constant(value) => Step::Constant(value),
                Step::Margin(margin) => Step::Margin(*numbers.entry(margin).or_insert_with(|| {
                    margins.push(margin);
                    (margins.len() - 1) as u32
                })),
                Step::Unary(unary, a) => Step::Unary(unary, moved(a)),
                Step::Binary(binary, a, b) => Step::Binary(binary, moved(a), moved(b)),
            });
        }
        (Self { steps: kept }, margins)
    }

    /// Refuses a formula that could not be worked out from so many margins.
    pub(super) fn check(&self, margins: usize) -> Result<(), String> {
        let reads_back = |(place, step): (usize, &Step)| match step {
            Step::Margin(margin) => (*margin as usize) < margins,
            step => step.operands().all(|operand| (operand as usize) < place),
        };
        match !self.steps.is_empty() && self.steps.len() <= STEPS_MAX && self.steps.iter().enumerate().all(reads_back) {
            true => Ok(()),
            false => Err(format!("a formula of {} steps reads what is not there", self.steps.len())),
        }
    }

    /// Works the score out from the margins. `scratch` is overwritten; it spares an allocation per row.
    pub(super) fn score(&self, margins: impl Fn(usize) -> f64, scratch: &mut Vec<f64>) -> f64 {
        scratch.clear();
        for step in &self.steps {
            scratch.push(match *step {
                Step::Constant(value) => value,
                Step::Margin(margin) => margins(margin as usize),
                Step::Unary(unary, a) => unary.apply(scratch[a as usize]),
                Step::Binary(binary, a, b) => binary.apply(scratch[a as usize], scratch[b as usize]),
            });
        }
        scratch.last().copied().unwrap_or(f64::NAN)
    }
}
