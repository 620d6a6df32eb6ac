use thiserror::Error;

/// Why a set of windows was refused. Each is mended in the pipeline file by the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScoredWindowError {
    /// A length of time outside the bounds.
    #[error("window: {what} = {length} is not possible; choose between {shortest} and {longest}")]
    Length {
        /// The setting.
        what: &'static str,
        /// The length asked for.
        length: String,
        /// The shortest allowed.
        shortest: String,
        /// The longest allowed.
        longest: String,
    },
    /// A step that would leave events out.
    #[error(
        "window: a step of {step} is longer than the size {size}, so events between two windows would be in neither; \
         choose a step of at most {size}"
    )]
    StepAboveSize {
        /// The size.
        size: String,
        /// The step.
        step: String,
    },
    /// A size that is no multiple of the step.
    #[error("window: the size {size} is no multiple of the step {step}; choose a size of {remedy}, say")]
    Uneven {
        /// The size.
        size: String,
        /// The step.
        step: String,
        /// A size that goes with the step.
        remedy: String,
    },
    /// Too many steps in a size.
    #[error("window: the size holds {steps} steps, {most} are possible; choose a longer step or a shorter size")]
    Steps {
        /// Steps in the size.
        steps: i64,
        /// The most allowed.
        most: i64,
    },
    /// A window of no events.
    #[error("window: a window of 0 events cannot be filled; choose at least 1")]
    NoEvents,
    /// A count without a timeout.
    #[error(
        "window: without `gap` and `age_max` the events of an entity that falls silent would wait for ever; give one"
    )]
    Unbounded,
    /// Early rows of sliding windows.
    #[error(
        "window: sliding windows have no early rows, for one ends at each step; leave `early` out, or shorten `step`"
    )]
    EarlySliding,
    /// No values.
    #[error("window: a row without values cannot be scored; give at least one column, such as a `count`")]
    NoColumns,
    /// A column without a name.
    #[error("window: the name of column number {number} is empty; give it one")]
    EmptyName {
        /// Place in the list, from 1.
        number: usize,
    },
    /// Two columns of one name.
    #[error("window: the name `{name}` is used twice; rename one of the two")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A measure that needs a column has none.
    #[error(
        "window: `{name}`: `{measure}` needs a column; name one (only `count` and `span` work without, of all events)"
    )]
    MissingColumn {
        /// The name.
        name: String,
        /// The measure.
        measure: &'static str,
    },
    /// Too few or too many labels of counts.
    #[error("window: `{name}`: `counts` has {labels} labels; give 1 to {most}, one for each of the codes 1, 2, …")]
    Labels {
        /// The name.
        name: String,
        /// Labels given.
        labels: usize,
        /// The most allowed.
        most: usize,
    },
    /// A label without a text.
    #[error("window: `{name}`: the label of code {code} is empty; give it one")]
    EmptyLabel {
        /// The name.
        name: String,
        /// Place in the list, from 1.
        code: usize,
    },
    /// A sequence of no or too many values.
    #[error("window: `{name}`: a `sequence` of length {length} is not possible; choose 1 to {most}")]
    SequenceLength {
        /// The name.
        name: String,
        /// The length asked for.
        length: usize,
        /// The most allowed.
        most: usize,
    },
    /// A part of another measure.
    #[error(
        "window: `{name}`: {what} does nothing for `{measure}`; leave it out (`counts` has labels, `sequence` a length)"
    )]
    Stray {
        /// The name.
        name: String,
        /// The measure.
        measure: &'static str,
        /// What does not belong there.
        what: &'static str,
    },
    /// Windows without events, which are none.
    #[error("window: min_events = 0 is not possible; a window has at least one event: choose 1 or more")]
    EventsMinZero,
    /// Full windows would be too small.
    #[error(
        "window: min_events = {events_min} is more than the {events} events that fill a window, so none would give a \
         row; choose at most {events}"
    )]
    EventsMinAboveCount {
        /// The smallest number of events asked for.
        events_min: u64,
        /// The events that fill a window.
        events: u64,
    },
    /// No or too many texts, or too long ones.
    #[error("window: texts: {what} = {given} is not possible; choose 1 to {most}")]
    Texts {
        /// The setting.
        what: &'static str,
        /// The number asked for.
        given: usize,
        /// The most allowed.
        most: usize,
    },
}
