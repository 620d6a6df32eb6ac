use thiserror::Error;

/// Why a set of features, or memory handed to them, was refused. The first kinds are mended in the pipeline file by
/// the person who wrote it.
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
    /// A measure over a part of the past for which it does not exist.
    #[error("feature `{name}`: `{measure}` does not exist over a {over}; use it over a `{allowed}`")]
    Span {
        /// The feature.
        name: String,
        /// The measure.
        measure: &'static str,
        /// `window`, `baseline` or `past`.
        over: &'static str,
        /// Where it exists.
        allowed: String,
    },
    /// A season, peers or a policy of learning for a measure that knows none.
    #[error("feature `{name}`: `{setting}` does not exist for `{measure}`; use another measure, or leave it out")]
    OnlyZscore {
        /// The feature.
        name: String,
        /// The measure.
        measure: &'static str,
        /// `season`, `peers` or `learn = all`.
        setting: &'static str,
    },
    /// A policy of learning for a feature that has no notion of what is usual.
    #[error("feature `{name}`: `learn` does nothing for a `{measure}` without a baseline; leave it out")]
    NothingUsual {
        /// The feature.
        name: String,
        /// The measure.
        measure: &'static str,
    },
    /// A surprise at a feature that it cannot read.
    #[error(
        "feature `{name}`: it cannot be surprised at `{of}`, which is {what}; name a column or a feature that is one number"
    )]
    SurpriseOf {
        /// The feature.
        name: String,
        /// What it names.
        of: String,
        /// What that is.
        what: &'static str,
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
    /// A number of panes outside the bounds.
    #[error("feature `{name}`: a window of {panes} panes is not possible; choose between {least} and {most}")]
    Panes {
        /// The feature.
        name: String,
        /// The number asked for.
        panes: usize,
        /// The fewest allowed.
        least: usize,
        /// The most allowed.
        most: usize,
    },
    /// A quantile beyond 1.
    #[error("feature `{name}`: the quantile {q_ppm} ppm lies beyond 1000000 ppm; choose between 0 and 1")]
    Quantile {
        /// The feature.
        name: String,
        /// The quantile asked for. Units: parts per million.
        q_ppm: u32,
    },
    /// A sequence of no or too many values.
    #[error("feature `{name}`: a sequence of {length} values is not possible; choose between 1 and {longest}")]
    SequenceLength {
        /// The feature.
        name: String,
        /// The length asked for.
        length: usize,
        /// The longest allowed.
        longest: usize,
    },
    /// A fill that is no number.
    #[error("feature `{name}`: `fill` must be a finite number; choose one, or leave it out for null")]
    Fill {
        /// The feature.
        name: String,
    },
    /// Memory that does not have the length its layout says; the snapshot it came from is not to be used.
    #[error("carry over the memory of {what}: {given} words, but its layout has {expected}; rebuild it by replay")]
    CarriedWords {
        /// `an entity`, `a group` or `a partition`.
        what: &'static str,
        /// Words handed in.
        given: usize,
        /// Words the layout has.
        expected: usize,
    },
}
