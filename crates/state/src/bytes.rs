use crate::error::StateError;

/// Reads from the front of bytes that may be anything; never beyond their end.
pub(crate) struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; faults are told as being in `what`.
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, at: 0 }
    }

    pub(crate) fn rest(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn take(&mut self, length: u64) -> Result<&'a [u8], StateError> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        let taken = taken.ok_or_else(|| self.fault(format!("{length} bytes wanted, {} left", rest.len())))?;
        self.at += taken.len();
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let taken = self.take(N as u64)?;
        Ok(taken.try_into().expect("`take` gives as many bytes as asked"))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, StateError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, StateError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, StateError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Reads a text of this length.
    pub(crate) fn utf8(&mut self, length: u64) -> Result<&'a str, StateError> {
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.fault("a text is not UTF-8"))
    }

    /// Reads a text with its length, a u16, before it.
    pub(crate) fn text(&mut self) -> Result<&'a str, StateError> {
        let length = self.u16()?;
        self.utf8(u64::from(length))
    }

    /// Refuses bytes left over.
    pub(crate) fn end(&self) -> Result<(), StateError> {
        if self.rest() == 0 { Ok(()) } else { Err(self.fault(format!("{} bytes left over", self.rest()))) }
    }

    pub(crate) fn fault(&self, fault: impl Into<String>) -> StateError {
        StateError::malformed(self.what, format!("at byte {}: {}", self.at, fault.into()))
    }
}

/// Writes a text with its length, a u16, before it.
pub(crate) fn put_text(out: &mut Vec<u8>, what: &'static str, text: &str) -> Result<(), StateError> {
    out.extend_from_slice(&length_u16(what, text.len())?.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// The length as a u16, or the error that says it does not fit.
pub(crate) fn length_u16(what: &'static str, length: usize) -> Result<u16, StateError> {
    let longest = usize::from(u16::MAX);
    u16::try_from(length).map_err(|_| StateError::TooLong { what, length, longest })
}
