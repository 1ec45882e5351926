use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

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
use ndarray::Array2;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::{ScoringProcessor, ScoringStage};

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

fn version(package: &[u8]) -> String {
    ModelPackage::from_bytes(package).unwrap().model_ref().version
}

/// The package with all weights the same: whole, consistent and, where they are large, useless.
fn with_weights(package: &[u8], weight: f32) -> Vec<u8> {
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
struct Bench {
    folder: TempDir,
    config: ModelsConfig,
    processor: ScoringProcessor,
    looker: Looker,
    found: Sender<Change>,
    metrics: ScoringMetrics,
    offset: i64,
}

impl Bench {
    /// Starts with these files, `(name, content)`; `default.model` is the default where it is among them.
    fn with(files: &[(&str, &[u8])]) -> Self {
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
        let looker = stage.looker(&config);
        let (found, changes) = crossbeam_channel::unbounded();
        let (end, _) = crossbeam_channel::bounded(0);
        stage.reload = Some(Reload { changes, _end: end });
        let processor = ScoringProcessor::new(stage);
        Self { folder, config, processor, looker, found, metrics: scoring_metrics, offset: 0 }
    }

    fn write(&self, name: &str, content: &[u8]) {
        // Longer than a tick of the file system's clock, which may count in hundredths of a second.
        std::thread::sleep(Duration::from_millis(20));
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn delete(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    fn look(&mut self) {
        for change in self.looker.look() {
            self.found.send(change).unwrap();
        }
    }

    fn records(&mut self, machines: &[&str]) -> Vec<Record> {
        machines.iter().map(|machine| self.record(machine)).collect()
    }

    fn record(&mut self, machine: &str) -> Record {
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
    fn judge(&mut self, records: &[Record]) -> Vec<Result<String, DeadLetterCode>> {
        let states = HashMap::new();
        let results = self.processor.process(records, &mut Memory::over(&states));
        let version_of = |outputs: Vec<auscult_runtime::processor::Output>| {
            let score = outputs.iter().find(|output| output.topic == topics::SCORES).unwrap();
            serde_json::from_slice::<Score>(&score.value).unwrap().model.version
        };
        results.into_iter().map(|result| result.map(version_of).map_err(|rejection| rejection.code)).collect()
    }

    fn judge_one(&mut self, machine: &str) -> Result<String, DeadLetterCode> {
        let records = self.records(&[machine]);
        self.judge(&records).pop().unwrap()
    }

    /// Reloads, failures, models, unusable files.
    fn counts(&self) -> (u64, u64, i64, i64) {
        let ScoringMetrics { model_reloads, model_reload_failures, models, unusable_models, .. } = &self.metrics;
        (model_reloads.get(), model_reload_failures.get(), models.get(), unusable_models.get())
    }
}

#[test]
fn a_changed_file_serves_from_the_batch_after_the_look() {
    let (old, new) = (package(1), package(2));
    let mut bench = Bench::with(&[("fan.safetensors", &old)]);
    bench.write("fan.safetensors", &new);
    assert_eq!(bench.judge_one("fan"), Ok(version(&old)), "not looked at yet");
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&new)));
    assert_eq!(bench.counts(), (1, 0, 1, 0));
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&new)));
    assert_eq!(bench.counts(), (1, 0, 1, 0), "nothing happens until the file changes");
}

#[test]
fn a_file_that_is_written_anew_with_the_same_content_is_no_change() {
    let model = package(1);
    let mut bench = Bench::with(&[("fan.safetensors", &model)]);
    bench.write("fan.safetensors", &model);
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&model)));
    assert_eq!(bench.counts(), (0, 0, 1, 0));
}

