//! WAV as recorders really write it: sizes that were never known or never mended, chunks behind the sound, wide
//! containers, 64-bit and big-endian headers, lost bytes.

mod wav_bytes;

use auscult_features::{Clip, FeatureError, decode};
use auscult_schemas::DeadLetterCode;
use wav_bytes::{WavBytes, chunk, header};

/// A hum with a little noise, so that a wrong sample shows.
fn sound(samples: usize) -> Vec<i16> {
    let noise = |index: usize| (index.wrapping_mul(2_654_435_761) >> 16 & 0xFF) as f64 - 128.0;
    (0..samples).map(|index| ((index as f64 * 0.05).sin() * 4_000.0 + noise(index)) as i16).collect()
}

fn scaled(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|&sample| f32::from(sample) / 32_768.0).collect()
}

fn bytes_of(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn read(wav: &[u8]) -> Clip {
    decode("audio/wav", wav).unwrap_or_else(|error| panic!("{error}"))
}

/// 16-bit mono whose sizes say what they like.
fn with_sizes(riff_size: u32, data_size: u32, data: &[u8], behind: &[u8]) -> Vec<u8> {
    let data = [b"data".as_slice(), &data_size.to_le_bytes(), data, behind].concat();
    header(riff_size, &[WavBytes::default().fmt(), data].concat())
}

const SAMPLES: usize = 4_000;
const BYTES: u32 = 8_000;

#[test]
fn a_size_that_cannot_be_a_promise_gives_all_the_sound_there_is() {
    let samples = sound(SAMPLES);
    let stand_ins: [u32; 15] = [
        0,
        36,
        42,
        3_200,
        1 << 30,
        0x7FFF_0000,
        0x7FFF_EFFF,
        0x7FFF_EFF0,
        0x7FFF_F000,
        0x7FFF_FFDB,
        0x7FFF_FFFF,
        0x8000_0000,
        0x8000_0024,
        0xFFFF_FFDB,
        0xFFFF_FFFF,
    ];
    for data_size in stand_ins {
        for riff_size in [0, 8, 36, 42, 4088, BYTES + 36, data_size.wrapping_add(36), 0x7FFF_FFFF, u32::MAX] {
            let clip = read(&with_sizes(riff_size, data_size, &bytes_of(&samples), &[]));
            assert_eq!(clip.channels, [scaled(&samples)], "{riff_size:#x} {data_size:#x}");
            assert!(!clip.incomplete, "{riff_size:#x} {data_size:#x}");
        }
    }
}

#[test]
fn chunks_and_tags_behind_the_sound_never_become_sound() {
    let samples = sound(SAMPLES);
    let odd = [b"note".as_slice(), &3_u32.to_le_bytes(), b"odd"].concat();
    let behind = [
        chunk(b"LIST", b"INFO"),
        [chunk(b"LIST", b"INFOISFT\x06\0\0\0Lavf59"), chunk(b"id3 ", b"ID3")].concat(),
        [chunk(b"bext", &[0; 602]), odd].concat(),
        chunk(b"LIST", b"INFOISFT\x05\0\0\0abcde\0"),
        chunk(b"_PMX", b"<x:xmpmeta/>"),
        [b"TAG".as_slice(), &[b'x'; 125]].concat(),
    ];
    for behind in &behind {
        for data_size in [BYTES, 0, 0x7FFF_0000, u32::MAX] {
            let clip = read(&with_sizes(u32::MAX, data_size, &bytes_of(&samples), behind));
            assert_eq!(clip.channels, [scaled(&samples)], "{data_size:#x} {:?}", behind.escape_ascii().to_string());
        }
    }
    // What a size that is right is followed by need not be a chunk.
    for behind in [&b"\r\n--boundary--\r\n"[..], &[0; 512], b"LIST\xFF\xFF\0\0cut"] {
        let clip = read(&with_sizes(BYTES + 36, BYTES, &bytes_of(&samples), behind));
        assert_eq!(clip.channels, [scaled(&samples)], "{:?}", behind.escape_ascii().to_string());
    }
}

#[test]
fn silence_behind_a_size_that_was_never_mended_is_a_silent_sensor_and_not_an_empty_recording() {
    let clip = read(&with_sizes(36, 0, &[0; 8_000], &[]));
    assert_eq!(clip.samples(), SAMPLES);
}

#[test]
fn a_recording_cut_short_is_read_as_far_as_it_goes_and_says_so() {
    let samples = sound(SAMPLES);
    let whole = with_sizes(BYTES + 36, BYTES, &bytes_of(&samples), &[]);
    for missing in [1, 2, 3, 777, 4_000] {
        let clip = read(&whole[..whole.len() - missing]);
        assert_eq!(clip.channels, [scaled(&samples[..SAMPLES - missing.div_ceil(2)])], "{missing} bytes");
        assert!(clip.incomplete);
    }
    // What is less than half of a recording is not judged in its place.
    for missing in [4_001, 7_998, 8_000, 8_001] {
        let error = decode("audio/wav", &whole[..whole.len() - missing]).unwrap_err();
        assert_eq!(error.code(), DeadLetterCode::Truncated, "{missing}: {error}");
    }
}

#[test]
fn a_size_of_the_whole_file_in_the_wrong_place_is_no_loss() {
    let samples = sound(SAMPLES);
    for data_size in [BYTES + 44, BYTES + 36] {
        let clip = read(&with_sizes(BYTES + 36, data_size, &bytes_of(&samples), &[]));
        assert!(clip.channels == [scaled(&samples)] && !clip.incomplete, "{data_size}");
    }
}

#[test]
fn a_byte_lost_inside_costs_its_sample_and_not_all_that_follow() {
    let samples = sound(SAMPLES);
    let whole = with_sizes(BYTES + 36, BYTES, &bytes_of(&samples), &[]);
    let stereo: Vec<i16> = samples.iter().flat_map(|&sample| [sample, sample / 2]).collect();
    let stereo_wav = WavBytes { channels: 2, ..WavBytes::default() }.build(&bytes_of(&stereo));
    for position in [44, 45, 1_000, 1_001, 4_003, 7_003] {
        for (wav, per_block) in [(&whole, 2), (&stereo_wav, 4)] {
            let mut cut = wav.clone();
            cut.remove(position);
            let clip = read(&cut);
            let block = (position - 44) / per_block;
            assert!(clip.incomplete);
            let sound = scaled(&samples);
            let channel = &clip.channels[0];
            assert_eq!(channel.len(), SAMPLES - 1);
            // The seam is found to a few samples; nothing else is wrong.
            let wrong = (0..channel.len()).filter(|&at| channel[at] != sound[if at < block { at } else { at + 1 }]);
            let wrong: Vec<usize> = wrong.collect();
            assert!(wrong.len() <= 3 && wrong.iter().all(|&at| at.abs_diff(block) <= 4), "{position}: {wrong:?}");
        }
    }
}

#[test]
fn a_byte_lost_from_float_or_24_bit_samples_costs_no_more_either() {
    let samples = sound(SAMPLES);
    let float: Vec<u8> = scaled(&samples).iter().flat_map(|sample| (40.0 * sample).to_le_bytes()).collect();
    let pcm24: Vec<u8> =
        samples.iter().flat_map(|&sample| (i32::from(sample) << 8).to_le_bytes()[..3].to_vec()).collect();
    for (wav, bytes) in [
        (WavBytes { tag: 3, bits: 32, ..WavBytes::default() }.build(&float), 4),
        (WavBytes { bits: 24, ..WavBytes::default() }.build(&pcm24), 3),
    ] {
        let whole = read(&wav).channels;
        let mut cut = wav.clone();
        cut.remove(44 + 2_000 * bytes + 1);
        let clip = read(&cut);
        assert!(clip.incomplete);
        let wrong =
            (0..SAMPLES - 1).filter(|&at| clip.channels[0][at] != whole[0][if at < 2_000 { at } else { at + 1 }]);
        let wrong = wrong.count();
        assert!(wrong <= 3, "{wrong} of {bytes} bytes");
    }
}

#[test]
fn loud_noise_cut_short_is_not_taken_for_a_byte_lost_inside() {
    let mut state = 1_u32;
    let noise: Vec<i16> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16
    })
    .take(SAMPLES)
    .collect();
    let wav = with_sizes(BYTES + 36, BYTES, &bytes_of(&noise), &[]);
    assert_eq!(read(&wav[..wav.len() - 1]).channels, [scaled(&noise[..SAMPLES - 1])]);
}

