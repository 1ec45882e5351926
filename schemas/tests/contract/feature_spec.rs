//! The feature spec's hash is the thing that training and serving agree on: it must not move by accident.

use auscult_schemas::{
    FeatureSpec, FeatureSpecHash, FullScale, MelNorm, MelScale, Quantity, Reference, SchemaError, Window,
};
use serde_json::{Value, json};

/// Every model and every features message in the world carries this. If this test fails, either the change was not
/// meant, or `version` must be raised.
#[test]
fn the_hash_of_the_default_spec_is_pinned() {
    let spec = FeatureSpec::default();
    assert_eq!(
        spec.canonical_json(),
        concat!(
            r#"{"amin":1.000000013351432e-10,"center":true,"f_max_hz":null,"f_min_hz":0.0,"frames":5,"hop_length":512,"#,
            r#""mel_norm":"slaney","mel_scale":"slaney","n_fft":1024,"n_mels":64,"power":2.0,"reference":"fixed","#,
            r#""sample_rate_hz":16000,"top_db":null,"version":1,"window":"hann"}"#
        )
    );
    assert_eq!(spec.hash().to_string(), "a013315b522e7354ec1dd8ae843609c08cd4d7e5cff8ca8a6ef043d96094e0b8");
    assert_eq!(
        FeatureSpec::reference_method().hash().to_string(),
        "dc9bd9f99c410f743fc2be03472f6b34f70beb0e984b337792bd0ee9ec1d26db"
    );
}

#[test]
fn every_field_that_changes_a_number_is_part_of_the_hash() {
    let default = FeatureSpec::default();
    // Written out in full, so that a new field does not compile until it is thought of here.
    let FeatureSpec {
        version,
        sample_rate_hz,
        n_fft,
        hop_length,
        window: Window::Hann,
        center,
        n_mels,
        f_min_hz,
        f_max_hz: _,
        mel_scale: MelScale::Slaney,
        mel_norm: MelNorm::Slaney,
        power,
        reference: _,
        amin,
        top_db: _,
        frames,
        remove_mean,
        quantity: None,
        full_scale: None,
    } = default.clone()
    else {
        panic!("the default names no quantity and no full scale")
    };
    let changed = [
        FeatureSpec { version: version + 1, ..default.clone() },
        FeatureSpec { sample_rate_hz: sample_rate_hz + 1, ..default.clone() },
        FeatureSpec { n_fft: n_fft * 2, ..default.clone() },
        FeatureSpec { hop_length: hop_length / 2, ..default.clone() },
        FeatureSpec { center: !center, ..default.clone() },
        FeatureSpec { n_mels: n_mels * 2, ..default.clone() },
        FeatureSpec { f_min_hz: f_min_hz + 50.0, ..default.clone() },
        FeatureSpec { f_max_hz: Some(7600.0), ..default.clone() },
        FeatureSpec { power: power / 2.0, ..default.clone() },
        FeatureSpec { reference: Reference::Max, ..default.clone() },
        FeatureSpec { amin: amin * 10.0, ..default.clone() },
        FeatureSpec { top_db: Some(80.0), ..default.clone() },
        FeatureSpec { frames: frames + 1, ..default.clone() },
        FeatureSpec { remove_mean: !remove_mean, ..default.clone() },
        FeatureSpec { full_scale: Some(FullScale::one("g")), ..default.clone() },
        FeatureSpec { full_scale: Some(FullScale::one("m/s²")), ..default.clone() },
    ];
    let mut hashes: Vec<String> = changed.iter().map(|spec| spec.hash().to_string()).collect();
    hashes.push(default.hash().to_string());
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), changed.len() + 1, "two specs share a hash");
}

#[test]
fn the_quantity_changes_no_number_and_no_hash() {
    let vibration = FeatureSpec { quantity: Some(Quantity::Vibration), ..FeatureSpec::default() };
    assert_eq!(vibration.hash(), FeatureSpec::default().hash());
    let read: FeatureSpec = serde_json::from_str(&vibration.canonical_json()).unwrap();
    assert_eq!(read.quantity(), Quantity::Vibration);
    assert_eq!(FeatureSpec::default().quantity(), Quantity::Sound);
}

