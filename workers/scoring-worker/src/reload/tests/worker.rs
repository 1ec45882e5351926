//! A scoring worker over a folder of models, and packages to put there.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use auscult_detection::{
    DeviceChoice, HoldOut, ModelPackage, Recorded, TrainingClip, TrainingOptions, WatchPolicy, open_device, train,
};
use auscult_runtime::processor::{Memory, Processor};
use auscult_runtime::record::Record;
use auscult_runtime::telemetry::Metrics;
use auscult_schemas::{
    DeadLetterCode, Features, FeaturesMetadata, Headers, ModelId, RecordCoordinates, Score, StageTimings, topics,
};
use bytes::Bytes;
use crossbeam_channel::Sender;
use ndarray::Array2;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::reload::{Change, ModelWatcher, Reload};
use crate::{ModelLibrary, ModelsConfig, ScoringMetrics, ScoringProcessor, ScoringStage};

pub(crate) const FRAMES: usize = 20;
pub(crate) const MELS: usize = 64;

pub(crate) fn level(place: usize) -> f32 {
    -30.0 - (place % 11) as f32
}

/// A real package, small and quickly trained; another number is another model.
pub(crate) fn package(number: u64) -> Vec<u8> {
    package_of(number, None)
}

/// Of a model that listens to these channels.
pub(crate) fn package_of(number: u64, channels: Option<Vec<usize>>) -> Vec<u8> {
    let options = TrainingOptions {
        channels,
        model_id: ModelId(format!("model-{number}")),
        epochs: 1,
        seed: number,
        hold_out: HoldOut::Folds(2),
        ..TrainingOptions::default()
    };
    let clip = |clip: usize| TrainingClip {
        name: clip.to_string(),
        channels: vec![Array2::from_shape_fn((FRAMES, MELS), |(frame, mel)| level(frame * 7 + mel * 3 + clip * 5))],
        recorded: Some(Recorded { source_rate_hz: 16_000, duration_s: 0.64 }),
        ..TrainingClip::default()
    };
    let clips: Vec<TrainingClip> = (0..10).map(clip).collect();
    train(&clips, &options, &mut |_| ControlFlow::Continue(())).unwrap().to_bytes().unwrap()
}

pub(super) fn version(package: &[u8]) -> String {
    ModelPackage::from_bytes(package).unwrap().model_ref().version
}

