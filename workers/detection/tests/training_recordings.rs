//! What faults among the training clips cost, and that a clean training loses nothing. `AUSCULT_TEST_DATA` names the
//! folder that holds the recordings; what is not there is skipped. `AUSCULT_TEST_SEEDS` draws more often
//! (docs/training.md: 3).

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use auscult_detection::{
    ClipView, DetectorKind, Evaluation, ExclusionReason, Model, TrainingClip, TrainingOptions, TrainingSet, evaluate,
};
use auscult_features::{ChunkExtractor, content_type_of};
use auscult_schemas::FeatureSpec;
use candle_core::Device;
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::index::sample;

struct Recordings {
    train: Vec<TrainingClip>,
    normal: Vec<TrainingClip>,
    abnormal: Vec<TrainingClip>,
}

/// The recordings of a set; `None`, with a message, where they are not there.
fn recordings(name: &str) -> Option<Recordings> {
    let Some(data) = std::env::var_os("AUSCULT_TEST_DATA") else {
        println!("skipped: AUSCULT_TEST_DATA names no folder of recordings");
        return None;
    };
    let folder = PathBuf::from(data).join(name);
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(Recordings {
        train: read(&folder.join("train/normal")),
        normal: read(&folder.join("test/normal")),
        abnormal: read(&folder.join("test/abnormal")),
    })
}

fn read(folder: &Path) -> Vec<TrainingClip> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { paths.push(path) }
        }
    }
    paths.sort();
    let mut extractor = ChunkExtractor::new(FeatureSpec::default()).unwrap();
    paths
        .iter()
        .map(|path| {
            let content_type = content_type_of(&path.to_string_lossy()).unwrap_or_default();
            let features = extractor.extract(content_type, &std::fs::read(path).unwrap()).unwrap();
            let shape = (features.frames, features.mels);
            let channels = features.values.chunks_exact(features.frames * features.mels);
            TrainingClip {
                name: path.strip_prefix(folder).unwrap().display().to_string().replace('/', "_"),
                channels: channels.map(|channel| Array2::from_shape_vec(shape, channel.to_vec()).unwrap()).collect(),
                ..TrainingClip::default()
            }
        })
        .collect()
}

fn options(seed: u64, keep_all: bool) -> TrainingOptions {
    TrainingOptions { seed, keep_all, ..TrainingOptions::of(DetectorKind::Fused) }
}

struct Trained {
    figures: Evaluation,
    /// Names of the clips that were left out because the others do not explain them.
    foreign: Vec<String>,
}

fn trained(clips: Vec<TrainingClip>, of: &Recordings, abnormal: &[TrainingClip], options: &TrainingOptions) -> Trained {
    let set = TrainingSet::of(clips, options).unwrap();
    let package = set.train(options, &mut |_| ControlFlow::Continue(())).unwrap();
    let threshold = package.manifest().calibration.threshold;
    let model = Model::load(&package, &Device::Cpu).unwrap();
    let figures = evaluate(&scores(&model, &of.normal), &scores(&model, abnormal), threshold);
    let foreign = set.left_out.iter().filter(|out| matches!(out.reason, ExclusionReason::Foreign { .. }));
    if std::env::var_os("AUSCULT_TEST_TALK").is_some() {
        set.left_out.iter().for_each(|out| println!("    {}", out.in_words()));
        println!("    modes {:?} too many {:?}", set.modes, set.too_many_foreign);
    }
    Trained { figures, foreign: foreign.map(|out| out.name.clone()).collect() }
}

fn scores(model: &Model, clips: &[TrainingClip]) -> Vec<f64> {
    let score = |clip: &TrainingClip| {
        let values: Vec<f32> = clip.channels.iter().flatten().copied().collect();
        let (frames, mels) = clip.channels[0].dim();
        let view = ClipView { channels: clip.channels.len(), frames, mels, values: &values };
        model.judge(&[view]).unwrap().remove(0).score
    };
    clips.iter().map(score).collect()
}

fn recall(figures: &Evaluation) -> f64 {
    figures.abnormal_positive.recall
}

