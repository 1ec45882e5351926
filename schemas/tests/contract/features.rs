//! Features messages: what is written reads back, and what is not one is refused without a panic.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeListArray, Float32Array, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::StreamWriter;
use auscult_schemas::{Features, SchemaError};
use proptest::prelude::*;

use crate::samples;

fn stream(schema: &Schema, batches: &[RecordBatch]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, schema).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    bytes
}

fn good_schema() -> Schema {
    Features::schema(&samples::features_metadata(), 3, 4).unwrap()
}

/// A batch of `rows` tensors of 3 x 4 under any schema with such a column.
fn batch(schema: &Schema, rows: usize) -> RecordBatch {
    let DataType::FixedSizeList(item, len) = schema.field(0).data_type() else { panic!("not a list") };
    let count = rows * *len as usize;
    let values: ArrayRef = match item.data_type() {
        DataType::Float64 => Arc::new(Float64Array::from(vec![1.0; count])),
        _ => Arc::new(Float32Array::from(vec![1.0; count])),
    };
    let column = FixedSizeListArray::try_new(Arc::clone(item), *len, values, None).unwrap();
    RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::new(column)]).unwrap()
}

#[track_caller]
fn refused(message: &[u8], because: &str) {
    let error = Features::decode(message).expect_err("the message is accepted");
    assert!(error.to_string().contains(because), "{error}");
}

#[test]
fn what_is_not_an_arrow_stream_is_refused() {
    refused(b"", "no schema");
    refused(b"{}", "within a message's length");
    refused(b"RIFF\x24\x00\x00\x00WAVE", "no Arrow IPC stream");
    refused(&[0xFF; 8], "negative length");
    refused(&[0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], "no schema");
    refused(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], "0 of a message's 2147483647 bytes");
}

#[test]
fn a_truncated_message_is_refused_wherever_it_ends() {
    let message = samples::features().encode().unwrap();
    let end_of_stream = 8;
    for len in 0..message.len() - end_of_stream {
        assert!(Features::decode(&message[..len]).is_err(), "the first {len} bytes are accepted");
    }
    Features::decode(&message[..message.len() - end_of_stream]).expect("the end-of-stream marker may be missing");
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut message = samples::features().encode().unwrap().to_vec();
    message.push(0);
    refused(&message, "bytes follow the end");
}

#[test]
fn other_arrow_streams_are_refused_with_what_is_wrong_with_them() {
    let good = good_schema();
    let column = good.field(0).clone();
    let with = |field: Field| Schema::new_with_metadata(vec![field], good.metadata().clone());

    refused(&stream(&good, &[]), "no record batch");
    refused(&stream(&good, &[batch(&good, 1), batch(&good, 1)]), "more than one");
    refused(&stream(&good, &[batch(&good, 0)]), "do not fill [0, 3, 4]");

    let bare = Schema::new(vec![column.clone()]);
    refused(&stream(&bare, &[batch(&bare, 1)]), "no \"auscult\"");

    let renamed = with(column.clone().with_name("mel"));
    refused(&stream(&renamed, &[batch(&renamed, 1)]), "no column \"log_mel\"");

    let plain = with(column.clone().with_metadata(arrow::datatypes::Metadata::default()));
    refused(&stream(&plain, &[batch(&plain, 1)]), "arrow.fixed_shape_tensor");

    let doubles = DataType::new_fixed_size_list(DataType::Float64, 12, false);
    let doubles = with(Field::new("log_mel", doubles, false).with_metadata(column.metadata().clone()));
    refused(&stream(&doubles, &[batch(&doubles, 1)]), "float32");

    let scalar = Schema::new(vec![Field::new("log_mel", DataType::Float32, false)]);
    let values: ArrayRef = Arc::new(Float32Array::from(vec![1.0]));
    let one = RecordBatch::try_new(Arc::new(scalar.clone()), vec![values]).unwrap();
    refused(&stream(&scalar, &[one]), "not a fixed-size list");
}

