//! Physical units: what `import` writes, `explore`, `train`, `evaluate` and `score` read.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::Path;
use std::process::{Command, Output};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

const RATE_HZ: u32 = 25_600;
/// m/s² in one g.
const GRAVITY: f64 = 9.80665;

fn auscult(folder: &Path, line: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_auscult")).current_dir(folder).args(line).output().unwrap()
}

/// What it says on standard output, then on standard error.
fn succeeds(folder: &Path, line: &[&str]) -> (String, String) {
    let output = auscult(folder, line);
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{line:?}: {err}");
    (out, err)
}

/// Half a second of a housing's acceleration in m/s²: noise whose level differs from clip to clip, and a hum.
fn acceleration(seed: u64, fault: f64) -> Vec<f64> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let load: f64 = rng.random_range(0.9..1.1);
    let sample = |index: u32| {
        let phase = std::f64::consts::TAU * 1_600.0 * f64::from(index) / f64::from(RATE_HZ);
        load * (12.0 * rng.random_range(-1.0..1.0) + 4.0 * phase.sin() * (1.0 + fault))
    };
    (0..RATE_HZ / 2).map(sample).collect()
}

/// Clips of a data set: name without ending, samples in m/s².
fn clips() -> Vec<(String, Vec<f64>)> {
    let train = (0..24).map(|index| (format!("train/normal/{index:02}"), acceleration(index, 0.0)));
    let normal = (0..6).map(|index| (format!("test/normal/{index:02}"), acceleration(100 + index, 0.0)));
    let worn = (0..6).map(|index| (format!("test/abnormal/{index:02}"), acceleration(200 + index, 3.0)));
    train.chain(normal).chain(worn).collect()
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn csv(samples: &[f64]) -> Vec<u8> {
    let rows: String = samples.iter().map(|value| format!("{value:.9}\n")).collect();
    format!("Acceleration\n{rows}").into_bytes()
}

/// MATLAB v5, not compressed: one column of doubles.
fn mat(samples: &[f64]) -> Vec<u8> {
    let element = |kind: u32, body: &[u8]| {
        let mut bytes = [kind.to_le_bytes(), (body.len() as u32).to_le_bytes()].concat();
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let words = |values: &[u32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let data: Vec<u8> = samples.iter().flat_map(|value| value.to_le_bytes()).collect();
    let matrix = [
        element(6, &words(&[6, 0])),
        element(5, &words(&[samples.len() as u32, 1])),
        element(1, b"acceleration"),
        element(9, &data),
    ];
    let mut bytes = vec![b' '; 124];
    bytes[..19].copy_from_slice(b"MATLAB 5.0 MAT-file");
    bytes.extend([0x00, 0x01, b'I', b'M']);
    bytes.extend(element(14, &matrix.concat()));
    bytes
}

/// Float of 32 bits with the values themselves, as other tools write it: no word on the unit.
fn float_wav(samples: &[f64]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect();
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x03\0\x01\0".to_vec();
    bytes.extend(RATE_HZ.to_le_bytes());
    bytes.extend((4 * RATE_HZ).to_le_bytes());
    bytes.extend([4, 0, 32, 0]);
    bytes.extend(b"data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    let size = (bytes.len() - 8) as u32;
    bytes[4..8].copy_from_slice(&size.to_le_bytes());
    bytes
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Half of the clips are CSV in g, half MATLAB in m/s², all of one machine.
#[test]
fn imported_folders_in_g_and_in_metres_are_one_data_set_and_equal_the_float_wav_in_physical_units() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (index, (name, samples)) in clips().iter().enumerate() {
        write(&folder.join(format!("wav/{name}.wav")), &float_wav(samples));
        if index % 2 == 0 {
            let in_g: Vec<f64> = samples.iter().map(|value| value / GRAVITY).collect();
            write(&folder.join(format!("csv/{name}.csv")), &csv(&in_g));
        } else {
            write(&folder.join(format!("mat/{name}.mat")), &mat(samples));
        }
    }
    succeeds(folder, &["import", "mat", "--out", "data", "--rate", "25600", "--unit", "m/s^2"]);
    succeeds(folder, &["import", "csv", "--out", "data", "--rate", "25600", "--unit", "g"]);

    let (said, _) = succeeds(folder, &["explore", "data", "--out", "data.html", "--preset", "vibration"]);
    assert!(said.contains("full scale: a sample value of 1.0 is 1"), "{said}");
    assert!(said.contains("scaled: 12 recordings of full scale"), "{said}");
    let page = std::fs::read_to_string(folder.join("data.html")).unwrap();
    assert!(!page.contains("dBFS") && !page.contains("microphone"), "a housing is heard by no microphone");

    // A tie is the first clip's; which unit is taken is to be said, not guessed.
    let line = ["train", "data", "--out", "imported.safetensors", "--preset", "vibration", "--full-scale", "1 m/s2"];
    let (summary, findings) = succeeds(folder, &line);
    assert!(summary.contains("1.0 is 1 m/s²"), "{summary}");
    assert!(findings.contains("scaled: 12 recordings of full scale 1 g, times 9.806650"), "{findings}");
    let line = ["train", "wav", "--out", "plain.safetensors", "--preset", "vibration", "--full-scale", "1 m/s2"];
    succeeds(folder, &line);

    let evaluated = |model: &str, data: &str| json(&succeeds(folder, &["evaluate", model, data, "--json"]).0);
    let (imported, plain) = (evaluated("imported.safetensors", "data"), evaluated("plain.safetensors", "wav"));
    assert_eq!((&imported["auc"], &imported["auc"]), (&plain["auc"], &Value::from(1.0)));
    let number = |value: &Value, name: &str| value[name].as_f64().unwrap();
    let scored = |model: &str, file: &str| json(&succeeds(folder, &["score", model, file, "--json"]).0);
    for (name, samples) in clips().iter().filter(|(name, _)| name.starts_with("test")) {
        let imported = scored("imported.safetensors", &format!("data/{name}.wav"));
        let plain = scored("plain.safetensors", &format!("wav/{name}.wav"));
        for figure in ["score", "threshold"] {
            let (one, other) = (number(&imported, figure), number(&plain, figure));
            assert!((one - other).abs() < 1e-3 * other.abs(), "{name}: {figure} {one} and {other}");
        }
        let rms = (samples.iter().map(|value| value * value).sum::<f64>() / samples.len() as f64).sqrt();
        assert_eq!(imported["levels"]["unit"], "m/s²");
        assert!((imported["levels"]["rms"][0].as_f64().unwrap() / rms - 1.0).abs() < 1e-4, "{imported}");
        if imported["anomalous"] == true {
            assert!(imported["explanation"].as_str().unwrap().contains(" m/s²"), "{imported}");
        }
    }
}

#[test]
fn a_clip_of_another_quantity_is_refused_with_both_units() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for index in 0..10 {
        write(&folder.join(format!("csv/{index}.csv")), &csv(&acceleration(index, 0.0)));
    }
    write(&folder.join("current.csv"), &csv(&acceleration(99, 0.0)));
    succeeds(folder, &["import", "csv", "--out", "data", "--as", "train/normal", "--rate", "25600", "--unit", "m/s2"]);
    succeeds(folder, &["train", "data", "--out", "one.safetensors"]);
    succeeds(folder, &["import", "current.csv", "--out", "other", "--rate", "25600", "--unit", "A"]);
    let refused = auscult(folder, &["score", "one.safetensors", "other/current.wav"]);
    let refusal = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && refusal.contains("is in A") && refusal.contains("m/s²"), "{refusal}");

    succeeds(
        folder,
        &["import", "current.csv", "--out", "data", "--as", "train/normal", "--rate", "25600", "--unit", "A"],
    );
    let refused = auscult(folder, &["train", "data", "--out", "two.safetensors"]);
    let refusal = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && refusal.contains("1 in A, 10 in m/s²"), "{refusal}");
}
