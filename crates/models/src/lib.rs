//! From history to a versioned model: rows are gathered, an ensemble is fitted to a sample of them, and the registry keeps
//! it under a version that never changes.

/// What can go wrong with models.
pub mod error;
/// A uniform, reproducible sample of rows.
pub mod dataset;
/// What a model says of itself.
pub mod card;
/// Sample to ensemble.
pub mod fit;
/// Versions and aliases in a folder.
pub mod registry;

pub use card::Card;
pub use dataset::Dataset;
pub use error::ModelError;
pub use fit::{Fitted, Means, fit};
pub use registry::{Registry, Source};
