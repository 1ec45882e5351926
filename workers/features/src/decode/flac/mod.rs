//! FLAC, frame by frame. Read here and not by a crate, because what recorders really send needs what no reader gives:
//! where each frame ends, which one is missing, and 33-bit differences (see `docs/formats.md`).
//!
//! What is believed, and what is not:
//!
//! - a frame: its header's CRC-8 and its CRC-16 hold. It says how many samples it has;
//! - a number: frames count up by one, or by their samples. Where they begin is not asked (a piece of a recording goes
//!   on counting). Where a number leaps forward, frames are missing;
//! - the total of STREAMINFO: never more than a hint. More samples than it says are read. Fewer mean that the end is
//!   missing, unless the frames began in the middle, or no recording can be so long;
//! - tags before `fLaC` and behind the last frame are no sound.
//!
//! A damaged or missing frame costs that frame: the sound on both sides is [spliced](super::splice), and the clip says
//! that it is [incomplete](Clip::incomplete).
//!
//! Source: RFC 9639.

mod bits;
mod frame;
mod metadata;
mod subframe;

use frame::{Frame, Header};
use metadata::StreamInfo;

use super::{SampleBuffers, splice, tags};
use crate::clip::{check_format, check_sample_count};
use crate::{Clip, FeatureError, MAX_SAMPLES};

/// A total above this is none: no chunk is so long. It is an encoder's stand-in for "unknown", such as 2^30.
const LARGEST_TOTAL: u64 = MAX_SAMPLES;

pub(super) fn decode(bytes: &[u8], buffers: &mut SampleBuffers) -> Result<Clip, FeatureError> {
    let (info, frames) = metadata::split(bytes)?;
    check_format("FLAC", info.channels, info.rate_hz)?;
    let total = info.samples.filter(|&samples| samples.saturating_mul(info.channels as u64) <= LARGEST_TOTAL);

    let mut search = Search { frames, info, planes: Vec::new(), attempted: 0 };
    let mut clip = Clip {
        sample_rate_hz: info.rate_hz,
        channels: (0..info.channels).map(|_| buffers.take(total.unwrap_or(0) as usize)).collect(),
        step: Some((1.0 - info.bits as f32).exp2()),
        ..Clip::default()
    };
    let mut numbering = None;
    let mut begins_in_the_middle = false;
    let mut position = 0;
    while let Some((start, frame)) = search.next_from(position)? {
        let lost = tags::trim_front(&frames[position..start]);
        refuse_second_recording(lost)?;
        let is_gap = !lost.is_empty() || numbering.is_some_and(|numbering| leaps(numbering, frame.header));
        begins_in_the_middle |= numbering.is_none() && frame.header.number > 0;
        numbering = Some(frame.header);
        let before = clip.samples();
        check_total(&clip, frame.header.block)?;
        append(&search.planes, frame.bits, &mut clip.channels);
        if is_gap {
            clip.incomplete = true;
            splice::join(&mut clip.channels, before, info.rate_hz);
        }
        position = start + frame.len;
    }
    let tail = tags::trim_front(&frames[position..]);
    refuse_second_recording(tail)?;
    let samples = clip.samples() as u64;
    if samples == 0 {
        return Err(match (tail.is_empty(), info.samples) {
            (false, _) => truncated(format!("none of its frames is whole, of {} bytes", frames.len())),
            (true, Some(samples)) => truncated(format!("it should have {samples} samples and has none")),
            (true, None) => FeatureError::NoSamples,
        });
    }
    clip.incomplete |= match total {
        Some(total) if !begins_in_the_middle => samples < total,
        _ => !tail.is_empty(),
    };
    Ok(clip)
}

/// The frames of a stream, from a place on.
struct Search<'a> {
    frames: &'a [u8],
    info: StreamInfo,
    /// The channels of the frame found last.
    planes: Vec<Vec<i64>>,
    /// Samples that were decoded or tried, all channels together.
    attempted: u64,
}

impl Search<'_> {
    /// The next whole frame from `position` on, and where it starts.
    fn next_from(&mut self, position: usize) -> Result<Option<(usize, Frame)>, FeatureError> {
        for start in position..self.frames.len() {
            let bytes = &self.frames[start..];
            let Some(header) = Header::read(bytes) else { continue };
            // A few bytes can look like many frames of 65,535 samples: this bounds what trying them costs.
            self.attempted = self.attempted.saturating_add((header.block * self.info.channels) as u64);
            if self.attempted > 4 * MAX_SAMPLES {
                return Err(damaged("it has more broken frames than sound".to_owned()));
            }
            if let Some(frame) = frame::read(bytes, header, &self.info, &mut self.planes) {
                return Ok(Some((start, frame)));
            }
        }
        Ok(None)
    }
}

/// Whether frames are missing between two that were found one after the other. Fixed block sizes are counted in frames,
/// others in samples; encoders that set the wrong one of both marks exist, so either step is right.
fn leaps(last: Header, next: Header) -> bool {
    let step = next.number.saturating_sub(last.number);
    step > 1 && step != last.block as u64
}

/// Two recordings in one value cannot both be meant: the second one may be of another time.
fn refuse_second_recording(between: &[u8]) -> Result<(), FeatureError> {
    match between.windows(4).any(|window| window == b"fLaC") {
        true => Err(FeatureError::SeveralRecordings { format: "FLAC" }),
        false => Ok(()),
    }
}

fn check_total(clip: &Clip, more: usize) -> Result<(), FeatureError> {
    check_sample_count((clip.samples() + more) as u64 * clip.channels.len() as u64)
}

fn append(planes: &[Vec<i64>], bits: u32, channels: &mut [Vec<f32>]) {
    // A power of two: the product is as exact as the conversion.
    let step = (-(f64::from(bits) - 1.0)).exp2() as f32;
    for (channel, plane) in channels.iter_mut().zip(planes) {
        channel.extend(plane.iter().map(|&sample| sample as f32 * step));
    }
}

fn truncated(detail: String) -> FeatureError {
    FeatureError::Truncated { format: "FLAC", detail }
}

fn damaged(detail: String) -> FeatureError {
    FeatureError::Damaged { format: "FLAC", detail }
}
