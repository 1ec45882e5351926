//! Bytes to samples: WAV, FLAC and L16, each in its own file.

mod buffers;
mod flac;
mod foreign;
mod l16;
mod samples;
mod splice;
mod tags;
mod wav;

use auscult_schemas::FullScale;

pub(crate) use buffers::SampleBuffers;

use crate::content_type::Declared;
use crate::{Clip, FeatureError};

/// Decodes a value by its content type.
///
/// - `audio/wav` (also `x-wav`, `wave`, `vnd.wave`): PCM of 8 to 32 bits, float of 16, 32 and 64, plain or extensible,
///   RIFF, RF64, BW64 and RIFX, finished or not;
/// - `audio/flac` (also `x-flac`): up to 8 channels and 32 bits, whole recordings and pieces, checksums verified;
/// - `audio/L16;rate=…;channels=…`: RFC 2586, big-endian, `channels` 1 if absent;
/// - an empty content type or `application/octet-stream`: WAV or FLAC by the first bytes.
///
/// Integer samples become `value / 2^(bits - 1)`, as in librosa and libsndfile. Values of float WAV are kept as they
/// are. A few that are NaN or infinite are lost samples; [`check`](crate::check) refuses a clip of many. Where a part
/// is missing or damaged, the rest is read and [`Clip::incomplete`] set. `docs/formats.md` has the whole list.
///
/// # Errors
/// One [`FeatureError`] for each way in which the bytes can be wrong; never a panic, whatever the bytes.
pub fn decode(content_type: &str, bytes: &[u8]) -> Result<Clip, FeatureError> {
    decode_with(content_type, bytes, &mut SampleBuffers::default())
}

/// The same into buffers that are used again.
pub(crate) fn decode_with(content_type: &str, bytes: &[u8], buffers: &mut SampleBuffers) -> Result<Clip, FeatureError> {
    let declared = Declared::parse(content_type)?;
    if bytes.is_empty() {
        return Err(FeatureError::Empty);
    }
    let bytes = match declared {
        Declared::L16 { .. } => bytes,
        _ => behind_tags(bytes),
    };
    match (declared, Magic::of(bytes)) {
        // L16 has no header of its own; sound that happens to begin with another's is a mistake, not a coincidence.
        (Declared::L16 { rate_hz, channels }, Magic::Other) => l16::decode(bytes, rate_hz, channels, buffers),
        (Declared::Wav | Declared::Unknown, Magic::Wav) => wav::decode(bytes, buffers),
        (Declared::Flac | Declared::Unknown, Magic::Flac) => flac::decode(bytes, buffers),
        (Declared::Wav, found) => Err(not_audio("WAV (audio/wav)", found, bytes)),
        (Declared::Flac, found) => Err(not_audio("FLAC (audio/flac)", found, bytes)),
        (Declared::L16 { .. }, found) => Err(not_audio("bare samples (audio/L16)", found, bytes)),
        (Declared::Unknown, found) => Err(not_audio("WAV or FLAC (no content type was given)", found, bytes)),
    }
}

/// What a WAV file says of the full scale of each of its channels (`docs/import.md`); empty where it says nothing. The
/// samples may be missing: format and comments are enough.
#[must_use]
pub fn full_scales(head: &[u8]) -> Vec<FullScale> {
    wav::full_scales(behind_tags(head))
}

/// Whether a WAV file's samples are float, by its format; the samples may be missing.
#[must_use]
pub fn is_float(head: &[u8]) -> bool {
    wav::is_float(behind_tags(head))
}

/// A recording without the ID3v2 tags that taggers put in front of it; all of `bytes` if none is behind them.
fn behind_tags(bytes: &[u8]) -> &[u8] {
    let rest = tags::trim_id3v2(bytes);
    if Magic::of(rest) == Magic::Other { bytes } else { rest }
}

fn not_audio(expected: &'static str, found: Magic, bytes: &[u8]) -> FeatureError {
    let found = match found {
        Magic::Wav => "WAV: send it with the content type audio/wav".to_owned(),
        Magic::Flac => "FLAC: send it with the content type audio/flac".to_owned(),
        Magic::Other => match (behind_what(bytes), foreign::name(bytes)) {
            (Some((at, format)), _) => format!(
                "{at} bytes that are no sound (\"{}\"), and a {format} recording behind them: send it without them",
                start_of(bytes, at)
            ),
            (None, Some(error)) => return error,
            (None, None) => {
                let start = start_of(bytes, 8);
                format!(
                    "none of a format that is known (they start with \"{start}\"): send WAV, FLAC or L16; samples without a header get one with `sox -t raw -e signed -b 16 -r 16000 -c 1 IN OUT.wav`"
                )
            }
        },
    };
    FeatureError::NotAudio { expected, found }
}

/// The content type that the first bytes of a value show: that of WAV or FLAC; `None` where they show neither.
#[must_use]
pub fn content_type_of_bytes(bytes: &[u8]) -> Option<&'static str> {
    match Magic::of(behind_tags(bytes)) {
        Magic::Wav if bytes.len() >= 12 => Some("audio/wav"),
        Magic::Flac => Some("audio/flac"),
        _ => None,
    }
}

/// The beginning of a value as an error quotes it.
fn start_of(bytes: &[u8], most: usize) -> std::slice::EscapeAscii<'_> {
    bytes[..bytes.len().min(most).min(LONGEST_QUOTE)].escape_ascii()
}

const LONGEST_QUOTE: usize = 40;
/// Longest head of a transfer (HTTP, multipart) in front of a recording.
const LONGEST_HEAD: usize = 4_096;

/// Where a recording begins behind text, such as the head of the transfer that brought it, a byte-order mark or an
/// empty line.
fn behind_what(bytes: &[u8]) -> Option<(usize, &'static str)> {
    let head = &bytes[..bytes.len().min(LONGEST_HEAD)];
    let is_text = |at: usize| std::str::from_utf8(&head[..at]).is_ok_and(|text| !text.contains('\0'));
    let found = (1..head.len()).find_map(|at| match &bytes[at..] {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some((at, "WAV")),
        [b'f', b'L', b'a', b'C', 0 | 0x80, 0, 0, 34, ..] => Some((at, "FLAC")),
        _ => None,
    });
    found.filter(|(at, _)| is_text(*at))
}

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Magic {
    Wav,
    Flac,
    Other,
}

impl Magic {
    fn of(bytes: &[u8]) -> Self {
        let is_riff = [b"RIFF", b"RIFX", b"RF64", b"BW64"].iter().any(|id| bytes.starts_with(*id));
        // A WAV that was cut inside its first twelve bytes is a WAV cut short, not something else.
        let is_wave = bytes.get(8..12).is_none_or(|form| form == b"WAVE");
        match bytes {
            _ if is_riff && is_wave => Self::Wav,
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            _ => Self::Other,
        }
    }
}
