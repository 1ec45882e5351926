//! One recording scored by a model: the result of `auscult score`.

use std::path::Path;

use auscult_detection::notes::{self, ChunkNotes};
use auscult_detection::{Judgement, Model, Recorded, words};
use auscult_features::{ChunkExtractor, Extraction};
use auscult_recordings::clips::read_clip;
use auscult_schemas::{MachineState, MeasuredLevels, QualityFlag, Quantity, SensorFault};

/// A recording with its result, or why it was not scored.
#[derive(Debug, Clone)]
pub struct ScoredRecording {
    /// Absent if every sensor is faulty.
    pub judgement: Option<Judgement>,
    /// Notes, and why it shows nothing about the machine's health.
    pub noted: ChunkNotes,
    /// Its quality flags.
    pub quality: Vec<QualityFlag>,
    /// Channels with a sensor fault.
    pub sensor_faults: Vec<SensorFault>,
    /// What its sensors measure; `None`: sound.
    pub quantity: Option<Quantity>,
    /// Levels in physical units, if known.
    pub levels: Option<MeasuredLevels>,
}

/// Scores one recording with its selected channels.
///
/// # Errors
/// If it cannot be read, a channel is missing, or the model fails.
pub fn judge_recording(
    path: &Path,
    chosen: Option<&[usize]>,
    model: &Model,
    extractor: &mut ChunkExtractor,
) -> anyhow::Result<ScoredRecording> {
    let clip = read_clip(path, extractor)?.with_channels(chosen)?;
    let judgement = match clip.healthy() {
        Some(healthy) => model.judge_heard(&[healthy])?.pop(),
        None => None,
    };
    let Extraction { quality, sensor_faults, levels, source_rate_hz, duration_s, .. } = clip.features;
    let recorded = Recorded { source_rate_hz, duration_s };
    let noted = notes::of_chunk(model.manifest(), judgement.as_ref(), Some(recorded), &quality);
    Ok(ScoredRecording {
        judgement,
        noted,
        quality,
        sensor_faults,
        quantity: clip.quantity,
        levels: levels.map(|levels| levels.choosing(chosen)),
    })
}

impl ScoredRecording {
    /// Its verdict: normal, anomalous, or the state in which it is not scored.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match (self.noted.unjudged, &self.judgement) {
            (Some(state), _) => state.as_str(),
            (None, Some(judgement)) if judgement.anomalous => "anomalous",
            _ => "normal",
        }
    }

    /// The deviations and the level. The recording time of a file is unknown, so no start is given.
    #[must_use]
    pub fn explanation(&self, judgement: &Judgement) -> String {
        let deviation = words::deviation(&judgement.bands, judgement.time_course.as_ref(), None);
        match self.levels.as_ref().and_then(|levels| words::level(levels, &self.sensor_faults)) {
            Some(level) => format!("{deviation}; {level}"),
            None => deviation,
        }
    }

    /// Why it shows nothing about the machine's health.
    #[must_use]
    pub fn why_unjudged(&self) -> String {
        match self.noted.unjudged {
            Some(MachineState::SensorFault) => words::sensor_faults(&self.sensor_faults, self.quantity),
            _ if self.noted.notes.is_empty() => "the machine is at rest".to_owned(),
            _ => words::notes(&self.noted.notes),
        }
    }
}
