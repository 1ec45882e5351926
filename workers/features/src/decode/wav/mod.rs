//! WAV: a RIFF file whose `fmt ` chunk says how the `data` chunk's samples are stored.
//!
//! ```text
//!  "RIFF" size "WAVE"   then chunks: id[4] size[4, little-endian] body[size] pad[size odd]
//!                       fmt  (before data)   data (the samples)   LIST, fact, … (skipped)
//!  "RF64", "BW64"       the same with 64-bit sizes in a ds64 chunk, where a 32-bit size is 0xFFFFFFFF
//!  "RIFX"               the same with every number big-endian
//!  LIST wavl            several data chunks in a list, instead of one
//! ```
//!
//! Read here and not by a crate, because readers believe the header, and headers of recorders that write to a pipe, or
//! that were killed, are wrong. [`extent`] says where the samples end; the RIFF size is not believed at all.
//!
//! Sources: Microsoft, "Multiple channel audio data and WAVE files"; EBU Tech 3306 (RF64); ITU-R BS.2088 (BW64).

mod comment;
mod extent;
mod format;
mod not_finite;
mod wave_list;

use std::borrow::Cow;

use extent::Promise;
use format::{Encoding, Format};

use super::samples::{self, Samples};
use super::{SampleBuffers, splice};
use crate::clip::check_sample_count;
use crate::{Clip, FeatureError};

/// Least that a RIFF's size counts beside the samples: "WAVE", `fmt ` and the data chunk's header.
const HEADER_BYTES: u64 = 36;
/// A 32-bit size that stands for the one in ds64.
const IN_DS64: u32 = u32::MAX;

pub(super) fn decode(whole: &[u8], buffers: &mut SampleBuffers) -> Result<Clip, FeatureError> {
    let is_big_endian = whole.starts_with(b"RIFX");
    let Recording { format, data, joins, incomplete } = Chunks::new(whole, is_big_endian)?.read()?;
    let bytes = format.encoding.bytes();
    check_sample_count((data.len() / format.block() * format.channels) as u64)?;
    let data = if is_big_endian { reversed(data.into_owned(), bytes) } else { data };
    let Samples { mut channels, is_mended } = samples_of(&data, format, buffers);
    for at in joins.into_iter().rev() {
        splice::join(&mut channels, at, format.rate_hz);
    }
    let step = format.encoding.step();
    let is_damaged = step.is_none() && not_finite::leave_out(&mut channels);
    let incomplete = incomplete || is_mended || is_damaged;
    let full_scale = comment::full_scales(whole, is_big_endian, channels.len());
    Ok(Clip { sample_rate_hz: format.rate_hz, channels, step, incomplete, full_scale })
}

pub(super) fn full_scales(head: &[u8]) -> Vec<auscult_schemas::FullScale> {
    comment::of_head(head)
}

pub(super) fn is_float(head: &[u8]) -> bool {
    let is_big_endian = head.starts_with(b"RIFX");
    let format = comment::format(head, is_big_endian).and_then(|body| Format::read(body, is_big_endian).ok());
    format.is_some_and(|format| format.encoding.step().is_none())
}

fn samples_of(data: &[u8], format: Format, buffers: &mut SampleBuffers) -> Samples {
    let channels = format.channels;
    match format.encoding {
        Encoding::Unsigned8 => {
            samples::read(data, channels, buffers, |[sample]: [u8; 1]| (f32::from(sample) - 128.0) / 128.0)
        }
        Encoding::Float16 => samples::read(data, channels, buffers, |sample| widen_half(u16::from_le_bytes(sample))),
        Encoding::Float32 => samples::read(data, channels, buffers, f32::from_le_bytes),
        Encoding::Float64 => samples::read(data, channels, buffers, |sample| f64::from_le_bytes(sample) as f32),
        Encoding::Integer { bytes: 2, valid_bits, is_right_justified } => {
            let place = samples::place(data, widen_16, 16, valid_bits, is_right_justified);
            samples::read(data, channels, buffers, |sample| place.sample(widen_16(sample)))
        }
        Encoding::Integer { bytes: 3, valid_bits, is_right_justified } => {
            let place = samples::place(data, widen_24, 24, valid_bits, is_right_justified);
            samples::read(data, channels, buffers, |sample| place.sample(widen_24(sample)))
        }
        Encoding::Integer { valid_bits, is_right_justified, .. } => {
            let place = samples::place(data, i32::from_le_bytes, 32, valid_bits, is_right_justified);
            samples::read(data, channels, buffers, |sample| place.sample(i32::from_le_bytes(sample)))
        }
    }
}

