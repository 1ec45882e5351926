//! Warnings about a machine's recordings, before training or evaluation.

use std::collections::{BTreeMap, BTreeSet};

use auscult_detection::MIN_CLIPS;
use auscult_recordings::signal_findings::signal_findings;
use auscult_schemas::QualityFlag;

use super::group::{GroupKind, Machine, tally};
use super::recording::Recording;

/// With fewer training clips, the threshold depends on a few held-out scores: at 50, the shape parameter of a gamma
/// distribution has a standard error of a fifth of its value.
const FEW_TRAINING_CLIPS: usize = 50;
/// With fewer test clips of a class, one clip changes its rate by more than ten percentage points.
const FEW_TEST_CLIPS: usize = 10;
/// Maximum number of clips listed by name; the others are counted.
const NAMED: usize = 3;

/// The warnings of a machine, the most serious first; empty if there are none.
#[must_use]
pub fn warnings(machine: &Machine) -> Vec<String> {
    let mut found = Vec::new();
    unreadable(machine, &mut found);
    counts(machine, &mut found);
    quality(machine, &mut found);
    formats(machine, &mut found);
    twice(machine, &mut found);
    found.extend(machine.training.iter().cloned());
    found
}

fn unreadable(machine: &Machine, found: &mut Vec<String>) {
    let failures: Vec<&str> = machine.groups.iter().flat_map(|group| &group.unreadable).map(String::as_str).collect();
    if !failures.is_empty() {
        let clips = clips(failures.len());
        found.push(format!("{clips} cannot be used: {}. Mend or remove them", named(&failures, "; ")));
    }
}

fn counts(machine: &Machine, found: &mut Vec<String>) {
    let train = machine.count(|kind| *kind == GroupKind::TrainNormal);
    let test_normal = machine.count(|kind| *kind == GroupKind::TestNormal);
    let abnormal = machine.count(GroupKind::is_abnormal);
    if train == 0 {
        found.push("no normal clips to train with: put recordings of the healthy machine into train/normal".to_owned());
    } else if train < MIN_CLIPS {
        found.push(format!("too few clips: {} to train with, and training needs at least {MIN_CLIPS}", clips(train)));
    } else if train < FEW_TRAINING_CLIPS {
        found.push(format!(
            "few clips: {} to train with; below {FEW_TRAINING_CLIPS} the threshold is a rough one",
            clips(train)
        ));
    }
    // No abnormal clips at all is not a mistake: the machine has never failed.
    if test_normal + abnormal > 0 {
        for (count, kind) in [(test_normal, "normal"), (abnormal, "abnormal")] {
            if count == 0 {
                found.push(format!("no {kind} clips to test with: evaluation needs some of both kinds"));
            } else if count < FEW_TEST_CLIPS {
                found.push(format!(
                    "few clips: {} of {kind} sound to test with; one of them moves its rate by {:.0} percentage points",
                    clips(count),
                    100.0 / count as f64
                ));
            }
        }
    }
}

fn quality(machine: &Machine, found: &mut Vec<String>) {
    let recordings: Vec<(&str, &[QualityFlag])> =
        machine.recordings().map(|recording| (recording.name.as_str(), recording.quality.as_slice())).collect();
    found.extend(signal_findings(&recordings));
}

fn formats(machine: &Machine, found: &mut Vec<String>) {
    let rates: BTreeSet<u32> = machine.recordings().map(|recording| recording.sample_rate_hz).collect();
    if rates.len() > 1 {
        let rates = tally(machine.recordings().map(|recording| recording.sample_rate_hz), |rate| format!("{rate} Hz"));
        found.push(format!(
            "mixed sample rates: {rates}. All are resampled to one, but a low rate leaves the high bands empty, which a model hears"
        ));
    }
    let channels: BTreeSet<usize> = machine.recordings().map(|recording| recording.channels).collect();
    if channels.len() > 1 {
        let channels = tally(machine.recordings().map(|recording| recording.channels), |channels| channels.to_string());
        found.push(format!("mixed numbers of channels: {channels}. Scores of one channel and of several differ"));
    }
}

/// Identical files: if one is used for training and the other for testing, the metrics are too good.
fn twice(machine: &Machine, found: &mut Vec<String>) {
    let mut by_hash: BTreeMap<u64, Vec<&Recording>> = BTreeMap::new();
    for recording in machine.recordings() {
        by_hash.entry(recording.file_hash).or_default().push(recording);
    }
    let copies: Vec<String> = by_hash
        .values()
        .filter(|same| same.len() > 1)
        .map(|same| same.iter().map(|recording| recording.name.as_str()).collect::<Vec<_>>().join(" = "))
        .collect();
    if !copies.is_empty() {
        let copies: Vec<&str> = copies.iter().map(String::as_str).collect();
        found.push(format!(
            "the same recording under several names ({}): one that is trained on and tested on flatters the figures",
            named(&copies, "; ")
        ));
    }
}

fn clips(count: usize) -> String {
    if count == 1 { "1 clip".to_owned() } else { format!("{count} clips") }
}

fn named(names: &[&str], between: &str) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(between);
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}
