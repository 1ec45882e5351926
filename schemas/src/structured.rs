//! CloudEvents 1.0 in structured mode: the whole event is one JSON object in the record's value.
//! <https://github.com/cloudevents/spec/blob/main/cloudevents/formats/json-format.md>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{Headers, SchemaError};

/// How the content types of all structured events begin.
const PREFIX: &str = "application/cloudevents";
/// The one that is read.
const JSON: &str = "application/cloudevents+json";

/// Takes a record apart that is an event in structured mode: its attributes as the headers that binary mode would have,
/// before which the record's other headers stand, and its data as the value. `None` where the content type says that it
/// is none.
///
/// # Errors
/// [`SchemaError::InvalidEvent`] when it is a batch, of another format than JSON, or cannot be read; with what to send
/// instead.
pub fn open_structured(headers: &Headers, value: &[u8]) -> Result<Option<(Headers, Bytes)>, SchemaError> {
    let content_type = headers.content_type()?;
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !media_type.starts_with(PREFIX) {
        return Ok(None);
    }
    if media_type != JSON {
        let what = if media_type.starts_with("application/cloudevents-batch") {
            "a batch holds several events, and a record holds one chunk: send each event as a record of its own"
                .to_owned()
        } else {
            format!(
                "the format {media_type} is not read, only {JSON}: send that, or better binary mode, which is a quarter smaller"
            )
        };
        return Err(SchemaError::InvalidEvent(what));
    }
    let event: Map<String, Value> =
        serde_json::from_slice(value).map_err(|error| invalid(format!("the value is no JSON object: {error}")))?;
    let mut opened = Headers(headers.0.iter().filter(|(name, _)| !is_replaced(name)).cloned().collect());
    for (name, attribute) in &event {
        let text = match attribute {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => attribute.to_string(),
            // Absent, or no attribute.
            Value::Null | Value::Object(_) | Value::Array(_) => continue,
        };
        match name.as_str() {
            "data" | "data_base64" => {}
            "datacontenttype" => opened.push("content-type", text),
            "traceparent" | "tracestate" => opened.push(name.as_str(), text),
            _ => opened.push(format!("ce_{name}"), text),
        }
    }
    let data = data(&event)?;
    Ok(Some((opened, data)))
}

fn is_replaced(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-type") || name.starts_with("ce_") || name.starts_with("ce-")
}

/// The event's data: sound as `data_base64`; a control message as JSON, or as text that holds it.
fn data(event: &Map<String, Value>) -> Result<Bytes, SchemaError> {
    let given = |name| event.get(name).filter(|value| !value.is_null());
    match (given("data_base64"), given("data")) {
        (Some(Value::String(text)), None) => {
            let decoded = STANDARD.decode(text.as_bytes());
            decoded.map(Bytes::from).map_err(|error| invalid(format!("data_base64 is no base64: {error}")))
        }
        (Some(_), None) => Err(invalid("data_base64 is no text".to_owned())),
        (None, Some(Value::String(text))) => Ok(Bytes::from(text.clone())),
        (None, Some(value)) => Ok(Bytes::from(value.to_string())),
        (Some(_), Some(_)) => Err(invalid("it has both data and data_base64; an event has one of them".to_owned())),
        (None, None) => Err(invalid("it has neither data_base64 nor data: put the sound into data_base64".to_owned())),
    }
}

fn invalid(reason: String) -> SchemaError {
    SchemaError::InvalidEvent(reason)
}
