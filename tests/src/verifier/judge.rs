//! Expected against found, topic by topic.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result};
use auscult_features::Extraction;
use auscult_schemas::topics::{ALERTS, CHUNKS, DEAD_LETTERS, DRIFT, FEATURES, SCORER_STATE, SCORES};
use auscult_schemas::{
    DeadLetter, DeadLetterCode, Envelope, Features, RecordCoordinates, Score, ScorerState, StageTimings,
};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::alike::difference;
use super::{Finding, Replay, TopicRecord, Topics, Verdict};

/// Who put a record into the features topic.
const FEATURE_WORKER: &str = "/auscult/feature-worker";

/// Judges a run.
///
/// # Errors
/// When a record that a worker wrote is no message of its kind at all.
pub(super) fn judge(topics: &Topics, replay: &mut Replay) -> Result<Verdict> {
    let mut court = Court { verdict: Verdict::default(), dead_letters: dead_letters(topics)? };
    let chunks = topics.of(CHUNKS);
    let injected = topics.of(FEATURES).iter().filter(|record| !is_of_a_worker(record)).count();
    court.verdict.chunks = chunks.len() + injected;
    court.verdict.results = topics.of(SCORES).len() + topics.of(DEAD_LETTERS).len();
    court.verdict.result_times_ms = [SCORES, DEAD_LETTERS]
        .into_iter()
        .flat_map(|topic| topics.of(topic).iter().map(|record| record.timestamp_ms))
        .collect();

    court.features(chunks, topics.of(FEATURES), replay);
    let (alerts, drift) = court.scores(topics, replay)?;
    court.events(ALERTS, &alerts, topics.of(ALERTS));
    court.events(DRIFT, &drift, topics.of(DRIFT));
    court.states(topics.of(SCORER_STATE), replay.states());
    court.surplus_dead_letters();
    Ok(court.verdict)
}

type DeadLetters<'a> = BTreeMap<RecordCoordinates, Vec<(&'a TopicRecord, DeadLetter)>>;
/// What is expected of a partition and key, in order: id and content.
type Events = BTreeMap<(i32, Bytes), Vec<(String, Value)>>;

struct Court<'a> {
    verdict: Verdict,
    /// Those that have been asked for are taken out; what is left answers nothing.
    dead_letters: DeadLetters<'a>,
}

fn dead_letters(topics: &Topics) -> Result<DeadLetters<'_>> {
    let mut letters: DeadLetters<'_> = BTreeMap::new();
    for record in topics.of(DEAD_LETTERS) {
        let letter = DeadLetter::read(&record.headers).with_context(|| record.coordinates.to_string())?;
        letters.entry(letter.source.clone()).or_default().push((record, letter));
    }
    Ok(letters)
}

fn is_of_a_worker(record: &TopicRecord) -> bool {
    record.headers.text("ce_source").ok().flatten() == Some(FEATURE_WORKER)
}

