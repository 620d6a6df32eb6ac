//! Versions and aliases in a folder:
//!
//! ```text
//! <folder>/<name>/3.model        the artefact; never changes
//! <folder>/<name>/3.json         its card
//! <folder>/<name>/champion       an alias: the number of a version
//! ```
//!
//! Every file is written under a temporary name and renamed, so a reader sees a whole file or none.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lapwing_detect::Ensemble;
use lapwing_pipeline::score::{Model, ModelSource};
use sha2::{Digest, Sha256};

use crate::card::Card;
use crate::error::ModelError;

/// Models in a local folder.
#[derive(Clone, Debug)]
pub struct Registry {
    folder: PathBuf,
}

impl Registry {
    /// A registry in `folder`, which need not exist yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn path(&self, name: &str, file: &str) -> PathBuf {
        self.folder.join(name).join(file)
    }

    /// Versions of an ensemble, ascending.
    pub fn versions(&self, name: &str) -> Result<Vec<u64>, ModelError> {
        let folder = self.folder.join(name);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ModelError::io("list models in", &folder, error)),
        };
        let version = |name: &str| name.strip_suffix(".model")?.parse().ok();
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut versions: Vec<u64> = names.filter_map(|name| version(&name)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// Keeps an ensemble under the next free version, which is written into the card and returned.
    pub fn save(&self, ensemble: &Ensemble, mut card: Card) -> Result<Card, ModelError> {
        let bytes = ensemble.to_bytes()?;
        card.sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = self.folder.join(&card.name);
        fs::create_dir_all(&folder).map_err(|error| ModelError::io("create", &folder, error))?;
        card.version = self.versions(&card.name)?.last().map_or(1, |last| last + 1);
        loop {
            let path = self.path(&card.name, &format!("{}.model", card.version));
            let temporary = write_aside(&path, &bytes)?;
            // Unlike a rename, a hard link refuses to replace a version that another process wrote meanwhile.
            let linked = fs::hard_link(&temporary, &path);
            let _ = fs::remove_file(&temporary);
            match linked {
                Ok(()) => break,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => card.version += 1,
                Err(error) => return Err(ModelError::io("write model", &path, error)),
            }
        }
        let text = serde_json::to_vec_pretty(&card).expect("a card has a JSON form");
        replace(&self.path(&card.name, &format!("{}.json", card.version)), &text)?;
        Ok(card)
    }

    /// Loads a version.
    pub fn load(&self, name: &str, version: u64) -> Result<Model, ModelError> {
        let path = self.path(name, &format!("{version}.model"));
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.unknown(name, &format!("{name}@{version}")));
            }
            Err(error) => return Err(ModelError::io("read model", &path, error)),
        };
        let ensemble = Ensemble::from_bytes(&bytes).map_err(|error| ModelError::Artefact { path, error })?;
        Ok(Model { name: name.to_owned(), version, ensemble })
    }

    /// The card of a version.
    pub fn card(&self, name: &str, version: u64) -> Result<Card, ModelError> {
        let path = self.path(name, &format!("{version}.json"));
        let text = fs::read(&path).map_err(|error| ModelError::io("read model card", &path, error))?;
        serde_json::from_slice(&text).map_err(|error| ModelError::io("read model card", &path, error.into()))
    }

    /// The version an alias stands for. `Ok(None)` if the alias does not exist.
    pub fn alias(&self, name: &str, alias: &str) -> Result<Option<u64>, ModelError> {
        let path = self.path(name, alias);
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| {
                let text = format!("`{}` is no version number", text.trim());
                ModelError::io("read alias", &path, std::io::Error::other(text))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ModelError::io("read alias", &path, error)),
        }
    }

    /// Points an alias at a version that exists.
    pub fn set_alias(&self, name: &str, alias: &str, version: u64) -> Result<(), ModelError> {
        if !self.versions(name)?.contains(&version) {
            return Err(self.unknown(name, &format!("{name}@{version}")));
        }
        replace(&self.path(name, alias), format!("{version}\n").as_bytes())
    }

    fn unknown(&self, name: &str, wanted: &str) -> ModelError {
        let known = match self.versions(name) {
            Ok(versions) if !versions.is_empty() => format!("there are versions {versions:?}"),
            _ => "there are none".to_owned(),
        };
        ModelError::Unknown { wanted: wanted.to_owned(), folder: self.folder.join(name), known }
    }
}

/// Which version a running pipeline follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Whatever the alias stands for, also when it moves.
    Alias(String),
    /// This version, for ever.
    Version(u64),
}

/// The model of one pipeline, followed in a registry.
#[derive(Debug)]
pub struct Source {
    registry: Registry,
    name: String,
    pin: Pin,
}

impl Source {
    /// Follows `name` at `pin`.
    pub fn new(registry: Registry, name: &str, pin: Pin) -> Self {
        Self { registry, name: name.to_owned(), pin }
    }
}

impl ModelSource for Source {
    fn version(&self, version: u64) -> Result<Arc<Model>, String> {
        self.registry.load(&self.name, version).map(Arc::new).map_err(|error| error.to_string())
    }

    fn changed_from(&self, known: Option<u64>) -> Result<Option<Arc<Model>>, String> {
        let wanted = match &self.pin {
            Pin::Version(version) => Some(*version),
            Pin::Alias(alias) => self.registry.alias(&self.name, alias).map_err(|error| error.to_string())?,
        };
        match wanted {
            Some(version) if known != Some(version) => {
                let model = self.registry.load(&self.name, version);
                model.map(|model| Some(Arc::new(model))).map_err(|error| error.to_string())
            }
            _ => Ok(None),
        }
    }
}

fn write_aside(path: &Path, bytes: &[u8]) -> Result<PathBuf, ModelError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".tmp{}-{number}", std::process::id()));
    let temporary = path.with_file_name(name);
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| ModelError::io("write", &temporary, error))?;
    Ok(temporary)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let temporary = write_aside(path, bytes)?;
    fs::rename(&temporary, path).map_err(|error| ModelError::io("write", path, error))
}
