use std::fmt;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Worth a look; fails nothing.
    Note,
    /// Fails the run.
    Fault,
}

/// What a check found, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Path from the root of the repository.
    pub(crate) file: String,
    /// Line, from 1.
    pub(crate) line: usize,
    /// Note or fault.
    pub(crate) weight: Weight,
    /// What is wrong, and what to do.
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn fault(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self { file: file.into(), line, weight: Weight::Fault, text: text.into() }
    }

    pub(crate) fn note(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self { file: file.into(), line, weight: Weight::Note, text: text.into() }
    }

    pub(crate) fn is_fault(&self) -> bool {
        self.weight == Weight::Fault
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_fault() { "" } else { "note: " };
        write!(f, "{}:{}: {mark}{}", self.file, self.line, self.text)
    }
}
