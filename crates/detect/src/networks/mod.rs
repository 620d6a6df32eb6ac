//! Neural networks as detectors: weights that were trained elsewhere, applied here.
//!
//! Training needs a library for derivatives; it lies outside, behind [`crate::training::Outside`]. Scoring needs none.
//! It is written out here, so that this crate stays light, and a row's score is the same bits on every system:
//! several rows go through a network side by side, one in each lane, and no lane ever looks at another.

/// Rows side by side, and functions of all of them at once.
mod lanes;
/// A layer in which every output looks at every input.
mod dense;
/// Brings columns to one scale, and keeps it.
mod scaling;
/// Detector: how badly a narrow network repeats a row.
mod autoencoder;
/// Which keys a network knows.
mod vocabulary;
/// Layer of a transformer: positions look at each other.
mod attention;
/// Detector: how little a key was expected after those before it.
mod transformer;

pub use attention::{Block, Norm};
pub use autoencoder::{Autoencoder, AutoencoderOptions};
pub use dense::Dense;
pub use scaling::{FAR, Scaling};
pub use transformer::{Transformer, TransformerOptions, TransformerWeights};
pub use vocabulary::{ABSENT, FIRST_KEY, MASK, UNKNOWN, VOCABULARY_MAX, Vocabulary};
