//! FLAC, by Symphonia, with what its reader leaves to its caller: a frame that is lost is an error here, not a gap.
//!
//! ```text
//!  "fLaC"  metadata blocks: last? + type[1] size[3] body   then frames, each with a CRC-16
//!          STREAMINFO (first): rate, channels, bits, total samples, MD5 of all samples
//! ```
//!
//! Symphonia's reader resynchronises after a damaged frame and reads on. So after it the decoder asks: does every frame
//! start where the last one ended, is every byte part of a frame, are there as many samples as STREAMINFO says, and does
//! their MD5 hold? Metadata other than STREAMINFO (tags, pictures, seek tables) is cut away before it is parsed by anyone.
//!
//! Source: RFC 9639.

use std::io::{Cursor, Read};

use symphonia::core::audio::{Audio, GenericAudioBufferRef};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSourceStream, ReadOnlySource};
use symphonia::default::codecs::FlacDecoder;
use symphonia::default::formats::FlacReader;

use crate::clip::{check_format, check_sample_count};
use crate::{Clip, FeatureError, MAX_SAMPLES};

const MARKER: &[u8; 4] = b"fLaC";
const BLOCK_HEADER_BYTES: usize = 4;
const STREAM_INFO: u8 = 0;
const STREAM_INFO_BYTES: usize = 34;
const LAST_BLOCK: u8 = 0x80;

pub(super) fn decode(bytes: &[u8]) -> Result<Clip, FeatureError> {
    let (info, frames) = split(bytes)?;
    check_format("FLAC", info.channels, info.rate_hz)?;
    if let Some(samples) = info.samples {
        check_sample_count(samples.saturating_mul(info.channels as u64))?;
    }
    if frames.is_empty() {
        return match info.samples {
            Some(samples) => Err(truncated(format!("it should have {samples} samples and has none"))),
            None => Err(FeatureError::NoSamples),
        };
    }
    let head: Vec<u8> = [MARKER, &[LAST_BLOCK | STREAM_INFO, 0, 0, STREAM_INFO_BYTES as u8], info.body].concat();
    let source = ReadOnlySource::new(Cursor::new(head).chain(Cursor::new(frames)));
    let stream = MediaSourceStream::new(Box::new(source), Default::default());
    let mut reader = FlacReader::try_new(stream, FormatOptions::default()).map_err(unreadable)?;
    let parameters = audio_parameters(&reader)?;
    let mut options = AudioDecoderOptions::default();
    options.verify = true;
    let mut decoder = FlacDecoder::try_new(&parameters, &options).map_err(unreadable)?;

    let expected = info.samples.map_or(0, |samples| samples as usize);
    let mut channels: Vec<Vec<f32>> = (0..info.channels).map(|_| Vec::with_capacity(expected)).collect();
    let mut consumed_bytes = 0;
    while let Some(packet) = reader.next_packet().map_err(unreadable)? {
        let position = channels[0].len();
        let starts_at = packet.pts.get();
        if usize::try_from(starts_at) != Ok(position) {
            return Err(damaged(format!("after sample {position} the next frame starts at sample {starts_at}")));
        }
        consumed_bytes += packet.data.len();
        let decoded = decoder.decode(&packet).map_err(unreadable)?;
        append(&decoded, &mut channels)?;
        let samples = channels[0].len() as u64 * channels.len() as u64;
        if samples > MAX_SAMPLES {
            return Err(FeatureError::TooLarge { samples, limit: MAX_SAMPLES });
        }
    }
    let samples = channels[0].len() as u64;
    if let Some(expected) = info.samples
        && samples < expected
    {
        return Err(truncated(format!("it should have {expected} samples and {samples} can be read")));
    }
    if consumed_bytes != frames.len() {
        let lost = frames.len() - consumed_bytes;
        return Err(damaged(format!("{lost} of its {} bytes belong to no whole frame", bytes.len())));
    }
    if decoder.finalize().verify_ok == Some(false) {
        return Err(damaged("the MD5 of its samples is not the one in its header".to_owned()));
    }
    check_sample_count(samples)?;
    Ok(Clip { sample_rate_hz: info.rate_hz, channels, step: Some(info.step) })
}

fn truncated(detail: String) -> FeatureError {
    FeatureError::Truncated { format: "FLAC", detail }
}

fn damaged(detail: String) -> FeatureError {
    FeatureError::Damaged { format: "FLAC", detail }
}

fn unreadable(error: SymphoniaError) -> FeatureError {
    match error {
        SymphoniaError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated("it ends inside a frame".to_owned())
        }
        other => damaged(other.to_string()),
    }
}

fn audio_parameters(reader: &FlacReader<'_>) -> Result<AudioCodecParameters, FeatureError> {
    match reader.tracks().first().and_then(|track| track.codec_params.as_ref()) {
        Some(CodecParameters::Audio(parameters)) => Ok(parameters.clone()),
        _ => Err(damaged("its header names no sound".to_owned())),
    }
}

/// The decoder gives every depth left-justified in 32 bits.
fn append(decoded: &GenericAudioBufferRef<'_>, channels: &mut [Vec<f32>]) -> Result<(), FeatureError> {
    let GenericAudioBufferRef::S32(buffer) = decoded else {
        return Err(damaged("its frames decode to an unexpected sample type".to_owned()));
    };
    for (channel, plane) in channels.iter_mut().enumerate() {
        let samples = buffer
            .plane(channel)
            .ok_or_else(|| damaged(format!("a frame has no channel {channel}, which its header names")))?;
        channel_extend(plane, samples);
    }
    Ok(())
}

fn channel_extend(plane: &mut Vec<f32>, samples: &[i32]) {
    plane.extend(samples.iter().map(|&sample| sample as f32 / 2_147_483_648.0));
}

/// What STREAMINFO says.
struct StreamInfo<'a> {
    rate_hz: u32,
    channels: usize,
    /// One step of its integers, of full scale.
    step: f32,
    /// Samples of each channel; absent where the encoder wrote to a pipe.
    samples: Option<u64>,
    body: &'a [u8],
}

/// Splits a stream into STREAMINFO and its frames, stepping over all other metadata.
fn split(bytes: &[u8]) -> Result<(StreamInfo<'_>, &[u8]), FeatureError> {
    let short = || truncated(format!("its {} bytes end inside the metadata", bytes.len()));
    let mut rest = bytes.get(MARKER.len()..).ok_or_else(short)?;
    let mut info = None;
    loop {
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

/// Bits: block sizes 2×16, frame sizes 2×24, rate 20, channels-1 3, depth-1 5, samples 36, MD5 128.
fn read_stream_info(body: &[u8]) -> Result<StreamInfo<'_>, FeatureError> {
    let packed: [u8; 8] = match (body.len(), body.get(10..18).map(<[u8; 8]>::try_from)) {
        (STREAM_INFO_BYTES, Some(Ok(packed))) => packed,
        _ => return Err(damaged(format!("its STREAMINFO has {} bytes, not {STREAM_INFO_BYTES}", body.len()))),
    };
    let packed = u64::from_be_bytes(packed);
    let samples = packed & ((1 << 36) - 1);
    Ok(StreamInfo {
        rate_hz: (packed >> 44) as u32,
        channels: (packed >> 41) as usize % 8 + 1,
        // The field is the depth less one, which is the number of bits behind the sign.
        step: (-f32::from((packed >> 36) as u8 % 32)).exp2(),
        samples: (samples > 0).then_some(samples),
        body,
    })
}
