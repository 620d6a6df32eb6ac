use candle_core::{D, Device, Result, Tensor, Var};
use lapwing_detect::DetectError;
use lapwing_detect::networks;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// As the scorer has it.
const VARIANCE_MIN: f64 = 1e-5;

/// A layer in which every output looks at every input.
pub(crate) struct Dense {
    /// Shape: inputs × outputs.
    weights: Var,
    /// Shape: 1 × outputs.
    biases: Var,
}

/// Brings the values of a place to mean 0 and deviation 1, then stretches and moves each.
pub(crate) struct Norm {
    gains: Var,
    biases: Var,
}

/// Values drawn evenly between −`most` and `most`.
pub(crate) fn drawn(shape: (usize, usize), most: f32, rng: &mut ChaCha8Rng, device: &Device) -> Result<Var> {
    let values: Vec<f32> = (0..shape.0 * shape.1).map(|_| rng.random_range(-most..=most)).collect();
    Var::from_vec(values, shape, device)
}

/// All values of a tensor, row by row.
pub(crate) fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

/// What stands in for an error of candle.
pub(crate) fn fault(act: &'static str) -> impl Fn(candle_core::Error) -> DetectError {
    move |error| DetectError::Setting(format!("{act}: {error}"))
}

impl Dense {
    /// Weights are drawn so that signals keep their size. Source: Glorot, Bengio 2010, eq. 16.
    pub(crate) fn drawn(inputs: usize, outputs: usize, rng: &mut ChaCha8Rng, device: &Device) -> Result<Self> {
        let most = (6.0 / (inputs + outputs) as f32).sqrt();
        let biases = Var::from_vec(vec![0.0_f32; outputs], (1, outputs), device)?;
        Ok(Self { weights: drawn((inputs, outputs), most, rng, device)?, biases })
    }

    /// Replaces the biases. Shape: one value per output.
    pub(crate) fn set_biases(&self, biases: Vec<f32>) -> Result<()> {
        let shape = (1, biases.len());
        self.biases.set(&Tensor::from_vec(biases, shape, self.biases.device())?)
    }

    /// Shape: `from` is n × inputs, the result n × outputs.
    pub(crate) fn forward(&self, from: &Tensor) -> Result<Tensor> {
        from.matmul(&self.weights)?.broadcast_add(&self.biases)
    }

    pub(crate) fn variables(&self) -> [Var; 2] {
        [self.weights.clone(), self.biases.clone()]
    }

    /// The layer as it is applied. Errors: `Setting` if learning has left a weight that is no number.
    pub(crate) fn learned(&self) -> std::result::Result<networks::Dense, DetectError> {
        let read = || Ok((self.weights.dim(0)?, values(&self.weights.t()?)?, values(&self.biases)?));
        let (inputs, weights, biases) = read().map_err(fault("read weights"))?;
        networks::Dense::new(inputs, weights, biases)
    }
}

impl Norm {
    pub(crate) fn new(width: usize, device: &Device) -> Result<Self> {
        let gains = Var::from_vec(vec![1.0_f32; width], width, device)?;
        Ok(Self { gains, biases: Var::from_vec(vec![0.0_f32; width], width, device)? })
    }

    /// Shape: the last dimension of `from` is the width. Written out: candle's own has no derivative.
    pub(crate) fn forward(&self, from: &Tensor) -> Result<Tensor> {
        let centred = from.broadcast_sub(&from.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + VARIANCE_MIN)?.sqrt()?;
        centred.broadcast_div(&deviation)?.broadcast_mul(&self.gains)?.broadcast_add(&self.biases)
    }

    pub(crate) fn variables(&self) -> [Var; 2] {
        [self.gains.clone(), self.biases.clone()]
    }

    pub(crate) fn learned(&self) -> Result<networks::Norm> {
        Ok(networks::Norm { gains: values(&self.gains)?, biases: values(&self.biases)? })
    }
}