/// 24-bit values, and their bytes in the middle of four, below or above.
fn in_32(samples: &[i16], lsb: i32, shift: u32) -> (Vec<f32>, Vec<u8>) {
    let values: Vec<i32> = samples.iter().map(|&sample| i32::from(sample) * 256 + lsb).collect();
    let bytes = values.iter().flat_map(|value| (value << shift).to_le_bytes()).collect();
    (values.iter().map(|&value| value as f32 / 8_388_608.0).collect(), bytes)
}

fn extensible(bits: u16, valid_bits: u16, block: u16) -> Vec<u8> {
    let plain = WavBytes { tag: 0xFFFE, bits, block: Some(block), ..WavBytes::default() }.fmt();
    let extension = [
        &22_u16.to_le_bytes()[..],
        &valid_bits.to_le_bytes(),
        &4_u32.to_le_bytes(),
        &[1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71],
    ];
    chunk(b"fmt ", &[&plain[8..], &extension.concat()].concat())
}

#[test]
fn twenty_four_bits_in_thirty_two_are_read_in_either_alignment() {
    let samples = sound(SAMPLES);
    let plain = WavBytes { bits: 24, block: Some(4), ..WavBytes::default() }.fmt();
    for (fmt, lsb, shift) in [
        (&plain, 0, 0),
        (&plain, 1, 0),
        (&plain, 1, 8),
        (&extensible(32, 24, 4), 0, 8),
        (&extensible(32, 24, 4), 1, 8),
        (&extensible(32, 24, 4), 1, 0),
        (&extensible(24, 24, 4), 1, 0),
    ] {
        let (expected, data) = in_32(&samples, lsb, shift);
        let wav = header(0, &[fmt.clone(), chunk(b"data", &data)].concat());
        assert!(read(&wav).channels == [expected], "lsb {lsb}, shift {shift}");
    }
    // Rust's hound leaves zeros above the sample, also above a negative one, and says what the standard says.
    for lsb in [0, 1] {
        let (expected, mut data) = in_32(&samples, lsb, 0);
        data.iter_mut().skip(3).step_by(4).for_each(|byte| *byte = 0);
        let wav = header(0, &[extensible(32, 24, 4), chunk(b"data", &data)].concat());
        assert!(read(&wav).channels == [expected], "zeros above, lsb {lsb}");
    }
    // A level that never falls below zero is no sound without its sign.
    let level: Vec<i32> = samples.iter().map(|&sample| (i32::from(sample) + 9_000) << 8).collect();
    let data: Vec<u8> = level.iter().flat_map(|value| value.to_le_bytes()).collect();
    let wav = header(0, &[extensible(32, 24, 4), chunk(b"data", &data)].concat());
    let expected: Vec<f32> = level.iter().map(|&value| value as f32 / 2_147_483_648.0).collect();
    assert!(read(&wav).channels == [expected]);
    // 32 bits that are all in use are 32 bits, whatever is said to be valid.
    let data: Vec<u8> = samples.iter().flat_map(|&sample| (i32::from(sample) * 65_536 + 1_234).to_le_bytes()).collect();
    let wav = header(0, &[extensible(32, 24, 4), chunk(b"data", &data)].concat());
    let expected: Vec<f32> =
        samples.iter().map(|&s| (i32::from(s) * 65_536 + 1_234) as f32 / 2_147_483_648.0).collect();
    assert_eq!(read(&wav).channels, [expected]);
}

