//! Compares detectors on the data sets of a folder, each trained with several seeds.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use auscult_detection::{
    DetectorKind, DeviceChoice, Evaluation, Model, TrainingClip, TrainingOptions, evaluate, open_device, train,
};
use auscult_recordings::clips::Clip;
use auscult_recordings::dataset::{Dataset, DatasetError};
use auscult_schemas::{FeatureSpec, ModelId};
use serde::Serialize;

use crate::judging::{judge_in_batches, left_out};

/// A detector in the comparison.
#[derive(Debug, Clone, Copy)]
pub struct Contender {
    /// Its name.
    pub name: &'static str,
    options: fn() -> TrainingOptions,
}

impl Contender {
    /// Its training options and feature spec.
    #[must_use]
    pub fn options(&self) -> TrainingOptions {
        (self.options)()
    }
}

static CONTENDERS: [Contender; 9] = [
    Contender { name: "reference", options: reference },
    Contender { name: "autoencoder", options: TrainingOptions::default },
    Contender { name: "wide", options: || wide(DetectorKind::Wide) },
    Contender { name: "wide-mahalanobis", options: || wide(DetectorKind::WideMahalanobis) },
    Contender { name: "convolutional", options: || TrainingOptions::of(DetectorKind::Convolutional) },
    Contender { name: "fused", options: || TrainingOptions::of(DetectorKind::Fused) },
    Contender { name: "pooled", options: || TrainingOptions::of(DetectorKind::Pooled) },
    Contender { name: "gmm", options: || TrainingOptions::of(DetectorKind::Gmm) },
    Contender { name: "knn", options: || TrainingOptions::of(DetectorKind::Knn) },
];

fn reference() -> TrainingOptions {
    TrainingOptions { spec: FeatureSpec::reference_method(), standardise: false, ..TrainingOptions::default() }
}

/// The detectors with these names, or all if the list is empty.
///
/// # Errors
/// If a name is unknown.
pub fn contenders(names: &[String]) -> anyhow::Result<Vec<&'static Contender>> {
    let known: Vec<&str> = CONTENDERS.iter().map(|contender| contender.name).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("--detectors {name} is none: choose from {}", known.join(", "));
    }
    let is_wanted = |contender: &&Contender| names.is_empty() || names.iter().any(|name| name == contender.name);
    Ok(CONTENDERS.iter().filter(is_wanted).collect())
}

/// With the spectrograms of DCASE's baseline: 128 mel bands, five frames per vector.
fn wide(detector: DetectorKind) -> TrainingOptions {
    TrainingOptions {
        spec: FeatureSpec { n_mels: 128, n_fft: 1024, hop_length: 512, frames: 5, ..FeatureSpec::default() },
        ..TrainingOptions::of(detector)
    }
}

/// A data set, and the set on which its models are trained.
#[derive(Debug, Clone)]
pub struct ComparedSet {
    /// Its folder's name.
    pub name: String,
    test: Dataset,
    train: Dataset,
}

/// One training run and its result.
struct Trial {
    evaluation: Evaluation,
    train_s: f64,
    model_bytes: usize,
}

/// A detector's metrics on a data set.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The data set.
    pub set: String,
    /// The detector.
    pub detector: &'static str,
    /// Number of training runs.
    pub seeds: usize,
    /// Area under the ROC curve.
    pub auc: Spread,
    /// The same up to a false-positive rate of 0.1.
    pub pauc: Spread,
    /// F1 at the threshold, with the abnormal class as positive.
    pub f1: Spread,
    /// Normal clips classified as abnormal, mean over the seeds.
    pub false_alarms: f64,
    /// Normal test clips.
    pub n_normal: usize,
    /// Abnormal test clips.
    pub n_abnormal: usize,
    /// Mean duration of a training run, s.
    pub train_s: f64,
    /// A model's size, bytes.
    pub model_bytes: usize,
}

/// A metric over several seeds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// Half the range from the lowest to the highest.
    pub half_range: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let (low, high) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
        Self { mean: values.iter().sum::<f64>() / values.len() as f64, half_range: (high - low) / 2.0 }
    }
}

