//! What the detectors of pooled log-mels promise: `pooled`, `gmm`, `knn`.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::collections::HashMap;
use std::ops::ControlFlow;

use auscult_detection::{
    ClipView, DetectorKind, DetectorParameters, HoldOut, Judgement, Model, ModelPackage, PooledParameters,
    TrainingClip, TrainingOptions, Weights, train,
};
use candle_core::Device;
use ndarray::Array2;
use safetensors::SafeTensors;
use support::{log_mel, options};

const KINDS: [DetectorKind; 3] = [DetectorKind::Pooled, DetectorKind::Gmm, DetectorKind::Knn];

fn clips(count: u64, channels: u64) -> Vec<TrainingClip> {
    (0..count)
        .map(|seed| TrainingClip {
            name: format!("normal-{seed}.wav"),
            channels: (0..channels).map(|channel| log_mel(seed + 10_000 * channel, 60, 0.0)).collect(),
            ..TrainingClip::default()
        })
        .collect()
}

fn trained(detector: DetectorKind, clips: &[TrainingClip]) -> ModelPackage {
    let options = TrainingOptions { detector, ..options() };
    train(clips, &options, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn judge(model: &Model, clip: &Array2<f32>) -> Judgement {
    let (frames, mels) = clip.dim();
    model.judge(&[ClipView { channels: 1, frames, mels, values: clip.as_slice().unwrap() }]).unwrap().remove(0)
}

fn model(detector: DetectorKind, count: u64) -> Model {
    Model::load(&trained(detector, &clips(count, 1)), &Device::Cpu).unwrap()
}

#[test]
fn a_package_is_read_back_as_it_was_and_judges_the_same() {
    for kind in KINDS {
        let package = trained(kind, &clips(40, 2));
        let read = ModelPackage::from_bytes(&package.to_bytes().unwrap()).unwrap();
        assert_eq!(read.weights(), package.weights());
        assert_eq!(read.manifest(), package.manifest());
        assert_eq!((read.weights().kind(), read.weights().parameters()), (kind, package.manifest().detector.clone()));
        let clip = log_mel(7_000, 60, 2.0);
        let [before, after] =
            [&package, &read].map(|package| judge(&Model::load(package, &Device::Cpu).unwrap(), &clip));
        assert_eq!(before, after);
        let again = trained(kind, &clips(40, 2)).to_bytes().unwrap();
        assert_eq!(again, package.to_bytes().unwrap(), "{}: the same clips give the same bytes", kind.name());
    }
}

#[test]
fn an_altered_weight_is_refused_and_so_is_a_shape_that_the_tensors_have_not() {
    for kind in KINDS {
        let bytes = trained(kind, &clips(20, 1)).to_bytes().unwrap();
        let mut altered = bytes.clone();
        // Before the 32 bytes of the manifest's hash.
        let last = altered.len() - 40;
        altered[last] ^= 1;
        let error = ModelPackage::from_bytes(&altered).unwrap_err().to_string();
        assert!(error.contains("not those that the manifest was written for"), "{error}");
    }
    type Alter = fn(&mut serde_json::Value);
    let cases: [(DetectorKind, Alter, &str); 7] = [
        (DetectorKind::Gmm, |part| part["distance"]["components"] = usize::MAX.into(), "tensors"),
        (DetectorKind::Gmm, |part| part["distance"]["components"] = 7.into(), "tensors"),
        (DetectorKind::Knn, |part| part["distance"]["vectors"] = 19.into(), "expected F64 [19, 16]"),
        (DetectorKind::Knn, |part| part["distance"]["groups"] = 3.into(), "expected F64 [3]"),
        (DetectorKind::Pooled, |part| part["pooling"]["ranked"] = 1.5.into(), "no way of pooling"),
        (DetectorKind::Pooled, |part| part["log_distance"]["deviation"] = 0.0.into(), "no sensible numbers"),
        (DetectorKind::Pooled, |part| part["distance"]["components"] = 1.into(), "cannot be read"),
    ];
    for (kind, alter, reason) in cases {
        let bytes = trained(kind, &clips(20, 1)).to_bytes().unwrap();
        let bytes = with_manifest(&bytes, |manifest| alter(&mut manifest["detector"]["parts"][0]));
        let error = ModelPackage::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains(reason), "{}: {error}; expected {reason}", kind.name());
    }
}

/// The same file with its manifest passed through `alter`, and the hash of it made right again.
fn with_manifest(bytes: &[u8], alter: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    use sha2::Digest;
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let mut manifest: serde_json::Value =
        serde_json::from_str(&header.metadata().as_ref().unwrap()["auscult.manifest"]).unwrap();
    alter(&mut manifest);
    let text = manifest.to_string();
    let hash = sha2::Sha256::digest(text.as_bytes());
    let hash = safetensors::tensor::TensorView::new(safetensors::Dtype::U8, vec![32], &hash).unwrap();
    let mut views: Vec<_> = tensors.tensors();
    views.retain(|(name, _)| name != "manifest_sha256");
    views.push(("manifest_sha256".to_owned(), hash));
    safetensors::serialize(views, Some(HashMap::from([("auscult.manifest".to_owned(), text)]))).unwrap()
}

#[test]
fn a_fault_that_was_never_heard_is_anomalous_and_normal_sound_is_not() {
    for kind in KINDS {
        let model = model(kind, 60);
        let normal = judge(&model, &log_mel(9_001, 60, 0.0));
        assert!(!normal.anomalous && normal.p_value > 1e-2 && normal.health_index > 50.0, "{kind:?}: {normal:?}");
        let louder = log_mel(9_001, 60, 0.0).mapv(|level| level + 6.0);
        let faulty = judge(&model, &louder);
        assert!(faulty.anomalous && faulty.p_value < 1e-3 && faulty.health_index < 50.0, "{kind:?}: {faulty:?}");
    }
}

/// A knock is in one frame of sixty: the mean hardly moves.
#[test]
fn a_knock_is_found_by_what_is_pooled_towards_the_maximum_and_not_by_the_mean() {
    let mut knock = log_mel(9_002, 60, 0.0);
    knock.row_mut(17).mapv_inplace(|level| level + 14.0);
    let by_all = judge(&model(DetectorKind::Pooled, 100), &knock);
    let by_mean = judge(&model(DetectorKind::Gmm, 100), &knock);
    assert!(by_all.anomalous, "{by_all:?}");
    assert!(by_all.p_value < by_mean.p_value, "{} {}", by_all.p_value, by_mean.p_value);
}

#[test]
fn a_louder_band_is_named_in_95_of_100_trials() {
    for kind in KINDS {
        let model = model(kind, 60);
        let mut named = 0;
        for trial in 0..100_u64 {
            let mut clip = log_mel(20_000 + trial, 60, 0.0);
            let band = 1 + (trial as usize * 5) % 14;
            clip.column_mut(band).mapv_inplace(|level| level + 6.0);
            let edges = auscult_detection::explain::band_edges(&model.manifest().feature_spec)[band];
            let first = judge(&model, &clip).bands.into_iter().next();
            named += usize::from(
                first.is_some_and(|found| found.hz_low <= edges.hz_centre && edges.hz_centre <= found.hz_high),
            );
        }
        assert!(named >= 95, "{kind:?}: {named} of 100");
    }
}

/// Kolmogorov-Smirnov: with 400 fresh clips and 200 held-out ones behind the distribution, a greatest distance of 0.14
/// is exceeded by chance once in a hundred times.
#[test]
fn p_values_of_fresh_normal_sound_are_uniform() {
    for kind in KINDS {
        let model = model(kind, 200);
        let mut p_values: Vec<f64> =
            (50_000..50_400).map(|seed| judge(&model, &log_mel(seed, 60, 0.0)).p_value).collect();
        p_values.sort_by(f64::total_cmp);
        let count = p_values.len() as f64;
        let distance = p_values.iter().enumerate().map(|(index, p)| {
            let (below, at) = (index as f64 / count, (index + 1) as f64 / count);
            (p - below).abs().max((at - p).abs())
        });
        let greatest = distance.fold(0.0, f64::max);
        assert!(greatest < 0.14, "{kind:?}: {greatest}");
    }
}

#[test]
fn a_share_may_be_held_out_instead_of_folds() {
    for kind in KINDS {
        let options = TrainingOptions { detector: kind, hold_out: HoldOut::Share(0.25), ..options() };
        let package = train(&clips(40, 1), &options, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(package.manifest().calibration.scores.len(), 10, "{kind:?}");
    }
}

/// A machine that runs in two ways, 20 dB apart: a mixture has a cloud for each, and what lies between them was never
/// heard.
#[test]
fn a_machine_with_two_ways_of_running_has_two_clouds_and_nothing_normal_between_them() {
    let ways: Vec<TrainingClip> = clips(120, 1)
        .into_iter()
        .enumerate()
        .map(|(index, clip)| {
            let channels =
                clip.channels.iter().map(|levels| levels.mapv(|level| level + 20.0 * (index % 2) as f32)).collect();
            TrainingClip { channels, ..clip }
        })
        .collect();
    let package = trained(DetectorKind::Gmm, &ways);
    let DetectorParameters::Gmm(PooledParameters { parts }) = &package.manifest().detector else { panic!("gmm") };
    assert_eq!(parts[0].distance.components, 2);
    let between = log_mel(9_003, 60, 0.0).mapv(|level| level + 10.0);
    let either = [0.0, 20.0].map(|gain| log_mel(9_003, 60, 0.0).mapv(|level| level + gain));
    let gmm = Model::load(&package, &Device::Cpu).unwrap();
    assert!(judge(&gmm, &between).anomalous && either.iter().all(|clip| !judge(&gmm, clip).anomalous));
    // One cloud over both is wide enough to hold what lies between them.
    let fused = Model::load(&trained(DetectorKind::Fused, &ways), &Device::Cpu).unwrap();
    assert!(!judge(&fused, &between).anomalous);
}

#[test]
fn every_kind_has_a_name_of_its_own_and_says_what_it_is_made_of() {
    let names: std::collections::HashSet<&str> = DetectorKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), DetectorKind::ALL.len());
    for kind in KINDS {
        let package = trained(kind, &clips(20, 1));
        let manifest = serde_json::to_value(&package.manifest().detector).unwrap();
        assert_eq!(manifest["kind"], kind.name());
        let (name, line) = package.weights().summary().unwrap();
        assert!(name == "pooled by" && line.contains("mean"), "{line}");
        assert_eq!(package.weights().unit(), "");
    }
    assert!(matches!(trained(DetectorKind::Knn, &clips(20, 1)).weights(), Weights::Knn(_)));
}
