/// A growing list of bits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Makes room for bits below `length`; new ones are 0.
    pub(crate) fn grow(&mut self, length: usize) {
        if self.words.len() * 64 < length {
            self.words.resize(length.div_ceil(64), 0);
        }
    }

    /// Sets a bit below the length that was asked for.
    #[inline]
    pub(crate) fn set(&mut self, at: usize) {
        self.words[at / 64] |= 1 << (at % 64);
    }

    /// Clears a bit and returns what it was.
    #[inline]
    pub(crate) fn take(&mut self, at: usize) -> bool {
        let (word, bit) = (&mut self.words[at / 64], 1 << (at % 64));
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
    }

    /// The bits that are 1, ascending.
    pub(crate) fn ones(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(word, bits)| {
            let mut left = *bits;
            std::iter::from_fn(move || {
                let at = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(word * 64 + at)
            })
        })
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_in_order_and_are_taken_once() {
        let mut bits = Bits::default();
        bits.grow(200);
        for at in [199, 0, 64, 63] {
            bits.set(at);
        }
        assert_eq!(bits.ones().collect::<Vec<_>>(), [0, 63, 64, 199]);
        assert_eq!((bits.take(63), bits.take(63), bits.ones().count()), (true, false, 3));
        bits.clear();
        assert_eq!(bits.ones().count(), 0);
    }
}
