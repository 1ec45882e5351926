//! The `fmt ` chunk: channels, rate, and how a sample is stored.
//!
//! ```text
//!  tag[2] channels[2] rate[4] byte rate[4] block[2] bits[2]   extension size[2] valid bits[2] channel mask[4] sub-format[16]
//! ```
//!
//! The block and the byte rate are often wrong; what they must be follows from the rest. A block that is larger than
//! that is believed, since containers wider than their samples exist.
//!
//! Sources: Microsoft, "Multiple channel audio data and WAVE files"; RFC 2361 (tags).

use crate::FeatureError;
use crate::clip::check_format;

const TAG_PCM: u16 = 1;
const TAG_FLOAT: u16 = 3;
const TAG_EXTENSIBLE: u16 = 0xFFFE;
/// The last 14 bytes of an extensible sub-format; the first two are the tag.
const SUBFORMAT_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
/// The same of Ambisonic B-format files (`.amb`).
const AMBISONIC_TAIL: [u8; 14] = [0, 0, 0x21, 0x07, 0xD3, 0x11, 0x86, 0x44, 0xC8, 0xC1, 0xCA, 0, 0, 0];

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Unsigned, 128 is zero.
    Unsigned8,
    /// Two's complement in 2, 3 or 4 bytes, of which `valid_bits` are the sample's.
    Integer {
        bytes: usize,
        valid_bits: u32,
        /// Where spare bits are, as far as the header tells: below the sample (the standard) or above it.
        is_right_justified: bool,
    },
    Float16,
    Float32,
    Float64,
}

impl Encoding {
    /// One step of the integers, of full scale; float has none.
    pub(super) fn step(self) -> Option<f32> {
        match self {
            Self::Unsigned8 => Some(1.0 / 128.0),
            Self::Integer { valid_bits, .. } => Some((1.0 - valid_bits as f32).exp2()),
            Self::Float16 | Self::Float32 | Self::Float64 => None,
        }
    }

    /// Bytes of a sample.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 => 1,
            Self::Integer { bytes, .. } => bytes,
            Self::Float16 => 2,
            Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }
}

/// What the `fmt ` chunk says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) encoding: Encoding,
    pub(super) channels: usize,
    pub(super) rate_hz: u32,
}

impl Format {
    /// Bytes of one sample of every channel.
    pub(super) fn block(self) -> usize {
        self.channels * self.encoding.bytes()
    }

    /// Reads the chunk's body; of a RIFX file, with `is_big_endian`.
    pub(super) fn read(body: &[u8], is_big_endian: bool) -> Result<Self, FeatureError> {
        let u16_at = |at: usize| {
            let bytes = [body[at], body[at + 1]];
            if is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
        };
        if body.len() < 16 {
            let detail = format!("its fmt chunk has {} bytes, at least 16 are needed", body.len());
            return Err(FeatureError::Damaged { format: "WAV", detail });
        }
        let rate: [u8; 4] = body[4..8].try_into().expect("four bytes were taken");
        let rate_hz = if is_big_endian { u32::from_be_bytes(rate) } else { u32::from_le_bytes(rate) };
        let channels = usize::from(u16_at(2));
        let block = usize::from(u16_at(12));
        let bits = u32::from(u16_at(14));
        let is_extensible = u16_at(0) == TAG_EXTENSIBLE;
        let tag = if is_extensible { extensible_tag(&body[16..])? } else { u16_at(0) };
        check_format("WAV", channels, rate_hz)?;
        let valid_bits = if is_extensible { u32::from(u16_at(18)) } else { bits };
        let encoding = encoding(tag, bits, valid_bits, block, channels)?;
        Ok(Self { encoding, channels, rate_hz })
    }
}

