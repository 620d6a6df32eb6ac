use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::sync::Arc;

use lapwing_state::place::Writing;
use lapwing_state::{LocalFolder, SnapshotPlace, StateError};
use lapwing_vocabulary::PortError;
use object_store::{Error, ObjectStoreExt};

use super::open::open_remote;
use super::remote::Remote;
use super::transfer::{Download, Upload};

/// Snapshots under a URL: `s3://bucket/prefix`, `hdfs://host:port/path` or `file:///path`. To be used by plain threads,
/// not within async tasks.
#[derive(Clone)]
pub struct ObjectPlace(Kind);

#[derive(Clone)]
enum Kind {
    Folder(LocalFolder),
    Remote(Arc<Remote>),
}

impl ObjectPlace {
    /// Opens a place and makes sure that it answers. `options` are properties of the client: for S3 those of the Rust
    /// crate `object_store` (`region`, `endpoint`, `allow_http`, …), which win over the environment's `AWS_*`; for HDFS
    /// Hadoop's, which win over its configuration files; for a folder there are none.
    /// Errors: `Operator` if something must be mended; `Unreachable` if nothing answers within two minutes.
    pub fn open(url: &str, options: &BTreeMap<String, String>) -> Result<Self, PortError> {
        open_remote(url, options).map(|opened| match opened {
            Ok(remote) => Self(Kind::Remote(Arc::new(remote))),
            Err(folder) => Self(Kind::Folder(folder)),
        })
    }
}

impl fmt::Debug for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObjectPlace").field(&self.describe()).finish()
    }
}

impl SnapshotPlace for ObjectPlace {
    fn list(&self, prefix: &str) -> Result<Vec<String>, StateError> {
        let remote = match &self.0 {
            Kind::Folder(folder) => return folder.list(prefix),
            Kind::Remote(remote) => remote,
        };
        // The store's own prefixes are whole path segments.
        let found = match remote.wait(remote.store.list_with_delimiter(Some(&remote.base))) {
            Ok(found) => found.objects,
            // A folder of HDFS appears with its first file. A bucket that is not there is found out when it is opened.
            Err(Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(remote.fault("list snapshots in", "", &error)),
        };
        let names = found.iter().filter_map(|object| object.location.filename());
        Ok(names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect())
    }

    fn get(&self, name: &str) -> Result<Box<dyn Read + Send>, StateError> {
        match &self.0 {
            Kind::Folder(folder) => folder.get(name),
            Kind::Remote(remote) => Ok(Box::new(Download::open(remote.clone(), name)?)),
        }
    }

    fn put(&self, name: &str, write: Writing<'_>) -> Result<(), StateError> {
        let remote = match &self.0 {
            Kind::Folder(folder) => return folder.put(name, write),
            Kind::Remote(remote) => remote,
        };
        let mut upload = Upload::new(remote, name);
        let written =
            write(&mut upload).map_err(|error| StateError::storage("write snapshot", remote.place(name), error));
        let outcome = written.and_then(|()| upload.finish());
        if outcome.is_err() {
            upload.abandon();
        }
        outcome
    }

    fn delete(&self, name: &str) -> Result<(), StateError> {
        let remote = match &self.0 {
            Kind::Folder(folder) => return folder.delete(name),
            Kind::Remote(remote) => remote,
        };
        match remote.wait(remote.store.delete(&remote.path(name))) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(remote.fault("remove old snapshot", name, &error)),
        }
    }

    fn describe(&self) -> String {
        match &self.0 {
            Kind::Folder(folder) => folder.describe(),
            Kind::Remote(remote) => remote.shown.clone(),
        }
    }
}
