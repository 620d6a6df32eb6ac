use thiserror::Error;

/// Stored bytes that are not what their writer writes: damaged, cut off, or of another version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("read {what} at byte {at}: {fault}; take an older snapshot, or rebuild it by replay")]
pub struct Malformed {
    /// What was being read.
    pub what: &'static str,
    /// Where it went wrong, from 0.
    pub at: usize,
    /// What is wrong there.
    pub fault: String,
}

/// Reads little-endian numbers from the front of bytes that may be anything; never beyond their end.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; faults are told as being in `what`.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, at: 0 }
    }

    /// The next `length` bytes. Errors: fewer are left.
    pub fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        let taken = taken.ok_or_else(|| self.fault(format!("{length} bytes wanted, {} left", rest.len())))?;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = self.take(N as u64)?;
        Ok(taken.try_into().expect("`take` gives as many bytes as asked"))
    }

    /// The next byte. Errors: none is left.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// The next two bytes as a number. Errors: fewer are left.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// The next eight bytes as a number. Errors: fewer are left.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// The next eight bytes as a signed number. Errors: fewer are left.
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// The first byte of a format: its version. Errors: it is not the one this program reads.
    pub fn version(&mut self, known: u8) -> Result<(), Malformed> {
        match self.u8()? {
            version if version == known => Ok(()),
            version => Err(self.fault(format!("version {version}, this program reads version {known}"))),
        }
    }

    /// Refuses bytes left over.
    pub fn end(&self) -> Result<(), Malformed> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(self.fault(format!("{left} bytes left over"))),
        }
    }

    /// The error that says what is wrong where the reader is.
    pub fn fault(&self, fault: impl Into<String>) -> Malformed {
        Malformed { what: self.what, at: self.at, fault: fault.into() }
    }
}
