//! `--channels`: only the chosen microphones are learned, judged and shown.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::Path;
use std::process::{Command, Output};

use auscult_simulator::{SAMPLE_RATE_HZ, wav_bytes};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

fn auscult(folder: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_auscult")).current_dir(folder).args(line.split(' ')).output().unwrap()
}

fn succeeds(folder: &Path, line: &str) -> String {
    let output = auscult(folder, line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Two seconds of noise of these levels, a channel each; 0 is a dead one.
fn write(folder: &Path, name: &str, seed: u64, levels: &[f32]) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let load: f32 = rng.random_range(0.9..1.1);
    let samples: Vec<f32> = (0..16_000)
        .flat_map(|_| levels.iter().map(|level| level * load * rng.random_range(-1.0..1.0_f32)).collect::<Vec<_>>())
        .collect();
    let mut bytes = wav_bytes(&samples, SAMPLE_RATE_HZ);
    let channels = u16::try_from(levels.len()).unwrap();
    bytes[22..24].copy_from_slice(&channels.to_le_bytes());
    bytes[28..32].copy_from_slice(&(SAMPLE_RATE_HZ * 2 * u32::from(channels)).to_le_bytes());
    bytes[32..34].copy_from_slice(&(2 * channels).to_le_bytes());
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn recordings(folder: &Path) {
    for clip in 0..24 {
        write(folder, &format!("data/train/normal/{clip:02}.wav"), clip, &[0.1, 0.0, 0.3]);
    }
    for clip in 0..4 {
        write(folder, &format!("data/test/normal/{clip:02}.wav"), 100 + clip, &[0.1, 0.0, 0.3]);
        write(folder, &format!("data/test/abnormal/{clip:02}.wav"), 200 + clip, &[0.1, 0.0, 0.9]);
    }
}

#[test]
fn a_model_listens_to_the_channels_that_were_chosen_and_names_the_one_that_a_clip_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    recordings(folder);
    succeeds(folder, "train data --out two.safetensors --channels 2,0");
    let line = "score two.safetensors data/test/abnormal/00.wav --json";
    let scored: Value = serde_json::from_str(&succeeds(folder, line)).unwrap();
    assert_eq!(scored["channel_scores"].as_array().unwrap().len(), 2, "{scored}");
    assert_eq!(scored["sensor_faults"].as_array().unwrap().len(), 0, "the dead one is not listened to: {scored}");
    assert_eq!(scored["anomalous"], true);

    let first = format!("{line} --channels 0");
    let scored: Value = serde_json::from_str(&succeeds(folder, &first)).unwrap();
    assert_eq!((scored["channel_scores"].as_array().unwrap().len(), &scored["anomalous"]), (1, &Value::Bool(false)));

    let other = auscult(folder, "score two.safetensors data/test/abnormal/00.wav --channels 1");
    let refusal = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(!other.status.success() && refusal.contains("trained with --channels 0,2"), "{refusal}");

    write(folder, "mono.wav", 7, &[0.1]);
    let lacking = auscult(folder, "score two.safetensors mono.wav");
    let refusal = String::from_utf8_lossy(&lacking.stderr).into_owned();
    assert!(
        !lacking.status.success() && refusal.contains("mono.wav") && refusal.contains("lacks channel 2"),
        "{refusal}"
    );

    let report: Value = serde_json::from_str(&succeeds(folder, "evaluate two.safetensors data --json")).unwrap();
    assert_eq!(report["auc"], 1.0, "{report}");
}

#[test]
fn features_and_explore_have_the_chosen_channels_under_their_own_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    recordings(folder);
    let written = succeeds(folder, "features data/test/normal/00.wav --out pictures --channels 2");
    assert_eq!(written, "pictures/00_ch2.npy\npictures/00_ch2.png\n");
    let dead = succeeds(folder, "explore data --out all.html");
    let chosen = succeeds(folder, "explore data --out chosen.html --channels 0,2");
    assert!(dead.contains("silent") && !chosen.contains("silent"), "{dead}\n{chosen}");
    let lacking = auscult(folder, "explore data --out none.html --channels 3");
    assert!(String::from_utf8_lossy(&lacking.stderr).contains("lacks channel 3"));
}
