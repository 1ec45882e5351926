//! WAV whose sound lies in a wave list, whose float has 16 bits, and whose float samples were damaged.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod wav_bytes;

use auscult_features::{Clip, check, decode};
use auscult_schemas::DeadLetterCode;
use wav_bytes::{WavBytes, chunk, header};

fn read(wav: &[u8]) -> Clip {
    decode("audio/wav", wav).unwrap_or_else(|error| panic!("{error}"))
}

fn sound(samples: usize) -> Vec<i16> {
    (0..samples).map(|index| ((index as f64 * 0.05).sin() * 4_000.0) as i16).collect()
}

fn bytes_of(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn scaled(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|&sample| f32::from(sample) / 32_768.0).collect()
}

/// 16-bit mono in a wave list of these chunks.
fn wave_list(chunks: &[Vec<u8>], behind: &[u8]) -> Vec<u8> {
    let list = chunk(b"LIST", &[b"wavl".to_vec(), chunks.concat()].concat());
    let body = [WavBytes::default().fmt(), list, behind.to_vec()].concat();
    header(body.len() as u32 + 4, &body)
}

fn silence(samples: u32) -> Vec<u8> {
    chunk(b"slnt", &samples.to_le_bytes())
}

#[test]
fn the_parts_of_a_wave_list_are_one_recording() {
    let samples = sound(9_000);
    let parts: Vec<Vec<u8>> = samples.chunks(2_500).map(|part| chunk(b"data", &bytes_of(part))).collect();
    let clip = read(&wave_list(&parts, &chunk(b"LIST", b"INFO")));
    assert_eq!((clip.channels, clip.incomplete), (vec![scaled(&samples)], false));
}

#[test]
fn what_a_wave_list_leaves_out_is_joined_and_noted() {
    let samples = sound(9_000);
    let (first, second) = samples.split_at(4_000);
    let (first, second) = (chunk(b"data", &bytes_of(first)), chunk(b"data", &bytes_of(second)));
    let clip =
        read(&wave_list(&[silence(10), first.clone(), silence(600), silence(40), second.clone(), silence(7)], &[]));
    assert!(clip.incomplete);
    let fade = 160;
    assert_eq!(clip.samples(), 9_000 - fade, "a cross-fade of 10 ms");
    let whole = scaled(&samples);
    assert_eq!(clip.channels[0][..4_000 - fade], whole[..4_000 - fade]);
    assert_eq!(clip.channels[0][4_000..], whole[4_000 + fade..]);

    let error = decode("audio/wav", &wave_list(&[first.clone(), silence(20_000), second.clone()], &[])).unwrap_err();
    assert_eq!(error.code(), DeadLetterCode::Truncated);
    let error = error.to_string();
    assert!(error.contains("20000 samples as silence (slnt) and has 9000"), "{error}");

    let cut = wave_list(&[first.clone(), second], &[]);
    let clip = read(&cut[..cut.len() - 1_001]);
    assert!(clip.incomplete);
    assert_eq!(clip.channels, [whole[..8_499].to_vec()]);

    let error = decode("audio/wav", &wave_list(std::slice::from_ref(&first), &first)).unwrap_err().to_string();
    assert!(error.contains("several recordings"), "{error}");
    assert_eq!(decode("audio/wav", &wave_list(&[], &[])).unwrap_err().code(), DeadLetterCode::NoSamples);
}

/// By the definition of IEEE 754 binary16.
fn value_of(half: u16) -> f64 {
    let (exponent, fraction) = (i32::from(half >> 10 & 0x1F), f64::from(half & 0x3FF) / 1_024.0);
    let size =
        if exponent == 0 { fraction * 2.0_f64.powi(-14) } else { (1.0 + fraction) * 2.0_f64.powi(exponent - 15) };
    if half & 0x8000 == 0 { size } else { -size }
}

#[test]
fn every_finite_value_of_16_bit_float_is_exact() {
    let halves: Vec<u16> = (0..=u16::MAX).filter(|half| half >> 10 & 0x1F != 0x1F).collect();
    let format = WavBytes { tag: 3, ..WavBytes::default() };
    let little = format.build(&halves.iter().flat_map(|half| half.to_le_bytes()).collect::<Vec<u8>>());
    let clip = read(&little);
    assert_eq!((clip.step, clip.incomplete, clip.samples()), (None, false, 63_488));
    for (half, sample) in halves.iter().zip(&clip.channels[0]) {
        assert_eq!(f64::from(*sample).to_bits(), value_of(*half).to_bits(), "{half:#06x}");
    }
    for not_finite in [0x7C00_u16, 0xFC00, 0x7E00] {
        let clip = read(&format.build(&not_finite.to_le_bytes()));
        assert!(!clip.channels[0][0].is_finite(), "{not_finite:#06x}");
    }
}

/// Two channels of float of which some samples are no numbers: at a frame, in a channel.
fn damaged(frames: usize, at: impl IntoIterator<Item = (usize, usize)>, value: f32) -> (Vec<Vec<f32>>, Vec<u8>) {
    let channel = |shift: f32| (0..frames).map(|index| 0.1 * (index as f32 * 0.05 + shift).sin()).collect::<Vec<f32>>();
    let channels = vec![channel(0.0), channel(1.0)];
    let mut stored: Vec<f32> = (0..frames).flat_map(|index| [channels[0][index], channels[1][index]]).collect();
    at.into_iter().for_each(|(frame, channel)| stored[2 * frame + channel] = value);
    let data: Vec<u8> = stored.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    (channels, WavBytes { tag: 3, channels: 2, bits: 32, ..WavBytes::default() }.build(&data))
}

#[test]
fn a_few_samples_that_are_no_numbers_are_lost_and_nothing_else_is() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let lost = [(0, 0), (700, 1), (700, 0), (701, 0), (15_999, 1)];
        let (mut channels, wav) = damaged(16_000, lost, value);
        for channel in &mut channels {
            for index in [15_999, 701, 700, 0] {
                channel.remove(index);
            }
        }
        let clip = read(&wav);
        assert_eq!((&clip.channels, clip.incomplete), (&channels, true), "{value}");
        check(&clip).unwrap();
    }
}

#[test]
fn many_samples_that_are_no_numbers_are_refused_and_counted() {
    let refused = |frames: usize, lost: usize| {
        let (_, wav) = damaged(frames, (0..lost).map(|index| (100 + 50 * index, 1)), f32::NAN);
        let clip = read(&wav);
        assert!(!clip.incomplete);
        check(&clip).unwrap_err()
    };
    let error = refused(160_000, 17);
    assert_eq!(error.code(), DeadLetterCode::NonFinite);
    assert!(error.to_string().contains("channel 1 has 17 samples that are no numbers, the first, NaN, at index 100"));
    assert_eq!(refused(2_000, 3).code(), DeadLetterCode::NonFinite, "more than one in a thousand");
    assert_eq!(refused(999, 1).code(), DeadLetterCode::NonFinite);
    let (_, wav) = damaged(160_000, (0..16).map(|index| (index, 1)), f32::NAN);
    assert_eq!(read(&wav).samples(), 160_000 - 16);
}
