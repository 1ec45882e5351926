//! The demo's background work: trains a model for every machine, then sends the stream through both workers.
//!
//! Events go through a channel, so a slow display does not block the work.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use auscult_detection::{
    AlertPolicy, DetectorKind, DeviceChoice, ModelPackage, Recorded, TrainingClip, TrainingEvent, TrainingOptions,
    WatchPolicy, open_device, train,
};
use auscult_features::{ChunkExtractor, Extraction};
use auscult_processes::in_memory::{Pipeline, PipelineConfig, ResultReader, SentChunk};
use auscult_schemas::topics::{DEAD_LETTERS, SCORES};
use auscult_schemas::{ChunkId, DeadLetter, FeatureSpec, MachineId, ModelId, Score};
use auscult_scoring_worker::ModelLibrary;
use bytes::Bytes;
use crossbeam_channel::Sender;
use jiff::Timestamp;
use ndarray::Array2;
use rayon::prelude::*;

use super::subject::{DemoMachine, Sound, Subject};
use super::{Phase, Truth};

/// Events of the work.
#[derive(Debug)]
pub enum DemoEvent {
    /// A new step has started.
    Phase(Phase),
    /// A chunk was scored.
    Judged {
        /// The score.
        score: Box<Score>,
        /// The machine's ground truth.
        truth: Truth,
        /// Length of the chunk, s.
        sound_s: f64,
    },
    /// A chunk could not be scored.
    DeadLetter(Box<DeadLetter>),
}

/// Settings of the demo.
#[derive(Debug, Clone)]
pub struct DemoPlan {
    /// Chunks per second; `None` means as fast as possible.
    pub rate: Option<f64>,
    /// Where the models run.
    pub device: DeviceChoice,
}

/// Maximum number of chunks in flight, to limit memory for long streams.
const UNDER_WAY: u64 = 64;

/// Trains, streams, and returns the time from the first sent chunk to the last scored one.
///
/// # Errors
/// If training fails for a machine, a worker stops, or `interrupted` is set.
pub fn work(
    subject: &Subject,
    plan: &DemoPlan,
    events: &Sender<DemoEvent>,
    interrupted: &AtomicBool,
) -> anyhow::Result<Duration> {
    let mut packages = Vec::new();
    let mut sound_s = Vec::new();
    for (index, machine) in subject.machines.iter().enumerate() {
        let package = learn(subject, index, machine, events, interrupted)?;
        let training = &package.manifest().training;
        sound_s.push(training.seconds / training.clips.max(1) as f64);
        packages.push((MachineId::new(&machine.id)?, package));
    }
    // A demo ends within a minute: an alarm with a minimum duration of an hour would never clear.
    let alert = AlertPolicy { min_alarm_secs: 0, ..AlertPolicy::default() };
    let config = PipelineConfig {
        spec: FeatureSpec::default(),
        partitions: 4,
        watch: WatchPolicy { alert, ..WatchPolicy::default() },
        max_batch_age: Duration::from_millis(20),
    };
    let pipeline = Pipeline::start(ModelLibrary::of(packages), open_device(plan.device)?, &config)?;
    let took = stream(subject, plan, &pipeline, &sound_s, events, interrupted)?;
    pipeline.stop()?;
    Ok(took)
}

