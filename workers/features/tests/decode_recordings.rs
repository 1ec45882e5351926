//! Decoding recordings that another implementation (libsndfile) wrote, and WAV headers of every kind that recorders
//! write.

mod wav_bytes;

use std::path::PathBuf;

use auscult_features::{Clip, FeatureError, decode};
use auscult_schemas::DeadLetterCode;
use wav_bytes::{WavBytes, chunk, header};

fn recording(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/recordings").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The signal of `make_golden.py`'s `ramp`; exact in every accepted encoding.
fn ramp(channels: usize, samples: usize) -> Vec<Vec<f32>> {
    let step = |channel: usize, index: usize| ((index * (37 + 11 * channel)) % 2001) as f32 - 1000.0;
    (0..channels).map(|channel| (0..samples).map(|index| step(channel, index) * 16.0 / 32_768.0).collect()).collect()
}

fn assert_code(error: &FeatureError, code: DeadLetterCode) {
    assert_eq!(error.code(), code, "{error}");
}

#[test]
fn every_accepted_encoding_gives_the_samples_that_were_written() {
    let cases = [
        ("pcm16.wav", "audio/wav", 1, 16_000, 501),
        ("pcm24.wav", "audio/x-wav", 2, 48_000, 501),
        ("pcm32.wav", "audio/wave", 2, 44_100, 501),
        ("float32.wav", "audio/vnd.wave", 1, 16_000, 501),
        ("extensible16.wav", "Audio/WAV; codec=1", 8, 16_000, 501),
        ("extensible_float.wav", "", 2, 96_000, 501),
        ("mono16.flac", "audio/flac", 1, 16_000, 9_001),
        ("stereo24.flac", "audio/x-flac", 2, 48_000, 501),
        ("eight16.flac", "application/octet-stream", 8, 16_000, 501),
        ("float64.wav", "audio/wav", 1, 16_000, 501),
    ];
    for (name, content_type, channels, sample_rate_hz, samples) in cases {
        let clip = decode(content_type, &recording(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let bits = [16, 24, 32].into_iter().find(|bits| name.contains(&bits.to_string()) && !name.contains("float"));
        let step = bits.map(|bits| (1.0 - bits as f32).exp2());
        let expected = Clip { sample_rate_hz, channels: ramp(channels, samples), step, ..Clip::default() };
        assert!(clip == expected, "{name} has other samples");
    }
}

#[test]
fn our_wav_samples_are_symphonia_s() {
    use symphonia::core::audio::GenericAudioBufferRef;
    use symphonia::core::codecs::CodecParameters;
    use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
    use symphonia::core::formats::{FormatOptions, FormatReader};
    use symphonia::core::io::MediaSourceStream;

    for name in [
        "pcm16.wav",
        "pcm24.wav",
        "pcm32.wav",
        "pcm_u8.wav",
        "float32.wav",
        "float64.wav",
        "extensible16.wav",
        "extensible_float.wav",
    ] {
        let bytes = recording(name);
        let ours = decode("audio/wav", &bytes).unwrap();
        let stream = MediaSourceStream::new(Box::new(std::io::Cursor::new(bytes)), Default::default());
        let mut reader = symphonia::default::formats::WavReader::try_new(stream, FormatOptions::default()).unwrap();
        let Some(CodecParameters::Audio(parameters)) = reader.tracks()[0].codec_params.clone() else {
            panic!("{name}")
        };
        let mut decoder =
            symphonia::default::codecs::PcmDecoder::try_new(&parameters, &AudioDecoderOptions::default()).unwrap();
        let mut theirs = vec![Vec::new(); ours.channels.len()];
        while let Some(packet) = reader.next_packet().unwrap() {
            let buffer: GenericAudioBufferRef<'_> = decoder.decode(&packet).unwrap();
            let mut planes: Vec<Vec<f32>> = Vec::new();
            buffer.copy_to_vecs_planar(&mut planes);
            for (plane, more) in theirs.iter_mut().zip(planes) {
                plane.extend(more);
            }
        }
        assert_eq!(ours.channels, theirs, "{name}");
    }
}

#[test]
fn encodings_outside_the_contract_are_refused_by_name() {
    let error = decode("audio/wav", &recording("ulaw.wav")).unwrap_err();
    assert_code(&error, DeadLetterCode::UnsupportedFormat);
    assert!(error.to_string().contains("mu-law (format tag 0x0007)"), "{error}");
}

#[test]
fn a_wav_cut_anywhere_gives_the_samples_that_are_there_or_is_refused_as_truncated() {
    for name in ["pcm16.wav", "pcm24.wav", "float32.wav", "extensible16.wav"] {
        let bytes = recording(name);
        let whole = decode("audio/wav", &bytes).unwrap();
        let mut cut_in_the_sound = 0;
        for len in 4..bytes.len() {
            match decode("audio/wav", &bytes[..len]) {
                Ok(clip) => {
                    cut_in_the_sound += 1;
                    for (channel, whole) in clip.channels.iter().zip(&whole.channels) {
                        assert_eq!(channel[..], whole[..channel.len()], "{name} at {len}");
                    }
                    assert_eq!(clip.incomplete, clip.samples() < whole.samples(), "{name} at {len}");
                }
                Err(FeatureError::NoSamples) => {}
                Err(error) => assert_code(&error, DeadLetterCode::Truncated),
            }
        }
        assert!(cut_in_the_sound > 400, "{name}: {cut_in_the_sound}");
    }
}

#[test]
fn a_flac_cut_anywhere_gives_the_frames_that_are_whole_or_is_refused_as_truncated() {
    for name in ["stereo24.flac", "mono16.flac"] {
        let bytes = recording(name);
        let whole = decode("audio/flac", &bytes).unwrap();
        for len in (4..bytes.len()).step_by(7).chain(bytes.len() - 20..bytes.len()) {
            match decode("audio/flac", &bytes[..len]) {
                Ok(clip) => {
                    assert!(clip.incomplete && clip.samples().is_multiple_of(4096), "{name} at {len}");
                    for (channel, whole) in clip.channels.iter().zip(&whole.channels) {
                        assert_eq!(channel[..], whole[..channel.len()], "{name} at {len}");
                    }
                }
                Err(error) => assert_code(&error, DeadLetterCode::Truncated),
            }
        }
    }
}

#[test]
fn a_flac_of_unknown_length_that_ends_inside_a_frame_says_so() {
    let mut whole = recording("mono16.flac");
    forget_length_and_md5(&mut whole);
    assert_eq!(decode("audio/flac", &whole).unwrap().channels, ramp(1, 9_001));
    let frames_start = frames_start(&whole);
    // A cut at a frame's end is the one thing that cannot be seen: there the stream is whole.
    let mut seen_whole = 0;
    for len in frames_start + 1..whole.len() {
        match decode("audio/flac", &whole[..len]) {
            Ok(clip) => {
                seen_whole += usize::from(!clip.incomplete);
                assert_eq!(clip.samples() % 4096, 0);
            }
            Err(error) => assert_code(&error, DeadLetterCode::Truncated),
        }
    }
    assert!(seen_whole <= 2, "{seen_whole}");
}

#[test]
fn a_flac_with_one_flipped_byte_loses_that_frame_and_says_so() {
    let bytes = recording("mono16.flac");
    let whole = &decode("audio/flac", &bytes).unwrap().channels[0];
    let loudest = whole.iter().fold(0.0, |loudest: f32, sample| loudest.max(sample.abs()));
    for position in (frames_start(&bytes)..bytes.len()).step_by(37) {
        let mut flipped = bytes.clone();
        flipped[position] ^= 0x10;
        let clip = decode("audio/flac", &flipped).unwrap();
        assert!(clip.incomplete);
        // Frames of 4096, 4096 and 809 samples; a join takes 160 more.
        let left = clip.samples();
        assert!([9_001 - 4_096, 9_001 - 4_096 - 160, 9_001 - 809].contains(&left), "{left} at {position}");
        assert!(clip.channels[0].iter().all(|sample| sample.abs() <= loudest));
    }
}

#[test]
fn a_flac_that_claims_hours_has_what_it_has() {
    let mut bytes = recording("mono16.flac");
    bytes[21..26].copy_from_slice(&[0xF1, 0xFF, 0xFF, 0xFF, 0xFF]);
    assert_eq!(decode("audio/flac", &bytes).unwrap().channels, ramp(1, 9_001));
}

/// STREAMINFO's last 36 + 128 bits: `fLaC`, 4 bytes of block header, then 13 bytes and a half.
fn forget_length_and_md5(flac: &mut [u8]) {
    flac[21] &= 0xF0;
    flac[22..42].fill(0);
}

fn frames_start(flac: &[u8]) -> usize {
    let mut position = 4;
    loop {
        let header = &flac[position..position + 4];
        position += 4 + usize::from(header[1]) * 65_536 + usize::from(header[2]) * 256 + usize::from(header[3]);
        if header[0] & 0x80 != 0 {
            return position;
        }
    }
}

#[test]
fn bytes_after_all_the_frames_that_a_flac_should_have_are_no_sound() {
    let mut bytes = recording("mono16.flac");
    bytes.extend_from_slice(b"anything");
    let clip = decode("audio/flac", &bytes).unwrap();
    assert!(clip.channels == ramp(1, 9_001) && !clip.incomplete);
}

#[test]
fn a_flac_inside_a_wav_s_content_type_is_refused_naming_both() {
    let wav_as_flac = decode("audio/flac", &recording("pcm16.wav")).unwrap_err();
    let flac_as_wav = decode("audio/wav", &recording("mono16.flac")).unwrap_err();
    for error in [wav_as_flac, flac_as_wav] {
        assert_code(&error, DeadLetterCode::NotAudio);
        let text = error.to_string();
        assert!(text.contains("audio/wav") && text.contains("audio/flac"), "{text}");
    }
    for name in ["pcm16.wav", "mono16.flac"] {
        let error = decode("audio/L16;rate=16000", &recording(name)).unwrap_err();
        assert_code(&error, DeadLetterCode::NotAudio);
    }
}

#[test]
fn what_is_not_sound_is_refused_with_its_first_bytes() {
    for content_type in ["", "audio/wav", "audio/flac", "application/octet-stream"] {
        let error = decode(content_type, b"{\"hello\": 1}").unwrap_err();
        assert_code(&error, DeadLetterCode::NotAudio);
        assert!(error.to_string().contains("hell"), "{error}");
        let error = decode(content_type, b"\x01\x02\x03\x04").unwrap_err();
        assert_code(&error, DeadLetterCode::NotAudio);
        assert!(error.to_string().contains("\\x01\\x02\\x03\\x04"), "{error}");
    }
    assert_code(&decode("text/plain", b"RIFF").unwrap_err(), DeadLetterCode::UnsupportedContentType);
}

#[test]
fn no_bytes_are_empty_whatever_the_content_type() {
    for content_type in ["", "audio/wav", "audio/flac", "audio/L16;rate=16000"] {
        assert_code(&decode(content_type, &[]).unwrap_err(), DeadLetterCode::Empty);
    }
}

#[test]
fn l16_is_big_endian_and_interleaved() {
    let bytes = [0x40, 0x00, 0xC0, 0x00, 0x00, 0x01, 0x80, 0x00];
    let clip = decode("audio/l16; CHANNELS=2; Rate=8000", &bytes).unwrap();
    assert_eq!(clip.sample_rate_hz, 8_000);
    assert_eq!(clip.channels, [vec![0.5, 1.0 / 32_768.0], vec![-0.5, -1.0]]);
}

#[test]
fn l16_that_is_no_whole_number_of_blocks_is_read_as_far_as_it_goes() {
    for (content_type, bytes) in [("audio/L16;rate=8000", 5), ("audio/L16;rate=8000;channels=2", 10)] {
        let clip = decode(content_type, &vec![0; bytes]).unwrap();
        assert!(clip.samples() == 2 && clip.incomplete);
    }
    assert_code(&decode("audio/L16;rate=8000;channels=2", &[0; 3]).unwrap_err(), DeadLetterCode::Truncated);
}

#[test]
fn l16_with_its_bytes_swapped_is_refused_and_not_judged_as_noise() {
    let noise = |index: usize| (index.wrapping_mul(2_654_435_761) >> 16 & 0x3FF) as f64 - 512.0;
    let samples: Vec<i16> =
        (0..4_000).map(|index| ((index as f64 * 0.05).sin() * 4_000.0 + noise(index)) as i16).collect();
    let right: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
    let swapped: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    assert_eq!(decode("audio/L16;rate=16000", &right).unwrap().samples(), 4_000);
    let error = decode("audio/L16;rate=16000", &swapped).unwrap_err();
    assert!(matches!(error, FeatureError::ByteOrder), "{error}");
    // Of loud white noise, and of 8 bits in 16, nobody can tell; they are taken at their word.
    let loud: Vec<u8> = (0..8_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let eight_bits: Vec<u8> = samples.iter().flat_map(|sample| [(sample >> 5) as u8, 0]).collect();
    for bytes in [loud, eight_bits] {
        decode("audio/L16;rate=16000", &bytes).unwrap();
    }
}

#[test]
fn channels_and_rates_outside_the_contract_are_refused() {
    for parameters in ["rate=8000;channels=0", "rate=8000;channels=17", "rate=99", "rate=1000001"] {
        let error = decode(&format!("audio/L16;{parameters}"), &[0; 17 * 16]).unwrap_err();
        assert_code(&error, DeadLetterCode::UnsupportedFormat);
    }
    for (channels, rate_hz) in [(0, 16_000), (17, 16_000), (1, 0), (1, 99), (1, 1_000_001), (1, u32::MAX)] {
        let wav = WavBytes { channels, rate_hz, ..WavBytes::default() }.build(&[0; 68]);
        assert_code(&decode("audio/wav", &wav).unwrap_err(), DeadLetterCode::UnsupportedFormat);
    }
    for (channels, rate_hz) in [(16, 100), (1, 1_000_000)] {
        let wav = WavBytes { channels, rate_hz, ..WavBytes::default() }.build(&[0; 64]);
        assert_eq!(decode("audio/wav", &wav).unwrap().sample_rate_hz, rate_hz);
    }
}

#[test]
fn a_header_without_samples_is_refused_as_no_samples() {
    let wav = WavBytes::default().build(&[]);
    assert_code(&decode("audio/wav", &wav).unwrap_err(), DeadLetterCode::NoSamples);
    let mut flac = recording("mono16.flac");
    forget_length_and_md5(&mut flac);
    flac.truncate(frames_start(&flac));
    assert_code(&decode("audio/flac", &flac).unwrap_err(), DeadLetterCode::NoSamples);
}

#[test]
fn unknown_chunks_odd_padding_and_bytes_after_the_data_are_stepped_over() {
    let fmt = WavBytes::default().fmt();
    let body = [
        chunk(b"LIST", b"INFOISFT\x05\x00\x00\x00abcde\0"),
        chunk(b"junk", b"odd"),
        fmt,
        chunk(b"fact", &[3, 0, 0, 0]),
        chunk(b"data", &[0, 0x40, 0, 0xC0, 0, 0]),
        chunk(b"LIST", b"after"),
        vec![7; 13],
    ]
    .concat();
    let clip = decode("audio/wav", &header(1, &body)).unwrap();
    assert_eq!(clip.channels, [vec![0.5, -0.5, 0.0]]);
}

#[test]
fn an_odd_data_chunk_at_the_end_needs_no_pad_byte() {
    let wav = WavBytes { bits: 24, ..WavBytes::default() };
    let body = [wav.fmt(), b"data".to_vec(), 3_u32.to_le_bytes().to_vec(), vec![0, 0, 0x40]].concat();
    assert_eq!(decode("audio/wav", &header(99, &body)).unwrap().channels, [vec![0.5]]);
}

#[test]
fn a_wav_that_contradicts_itself_is_refused() {
    let fmt = WavBytes::default().fmt();
    let other = WavBytes { rate_hz: 8_000, ..WavBytes::default() }.fmt();
    let data = chunk(b"data", &[0; 4]);
    for body in [
        [data.clone(), fmt.clone()].concat(),
        [fmt, other, data.clone()].concat(),
        [chunk(b"fmt ", &[1, 0]), data].concat(),
    ] {
        let error = decode("audio/wav", &header(0, &body)).unwrap_err();
        assert!(matches!(error, FeatureError::Damaged { .. }), "{error}");
    }
}
