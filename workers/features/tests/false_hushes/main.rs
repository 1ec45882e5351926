//! How often each quality rule is wrong: machines that it would hush, notes that are not true, and sensor faults that
//! it misses.
//!
//! `AUSCULT_TEST_DATA=… cargo test --release -p auscult-features --test false_hushes -- --nocapture` prints the tables
//! of `docs/quality.md`.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod faults;
mod machines;
mod unsteady;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use auscult_features::{Clip, QualityChecker, content_type_of, decode};
use auscult_schemas::{FeatureSpec, QualityFlag, Quantity};

use faults::{INJECTED, with};
use machines::{Format, PRESETS, recorded};
use unsteady::UNSTEADY;

/// How many of so many clips have each flag.
#[derive(Default)]
struct Count {
    clips: usize,
    flagged: BTreeMap<QualityFlag, usize>,
    hushed: Vec<String>,
}

impl Count {
    fn add(&mut self, name: impl FnOnce() -> String, checker: &mut QualityChecker, clip: &Clip) {
        let quality = checker.check(clip).unwrap();
        self.clips += 1;
        for flag in &quality.flags {
            *self.flagged.entry(*flag).or_default() += 1;
        }
        if !quality.flags.is_empty() && self.hushed.len() < 20 {
            self.hushed.push(format!("{}: {:?}", name(), quality.flags));
        }
    }

    fn of(&self, flag: QualityFlag) -> usize {
        self.flagged.get(&flag).copied().unwrap_or_default()
    }

    fn row(&self, name: &str) -> String {
        let cells: Vec<String> = columns().map(|flag| self.of(flag).to_string()).collect();
        format!("| {name} | {} | {} |", self.clips, cells.join(" | "))
    }
}

/// Faults first. Of `resampled` and `short` the check knows nothing.
fn columns() -> impl Iterator<Item = QualityFlag> {
    let mut flags: Vec<QualityFlag> = QualityFlag::ALL.to_vec();
    flags.retain(|flag| !matches!(flag, QualityFlag::Resampled | QualityFlag::Short));
    flags.sort_by_key(|flag| !flag.is_sensor_fault());
    flags.into_iter()
}

fn print_head(of: &str) {
    let names: Vec<String> = columns().map(|flag| format!("`{}`", flag.as_str())).collect();
    println!("\n| {of} | clips | {} |", names.join(" | "));
    println!("|---|{}", "---:|".repeat(names.len() + 1));
}

/// Every preset at 600 to 3600 rpm, which has 3000 and 3600, the mains' own, in it; unbalance up to where hardly
/// anything else is left; as integers and as float in physical units.
#[test]
fn no_simulated_machine_is_hushed_at_any_shaft_speed() {
    print_head("simulated machines");
    for preset in &PRESETS {
        let mut checker = QualityChecker::new(&preset.spec());
        let mut count = Count::default();
        for rpm in (600..=3_600).step_by(60) {
            for strength in [0.0, 1.0, 4.0, 16.0] {
                for format in [Format::Bits16, Format::Bits24, Format::Float(9.81)] {
                    let clip = recorded(preset, f64::from(rpm) / 60.0, strength, format, u64::from(rpm as u32));
                    count.add(|| format!("{rpm} rpm, unbalance {strength}, {format:?}"), &mut checker, &clip);
                }
            }
        }
        println!("{}", count.row(preset.name));
        let hushed: usize =
            QualityFlag::ALL.into_iter().filter(|flag| flag.is_sensor_fault()).map(|flag| count.of(flag)).sum();
        assert_eq!(hushed, 0, "{}: {:#?}", preset.name, count.hushed);
        let untrue = [QualityFlag::WrongRate, QualityFlag::Processed, QualityFlag::Joins, QualityFlag::StartTransient];
        assert!(untrue.into_iter().all(|flag| count.of(flag) == 0), "{}: {:#?}", preset.name, count.hushed);
        // A rotor that turns at the mains' frequency, and of which nothing else is left, cannot be told from them.
        let may_hum = matches!(preset.quantity, Quantity::Sound | Quantity::Vibration);
        assert!(count.of(QualityFlag::MainsHum) <= if may_hum { 2 * 2 * 3 } else { 0 }, "{:#?}", count.hushed);
    }
}

