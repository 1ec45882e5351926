//! Bits of a byte slice, most significant first.

/// A reader of up to 57 bits at once.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// The next byte that is not in `cache`.
    position: usize,
    /// Unread bits, left-justified. Below the `cached` ones it may hold bits that are still to be counted; they are the
    /// stream's own, so that loading them again changes nothing.
    cache: u64,
    cached: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, cache: 0, cached: 0 }
    }

    /// At least 56 bits in the cache, or all that are left.
    #[inline]
    fn refill(&mut self) {
        if let Some(word) = self.bytes.get(self.position..self.position + 8) {
            let word = u64::from_be_bytes(word.try_into().expect("eight bytes were taken"));
            self.cache |= word >> self.cached;
            self.position += ((63 - self.cached) / 8) as usize;
            self.cached |= 56;
        } else {
            while self.cached < 56
                && let Some(&byte) = self.bytes.get(self.position)
            {
                self.cache |= u64::from(byte) << (56 - self.cached);
                self.position += 1;
                self.cached += 8;
            }
        }
    }

    #[inline]
    fn consume(&mut self, count: u32) {
        self.cache <<= count;
        self.cached -= count;
    }

    /// The next `count` bits, at most 56.
    #[inline]
    pub(super) fn unsigned(&mut self, count: u32) -> Option<u64> {
        debug_assert!(count <= 56);
        if count == 0 {
            return Some(0);
        }
        if self.cached < count {
            self.refill();
            if self.cached < count {
                return None;
            }
        }
        let value = self.cache >> (64 - count);
        self.consume(count);
        Some(value)
    }

    /// The next `count` bits as two's complement.
    #[inline]
    pub(super) fn signed(&mut self, count: u32) -> Option<i64> {
        if count == 0 {
            return Some(0);
        }
        let value = self.unsigned(count)?;
        Some((value << (64 - count)) as i64 >> (64 - count))
    }

    /// The number of zeros before the next one, which is read too.
    #[inline]
    pub(super) fn unary(&mut self) -> Option<u64> {
        let mut total = 0;
        loop {
            if self.cached == 0 {
                self.refill();
                if self.cached == 0 {
                    return None;
                }
            }
            let zeros = self.cache.leading_zeros().min(self.cached);
            total += u64::from(zeros);
            if zeros < self.cached {
                self.consume(zeros + 1);
                return Some(total);
            }
            self.consume(zeros);
        }
    }

    /// Bytes read, the one begun included.
    pub(super) fn bytes_read(&self) -> usize {
        (self.position * 8 - self.cached as usize).div_ceil(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_in_order_whatever_the_widths() {
        let bytes: Vec<u8> = (0..64).map(|byte: u8| byte.wrapping_mul(73).wrapping_add(11)).collect();
        let all: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        for widths in [[1, 2, 3, 5], [33, 7, 56, 4], [31, 32, 33, 1], [8, 16, 24, 56]] {
            let mut reader = BitReader::new(&bytes);
            let mut position = 0;
            for &width in widths.iter().cycle() {
                let wanted = all.get(position..position + width as usize);
                let wanted = wanted.map(|bits| u64::from_str_radix(bits, 2).unwrap());
                assert_eq!(reader.unsigned(width), wanted);
                if wanted.is_none() {
                    break;
                }
                position += width as usize;
                assert_eq!(reader.bytes_read(), position.div_ceil(8));
            }
        }
    }

    #[test]
    fn unary_runs_cross_words_and_end_at_the_end() {
        let mut bytes = vec![0; 20];
        bytes.push(0b0010_1000);
        let mut reader = BitReader::new(&bytes);
        assert_eq!(reader.unary(), Some(162));
        assert_eq!(reader.unary(), Some(1));
        assert_eq!(reader.unary(), None);
    }

    #[test]
    fn signed_values_keep_their_sign_at_33_bits() {
        let value = (1_u64 << 33) - 5;
        let bytes = (value << 31).to_be_bytes();
        assert_eq!(BitReader::new(&bytes).signed(33), Some(-5));
    }
}