fn widen_16(sample: [u8; 2]) -> i32 {
    i32::from(i16::from_le_bytes(sample))
}

/// Shifted from the top of 32 bits, so that the sign is right; 24 bits fit f32 exactly.
fn widen_24([low, mid, high]: [u8; 3]) -> i32 {
    i32::from_le_bytes([0, low, mid, high]) >> 8
}

/// IEEE 754 binary16, which f32 holds exactly: a sign, 5 bits of exponent, 10 of fraction.
fn widen_half(half: u16) -> f32 {
    let (exponent, fraction) = (i32::from(half >> 10 & 0x1F), f32::from(half & 0x3FF));
    let value = match exponent {
        0 => fraction * (-24.0_f32).exp2(),
        0x1F if fraction == 0.0 => f32::INFINITY,
        0x1F => f32::NAN,
        _ => (1_024.0 + fraction) * ((exponent - 25) as f32).exp2(),
    };
    if half >> 15 == 1 { -value } else { value }
}

/// Big-endian samples as little-endian ones.
fn reversed<'a>(mut data: Vec<u8>, sample_bytes: usize) -> Cow<'a, [u8]> {
    data.chunks_exact_mut(sample_bytes).for_each(<[u8]>::reverse);
    Cow::Owned(data)
}

/// What the chunks say.
struct Recording<'a> {
    format: Format,
    data: Cow<'a, [u8]>,
    /// Samples before which something was left out, ascending.
    joins: Vec<usize>,
    incomplete: bool,
}

/// A walk over the chunks.
struct Chunks<'a> {
    bytes: &'a [u8],
    position: usize,
    is_big_endian: bool,
    riff_size: u32,
    /// The data chunk's size in ds64.
    data_size: Option<u64>,
    format: Option<Format>,
}

impl<'a> Chunks<'a> {
    fn new(bytes: &'a [u8], is_big_endian: bool) -> Result<Self, FeatureError> {
        let mut chunks = Self { bytes, position: 4, is_big_endian, riff_size: 0, data_size: None, format: None };
        chunks.riff_size = chunks.take_u32("the RIFF header")?;
        chunks.take(4, "the RIFF header")?;
        Ok(chunks)
    }

