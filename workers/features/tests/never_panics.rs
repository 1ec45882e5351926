//! No bytes make a decoder panic: the fuzz targets of `/fuzz`, run here on seeded mutations of valid inputs, and
//! proptest on arbitrary ones. Seeds are fixed, so a failure repeats.

mod flac_bytes;
#[path = "../../../fuzz/src/lib.rs"]
mod targets;
mod wav_bytes;

use std::path::PathBuf;

use auscult_features::{ChunkExtractor, Clip, check, decode};
use auscult_schemas::FeatureSpec;
use flac_bytes::{FlacBytes, crc16, wide_frame};
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use wav_bytes::{WavBytes, chunk, header};

const CASES: usize = 25_000;

fn read(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn recording(name: &str) -> Vec<u8> {
    read(&format!("tests/golden/recordings/{name}"))
}

/// One to four mutations of the kinds that break parsers.
fn mutate(bytes: &mut Vec<u8>, rng: &mut SmallRng, from: usize) {
    for _ in 0..rng.random_range(1..=4) {
        if bytes.len() <= from {
            bytes.extend([0; 4]);
        }
        // Headers are at the front: half of all mutations go there.
        let end = if rng.random() { bytes.len() } else { bytes.len().min(from + 80) };
        let at = rng.random_range(from..end);
        match rng.random_range(0..8) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = rng.random(),
            2 => bytes.truncate(at),
            3 => {
                let interesting = [0_u32, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_F000, 0x7FFF_FFFF, u32::MAX];
                let value = interesting[rng.random_range(0..interesting.len())];
                let value = if rng.random() { value.to_le_bytes() } else { value.to_be_bytes() };
                for (byte, new) in bytes[at..].iter_mut().zip(value) {
                    *byte = new;
                }
            }
            4 => {
                let len = rng.random_range(0..64);
                let inserted: Vec<u8> = (0..len).map(|_| rng.random()).collect();
                bytes.splice(at..at, inserted);
            }
            5 => {
                let until = rng.random_range(at..=bytes.len().min(at + 64));
                bytes.drain(at..until);
            }
            6 => {
                let until = rng.random_range(at..=bytes.len().min(at + 64));
                let copied = bytes[at..until].to_vec();
                let to = rng.random_range(from..=bytes.len());
                bytes.splice(to..to, copied);
            }
            _ => {
                let until = rng.random_range(at..=bytes.len().min(at + 16));
                let fill = if rng.random() { 0xFF } else { 0 };
                bytes[at..until].fill(fill);
            }
        }
    }
}

fn fuzz(seeds: &[Vec<u8>], seed: u64, target: fn(&[u8])) {
    let mut rng = SmallRng::seed_from_u64(seed);
    for seed in seeds {
        target(seed);
    }
    for case in 0..CASES {
        let mut bytes = seeds[case % seeds.len()].clone();
        mutate(&mut bytes, &mut rng, 0);
        target(&bytes);
    }
}

#[test]
fn mutated_wav_never_panics() {
    let short = |wav: WavBytes| wav.build(&[1; 96]);
    let seeds = [
        short(WavBytes::default()),
        short(WavBytes { channels: 16, ..WavBytes::default() }),
        short(WavBytes { bits: 24, channels: 2, ..WavBytes::default() }),
        short(WavBytes { bits: 32, tag: 3, ..WavBytes::default() }),
        header(0, &[chunk(b"LIST", b"INFOodd"), WavBytes::default().fmt(), chunk(b"data", &[7; 12])].concat()),
        recording("extensible16.wav")[..200].to_vec(),
        recording("extensible_float.wav"),
        recording("float64.wav")[..400].to_vec(),
        recording("pcm_u8.wav")[..100].to_vec(),
        short(WavBytes { bits: 24, block: Some(4), ..WavBytes::default() }),
        header(0, &[WavBytes::default().fmt(), chunk(b"data", &[7; 300]), chunk(b"LIST", b"INFO")].concat()),
        with_magic(b"RIFX", short(WavBytes::default())),
        short(WavBytes { bits: 16, tag: 3, ..WavBytes::default() }),
        header(
            0,
            &[
                WavBytes::default().fmt(),
                chunk(
                    b"LIST",
                    &[b"wavl".as_slice(), &chunk(b"data", &[7; 90]), &chunk(b"slnt", &[9, 0, 0, 0])].concat(),
                ),
                chunk(b"data", &[7; 12]),
            ]
            .concat(),
        ),
        with_magic(
            b"RF64",
            header(0, &[chunk(b"ds64", &[0; 28]), WavBytes::default().fmt(), chunk(b"data", &[7; 300])].concat()),
        ),
    ];
    fuzz(&seeds, 1, targets::decode_wav);
}

fn with_magic(magic: &[u8; 4], mut wav: Vec<u8>) -> Vec<u8> {
    wav[..4].copy_from_slice(magic);
    wav
}

#[test]
fn mutated_flac_never_panics() {
    let seeds = [
        recording("stereo24.flac"),
        recording("eight16.flac"),
        recording("stereo24.flac"),
        recording("mono16.flac")[..3000].to_vec(),
        FlacBytes::mono(&[77; 1_500], 9).build(),
        FlacBytes {
            channels: 2,
            bits: 32,
            frames: vec![wide_frame(0, 10, [(&[5; 20], 32), (&[-9; 20], 33)]); 3],
            ..FlacBytes::mono(&[], 0)
        }
        .build(),
        [b"ID3\x04\0\0\0\0\0\x05hello".as_slice(), &FlacBytes::mono(&[7; 100], 0).build(), b"TAG"].concat(),
    ];
    fuzz(&seeds, 2, targets::decode_flac);
}

