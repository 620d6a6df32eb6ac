use std::path::{Path, PathBuf};

use super::kafka::{self, Kafka};
use super::keys;
use super::pipeline::Variables;
use super::section::{Field, Section};

/// The transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connect {
    /// A log inside this program.
    Embedded(EmbeddedLog),
    /// A Kafka cluster.
    Kafka(Kafka),
    /// Files, read once or followed.
    Files(Files),
}

impl Connect {
    /// The word for it in the file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "embedded",
            Self::Kafka(_) => "kafka",
            Self::Files(_) => "files",
        }
    }
}

/// A log inside this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedLog {
    /// Its folder, relative to the working directory.
    pub path: PathBuf,
    /// Whether a commit waits until the disk has it.
    pub sync: bool,
}

impl Default for EmbeddedLog {
    fn default() -> Self {
        Self { path: "data/log".into(), sync: true }
    }
}

/// Files instead of topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// What is read, in this order.
    pub inputs: Vec<FilePlace>,
    /// Where results go: a folder, with a file per role, or standard output.
    pub outputs: FilePlace,
    /// Whether to wait for more at the end of the last input.
    pub follow: bool,
}

/// A file, or the program's own input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePlace {
    /// Standard input or output, written `-`.
    Standard,
    /// A file or folder.
    Path(LocalPath),
}

impl FilePlace {
    fn within(folder: &Path, written: &str) -> Self {
        if written == "-" { Self::Standard } else { Self::Path(LocalPath::within(folder, written)) }
    }

    /// As it is written in the file.
    pub fn written(&self) -> &str {
        match self {
            Self::Standard => "-",
            Self::Path(path) => path.written(),
        }
    }
}

/// A path that is relative to the folder of the pipeline file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPath {
    written: String,
    path: PathBuf,
}

impl LocalPath {
    /// A path that is used as it is, relative to the working directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { written: path.to_string_lossy().into_owned(), path }
    }

    pub(super) fn within(folder: &Path, written: &str) -> Self {
        Self { written: written.to_owned(), path: folder.join(written) }
    }

    /// As it is written in the file.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// As it is opened.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads `[connect]`. `variables` is `None` if another transport is used instead: then what is unset does not matter.
pub(super) fn read(root: &Section<'_>, folder: &Path, variables: Option<Variables<'_>>) -> Connect {
    let section = root.section("connect", keys::CONNECT);
    let given: Vec<Field<'_>> = keys::CONNECT.iter().filter_map(|name| section.field(name)).collect();
    if let [first, others @ ..] = &given[..] {
        for other in others {
            let message = format!("a pipeline has one transport, not both [{}] and [{}]", first.path(), other.path());
            let hint = "keep one of them".to_owned();
            section.report.add_pair(&other.key_place, &first.key_place, message, hint);
        }
    }
    let read = given.iter().map(|field| match field.name.as_str() {
        "kafka" => Connect::Kafka(kafka::read(field, variables)),
        "files" => Connect::Files(read_files(&field.section(keys::FILES), folder)),
        _ => Connect::Embedded(read_embedded(&field.section(keys::EMBEDDED))),
    });
    // All of them are read, for their faults; one is used.
    let read: Vec<Connect> = read.collect();
    read.into_iter().next().unwrap_or_else(|| Connect::Embedded(EmbeddedLog::default()))
}

fn read_embedded(section: &Section<'_>) -> EmbeddedLog {
    let path = section.text_or("path", "data/log").into();
    EmbeddedLog { path, sync: section.flag_or("sync", true) }
}

fn read_files(section: &Section<'_>, folder: &Path) -> Files {
    let inputs = section.required("inputs", "a list of files, such as inputs = [\"events.jsonl\"], or [\"-\"]");
    let inputs = inputs.and_then(|field| match field.item.as_str() {
        Some(_) => field.text().map(|text| vec![text]),
        None => field.texts(),
    });
    let place = |written: String| FilePlace::within(folder, &written);
    Files {
        inputs: inputs.unwrap_or_default().into_iter().map(place).collect(),
        outputs: place(section.text_or("outputs", "-")),
        follow: section.flag_or("follow", false),
    }
}
