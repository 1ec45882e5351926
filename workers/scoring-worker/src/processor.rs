//! The scoring stage as a processor of the runner.

use auscult_runtime::processor::{Memory, Output, Processor, Rejection, envelope_of};
use auscult_runtime::record::Record;
use auscult_schemas::{DeadLetterCode, Envelope, Features, ScorerState};

use crate::{ScoredChunk, ScoringInput, ScoringStage, read_control};

/// Reads features and control messages; writes scores, alerts, drift and audit records.
pub struct ScoringProcessor {
    stage: ScoringStage,
}

impl ScoringProcessor {
    /// A processor over a stage.
    #[must_use]
    pub fn new(stage: ScoringStage) -> Self {
        Self { stage }
    }

    #[cfg(test)]
    pub(crate) fn stage(&mut self) -> &mut ScoringStage {
        &mut self.stage
    }
}

impl Processor for ScoringProcessor {
    type State = ScorerState;

    fn process(
        &mut self,
        records: &[Record],
        memory: &mut Memory<'_, ScorerState>,
    ) -> Vec<Result<Vec<Output>, Rejection>> {
        self.stage.score(records, |records| records.iter().map(read).collect(), memory)
    }

    fn states_changed(&mut self, memory: &Memory<'_, ScorerState>) {
        self.stage.states_changed(memory);
    }
}

fn read(record: &Record) -> ScoredChunk {
    let envelope = envelope_of(record, Envelope::FEATURES)?;
    if envelope.is_control() {
        return read_control(record, envelope);
    }
    let message = record.value.as_deref().unwrap_or_default();
    let features = Features::decode(message)
        .map_err(|error| Rejection { code: DeadLetterCode::InvalidFeatures, detail: error.to_string() })?;
    Ok(ScoringInput::Chunk(envelope, Box::new(features)))
}
