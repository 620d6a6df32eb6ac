use thiserror::Error;

/// Why a set of features was refused. Each is mended in the pipeline file by the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FeatureError {
    /// A feature without a name.
    #[error("feature number {number}: its name is empty; give it one")]
    EmptyName {
        /// Place in the list, from 1.
        number: usize,
    },
    /// Two features of one name.
    #[error("feature `{name}`: the name is used twice; rename one of the two")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A measure that needs a column has none.
    #[error(
        "feature `{name}`: `{measure}` needs a column; name one (only `count` works without, and then counts events)"
    )]
    MissingColumn {
        /// The feature.
        name: String,
        /// The measure.
        measure: &'static str,
    },
    /// A measure other than `zscore` over a baseline.
    #[error("feature `{name}`: `{measure}` does not exist over a baseline; use `zscore`, or a window (`over = …`)")]
    NotOverBaseline {
        /// The feature.
        name: String,
        /// The measure.
        measure: &'static str,
    },
    /// A length of time outside the bounds.
    #[error("feature `{name}`: a {over} of {length} is not possible; choose between {shortest} and {longest}")]
    Length {
        /// The feature.
        name: String,
        /// `window` or `baseline`.
        over: &'static str,
        /// The length asked for.
        length: String,
        /// The shortest allowed.
        shortest: String,
        /// The longest allowed.
        longest: String,
    },
}
