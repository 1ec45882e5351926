//! Headers: CloudEvents in Kafka's binary mode, and the plain producer that sets next to nothing.

use auscult_schemas::{
    Control, DeadLetter, DeadLetterCode, Envelope, Headers, JsonMessage, MachineId, OmittedParts, RecordCoordinates,
    SchemaError, open_structured, topics,
};
use bytes::Bytes;
use jiff::Timestamp;
use proptest::prelude::*;

use crate::samples;

/// 2026-03-14T06:05:04.250Z.
const RECORD_MS: i64 = 1_773_468_304_250;

fn headers(pairs: &[(&str, &str)]) -> Headers {
    Headers(pairs.iter().map(|(name, value)| ((*name).to_owned(), Some(Bytes::from((*value).to_owned())))).collect())
}

fn read(headers: &Headers, key: Option<&[u8]>) -> Result<Envelope, SchemaError> {
    Envelope::read(headers, key, &samples::coordinates(), Some(RECORD_MS), Envelope::CHUNK)
}

#[test]
fn an_envelope_reads_back_as_written() {
    for traceparent in [None, Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned())] {
        let envelope = Envelope { traceparent, ..samples::envelope(Envelope::SCORE, Envelope::JSON) };
        assert_eq!(read(&envelope.headers(), Some(b"fan-07")).unwrap(), envelope);
    }
}

#[test]
fn a_key_alone_is_enough() {
    let envelope = read(&Headers::default(), Some(b"fan-07")).unwrap();
    assert_eq!(envelope.machine.as_str(), "fan-07");
    assert_eq!(envelope.id.0, "audio.chunks/3/1207", "the id is where the record lies");
    assert_eq!(envelope.time.as_millisecond(), RECORD_MS, "the time is the record's own");
    assert_eq!(envelope.event_type, Envelope::CHUNK);
    assert_eq!(envelope.content_type, "", "what the value is, its decoder must find out");
    assert_eq!(envelope.source, "unknown");
    assert_eq!(envelope.traceparent, None);
}

#[test]
fn a_key_and_a_content_type_are_enough() {
    let envelope = read(&headers(&[("content-type", "audio/flac")]), Some(b"fan-07")).unwrap();
    assert_eq!(envelope.content_type, "audio/flac");
    assert_eq!(envelope.id.0, "audio.chunks/3/1207");
}

#[test]
fn a_subject_without_a_key_is_refused_with_the_way_because_such_records_have_no_order() {
    for key in [None, Some(&b""[..]), Some(b" ")] {
        let error = read(&headers(&[("ce_subject", "fan-07")]), key).unwrap_err();
        assert!(matches!(error, SchemaError::MissingKey { .. }), "{error}");
        assert!(error.to_string().contains("set the record key to fan-07"), "{error}");
    }
    let error = read(&headers(&[("ce_subject", "fan\n07")]), None).unwrap_err();
    assert!(matches!(error, SchemaError::MissingMachine), "{error}");
}

#[test]
fn a_header_without_a_value_is_read_as_though_it_were_not_there() {
    let mut nulls = headers(&[("ce_id", "7"), ("content-type", "audio/wav")]);
    let names = ["ce_id", "ce_time", "ce_subject", "ce_source", "ce_type", "content-type", "traceparent"];
    nulls.0.extend(names.map(|name| (name.to_owned(), None)));
    let envelope = read(&nulls, Some(b"fan-07")).unwrap();
    assert_eq!((envelope.id.0.as_str(), envelope.content_type.as_str()), ("7", "audio/wav"));
    assert_eq!((envelope.source.as_str(), envelope.traceparent), ("unknown", None));
    assert_eq!(envelope.time.as_millisecond(), RECORD_MS);
}

#[test]
fn attributes_in_the_spelling_of_http_and_the_media_type_in_that_of_other_stacks_are_read() {
    let spelt = headers(&[
        ("ce-id", "7"),
        ("ce-time", "2026-03-14T07:05:04.25+01:00"),
        ("ce-subject", "fan-07"),
        ("ce-source", "/gateway"),
        ("Content-Type", "audio/wav"),
    ]);
    let envelope = read(&spelt, Some(b"fan-07")).unwrap();
    assert_eq!((envelope.id.0.as_str(), envelope.source.as_str()), ("7", "/gateway"));
    assert_eq!((envelope.time.as_millisecond(), envelope.content_type.as_str()), (RECORD_MS, "audio/wav"));
    assert!(read(&spelt, Some(b"pump-01")).is_err(), "a subject that contradicts the key does so in any spelling");
    for (name, value) in
        [("contentType", "\"audio/wav\""), ("content_type", "audio/wav"), ("ce_datacontenttype", "audio/wav")]
    {
        assert_eq!(read(&headers(&[(name, value)]), Some(b"fan-07")).unwrap().content_type, "audio/wav", "{name}");
    }
    let both = headers(&[
        ("content-type", "audio/flac"),
        ("ce_datacontenttype", "audio/wav"),
        ("ce_id", "kafka"),
        ("ce-id", "http"),
    ]);
    let envelope = read(&both, Some(b"fan-07")).unwrap();
    assert_eq!((envelope.content_type.as_str(), envelope.id.0.as_str()), ("audio/flac", "kafka"));
}

