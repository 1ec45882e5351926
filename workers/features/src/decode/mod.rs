//! Bytes to samples: WAV, FLAC and L16, each in its own file.

mod flac;
mod l16;
mod wav;

use crate::content_type::Declared;
use crate::{Clip, FeatureError};

/// Decodes a value by its content type.
///
/// - `audio/wav` (also `x-wav`, `wave`, `vnd.wave`): PCM 16/24/32 and float 32, plain or extensible;
/// - `audio/flac` (also `x-flac`): up to 8 channels, checksums verified;
/// - `audio/L16;rate=…;channels=…`: RFC 2586, big-endian, `channels` 1 if absent;
/// - an empty content type or `application/octet-stream`: WAV or FLAC by the first bytes.
///
/// Integer samples become `value / 2^(bits - 1)`, as in librosa and libsndfile. Values of float WAV are kept as they are,
/// NaN and infinities too: [`check`](crate::check) refuses those.
///
/// # Errors
/// One [`FeatureError`] for each way in which the bytes can be wrong; never a panic, whatever the bytes.
pub fn decode(content_type: &str, bytes: &[u8]) -> Result<Clip, FeatureError> {
    let declared = Declared::parse(content_type)?;
    if bytes.is_empty() {
        return Err(FeatureError::Empty);
    }
    match (declared, Magic::of(bytes)) {
        // L16 has no header of its own; sound that happens to begin with another's is a mistake, not a coincidence.
        (Declared::L16 { rate_hz, channels }, Magic::Other) => l16::decode(bytes, rate_hz, channels),
        (Declared::Wav | Declared::Unknown, Magic::Wav) => wav::decode(bytes),
        (Declared::Flac | Declared::Unknown, Magic::Flac) => flac::decode(bytes),
        (Declared::Wav, found) => Err(not_audio("WAV (audio/wav)", found, bytes)),
        (Declared::Flac, found) => Err(not_audio("FLAC (audio/flac)", found, bytes)),
        (Declared::L16 { .. }, found) => Err(not_audio("bare samples (audio/L16)", found, bytes)),
        (Declared::Unknown, found) => Err(not_audio("WAV or FLAC (no content type was given)", found, bytes)),
    }
}

fn not_audio(expected: &'static str, found: Magic, bytes: &[u8]) -> FeatureError {
    let found = match found {
        Magic::Wav => "WAV (audio/wav)".to_owned(),
        Magic::Flac => "FLAC (audio/flac)".to_owned(),
        Magic::Other => {
            let start = &bytes[..bytes.len().min(8)];
            format!("neither WAV nor FLAC (they start with \"{}\")", start.escape_ascii())
        }
    };
    FeatureError::NotAudio { expected, found }
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
        match bytes {
            // A WAV that was cut inside its first twelve bytes is a WAV cut short, not something else.
            [b'R', b'I', b'F', b'F', rest @ ..] if rest.len() < 8 || rest[4..8] == *b"WAVE" => Self::Wav,
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            _ => Self::Other,
        }
    }
}