fn seeds() -> u64 {
    std::env::var("AUSCULT_TEST_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1)
}

/// Trains with a share of the faults among the normal clips, against the same training without them; the fall of
/// recall, mean over the draws.
fn fall_of_recall(name: &str, share: f64) -> Option<f64> {
    let of = recordings(name)?;
    let count = ((share / (1.0 - share) * of.train.len() as f64).round() as usize).max(1);
    let mut falls = 0.0;
    for seed in 1..=seeds() {
        let drawn: Vec<usize> = sample(&mut StdRng::seed_from_u64(seed), of.abnormal.len(), count).into_vec();
        let faults: Vec<TrainingClip> = drawn.iter().map(|index| of.abnormal[*index].clone()).collect();
        let rest: Vec<TrainingClip> = (0..of.abnormal.len())
            .filter(|index| !drawn.contains(index))
            .map(|index| of.abnormal[index].clone())
            .collect();
        let names: Vec<String> = faults.iter().map(|clip| clip.name.clone()).collect();
        let contaminated: Vec<TrainingClip> = of.train.iter().cloned().chain(faults).collect();
        let clean = trained(of.train.clone(), &of, &rest, &options(seed, true)).figures;
        let blind = trained(contaminated.clone(), &of, &rest, &options(seed, true)).figures;
        let Trained { figures, foreign } = trained(contaminated, &of, &rest, &options(seed, false));
        let named = foreign.iter().filter(|name| names.contains(name)).count();
        println!(
            "{name:<20} {count:>2} faults, seed {seed}: AUC {:.3} clean, {:.3} kept, {:.3}; recall {:.3}, {:.3}, {:.3}; false alarms {}, {}, {}; named {named} of {count} and {} others",
            clean.auc.unwrap(),
            blind.auc.unwrap(),
            figures.auc.unwrap(),
            recall(&clean),
            recall(&blind),
            recall(&figures),
            clean.false_alarms,
            blind.false_alarms,
            figures.false_alarms,
            foreign.len() - named,
        );
        falls += recall(&clean) - recall(&figures);
    }
    Some(falls / seeds() as f64)
}

#[test]
fn five_percent_faults_among_the_normal_clips_cost_hardly_any_recall() {
    for name in ["air-compressor", "air-compressor-6db", "air-compressor-0db"] {
        for share in [0.01, 0.05] {
            let fall = fall_of_recall(name, share);
            assert!(fall.is_none_or(|fall| fall <= 0.03), "{name}, {share}: {fall:?}");
        }
    }
}

#[test]
fn ten_percent_faults_among_the_normal_clips_cost_little_recall() {
    for name in ["air-compressor", "air-compressor-6db", "air-compressor-0db"] {
        let fall = fall_of_recall(name, 0.1);
        assert!(fall.is_none_or(|fall| fall <= 0.08), "{name}: {fall:?}");
    }
}

#[test]
fn a_clean_training_loses_nothing() {
    let sets = [
        "air-compressor",
        "air-compressor-6db",
        "air-compressor-0db",
        "dcase2020-slider",
        "mimii-fan-id00-0db",
        "lathe",
        "bldc-motor",
        "cwru-bearing-48k",
    ];
    for name in sets {
        let Some(of) = recordings(name) else { continue };
        let all = trained(of.train.clone(), &of, &of.abnormal, &options(1, true)).figures;
        let Trained { figures, foreign } = trained(of.train.clone(), &of, &of.abnormal, &options(1, false));
        println!(
            "{name:<20} AUC {:.3}, {:.3}; recall {:.3}, {:.3}; false alarms {}, {} of {}; named {foreign:?} of {}",
            all.auc.unwrap(),
            figures.auc.unwrap(),
            recall(&all),
            recall(&figures),
            all.false_alarms,
            figures.false_alarms,
            figures.n_normal,
            of.train.len(),
        );
        assert!(figures.auc.unwrap() >= all.auc.unwrap() - 0.001, "{name}");
        assert!(recall(&figures) >= recall(&all), "{name}");
        assert!(figures.false_alarms <= all.false_alarms, "{name}");
    }
}