#[test]
fn a_broken_file_leaves_the_old_model_serving_and_is_told_of_once() {
    let model = package(1);
    let mut bench = Bench::with(&[("fan.safetensors", &model)]);
    bench.write("fan.safetensors", b"no model at all");
    bench.look();
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&model)));
    assert_eq!(bench.counts(), (0, 1, 1, 1));
    bench.write("fan.safetensors", b"no model at all, again");
    bench.look();
    assert_eq!(bench.counts(), (0, 2, 1, 1), "another change of the file");
    bench.write("fan.safetensors", &model);
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&model)));
    assert_eq!(bench.counts(), (0, 2, 1, 0), "what serves is what is in the file again");
}

#[test]
fn a_model_that_judges_noise_with_what_is_no_number_does_not_serve() {
    let model = package(1);
    let mut bench = Bench::with(&[("fan.safetensors", &model)]);
    let harmless = with_weights(&model, 1e-3);
    bench.write("fan.safetensors", &harmless);
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&harmless)));
    bench.write("fan.safetensors", &with_weights(&model, 1e37));
    bench.look();
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&harmless)));
    assert_eq!(bench.counts(), (1, 1, 1, 1));
}

#[test]
fn a_half_written_file_serves_once_it_is_whole_and_not_before() {
    let (old, new) = (package(1), package(2));
    let mut bench = Bench::with(&[("fan.safetensors", &old)]);
    bench.write("fan.safetensors", &new[..new.len() / 2]);
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&old)));
    bench.write("fan.safetensors", &new);
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&new)));
    assert_eq!(bench.counts(), (1, 1, 1, 0));
}

#[test]
fn a_file_that_is_deleted_and_put_there_anew_loses_no_chunk() {
    let (old, new) = (package(1), package(2));
    let mut bench = Bench::with(&[("fan.safetensors", &old)]);
    bench.delete("fan.safetensors");
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&old)), "missing in one look");
    bench.write("fan.new", &new);
    let (from, to) = (bench.folder.path().join("fan.new"), bench.folder.path().join("fan.safetensors"));
    std::fs::rename(from, to).unwrap();
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&new)));
}

#[test]
fn a_file_that_is_missing_in_two_looks_leaves_its_machine_to_the_default_model() {
    let (own, default) = (package(1), package(2));
    let mut bench = Bench::with(&[("fan.safetensors", &own), ("default.model", &default)]);
    bench.delete("fan.safetensors");
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&own)));
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&default)));
    assert_eq!(bench.counts().2, 1);
    bench.write("fan.safetensors", &own);
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&own)), "and it may come back");
}

#[test]
fn without_a_default_the_machine_of_a_file_that_is_gone_is_unknown() {
    let (fan, pump) = (package(1), package(2));
    let mut bench = Bench::with(&[("fan.safetensors", &fan), ("pump.safetensors", &pump)]);
    bench.delete("fan.safetensors");
    bench.look();
    bench.look();
    assert_eq!(bench.judge_one("fan"), Err(DeadLetterCode::UnknownMachine));
    assert_eq!(bench.judge_one("pump"), Ok(version(&pump)));
}

#[test]
fn a_folder_that_cannot_be_read_takes_no_model_away() {
    let model = package(1);
    let mut bench = Bench::with(&[("fan.safetensors", &model)]);
    let (folder, away) = (bench.folder.path().to_owned(), bench.folder.path().with_extension("away"));
    std::fs::rename(&folder, &away).unwrap();
    for _ in 0..3 {
        bench.look();
    }
    assert_eq!(bench.judge_one("fan"), Ok(version(&model)));
    std::fs::rename(&away, &folder).unwrap();
}

#[test]
fn a_machine_whose_file_appears_is_served_from_then_on() {
    let (fan, pump) = (package(1), package(2));
    let mut bench = Bench::with(&[("fan.safetensors", &fan)]);
    assert_eq!(bench.judge_one("pump"), Err(DeadLetterCode::UnknownMachine));
    bench.write("pump.safetensors", &pump[..100]);
    bench.look();
    assert_eq!(bench.judge_one("pump"), Err(DeadLetterCode::ModelUnavailable));
    bench.write("pump.safetensors", &pump);
    bench.look();
    assert_eq!(bench.judge_one("pump"), Ok(version(&pump)));
    assert_eq!(bench.judge_one("fan"), Ok(version(&fan)));
    assert_eq!(bench.counts(), (1, 1, 2, 0));
}