    /// Walks up to `data`.
    fn read(mut self) -> Result<Recording<'a>, FeatureError> {
        loop {
            if self.position == self.bytes.len() {
                let missing = if self.format.is_some() { "data" } else { "fmt" };
                let detail = format!("its {} bytes end without a {missing} chunk", self.bytes.len());
                return Err(FeatureError::Truncated { format: "WAV", detail });
            }
            let id = self.take(4, "a chunk header")?;
            let size = self.take_u32("a chunk header")?;
            match id {
                b"data" => return self.read_data(size),
                b"fmt " => {
                    let body = self.take(size as usize, "the fmt chunk")?;
                    let format = Format::read(body, self.is_big_endian)?;
                    if self.format.replace(format).is_some_and(|earlier| earlier != format) {
                        let detail = "it has two fmt chunks, and they differ".to_owned();
                        return Err(FeatureError::Damaged { format: "WAV", detail });
                    }
                }
                b"LIST" if self.bytes[self.position..].starts_with(b"wavl") => return self.read_list(size),
                b"ds64" => {
                    let body = self.take(size as usize, "the ds64 chunk")?;
                    self.data_size = body
                        .get(8..16)
                        .map(|size| u64::from_le_bytes(size.try_into().expect("eight bytes were taken")));
                }
                _ => _ = self.take(size as usize, "a chunk before the data")?,
            }
            if !size.is_multiple_of(2) {
                self.skip_pad();
            }
        }
    }

    fn known_format(&self) -> Result<Format, FeatureError> {
        let detail = || "its data chunk comes before its fmt chunk".to_owned();
        self.format.ok_or_else(|| FeatureError::Damaged { format: "WAV", detail: detail() })
    }

    fn read_size(&self) -> fn([u8; 4]) -> u32 {
        if self.is_big_endian { u32::from_be_bytes } else { u32::from_le_bytes }
    }

    fn read_list(self, size: u32) -> Result<Recording<'a>, FeatureError> {
        const TYPE_BYTES: usize = 4;
        let format = self.known_format()?;
        let body = &self.bytes[self.position..];
        let (list, behind) = body.split_at(body.len().min((size as usize).max(TYPE_BYTES)));
        if behind.starts_with(b"data") {
            return Err(FeatureError::SeveralRecordings { format: "WAV" });
        }
        let wave_list::WaveList { data, joins, is_cut } =
            wave_list::read(&list[TYPE_BYTES..], format.block(), self.read_size())?;
        let incomplete = is_cut || !joins.is_empty() || size as usize > body.len();
        Ok(Recording { format, data: Cow::Owned(data), joins, incomplete })
    }

    fn read_data(self, size: u32) -> Result<Recording<'a>, FeatureError> {
        let format = self.known_format()?;
        let rest = &self.bytes[self.position..];
        let whole = self.bytes.len() as u64;
        let size = match self.data_size {
            Some(data_size) if size == IN_DS64 => data_size,
            _ => u64::from(size),
        };
        // A data chunk is smaller than its RIFF; one that is not has a size that is of something else.
        let riff_size = u64::from(self.riff_size);
        let is_misplaced =
            riff_size < size.saturating_add(HEADER_BYTES) && [riff_size, whole, whole - 8].contains(&size);
        let riff_end = (riff_size + 8).saturating_sub(self.position as u64);
        let extent = extent::find(rest, Promise { size, is_misplaced, riff_end }, self.read_size())?;
        let data = Cow::Borrowed(&rest[..extent.len]);
        Ok(Recording { format, data, joins: Vec::new(), incomplete: extent.incomplete })
    }

    fn take(&mut self, len: usize, what: &str) -> Result<&'a [u8], FeatureError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let Some(taken) = rest.get(..len) else {
            let detail = format!("{what} should have {len} bytes and has {}", rest.len());
            return Err(FeatureError::Truncated { format: "WAV", detail });
        };
        self.position += len;
        Ok(taken)
    }

    fn take_u32(&mut self, what: &str) -> Result<u32, FeatureError> {
        let bytes: [u8; 4] = self.take(4, what)?.try_into().expect("four bytes were taken");
        Ok(if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Steps over the pad byte of an odd chunk. Sloppy writers leave it out: then a chunk begins right here, and none
    /// behind it.
    fn skip_pad(&mut self) {
        let next = self.bytes.get(self.position..self.position + 4);
        let is_known = matches!(next, None | Some(b"fmt " | b"data" | b"fact" | b"LIST"));
        let is_unpadded = is_known || self.is_chunk(self.position) && !self.is_chunk(self.position + 1);
        self.position += usize::from(!is_unpadded);
        self.position = self.position.min(self.bytes.len());
    }

    /// Whether a chunk with a printable name begins here, and ends before the value does.
    fn is_chunk(&self, at: usize) -> bool {
        let Some((&[a, b, c, d, s0, s1, s2, s3], body)) = self.bytes.get(at..).and_then(<[u8]>::split_first_chunk)
        else {
            return false;
        };
        let size = [s0, s1, s2, s3];
        let size = if self.is_big_endian { u32::from_be_bytes(size) } else { u32::from_le_bytes(size) };
        [a, b, c, d].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b' ') && size as usize <= body.len()
    }
}
