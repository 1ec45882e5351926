//! Reads recordings for a command, with a progress bar, and reports problems on standard error.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use auscult_detection::TrainingClip;
use auscult_recordings::clips::{self, Clip, Reading, refuse_too_many_bad};
use auscult_recordings::dataset::Dataset;
use auscult_recordings::natural_order::undo_shell_order;
use auscult_recordings::training_findings::TrainingFindings;
use auscult_schemas::FeatureSpec;

use crate::progress;

/// Prints the notes on a data set on standard error.
pub(super) fn print_notes(dataset: &Dataset) {
    dataset.notes().for_each(|note| eprintln!("{note}"));
}

/// The files of a command line in the order of recording. If the shell sorted them differently, prints this on standard
/// error.
pub(super) fn in_recorded_order(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut ordered = paths.to_vec();
    if undo_shell_order(&mut ordered) {
        eprintln!(
            "note: the files were given as the shell sorts them (1, 10, 2); they are taken in the order of their numbers (1, 2, 10)"
        );
    }
    ordered
}

/// [`clips::read_clips`] with a progress bar.
pub(super) fn read_clips(
    paths: &[PathBuf],
    spec: &FeatureSpec,
    what: &str,
    interrupted: &AtomicBool,
) -> anyhow::Result<Vec<anyhow::Result<Clip>>> {
    with_bar(paths.len(), what, interrupted, |reading| clips::read_clips(paths, spec, reading))
}

/// [`clips::read_training_clips`] with a progress bar.
pub(super) fn read_training_clips(
    paths: &[PathBuf],
    spec: &FeatureSpec,
    what: &str,
    interrupted: &AtomicBool,
) -> anyhow::Result<Vec<anyhow::Result<Clip>>> {
    with_bar(paths.len(), what, interrupted, |reading| clips::read_training_clips(paths, spec, reading))
}

/// Shows a progress bar of `count` recordings while `read` reads them.
pub(super) fn with_bar<T>(
    count: usize,
    what: &str,
    interrupted: &AtomicBool,
    read: impl FnOnce(&Reading<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let bar = progress::bar(count as u64, what);
    let result = read(&Reading { what, interrupted, on_read: &|| bar.inc(1) });
    bar.finish_and_clear();
    result
}

/// Reads the clips and excludes unusable ones by the same rules as `train`: clips that cannot be read, faulty
/// microphones, too low sample rates. Prints the findings on standard error.
pub(super) fn training_clips(
    paths: &[PathBuf],
    spec: &FeatureSpec,
    chosen: Option<&[usize]>,
    interrupted: &AtomicBool,
) -> anyhow::Result<Vec<TrainingClip>> {
    let read = clips::with_channels(read_training_clips(paths, spec, "normal recordings", interrupted)?, chosen);
    let findings = TrainingFindings::of(read, spec);
    findings.signals.iter().chain(&findings.lines).for_each(|line| eprintln!("{line}"));
    findings.into_clips()
}

/// Keeps the readable clips, reports each unreadable one on standard error, and fails if more than one in ten is
/// unreadable.
///
/// # Errors
/// If too many clips are unreadable: a model or metric from the rest would be misleading.
pub(super) fn keep_good<T>(clips: Vec<anyhow::Result<T>>) -> anyhow::Result<Vec<T>> {
    let all = clips.len();
    let mut good = Vec::with_capacity(all);
    let mut bad = 0;
    for clip in clips {
        match clip {
            Ok(clip) => good.push(clip),
            Err(error) => {
                bad += 1;
                eprintln!("skipped: {error:#}");
            }
        }
    }
    refuse_too_many_bad(bad, all)?;
    if bad > 0 {
        eprintln!("skipped {bad} of {all} clips");
    }
    Ok(good)
}

#[cfg(test)]
mod tests {
    use auscult_simulator::{SAMPLE_RATE_HZ, wav_bytes};

    use super::*;

    #[test]
    fn one_bad_clip_in_ten_is_skipped_and_two_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let mut paths: Vec<PathBuf> = (0..10).map(|index| folder.path().join(format!("{index}.wav"))).collect();
        for path in &paths {
            std::fs::write(path, wav_bytes(&[0.1; 16_000], SAMPLE_RATE_HZ)).unwrap();
        }
        let read = |paths: &[PathBuf]| {
            let clips = read_clips(paths, &FeatureSpec::default(), "clips", &AtomicBool::new(false)).unwrap();
            keep_good(clips)
        };
        std::fs::write(&paths[3], b"no sound").unwrap();
        let good = read(&paths).unwrap();
        paths.remove(3);
        assert_eq!(good.iter().map(|clip| clip.path.clone()).collect::<Vec<_>>(), paths, "the order is kept");
        std::fs::write(&paths[5], b"no sound either").unwrap();
        let refusal = read(&paths[..8]).unwrap_err().to_string();
        assert!(refusal.contains("1 of 8"), "{refusal}");
    }
}