/// The data sets of a folder, in the order of their names; if `only` is not empty, those whose names contain one of its
/// entries. `on_note` is called with a line for each set without training clips.
///
/// # Errors
/// If the folder cannot be listed, or contains no data set.
pub fn compared_sets(
    folder: &Path,
    only: &[String],
    on_note: &mut dyn FnMut(&str),
) -> anyhow::Result<Vec<ComparedSet>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot list {}: give a folder that holds one folder a data set", folder.display()))?;
    let mut found: BTreeMap<String, Dataset> = BTreeMap::new();
    for entry in entries {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir()
            && let Ok(dataset) = Dataset::discover(&path)
        {
            found.insert(name, dataset);
        }
    }
    let mut sets = Vec::new();
    for (name, dataset) in &found {
        let is_wanted = only.is_empty() || only.iter().any(|text| name.contains(text.as_str()));
        if !is_wanted || dataset.check_testable().is_err() {
            continue;
        }
        let relatives = found.iter().filter(|(other, _)| name.starts_with(other.as_str()));
        let trainable = relatives.filter(|(_, relative)| relative.training_clips().is_ok());
        // The longest name that is a prefix of this one: its own, if it has training clips.
        match trainable.max_by_key(|(other, _)| other.len()) {
            Some((_, train)) => {
                sets.push(ComparedSet { name: name.clone(), test: dataset.clone(), train: train.clone() });
            }
            None => on_note(&format!("skipped: {name} has nothing to train with")),
        }
    }
    if sets.is_empty() {
        bail!("no data set in {}: each is a folder with train/normal, test/normal and test/abnormal", folder.display());
    }
    Ok(sets)
}

impl ComparedSet {
    /// Normal training clips.
    ///
    /// # Errors
    /// If there are none.
    pub fn training_paths(&self) -> Result<Vec<PathBuf>, DatasetError> {
        self.train.training_clips()
    }

    /// Normal test clips.
    #[must_use]
    pub fn normal_paths(&self) -> Vec<PathBuf> {
        self.test.machines.iter().flat_map(|machine| machine.test_normal.iter().cloned()).collect()
    }

    /// Abnormal test clips.
    #[must_use]
    pub fn abnormal_paths(&self) -> Vec<PathBuf> {
        self.test
            .machines
            .iter()
            .flat_map(|machine| machine.test_abnormal.iter().map(|clip| clip.path.clone()))
            .collect()
    }
}

/// A data set's clips, read for a detector's spec.
#[derive(Debug)]
pub struct SetClips {
    /// Training clips.
    pub training: Vec<TrainingClip>,
    /// Normal test clips.
    pub normal: Vec<Clip>,
    /// Abnormal test clips.
    pub abnormal: Vec<Clip>,
}

/// Settings of a comparison.
#[derive(Clone, Copy)]
pub struct Comparison<'a> {
    /// Training runs of each detector, with seeds from 1 on.
    pub seeds: u64,
    /// Target share of normal clips with scores above the threshold.
    pub false_alarm_rate: f64,
    /// Called after each training run.
    pub on_trial: &'a dyn Fn(),
    /// Called with a line for each excluded clip.
    pub on_note: &'a dyn Fn(&str),
}

impl Comparison<'_> {
    /// Trains a detector on a set with every seed, and tests it.
    ///
    /// # Errors
    /// If it cannot be trained.
    pub fn run(&self, set: &ComparedSet, contender: &Contender, clips: &SetClips) -> anyhow::Result<Row> {
        let mut trials = Vec::new();
        for seed in 1..=self.seeds {
            let options = TrainingOptions {
                seed,
                model_id: ModelId(set.name.clone()),
                false_alarm_rate: self.false_alarm_rate,
                ..contender.options()
            };
            let begun = Instant::now();
            let package = train(&clips.training, &options, &mut |_| ControlFlow::Continue(()))
                .with_context(|| format!("training {} on {}", contender.name, set.name))?;
            let train_s = begun.elapsed().as_secs_f64();
            let model = Model::load(&package, &open_device(DeviceChoice::Cpu)?.device)?;
            let threshold = package.manifest().calibration.threshold;
            let (normal, abnormal) = (self.scores(&model, &clips.normal)?, self.scores(&model, &clips.abnormal)?);
            let evaluation = evaluate(&normal, &abnormal, threshold);
            trials.push(Trial { evaluation, train_s, model_bytes: package.to_bytes()?.len() });
            (self.on_trial)();
        }
        Ok(row(set, contender, &trials))
    }

    fn scores(&self, model: &Model, clips: &[Clip]) -> anyhow::Result<Vec<f64>> {
        let judgements = judge_in_batches(model, clips)?;
        for (clip, _) in clips.iter().zip(&judgements).filter(|(_, judgement)| judgement.is_none()) {
            (self.on_note)(&left_out(clip));
        }
        Ok(judgements.into_iter().flatten().map(|healthy| healthy.judgement.score).collect())
    }
}

