//! Pieces of one recording, as `train` and `explore` tell of them.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::process::Command;

use auscult_simulator::{SAMPLE_RATE_HZ, wav_bytes};

#[test]
fn train_and_explore_say_how_many_recordings_the_clips_are() {
    let folder = tempfile::tempdir().unwrap();
    let normal = folder.path().join("data/train/normal");
    std::fs::create_dir_all(&normal).unwrap();
    let (mut state, mut last) = (0x9e37_79b9_7f4a_7c15_u64, [0.0_f64; 2]);
    for recording in 0..4 {
        for piece in 0..8 {
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let value = 1.9 * last[0] - 0.98 * last[1] + (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
                last = [value, last[0]];
                (value * 1e-3 * (1.0 + 0.1 * f64::from(recording))) as f32
            };
            let sound: Vec<f32> = (0..16_000).map(|_| next()).collect();
            std::fs::write(normal.join(format!("{recording}_{piece}.wav")), wav_bytes(&sound, SAMPLE_RATE_HZ)).unwrap();
        }
        // Some time passes before the next recording.
        last = [0.0; 2];
    }
    let run = |line: &str| {
        let line = line.split(' ');
        let output =
            Command::new(env!("CARGO_BIN_EXE_auscult")).current_dir(folder.path()).args(line).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let words = "32 clips are pieces of 4 recordings (32 that go on where another ended): pieces are held out together and count as one";
    assert!(run("train data --out model.safetensors").contains(words));
    assert!(run("explore data --out data.html").contains(words));
}