/// A mutated frame fails its CRC before anyone decodes it; with the CRC made right again it reaches the decoder's core.
#[test]
fn mutated_flac_frames_with_a_right_checksum_never_panic() {
    const FRAME_HEADER: usize = 8;
    let mut rng = SmallRng::seed_from_u64(3);
    let mut decoded = 0;
    for case in 0..CASES {
        let name = ["stereo24.flac", "eight16.flac"][case % 2];
        let whole = recording_cached(name);
        let frames_start = flac_frames_start(whole);
        let mut bytes = whole.to_vec();
        bytes.truncate(whole.len() - 2);
        mutate(&mut bytes, &mut rng, frames_start + FRAME_HEADER);
        let crc = crc16(&bytes[frames_start..]);
        bytes.extend(crc.to_be_bytes());
        // No MD5, so that whatever decodes is believed.
        bytes[26..42].fill(0);
        decoded += usize::from(decode("audio/flac", &bytes).is_ok());
        targets::decode_flac(&bytes);
    }
    assert!(decoded > CASES / 20, "only {decoded} of {CASES} reached the end of the decoder");
}

fn recording_cached(name: &str) -> &'static [u8] {
    static STEREO: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| recording("stereo24.flac"));
    static EIGHT: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| recording("eight16.flac"));
    if name == "stereo24.flac" { &STEREO } else { &EIGHT }
}

fn flac_frames_start(flac: &[u8]) -> usize {
    let mut position = 4;
    loop {
        let is_last = flac[position] & 0x80 != 0;
        position += 4 + u32::from_be_bytes([0, flac[position + 1], flac[position + 2], flac[position + 3]]) as usize;
        if is_last {
            return position;
        }
    }
}

#[test]
fn mutated_l16_never_panics() {
    let seed = |parameters: &str, samples: usize| {
        [&[parameters.len() as u8], parameters.as_bytes(), &vec![0x5A; samples]].concat()
    };
    let seeds = [
        seed("rate=16000", 64),
        seed("channels=16;rate=192000", 64),
        seed("rate=\"8000\"; channels=3; x=y", 66),
        seed("", 10),
    ];
    fuzz(&seeds, 4, targets::decode_l16);
}

#[test]
fn mutated_features_messages_never_panic() {
    fuzz(&features_seeds(), 5, targets::features_message);
}

/// Small messages, so that mutations hit their structure and not only their numbers.
fn features_seeds() -> Vec<Vec<u8>> {
    use auscult_schemas::{Features, FeaturesMetadata, RecordCoordinates, StageTimings};
    let metadata = FeaturesMetadata {
        feature_spec: FeatureSpec::default().hash(),
        chunk: RecordCoordinates { topic: "audio.chunks".to_owned(), partition: 1, offset: 2 },
        duration_s: 1.5,
        source_rate_hz: 16_000,
        quality: Vec::new(),
        sensor_faults: Vec::new(),
        levels: None,
        timings: StageTimings::default(),
    };
    [[1, 5, 3], [2, 1, 1]]
        .map(|[channels, frames, mels]| {
            let values: Vec<f32> = (0..channels * frames * mels).map(|value| -(value as f32)).collect();
            let features = Features { metadata: metadata.clone(), channels, frames, mels, values: values.into() };
            features.encode().expect("the shape fits the values").to_vec()
        })
        .to_vec()
}

#[test]
fn mutated_envelopes_never_panic() {
    let seeds = [
        b"fan-07".to_vec(),
        b"fan-07\ncontent-type\naudio/wav\nce_id\n1\nce_time\n2024-02-29T12:00:00Z\nce_subject\nfan-07".to_vec(),
        b"\nce_subject\npump\nce_source\n/gateway\nce_type\nauscult.audio.chunk.v1\ntraceparent\n00-0-0-00".to_vec(),
    ];
    fuzz(&seeds, 6, targets::envelope);
}

fn extractor_is_finite(clip: &Clip) -> Result<(), TestCaseError> {
    let mut extractor = ChunkExtractor::new(FeatureSpec::default()).expect("the default spec is valid");
    if let Ok(extraction) = extractor.extract_clip(clip) {
        prop_assert_eq!(extraction.values.len(), extraction.channels * extraction.frames * extraction.mels);
        prop_assert!(extraction.values.iter().all(|value| value.is_finite()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(content_type in "(|audio/(wav|flac|L16);?[ -~]{0,30}|\\PC{0,20})", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&content_type, &bytes);
        for magic in [b"RIFF\0\0\0\0WAVEfmt ".as_slice(), b"fLaC\x80\0\0\x22"] {
            let bytes = [magic, &bytes].concat();
            targets::decode_wav(&bytes);
            targets::decode_flac(&bytes);
        }
        targets::features_message(&bytes);
        targets::envelope(&bytes);
    }

    #[test]
    fn arbitrary_clips_give_finite_features_or_an_error(
        rate in prop_oneof![Just(16_000_u32), 3_900_u32..200_000],
        channels in prop::collection::vec(prop::collection::vec(prop_oneof![8 => -1.0_f32..1.0, 1 => any::<f32>()], 0..40), 0..4),
    ) {
        let clip = Clip { sample_rate_hz: rate, channels, ..Clip::default() };
        let _ = check(&clip);
        extractor_is_finite(&clip)?;
    }
}