#[test]
fn a_shape_that_the_values_do_not_have_is_refused() {
    for (shape, because) in [
        (r#"{"shape":[4,4]}"#, "do not fill [1, 4, 4]"),
        (r#"{"shape":[12]}"#, "two dimensions"),
        (r#"{"shape":[0,12]}"#, "empty tensor"),
        // The product wraps around to 12 in 64 bits.
        (r#"{"shape":[9223372036854775814,2]}"#, "do not fill"),
        (r#"{"shape":[3,4],"dim_names":["mels","frames"]}"#, "other dimensions"),
        (r#"{"shape":[3,4],"permutation":[1,0]}"#, "another order"),
        (r#"{"shape":"3x4"}"#, "tensor shape"),
    ] {
        let mut metadata = good_schema().field(0).metadata().clone();
        metadata.insert("ARROW:extension:metadata".to_owned(), shape.to_owned());
        let field = good_schema().field(0).clone().with_metadata(metadata);
        let schema = Schema::new_with_metadata(vec![field], good_schema().metadata().clone());
        refused(&stream(&schema, &[batch(&schema, 1)]), because);
    }
}

#[test]
fn a_spec_hash_beside_the_metadata_that_contradicts_it_is_refused() {
    let mut metadata = good_schema().metadata().clone();
    metadata.insert("auscult.feature_spec_hash".to_owned(), "0".repeat(64));
    let schema = good_schema().with_metadata(metadata);
    refused(&stream(&schema, &[batch(&schema, 1)]), "differs from the hash");
}

#[test]
fn values_that_are_not_finite_are_neither_written_nor_read() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = samples::features().values.to_vec();
        values[7] = bad;
        let features = Features { values: values.into(), ..samples::features() };
        let error = features.encode().unwrap_err();
        assert!(error.to_string().contains(&format!("value 7 is {bad}")), "{error}");
    }
    let mut message = samples::features().encode().unwrap().to_vec();
    let first = (-60.0_f32).to_le_bytes();
    let place = message.windows(4).position(|bytes| bytes == first).unwrap();
    message[place..place + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    refused(&message, "value 0 is NaN");
}

#[test]
fn a_shape_that_does_not_hold_the_values_is_not_written() {
    let wrong = [
        Features { channels: 3, ..samples::features() },
        Features { mels: 0, ..samples::features() },
        Features { frames: usize::MAX, ..samples::features() },
        Features { channels: 0, values: Vec::new().into(), ..samples::features() },
    ];
    for features in wrong {
        assert!(matches!(features.encode(), Err(SchemaError::InvalidFeatures(_))), "{features:?}");
    }
}

#[test]
fn a_message_at_an_odd_address_reads_the_same() {
    let message = samples::features().encode().unwrap();
    for shift in 1..8 {
        let mut shifted = vec![0_u8; shift];
        shifted.extend_from_slice(&message);
        assert_eq!(Features::decode(&shifted[shift..]).unwrap(), samples::features());
    }
}

#[test]
fn a_clip_of_usual_size_costs_little_more_than_its_values() {
    let len = 8 * 313 * 64;
    let features =
        Features { channels: 8, frames: 313, mels: 64, values: vec![-40.0; len].into(), ..samples::features() };
    let message = features.encode().unwrap();
    assert!(message.len() < len * 4 + 2048, "{} bytes", message.len());
    assert_eq!(Features::decode(&message).unwrap(), features);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_features_read_back_as_written(
        (channels, frames, mels, values) in (1_usize..5, 1_usize..9, 1_usize..9).prop_flat_map(|(channels, frames, mels)| {
            let values = prop::collection::vec(-200.0_f32..200.0, channels * frames * mels);
            (Just(channels), Just(frames), Just(mels), values)
        })
    ) {
        let features = Features { metadata: samples::features_metadata(), channels, frames, mels, values: values.into() };
        prop_assert_eq!(Features::decode(&features.encode().unwrap()).unwrap(), features);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Features::decode(&bytes).is_err());
    }

    #[test]
    fn flipped_bits_never_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..6)) {
        let mut message = samples::features().encode().unwrap().to_vec();
        for (place, bit) in flips {
            let place = place.index(message.len());
            message[place] ^= 1 << bit;
        }
        let _ = Features::decode(&message);
    }

    #[test]
    fn overwritten_words_never_panic(
        words in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            Just(i32::MAX), Just(i32::MIN), Just(-1), Just(0), Just(1), any::<i32>(), 0..1024_i32,
        ]), 1..4),
    ) {
        let mut message = samples::features().encode().unwrap().to_vec();
        for (place, word) in words {
            let place = place.index(message.len() / 4) * 4;
            message[place..place + 4].copy_from_slice(&word.to_le_bytes());
        }
        let _ = Features::decode(&message);
    }
}

#[test]
fn every_single_bit_flip_is_survived() {
    let message = samples::features().encode().unwrap().to_vec();
    let mut refused = 0;
    for place in 0..message.len() {
        for bit in 0..8 {
            let mut flipped = message.clone();
            flipped[place] ^= 1 << bit;
            refused += usize::from(Features::decode(&flipped).is_err());
        }
    }
    assert!(refused > 0, "not one flipped bit was noticed");
}
