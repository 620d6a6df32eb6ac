//! The inferred schema, kept on disk so that every run and every copy reads the stream in the same way.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::decode::schema::Schema;

/// Reads a frozen schema. `Ok(None)` if there is none.
pub fn read_schema(path: &Path) -> Result<Option<Schema>, String> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("read the frozen schema {}: {error}", path.display())),
    };
    let schema = serde_json::from_slice(&bytes);
    schema.map(Some).map_err(|error| {
        format!("read the frozen schema {}: {error}; delete the file to infer it again", path.display())
    })
}

/// Freezes a schema unless another copy was faster; returns the one that counts.
pub fn freeze_schema(path: &Path, schema: Schema) -> Result<Schema, String> {
    let fault = |error: std::io::Error| format!("freeze the inferred schema in {}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fault)?;
    }
    let temporary = path.with_extension(format!("tmp{}", std::process::id()));
    let text = serde_json::to_vec_pretty(&schema).expect("a schema has a JSON form");
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()
    };
    write().map_err(fault)?;
    // A hard link, unlike a rename, refuses to replace what another copy froze first.
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => Ok(schema),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            read_schema(path)?.ok_or_else(|| format!("the frozen schema {} vanished", path.display()))
        }
        Err(error) => Err(fault(error)),
    }
}
