//! Where a pipeline's files lie.

use std::path::PathBuf;

use lapwing_pipeline::settings::{Connect, FilePlace, Pipeline};

/// Where the events of a plan come from, if not from where the pipeline file says.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Files instead of the source topic.
    pub files: Vec<PathBuf>,
}

/// Folder of a pipeline's state.
pub fn state_folder(settings: &Pipeline) -> PathBuf {
    settings.state.path.join(&settings.name)
}

/// The input files of a pipeline: those given, or those it names itself.
pub fn input_files(settings: &Pipeline, inputs: &Inputs) -> Vec<PathBuf> {
    match &settings.connect {
        _ if !inputs.files.is_empty() => inputs.files.clone(),
        Connect::Files(files) => files.inputs.iter().map(place_path).collect(),
        _ => Vec::new(),
    }
}

/// A file place as the files transport takes it: `-` is standard input or output.
pub fn place_path(place: &FilePlace) -> PathBuf {
    match place {
        FilePlace::Standard => PathBuf::from("-"),
        FilePlace::Path(path) => path.path().to_owned(),
    }
}