/// Speeds that run up or hunt, strikes, modes that take turns: whatever moves in time and frequency is the machine's.
#[test]
fn no_simulated_machine_that_changes_is_hushed() {
    print_head("machines that change");
    for machine in &UNSTEADY {
        let mut count = Count::default();
        for rate_hz in [16_000, 44_100] {
            let mut checker = QualityChecker::new(&FeatureSpec::for_rate(rate_hz));
            for seed in 0..4 {
                count.add(|| format!("{rate_hz} Hz, {seed}"), &mut checker, &machine.recorded(rate_hz, seed));
            }
        }
        println!("{}", count.row(machine.name));
        let hushed: usize =
            QualityFlag::ALL.into_iter().filter(|flag| flag.is_sensor_fault()).map(|flag| count.of(flag)).sum();
        assert_eq!(hushed, 0, "{}: {:#?}", machine.name, count.hushed);
    }
}

/// A set, and what its sensors measure.
const SETS: [(&str, Quantity); 12] = [
    ("air-compressor", Quantity::Sound),
    ("air-compressor-6db", Quantity::Sound),
    ("air-compressor-0db", Quantity::Sound),
    ("air-compressor-0db-shift", Quantity::Sound),
    ("lathe", Quantity::Sound),
    ("mimii-fan-id00-0db", Quantity::Sound),
    ("dcase2020-fan", Quantity::Sound),
    ("dcase2020-pump", Quantity::Sound),
    ("dcase2020-slider", Quantity::Sound),
    ("bldc-motor", Quantity::Sound),
    ("cwru-bearing-48k", Quantity::Vibration),
    ("femto-bearings", Quantity::Vibration),
];

/// Every clip of the public sets, normal or abnormal: a machine's fault must never pass for the sensor's. Then every
/// fifth with each sensor fault. `AUSCULT_TEST_DATA` names a folder that holds some of the sets (see README,
/// "Recordings").
#[test]
fn no_recording_of_a_machine_is_hushed_and_sensor_faults_in_them_are_found() {
    let Some(data) = std::env::var_os("AUSCULT_TEST_DATA").map(PathBuf::from) else {
        println!("skipped: AUSCULT_TEST_DATA names no folder of recordings");
        return;
    };
    let mut rows = Vec::new();
    let mut flagged = Vec::new();
    let mut found: Vec<(usize, usize)> = vec![(0, 0); INJECTED.len()];
    for (set, quantity) in SETS {
        let mut count = Count::default();
        let files = recordings_below(&data.join(set));
        for (number, file) in files.iter().enumerate() {
            let content_type = content_type_of(&file.to_string_lossy()).unwrap();
            let whole = decode(content_type, &std::fs::read(file).unwrap()).unwrap();
            let spec = FeatureSpec { quantity: Some(quantity), ..FeatureSpec::for_rate(whole.sample_rate_hz) };
            let mut checker = QualityChecker::new(&spec);
            for (part, clip) in snapshots(set, whole).iter().enumerate() {
                count.add(|| format!("{}, {part}", file.display()), &mut checker, clip);
                if number % 5 == 0 && part % 500 == 0 && clip.duration_s() > 0.9 {
                    for (injected, (hit, of)) in INJECTED.iter().zip(&mut found) {
                        *of += 1;
                        *hit +=
                            usize::from(checker.check(&with(clip, injected)).unwrap().flags.contains(&injected.flag));
                    }
                }
            }
        }
        rows.push(count.row(set));
        flagged.extend(count.hushed);
    }
    print_head("recordings");
    rows.iter().for_each(|row| println!("{row}"));
    println!("\n| put into a clip | flag | clips | found |\n|---|---|---:|---:|");
    for (injected, (hit, of)) in INJECTED.iter().zip(&found) {
        println!("| {} | `{}` | {of} | {hit} |", injected.name, injected.flag.as_str());
    }
    assert!(flagged.is_empty(), "{} clips are flagged:\n{}", flagged.len(), flagged.join("\n"));
    for (injected, (hit, of)) in INJECTED.iter().zip(&found) {
        assert!(*hit as f64 >= 0.98 * *of as f64, "{}: {hit} of {of}", injected.name);
    }
}

/// A bearing's life is snapshots of 2,560 samples, back to back.
fn snapshots(set: &str, whole: Clip) -> Vec<Clip> {
    if set != "femto-bearings" {
        return vec![whole];
    }
    let (sample_rate_hz, step) = (whole.sample_rate_hz, whole.step);
    let snapshot = |samples: &[f32]| Clip { sample_rate_hz, channels: vec![samples.to_vec()], step, ..Clip::default() };
    whole.channels[0].chunks_exact(2_560).map(snapshot).collect()
}

fn recordings_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: {} is not there", folder.display());
        return Vec::new();
    };
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(recordings_below(&path));
        } else if content_type_of(&path.to_string_lossy()).is_some() {
            files.push(path);
        }
    }
    files.sort();
    files
}
