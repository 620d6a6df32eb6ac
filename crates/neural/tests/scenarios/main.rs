//! The crate as its users see it: one file per scenario.

mod autoencoder;
mod transformer;
