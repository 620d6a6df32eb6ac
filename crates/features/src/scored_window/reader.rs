/// Reads from the front of bytes that may be anything; never beyond their end.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn rest(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let taken = self.bytes[self.at..].get(..length);
        let taken = taken.ok_or_else(|| self.fault(&format!("{length} bytes wanted, {} left", self.rest())))?;
        self.at += length;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N)?.try_into().expect("`take` gives as many bytes as asked"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, String> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, String> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(super) fn f64(&mut self) -> Result<f64, String> {
        Ok(f64::from_bits(self.u64()?))
    }

    /// Reads how many things follow, each of at least `size_min` bytes; no more than there can be.
    pub(super) fn count(&mut self, size_min: usize) -> Result<usize, String> {
        let count = self.u32()? as usize;
        if count > self.rest() / size_min {
            return Err(self.fault(&format!("{count} things cannot lie in the {} bytes left", self.rest())));
        }
        Ok(count)
    }

    /// Reads a thing that may be missing.
    pub(super) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<Option<T>, String> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            other => Err(self.fault(&format!("{other} is neither 0 (missing) nor 1 (there)"))),
        }
    }

    /// Refuses what cannot be.
    pub(super) fn check(&self, possible: bool, fault: &str) -> Result<(), String> {
        if possible { Ok(()) } else { Err(self.fault(fault)) }
    }

    /// Says what is wrong, where, and what to do.
    pub(super) fn fault(&self, fault: &str) -> String {
        format!("scored windows, at byte {}: {fault}; restore an older snapshot", self.at)
    }
}