#[test]
fn a_unit_has_one_spelling_whoever_writes_the_spec() {
    let read = |unit: &str| -> FeatureSpec {
        serde_json::from_value(json!({ "full_scale": { "value": 50, "unit": unit } })).unwrap()
    };
    assert_eq!(read("m/s2").hash(), read("m/s²").hash());
    assert_ne!(read("m/s2").hash(), read("g").hash());
    assert!(serde_json::from_value::<FeatureSpec>(json!({ "full_scale": { "value": 50 } })).is_err());
}

#[test]
fn the_order_in_which_a_spec_is_written_does_not_change_its_hash() {
    let Value::Object(fields) = serde_json::to_value(FeatureSpec::default()).unwrap() else { unreachable!() };
    let backwards: serde_json::Map<String, Value> = fields.into_iter().rev().collect();
    let spec: FeatureSpec = serde_json::from_value(Value::Object(backwards)).unwrap();
    assert_eq!(spec.hash(), FeatureSpec::default().hash());
}

#[test]
fn fields_left_out_have_their_defaults() {
    let spec: FeatureSpec = serde_json::from_value(json!({ "n_mels": 128 })).unwrap();
    assert_eq!(spec, FeatureSpec { n_mels: 128, ..FeatureSpec::default() });
}

#[test]
fn the_default_and_the_reference_method_are_valid() {
    FeatureSpec::default().validate().unwrap();
    FeatureSpec::reference_method().validate().unwrap();
}

#[test]
fn a_spec_for_any_rate_is_valid_and_at_16_khz_the_default() {
    assert_eq!(FeatureSpec::for_rate(16_000), FeatureSpec::default());
    for rate_hz in [100, 1_000, 4_000, 10_000, 25_600, 44_100, 48_000, 96_000, 200_000, 500_000, 1_000_000] {
        let spec = FeatureSpec::for_rate(rate_hz);
        spec.validate().unwrap();
        let bins = spec.n_fft / 2 + 1;
        assert!(bins >= 2 * spec.n_mels, "{rate_hz} Hz: {bins} frequencies for {} bands", spec.n_mels);
        let window_s = spec.n_fft as f64 / f64::from(rate_hz);
        assert!(window_s > 0.045 && (window_s < 0.092 || spec.n_fft == 256), "{rate_hz} Hz: {window_s} s");
    }
}

#[test]
fn every_fault_of_a_spec_is_named_at_once() {
    let spec = FeatureSpec {
        version: 9,
        sample_rate_hz: 1,
        n_fft: 7,
        hop_length: 0,
        n_mels: 0,
        f_min_hz: -1.0,
        f_max_hz: Some(f32::NAN),
        power: 0.0,
        amin: f32::NAN,
        top_db: Some(f32::INFINITY),
        frames: 0,
        full_scale: Some(FullScale { value: 0.0, ..FullScale::one("g") }),
        ..FeatureSpec::default()
    };
    let Err(SchemaError::InvalidFeatureSpec(faults)) = spec.validate() else { panic!("the spec is accepted") };
    for field in [
        "version",
        "sample_rate_hz",
        "n_fft",
        "hop_length",
        "n_mels",
        "f_min_hz",
        "f_max_hz",
        "power",
        "amin",
        "top_db",
        "frames",
        "full_scale",
    ] {
        assert!(faults.contains(&format!("{field}: ")), "{field} is not named in: {faults}");
    }
}

#[test]
fn one_wrong_field_is_named_alone() {
    let default = FeatureSpec::default;
    for (field, spec) in [
        ("n_fft", FeatureSpec { n_fft: 1023, ..default() }),
        ("hop_length", FeatureSpec { hop_length: 1025, ..default() }),
        ("f_max_hz", FeatureSpec { f_max_hz: Some(8000.5), ..default() }),
        ("power", FeatureSpec { power: f32::INFINITY, ..default() }),
        ("top_db", FeatureSpec { top_db: Some(f32::NAN), ..default() }),
        ("frames", FeatureSpec { frames: 65, ..default() }),
    ] {
        let Err(SchemaError::InvalidFeatureSpec(faults)) = spec.validate() else { panic!("{field} is accepted") };
        assert!(faults.starts_with(&format!("{field}: ")) && !faults.contains("; "), "{faults}");
    }
}

#[test]
fn a_hash_reads_back_as_written_and_nothing_else_does() {
    let hash = FeatureSpec::default().hash();
    assert_eq!(FeatureSpecHash::try_from(hash.to_string()).unwrap(), hash);
    for wrong in ["", "00", &hash.to_string().to_uppercase(), &"g".repeat(64), &"é".repeat(32)] {
        assert!(FeatureSpecHash::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
    }
}
