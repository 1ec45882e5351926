//! One FLAC frame: header with CRC-8, a subframe for each channel, CRC-16 over all (RFC 9639, section 9).
//!
//! ```text
//!  sync[14 bits] 0 by_sample?  block size[4] rate[4] channels[4] bits[3] 0  number[1..7 bytes]  block size? rate?  CRC-8
//!  subframe × channels   padding to a byte   CRC-16
//! ```

use super::StreamInfo;
use super::bits::BitReader;
use super::subframe;

/// A frame's header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// Number of the frame or of its first sample, as the stream counts.
    pub(super) number: u64,
    /// Samples of each channel.
    pub(super) block: usize,
    channels: Channels,
    /// Bits of a sample; absent: STREAMINFO's.
    bits: Option<u32>,
    /// Length of the header with its CRC-8, bytes.
    len: usize,
}

#[derive(Debug, Clone, Copy)]
enum Channels {
    Independent(usize),
    LeftSide,
    SideRight,
    MidSide,
}

impl Channels {
    fn count(self) -> usize {
        match self {
            Self::Independent(count) => count,
            Self::LeftSide | Self::SideRight | Self::MidSide => 2,
        }
    }
}

/// A decoded frame.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) header: Header,
    /// Length in the stream, bytes.
    pub(super) len: usize,
    /// Bits of a sample.
    pub(super) bits: u32,
}

impl Header {
    /// Reads the header that `bytes` begin with. `None`: they begin with none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let &[0xFF, sync, sizes, layout, ..] = bytes else { return None };
        let has_reserved_bit = layout & 1 != 0;
        if sync & 0xFE != 0xF8 || has_reserved_bit {
            return None;
        }
        let (number, number_len) = read_number(bytes.get(4..)?)?;
        let mut position = 4 + number_len;
        let mut take = |len: usize| {
            let value =
                bytes.get(position..position + len)?.iter().fold(0, |value, &byte| value << 8 | usize::from(byte));
            position += len;
            Some(value)
        };
        let block = match sizes >> 4 {
            0 => return None,
            1 => 192,
            code @ 2..=5 => 576 << (code - 2),
            6 => take(1)? + 1,
            7 => take(2)? + 1,
            code => 256 << (code - 8),
        };
        match sizes & 0x0F {
            12 => _ = take(1)?,
            13 | 14 => _ = take(2)?,
            15 => return None,
            _ => {}
        }
        let channels = match layout >> 4 {
            count @ 0..=7 => Channels::Independent(usize::from(count) + 1),
            8 => Channels::LeftSide,
            9 => Channels::SideRight,
            10 => Channels::MidSide,
            _ => return None,
        };
        let bits = match (layout >> 1) & 7 {
            0 => None,
            3 => return None,
            code => Some([0, 8, 12, 0, 16, 20, 24, 32][usize::from(code)]),
        };
        let is_intact = *bytes.get(position)? == crc8(&bytes[..position]);
        is_intact.then_some(Self { number, block, channels, bits, len: position + 1 })
    }
}

/// Reads the frame that `bytes` begin with; `planes` become its channels. `None`: there is no whole, undamaged frame.
pub(super) fn read(bytes: &[u8], header: Header, info: &StreamInfo, planes: &mut Vec<Vec<i64>>) -> Option<Frame> {
    let count = header.channels.count();
    if count != info.channels {
        return None;
    }
    let bits = header.bits.unwrap_or(info.bits);
    let mut reader = BitReader::new(bytes.get(header.len..)?);
    planes.resize(count, Vec::new());
    let side = match header.channels {
        Channels::Independent(_) => None,
        Channels::LeftSide | Channels::MidSide => Some(1),
        Channels::SideRight => Some(0),
    };
    for (channel, plane) in planes.iter_mut().enumerate() {
        plane.resize(header.block, 0);
        // A difference needs one bit more than what it is the difference of.
        let bits = if side == Some(channel) { bits + 1 } else { bits };
        subframe::decode(&mut reader, bits, plane)?;
    }
    let end = header.len + reader.bytes_read();
    let checksum = bytes.get(end..end + 2)?;
    if crc16(&bytes[..end]).to_be_bytes() != checksum {
        return None;
    }
    decorrelate(header.channels, planes);
    Some(Frame { header, len: end + 2, bits })
}

/// Left and right of what was stored in place of them.
fn decorrelate(channels: Channels, planes: &mut [Vec<i64>]) {
    let [first, second] = planes else { return };
    let pairs = first.iter_mut().zip(second.iter_mut());
    match channels {
        Channels::Independent(_) => {}
        Channels::LeftSide => pairs.for_each(|(left, side)| *side = left.wrapping_sub(*side)),
        Channels::SideRight => pairs.for_each(|(side, right)| *side = side.wrapping_add(*right)),
        Channels::MidSide => pairs.for_each(|(mid, side)| {
            let sum = *mid << 1 | *side & 1;
            (*mid, *side) = (sum.wrapping_add(*side) >> 1, sum.wrapping_sub(*side) >> 1);
        }),
    }
}

/// A number in UTF-8's manner, up to 36 bits in seven bytes, and its length.
fn read_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let len = match first.leading_ones() {
        0 => return Some((u64::from(first), 1)),
        ones @ 2..=7 => ones as usize,
        _ => return None,
    };
    let start = u64::from(first) & (0x7F >> len);
    let number = bytes.get(1..len)?.iter().try_fold(start, |number, &byte| {
        let is_continuation = byte & 0xC0 == 0x80;
        is_continuation.then_some(number << 6 | u64::from(byte & 0x3F))
    })?;
    Some((number, len))
}

/// CRC-8, polynomial 0x07.
fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 })
    })
}

/// CRC-16, polynomial 0x8005, most significant bit first.
fn crc16(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = crc16_table();
    bytes.iter().fold(0, |crc, &byte| crc << 8 ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

const fn crc16_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x8005 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}
