use serde::{Deserialize, Serialize};

use super::lanes::larger;
use crate::error::DetectError;

/// Widest input or output of a layer; bounds what a damaged artefact can make us compute.
pub(super) const WIDTH_MAX: usize = 2048;

/// A layer in which every output is a weighted sum of all inputs, and a bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    inputs: u32,
    /// Output by output, the weights of its inputs.
    weights: Vec<f32>,
    /// One per output.
    biases: Vec<f32>,
}

impl Dense {
    /// Takes weights laid output by output. Shape: `weights` is outputs × `inputs`, `biases` has one value per output.
    /// Errors: `Setting` if shapes do not fit, or a value is not finite.
    pub fn new(inputs: usize, weights: Vec<f32>, biases: Vec<f32>) -> Result<Self, DetectError> {
        let inputs = u32::try_from(inputs).unwrap_or(u32::MAX);
        let layer = Self { inputs, weights, biases };
        layer.check().map_err(DetectError::Setting)?;
        Ok(layer)
    }

    /// Refuses a layer that could not be applied; the text says what is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        if !(1..=WIDTH_MAX).contains(&inputs) || !(1..=WIDTH_MAX).contains(&outputs) {
            return Err(format!("a layer has {inputs} inputs and {outputs} outputs, 1 to {WIDTH_MAX} are possible"));
        }
        if self.weights.len() != inputs * outputs {
            return Err(format!("a layer of {inputs} inputs and {outputs} outputs has {} weights", self.weights.len()));
        }
        check_finite(&[&self.weights, &self.biases])
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs as usize
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.biases.len()
    }

    /// Writes the outputs of each lane. Shape: `from` has one entry per input, `to` one per output.
    pub(super) fn apply<const L: usize>(&self, from: &[[f32; L]], to: &mut [[f32; L]]) {
        let inputs = self.inputs();
        // Sums of two outputs are independent chains: enough of them to keep the adders busy.
        let mut pairs = to.chunks_exact_mut(2);
        let (mut weights, mut biases) = (self.weights.as_slice(), self.biases.as_slice());
        for pair in &mut pairs {
            let (rows, rest) = weights.split_at(2 * inputs);
            let (first, second) = rows.split_at(inputs);
            let (mut a, mut b) = ([biases[0]; L], [biases[1]; L]);
            for ((value, first), second) in from.iter().zip(first).zip(second) {
                for lane in 0..L {
                    a[lane] += first * value[lane];
                    b[lane] += second * value[lane];
                }
            }
            pair.copy_from_slice(&[a, b]);
            (weights, biases) = (rest, &biases[2..]);
        }
        for last in pairs.into_remainder() {
            *last = [biases[0]; L];
            for (value, weight) in from.iter().zip(weights) {
                for lane in 0..L {
                    last[lane] += weight * value[lane];
                }
            }
        }
    }
}

/// Replaces what is below 0 by 0; NaN too.
pub(super) fn rectify<const L: usize>(values: &mut [[f32; L]]) {
    values.iter_mut().flatten().for_each(|value| *value = larger(*value, 0.0));
}

/// Refuses weights that are no numbers.
pub(super) fn check_finite(parts: &[&[f32]]) -> Result<(), String> {
    match parts.iter().all(|part| part.iter().all(|value| value.is_finite())) {
        true => Ok(()),
        false => Err("a weight is not finite".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_output_is_a_weighted_sum_and_a_bias() {
        let layer = Dense::new(2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![0.5, 0.0, -0.5]).unwrap();
        let mut outputs = [[0.0; 4]; 3];
        layer.apply(&[[1.0, 0.0, 2.0, -1.0], [10.0, 0.0, 0.0, 1.0]], &mut outputs);
        assert_eq!(outputs, [[21.5, 0.5, 2.5, 1.5], [43.0, 0.0, 6.0, 1.0], [64.5, -0.5, 9.5, 0.5]]);
        rectify(&mut outputs);
        assert_eq!(outputs[2], [64.5, 0.0, 9.5, 0.5]);
    }

    #[test]
    fn weights_that_do_not_fit_are_refused() {
        let refused = |inputs: usize, weights: usize, biases: Vec<f32>| {
            Dense::new(inputs, vec![1.0; weights], biases).unwrap_err().to_string()
        };
        assert!(refused(2, 3, vec![0.0; 2]).contains("has 3 weights"));
        assert!(refused(0, 0, vec![0.0; 2]).contains("0 inputs"));
        assert!(refused(usize::MAX, 0, vec![0.0; 2]).contains("inputs"));
        assert!(refused(1, WIDTH_MAX + 1, vec![0.0; WIDTH_MAX + 1]).contains("outputs"));
        assert!(refused(1, 1, vec![f32::NAN]).contains("not finite"));
    }
}
