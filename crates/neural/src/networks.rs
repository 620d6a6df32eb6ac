use candle_core::Device;
use lapwing_detect::{Autoencoder, AutoencoderOptions, DetectError, Matrix, Transformer, TransformerOptions};

use crate::{autoencoder, transformer};

/// Trains networks, for whoever implements [`Outside`](lapwing_detect::training::Outside).
#[derive(Clone, Debug)]
pub struct Networks {
    device: Device,
}

impl Networks {
    /// Trains on the CPU.
    pub fn on_cpu() -> Self {
        Self { device: Device::Cpu }
    }

    /// Trains on the GPU of that number. Errors: `Setting` if there is none that CUDA can use.
    #[cfg(feature = "cuda")]
    pub fn on_gpu(number: usize) -> Result<Self, DetectError> {
        let device = Device::new_cuda(number).map_err(|error| {
            DetectError::Setting(format!("use GPU {number}: {error}; see `nvidia-smi`, or train on the CPU"))
        })?;
        Ok(Self { device })
    }

    /// Trains an autoencoder on rows that are not known to be anomalies. Shape: `rows` is n × d, the result reads d
    /// columns. Errors: `TooFewRows` below 4, `Setting` if an option is out of range, there are too many columns, or
    /// training comes to nothing.
    pub fn autoencoder(
        &self,
        rows: &Matrix,
        options: &AutoencoderOptions,
        seed: u64,
    ) -> Result<Autoencoder, DetectError> {
        autoencoder::train(rows, options, seed, &self.device)
    }

    /// Trains a transformer on rows that are not known to be anomalies. Shape: `rows` is n × d, the present key first,
    /// then those before it, the newest first. Errors: as [`Networks::autoencoder`], and `Setting` if a value is no
    /// key; `TooFewRows` counts only rows that have a key to tell.
    pub fn transformer(
        &self,
        rows: &Matrix,
        options: &TransformerOptions,
        seed: u64,
    ) -> Result<Transformer, DetectError> {
        transformer::train(rows, options, seed, &self.device)
    }
}
