//! Writes the clip with Rust's WAV library: FORMAT MODE RAW OUT CHANNELS.

use hound::{SampleFormat, WavSpec, WavSpecEx, WavWriter};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, kind, mode, raw, out, channels] = &arguments[..] else { panic!("FORMAT MODE RAW OUT CHANNELS") };
    let bytes = std::fs::read(raw).unwrap();
    let samples: Vec<i16> = bytes.as_chunks().0.iter().map(|&sample| i16::from_le_bytes(sample)).collect();
    let (bits, sample_format) = match kind.as_str() {
        "hound-16" => (16, SampleFormat::Int),
        "hound-float" => (32, SampleFormat::Float),
        _ => (24, SampleFormat::Int),
    };
    let spec = WavSpec { channels: channels.parse().unwrap(), sample_rate: 16_000, bits_per_sample: bits, sample_format };
    let file = std::fs::File::create(out).unwrap();
    let mut writer = match kind.as_str() {
        "hound-24in32" => WavWriter::new_with_spec_ex(file, WavSpecEx { spec, bytes_per_sample: 4 }).unwrap(),
        _ => WavWriter::new(file, spec).unwrap(),
    };
    for (index, &sample) in samples.iter().enumerate() {
        match (sample_format, bits) {
            (SampleFormat::Float, _) => writer.write_sample(f32::from(sample) / 32_768.0).unwrap(),
            (_, 16) => writer.write_sample(sample).unwrap(),
            _ => writer.write_sample(i32::from(sample) << 8).unwrap(),
        }
        if mode == "killed" && index > samples.len() * 2 / 3 {
            std::process::abort();
        }
    }
    writer.finalize().unwrap();
}
