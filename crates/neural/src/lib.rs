//! Trains the neural detectors of `lapwing-detect`; yields plain weights, which that crate applies by itself.
//!
//! Derivatives come from candle. On a CPU the same rows, options and seed give the same weights, bit for bit, for any
//! number of threads: candle splits work over outputs, never a sum over its terms. Between processors of different kinds
//! the last bits may differ, since sums run over registers of different widths. On a GPU sums of gradients may run in
//! any order, so weights differ in their last bits from run to run; what is scored with given weights never does.

/// Layers whose weights are being learned.
mod layers;
/// Steps down the slope of a loss until rows held back show no gain.
mod descent;
/// The autoencoder, as it learns.
mod autoencoder;
/// The transformer, as it learns.
mod transformer;
/// Where networks are trained.
mod networks;

pub use networks::Networks;
