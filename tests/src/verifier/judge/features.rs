//! `audio.chunks` → `audio.features`: each good chunk has one features message, each bad one a dead letter.

use std::collections::HashSet;

use auscult_features::Extraction;
use auscult_schemas::topics::{CHUNKS, FEATURES};
use auscult_schemas::{Envelope, Features};

use super::answers::Answers;
use super::{DeadLetters, Replay, TopicRecord, Topics, Verdict, is_control, named};

/// Who put a record into the features topic.
pub(super) const FEATURE_WORKER: &str = "/auscult/feature-worker";

/// What else lies in the features topic was put there by hand.
pub(super) fn is_of_a_worker(record: &TopicRecord) -> bool {
    record.headers.text("ce_source").ok().flatten() == Some(FEATURE_WORKER)
}

/// A control message that a feature worker passes on without reading it.
fn is_good_control(record: &TopicRecord) -> bool {
    is_control(record) && record.key.is_some() && record.value.as_ref().is_some_and(|value| !value.is_empty())
}

pub(super) fn judge(topics: &Topics, replay: &mut Replay, dead_letters: &mut DeadLetters<'_>, verdict: &mut Verdict) {
    let mut answers = Answers::new();
    for message in topics.of(FEATURES).iter().filter(|message| is_of_a_worker(message) && !is_control(message)) {
        match Features::decode(message.value.as_deref().unwrap_or_default()) {
            Ok(features) => answers.add(message, features.metadata.chunk.clone(), features, verdict),
            Err(error) => verdict.add_wrong(format!("{} is no features message: {error}", named(message))),
        }
    }
    let mut good = HashSet::new();
    for chunk in topics.of(CHUNKS) {
        if is_good_control(chunk) {
            dead_letters.expect_none(chunk, verdict);
            continue;
        }
        let answer = answers.next(&chunk.coordinates);
        match (replay.extract(chunk), answer) {
            (Ok((envelope, expected)), answer) => {
                good.insert(&chunk.coordinates);
                dead_letters.expect_none(chunk, verdict);
                match answer {
                    Some((message, found)) => compare(chunk, &envelope, &expected, message, &found, verdict),
                    None => verdict.add_lost(format!("chunk {} has no features message", named(chunk))),
                }
            }
            (Err(code), answer) => {
                dead_letters.expect(chunk, code, verdict);
                if let Some((message, _)) = answer {
                    let place = &message.coordinates;
                    verdict.add_wrong(format!("{place} answers chunk {}, which is {}", named(chunk), code.as_str()));
                }
            }
        }
    }
    for (chunk, message) in answers.left() {
        if good.contains(&chunk) {
            verdict.add_doubled(format!("chunk {chunk} has another features message at {}", named(message)));
        } else {
            verdict.add_wrong(format!("{} answers {chunk}, of which there is no good chunk", named(message)));
        }
    }
}

fn compare(
    chunk: &TopicRecord,
    envelope: &Envelope,
    expected: &Extraction,
    message: &TopicRecord,
    found: &Features,
    verdict: &mut Verdict,
) {
    let place = &message.coordinates;
    let mut wrong = |what: &str| verdict.add_wrong(format!("{place}, of chunk {}: {what}", named(chunk)));
    if place.partition != chunk.coordinates.partition {
        wrong("it is on another partition");
    }
    if message.key.as_deref() != Some(envelope.machine.as_str().as_bytes()) {
        wrong("the key is another machine's");
    }
    if message.headers.text("ce_id").ok().flatten() != Some(envelope.id.0.as_str()) {
        wrong("ce_id is not that of the chunk");
    }
    let found_shape = (found.channels, found.frames, found.mels);
    if found_shape != (expected.channels, expected.frames, expected.mels) {
        wrong("the tensor has not the shape that the replay gives");
    } else if !found.values.iter().zip(&expected.values).all(|(a, b)| a.to_bits() == b.to_bits()) {
        wrong("the tensor's values are not those of the replay");
    }
    if found.metadata.quality != expected.quality {
        wrong("the quality flags are not those of the replay");
    }
    if found.metadata.sensor_faults != expected.sensor_faults {
        wrong("the sensor faults are not those of the replay");
    }
}
