//! A features message: one Arrow IPC stream with a clip's log-mel spectrogram.
//!
//! One record batch, one row a channel, one column `log_mel` of the canonical extension type `arrow.fixed_shape_tensor`
//! with shape `[frames, mels]`, float32, dB, finite. The schema's metadata says where the numbers come from.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, FixedSizeListArray, Float32Array, RecordBatch};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FeatureSpecHash, QualityFlag, SchemaError, arrow_stream};

/// Name of the one column.
pub const COLUMN: &str = "log_mel";
/// Schema metadata key under which [`FeaturesMetadata`] lies as JSON.
pub const METADATA_KEY: &str = "auscult";
/// Schema metadata key of the feature spec's hash, beside the JSON so that any Arrow reader sees it at once.
pub const SPEC_HASH_KEY: &str = "auscult.feature_spec_hash";

/// Where a spectrogram comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeaturesMetadata {
    /// Hash of the feature spec that the spectrogram was computed with.
    pub feature_spec: FeatureSpecHash,
    /// The chunk's own place in `audio.chunks`.
    pub chunk: crate::RecordCoordinates,
    /// Length of the clip, s.
    #[serde(serialize_with = "crate::finite::only")]
    pub duration_s: f64,
    /// The sample rate the sound came with, Hz.
    pub source_rate_hz: u32,
    /// What was odd about the sound, in any channel.
    pub quality: Vec<QualityFlag>,
    /// The channels whose sensor is at fault, ascending; absent where none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensor_faults: Vec<crate::SensorFault>,
    /// Each channel's level in physical units; absent where the feature spec has no full scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<crate::MeasuredLevels>,
    /// Seconds spent so far: decoding, resampling, log-mel.
    pub timings: crate::StageTimings,
}

/// A clip's log-mel spectrogram, `[channels, frames, mels]`, dB, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Where it comes from.
    pub metadata: FeaturesMetadata,
    /// Number of channels.
    pub channels: usize,
    /// Number of frames.
    pub frames: usize,
    /// Number of mel bands.
    pub mels: usize,
    /// The values; the decoded message's own memory, not a copy.
    pub values: ScalarBuffer<f32>,
}

impl Features {
    /// One channel's spectrogram, `[frames, mels]`, row-major.
    #[must_use]
    pub fn channel(&self, channel: usize) -> &[f32] {
        let len = self.frames * self.mels;
        &self.values[channel * len..(channel + 1) * len]
    }