fn learn(
    subject: &Subject,
    index: usize,
    machine: &DemoMachine,
    events: &Sender<DemoEvent>,
    interrupted: &AtomicBool,
) -> anyhow::Result<ModelPackage> {
    let total = machine.training.len() as u64;
    tell(events, DemoEvent::Phase(Phase::Preparing { done: 0, total }));
    let new_extractor = || ChunkExtractor::new(FeatureSpec::default()).expect("the default spec is sound");
    let clips: anyhow::Result<Vec<TrainingClip>> = machine
        .training
        .par_iter()
        .map_init(new_extractor, |extractor, sound| training_clip(subject, index, sound, extractor))
        .collect();
    tell(events, DemoEvent::Phase(Phase::Preparing { done: total, total }));
    let options = TrainingOptions { model_id: ModelId(machine.id.clone()), ..TrainingOptions::of(DetectorKind::Fused) };
    let mut observe = |event: TrainingEvent| {
        if let TrainingEvent::Fold { done, total } = event {
            let phase = Phase::Training { model: machine.id.clone(), done: done as u64, total: total as u64 };
            tell(events, DemoEvent::Phase(phase));
        }
        if interrupted.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let package = train(&clips?, &options, &mut observe).with_context(|| format!("learning {}", machine.id))?;
    if interrupted.load(Ordering::Relaxed) {
        bail!("ended before the first chunk was judged");
    }
    Ok(package)
}

fn training_clip(
    subject: &Subject,
    machine: usize,
    sound: &Sound,
    extractor: &mut ChunkExtractor,
) -> anyhow::Result<TrainingClip> {
    let (content_type, bytes) = subject.sound(machine, sound)?;
    let name = format!("{sound:?}");
    let Extraction { frames, mels, values, source_rate_hz, duration_s, quality, .. } =
        extractor.extract(content_type, &bytes).with_context(|| name.clone())?;
    let channels = values
        .chunks_exact(frames * mels)
        .map(|channel| Array2::from_shape_vec((frames, mels), channel.to_vec()))
        .collect::<Result<_, _>>()?;
    let recorded = Some(Recorded { source_rate_hz, duration_s });
    Ok(TrainingClip { name, channels, domain: None, recorded, quality, ..TrainingClip::default() })
}

fn stream(
    subject: &Subject,
    plan: &DemoPlan,
    pipeline: &Pipeline,
    sound_s: &[f64],
    events: &Sender<DemoEvent>,
    interrupted: &AtomicBool,
) -> anyhow::Result<Duration> {
    let total = subject.stream.len() as u64;
    tell(events, DemoEvent::Phase(Phase::Streaming { total }));
    let truths: HashMap<String, usize> =
        (0..subject.stream.len()).map(|number| (format!("chunk-{number}"), number)).collect();
    let mut results = ResultReader::new(pipeline.log());
    let mut answered = 0_u64;
    let mut report = |results: &mut ResultReader| -> anyhow::Result<u64> {
        for record in results.take_new() {
            let value = record.value.as_deref().unwrap_or_default();
            match record.coordinates.topic.as_str() {
                SCORES => {
                    let score: Score = serde_json::from_slice(value).context("reading a score")?;
                    let chunk = &subject.stream[truths[&score.chunk_id.0]];
                    let (truth, sound_s) = (chunk.truth.clone(), sound_s[chunk.machine]);
                    tell(events, DemoEvent::Judged { score: Box::new(score), truth, sound_s });
                    answered += 1;
                }
                DEAD_LETTERS => {
                    tell(events, DemoEvent::DeadLetter(Box::new(DeadLetter::read(&record.headers)?)));
                    answered += 1;
                }
                _ => {}
            }
        }
        Ok(answered)
    };

    let begun = Instant::now();
    for (number, chunk) in subject.stream.iter().enumerate() {
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
        let (content_type, sound) = subject.sound(chunk.machine, &chunk.sound)?;
        let due = plan.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(number as f64 / rate));
        while begun.elapsed() < due || number as u64 >= report(&mut results)? + UNDER_WAY {
            pipeline.check()?;
            let left = due.saturating_sub(begun.elapsed());
            std::thread::sleep(left.clamp(Duration::from_micros(500), Duration::from_millis(5)));
        }
        pipeline.send(SentChunk {
            id: ChunkId(format!("chunk-{number}")),
            machine: MachineId::new(&subject.machines[chunk.machine].id)?,
            content_type: content_type.to_owned(),
            time: Timestamp::now(),
            sound: Bytes::from(sound),
        });
        if (number as u64).is_multiple_of(UNDER_WAY) {
            pipeline.trim();
        }
    }
    pipeline.drain(Duration::from_secs(60))?;
    report(&mut results)?;
    let took = begun.elapsed();
    tell(events, DemoEvent::Phase(Phase::Done));
    Ok(took)
}

fn tell(events: &Sender<DemoEvent>, event: DemoEvent) {
    // The receiver is gone: the demo is shutting down.
    let _ = events.send(event);
}
