//! A wrong message is refused, by the code and by the published schema alike.

use auscult_schemas::{
    Alert, DeadLetter, Drift, FeatureSpec, FeaturesMetadata, JsonMessage, Label, ModelAssignment, SchemaError, Score,
    ScorerState, TimeCourse,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{json_schemas::validator, samples};

/// Where a message is changed: the names and indices that lead to a value.
fn places(value: &Value, prefix: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let place = format!("{prefix}/{name}");
                found.push(place.clone());
                places(inner, &place, found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                let place = format!("{prefix}/{index}");
                found.push(place.clone());
                places(inner, &place, found);
            }
        }
        _ => {}
    }
}

/// A value of another type than the one at hand.
fn of_another_type(value: &Value) -> Value {
    match value {
        Value::String(_) => json!(7),
        Value::Number(_) => json!("7"),
        Value::Bool(_) => json!("true"),
        Value::Array(_) => json!({}),
        Value::Object(_) => json!("{}"),
        Value::Null => unreachable!("no sample holds null"),
    }
}

/// Changes a sample at every place in every way, and has the type and the schema judge each.
fn both_refuse<T: Serialize + DeserializeOwned>(schema: &str, sample: &T) {
    both_judge(schema, sample, |_| false);
}

/// As [`both_refuse`], but an unknown field is let pass at places of which this holds.
fn both_judge<T: Serialize + DeserializeOwned>(schema: &str, sample: &T, lets_pass: impl Fn(&str) -> bool) {
    let whole = serde_json::to_value(sample).unwrap();
    let schema_of = validator(schema);
    let accepted = |value: &Value| -> bool {
        let by_type = serde_json::from_value::<T>(value.clone()).is_ok();
        let by_schema = schema_of.is_valid(value);
        assert_eq!(by_type, by_schema, "{schema}: the type says {by_type}, the schema {by_schema} to {value}");
        by_type
    };
    assert!(accepted(&whole));

    let mut found = Vec::new();
    places(&whole, "", &mut found);
    for place in std::iter::once(String::new()).chain(found) {
        let mut changed = whole.clone();
        let target = changed.pointer_mut(&place).unwrap();
        *target = of_another_type(target);
        assert!(!accepted(&changed), "{schema}: another type at {place:?} is accepted");

        let mut changed = whole.clone();
        if let Value::Object(fields) = changed.pointer_mut(&place).unwrap() {
            fields.insert("surprise".to_owned(), json!(1));
            assert_eq!(accepted(&changed), lets_pass(&place), "{schema}: an unknown field at {place:?}");
        }

        let Some((parent, name)) = place.rsplit_once('/') else { continue };
        let mut changed = whole.clone();
        if let Value::Object(fields) = changed.pointer_mut(parent).unwrap() {
            fields.remove(name);
            // Whether it may be missing is for the type to say; that both say the same is checked in `accepted`.
            accepted(&changed);
        }
    }
}

#[test]
fn another_type_or_an_unknown_field_anywhere_is_refused_by_type_and_schema() {
    both_refuse("score", &samples::score());
    both_refuse("alert", &samples::alert());
    both_refuse("alert", &samples::sensor_alert());
    both_refuse("alert", &samples::environment_alert());
    both_refuse("control", &samples::control(samples::set_threshold()));
    both_refuse("audit", &samples::audit());
    both_refuse("drift", &samples::drift());
    both_refuse("label", &samples::label());
    // What a later build has added is passed over, or a rollback would forget the machine.
    both_judge("scorer-state", &samples::scorer_state(), |place| place != "/model");
    both_refuse("model-assignment", &samples::model_assignment());
    both_refuse("features-metadata", &samples::features_metadata());
    both_refuse("dead-letter", &samples::dead_letter());
    let every_field = FeatureSpec { f_max_hz: Some(7600.0), top_db: Some(80.0), ..FeatureSpec::default() };
    both_refuse("feature-spec", &every_field);
}

#[test]
fn a_state_of_a_later_version_is_refused_by_type_and_schema() {
    let mut json = serde_json::to_value(samples::scorer_state()).unwrap();
    json["version"] = json!(ScorerState::VERSION + 1);
    let error = ScorerState::decode(json.to_string().as_bytes()).unwrap_err();
    let SchemaError::Json { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("state of version 2; this build knows versions up to 1"), "{source}");
    assert!(!validator("scorer-state").is_valid(&json));
}

#[test]
fn a_missing_field_is_named() {
    fn names<T: JsonMessage>(message: &T, field: &str) {
        let mut json = serde_json::to_value(message).unwrap();
        json.as_object_mut().unwrap().remove(field).expect("the sample has the field");
        let Err(SchemaError::Json { kind, source }) = T::decode(json.to_string().as_bytes()) else {
            panic!("{} without {field} is accepted", T::KIND)
        };
        assert_eq!(kind, T::KIND);
        assert!(source.to_string().contains(&format!("missing field `{field}`")), "{source}");
    }
    names(&samples::score(), "score");
    names(&samples::alert(), "previous_state");
    names(&samples::drift(), "score_psi");
    names(&samples::label(), "verdict");
    names(&samples::scorer_state(), "version");
    names(&samples::model_assignment(), "sha256");
    names(&samples::features_metadata(), "feature_spec");
    names(&samples::dead_letter(), "code");
}

