//! Whole lives: a fault that grows is alarmed before the end, and a machine that stays well is not.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use auscult_detection::{DetectorKind, HoldOut, TrainingOptions, WatchPolicy};
use auscult_evaluation::lives::{Life, LifeOptions, Playback, play, recordings};
use auscult_schemas::FeatureSpec;
use auscult_simulator::{Condition, Fault, Machine, MachineKind, SAMPLE_RATE_HZ, wav_bytes};
use jiff::SignedDuration;

const SNAPSHOTS: u64 = 250;
const SNAPSHOT_SAMPLES: usize = 8_000;

fn options(rate_hz: u32, samples: usize) -> LifeOptions {
    LifeOptions {
        snapshot_samples: samples,
        every: SignedDuration::from_secs(20),
        train_share: 0.1,
        training: TrainingOptions {
            spec: FeatureSpec { n_mels: LifeOptions::FEW_BANDS, ..FeatureSpec::for_short_clips(rate_hz, samples) },
            hold_out: HoldOut::Folds(2),
            ..TrainingOptions::of(DetectorKind::Fused)
        },
        watch: WatchPolicy::default(),
    }
}

fn play_quietly(path: &Path, options: &LifeOptions) -> anyhow::Result<Life> {
    play(path, options, &Playback { interrupted: &AtomicBool::new(false), on_snapshot: &|_| (), on_note: &|_| () })
}

/// A fan whose bearing begins to wear after `onset` of its life and is broken at its end.
fn fan(folder: &Path, name: &str, onset: Option<f64>) -> PathBuf {
    let machine = Machine::new(MachineKind::Fan, name, 7);
    let mut samples = Vec::new();
    for index in 0..SNAPSHOTS {
        let age = index as f64 / SNAPSHOTS as f64;
        let condition = match onset {
            Some(onset) if age > onset => Condition::faulty(Fault::BearingWear, (age - onset) / (1.0 - onset)),
            _ => Condition::NORMAL,
        };
        samples.extend_from_slice(&machine.chunk(index, condition)[..SNAPSHOT_SAMPLES]);
    }
    let path = folder.join(format!("{name}.wav"));
    std::fs::write(&path, wav_bytes(&samples, SAMPLE_RATE_HZ)).unwrap();
    path
}

fn played(path: &Path, options: &LifeOptions) -> Life {
    play_quietly(path, options).unwrap()
}

#[test]
fn a_bearing_that_wears_is_alarmed_before_its_end_and_one_that_does_not_never() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(SAMPLE_RATE_HZ, SNAPSHOT_SAMPLES);
    let worn = played(&fan(folder.path(), "worn", Some(0.5)), &options);
    assert_eq!((worn.snapshots, worn.trained_on), (250, 25));
    assert_eq!(worn.alarms_in_first_half(), 0, "{:?}", worn.alarms);
    let lead_s = worn.lead_s().unwrap();
    assert!((250.0..2_500.0).contains(&lead_s), "half of 5,000 s of life it wears; alarmed {lead_s} s before the end");
    assert_eq!(worn.alarms.last().unwrap().to_s, None, "it stands to the end");
    let well = played(&fan(folder.path(), "well", None), &options);
    assert_eq!((well.alarms.as_slice(), well.lead_s()), (&[][..], None));
}

#[test]
fn a_life_too_short_to_learn_from_and_a_folder_without_any_are_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = recordings(folder.path(), SNAPSHOT_SAMPLES).unwrap_err().to_string();
    assert!(refusal.contains("one recording a life"), "{refusal}");
    let short = folder.path().join("short.wav");
    std::fs::write(&short, wav_bytes(&[0.1; 30 * SNAPSHOT_SAMPLES], SAMPLE_RATE_HZ)).unwrap();
    let refusal = play_quietly(&short, &options(SAMPLE_RATE_HZ, SNAPSHOT_SAMPLES)).unwrap_err();
    assert!(
        refusal.to_string().contains("3 of its 30 snapshots") && refusal.to_string().contains("--train"),
        "{refusal}"
    );
    assert_eq!(recordings(&short, SNAPSHOT_SAMPLES).unwrap(), std::slice::from_ref(&short));
}

/// The FEMTO-ST bearings (PRONOSTIA, IEEE PHM 2012): 0.1 s of acceleration each 20 s, from new to broken.
#[test]
fn no_real_bearing_is_alarmed_in_the_first_half_of_its_life_and_most_are_before_its_end() {
    let Some(folder) = std::env::var_os("AUSCULT_TEST_DATA").map(|root| Path::new(&root).join("femto-bearings")) else {
        eprintln!("skipped: set AUSCULT_TEST_DATA to a folder that holds femto-bearings");
        return;
    };
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let lives: Vec<Life> =
        recordings(&folder, 2_560).unwrap().iter().map(|path| played(path, &options(25_600, 2_560))).collect();
    for life in &lives {
        println!("{}: {:.0} s, alarms {:?}", life.machine, life.length_s, life.alarms);
        assert_eq!(life.alarms_in_first_half(), 0, "{}", life.machine);
    }
    assert!(lives.iter().filter(|life| life.lead_s().is_some()).count() >= 4);
}

/// 120 files, numbered as recorders number them: 1.wav to 120.wav.
#[test]
fn a_folder_of_snapshots_is_one_life_in_the_order_of_its_numbers_and_a_bad_one_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let life = folder.path().join("pump");
    std::fs::create_dir(&life).unwrap();
    let machine = Machine::new(MachineKind::Fan, "pump", 7);
    for index in 0..120_u64 {
        let condition = if index < 80 {
            Condition::NORMAL
        } else {
            Condition::faulty(Fault::BearingWear, (index - 79) as f64 / 40.0)
        };
        let samples = &machine.chunk(index, condition)[..SNAPSHOT_SAMPLES];
        std::fs::write(life.join(format!("{}.wav", index + 1)), wav_bytes(samples, SAMPLE_RATE_HZ)).unwrap();
    }
    std::fs::write(life.join("60.wav"), b"not a recording").unwrap();
    assert_eq!(recordings(&life, SNAPSHOT_SAMPLES).unwrap(), std::slice::from_ref(&life));
    assert_eq!(recordings(folder.path(), SNAPSHOT_SAMPLES).unwrap(), std::slice::from_ref(&life));

    let options = LifeOptions { train_share: 0.25, ..options(SAMPLE_RATE_HZ, SNAPSHOT_SAMPLES) };
    let played = played(&life, &options);
    assert_eq!((played.machine.as_str(), played.snapshots, played.bad_snapshots), ("pump", 119, 1));
    assert_eq!(played.length_s, 120.0 * 20.0, "the bad one's time passes");
    assert_eq!(played.alarms_in_first_half(), 0, "by letters, 100.wav would be the second: {:?}", played.alarms);
    assert!(played.lead_s().is_some_and(|lead_s| lead_s < 800.0), "{:?}", played.alarms);
}
