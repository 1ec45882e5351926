//! `arrow/features.json` says in no particular language what the code writes.

use arrow::datatypes::{DataType, Field, Schema};
use auscult_schemas::{Envelope, Features};
use serde_json::{Value, json};

use crate::{assert_committed, samples};

/// Describes a schema in the words of Arrow's own JSON format, with the shape left open.
fn describe(schema: &Schema, frames: usize, mels: usize) -> Value {
    let field = |field: &Field, data_type: Value, children: Vec<Value>| {
        let mut metadata: Vec<(&String, String)> =
            field.metadata().iter().map(|(key, value)| (key, opened(value, frames, mels))).collect();
        metadata.sort();
        let metadata: Vec<Value> =
            metadata.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        json!({
            "name": field.name(),
            "nullable": field.is_nullable(),
            "type": data_type,
            "children": children,
            "metadata": metadata,
        })
    };
    assert_eq!(schema.fields().len(), 1);
    let column = schema.field(0);
    let DataType::FixedSizeList(item, len) = column.data_type() else { panic!("{column:?}") };
    assert_eq!(usize::try_from(*len), Ok(frames * mels));
    assert_eq!(item.data_type(), &DataType::Float32);
    let item = field(item, json!({ "name": "floatingpoint", "precision": "SINGLE" }), vec![]);
    let list = json!({ "name": "fixedsizelist", "listSize": "<frames * mels>" });
    let mut keys: Vec<&String> = schema.metadata().keys().collect();
    keys.sort();
    let metadata: Vec<Value> = keys
        .into_iter()
        .map(|key| {
            let value = match key.as_str() {
                "auscult" => "<JSON, ../json/features-metadata.schema.json>",
                "auscult.feature_spec_hash" => "<feature_spec of the JSON above: 64 lower-case hexadecimal digits>",
                other => panic!("metadata key {other:?} is not described"),
            };
            json!({ "key": key, "value": value })
        })
        .collect();
    json!({
        "title": "A features message",
        "description": "One Arrow IPC stream: this schema, one record batch, end of stream. One row a channel; a row is \
            that channel's log-mel spectrogram, frames x mels, row-major, float32, dB, finite. Fields are described as in \
            Arrow's JSON format for integration tests; what stands in <angle brackets> differs from message to message.",
        "contentType": Envelope::ARROW_STREAM,
        "endianness": "little",
        "compression": "none",
        "recordBatches": 1,
        "schema": { "fields": [field(column, list, vec![item])], "metadata": metadata },
    })
}

fn opened(value: &str, frames: usize, mels: usize) -> String {
    value.replace(&format!("[{frames},{mels}]"), "[<frames>,<mels>]")
}

#[test]
fn the_arrow_layout_is_what_the_code_writes() {
    let layout = |frames, mels| {
        let schema = Features::schema(&samples::features_metadata(), frames, mels).unwrap();
        describe(&schema, frames, mels)
    };
    assert_eq!(layout(3, 4), layout(313, 64), "only the shape differs from message to message");
    let text = serde_json::to_string_pretty(&layout(3, 4)).unwrap() + "\n";
    assert_committed("arrow/features.json", text.as_bytes());
}

#[test]
fn a_shape_that_arrow_cannot_hold_has_no_schema() {
    for (frames, mels) in [(0, 4), (3, 0), (usize::MAX, 2), (65_536, 65_536)] {
        assert!(Features::schema(&samples::features_metadata(), frames, mels).is_err(), "{frames} x {mels}");
    }
}