fn encoding(tag: u16, bits: u32, valid_bits: u32, block: usize, channels: usize) -> Result<Encoding, FeatureError> {
    if bits == 0 {
        let detail = "its fmt chunk says 0 bits a sample".to_owned();
        return Err(FeatureError::Damaged { format: "WAV", detail });
    }
    let unsupported = |detail: String| Err(FeatureError::UnsupportedFormat { format: "WAV", detail });
    let smallest = bits.div_ceil(8) as usize;
    let stored = match block / channels {
        stored if block.is_multiple_of(channels) && stored > smallest => stored,
        // Zero, the bytes of one channel, and the like: not to be believed.
        _ => smallest,
    };
    if block > channels * stored {
        return unsupported(format!("{channels} channels of {bits} bits in blocks of {block} bytes"));
    }
    let is_whole = (1..=bits).contains(&valid_bits);
    let valid_bits = if is_whole { valid_bits } else { bits };
    match (tag, bits, stored) {
        (TAG_PCM, 1..=8, 1) => Ok(Encoding::Unsigned8),
        (TAG_PCM, 1..=32, 2..=4) => {
            Ok(Encoding::Integer { bytes: stored, valid_bits, is_right_justified: stored > smallest })
        }
        (TAG_FLOAT, 16, 2) => Ok(Encoding::Float16),
        (TAG_FLOAT, 32, 4) => Ok(Encoding::Float32),
        (TAG_FLOAT, 64, 8) => Ok(Encoding::Float64),
        (TAG_PCM, ..) => unsupported(format!("PCM of {bits} bits in {stored} bytes")),
        (TAG_FLOAT, ..) => unsupported(format!("float of {bits} bits in {stored} bytes")),
        _ if is_lost_in_wav(tag) => Err(FeatureError::LostCodec { codec: codec_name(tag) }),
        _ => unsupported(format!("{} (format tag {tag:#06x})", codec_name(tag))),
    }
}

/// Codecs that recorders put into WAV, so that a person need not look the tag up.
fn codec_name(tag: u16) -> &'static str {
    match tag {
        0x0002 => "Microsoft ADPCM",
        0x0006 => "A-law",
        0x0007 => "mu-law",
        0x0011 => "IMA ADPCM",
        0x0014 | 0x0040 | 0x0045 | 0x0064 => "G.72x ADPCM",
        0x0031 => "GSM 6.10",
        0x0050 => "MPEG layer 1 or 2",
        0x0055 => "MP3",
        0x00FF | 0x1600 | 0x1602 => "AAC",
        0x0160..=0x0163 => "Windows Media Audio",
        0x566F | 0x674F..=0x6751 | 0x676F..=0x6771 => "Vorbis",
        0xA109 => "Speex",
        0xF1AC => "FLAC inside WAV",
        _ => "a codec that is not read",
    }
}

/// AAC, Vorbis and Speex, whose packets WAV does not keep apart: ffmpeg brings back a part of them or nothing.
fn is_lost_in_wav(tag: u16) -> bool {
    matches!(codec_name(tag), "AAC" | "Vorbis" | "Speex")
}

/// The true tag of WAVE_FORMAT_EXTENSIBLE.
fn extensible_tag(extension: &[u8]) -> Result<u16, FeatureError> {
    let Some([tag0, tag1, tail @ ..]) = extension.get(8..24) else {
        let detail = format!("its extensible fmt chunk has {} bytes of extension, 24 are needed", extension.len());
        return Err(FeatureError::Damaged { format: "WAV", detail });
    };
    // Some writers leave the sub-format zero, or all of it but the tag.
    if tail.iter().all(|&byte| byte == 0) {
        let tag = u16::from_le_bytes([*tag0, *tag1]);
        return Ok(if tag == 0 { TAG_PCM } else { tag });
    }
    if tail != SUBFORMAT_TAIL && tail != AMBISONIC_TAIL {
        let detail = "an extensible sub-format that is neither PCM nor float".to_owned();
        return Err(FeatureError::UnsupportedFormat { format: "WAV", detail });
    }
    // GUIDs are little-endian in every RIFF file but RIFX, which stores this one as a number, too.
    let tag = u16::from_le_bytes([*tag0, *tag1]);
    Ok(if tag.is_multiple_of(256) { tag.swap_bytes() } else { tag })
}
