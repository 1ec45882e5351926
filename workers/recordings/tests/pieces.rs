//! Pieces of one recording: found in what was cut from long recordings, and not in sets whose clips are recordings of
//! their own.
//!
//! Needs real recordings; this prints the table:
//! `AUSCULT_TEST_DATA=… cargo test --release -p auscult-recordings --test pieces -- --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::{Path, PathBuf};

use auscult_detection::pieces::{Pieces, Trace, pieces};
use auscult_features::decode;
use auscult_recordings::clips::{recordings_in, trace_of};
use auscult_simulator::{Condition, Machine, MachineKind, SAMPLE_RATE_HZ, wav_bytes};

fn found(clips: &[(String, Trace)]) -> Pieces {
    pieces(&clips.iter().map(|(name, trace)| (name.as_str(), Some(trace))).collect::<Vec<_>>())
}

fn samples(path: &Path) -> Vec<Vec<f32>> {
    decode("", &std::fs::read(path).unwrap()).unwrap().channels
}

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("AUSCULT_TEST_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: AUSCULT_TEST_DATA is not set");
    }
    folder
}

#[test]
fn sets_of_recordings_of_their_own_stay_so() {
    let Some(data) = data() else { return };
    let sets = [
        "air-compressor",
        "air-compressor-0db",
        "air-compressor-6db",
        "bldc-motor",
        "dcase2020-slider",
        "lathe",
        "mimii-fan-id00-0db",
    ];
    let folders = sets.iter().flat_map(|set| [format!("{set}/train/normal"), format!("{set}/test/normal")]);
    for folder in folders.chain(["dcase2020-fan", "dcase2020-pump"].map(|set| format!("{set}/test/normal"))) {
        let clips: Vec<(String, Trace)> = recordings_in(&data.join(&folder))
            .unwrap()
            .iter()
            .map(|path| (path.display().to_string(), trace_of(&samples(path))))
            .collect();
        let pieces = found(&clips);
        println!("| {folder} | {} clips | {} recordings | {} |", clips.len(), pieces.recordings(), pieces.in_words());
        assert_eq!(pieces.recordings(), clips.len(), "{folder}: {}", pieces.in_words());
    }
}

/// Each recording cut into pieces of so many seconds, without a gap and with an overlap of a quarter.
#[test]
fn what_was_cut_from_long_recordings_is_found() {
    let Some(data) = data() else { return };
    for (set, piece_s) in
        [("mimii-fan-id00-0db", 1.0), ("dcase2020-slider", 1.0), ("dcase2020-pump", 1.0), ("bldc-motor", 1.0)]
    {
        let folder = ["train/normal", "test/normal"]
            .map(|part| data.join(set).join(part))
            .into_iter()
            .find(|part| part.is_dir());
        let paths: Vec<PathBuf> = recordings_in(&folder.unwrap()).unwrap().into_iter().take(8).collect();
        for overlap in [0.0, 0.25] {
            let (mut clips, mut source) = (Vec::new(), Vec::new());
            for (number, path) in paths.iter().enumerate() {
                let whole = samples(path);
                let len = (piece_s * 16_000.0) as usize;
                let step = (len as f64 * (1.0 - overlap)) as usize;
                for (index, start) in (0..whole[0].len() - len + 1).step_by(step).enumerate() {
                    let piece: Vec<Vec<f32>> =
                        whole.iter().map(|channel| channel[start..start + len].to_vec()).collect();
                    clips.push((format!("{number}_{index:03}.wav"), trace_of(&piece)));
                    source.push(number);
                }
            }
            let pieces = found(&clips);
            let joined = (0..clips.len()).filter(|clip| pieces.recording_of[*clip] != *clip).count();
            let wrong = (0..clips.len()).filter(|clip| source[pieces.recording_of[*clip]] != source[*clip]).count();
            let most = clips.len() - paths.len();
            println!(
                "| {set} | {} pieces of {} | overlap {overlap} | {joined} of {most} joined | {wrong} wrongly |",
                clips.len(),
                paths.len()
            );
            assert_eq!(wrong, 0, "{set}");
            if overlap > 0.0 {
                assert_eq!(joined, most, "{set}");
            }
        }
    }
}

#[test]
fn chunks_of_a_simulated_machine_are_recordings_of_their_own() {
    for kind in [MachineKind::Fan, MachineKind::Pump, MachineKind::Valve] {
        let machine = Machine::new(kind, "m", 7);
        let clip = |index: u64| {
            let wav = wav_bytes(&machine.chunk(index, Condition::default()), SAMPLE_RATE_HZ);
            (format!("{index:03}.wav"), trace_of(&decode("audio/wav", &wav).unwrap().channels))
        };
        let clips: Vec<(String, Trace)> = (0..40).map(clip).collect();
        let pieces = found(&clips);
        assert_eq!(pieces.recordings(), 40, "{kind:?}: {}", pieces.in_words());
    }
}
