//! Reads bytes in order, in either byte order, never past the end.

use crate::ImportError;

/// A reader of bytes that keeps the format name for its errors.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
    format: &'static str,
    is_big_endian: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], format: &'static str, is_big_endian: bool) -> Self {
        Self { bytes, position: 0, format, is_big_endian }
    }

    pub(crate) fn is_big_endian(&self) -> bool {
        self.is_big_endian
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], ImportError> {
        let rest = &self.bytes[self.position..];
        let Some(taken) = rest.get(..len) else {
            let detail = format!("{len} bytes are missing at byte {} of {}", self.position, self.bytes.len());
            return Err(ImportError::Damaged { format: self.format, detail });
        };
        self.position += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ImportError> {
        let mut bytes: [u8; N] = self.take(N)?.try_into().expect("N bytes were taken");
        if self.is_big_endian {
            bytes.reverse();
        }
        Ok(bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, ImportError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ImportError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ImportError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn damaged(&self, detail: impl Into<String>) -> ImportError {
        ImportError::Damaged { format: self.format, detail: detail.into() }
    }
}

/// A number type in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

impl Number {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// One value; `bytes` has exactly [`Number::bytes`] of them.
    pub(crate) fn value(self, bytes: &[u8], is_big_endian: bool) -> f64 {
        let mut raw = [0_u8; 8];
        let width = self.bytes().min(bytes.len());
        raw[..width].copy_from_slice(&bytes[..width]);
        if is_big_endian {
            raw[..width].reverse();
        }
        let [a, b, c, d, ..] = raw;
        match self {
            Self::I8 => f64::from(a as i8),
            Self::U8 => f64::from(a),
            Self::I16 => f64::from(i16::from_le_bytes([a, b])),
            Self::U16 => f64::from(u16::from_le_bytes([a, b])),
            Self::F16 => half(u16::from_le_bytes([a, b])),
            Self::I32 => f64::from(i32::from_le_bytes([a, b, c, d])),
            Self::U32 => f64::from(u32::from_le_bytes([a, b, c, d])),
            Self::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Self::I64 => i64::from_le_bytes(raw) as f64,
            Self::U64 => u64::from_le_bytes(raw) as f64,
            Self::F64 => f64::from_le_bytes(raw),
        }
    }

    /// All complete values in `bytes`.
    pub(crate) fn values(self, bytes: &[u8], is_big_endian: bool) -> Vec<f64> {
        bytes.chunks_exact(self.bytes()).map(|value| self.value(value, is_big_endian)).collect()
    }
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_either_byte_order() {
        assert_eq!(Number::I16.values(&[0xfe, 0xff, 0x01, 0x00, 0x09], false), [-2.0, 1.0]);
        assert_eq!(Number::I16.values(&[0xff, 0xfe], true), [-2.0]);
        assert_eq!(Number::F64.value(&1.5_f64.to_be_bytes(), true), 1.5);
        assert_eq!(Number::F16.value(&0x3e00_u16.to_le_bytes(), false), 1.5);
        assert_eq!(Number::F16.value(&0x0001_u16.to_le_bytes(), false), 2_f64.powi(-24));
        assert!(Cursor::new(&[1, 2, 3], "x", false).u32().is_err());
    }
}
