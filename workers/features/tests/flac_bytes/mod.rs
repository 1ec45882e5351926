//! FLAC streams bit by bit, right and wrong ones: verbatim subframes of 16-bit mono, or any frame that a test lays out.
#![allow(dead_code, reason = "each suite uses a part of it")]

/// A stream's header and frames, before they are put together.
pub struct FlacBytes {
    pub rate_hz: u32,
    pub channels: u64,
    pub bits: u64,
    pub total: u64,
    pub md5: [u8; 16],
    pub smallest_block: u16,
    /// Frames as they stand in the stream.
    pub frames: Vec<Vec<u8>>,
}

/// Samples of a frame.
pub const BLOCK: usize = 1024;

impl FlacBytes {
    /// 16-bit mono in frames of [`BLOCK`] samples, numbered from `first`.
    pub fn mono(samples: &[i16], first: u64) -> Self {
        let frames = samples.chunks(BLOCK).zip(first..).map(|(block, number)| mono_frame(number, block, false));
        Self {
            rate_hz: 16_000,
            channels: 1,
            bits: 16,
            total: 0,
            md5: [0; 16],
            smallest_block: BLOCK as u16,
            frames: frames.collect(),
        }
    }

    pub fn build(&self) -> Vec<u8> {
        let packed = u64::from(self.rate_hz) << 44 | (self.channels - 1) << 41 | (self.bits - 1) << 36 | self.total;
        let info = [
            &self.smallest_block.to_be_bytes()[..],
            &(BLOCK as u16).to_be_bytes(),
            &[0; 6],
            &packed.to_be_bytes(),
            &self.md5,
        ]
        .concat();
        [b"fLaC\x80\0\0\x22".as_slice(), &info, &self.frames.concat()].concat()
    }
}

/// A frame of 16-bit mono; `by_sample` sets the blocking strategy's bit.
pub fn mono_frame(number: u64, block: &[i16], by_sample: bool) -> Vec<u8> {
    let mut body = vec![0b0000_0010];
    body.extend(block.iter().flat_map(|sample| sample.to_be_bytes()));
    frame(number, block.len(), 0x08, by_sample, &body)
}

/// A frame of 32-bit stereo with verbatim subframes of the given widths.
pub fn wide_frame(number: u64, assignment: u8, subframes: [(&[i64], u32); 2]) -> Vec<u8> {
    let mut bits = String::new();
    for (samples, width) in subframes {
        bits += "00000010";
        for sample in samples {
            let value = *sample as u64 & ((1 << width) - 1);
            bits += &format!("{value:0width$b}", width = width as usize);
        }
    }
    bits += &"0".repeat(bits.len().next_multiple_of(8) - bits.len());
    let body: Vec<u8> = (0..bits.len())
        .step_by(8)
        .map(|at| u8::from_str_radix(&bits[at..at + 8], 2).expect("eight binary digits"))
        .collect();
    frame(number, subframes[0].0.len(), assignment << 4 | 0x0E, false, &body)
}

fn frame(number: u64, block: usize, layout: u8, by_sample: bool, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xFF, 0xF8 | u8::from(by_sample), 0x75, layout];
    let number = char::from_u32(number as u32).expect("tests count low");
    frame.extend(number.to_string().as_bytes());
    frame.extend((block as u16 - 1).to_be_bytes());
    frame.push(crc8(&frame));
    frame.extend(body);
    let crc = crc16(&frame);
    frame.extend(crc.to_be_bytes());
    frame
}

fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x07 })
    })
}

/// CRC-16 with polynomial 0x8005, most significant bit first, as FLAC frames end with.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x8005 })
    })
}