fn open(content_type: &str, value: &str) -> Result<Option<(Headers, Bytes)>, SchemaError> {
    let headers = headers(&[("content-type", content_type), ("ce_id", "outer"), ("site", "1")]);
    open_structured(&headers, value.as_bytes())
}

#[test]
fn an_event_in_structured_mode_is_the_same_as_in_binary_mode() {
    // As the Python SDK writes it.
    let event = r#"{"specversion":"1.0","id":"7","source":"/gateway","type":"com.example.sound","subject":"fan-07","partitionkey":"fan-07",
        "time":"2026-03-14T07:05:04.25+01:00","datacontenttype":"audio/wav","dataschema":null,"data_base64":"UklGRg=="}"#;
    let (opened, data) = open("application/cloudevents+json; charset=UTF-8", event).unwrap().unwrap();
    assert_eq!(data.as_ref(), b"RIFF");
    let envelope = read(&opened, Some(b"fan-07")).unwrap();
    assert_eq!((envelope.id.0.as_str(), envelope.content_type.as_str()), ("7", "audio/wav"));
    assert_eq!((envelope.time.as_millisecond(), envelope.event_type.as_str()), (RECORD_MS, "com.example.sound"));
    assert_eq!(opened.text("site").unwrap(), Some("1"), "other headers stay");
    assert!(matches!(read(&opened, None).unwrap_err(), SchemaError::MissingKey { .. }), "it needs a key, too");

    let control = r#"{"id":"8","source":"/s","type":"t","specversion":"1.0","datacontenttype":"application/vnd.auscult.control+json",
        "data":{"machine":"fan-07","by":"ada","action":"unmute"}}"#;
    let (opened, data) = open("application/cloudevents+json", control).unwrap().unwrap();
    assert!(read(&opened, Some(b"fan-07")).unwrap().is_control());
    assert_eq!(Control::decode(&data).unwrap().by, "ada");
}

