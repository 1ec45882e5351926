//! `explore`, `train` and `evaluate --out` as somebody meets them: one after the other, on a small data set with
//! DCASE's file names.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::Path;
use std::process::Command;

use auscult_simulator::{SAMPLE_RATE_HZ, wav_bytes};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Half a second of noise with a hum; a fault adds a whistle at 3 kHz.
fn sound(seed: u64, is_abnormal: bool) -> Vec<u8> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let sine = |hz: f32, t: usize| (std::f32::consts::TAU * hz * t as f32 / SAMPLE_RATE_HZ as f32).sin();
    let sample = |t: usize| {
        let whistle = if is_abnormal { 0.2 * sine(3000.0, t) } else { 0.0 };
        0.1 * sine(100.0, t) + whistle + rng.random_range(-0.05..0.05_f32)
    };
    wav_bytes(&(0..8000).map(sample).collect::<Vec<_>>(), SAMPLE_RATE_HZ)
}

/// Two sections of one machine type: 12 clips to train with, and in both domains 3 normal and 2 abnormal ones to test
/// with.
fn write_dataset(folder: &Path) {
    let mut seed = 0;
    let mut write = |section: u32, part: &str, domain: &str, label: &str, count: usize| {
        let folder = folder.join("fan").join(part);
        std::fs::create_dir_all(&folder).unwrap();
        for index in 0..count {
            seed += 1;
            let name = format!("section_{section:02}_{domain}_{part}_{label}_{index:04}.wav");
            std::fs::write(folder.join(name), sound(seed, label == "anomaly")).unwrap();
        }
    };
    for section in [0, 1] {
        write(section, "train", "source", "normal", 12);
        for domain in ["source", "target"] {
            write(section, "test", domain, "normal", 3);
            write(section, "test", domain, "anomaly", 2);
        }
    }
}

/// What the command prints; it must succeed.
fn auscult(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_auscult")).current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_folder_of_recordings_becomes_pages_and_dcases_files() {
    let folder = tempfile::tempdir().unwrap();
    write_dataset(folder.path());
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();

    auscult(folder.path(), &["explore", "fan", "--out", "fan.html", "--clips", "1"]);
    let page = read("fan.html");
    assert_eq!(page.matches("data:image/png;base64,").count(), 4, "a normal and an abnormal clip of each section");

    let text = auscult(folder.path(), &["train", "fan", "--out", "models"]);
    for section in ["00", "01"] {
        assert!(folder.path().join(format!("models/fan_section_{section}.safetensors")).exists(), "{text}");
    }
    auscult(folder.path(), &["train", "fan", "--out", "fan.safetensors", "--pool"]);
    let text = auscult(folder.path(), &["evaluate", "fan.safetensors", "fan", "--out", "results"]);
    assert!(text.contains("harmonic mean") && text.contains("results/report.html"), "{text}");
    let page = read("results/report.html");
    assert!(page.contains("fan_section_01") && page.contains("harmonic mean") && !page.contains("NaN"));
    for section in ["00", "01"] {
        let scores = read(&format!("results/anomaly_score_fan_section_{section}_test.csv"));
        let decisions = read(&format!("results/decision_result_fan_section_{section}_test.csv"));
        assert_eq!((scores.lines().count(), decisions.lines().count()), (10, 10));
        for (score, decision) in scores.lines().zip(decisions.lines()) {
            let (file, score) = score.split_once(',').unwrap();
            let (same_file, decision) = decision.split_once(',').unwrap();
            assert_eq!(file, same_file);
            assert!(score.parse::<f64>().is_ok_and(f64::is_finite), "{file}: {score}");
            assert!(["0", "1"].contains(&decision), "{file}: {decision}");
        }
    }
    // A whistle as loud as the hum is told apart by any model: an AUC in both domains, and the means of both sections.
    let result = read("results/result.csv");
    let rows: Vec<&str> = result.lines().collect();
    assert_eq!(rows.len(), 6, "{result}");
    assert_eq!(rows[5], "official score of 2022 and later,,1", "{result}");
    assert!(rows[1].starts_with("fan,00,1,1,1,") && rows[2].starts_with("fan,01,1,1,1,"), "{result}");
    assert!(rows[3].starts_with("arithmetic mean,,1,1,1,") && rows[4].starts_with("harmonic mean,,1,1,1,"), "{result}");

    let json = auscult(folder.path(), &["evaluate", "fan.safetensors", "fan", "--json", "--out", "results"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("nothing but JSON is printed");
    assert_eq!(json["means"]["harmonic"]["auc"], 1.0);
}
