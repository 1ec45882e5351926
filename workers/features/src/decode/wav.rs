//! WAV: a RIFF file whose `fmt ` chunk says how the `data` chunk's samples are stored.
//!
//! ```text
//!  "RIFF" size "WAVE"   then chunks: id[4] size[4, little-endian] body[size] pad[size odd]
//!                       fmt  (before data)   data (the samples)   LIST, fact, … (skipped)
//! ```
//!
//! Read here and not by a crate, because the contract asks what no reader tells: whether the data chunk is as long as it
//! says. Sizes that a pipe's writer could not know are told from a cut recording thus:
//!
//! - data size 0xFFFFFFFF (ffmpeg), or 0x7FFFF000 and above (sox), or 0 while the RIFF size is 0, 0xFFFFFFFF or
//!   0x7FFFF000 and above too: the length was unknown, so the data runs to the end of the value, less an incomplete
//!   last block. Such a recording cannot be seen to be cut;
//! - any other data size is a promise: fewer bytes are [`FeatureError::Truncated`], bytes after it are other chunks;
//! - the RIFF size itself is otherwise not believed: many recorders get it wrong, and the chunks say all there is to know.
//!
//! Sources: Microsoft, "Multiple channel audio data and WAVE files" (extensible); RFC 2361.

use crate::clip::{check_format, check_sample_count};
use crate::{Clip, FeatureError};

const FORMAT_PCM: u16 = 1;
const FORMAT_FLOAT: u16 = 3;
const FORMAT_EXTENSIBLE: u16 = 0xFFFE;
/// The last 14 bytes of an extensible sub-format; the first two are the format tag.
const SUBFORMAT_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
/// From here on a size is a pipe's stand-in for "unknown": sox writes 0x7FFFF000 and what follows from it, ffmpeg 0xFFFFFFFF.
const SIZE_UNKNOWN: u32 = 0x7FFF_F000;

pub(super) fn decode(bytes: &[u8]) -> Result<Clip, FeatureError> {
    let (format, data) = read_chunks(bytes)?;
    check_sample_count((data.len() / format.encoding.bytes()) as u64)?;
    let channels = match format.encoding {
        Encoding::Pcm16 => deinterleave(data, format.channels, |s| f32::from(i16::from_le_bytes(s)) / 32_768.0),
        // Shifted to the top of 32 bits, so that the sign is right; 24 bits fit f32 exactly.
        Encoding::Pcm24 => deinterleave(data, format.channels, |[low, mid, high]| {
            (i32::from_le_bytes([0, low, mid, high]) >> 8) as f32 / 8_388_608.0
        }),
        Encoding::Pcm32 => deinterleave(data, format.channels, |s| i32::from_le_bytes(s) as f32 / 2_147_483_648.0),
        Encoding::Float32 => deinterleave(data, format.channels, f32::from_le_bytes),
    };
    Ok(Clip { sample_rate_hz: format.rate_hz, channels, step: format.encoding.step() })
}

/// Splits interleaved samples of `N` bytes into one plane per channel. `data` holds whole blocks only.
pub(super) fn deinterleave<const N: usize>(
    data: &[u8],
    channels: usize,
    convert: impl Fn([u8; N]) -> f32,
) -> Vec<Vec<f32>> {
    let (samples, rest) = data.as_chunks::<N>();
    debug_assert!(rest.is_empty() && samples.len().is_multiple_of(channels));
    (0..channels)
        .map(|channel| samples[channel..].iter().step_by(channels).map(|&sample| convert(sample)).collect())
        .collect()
}

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Pcm16,
    Pcm24,
    Pcm32,
    Float32,
}