#[test]
fn a_structured_event_that_cannot_be_read_is_refused_with_what_is_wrong() {
    assert!(open("audio/wav", "RIFF").unwrap().is_none());
    for (content_type, value, says) in [
        ("application/cloudevents-batch+json", "[]", "send each event as a record of its own"),
        ("application/cloudevents+avro", "", "is not read, only application/cloudevents+json"),
        ("application/cloudevents+json", "RIFF", "no JSON object"),
        ("application/cloudevents+json", "[]", "no JSON object"),
        ("application/cloudevents+json", r#"{"id":"7"}"#, "put the sound into data_base64"),
        ("application/cloudevents+json", r#"{"data_base64":"%%%"}"#, "no base64"),
        ("application/cloudevents+json", r#"{"data_base64":7}"#, "no text"),
        ("application/cloudevents+json", r#"{"data_base64":"","data":""}"#, "both"),
    ] {
        let error = open(content_type, value).unwrap_err().to_string();
        assert!(error.contains(says), "{content_type} {value}: {error}");
    }
}

#[test]
fn a_record_that_names_no_machine_is_refused_with_the_remedy() {
    for key in [None, Some(&b""[..]), Some(b"  ")] {
        let error = read(&Headers::default(), key).unwrap_err();
        assert!(matches!(error, SchemaError::MissingMachine), "{error}");
        assert!(error.to_string().contains("set the record key"), "{error}");
    }
}

#[test]
fn a_subject_that_contradicts_the_key_is_refused() {
    let error = read(&headers(&[("ce_subject", "pump-01")]), Some(b"fan-07")).unwrap_err();
    assert!(matches!(error, SchemaError::InvalidHeader { name: "ce_subject", .. }), "{error}");
    assert!(error.to_string().contains("fan-07") && error.to_string().contains("pump-01"), "{error}");
}

#[test]
fn a_key_that_is_no_machine_id_is_refused() {
    for key in [&b"\xff\xfe"[..], b"fan\n07", &[b'x'; MachineId::MAX_BYTES + 1]] {
        let error = read(&Headers::default(), Some(key)).unwrap_err();
        assert!(matches!(error, SchemaError::InvalidMachine { .. }), "{error}");
    }
}

#[test]
fn a_header_that_cannot_be_read_is_named() {
    let error = read(&headers(&[("ce_time", "yesterday")]), Some(b"fan-07")).unwrap_err();
    assert!(matches!(error, SchemaError::InvalidHeader { name: "ce_time", .. }), "{error}");

    let mut binary = Headers::default();
    binary.push("content-type", &b"\xff"[..]);
    let error = read(&binary, Some(b"fan-07")).unwrap_err();
    assert!(matches!(error, SchemaError::InvalidHeader { name: "content-type", .. }), "{error}");
}

#[test]
fn a_time_with_an_offset_is_the_same_instant() {
    let envelope = read(&headers(&[("ce_time", "2026-03-14T07:05:04.25+01:00")]), Some(b"fan-07")).unwrap();
    assert_eq!(envelope.time.as_millisecond(), RECORD_MS);
}

#[test]
fn an_empty_id_counts_as_none() {
    assert_eq!(read(&headers(&[("ce_id", "")]), Some(b"fan-07")).unwrap().id.0, "audio.chunks/3/1207");
}

#[test]
fn the_last_of_repeated_headers_counts() {
    let repeated = headers(&[("ce_id", "first"), ("content-type", "audio/wav"), ("ce_id", "last")]);
    assert_eq!(read(&repeated, Some(b"fan-07")).unwrap().id.0, "last");
}

#[test]
fn a_record_without_a_timestamp_has_the_epoch() {
    let none = Envelope::read(&Headers::default(), Some(b"fan-07"), &samples::coordinates(), None, Envelope::CHUNK);
    assert_eq!(none.unwrap().time, Timestamp::UNIX_EPOCH);
}

#[test]
fn a_replayed_dead_letter_that_dies_again_shows_its_latest_death() {
    let mut headers = samples::envelope(Envelope::CHUNK, "audio/wav").headers();
    samples::dead_letter().append_to(&mut headers);
    let second = DeadLetter { code: DeadLetterCode::NotAudio, detail: "no sound".to_owned(), ..samples::dead_letter() };
    second.append_to(&mut headers);
    assert_eq!(DeadLetter::read(&headers).unwrap(), second);
}

#[test]
fn every_dead_letter_code_reads_back_and_equals_its_json_name() {
    for code in DeadLetterCode::ALL {
        let dead_letter = DeadLetter { code, ..samples::dead_letter() };
        let mut headers = Headers::default();
        dead_letter.append_to(&mut headers);
        assert_eq!(DeadLetter::read(&headers).unwrap(), dead_letter);
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
}

/// Names that mean something, and any others; values that are text, and any bytes.
fn any_headers() -> impl Strategy<Value = Headers> {
    let known = prop::sample::select(vec![
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_time",
        "ce_subject",
        "ce_specversion",
        "content-type",
        "ce-time",
        "Content-Type",
        "traceparent",
        "auscult_dead_letter_code",
        "auscult_dead_letter_partition",
        "auscult_dead_letter_time",
    ]);
    let name = prop_oneof![4 => known.prop_map(str::to_owned), 1 => any::<String>()];
    let value = prop_oneof![any::<Vec<u8>>(), "[ -~]{0,40}".prop_map(String::into_bytes)];
    prop::collection::vec((name, prop::option::weighted(0.9, value.prop_map(Bytes::from))), 0..12).prop_map(Headers)
}

proptest! {
    #[test]
    fn whatever_the_headers_hold_reading_them_does_not_panic(
        headers in any_headers(),
        key in prop::option::of(any::<Vec<u8>>()),
        timestamp_ms in prop::option::of(any::<i64>()),
    ) {
        let read = Envelope::read(&headers, key.as_deref(), &samples::coordinates(), timestamp_ms, Envelope::CHUNK);
        if let Ok(envelope) = read {
            // What was read can be written and read again: nothing is lost on the way to the next topic.
            let key = envelope.machine.as_str().as_bytes().to_vec();
            let again = Envelope::read(&envelope.headers(), Some(&key), &samples::coordinates(), None, "other");
            prop_assert_eq!(again.unwrap(), envelope);
        }
        let _ = DeadLetter::read(&headers);
        let mut structured = headers;
        structured.set("content-type", "application/cloudevents+json");
        let _ = open_structured(&structured, key.as_deref().unwrap_or_default());
    }

    #[test]
    fn any_dead_letter_reads_back_as_written(
        code in prop::sample::select(DeadLetterCode::ALL.to_vec()),
        detail in any::<String>(),
        partition in 0..i32::MAX,
        offset in 0..i64::MAX,
        worker in any::<String>(),
        millisecond in 0_i64..4_102_444_800_000,
        value_omitted: bool,
        trace_id in prop::option::of("[0-9a-f]{32}"),
        timestamp_ms: Option<i64>,
        value_bytes: Option<u64>,
        value_sha256 in prop::option::of("[0-9a-f]{64}"),
        omitted in prop::option::of(prop::sample::select(vec![OmittedParts::Headers, OmittedParts::HeadersAndKey])),
    ) {
        let source = RecordCoordinates { topic: topics::FEATURES.to_owned(), partition, offset };
        let time = Timestamp::from_millisecond(millisecond).unwrap();
        let dead_letter = DeadLetter {
            code, detail, source, worker, time, value_omitted, trace_id, timestamp_ms, value_bytes, value_sha256, omitted,
        };
        let mut headers = Headers::default();
        dead_letter.append_to(&mut headers);
        prop_assert_eq!(DeadLetter::read(&headers).unwrap(), dead_letter);
    }
}
