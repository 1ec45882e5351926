//! One chunk of a machine, as everything that watches machines takes it.

use auscult_schemas::{ChunkId, MachineId, ModelRef, QualityFlag, SensorFault};
use jiff::Timestamp;

use crate::Manifest;
use crate::judgement::Judgement;
use crate::training::Recorded;

/// One chunk of a machine.
#[derive(Debug, Clone, Copy)]
pub struct ObservedChunk<'a> {
    /// The score's deterministic id, which an alert or a drift report takes over.
    pub id: &'a str,
    /// The machine.
    pub machine: &'a MachineId,
    /// The chunk.
    pub chunk_id: &'a ChunkId,
    /// When the sound was recorded.
    pub time: Timestamp,
    /// What the model says of it; `None` where every sensor is at fault, so that nothing was judged.
    pub judgement: Option<&'a Judgement>,
    /// Its channels, those that were not judged among them.
    pub channels: usize,
    /// The channels whose sensor is at fault.
    pub sensor_faults: &'a [SensorFault],
    /// What was odd about the sound.
    pub quality: &'a [QualityFlag],
    /// How it was recorded, where that is known.
    pub recorded: Option<Recorded>,
    /// The model that judged.
    pub model: &'a ModelRef,
    /// That model's manifest.
    pub manifest: &'a Manifest,
}
