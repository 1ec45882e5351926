//! The envelope of a chunk, as its gateway would write it.

use auscult_schemas::{ChunkId, Envelope, MachineId, SchemaError};

use super::{Fleet, PlannedChunk};

impl Fleet {
    /// The envelope of a chunk for `audio.chunks`. Its event time is the scenario's, not that of sending.
    ///
    /// # Errors
    /// If the scenario's site gives invalid machine ids.
    pub fn envelope(&self, planned: &PlannedChunk) -> Result<Envelope, SchemaError> {
        let id = self.machines[planned.machine].machine.id();
        Ok(Envelope {
            id: ChunkId(format!("{id}/{}", planned.number)),
            source: "/auscult/simulate".to_owned(),
            event_type: Envelope::CHUNK.to_owned(),
            time: planned.time,
            machine: MachineId::new(id)?,
            content_type: "audio/wav".to_owned(),
            traceparent: None,
        })
    }
}