#[test]
fn valid_bits_that_fill_the_container_nearly_are_left_justified() {
    let samples: Vec<i16> = sound(SAMPLES).iter().map(|sample| sample & !0xF).collect();
    for fmt in [extensible(16, 12, 2), WavBytes { bits: 12, block: Some(2), ..WavBytes::default() }.fmt()] {
        let wav = header(0, &[fmt, chunk(b"data", &bytes_of(&samples))].concat());
        assert_eq!(read(&wav).channels, [scaled(&samples)]);
    }
}

#[test]
fn a_block_size_that_is_too_small_is_not_believed() {
    let samples = sound(SAMPLES);
    for block in [0, 1, 2] {
        let wav = WavBytes { channels: 2, block: Some(block), ..WavBytes::default() }.build(&bytes_of(&samples));
        assert_eq!(read(&wav).samples(), SAMPLES / 2, "{block}");
    }
    for block in [5, 10, 64] {
        let wav = WavBytes { block: Some(block), ..WavBytes::default() }.build(&bytes_of(&samples));
        assert_eq!(decode("audio/wav", &wav).unwrap_err().code(), DeadLetterCode::UnsupportedFormat, "{block}");
    }
}

#[test]
fn sixty_four_bit_sizes_are_read_finished_or_not() {
    let samples = sound(SAMPLES);
    for magic in [b"RF64", b"BW64"] {
        for (data64, data_size) in [
            (u64::from(BYTES), u32::MAX),
            (0, u32::MAX),
            (u64::MAX, u32::MAX),
            (0, BYTES),
            (u64::from(u32::MAX) + 7, u32::MAX),
        ] {
            let ds64 = [&[0; 8][..], &data64.to_le_bytes(), &[0; 12]].concat();
            let data = [b"data".as_slice(), &data_size.to_le_bytes(), &bytes_of(&samples)].concat();
            let body = [chunk(b"ds64", &ds64), WavBytes::default().fmt(), data, chunk(b"LIST", b"INFO")].concat();
            let mut wav = header(u32::MAX, &body);
            wav[..4].copy_from_slice(magic);
            for content_type in ["audio/wav", ""] {
                let clip = decode(content_type, &wav).unwrap_or_else(|error| panic!("{error}"));
                assert!(clip.channels == [scaled(&samples)] && !clip.incomplete, "{data64:#x} {data_size:#x}");
            }
        }
    }
}

