//! FLAC as encoders really write it: pieces, totals that were never known, 33-bit differences, tags, lost bytes.

mod flac_bytes;

use auscult_features::{Clip, FeatureError, decode};
use auscult_schemas::DeadLetterCode;
use flac_bytes::{BLOCK, FlacBytes, mono_frame, wide_frame};

/// A hum with a little noise, so that a wrong sample shows.
fn sound(samples: usize) -> Vec<i16> {
    let noise = |index: usize| (index.wrapping_mul(2_654_435_761) >> 16 & 0xFF) as f64 - 128.0;
    (0..samples).map(|index| ((index as f64 * 0.05).sin() * 4_000.0 + noise(index)) as i16).collect()
}

fn scaled(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|&sample| f32::from(sample) / 32_768.0).collect()
}

fn read(flac: &[u8]) -> Clip {
    decode("audio/flac", flac).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_piece_that_goes_on_counting_is_read_whole() {
    let samples = sound(3 * BLOCK + 100);
    for first in [0, 1, 48, 40_000] {
        for (total, md5) in [(0, [0; 16]), (1_000_000, [9; 16])] {
            let flac = FlacBytes { total, md5, ..FlacBytes::mono(&samples, first) }.build();
            let clip = read(&flac);
            assert_eq!(clip.channels, [scaled(&samples)], "first {first}");
            // A total that a first piece does not reach is an end that may be missing.
            assert_eq!(clip.incomplete, first == 0 && total > 0);
        }
    }
}

#[test]
fn frames_numbered_by_samples_or_by_the_wrong_one_of_both_are_no_gap() {
    let samples = sound(4 * BLOCK);
    let blocks: Vec<&[i16]> = samples.chunks(BLOCK).collect();
    for by_sample in [false, true] {
        for step in [1, BLOCK, 0] {
            let mut flac = FlacBytes::mono(&[], 0);
            flac.frames = blocks
                .iter()
                .enumerate()
                .map(|(at, block)| mono_frame((7 + at * step) as u64, block, by_sample))
                .collect();
            let clip = read(&flac.build());
            assert!(clip.channels == [scaled(&samples)] && !clip.incomplete, "{by_sample} {step}");
        }
    }
}

#[test]
fn blocks_of_varying_size_are_read() {
    let samples = sound(700);
    let (mut flac, mut at) = (FlacBytes::mono(&[], 0), 0);
    for size in [100, 300, 60, 240] {
        flac.frames.push(mono_frame(at as u64, &samples[at..at + size], true));
        at += size;
    }
    let clip = read(&flac.build());
    assert!(clip.channels == [scaled(&samples)] && !clip.incomplete);
}

#[test]
fn a_total_that_no_recording_can_have_is_a_stand_in() {
    let samples = sound(2 * BLOCK);
    for total in [1 << 30, (1 << 31) - 1, 0x3FFF_F800, (1 << 36) - 1, 1 << 27] {
        let clip = read(&FlacBytes { total, ..FlacBytes::mono(&samples, 0) }.build());
        assert!(clip.channels == [scaled(&samples)] && !clip.incomplete, "{total}");
    }
}

#[test]
fn a_total_smaller_than_what_is_there_costs_nothing() {
    let samples = sound(3 * BLOCK);
    let clip = read(&FlacBytes { total: BLOCK as u64, ..FlacBytes::mono(&samples, 0) }.build());
    assert!(clip.channels == [scaled(&samples)] && !clip.incomplete);
}

#[test]
fn block_sizes_in_the_header_are_not_believed() {
    let samples = sound(2 * BLOCK + 17);
    for smallest_block in [17, 16, 4096, u16::MAX] {
        let total = samples.len() as u64;
        let clip = read(&FlacBytes { smallest_block, total, ..FlacBytes::mono(&samples, 0) }.build());
        assert!(clip.channels == [scaled(&samples)] && !clip.incomplete, "{smallest_block}");
    }
}

#[test]
fn an_md5_that_belongs_to_another_recording_is_not_compared() {
    let samples = sound(2 * BLOCK);
    let flac = FlacBytes { md5: [1; 16], total: samples.len() as u64, ..FlacBytes::mono(&samples, 0) }.build();
    assert_eq!(read(&flac).channels, [scaled(&samples)]);
}

#[test]
fn a_difference_of_33_bits_is_exact_in_every_stereo_mode() {
    let left: Vec<i64> =
        (0..64).map(|index| (f64::from(index) * 0.2).sin() * 2_147_483_647.0).map(|v| v as i64).collect();
    let right: Vec<i64> = left.iter().map(|sample| -sample).collect();
    let side: Vec<i64> = left.iter().zip(&right).map(|(left, right)| left - right).collect();
    let mid: Vec<i64> = left.iter().zip(&right).map(|(left, right)| (left + right) >> 1).collect();
    assert!(side.iter().any(|&side| i32::try_from(side).is_err()), "nothing here needs 33 bits");
    let stored = [
        (1, [(&left[..], 32), (&right[..], 32)]),
        (8, [(&left, 32), (&side, 33)]),
        (9, [(&side, 33), (&right, 32)]),
        (10, [(&mid, 32), (&side, 33)]),
    ];
    for (assignment, subframes) in stored {
        let flac = FlacBytes {
            channels: 2,
            bits: 32,
            frames: vec![wide_frame(0, assignment, subframes)],
            ..FlacBytes::mono(&[], 0)
        };
        let exact = |samples: &[i64]| samples.iter().map(|&v| v as f32 / 2_147_483_648.0).collect::<Vec<_>>();
        assert_eq!(read(&flac.build()).channels, [exact(&left), exact(&right)], "assignment {assignment}");
    }
}

#[test]
fn tags_in_front_and_behind_are_no_sound() {
    let samples = sound(2 * BLOCK);
    let flac = FlacBytes::mono(&samples, 0).build();
    let id3v2 = [b"ID3\x04\0\0\0\0\x02\x01".as_slice(), &[0xFF; 257]].concat();
    let id3v1 = [b"TAG".as_slice(), &[b'x'; 125]].concat();
    let mut ape = b"APETAGEX\xD0\x07\0\0\x28\0\0\0\x01\0\0\0\0\0\0\xA0\0\0\0\0\0\0\0\0".to_vec();
    ape.extend([b'a'; 8]);
    ape.extend(ape[..32].to_vec());
    for (front, behind) in [
        (&id3v2[..], &[][..]),
        (&[&id3v2[..], &id3v2].concat(), &id3v1[..]),
        (&[], &[&ape[..], &id3v1].concat()),
        (&[], &[0; 4096]),
    ] {
        let value = [front, &flac, behind].concat();
        for content_type in ["audio/flac", ""] {
            let clip = decode(content_type, &value).unwrap_or_else(|error| panic!("{error}"));
            assert!(clip.channels == [scaled(&samples)] && !clip.incomplete);
        }
    }
}

#[test]
fn a_damaged_byte_costs_its_frame_and_no_click() {
    let samples = sound(6 * BLOCK);
    let whole = FlacBytes::mono(&samples, 0);
    let frame = whole.frames[0].len();
    let flac = whole.build();
    for position in [flac.len() - 4 * frame + 2, flac.len() - 4 * frame + 700, flac.len() - 3 * frame - 1] {
        let mut flipped = flac.clone();
        flipped[position] ^= 0x10;
        let mut shortened = flac.clone();
        shortened.remove(position);
        let mut lengthened = flac.clone();
        lengthened.insert(position, 0x55);
        for damaged in [flipped, shortened, lengthened] {
            let clip = read(&damaged);
            assert!(clip.incomplete);
            // The frame and a hundredth of a second for the cross-fade.
            assert_eq!(clip.samples(), 5 * BLOCK - 160);
            let sound = scaled(&samples);
            assert_eq!(clip.channels[0][..2 * BLOCK - 160], sound[..2 * BLOCK - 160]);
            assert_eq!(clip.channels[0][2 * BLOCK..], sound[3 * BLOCK + 160..]);
            let step = |samples: &[f32]| samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
            assert!(step(&clip.channels[0]) <= 1.1 * step(&sound), "the join clicks");
        }
    }
}

#[test]
fn a_frame_that_is_missing_altogether_is_noticed_by_its_number() {
    let samples = sound(5 * BLOCK);
    let mut flac = FlacBytes::mono(&samples, 0);
    flac.frames.remove(2);
    let clip = read(&flac.build());
    assert!(clip.incomplete);
    assert_eq!(clip.samples(), 4 * BLOCK - 160);
}

#[test]
fn a_stream_cut_anywhere_gives_the_frames_that_are_whole() {
    let samples = sound(3 * BLOCK);
    let whole = FlacBytes::mono(&samples, 0);
    let frame = whole.frames[0].len();
    let flac = whole.build();
    let start = flac.len() - 3 * frame;
    for len in (start + frame..flac.len()).step_by(41) {
        let clip = read(&flac[..len]);
        let frames = (len - start) / frame;
        assert_eq!(clip.channels, [scaled(&samples[..frames * BLOCK])]);
        assert_eq!(clip.incomplete, !(len - start).is_multiple_of(frame));
    }
    for len in [start + 1, start + frame - 1] {
        assert_eq!(decode("audio/flac", &flac[..len]).unwrap_err().code(), DeadLetterCode::Truncated);
    }
}

#[test]
fn two_recordings_in_one_value_are_refused_and_not_joined() {
    let flac = FlacBytes::mono(&sound(BLOCK), 0).build();
    let error = decode("audio/flac", &[flac.clone(), flac].concat()).unwrap_err();
    assert!(matches!(error, FeatureError::SeveralRecordings { .. }), "{error}");
}

#[test]
fn a_last_metadata_block_that_is_not_marked_as_such_costs_nothing() {
    let samples = sound(BLOCK);
    let mut flac = FlacBytes::mono(&samples, 0).build();
    flac[4] = 0;
    assert_eq!(read(&flac).channels, [scaled(&samples)]);
}

#[test]
fn headers_without_end_cost_bounded_time() {
    // Each looks like 65,535 samples of eight channels, and is none.
    let header = &wide_frame(0, 7, [(&[0; 8], 32), (&[0; 8], 32)])[..8];
    let flac = FlacBytes { channels: 8, bits: 32, frames: vec![header.repeat(500_000)], ..FlacBytes::mono(&[], 0) };
    let started = std::time::Instant::now();
    assert!(decode("audio/flac", &flac.build()).is_err());
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
