//! The golden messages are what the code writes, and what it reads.

use auscult_schemas::{
    Alert, Audit, Control, DeadLetter, Drift, Envelope, Features, Headers, JsonMessage, Label, ModelAssignment,
    RecordCoordinates, Score, ScorerState,
};
use bytes::Bytes;
use serde_json::Value;

use crate::{assert_committed, file, json_schemas::validator, read, samples};

/// Headers as the golden files hold them: a list, because their order and repetitions count.
fn headers_as_json(headers: &Headers) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in &headers.0 {
        let pair = [name.as_str(), std::str::from_utf8(value.as_ref().unwrap()).unwrap()];
        lines.push(format!("  {}", serde_json::to_string(&pair).unwrap()));
    }
    format!("[\n{}\n]\n", lines.join(",\n")).into_bytes()
}

/// A golden message's headers, from its file.
pub fn committed_headers(folder: &str) -> Headers {
    let pairs: Vec<(String, String)> = serde_json::from_slice(&read(&format!("golden/{folder}/headers.json"))).unwrap();
    Headers(pairs.into_iter().map(|(name, value)| (name, Some(Bytes::from(value)))).collect())
}

#[test]
fn the_golden_messages_are_what_the_code_writes() {
    for sample in samples::all() {
        let path = |name: &str| format!("golden/{}/{name}", sample.folder);
        assert_committed(&path("key"), sample.key.as_bytes());
        assert_committed(&path("headers.json"), &headers_as_json(&sample.headers));
        assert_committed(&path(sample.value_file), &sample.value);
    }
}

#[test]
fn no_golden_message_is_left_without_a_sample() {
    let known: Vec<&str> = samples::all().iter().map(|sample| sample.folder).collect();
    for entry in std::fs::read_dir(file("golden")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name.as_str()), "schemas/golden/{name} belongs to no sample");
    }
}

#[test]
fn golden_json_messages_read_back_as_they_were_written_and_fit_their_schema() {
    fn holds<T: JsonMessage + PartialEq + std::fmt::Debug>(folder: &str, schema: &str, expected: &T) {
        let value = read(&format!("golden/{folder}/value.json"));
        let message = T::decode(&value).unwrap_or_else(|error| panic!("{folder}: {error}"));
        assert_eq!(&message, expected, "{folder}");
        assert_eq!(message.encode().unwrap(), value, "{folder} is not written as it was read");
        let json: Value = serde_json::from_slice(&value).unwrap();
        if let Err(error) = validator(schema).validate(&json) {
            panic!("{folder} does not fit {schema}.schema.json: {error} at {}", error.instance_path());
        }
        assert!(!has_null(&json), "{folder} writes null instead of leaving the field out");
    }
    holds::<Score>("score", "score", &samples::score());
    holds::<Alert>("alert", "alert", &samples::alert());
    holds::<Alert>("alert-sensor", "alert", &samples::sensor_alert());
    holds::<Alert>("alert-environment", "alert", &samples::environment_alert());
    holds::<Alert>("alert-setup", "alert", &samples::setup_alert());
    holds::<Control>("control", "control", &samples::control(samples::set_threshold()));
    let acknowledge = samples::control(auscult_schemas::ControlAction::Acknowledge);
    holds::<Control>("control-acknowledge", "control", &acknowledge);
    holds::<Audit>("audit", "audit", &samples::audit());
    holds::<Drift>("drift", "drift", &samples::drift());
    holds::<Label>("label", "label", &samples::label());
    holds::<ScorerState>("scorer-state", "scorer-state", &samples::scorer_state());
    holds::<ModelAssignment>("model", "model-assignment", &samples::model_assignment());
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

#[test]
fn a_state_without_any_history_reads_back_as_written() {
    let fresh = ScorerState::new(samples::machine(), samples::model());
    let value = fresh.encode().unwrap();
    assert_eq!(ScorerState::decode(&value).unwrap(), fresh);
    validator("scorer-state").validate(&serde_json::from_slice(&value).unwrap()).unwrap();
}

#[test]
fn the_golden_features_message_reads_back_as_it_was_written() {
    let value = read("golden/features/value.arrows");
    let features = Features::decode(&value).unwrap();
    assert_eq!(features, samples::features());
    assert_eq!(features.encode().unwrap(), value);
    assert_eq!(features.channel(1)[0], -54.0);
    let metadata = serde_json::to_value(&features.metadata).unwrap();
    validator("features-metadata").validate(&metadata).unwrap();
}

#[test]
fn golden_headers_read_back_as_an_envelope_and_fit_their_schema() {
    let here = RecordCoordinates { topic: "audio.chunks".to_owned(), partition: 0, offset: 0 };
    let schema = validator("event-headers");
    for sample in samples::all() {
        let headers = committed_headers(sample.folder);
        let key = read(&format!("golden/{}/key", sample.folder));
        let envelope = Envelope::read(&headers, Some(&key), &here, Some(0), Envelope::CHUNK)
            .unwrap_or_else(|error| panic!("{}: {error}", sample.folder));
        assert_eq!(envelope.machine, samples::machine(), "{}", sample.folder);
        assert!(schema.is_valid(&as_object(&headers)), "{}", sample.folder);
        if sample.folder != "chunk-plain" && sample.folder != "dead-letter" {
            assert_eq!(envelope.headers(), headers, "{}", sample.folder);
        }
    }
}

#[test]
fn a_golden_dead_letter_keeps_the_record_and_says_why() {
    let headers = committed_headers("dead-letter");
    let dead_letter = DeadLetter::read(&headers).unwrap();
    assert_eq!(dead_letter, samples::dead_letter());
    assert!(validator("dead-letter-headers").is_valid(&as_object(&headers)));
    validator("dead-letter").validate(&serde_json::to_value(&dead_letter).unwrap()).unwrap();

    let original = samples::envelope(Envelope::CHUNK, "audio/wav").headers();
    assert_eq!(headers.0[..original.0.len()], original.0, "the record's own headers come first, untouched");
}

fn as_object(headers: &Headers) -> Value {
    let text = |value: &Option<Bytes>| Value::from(value.as_ref().map(|value| std::str::from_utf8(value).unwrap()));
    Value::Object(headers.0.iter().map(|(name, value)| (name.clone(), text(value))).collect())
}
