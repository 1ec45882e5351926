//! Sound as the bytes of a WAV file, so that the demo's chunks pass through the same decoder as all others.

/// A mono 16-bit PCM WAV file: RIFF header of 44 bytes, then the samples, full scale ±1 clipped.
///
/// Layout after Microsoft's *Multimedia Programming Interface and Data Specifications 1.0* (1991).
#[must_use]
pub fn wav_bytes(samples: &[f32], sample_rate_hz: u32) -> Vec<u8> {
    const BYTES_PER_SAMPLE: u16 = 2;
    const CHANNELS: u16 = 1;
    const PCM: u16 = 1;
    let data_len = u32::try_from(samples.len() * usize::from(BYTES_PER_SAMPLE)).expect("a chunk is far below 4 GiB");

    let mut bytes = Vec::with_capacity(44 + data_len as usize);
    bytes.extend(b"RIFF");
    bytes.extend((36 + data_len).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend(PCM.to_le_bytes());
    bytes.extend(CHANNELS.to_le_bytes());
    bytes.extend(sample_rate_hz.to_le_bytes());
    bytes.extend((sample_rate_hz * u32::from(BYTES_PER_SAMPLE * CHANNELS)).to_le_bytes());
    bytes.extend((BYTES_PER_SAMPLE * CHANNELS).to_le_bytes());
    bytes.extend((8 * BYTES_PER_SAMPLE).to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(data_len.to_le_bytes());
    for sample in samples {
        let scaled = (f64::from(*sample) * 32_768.0).round().clamp(-32_768.0, 32_767.0);
        bytes.extend((scaled as i16).to_le_bytes());
    }
    bytes
}
