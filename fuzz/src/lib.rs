//! What each fuzz target does with its bytes. `workers/features/tests/never_panics.rs` compiles this same file and runs
//! it on seeded mutations with the stable toolchain, so that every build fuzzes a little.
//!
//! A target fails by panicking: in the decoder, or in the promises below about what a decoder may give back.

use auscult_features::{Clip, FeatureError, MAX_CHANNELS, MAX_RATE_HZ, MAX_SAMPLES, MIN_RATE_HZ, decode};
use auscult_schemas::{Envelope, Features, Headers, RecordCoordinates, open_structured};
use bytes::Bytes;

/// WAV, by its content type and by its first bytes.
pub fn decode_wav(data: &[u8]) {
    hold_promises(decode("audio/wav", data));
    if data.starts_with(b"RIFF") {
        hold_promises(decode("", data));
    }
}

/// FLAC, by its content type.
pub fn decode_flac(data: &[u8]) {
    hold_promises(decode("audio/flac", data));
}

/// L16: the first byte is the length of the content type's parameters, then come those, then the samples.
pub fn decode_l16(data: &[u8]) {
    let Some((&length, rest)) = data.split_first() else { return };
    let (parameters, samples) = rest.split_at(usize::from(length).min(rest.len()));
    let content_type = format!("audio/L16;{}", String::from_utf8_lossy(parameters));
    hold_promises(decode(&content_type, samples));
}

/// A features message. What can be read can be written, and read again as the same.
pub fn features_message(data: &[u8]) {
    let Ok(features) = Features::decode(data) else { return };
    assert_eq!(features.values.len(), features.channels * features.frames * features.mels);
    for channel in 0..features.channels {
        assert_eq!(features.channel(channel).len(), features.frames * features.mels);
    }
    let Ok(message) = features.encode() else { return };
    assert_eq!(Features::decode(&message).expect("it was just written"), features);
}

/// A record's key and headers. `data` is the key and then names and values by turns, separated by newlines; the whole
/// of it is an event in structured mode, too.
pub fn envelope(data: &[u8]) {
    let mut parts = data.split(|&byte| byte == b'\n');
    let key = parts.next();
    let mut headers = Headers::default();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        headers.push(String::from_utf8_lossy(name), Bytes::copy_from_slice(value));
    }
    let coordinates = RecordCoordinates { topic: "audio.chunks".to_owned(), partition: 3, offset: 42 };
    let key = key.filter(|key| !key.is_empty());
    let read = |headers: &Headers| Envelope::read(headers, key, &coordinates, Some(1_700_000_000_000), Envelope::CHUNK);
    let mut structured = Headers::default();
    structured.push("content-type", "application/cloudevents+json");
    if let Ok(Some((opened, _))) = open_structured(&structured, data) {
        let _ = read(&opened);
    }
    let Ok(envelope) = read(&headers) else { return };
    assert_eq!(read(&envelope.headers()).expect("it was just written"), envelope);
}

/// A clip is inside the contract, or there is an error that says something.
fn hold_promises(decoded: Result<Clip, FeatureError>) {
    match decoded {
        Ok(clip) => {
            assert!((1..=MAX_CHANNELS).contains(&clip.channels.len()));
            assert!((MIN_RATE_HZ..=MAX_RATE_HZ).contains(&clip.sample_rate_hz));
            assert!(clip.samples() > 0 && (clip.samples() * clip.channels.len()) as u64 <= MAX_SAMPLES);
            assert!(clip.channels.iter().all(|channel| channel.len() == clip.samples()));
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.code().as_str().is_empty()),
    }
}
