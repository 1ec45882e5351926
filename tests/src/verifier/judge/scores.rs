//! `audio.features`, as it lies there → `audio.scores`: each good message has one score, each bad one a dead letter.

use std::collections::{HashMap, HashSet};

use auscult_detection::words;
use auscult_schemas::topics::{AUDIT, FEATURES, SCORES};
use auscult_schemas::{Audit, ModelRef, Score, StageTimings};
use bytes::Bytes;

use super::answers::Answers;
use super::{DeadLetters, Followers, Replay, TopicRecord, Topics, Verdict, json, named};
use crate::verifier::alike::difference;

/// Judges the scores, and gives the alerts, drift reports and audit records that must have come with them.
pub(super) fn judge(
    topics: &Topics,
    replay: &mut Replay,
    dead_letters: &mut DeadLetters<'_>,
    verdict: &mut Verdict,
) -> Followers {
    let mut answers = Answers::new();
    for record in topics.of(SCORES) {
        match serde_json::from_slice::<Score>(record.value.as_deref().unwrap_or_default()) {
            Ok(score) => answers.add(record, score.chunk.clone(), score, verdict),
            Err(error) => verdict.add_wrong(format!("{} is no score: {error}", named(record))),
        }
    }
    let audit_models = audit_models(topics, verdict);
    let Followers { mut alerts, mut drift, mut audits } = Followers::default();
    let mut judged_chunks = HashSet::new();
    for message in topics.of(FEATURES) {
        if let Some(applied) = replay.control(message, |id| audit_models.get(id)) {
            match applied {
                Ok((envelope, mut applied)) => {
                    if replay.knows_earlier_builds && !audit_models.contains_key(&applied.audit.id) {
                        applied.audit.model = None;
                    }
                    dead_letters.expect_none(message, verdict);
                    let whose = (message.coordinates.partition, Bytes::from(envelope.machine.as_str().to_owned()));
                    audits.entry(whose.clone()).or_default().push((applied.audit.id.clone(), json(&applied.audit)));
                    if let Some(alert) = &applied.alert {
                        alerts.entry(whose).or_default().push((alert.id.clone(), json(alert)));
                    }
                }
                Err(code) => dead_letters.expect(message, code, verdict),
            }
            continue;
        }
        let (envelope, features) = match replay.read(message) {
            Ok(read) => read,
            Err(code) => {
                dead_letters.expect(message, code, verdict);
                continue;
            }
        };
        // Where a features message is there twice, so are its scores: the first belongs to the first.
        let chunk = features.metadata.chunk.clone();
        let answer = answers.next(&chunk);
        let under = answer.as_ref().map(|(_, score)| &score.model);
        let judged = match replay.judge(message, &envelope, &features, under) {
            Ok(judged) => judged,
            Err(code) => {
                dead_letters.expect(message, code, verdict);
                if let Some((record, _)) = answer {
                    let place = &record.coordinates;
                    verdict.add_wrong(format!("{place} answers {}, which is {}", named(message), code.as_str()));
                }
                continue;
            }
        };
        judged_chunks.insert(chunk);
        dead_letters.expect_none(message, verdict);
        let whose = (message.coordinates.partition, Bytes::from(envelope.machine.as_str().to_owned()));
        for alert in judged
            .observation
            .alert
            .iter()
            .chain(&judged.observation.sensor_alert)
            .chain(&judged.observation.setup_alert)
        {
            alerts.entry(whose.clone()).or_default().push((alert.id.clone(), json(alert)));
        }
        for alert in &judged.neighbours {
            let whose = (whose.0, Bytes::from(alert.machine.as_str().to_owned()));
            alerts.entry(whose).or_default().push((alert.id.clone(), json(alert)));
        }
        if let Some(audit) = &judged.observation.audit {
            audits.entry(whose.clone()).or_default().push((audit.id.clone(), json(audit)));
        }
        if let Some(report) = &judged.observation.drift {
            drift.entry(whose).or_default().push((report.id.clone(), json(report)));
        }
        match answer {
            Some((record, found)) => compare(message, &judged.score, record, found, replay, verdict),
            None => verdict.add_lost(format!("features {} have no score", named(message))),
        }
    }
    for (chunk, record) in answers.left() {
        if judged_chunks.contains(&chunk) {
            verdict.add_doubled(format!("chunk {chunk} has another score at {}", named(record)));
        } else {
            verdict.add_wrong(format!("{} answers {chunk}, of which there are no good features", named(record)));
        }
    }
    Followers { alerts, drift, audits }
}

/// The model that each audit record names, by the record's id: which one served when a control message came, nothing
/// else says.
fn audit_models(topics: &Topics, verdict: &mut Verdict) -> HashMap<String, ModelRef> {
    let mut models = HashMap::new();
    for record in topics.of(AUDIT) {
        match serde_json::from_slice::<Audit>(record.value.as_deref().unwrap_or_default()) {
            Ok(Audit { id, model, .. }) => models.extend(model.map(|model| (id, model))),
            Err(error) => verdict.add_wrong(format!("{} is no audit record: {error}", named(record))),
        }
    }
    models
}

fn compare(
    message: &TopicRecord,
    expected: &Score,
    record: &TopicRecord,
    found: Score,
    replay: &Replay,
    verdict: &mut Verdict,
) {
    let place = &record.coordinates;
    let mut wrong = |what: &str| verdict.add_wrong(format!("{place}, of features {}: {what}", named(message)));
    if !replay.knows(&found.model) {
        wrong(&format!("it names model {:?}, which is none of those served", found.model));
    }
    if place.partition != message.coordinates.partition {
        wrong("it is on another partition");
    }
    if record.key.as_deref() != Some(expected.machine.as_str().as_bytes()) {
        wrong("the key is another machine's");
    }
    if record.headers.text("ce_id").ok().flatten() != Some(found.id.as_str()) {
        wrong("ce_id is not the score's id, so that nobody can tell a repetition");
    }
    // Words round: they are held against the message's own numbers, which are compared with a tolerance.
    if found.explanation != words::score(&found) {
        wrong("its explanation is not what its numbers say");
    }
    let expected = Score { explanation: None, ..expected.clone() };
    // How long it took is nobody's promise.
    let found = Score { timings: StageTimings::default(), explanation: None, ..found };
    if let Some(what) = difference(&json(&expected), &json(&found)) {
        wrong(&what);
    }
}
