#!/usr/bin/env bash
# Rust's hound writes 24-bit samples in 32-bit containers 48 dB too quiet for every other reader.
#
# The guess, written down before running: WavWriter::new_with_spec_ex(bits_per_sample 24, bytes_per_sample 4) writes what the
# WAVE_FORMAT_EXTENSIBLE header that it puts in front says (32-bit container, 24 valid bits): the sample left-justified, the
# lowest byte zero. A full-scale square wave is then read by libsndfile as ±1.0.
#
# What happens: the sample is written into the lower three bytes, and the byte above it is always zero, also for negative
# samples. libsndfile reads +8388607 as 0.0039 and -8388608 as +0.0039: 48 dB too quiet, and the negative half folded up.
# hound reads its own file as it was written, so a round trip in Rust shows nothing.
#
# Whom it hurts: Rust recorders on 24-in-32 sound cards (cpal's I24), whose recordings others analyse.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "square"
version = "0.0.0"
edition = "2021"
[dependencies]
hound = "=3.5.1"
TOML
cat > src/main.rs <<'RUST'
fn main() {
    let spec = hound::WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 24, sample_format: hound::SampleFormat::Int };
    let spec = hound::WavSpecEx { spec, bytes_per_sample: 4 };
    let file = std::fs::File::create("square.wav").unwrap();
    let mut writer = hound::WavWriter::new_with_spec_ex(file, spec).unwrap();
    for index in 0..400 {
        writer.write_sample(if index % 40 < 20 { 8_388_607 } else { -8_388_608 }).unwrap();
    }
    writer.finalize().unwrap();
    let own: Vec<i32> = hound::WavReader::open("square.wav").unwrap().samples().map(Result::unwrap).collect();
    println!("hound reads its own file: {} to {}", own.iter().min().unwrap(), own.iter().max().unwrap());
}
RUST
cargo run --quiet
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 soundfile==0.14.0
venv/bin/python - <<'PYTHON'
import struct, sys
import soundfile

data = open("square.wav", "rb").read()
tag, bits, valid = struct.unpack("<H", data[20:22])[0], struct.unpack("<H", data[34:36])[0], struct.unpack("<H", data[38:40])[0]
print(f"hound 3.5.1; header: format {tag:#06x}, container of {bits} bits, {valid} valid")
samples, _ = soundfile.read("square.wav")
print(f"guess: libsndfile {soundfile.__libsndfile_version__} reads -1.0 to 1.0")
print(f"seen:  libsndfile reads {samples.min():.4f} to {samples.max():.4f}")
changed = not (tag == 0xFFFE and bits == 32 and valid == 24 and 0.003 < samples.min() < samples.max() < 0.005)
sys.exit(1 if changed else 0)
PYTHON
