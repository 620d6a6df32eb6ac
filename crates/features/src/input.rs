use crate::spec::{Nulls, quoted};

/// What a part reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// A column.
    Column(Input),
    /// A feature that was computed before: index of its column among the outputs.
    Feature(Input),
}

/// One column of the inputs, as a feature reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    /// Index of the column.
    pub(crate) index: usize,
    pub(crate) nulls: Nulls,
}

impl Input {
    /// A text for identities of memory: equal for equal ways to read equal columns.
    pub(crate) fn name(input: Option<Self>, columns: &[String]) -> String {
        match input {
            Some(input) => format!("{} {}", input.nulls.name(), quoted(&columns[input.index])),
            None => "events".to_owned(),
        }
    }

    /// The event's value; NaN if it has none and nothing stands for it.
    #[inline]
    pub(crate) fn read(self, inputs: &[f64]) -> f64 {
        let value = inputs[self.index];
        if self.nulls == Nulls::Zero && value.is_nan() { 0.0 } else { value }
    }
}