    /// The Arrow schema of a message with this metadata and shape.
    ///
    /// # Errors
    /// [`SchemaError::InvalidFeatures`] when a dimension is zero or too large for Arrow.
    pub fn schema(metadata: &FeaturesMetadata, frames: usize, mels: usize) -> Result<Schema, SchemaError> {
        let len = frames.checked_mul(mels).and_then(|len| i32::try_from(len).ok()).filter(|len| *len > 0).ok_or_else(
            || SchemaError::InvalidFeatures(format!("{frames} frames x {mels} mels is no shape of a tensor")),
        )?;
        let item = Field::new_list_field(DataType::Float32, false);
        let storage = DataType::FixedSizeList(Arc::new(item), len);
        let field = Field::new(COLUMN, storage, false).with_metadata(HashMap::from([
            ("ARROW:extension:name".to_owned(), "arrow.fixed_shape_tensor".to_owned()),
            (
                "ARROW:extension:metadata".to_owned(),
                format!(r#"{{"shape":[{frames},{mels}],"dim_names":["frames","mels"]}}"#),
            ),
        ]));
        let json = serde_json::to_string(metadata)
            .map_err(|source| SchemaError::Json { kind: "features metadata", source })?;
        Ok(Schema::new(vec![field]).with_metadata(HashMap::from([
            (METADATA_KEY.to_owned(), json),
            (SPEC_HASH_KEY.to_owned(), metadata.feature_spec.to_string()),
        ])))
    }

    /// Writes the message.
    ///
    /// # Errors
    /// [`SchemaError::InvalidFeatures`] when the shape and the number of values differ or a value is NaN or infinite;
    /// [`SchemaError::Arrow`].
    pub fn encode(&self) -> Result<Bytes, SchemaError> {
        let len = self.frames.checked_mul(self.mels).and_then(|len| len.checked_mul(self.channels));
        if self.values.is_empty() || len != Some(self.values.len()) {
            return Err(SchemaError::InvalidFeatures(format!(
                "{} values do not fill [{}, {}, {}]",
                self.values.len(),
                self.channels,
                self.frames,
                self.mels
            )));
        }
        refuse_non_finite(&self.values)?;
        let schema = Arc::new(Self::schema(&self.metadata, self.frames, self.mels)?);
        let values: ArrayRef = Arc::new(Float32Array::new(self.values.clone(), None));
        let DataType::FixedSizeList(item, len) = schema.field(0).data_type() else {
            unreachable!("the schema above has one fixed-size list")
        };
        let column = FixedSizeListArray::try_new(Arc::clone(item), *len, values, None)?;
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(column)])?;
        let mut buffer = Vec::with_capacity(self.values.len() * 4 + 2048);
        let mut writer = StreamWriter::try_new(&mut buffer, &schema)?;
        writer.write(&batch)?;
        writer.finish()?;
        drop(writer);
        Ok(Bytes::from(buffer))
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`SchemaError::InvalidFeatures`] when it is no Arrow stream, another one, or one with values that are not
    /// finite, [`SchemaError::Json`] when its metadata does not fit, [`SchemaError::Arrow`].
    pub fn decode(message: &[u8]) -> Result<Self, SchemaError> {
        let invalid = |reason: String| SchemaError::InvalidFeatures(reason);
        // One copy: a record's value lies at any address, Arrow's values want theirs aligned.
        let mut stream = Buffer::from(message);
        arrow_stream::check(&stream)?;
        let mut decoder = StreamDecoder::new();
        let batch = decoder.decode(&mut stream)?.ok_or_else(|| invalid("the stream has no record batch".to_owned()))?;
        let schema = batch.schema();
        let json = schema
            .metadata()
            .get(METADATA_KEY)
            .ok_or_else(|| invalid(format!("the schema's metadata has no {METADATA_KEY:?}")))?;
        let metadata: FeaturesMetadata =
            serde_json::from_str(json).map_err(|source| SchemaError::Json { kind: "features metadata", source })?;
        if schema.metadata().get(SPEC_HASH_KEY) != Some(&metadata.feature_spec.to_string()) {
            return Err(invalid(format!("{SPEC_HASH_KEY:?} differs from the hash in {METADATA_KEY:?}")));
        }
        let field = schema
            .fields()
            .iter()
            .find(|field| field.name() == COLUMN)
            .ok_or_else(|| invalid(format!("there is no column {COLUMN:?}")))?;
        let [frames, mels] = tensor_shape(field)?;
        let clip_len = frames.checked_mul(mels);
        let list = batch
            .column_by_name(COLUMN)
            .and_then(|column| column.as_any().downcast_ref::<FixedSizeListArray>())
            .ok_or_else(|| invalid(format!("column {COLUMN:?} is not a fixed-size list")))?;
        let values = list
            .values()
            .as_any()
            .downcast_ref::<Float32Array>()
            .ok_or_else(|| invalid(format!("column {COLUMN:?} does not hold float32")))?;
        if list.null_count() > 0 || values.null_count() > 0 {
            return Err(invalid("there are nulls".to_owned()));
        }
        let channels = list.len();
        if channels == 0 || clip_len.is_none() || usize::try_from(list.value_length()).ok() != clip_len {
            return Err(invalid(format!("{} values do not fill [{channels}, {frames}, {mels}]", values.len())));
        }
        refuse_non_finite(values.values())?;
        Ok(Self { metadata, channels, frames, mels, values: values.values().clone() })
    }
}

fn refuse_non_finite(decibels: &[f32]) -> Result<(), SchemaError> {
    match decibels.iter().position(|decibel| !decibel.is_finite()) {
        None => Ok(()),
        Some(place) => Err(SchemaError::InvalidFeatures(format!("value {place} is {}", decibels[place]))),
    }
}

fn tensor_shape(field: &Field) -> Result<[usize; 2], SchemaError> {
    /// The metadata of `arrow.fixed_shape_tensor`, <https://arrow.apache.org/docs/format/CanonicalExtensions.html>.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Tensor {
        shape: Vec<usize>,
        dim_names: Option<Vec<String>>,
        permutation: Option<Vec<usize>>,
    }
    let invalid = |reason: &str| SchemaError::InvalidFeatures(format!("column {COLUMN:?} {reason}"));
    if field.extension_type_name() != Some("arrow.fixed_shape_tensor") {
        return Err(invalid("is not of the extension type arrow.fixed_shape_tensor"));
    }
    let json = field.extension_type_metadata().ok_or_else(|| invalid("states no tensor shape"))?;
    let tensor: Tensor =
        serde_json::from_str(json).map_err(|source| SchemaError::Json { kind: "tensor shape", source })?;
    let [frames, mels] = tensor.shape[..] else { return Err(invalid("is not a tensor of two dimensions")) };
    if frames == 0 || mels == 0 {
        return Err(invalid("is an empty tensor"));
    }
    if tensor.dim_names.is_some_and(|names| names != ["frames", "mels"]) {
        return Err(invalid("has other dimensions than frames and mels"));
    }
    if tensor.permutation.is_some_and(|order| order != [0, 1]) {
        return Err(invalid("is stored in another order than frames, mels"));
    }
    Ok([frames, mels])
}