#[test]
fn a_machine_keeps_the_default_model_while_its_own_file_is_half_written() {
    let (own, default) = (package(1), package(2));
    let mut bench = Bench::with(&[("default.model", &default)]);
    bench.write("fan.safetensors", &own[..own.len() / 2]);
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&default)));
    assert_eq!(bench.counts(), (0, 1, 1, 1));
    bench.write("fan.safetensors", &own);
    bench.look();
    assert_eq!(bench.judge_one("fan"), Ok(version(&own)));
}

#[test]
fn a_file_that_was_broken_at_the_start_serves_when_it_is_whole() {
    let (fan, pump) = (package(1), package(2));
    let mut bench = Bench::with(&[("fan.safetensors", &fan), ("pump.safetensors", &pump[..200])]);
    bench.look();
    assert_eq!(bench.judge_one("pump"), Err(DeadLetterCode::ModelUnavailable));
    assert_eq!(bench.counts(), (0, 0, 1, 1), "told of at the start, not again");
    bench.write("pump.safetensors", &pump);
    bench.look();
    assert_eq!(bench.judge_one("pump"), Ok(version(&pump)));
}

#[test]
fn a_batch_that_panics_is_judged_to_its_end_by_the_models_that_it_began_with() {
    let (old, new) = (package(1), package(2));
    let mut bench = Bench::with(&[("fan.safetensors", &old)]);
    let records = bench.records(&["fan", "fan", "fan"]);
    let states = HashMap::new();
    let stage = bench.processor.stage();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ = stage.score(&records, |_| panic!("a bug in reading"), &mut Memory::over(&states));
    }));
    assert!(panicked.is_err());
    bench.write("fan.safetensors", &new);
    bench.look();
    for record in &records {
        assert_eq!(bench.judge(std::slice::from_ref(record)), [Ok(version(&old))]);
    }
    assert_eq!(bench.judge_one("fan"), Ok(version(&new)));
}

/// The thread itself, files that change all the time, and batches one after the other.
#[test]
fn under_load_no_batch_has_two_versions_and_no_chunk_is_lost() {
    const LOAD: Duration = Duration::from_millis(6_500);
    let models = [package(1), package(2)];
    let versions = [version(&models[0]), version(&models[1])];
    let mut bench = Bench::with(&[("fan.safetensors", &models[0])]);
    bench.processor.stage().follow(&bench.config).unwrap();
    let records = bench.records(&["fan"; 16]);
    let file = bench.folder.path().join("fan.safetensors");
    let vandal = std::thread::spawn(move || {
        let begun = Instant::now();
        for turn in 0.. {
            let model = &models[turn % 2];
            match turn % 4 {
                0 => std::fs::write(&file, &model[..model.len() / 2]).unwrap(),
                1 => std::fs::remove_file(&file).unwrap(),
                _ => {}
            }
            std::thread::sleep(Duration::from_millis(70));
            std::fs::write(&file, model).unwrap();
            std::thread::sleep(Duration::from_millis(400));
            if begun.elapsed() > LOAD {
                return;
            }
        }
    });
    let (mut batches, mut swaps, mut slowest) = (0, 0, Duration::ZERO);
    let mut serving = versions[0].clone();
    while !vandal.is_finished() {
        let begun = Instant::now();
        let judged = bench.judge(&records);
        slowest = slowest.max(begun.elapsed());
        let first = judged[0].clone().unwrap();
        assert!(versions.contains(&first) && judged.iter().all(|version| *version == Ok(first.clone())), "{judged:?}");
        swaps += u64::from(first != serving);
        serving = first;
        batches += 1;
    }
    vandal.join().unwrap();
    println!("{batches} batches, {swaps} swaps, slowest batch {slowest:?}");
    assert!(swaps >= 1, "{batches} batches");
    assert_eq!(bench.metrics.model_reloads.get(), swaps);
}
