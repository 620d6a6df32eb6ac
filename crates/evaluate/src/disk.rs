//! What training needs from outside of the detectors: model files from the disk, and networks.

use std::fs::File;
use std::io::Read;
use std::num::NonZero;
use std::thread::available_parallelism;

use lapwing_detect::DetectError;
use lapwing_detect::onnx::FILE_BYTES_MAX;
use lapwing_detect::training::Outside;
#[cfg(feature = "networks")]
use lapwing_detect::{Autoencoder, AutoencoderOptions, Matrix, Transformer, TransformerOptions};

/// Model files lie on the disk; networks are trained where this build can.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Outside for Disk {
    fn file(&self, path: &str) -> Result<Vec<u8>, DetectError> {
        let refuse = |text: String| DetectError::Setting(format!("read model file {path}: {text}"));
        let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| refuse(error.to_string()))?;
        match bytes.len() > FILE_BYTES_MAX {
            true => Err(refuse(format!("it has more than {FILE_BYTES_MAX} bytes"))),
            false => Ok(bytes),
        }
    }

    #[cfg(feature = "networks")]
    fn autoencoder(&self, rows: &Matrix, options: &AutoencoderOptions, seed: u64) -> Result<Autoencoder, DetectError> {
        networks().autoencoder(rows, options, seed)
    }

    #[cfg(feature = "networks")]
    fn transformer(&self, rows: &Matrix, options: &TransformerOptions, seed: u64) -> Result<Transformer, DetectError> {
        networks().transformer(rows, options, seed)
    }
}

#[cfg(all(feature = "networks", not(feature = "cuda")))]
fn networks() -> lapwing_neural::Networks {
    lapwing_neural::Networks::on_cpu()
}

/// On the first device, or on the processor where there is none.
#[cfg(feature = "cuda")]
fn networks() -> lapwing_neural::Networks {
    lapwing_neural::Networks::on_gpu(0).unwrap_or_else(|_| lapwing_neural::Networks::on_cpu())
}

/// Threads that training may use: as many as there are cores.
pub fn threads() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}