#[test]
fn a_64_bit_size_that_is_a_little_too_large_is_a_loss() {
    let samples = sound(SAMPLES);
    let ds64 = [&[0; 8][..], &(u64::from(BYTES) + 200).to_le_bytes(), &[0; 12]].concat();
    let data = [b"data".as_slice(), &u32::MAX.to_le_bytes(), &bytes_of(&samples)].concat();
    let body = [chunk(b"ds64", &ds64), WavBytes::default().fmt(), data].concat();
    let mut wav = header(u32::MAX, &body);
    wav[..4].copy_from_slice(b"RF64");
    let clip = read(&wav);
    assert!(clip.channels == [scaled(&samples)] && clip.incomplete);
}

#[test]
fn big_endian_rifx_is_read() {
    let samples = sound(SAMPLES);
    let fmt = [&[0, 1, 0, 1][..], &16_000_u32.to_be_bytes(), &32_000_u32.to_be_bytes(), &[0, 2, 0, 16]].concat();
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
    let chunk = |id: &[u8; 4], body: &[u8]| [id.as_slice(), &(body.len() as u32).to_be_bytes(), body].concat();
    let wav = [b"RIFX\0\0\x1F\x64WAVE".to_vec(), chunk(b"fmt ", &fmt), chunk(b"data", &data)].concat();
    assert_eq!(read(&wav).channels, [scaled(&samples)]);
}

