//! What stands before the frames: `fLaC` and metadata blocks, of which only STREAMINFO is read (RFC 9639, section 8).
//!
//! ```text
//!  "fLaC"  blocks: last? + type[1] size[3] body   then frames
//!          STREAMINFO (first): block sizes 2×16 bits, frame sizes 2×24, rate 20, channels-1 3, bits-1 5, samples 36, MD5 128
//! ```

use super::frame;
use super::{damaged, truncated};
use crate::FeatureError;

const MARKER: &[u8; 4] = b"fLaC";
const BLOCK_HEADER_BYTES: usize = 4;
const STREAM_INFO: u8 = 0;
const STREAM_INFO_BYTES: usize = 34;
const LAST_BLOCK: u8 = 0x80;

/// What STREAMINFO says. Its block sizes, frame sizes and MD5 are not read: some encoders get the first two wrong, and
/// in a piece of a recording the MD5 is that of the whole. Every frame carries its own sizes and checksum.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamInfo {
    pub(super) rate_hz: u32,
    pub(super) channels: usize,
    /// Bits of a sample, 4 to 32.
    pub(super) bits: u32,
    /// Samples of each channel; absent where the encoder wrote to a pipe.
    pub(super) samples: Option<u64>,
}

/// Splits a stream into STREAMINFO and its frames, stepping over all other metadata.
pub(super) fn split(bytes: &[u8]) -> Result<(StreamInfo, &[u8]), FeatureError> {
    let short = || truncated(format!("its {} bytes end inside the metadata", bytes.len()));
    let mut rest = bytes.get(MARKER.len()..).ok_or_else(short)?;
    let mut info = None;
    loop {
        // Some writers never mark the last block.
        if info.is_some() && frame::Header::read(rest).is_some() {
            break;
        }
        let (header, after) = rest.split_at_checked(BLOCK_HEADER_BYTES).ok_or_else(short)?;
        let size = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        let (body, after) = after.split_at_checked(size).ok_or_else(short)?;
        rest = after;
        let is_stream_info = header[0] & !LAST_BLOCK == STREAM_INFO;
        match (&info, is_stream_info) {
            (None, true) => info = Some(read_stream_info(body)?),
            (Some(_), false) => {}
            (None, false) => return Err(damaged("its first metadata block is not STREAMINFO".to_owned())),
            (Some(_), true) => return Err(damaged("it has two STREAMINFO blocks".to_owned())),
        }
        if header[0] & LAST_BLOCK != 0 {
            break;
        }
    }
    let info = info.ok_or_else(|| damaged("it has no STREAMINFO block".to_owned()))?;
    Ok((info, rest))
}

fn read_stream_info(body: &[u8]) -> Result<StreamInfo, FeatureError> {
    let packed: [u8; 8] = match (body.len(), body.get(10..18).map(<[u8; 8]>::try_from)) {
        (STREAM_INFO_BYTES, Some(Ok(packed))) => packed,
        _ => return Err(damaged(format!("its STREAMINFO has {} bytes, not {STREAM_INFO_BYTES}", body.len()))),
    };
    let packed = u64::from_be_bytes(packed);
    let samples = packed & ((1 << 36) - 1);
    let bits = (packed >> 36) as u32 % 32 + 1;
    if bits < 4 {
        return Err(damaged(format!("its STREAMINFO says {bits} bits a sample; FLAC has 4 to 32")));
    }
    Ok(StreamInfo {
        rate_hz: (packed >> 44) as u32,
        channels: (packed >> 41) as usize % 8 + 1,
        bits,
        samples: (samples > 0).then_some(samples),
    })
}