fn row(set: &ComparedSet, contender: &Contender, trials: &[Trial]) -> Row {
    let spread = |figure: fn(&Evaluation) -> f64| {
        Spread::of(&trials.iter().map(|trial| figure(&trial.evaluation)).collect::<Vec<_>>())
    };
    let mean = |figure: fn(&Trial) -> f64| trials.iter().map(figure).sum::<f64>() / trials.len() as f64;
    let first = &trials[0];
    Row {
        set: set.name.clone(),
        detector: contender.name,
        seeds: trials.len(),
        auc: spread(|evaluation| evaluation.auc.unwrap_or(f64::NAN)),
        pauc: spread(|evaluation| evaluation.pauc.unwrap_or(f64::NAN)),
        f1: spread(|evaluation| evaluation.abnormal_positive.f1),
        false_alarms: mean(|trial| trial.evaluation.false_alarms as f64),
        n_normal: first.evaluation.n_normal,
        n_abnormal: first.evaluation.n_abnormal,
        train_s: mean(|trial| trial.train_s),
        model_bytes: first.model_bytes,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use auscult_recordings::clips::{Reading, read_clips, read_training_clips};
    use auscult_simulator::{SAMPLE_RATE_HZ, wav_bytes};

    use super::*;

    fn tone(seed: u32, hz: f32) -> Vec<u8> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let samples: Vec<f32> = (0..8_000)
            .map(|index| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 8) as f32 / 16_777_216.0 - 0.5;
                0.2 * (std::f32::consts::TAU * hz * index as f32 / SAMPLE_RATE_HZ as f32).sin() + 0.1 * noise
            })
            .collect();
        wav_bytes(&samples, SAMPLE_RATE_HZ)
    }

    fn write(folder: &Path, kind: &str, count: u32, first: u32, hz: f32) {
        let folder = folder.join(kind);
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..count {
            std::fs::write(folder.join(format!("{number}.wav")), tone(first + number, hz)).unwrap();
        }
    }

    #[test]
    fn a_set_without_training_clips_is_tested_with_its_relative_s_models() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["pump", "pump-moved", "valve"] {
            write(&folder.path().join(name), "test/normal", 4, 100, 440.0);
            write(&folder.path().join(name), "test/abnormal", 4, 200, 880.0);
        }
        write(&folder.path().join("pump"), "train/normal", 12, 0, 440.0);
        let sets = compared_sets(folder.path(), &[], &mut |_| ()).unwrap();
        let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["pump", "pump-moved"], "the valve has nothing to train with");
        assert_eq!(sets[1].training_paths().unwrap().len(), 12);

        let contender = Contender { name: "fused", options: || TrainingOptions::of(DetectorKind::Fused) };
        let spec = contender.options().spec;
        let interrupted = AtomicBool::new(false);
        let reading = Reading { what: "clips", interrupted: &interrupted, on_read: &|| () };
        let read = |paths: &[PathBuf]| -> Vec<Clip> {
            read_clips(paths, &spec, &reading).unwrap().into_iter().map(Result::unwrap).collect()
        };
        let training = read_training_clips(&sets[1].training_paths().unwrap(), &spec, &reading).unwrap();
        let clips = SetClips {
            training: training.into_iter().map(|clip| clip.unwrap().to_training().unwrap()).collect(),
            normal: read(&sets[1].normal_paths()),
            abnormal: read(&sets[1].abnormal_paths()),
        };
        let comparison = Comparison { seeds: 2, false_alarm_rate: 0.01, on_trial: &|| (), on_note: &|_| () };
        let row = comparison.run(&sets[1], &contender, &clips).unwrap();
        assert!(row.auc.mean > 0.99 && row.seeds == 2 && row.n_abnormal == 4, "{row:?}");
    }
}
