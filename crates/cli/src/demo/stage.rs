use std::fs;
use std::path::{Path, PathBuf};

use lapwing_pipeline::settings::{Connect, EmbeddedLog, Overrides, Pipeline};

use super::DemoArgs;
use crate::failure::{Failure, IO, USAGE};
use crate::load;

/// The folder of a demo: pipeline file, reference table, log, state, models.
pub(super) struct Stage {
    folder: PathBuf,
    temporary: bool,
    pipeline: &'static str,
}

impl Stage {
    /// Lays the folder out.
    pub(super) fn set(args: &DemoArgs) -> Result<Self, Failure> {
        let (folder, temporary) = match &args.data {
            Some(folder) => (folder.clone(), false),
            None => (std::env::temp_dir().join(format!("lapwing-demo-{}", std::process::id())), true),
        };
        let is_empty = fs::read_dir(&folder).map_or(true, |mut entries| entries.next().is_none());
        if !is_empty {
            let text = format!("--data {}: the folder is not empty\nhint: name a new one", folder.display());
            return Err(Failure::new(USAGE, text));
        }
        // The demo runs the pipeline that ships with the project, unchanged.
        let (pipeline, text) = args.scenario.pipeline();
        let stage = Self { folder, temporary, pipeline };
        stage.write(pipeline, text)?;
        args.scenario.files(args).iter().try_for_each(|(name, text)| stage.write(name, text))?;
        Ok(stage)
    }

    /// Where everything lies.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The settings, with all data in this folder.
    pub(super) fn settings(&self) -> Result<Pipeline, Failure> {
        let log = EmbeddedLog { path: self.folder.join("log"), sync: true };
        let overrides = Overrides {
            connect: Some(Connect::Embedded(log)),
            data_dir: Some(self.folder.clone()),
            ..Overrides::default()
        };
        load::settings(&self.folder.join(self.pipeline), &overrides)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.folder.join(name);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        written.map_err(|error| Failure::new(IO, format!("write {}: {error}", path.display())))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is in the system's temporary folder and harms nobody.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
