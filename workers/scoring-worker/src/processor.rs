//! The scoring stage behind the runner.

use auscult_runtime::processor::{Memory, Output, Processor, Rejection};
use auscult_runtime::record::Record;
use auscult_schemas::{DeadLetterCode, Envelope, Features, ScorerState};

use crate::{ScoredChunk, ScoringStage};

/// Features messages in; scores, alerts and drift out.
pub struct ScoringProcessor {
    stage: ScoringStage,
}

impl ScoringProcessor {
    /// A processor over a stage.
    #[must_use]
    pub fn new(stage: ScoringStage) -> Self {
        Self { stage }
    }
}

impl Processor for ScoringProcessor {
    type State = ScorerState;

    fn process(
        &mut self,
        records: &[Record],
        memory: &mut Memory<'_, ScorerState>,
    ) -> Vec<Result<Vec<Output>, Rejection>> {
        let chunks = records.iter().map(read).collect();
        self.stage.score(records, chunks, memory)
    }
}

fn read(record: &Record) -> ScoredChunk {
    let envelope = Envelope::read(
        &record.headers,
        record.key.as_deref(),
        &record.coordinates,
        record.timestamp_ms,
        Envelope::FEATURES,
    )
    .map_err(|error| Rejection { code: DeadLetterCode::InvalidEnvelope, detail: error.to_string() })?;
    let message = record.value.as_deref().unwrap_or_default();
    let features = Features::decode(message)
        .map_err(|error| Rejection { code: DeadLetterCode::InvalidFeatures, detail: error.to_string() })?;
    Ok((envelope, features))
}