#[test]
fn eight_bits_are_unsigned_and_64_bit_float_keeps_its_values() {
    let wav = WavBytes { bits: 8, ..WavBytes::default() }.build(&[128, 0, 255, 192]);
    assert_eq!(read(&wav).channels, [vec![0.0, -1.0, 127.0 / 128.0, 0.5]]);
    let values = [0.1_f64, -3.5, 120.25, 1e-9];
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let wav = WavBytes { tag: 3, bits: 64, ..WavBytes::default() }.build(&data);
    assert_eq!(read(&wav).channels, [values.map(|value| value as f32).to_vec()]);
}

#[test]
fn an_odd_chunk_in_front_needs_no_pad_byte() {
    let samples = sound(SAMPLES);
    let odd = [b"LIST".as_slice(), &5_u32.to_le_bytes(), b"INFO!"].concat();
    let body = [odd, WavBytes::default().fmt(), chunk(b"data", &bytes_of(&samples))].concat();
    assert_eq!(read(&header(0, &body)).channels, [scaled(&samples)]);
}

#[test]
fn two_recordings_in_one_value_are_refused_and_not_joined() {
    let data = bytes_of(&sound(SAMPLES));
    for data_size in [BYTES, 0, u32::MAX] {
        let wav = with_sizes(BYTES + 36, data_size, &data, &[]);
        let error = decode("audio/wav", &[wav.clone(), wav].concat()).expect_err("two recordings");
        assert!(matches!(error, FeatureError::SeveralRecordings { .. }), "{error}");
    }
}

#[test]
fn a_codec_inside_wav_is_named() {
    for (tag, name) in [(2, "ADPCM"), (6, "A-law"), (7, "mu-law"), (0x11, "IMA ADPCM"), (0x55, "MP3"), (0x31, "GSM")] {
        let wav = WavBytes { tag, bits: 4, ..WavBytes::default() }.build(&[0; 64]);
        let error = decode("audio/wav", &wav).unwrap_err();
        assert_eq!(error.code(), DeadLetterCode::UnsupportedFormat);
        assert!(error.to_string().contains(name) && error.to_string().contains("ffmpeg"), "{error}");
    }
    // What no tool brings back whole gets no command.
    for (tag, name) in [(0xFF, "AAC"), (0x566F, "Vorbis"), (0xA109, "Speex")] {
        let wav = WavBytes { tag, ..WavBytes::default() }.build(&[0; 64]);
        let error = decode("audio/wav", &wav).unwrap_err();
        assert_eq!(error.code(), DeadLetterCode::UnsupportedFormat);
        let words = error.to_string();
        assert!(words.contains(name) && words.contains("record anew") && !words.contains("ffmpeg"), "{words}");
    }
}

