//! Reference tables: read at the start, watched for changes, and kept by content so that a replay finds the version
//! that was in force.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use lapwing_sql::{Fingerprint, ReferenceTable, SqlError};

use crate::settings;

/// The reference tables of a pipeline, as they stand on disk.
pub struct References {
    tables: Vec<Watched>,
    copies: Option<PathBuf>,
}

struct Watched {
    setting: settings::ReferenceTable,
    /// `None` while the file cannot be looked at.
    fingerprint: Option<Fingerprint>,
    latest: ReferenceTable,
}

impl References {
    /// Reads every table. With `copies` each version is also kept in that folder, named by its digest.
    pub fn open(settings: &[settings::ReferenceTable], copies: Option<PathBuf>) -> Result<Self, String> {
        let mut tables = Vec::new();
        for setting in settings {
            let fingerprint = Fingerprint::of(setting.path.path()).ok();
            let latest = ReferenceTable::read(&setting.name, setting.path.path()).map_err(|error| error.to_string())?;
            tables.push(Watched { setting: setting.clone(), fingerprint, latest });
        }
        let references = Self { tables, copies };
        for table in &references.tables {
            references.keep(&table.setting, &table.latest)?;
        }
        Ok(references)
    }

    /// The tables as last read.
    pub fn latest(&self) -> Vec<ReferenceTable> {
        self.tables.iter().map(|table| table.latest.clone()).collect()
    }

    /// Reads again what changed on disk. Returns the names of the tables that have a new version, and what could not
    /// be read: those keep the version they had.
    pub fn refresh(&mut self) -> (Vec<String>, Vec<String>) {
        let (mut renewed, mut faults) = (Vec::new(), Vec::new());
        for at in 0..self.tables.len() {
            let table = &self.tables[at];
            let fingerprint = Fingerprint::of(table.setting.path.path()).ok();
            if fingerprint == table.fingerprint {
                continue;
            }
            let read =
                ReferenceTable::read(&table.setting.name, table.setting.path.path()).map_err(|error| error.to_string());
            let kept = read.and_then(|latest| {
                same_columns(&self.tables[at].latest, &latest)?;
                self.keep(&self.tables[at].setting, &latest)?;
                Ok(latest)
            });
            match kept {
                Ok(latest) => {
                    if latest.digest() != self.tables[at].latest.digest() {
                        renewed.push(latest.name().to_owned());
                    }
                    self.tables[at].latest = latest;
                }
                Err(fault) => faults.push(fault),
            }
            self.tables[at].fingerprint = fingerprint;
        }
        (renewed, faults)
    }

    /// The version of a table with that digest: the one on disk, or a kept copy.
    pub fn version(&self, name: &str, digest: &str) -> Result<ReferenceTable, String> {
        let table = self.tables.iter().find(|table| table.setting.name == name);
        let table = table.ok_or_else(|| format!("reference table `{name}` is not in the pipeline any more"))?;
        if table.latest.digest() == digest {
            return Ok(table.latest.clone());
        }
        let path = self.copy_path(&table.setting, digest).ok_or("no copies of reference tables are kept")?;
        read_version(name, &path, digest)
    }

    fn copy_path(&self, setting: &settings::ReferenceTable, digest: &str) -> Option<PathBuf> {
        let ending = setting.path.path().extension().and_then(|ending| ending.to_str()).unwrap_or("csv");
        self.copies.as_ref().map(|folder| folder.join(format!("{}-{digest}.{ending}", setting.name)))
    }

    fn keep(&self, setting: &settings::ReferenceTable, table: &ReferenceTable) -> Result<(), String> {
        let Some(path) = self.copy_path(setting, table.digest()) else { return Ok(()) };
        if path.exists() {
            return Ok(());
        }
        copy_whole(setting.path.path(), &path).map_err(|error| {
            format!("keep a copy of {} as {}: {error}", setting.path.path().display(), path.display())
        })?;
        // The file may have changed between reading and copying; then the copy is of no use, and the next look finds the
        // new version.
        read_version(&setting.name, &path, table.digest()).map(|_| ()).inspect_err(|_| {
            let _ = fs::remove_file(&path);
        })
    }
}

/// A running pipeline was planned for the columns of its tables: their rows may change, their columns may not.
fn same_columns(old: &ReferenceTable, new: &ReferenceTable) -> Result<(), String> {
    let columns = |table: &ReferenceTable| -> Vec<String> {
        let schema = table.schema();
        schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect()
    };
    let (before, after) = (columns(old), columns(new));
    match before == after {
        true => Ok(()),
        false => Err(format!(
            "reference table `{}` now has the columns {}; it had {}\nhint: restart the pipeline if this is meant",
            new.name(),
            after.join(", "),
            before.join(", "),
        )),
    }
}

/// Reads a kept copy, and makes sure that it is the version it should be.
fn read_version(name: &str, path: &Path, digest: &str) -> Result<ReferenceTable, String> {
    let table = ReferenceTable::read(name, path).map_err(|error: SqlError| error.to_string())?;
    match table.digest() == digest {
        true => Ok(table),
        false => Err(format!("{} is another version of table `{name}` than its name says", path.display())),
    }
}

/// Copies under a temporary name first, so that a copy is whole or absent.
fn copy_whole(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    // Workers of one process keep the same copy at the same time.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = to.with_extension(format!("tmp{}-{number}", std::process::id()));
    fs::copy(from, &temporary)?;
    fs::rename(&temporary, to)
}