/// The package with all weights the same: whole, consistent and, where they are large, useless.
pub(super) fn with_weights(package: &[u8], weight: f32) -> Vec<u8> {
    let tensors = SafeTensors::deserialize(package).unwrap();
    let (_, header) = SafeTensors::read_metadata(package).unwrap();
    let (key, manifest) = header.metadata().clone().unwrap().into_iter().next().unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let mut names: Vec<&str> = tensors.names().into_iter().filter(|name| name.starts_with("layers.")).collect();
    // Each layer's weight before its bias.
    names.sort_by_key(|name| (name[..9].to_owned(), name.ends_with("bias")));
    let value_of = |name: &str| weight.to_le_bytes().repeat(tensors.tensor(name).unwrap().data().len() / 4);
    let values: Vec<Vec<u8>> = names.iter().map(|name| value_of(name)).collect();
    let hex = |hash: &[u8]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    manifest["weights_sha256"] = hex(&Sha256::digest(values.concat())).into();
    let manifest = manifest.to_string();
    let manifest_hash = Sha256::digest(manifest.as_bytes());
    let mut views: Vec<(&str, TensorView<'_>)> = Vec::new();
    for (name, values) in names.iter().zip(&values) {
        let shape = tensors.tensor(name).unwrap().shape().to_vec();
        views.push((name, TensorView::new(Dtype::F32, shape, values).unwrap()));
    }
    views.push(("manifest_sha256", TensorView::new(Dtype::U8, vec![32], &manifest_hash).unwrap()));
    safetensors::serialize(views, Some(HashMap::from([(key, manifest)]))).unwrap()
}

/// A scoring worker's insides over a folder of models; the test looks when it wants to.
pub(super) struct Worker {
    pub folder: TempDir,
    pub config: ModelsConfig,
    pub processor: ScoringProcessor,
    model_watcher: ModelWatcher,
    found: Sender<Change>,
    pub metrics: ScoringMetrics,
    offset: i64,
}

impl Worker {
    /// Starts with these files, `(name, content)`; `default.model` is the default where it is among them.
    pub fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let default = files.iter().any(|(name, _)| *name == "default.model");
        let config = ModelsConfig {
            dir: Some(folder.path().to_owned()),
            default: default.then(|| folder.path().join("default.model")),
            reload_secs: 1,
        };
        let metrics = Arc::new(Metrics::new("scoring-0").unwrap());
        let scoring_metrics = ScoringMetrics::register(metrics.registrar(), 10).unwrap();
        let library = ModelLibrary::open(&config).unwrap();
        let device = open_device(DeviceChoice::Cpu).unwrap();
        let mut stage =
            ScoringStage::start(library, device, WatchPolicy::default(), metrics, scoring_metrics.clone()).unwrap();
        let model_watcher = stage.model_watcher(&config);
        let (found, changes) = crossbeam_channel::unbounded();
        let (end, _) = crossbeam_channel::bounded(0);
        stage.reload = Some(Reload { changes, _end: end });
        let processor = ScoringProcessor::new(stage);
        Self { folder, config, processor, model_watcher, found, metrics: scoring_metrics, offset: 0 }
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        // Longer than a tick of the file system's clock, which may count in hundredths of a second.
        std::thread::sleep(Duration::from_millis(20));
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    pub fn delete(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    pub fn check(&mut self) {
        for change in self.model_watcher.check() {
            self.found.send(change).unwrap();
        }
    }

    pub fn records(&mut self, machines: &[&str]) -> Vec<Record> {
        machines.iter().map(|machine| self.record(machine)).collect()
    }

    pub fn record(&mut self, machine: &str) -> Record {
        self.offset += 1;
        let coordinates =
            |topic: &str| RecordCoordinates { topic: topic.to_owned(), partition: 0, offset: self.offset };
        let values: Vec<f32> = (0..FRAMES * MELS).map(level).collect();
        let features = Features {
            metadata: FeaturesMetadata {
                feature_spec: TrainingOptions::default().spec.hash(),
                chunk: coordinates(topics::CHUNKS),
                duration_s: 0.64,
                source_rate_hz: 16_000,
                quality: Vec::new(),
                sensor_faults: Vec::new(),
                levels: None,
                timings: StageTimings::default(),
            },
            channels: 1,
            frames: FRAMES,
            mels: MELS,
            values: values.into(),
        };
        Record {
            coordinates: coordinates(topics::FEATURES),
            key: Some(Bytes::from(machine.to_owned())),
            value: Some(features.encode().unwrap()),
            headers: Headers::default(),
            timestamp_ms: Some(1_700_000_000_000),
        }
    }

    /// The version of the model that judged each record, or why it was not judged.
    pub fn judge(&mut self, records: &[Record]) -> Vec<Result<String, DeadLetterCode>> {
        let states = HashMap::new();
        let results = self.processor.process(records, &mut Memory::over(&states));
        let version_of = |outputs: Vec<auscult_runtime::processor::Output>| {
            let score = outputs.iter().find(|output| output.topic == topics::SCORES).unwrap();
            serde_json::from_slice::<Score>(&score.value).unwrap().model.version
        };
        results.into_iter().map(|result| result.map(version_of).map_err(|rejection| rejection.code)).collect()
    }

    pub fn judge_one(&mut self, machine: &str) -> Result<String, DeadLetterCode> {
        let records = self.records(&[machine]);
        self.judge(&records).pop().unwrap()
    }

    /// Reloads, failures, models, unusable files.
    pub fn counts(&self) -> (u64, u64, i64, i64) {
        let ScoringMetrics { model_reloads, model_reload_failures, models, unusable_models, .. } = &self.metrics;
        (model_reloads.get(), model_reload_failures.get(), models.get(), unusable_models.get())
    }
}