#[test]
fn what_a_finished_riff_holds_behind_its_sound_is_none_whatever_its_name() {
    let samples = sound(SAMPLES);
    let plain = |behind: &[u8], riff_size: u32| read(&with_sizes(riff_size, BYTES, &bytes_of(&samples), behind));
    // A name that is no word, and a size that fits to the byte.
    let odd = [b"x\0\x01z".as_slice(), &200_u32.to_le_bytes(), &[7; 200]].concat();
    // A chunk that was cut off with the file, which its RIFF counts whole.
    let cut = [b"ovwf".as_slice(), &5_000_u32.to_le_bytes(), &[7; 200]].concat();
    let erased = [0xFF; 512];
    let counted_as_cut = (cut.clone(), BYTES + 36 + 208);
    for (behind, riff_size) in
        [(odd, BYTES + 36 + 208), (cut, BYTES + 36 + 5_008), counted_as_cut, (erased.to_vec(), BYTES + 36)]
    {
        let clip = plain(&behind, riff_size);
        assert_eq!((clip.channels, clip.incomplete), (vec![scaled(&samples)], false), "{}", behind.len());
    }
    let noise: Vec<u8> = (0..333_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let clip = plain(&noise, BYTES + 36);
    assert_eq!((clip.channels, clip.incomplete), (vec![scaled(&samples)], true), "what it is cannot be told");
}

#[test]
fn two_data_chunks_are_refused_and_not_half_read() {
    let second = chunk(b"data", &bytes_of(&sound(SAMPLES)));
    let wav = with_sizes(2 * BYTES + 44, BYTES, &bytes_of(&sound(SAMPLES)), &second);
    let error = decode("audio/wav", &wav).unwrap_err().to_string();
    assert!(error.contains("several recordings"), "{error}");
}

#[test]
fn a_chunk_of_any_name_without_its_pad_byte_hides_nothing() {
    let samples = sound(SAMPLES);
    let unpadded = [b"abcd".as_slice(), &35_u32.to_le_bytes(), &[b'a'; 35]].concat();
    let body =
        [WavBytes::default().fmt(), unpadded, chunk(b"PEAK", &[1; 16]), chunk(b"data", &bytes_of(&samples))].concat();
    assert_eq!(read(&header(body.len() as u32 + 4, &body)).channels, [scaled(&samples)]);
}

#[test]
fn a_byte_lost_or_added_in_64_bit_float_or_a_writer_killed_in_it_costs_a_sample() {
    let samples = scaled(&sound(SAMPLES));
    let data: Vec<u8> = samples.iter().flat_map(|&sample| f64::from(sample).to_le_bytes()).collect();
    let format = WavBytes { tag: 3, bits: 64, ..WavBytes::default() };
    let whole = format.build(&data);
    let start = whole.len() - data.len();
    for cut in 1..8 {
        let clip = read(&whole[..whole.len() - cut]);
        assert_eq!(clip.channels[0], samples[..SAMPLES - 1], "{cut} bytes short");
    }
    for at in [start + 801, start + 9_004, start + 20_006] {
        let lost = read(&[&whole[..at], &whole[at + 1..]].concat());
        let right = lost.channels[0].iter().rev().zip(samples.iter().rev()).take_while(|(a, b)| a == b).count();
        let lost_at = (at - start) / 8;
        assert!(lost.channels[0][..lost_at - 1] == samples[..lost_at - 1], "{at}");
        assert!(right + lost_at + 3 >= SAMPLES, "{at}: {right}");
    }
}

#[test]
fn a_byte_added_inside_24_bits_costs_a_sample() {
    let noise = |index: usize| (index.wrapping_mul(2_654_435_761) >> 16 & 0xFF) as f64 - 128.0;
    let wide: Vec<i32> =
        (0..SAMPLES).map(|index| ((index as f64 * 0.05).sin() * 1e6 + 300.0 * noise(index)) as i32).collect();
    let data: Vec<u8> = wide.iter().flat_map(|sample| sample.to_le_bytes()[..3].to_vec()).collect();
    let whole = WavBytes { bits: 24, ..WavBytes::default() }.build(&data);
    let start = whole.len() - data.len();
    let clean = read(&whole).channels;
    // An odd number of bytes, whose pad byte the writer left out, too.
    let odd = WavBytes { bits: 24, ..WavBytes::default() }.build(&data[..data.len() - 3]);
    let odd = odd[..odd.len() - 1].to_vec();
    for whole in [whole, odd] {
        for at in [start + 1_001, start + 6_000, start + 8_002] {
            let clip = read(&[&whole[..at], &[0x5A], &whole[at..]].concat());
            let wrong = clip.channels[0].iter().zip(&clean[0]).filter(|(a, b)| a != b).count();
            assert!(wrong <= 3 && clip.incomplete, "{at}: {wrong}");
        }
    }
}

#[test]
fn an_extensible_header_without_a_sub_format_is_pcm() {
    let samples = sound(SAMPLES);
    let mut fmt = WavBytes { tag: 0xFFFE, ..WavBytes::default() }.fmt();
    fmt.splice(4..8, 40_u32.to_le_bytes());
    fmt.extend([[22, 0, 16, 0].as_slice(), &[0; 20]].concat());
    let body = [fmt, chunk(b"data", &bytes_of(&samples))].concat();
    assert_eq!(read(&header(body.len() as u32 + 4, &body)).channels, [scaled(&samples)]);
}
