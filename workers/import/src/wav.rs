//! Writes recordings as WAV with 32-bit floats: the samples are the values in their unit, which is given in a comment.

use crate::Recording;

/// Why a recording does not fit into a WAV file.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum WavError {
    /// Too many channels.
    #[error(
        "has {channels} channels, more than the {most} of one recording: take some with --variable, write each by itself with --per-channel, or join them with --snapshots if they follow on one another"
    )]
    TooManyChannels {
        /// In the recording.
        channels: usize,
        /// That a recording may have.
        most: usize,
    },
    /// More bytes than the format's size fields allow.
    #[error("has {bytes} bytes as WAV, more than the 4 GiB of the format: cut it with --chunk-secs")]
    TooLarge {
        /// Of samples.
        bytes: u64,
    },
}

/// A WAV file: format 3 (IEEE float) of 32 bits, a `fact` chunk, and a `LIST INFO` chunk whose `ICMT` is `comment`.
///
/// # Errors
/// If the recording has too many channels or samples.
pub fn wav_bytes(recording: &Recording, comment: &str) -> Result<Vec<u8>, WavError> {
    let channels = recording.channels.len();
    let most = auscult_features::MAX_CHANNELS;
    if channels > most {
        return Err(WavError::TooManyChannels { channels, most });
    }
    let samples = recording.samples();
    let data_bytes = samples as u64 * channels as u64 * 4;
    let comment = chunk(b"ICMT", comment.as_bytes());
    let info = chunk(b"LIST", &[b"INFO".as_slice(), &comment].concat());
    let riff_bytes = 4 + 24 + 12 + info.len() as u64 + 8 + data_bytes;
    let (Ok(riff_size), Ok(data_size), Ok(count)) =
        (u32::try_from(riff_bytes), u32::try_from(data_bytes), u32::try_from(samples))
    else {
        return Err(WavError::TooLarge { bytes: data_bytes });
    };
    let rate_hz = recording.rate_hz();
    let block = channels as u16 * 4;

    let mut bytes = Vec::with_capacity(8 + riff_size as usize);
    bytes.extend(b"RIFF");
    bytes.extend(riff_size.to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend(3_u16.to_le_bytes());
    bytes.extend((channels as u16).to_le_bytes());
    bytes.extend(rate_hz.to_le_bytes());
    bytes.extend(rate_hz.saturating_mul(u32::from(block)).to_le_bytes());
    bytes.extend(block.to_le_bytes());
    bytes.extend(32_u16.to_le_bytes());
    bytes.extend(b"fact");
    bytes.extend(4_u32.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(info);
    bytes.extend(b"data");
    bytes.extend(data_size.to_le_bytes());
    for index in 0..samples {
        for channel in &recording.channels {
            bytes.extend(channel.samples[index].to_le_bytes());
        }
    }
    Ok(bytes)
}

/// Id, size, body, and a padding byte if the size is odd.
fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).expect("comments are a few hundred bytes");
    let mut bytes = [id.as_slice(), &size.to_le_bytes(), body].concat();
    if body.len() % 2 == 1 {
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Channel, Rate};

    #[test]
    fn values_beyond_one_survive_bit_for_bit() {
        let channel = |samples: &[f32]| Channel { name: "a".into(), unit: None, samples: samples.to_vec() };
        let rate = Rate { hz: 25_600.0, from: "--rate".into() };
        let channels = vec![channel(&[64.5, -0.1, 3e-9]), channel(&[1.0, 2.0, -1e6])];
        let mut recording = Recording { name: String::new(), rate, rpm: None, channels };
        let bytes = wav_bytes(&recording, "unit g, odd").unwrap();
        let clip = auscult_features::decode("audio/wav", &bytes).unwrap();
        assert_eq!(clip.sample_rate_hz, 25_600);
        assert_eq!(clip.channels, [vec![64.5, -0.1, 3e-9], vec![1.0, 2.0, -1e6]]);
        assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize, bytes.len() - 8);
        recording.channels = vec![channel(&[0.0]); 17];
        assert!(wav_bytes(&recording, "").unwrap_err().to_string().contains("--per-channel"));
    }
}
