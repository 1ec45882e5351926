//! The feature stage behind the runner.

use auscult_runtime::processor::{Memory, Output, Processor, Rejection, opened};
use auscult_runtime::record::Record;
use auscult_schemas::{DeadLetterCode, Envelope, Features, topics};
use bytes::Bytes;

use crate::{Extracted, FeatureStage};

/// Chunks in, features messages out; control messages are passed on as they are, so that they stay in order with the
/// sound. Remembers nothing.
pub struct FeatureProcessor {
    stage: FeatureStage,
}

impl FeatureProcessor {
    /// A processor over a stage.
    #[must_use]
    pub fn new(stage: FeatureStage) -> Self {
        Self { stage }
    }
}

impl Processor for FeatureProcessor {
    type State = ();

    fn process(&mut self, records: &[Record], _memory: &mut Memory<'_, ()>) -> Vec<Result<Vec<Output>, Rejection>> {
        let extracted = self.stage.extract(records);
        let outputs = records.iter().zip(extracted).map(|(record, extracted)| match extracted? {
            Extracted::Chunk(envelope, features) => message(envelope, &features),
            Extracted::Control(envelope) => Ok(vec![passed_on(&*opened(record)?, &envelope)]),
        });
        outputs.collect()
    }
}

/// A control message, as it came but for what a plain producer left out: the time of the record it was, which the next
/// one would not have.
fn passed_on(record: &Record, envelope: &Envelope) -> Output {
    let mut headers = record.headers.clone();
    for (name, value) in envelope.headers().0 {
        if headers.get(&name).is_none() {
            headers.0.push((name, value));
        }
    }
    let key = Bytes::from(envelope.machine.as_str().to_owned());
    Output { topic: topics::FEATURES, key, value: record.value.clone().unwrap_or_default(), headers }
}

fn message(envelope: Envelope, features: &Features) -> Result<Vec<Output>, Rejection> {
    let value = features
        .encode()
        .map_err(|error| Rejection { code: DeadLetterCode::InvalidFeatures, detail: error.to_string() })?;
    if value.len() + HEADROOM_BYTES > topics::MAX_MESSAGE_BYTES {
        let detail = format!(
            "its features take {} bytes, a message may have {}; send shorter chunks or fewer channels",
            value.len(),
            topics::MAX_MESSAGE_BYTES
        );
        return Err(Rejection { code: DeadLetterCode::TooLarge, detail });
    }
    let envelope = Envelope {
        source: "/auscult/feature-worker".to_owned(),
        event_type: Envelope::FEATURES.to_owned(),
        content_type: Envelope::ARROW_STREAM.to_owned(),
        ..envelope
    };
    let key = Bytes::from(envelope.machine.as_str().to_owned());
    Ok(vec![Output { topic: topics::FEATURES, key, value, headers: envelope.headers() }])
}

/// What key, headers and the record's own framing may take of a message, bytes.
const HEADROOM_BYTES: usize = 16 * 1024;