impl Encoding {
    /// One step of the integers, of full scale.
    fn step(self) -> Option<f32> {
        match self {
            Self::Pcm16 => Some(1.0 / 32_768.0),
            Self::Pcm24 => Some(1.0 / 8_388_608.0),
            Self::Pcm32 => Some(1.0 / 2_147_483_648.0),
            Self::Float32 => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Pcm16 => 2,
            Self::Pcm24 => 3,
            Self::Pcm32 | Self::Float32 => 4,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Format {
    encoding: Encoding,
    channels: usize,
    rate_hz: u32,
}

/// Walks the chunks up to `data`; gives the format and the samples' bytes, whole blocks only.
fn read_chunks(bytes: &[u8]) -> Result<(Format, &[u8]), FeatureError> {
    let mut rest = Cursor { bytes, position: 0 };
    let _riff = rest.take(4, "the RIFF header")?;
    let riff_size = rest.take_u32("the RIFF header")?;
    let _wave = rest.take(4, "the RIFF header")?;
    let mut format = None;
    loop {
        if rest.is_at_end() {
            let missing = if format.is_some() { "data" } else { "fmt" };
            return Err(FeatureError::Truncated {
                format: "WAV",
                detail: format!("its {} bytes end without a {missing} chunk", bytes.len()),
            });
        }
        let id = rest.take(4, "a chunk header")?;
        let size = rest.take_u32("a chunk header")?;
        match id {
            b"fmt " => {
                let body = rest.take(size as usize, "the fmt chunk")?;
                if format.replace(read_format(body)?).is_some() {
                    return Err(FeatureError::Damaged { format: "WAV", detail: "it has two fmt chunks".to_owned() });
                }
            }
            b"data" => {
                let Some(format) = format else {
                    let detail = "its data chunk comes before its fmt chunk".to_owned();
                    return Err(FeatureError::Damaged { format: "WAV", detail });
                };
                return Ok((format, read_data(rest, size, riff_size, format)?));
            }
            _ => {
                rest.take(size as usize, "a chunk before the data")?;
            }
        }
        if !size.is_multiple_of(2) {
            rest.skip_pad();
        }
    }
}

/// The data chunk's bytes: as many as it promises, or all that there are where its writer could not know.
fn read_data<'a>(mut rest: Cursor<'a>, size: u32, riff_size: u32, format: Format) -> Result<&'a [u8], FeatureError> {
    let block = format.channels * format.encoding.bytes();
    let available = rest.bytes.len() - rest.position;
    let riff_unknown = riff_size == 0 || riff_size >= SIZE_UNKNOWN;
    let size_unknown = size >= SIZE_UNKNOWN || (size == 0 && riff_unknown);
    if size_unknown {
        return rest.take(available - available % block, "the data chunk");
    }
    let size = size as usize;
    if !size.is_multiple_of(block) {
        let detail = format!("its data chunk of {size} bytes is no whole number of {block}-byte blocks");
        return Err(FeatureError::Damaged { format: "WAV", detail });
    }
    if size > available {
        let detail = format!("its data chunk should have {size} bytes and has {available}");
        return Err(FeatureError::Truncated { format: "WAV", detail });
    }
    rest.take(size, "the data chunk")
}

fn read_format(body: &[u8]) -> Result<Format, FeatureError> {
    let damaged = |detail: String| FeatureError::Damaged { format: "WAV", detail };
    let [tag0, tag1, ch0, ch1, rate0, rate1, rate2, rate3, _, _, _, _, align0, align1, bits0, bits1, extension @ ..] =
        body
    else {
        return Err(damaged(format!("its fmt chunk has {} bytes, at least 16 are needed", body.len())));
    };
    let tag = u16::from_le_bytes([*tag0, *tag1]);
    let channels = usize::from(u16::from_le_bytes([*ch0, *ch1]));
    let rate_hz = u32::from_le_bytes([*rate0, *rate1, *rate2, *rate3]);
    let block = usize::from(u16::from_le_bytes([*align0, *align1]));
    let bits = u16::from_le_bytes([*bits0, *bits1]);
    let tag = if tag == FORMAT_EXTENSIBLE { extensible_tag(extension)? } else { tag };
    check_format("WAV", channels, rate_hz)?;
    let encoding = match (tag, bits) {
        (FORMAT_PCM, 16) => Encoding::Pcm16,
        (FORMAT_PCM, 24) => Encoding::Pcm24,
        (FORMAT_PCM, 32) => Encoding::Pcm32,
        (FORMAT_FLOAT, 32) => Encoding::Float32,
        _ => {
            let kind = match tag {
                FORMAT_PCM => "PCM".to_owned(),
                FORMAT_FLOAT => "float".to_owned(),
                other => format!("format tag {other:#06x}"),
            };
            return Err(FeatureError::UnsupportedFormat { format: "WAV", detail: format!("{kind} of {bits} bits") });
        }
    };
    // 20 bits in 24 and the like have a tag and bits of their own; with these four the block follows.
    if block != channels * encoding.bytes() {
        let detail = format!("{channels} channels of {bits} bits in blocks of {block} bytes");
        return Err(FeatureError::UnsupportedFormat { format: "WAV", detail });
    }
    Ok(Format { encoding, channels, rate_hz })
}

/// The true format tag of WAVE_FORMAT_EXTENSIBLE: size[2] valid_bits[2] channel_mask[4] sub-format[16].
/// Valid bits below the container's need no care: the samples are left-justified.
fn extensible_tag(extension: &[u8]) -> Result<u16, FeatureError> {
    let Some([tag0, tag1, tail @ ..]) = extension.get(8..24) else {
        let detail = format!("its extensible fmt chunk has {} bytes of extension, 24 are needed", extension.len());
        return Err(FeatureError::Damaged { format: "WAV", detail });
    };
    if tail != SUBFORMAT_TAIL {
        let detail = "an extensible sub-format that is neither PCM nor float".to_owned();
        return Err(FeatureError::UnsupportedFormat { format: "WAV", detail });
    }
    Ok(u16::from_le_bytes([*tag0, *tag1]))
}

/// The bytes still to be read.
struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize, what: &str) -> Result<&'a [u8], FeatureError> {
        let rest = &self.bytes[self.position..];
        let Some(taken) = rest.get(..len) else {
            let detail = format!("{what} should have {len} bytes and has {}", rest.len());
            return Err(FeatureError::Truncated { format: "WAV", detail });
        };
        self.position += len;
        Ok(taken)
    }

    fn take_u32(&mut self, what: &str) -> Result<u32, FeatureError> {
        let bytes = self.take(4, what)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes were taken")))
    }

    /// An odd chunk is followed by a pad byte, except where a sloppy writer ended the file before it.
    fn skip_pad(&mut self) {
        self.position = (self.position + 1).min(self.bytes.len());
    }

    fn is_at_end(&self) -> bool {
        self.position == self.bytes.len()
    }
}
