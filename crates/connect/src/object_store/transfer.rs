use std::io::{self, Read, Write};
use std::sync::Arc;

use lapwing_state::StateError;
use object_store::{GetOptions, GetRange, MultipartUpload, ObjectStoreExt, PutPayload};

use super::remote::Remote;

/// Read or written by one request. S3 takes at most 10,000 parts, so the largest file has 80 GB.
pub(super) const PART_BYTES: usize = 8 << 20;

/// A file on its way to the store. Nothing of it is there before [`Upload::finish`].
pub(super) struct Upload<'a> {
    // Given.
    remote: &'a Remote,
    name: &'a str,
    // Changing.
    part: Vec<u8>,
    /// `None` while everything fits one part.
    parts: Option<Box<dyn MultipartUpload>>,
}

impl<'a> Upload<'a> {
    pub(super) fn new(remote: &'a Remote, name: &'a str) -> Self {
        Self { remote, name, part: Vec::new(), parts: None }
    }

    fn send_part(&mut self) -> Result<(), StateError> {
        let fault = |error| self.remote.fault("write snapshot", self.name, &error);
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => {
                let path = self.remote.path(self.name);
                none.insert(self.remote.wait(self.remote.store.put_multipart(&path)).map_err(fault)?)
            }
        };
        let part = std::mem::take(&mut self.part);
        // Begun within the runtime, which some clients need.
        self.remote.wait(async { parts.put_part(PutPayload::from(part)).await }).map_err(fault)
    }

    /// Makes the file appear.
    pub(super) fn finish(&mut self) -> Result<(), StateError> {
        if self.parts.is_some() && !self.part.is_empty() {
            self.send_part()?;
        }
        let path = self.remote.path(self.name);
        let written = match &mut self.parts {
            Some(parts) => self.remote.wait(parts.complete()),
            None => {
                let whole = PutPayload::from(std::mem::take(&mut self.part));
                self.remote.wait(self.remote.store.put(&path, whole))
            }
        };
        written.map(|_| ()).map_err(|error| self.remote.fault("write snapshot", self.name, &error))
    }

    /// Takes back what was sent. Where that fails, the store's own rule for incomplete uploads does it.
    pub(super) fn abandon(&mut self) {
        if let Some(mut parts) = self.parts.take()
            && let Err(error) = self.remote.wait(parts.abort())
        {
            let error = self.remote.secrets.hide(&error.to_string());
            tracing::warn!(place = self.remote.place(self.name), error, "an incomplete upload could not be removed");
        }
    }
}

impl Write for Upload<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The last part is sent by `finish`: a file of exactly one part is one request.
        if self.part.len() == PART_BYTES {
            self.send_part().map_err(io::Error::other)?;
        }
        if self.part.capacity() == 0 && self.parts.is_some() {
            self.part.reserve_exact(PART_BYTES);
        }
        let taken = bytes.len().min(PART_BYTES - self.part.len());
        self.part.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is being read, part by part. One that is replaced meanwhile is refused, not mixed.
pub(super) struct Download {
    // Given.
    remote: Arc<Remote>,
    name: String,
    size: u64,
    /// Names this version of the file.
    tag: Option<String>,
    // Changing.
    part: io::Cursor<Vec<u8>>,
    /// First byte not fetched.
    next: u64,
}

impl Download {
    pub(super) fn open(remote: Arc<Remote>, name: &str) -> Result<Self, StateError> {
        let found = remote.wait(remote.store.head(&remote.path(name)));
        let found = found.map_err(|error| remote.read_fault(name, &error))?;
        let part = io::Cursor::new(Vec::new());
        Ok(Self { remote, name: name.to_owned(), size: found.size, tag: found.e_tag, part, next: 0 })
    }

    fn fetch(&mut self) -> Result<(), StateError> {
        let end = self.size.min(self.next + PART_BYTES as u64);
        let path = self.remote.path(&self.name);
        let options = GetOptions {
            range: Some(GetRange::Bounded(self.next..end)),
            if_match: self.tag.clone(),
            ..GetOptions::default()
        };
        let store = &self.remote.store;
        let fetched = self.remote.wait(async { store.get_opts(&path, options).await?.bytes().await });
        let bytes = fetched.map_err(|error| self.remote.read_fault(&self.name, &error))?;
        if bytes.len() as u64 != end - self.next {
            return Err(StateError::Torn { expected: end - self.next, found: bytes.len() as u64 });
        }
        (self.part, self.next) = (io::Cursor::new(Vec::from(bytes)), end);
        Ok(())
    }
}

impl Read for Download {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.part.position() == self.part.get_ref().len() as u64 && self.next < self.size {
            self.fetch().map_err(io::Error::other)?;
        }
        self.part.read(into)
    }
}
