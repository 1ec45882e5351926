//! The JSON Schema files are what the types say.

use auscult_schemas::{
    Alert, Audit, Control, DeadLetter, DeadLetterCode, Drift, FeatureSpec, FeaturesMetadata, Label, ModelAssignment,
    Score, ScorerState,
};
use jsonschema::Validator;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

use crate::{assert_committed, file, read};

/// The headers of every record that is no dead letter: CloudEvents 1.0 in Kafka's binary mode. A plain producer may
/// leave all of them out but for the content type: the machine then is the record's key, the id
/// `topic/partition/offset`, the time the record's timestamp. Values are UTF-8 text. Other headers may stand beside
/// these.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "never built: it stands for headers, which have no serde type")]
struct EventHeaders {
    /// Version of the CloudEvents specification.
    #[schemars(extend("const" = "1.0"))]
    ce_specversion: Option<String>,
    /// The event's id, unique within its source.
    #[schemars(with = "Option<String>", extend("minLength" = 1))]
    ce_id: Option<String>,
    /// Who made the event, a URI reference.
    #[schemars(extend("format" = "uri-reference"))]
    ce_source: Option<String>,
    /// What kind of event it is.
    #[schemars(extend("pattern" = r"^auscult\.audio\.[a-z-]+\.v[0-9]+$"))]
    ce_type: Option<String>,
    /// When the sound was recorded, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    ce_time: Option<String>,
    /// The machine; the same as the record's key.
    #[schemars(extend("minLength" = 1, "maxLength" = 128))]
    ce_subject: Option<String>,
    /// Of a chunk: what a sample value of 1.0 is, a value and a unit such as `50 m/s2`; of several channels that differ
    /// one for each, with commas between them. It is scaled to the feature spec's full scale.
    ce_fullscale: Option<String>,
    /// Media type of the value.
    #[serde(rename = "content-type")]
    content_type: Option<String>,
    /// W3C trace context: which trace the event belongs to.
    traceparent: Option<String>,
    /// W3C trace context: what tracing systems add of their own; carried on untouched.
    tracestate: Option<String>,
}

/// What is added to a record's own headers when it becomes a dead letter. Values are UTF-8 text.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "never built: DeadLetter writes and reads these headers")]
struct DeadLetterHeaders {
    /// Why, as a code.
    auscult_dead_letter_code: DeadLetterCode,
    /// Why, in words, with the remedy.
    auscult_dead_letter_detail: String,
    /// Topic that the record came from.
    auscult_dead_letter_topic: String,
    /// Its partition.
    #[schemars(extend("pattern" = "^[0-9]+$"))]
    auscult_dead_letter_partition: String,
    /// Its offset.
    #[schemars(extend("pattern" = "^[0-9]+$"))]
    auscult_dead_letter_offset: String,
    /// Which worker gave up on it.
    auscult_dead_letter_worker: String,
    /// When, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    auscult_dead_letter_time: String,
    /// `true`: the value was too large to be copied; it is still at its source for as long as that topic keeps it.
    #[schemars(extend("enum" = ["true", "false"]))]
    auscult_dead_letter_value_omitted: String,
    /// The trace that the record belongs to, as logs name it.
    #[schemars(extend("pattern" = "^[0-9a-f]{32}$"))]
    auscult_dead_letter_trace_id: Option<String>,
    /// The record's own timestamp, ms since the epoch, as it came.
    #[schemars(regex(pattern = "^-?[0-9]+$"))]
    auscult_dead_letter_timestamp_ms: Option<String>,
    /// How many bytes the omitted value has.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    auscult_dead_letter_value_bytes: Option<String>,
    /// The omitted value's SHA-256.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    auscult_dead_letter_value_sha256: Option<String>,
    /// What else than the value is left out, because a letter with it was refused.
    auscult_dead_letter_omitted: Option<auscult_schemas::OmittedParts>,
}

/// Every schema file: its name below `json/` and its content.
fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("score", schema::<Score>("score", "A score")),
        ("alert", schema::<Alert>("alert", "An alert")),
        ("drift", schema::<Drift>("drift", "A drift report")),
        ("control", schema::<Control>("control", "A control message")),
        ("audit", schema::<Audit>("audit", "An audit record")),
        ("label", schema::<Label>("label", "A label")),
        ("model-assignment", schema::<ModelAssignment>("model-assignment", "A model's assignment to a machine")),
        ("scorer-state", schema::<ScorerState>("scorer-state", "A scoring worker's memory of a machine")),
        ("feature-spec", schema::<FeatureSpec>("feature-spec", "A feature spec")),
        ("features-metadata", schema::<FeaturesMetadata>("features-metadata", "Where a spectrogram comes from")),
        ("dead-letter", schema::<DeadLetter>("dead-letter", "A dead letter, as `auscult watch` prints it")),
        ("event-headers", schema::<EventHeaders>("event-headers", "Headers of an event")),
        ("dead-letter-headers", schema::<DeadLetterHeaders>("dead-letter-headers", "Headers of a dead letter")),
    ]
}

fn schema<T: JsonSchema>(name: &str, title: &str) -> Value {
    let generated = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let Value::Object(mut fields) = generated.to_value() else { panic!("{name}: a root schema is an object") };
    let mut ordered = Map::new();
    ordered.insert("$schema".to_owned(), fields.remove("$schema").expect("the dialect is stated"));
    ordered.insert("$id".to_owned(), Value::from(format!("urn:auscult:schema:{name}:v1")));
    ordered.insert("title".to_owned(), Value::from(title));
    ordered.insert("description".to_owned(), fields.remove("description").expect("a type is described"));
    fields.remove("title");
    ordered.append(&mut fields);
    Value::Object(ordered)
}

/// A validator from the committed file, formats included.
pub fn validator(name: &str) -> Validator {
    let schema: Value = serde_json::from_slice(&read(&format!("json/{name}.schema.json"))).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[test]
fn the_schema_files_are_what_the_types_say() {
    for (name, schema) in all() {
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        assert_committed(&format!("json/{name}.schema.json"), text.as_bytes());
    }
}

#[test]
fn no_schema_file_is_left_without_a_type() {
    let known: Vec<String> = all().into_iter().map(|(name, _)| format!("{name}.schema.json")).collect();
    for entry in std::fs::read_dir(file("json")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "schemas/json/{name} belongs to no type");
    }
}

#[test]
fn every_schema_is_valid_and_every_field_described() {
    for (name, schema) in all() {
        assert!(jsonschema::meta::is_valid(&schema), "{name} is no valid JSON Schema");
        assert!(schema["description"].is_string(), "{name} has no description");
        assert_described(name, &schema);
        for (definition, inner) in schema["$defs"].as_object().into_iter().flatten() {
            assert!(inner["description"].is_string(), "{name}: {definition} has no description");
            assert_described(definition, inner);
        }
    }
}

fn assert_described(of: &str, schema: &Value) {
    for (field, property) in schema["properties"].as_object().into_iter().flatten() {
        let text = property["description"].as_str().unwrap_or_else(|| panic!("{of}.{field} has no description"));
        assert!(!text.contains("[`"), "{of}.{field} shows a reader of the schema a link into Rust: {text}");
    }
}