#[test]
fn null_for_a_number_is_refused_by_type_and_schema() {
    let mut json = serde_json::to_value(samples::score()).unwrap();
    json["score"] = Value::Null;
    assert!(Score::decode(json.to_string().as_bytes()).is_err());
    assert!(!validator("score").is_valid(&json));
}

#[test]
fn nan_and_infinity_are_never_written() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(Score { score: bad, ..samples::score() }.encode().is_err());
        assert!(Score { channel_scores: vec![1.0, bad], ..samples::score() }.encode().is_err());
        let timings = auscult_schemas::StageTimings { decode_s: Some(bad), ..samples::timings() };
        assert!(Score { timings, ..samples::score() }.encode().is_err());
        let mut score = samples::score();
        score.bands[0].share = bad;
        assert!(score.encode().is_err());
        let time_course = Some(TimeCourse { slice_s: 0.5, shares: vec![bad] });
        assert!(Score { time_course, ..samples::score() }.encode().is_err());
        assert!(Score { health_index: Some(bad), ..samples::score() }.encode().is_err());
        assert!(Alert { p_value: Some(bad), ..samples::alert() }.encode().is_err());
        assert!(Drift { level_shift_db: bad, ..samples::drift() }.encode().is_err());
        assert!(ScorerState { recent_scores: vec![bad], ..samples::scorer_state() }.encode().is_err());
        assert!(FeaturesMetadata { duration_s: bad, ..samples::features_metadata() }.encode().is_err());
    }
}

#[test]
fn every_number_field_is_guarded_against_null() {
    // By the schema: wherever a plain number is required, the type's serialiser must be the guarded one. The list is
    // kept by hand, so a new number field fails here until someone has thought of it.
    let mut numbers = Vec::new();
    for name in ["score", "alert", "drift", "scorer-state", "features-metadata", "control", "audit"] {
        let path = format!("json/{name}.schema.json");
        let schema: Value = serde_json::from_slice(&crate::read(&path)).unwrap();
        let definitions = schema["$defs"].as_object().cloned().unwrap_or_default();
        for object in definitions.values().chain(std::iter::once(&schema)) {
            for (field, property) in object["properties"].as_object().into_iter().flatten() {
                if property.to_string().contains("\"double\"") && !numbers.contains(field) {
                    numbers.push(field.clone());
                }
            }
        }
    }
    numbers.sort();
    let guarded = [
        "band_sum_db",
        "cadence_s",
        "channel_scores",
        "decide_s",
        "decode_s",
        "duration_s",
        "factor",
        "forward_s",
        "health_index",
        "held_threshold",
        "hz_high",
        "hz_low",
        "level_change_db",
        "level_shift_db",
        "limit",
        "listened_s",
        "log_mel_s",
        "max_band_shift_db",
        "max_band_shift_hz",
        "mean_db",
        "offset",
        "p_value",
        "previous_seconds",
        "recent_scores",
        "resample_s",
        "rms",
        "score",
        "score_ks",
        "score_ks_p_value",
        "score_psi",
        "scores",
        "share",
        "shares",
        "slice_s",
        "square_sum_db2",
        "threshold",
        "usual_share",
        "value",
        "within_sum_db2",
    ];
    assert_eq!(numbers, guarded);
}

#[test]
fn values_that_are_no_json_at_all_are_refused() {
    for value in [&b""[..], b"{", b"null", b"[]", b"\xff\xfe", b"{\"machine\":\"\"}", &[b'['; 100_000]] {
        assert!(Score::decode(value).is_err());
        assert!(Label::decode(value).is_err());
        assert!(ModelAssignment::decode(value).is_err());
        assert!(DeadLetter::decode(value).is_err());
    }
}

#[test]
fn a_machine_id_is_refused_by_type_and_schema_alike() {
    let schema = validator("label");
    for (id, good) in [
        ("fan-07", true),
        ("Lüfter 7 / Halle 2", true),
        (&"x".repeat(128), true),
        (&"x".repeat(129), false),
        ("", false),
        ("   ", false),
        ("fan\n07", false),
        ("fan\u{7f}", false),
        ("fan\u{85}", false),
    ] {
        let mut json = serde_json::to_value(samples::label()).unwrap();
        json["machine"] = json!(id);
        assert_eq!(serde_json::from_value::<Label>(json.clone()).is_ok(), good, "type: {id:?}");
        assert_eq!(schema.is_valid(&json), good, "schema: {id:?}");
    }
}