impl Court<'_> {
    fn lost(&mut self, what: String) {
        self.verdict.lost.push(Finding(what));
    }

    fn doubled(&mut self, what: String) {
        self.verdict.doubled.push(Finding(what));
    }

    fn wrong(&mut self, what: String) {
        self.verdict.wrong.push(Finding(what));
    }

    /// Each good chunk has one features message, each bad one a dead letter.
    fn features(&mut self, chunks: &[TopicRecord], messages: &[TopicRecord], replay: &mut Replay) {
        let mut found: HashMap<RecordCoordinates, Vec<(&TopicRecord, Features)>> = HashMap::new();
        let mut latest: HashMap<i32, i64> = HashMap::new();
        for message in messages.iter().filter(|message| is_of_a_worker(message)) {
            let place = &message.coordinates;
            let features = match Features::decode(message.value.as_deref().unwrap_or_default()) {
                Ok(features) => features,
                Err(error) => {
                    self.wrong(format!("{place} is no features message: {error}"));
                    continue;
                }
            };
            let source = features.metadata.chunk.clone();
            if source.partition != place.partition {
                self.wrong(format!("{place} answers {source}, of another partition"));
            }
            let before = latest.insert(place.partition, source.offset).unwrap_or(-1);
            if source.offset < before {
                let sentence = format!("{place} answers {source}, after offset {before} has been answered");
                self.verdict.reordered.push(Finding(sentence));
            }
            found.entry(source).or_default().push((message, features));
        }
        for chunk in chunks {
            let place = &chunk.coordinates;
            let answers = found.remove(place).unwrap_or_default();
            match replay.extract(chunk) {
                Ok((envelope, extraction)) => {
                    match answers.as_slice() {
                        [] => self.lost(format!("chunk {place} has no features message")),
                        [first, more @ ..] => {
                            for (again, _) in more {
                                self.doubled(format!(
                                    "chunk {place} has another features message at {}",
                                    again.coordinates
                                ));
                            }
                            self.same_features(place, &envelope, &extraction, first);
                        }
                    }
                    self.no_dead_letter(place);
                }
                Err(code) => {
                    for (message, _) in answers {
                        self.wrong(format!("{} answers {place}, which is {}", message.coordinates, code.as_str()));
                    }
                    self.dead_letter(chunk, code);
                }
            }
        }
        for (source, answers) in found {
            for (message, _) in answers {
                self.wrong(format!("{} answers {source}, which nobody has sent", message.coordinates));
            }
        }
    }

    fn same_features(
        &mut self,
        chunk: &RecordCoordinates,
        envelope: &Envelope,
        expected: &Extraction,
        (message, found): &(&TopicRecord, Features),
    ) {
        let place = &message.coordinates;
        let is_same_shape =
            (found.channels, found.frames, found.mels) == (expected.channels, expected.frames, expected.mels);
        let mut is_same = is_same_shape && found.metadata.quality == expected.quality;
        is_same &= found.values.iter().zip(&expected.values).all(|(a, b)| a.to_bits() == b.to_bits());
        if !is_same {
            self.wrong(format!("{place}: the features of {chunk} are not those of the replay"));
        }
        let key = message.key.as_deref();
        let id = message.headers.text("ce_id").ok().flatten();
        if key != Some(envelope.machine.as_str().as_bytes()) || id != Some(envelope.id.0.as_str()) {
            self.wrong(format!("{place}: key or ce_id are not those of {chunk}"));
        }
    }

    /// Each good features message has one score, in its order, and what follows from it; each bad one a dead letter. Gives the
    /// alerts and drift reports to expect.
    fn scores(&mut self, topics: &Topics, replay: &mut Replay) -> Result<(Events, Events)> {
        let mut found: HashMap<RecordCoordinates, Vec<(&TopicRecord, Score)>> = HashMap::new();
        let mut latest: HashMap<(i32, Option<Bytes>), i64> = HashMap::new();
        for record in topics.of(SCORES) {
            let place = &record.coordinates;
            let score: Score = serde_json::from_slice(record.value.as_deref().unwrap_or_default())
                .with_context(|| format!("{place} is no score"))?;
            let source = score.chunk.clone();
            let before = latest.insert((place.partition, record.key.clone()), source.offset).unwrap_or(-1);
            if source.offset < before {
                let sentence = format!("{place} answers {source}, after offset {before} has been answered");
                self.verdict.reordered.push(Finding(sentence));
            }
            found.entry(source).or_default().push((record, score));
        }
        let (mut alerts, mut drift) = (Events::new(), Events::new());
        for message in topics.of(FEATURES) {
            let place = &message.coordinates;
            let (envelope, features) = match replay.read(message) {
                Ok(read) => read,
                Err(code) => {
                    self.dead_letter(message, code);
                    continue;
                }
            };
            let mut answers = found.remove(&features.metadata.chunk).unwrap_or_default().into_iter();
            let first = answers.next();
            for (again, score) in answers {
                self.doubled(format!("chunk {} has another score at {}", score.chunk, again.coordinates));
            }
            let under = first.as_ref().map(|(_, score)| &score.model);
            let judged = match replay.judge(message, &envelope, &features, under) {
                Ok(judged) => judged,
                Err(code) => {
                    self.dead_letter(message, code);
                    continue;
                }
            };
            self.no_dead_letter(place);
            let whose = (place.partition, Bytes::from(envelope.machine.as_str().to_owned()));
            let observation = &judged.observation;
            if let Some(alert) = &observation.alert {
                alerts.entry(whose.clone()).or_default().push((alert.id.clone(), json(alert)));
            }
            if let Some(report) = &observation.drift {
                drift.entry(whose).or_default().push((report.id.clone(), json(report)));
            }
            match first {
                None => self.lost(format!("chunk {} ({place}) has no score", features.metadata.chunk)),
                Some((record, score)) => self.same_score(&judged.score, record, score, place, replay),
            }
        }
        for (source, answers) in found {
            for (record, _) in answers {
                self.wrong(format!("{} answers {source}, of which there are no features", record.coordinates));
            }
        }
        Ok((alerts, drift))
    }

    fn same_score(
        &mut self,
        expected: &Score,
        record: &TopicRecord,
        found: Score,
        message: &RecordCoordinates,
        replay: &Replay,
    ) {
        let place = &record.coordinates;
        if !replay.knows(&found.model) {
            self.wrong(format!("{place} names model {:?}, which is none of those served", found.model));
        }
        if place.partition != message.partition || record.key.as_deref() != Some(expected.machine.as_str().as_bytes()) {
            self.wrong(format!("{place} answers {message}: partition or key differ"));
        }
        let found = Score { timings: StageTimings::default(), ..found };
        if let Some(what) = difference(&json(expected), &json(&found)) {
            self.wrong(format!("{place} ({}): {what}", expected.chunk));
        }
    }

    /// Alerts or drift reports: exactly those that the replay gives, in its order.
    fn events(&mut self, topic: &str, expected: &Events, records: &[TopicRecord]) {
        let mut found: BTreeMap<(i32, Bytes), Vec<(String, Value)>> = BTreeMap::new();
        for record in records {
            let place = &record.coordinates;
            match serde_json::from_slice::<Value>(record.value.as_deref().unwrap_or_default()) {
                Ok(value) => {
                    let id = value["id"].as_str().unwrap_or_default().to_owned();
                    let key = record.key.clone().unwrap_or_default();
                    found.entry((place.partition, key)).or_default().push((id, value));
                }
                Err(error) => self.wrong(format!("{place} is no JSON: {error}")),
            }
        }
        let everyone: BTreeSet<&(i32, Bytes)> = expected.keys().chain(found.keys()).collect();
        for whose in everyone {
            let (partition, key) = whose;
            let name = format!("{topic}/{partition} of {}", String::from_utf8_lossy(key));
            let expected = expected.get(whose).map_or(&[][..], Vec::as_slice);
            let found = found.get(whose).map_or(&[][..], Vec::as_slice);
            for (id, value) in expected {
                let copies: Vec<&Value> =
                    found.iter().filter(|(other, _)| other == id).map(|(_, value)| value).collect();
                match copies.as_slice() {
                    [] => self.lost(format!("{name}: {id} is not there")),
                    [first, more @ ..] => {
                        if !more.is_empty() {
                            self.doubled(format!("{name}: {id} is there {} times", copies.len()));
                        }
                        if let Some(what) = difference(value, first) {
                            self.wrong(format!("{name}: {id}: {what}"));
                        }
                    }
                }
            }
            for (id, _) in found.iter().filter(|(id, _)| expected.iter().all(|(other, _)| other != id)) {
                self.wrong(format!("{name}: {id} is not expected"));
            }
            let order: Vec<&String> = expected.iter().map(|(id, _)| id).collect();
            let positions: Vec<usize> =
                found.iter().filter_map(|(id, _)| order.iter().position(|other| *other == id)).collect();
            if !positions.is_sorted() {
                self.verdict.reordered.push(Finding(format!("{name}: not in the order of the chunks")));
            }
        }
    }

    /// The changelog's last word on each machine is the replay's.
    fn states(&mut self, records: &[TopicRecord], expected: &HashMap<(i32, Bytes), ScorerState>) {
        let mut found: HashMap<(i32, Bytes), &TopicRecord> = HashMap::new();
        for record in records {
            found.insert((record.coordinates.partition, record.key.clone().unwrap_or_default()), record);
        }
        for (whose, state) in expected {
            let name = format!("{SCORER_STATE}/{} of {}", whose.0, String::from_utf8_lossy(&whose.1));
            let Some(record) = found.remove(whose) else {
                self.verdict.state_mismatches.push(Finding(format!("{name}: there is none")));
                continue;
            };
            let value = serde_json::from_slice(record.value.as_deref().unwrap_or_default()).unwrap_or(Value::Null);
            if let Some(what) = difference(&json(state), &value) {
                self.verdict.state_mismatches.push(Finding(format!("{name}: {what}")));
            }
        }
        for (whose, record) in found {
            let name = String::from_utf8_lossy(&whose.1).into_owned();
            let sentence = format!("{}: a state of {name}, of which nothing was heard", record.coordinates);
            self.verdict.state_mismatches.push(Finding(sentence));
        }
    }

    fn dead_letter(&mut self, record: &TopicRecord, code: DeadLetterCode) {
        let place = &record.coordinates;
        let letters = self.dead_letters.remove(place).unwrap_or_default();
        let Some((first, more)) = letters.split_first() else {
            self.lost(format!("{place}, which is {}, has no dead letter", code.as_str()));
            return;
        };
        for (again, _) in more {
            self.doubled(format!("{place} has another dead letter at {}", again.coordinates));
        }
        let (letter, headers) = first;
        if headers.code != code {
            let found = headers.code.as_str();
            self.wrong(format!("{}: {place} is {}, not {found}", letter.coordinates, code.as_str()));
        }
        if letter.coordinates.partition != place.partition || letter.key != record.key {
            self.wrong(format!("{}: partition or key are not those of {place}", letter.coordinates));
        }
        let is_same = |letter: &TopicRecord| {
            letter.value.as_deref().unwrap_or_default() == record.value.as_deref().unwrap_or_default()
        };
        if !headers.value_omitted && !is_same(letter) {
            self.wrong(format!("{}: the value is not that of {place}", letter.coordinates));
        }
    }

    fn no_dead_letter(&mut self, place: &RecordCoordinates) {
        for (letter, headers) in self.dead_letters.remove(place).unwrap_or_default() {
            let code = headers.code.as_str();
            self.wrong(format!(
                "{}: {place} is good, but has a dead letter: {code}, {}",
                letter.coordinates, headers.detail
            ));
        }
    }

    fn surplus_dead_letters(&mut self) {
        for (source, letters) in std::mem::take(&mut self.dead_letters) {
            for (letter, _) in letters {
                self.wrong(format!("{} answers {source}, which nobody has sent", letter.coordinates));
            }
        }
    }
}

fn json(message: &impl Serialize) -> Value {
    serde_json::to_value(message).expect("messages are made of numbers and texts")
}
