use std::fmt;
use std::path::{Path, PathBuf};

/// How many faults the readable report shows; the rest are counted.
const FAULTS_SHOWN_MAX: usize = 100;

/// A place in the pipeline file and the line that stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1. Units: characters.
    pub column: usize,
    /// The line, shortened around the place if it is long; what follows the key of a secret is masked.
    pub text: String,
    /// Where the marked part begins within `text`. Units: characters. `None` if it is masked or cut away.
    pub caret: Option<usize>,
    /// How long the marked part is, at least 1. Units: characters.
    pub caret_length: usize,
}

impl Excerpt {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        writeln!(f, "  {number} | {}", self.text)?;
        match self.caret {
            Some(caret) => {
                let (gutter, indent, marks) = (number.len(), caret, "^".repeat(self.caret_length));
                writeln!(f, "  {:gutter$} | {:indent$}{marks}", "", "")
            }
            None => Ok(()),
        }
    }
}

/// One thing wrong with a pipeline file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, naming the key.
    pub message: String,
    /// How to mend it: the nearest name, the allowed values, the units.
    pub hint: Option<String>,
    /// Where it is; `None` if the file could not be read at all.
    pub at: Option<Excerpt>,
    /// The other place of a contradiction.
    pub also: Option<Excerpt>,
}

impl Fault {
    /// A fault of the file as a whole.
    pub(super) fn of_file(message: String, hint: Option<String>) -> Self {
        Self { message, hint, at: None, also: None }
    }

    fn write(&self, file: &Path, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = file.display();
        match &self.at {
            Some(at) => {
                writeln!(f, "{file}:{}:{}: {}", at.line, at.column, self.message)?;
                at.write(f)?;
            }
            None => writeln!(f, "{file}: {}", self.message)?,
        }
        if let Some(also) = &self.also {
            writeln!(f, "  and {file}:{}:{}", also.line, also.column)?;
            also.write(f)?;
        }
        match &self.hint {
            Some(hint) => writeln!(f, "  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything wrong with a pipeline file, in the order of the file. Its text is the readable report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults {
    file: PathBuf,
    list: Vec<Fault>,
    left_out: usize,
}

impl Faults {
    pub(super) fn new(file: &Path, mut list: Vec<Fault>, left_out: usize) -> Self {
        list.sort_by_key(|fault| fault.at.as_ref().map(|at| (at.line, at.column)));
        list.dedup();
        Self { file: file.to_owned(), list, left_out }
    }

    /// The faults, in the order of the file.
    pub fn list(&self) -> &[Fault] {
        &self.list
    }

    /// The file they are about.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in self.list.iter().take(FAULTS_SHOWN_MAX) {
            fault.write(&self.file, f)?;
            writeln!(f)?;
        }
        let count = self.list.len() + self.left_out;
        let noun = if count == 1 { "fault" } else { "faults" };
        write!(f, "{}: {count} {noun}", self.file.display())?;
        match count.saturating_sub(FAULTS_SHOWN_MAX) {
            0 => Ok(()),
            _ => write!(f, ", the first {FAULTS_SHOWN_MAX} are shown"),
        }
    }
}
