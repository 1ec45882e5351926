//! Looks an Arrow IPC stream through before arrow-rs sees it.
//!
//! arrow-rs trusts the lengths and offsets that a message states of itself, and panics on those that lie. A features
//! message comes from a network; so this reads the flatbuffers first and lets through exactly one layout:
//!
//! ```text
//!  FFFFFFFF len  Schema       one field: FixedSizeList<Float32>[list size], little-endian, no dictionary; no body
//!  FFFFFFFF len  RecordBatch  2 nodes, 3 buffers, uncompressed; every buffer inside the body, the body inside the message
//!  FFFFFFFF 0                 end of stream (may be missing); nothing after it
//! ```
//!
//! Layout: <https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc>

use arrow_ipc::{Endianness, MessageHeader, Precision, Type};

use crate::SchemaError;

/// Refuses every stream but that of a features message.
///
/// # Errors
/// [`SchemaError::InvalidFeatures`], saying where the stream departs from the layout.
pub(crate) fn check(stream: &[u8]) -> Result<(), SchemaError> {
    let mut rest = stream;
    let (message, after) = next_message(rest)?.ok_or_else(|| invalid("the stream has no schema"))?;
    let schema = message.header_as_schema().ok_or_else(|| invalid("the stream does not begin with a schema"))?;
    let list_size = check_schema(schema)?;
    if message.bodyLength() != 0 {
        return Err(invalid("the schema has a body"));
    }
    rest = after;

    let (message, body) = next_message(rest)?.ok_or_else(|| invalid("the stream has no record batch"))?;
    let batch = message.header_as_record_batch().ok_or_else(|| invalid("a record batch should follow the schema"))?;
    let body_len = usize::try_from(message.bodyLength()).map_err(|_| invalid("the body has a negative length"))?;
    if body_len > body.len() {
        return Err(invalid(format!("the record batch ends after {} of {body_len} bytes", body.len())));
    }
    check_batch(batch, body_len, list_size)?;
    rest = &body[body_len..];

    if next_message(rest)?.is_some() {
        return Err(invalid("the stream has more than one record batch"));
    }
    Ok(())
}

/// The message at the head of `rest` and what follows its flatbuffer (its body first); `None` at the end of the stream.
fn next_message(rest: &[u8]) -> Result<Option<(arrow_ipc::Message<'_>, &[u8])>, SchemaError> {
    const CONTINUATION: [u8; 4] = [0xFF; 4];
    if rest.is_empty() {
        return Ok(None);
    }
    let Some((prefix, rest)) = rest.split_first_chunk::<4>() else {
        return Err(invalid("the stream ends within a message's length"));
    };
    if *prefix != CONTINUATION {
        return Err(invalid("this is no Arrow IPC stream: a message does not begin with FFFFFFFF"));
    }
    let Some((len, rest)) = rest.split_first_chunk::<4>() else {
        return Err(invalid("the stream ends within a message's length"));
    };
    let len = usize::try_from(i32::from_le_bytes(*len)).map_err(|_| invalid("a message has a negative length"))?;
    if len == 0 {
        return if rest.is_empty() { Ok(None) } else { Err(invalid("bytes follow the end of the stream")) };
    }
    let Some((flatbuffer, after)) = rest.split_at_checked(len) else {
        return Err(invalid(format!("the stream ends after {} of a message's {len} bytes", rest.len())));
    };
    let message = arrow_ipc::root_as_message(flatbuffer)
        .map_err(|error| invalid(format!("a message cannot be read: {error}")))?;
    if !matches!(message.header_type(), MessageHeader::Schema | MessageHeader::RecordBatch) {
        return Err(invalid(format!("a message is of type {:?}", message.header_type())));
    }
    Ok(Some((message, after)))
}

/// Checks for the one column and returns its list size.
fn check_schema(schema: arrow_ipc::Schema<'_>) -> Result<usize, SchemaError> {
    if schema.endianness() != Endianness::Little {
        return Err(invalid("the numbers are not little-endian"));
    }
    let fields = schema.fields().ok_or_else(|| invalid("the schema has no fields"))?;
    if fields.len() != 1 {
        return Err(invalid(format!("the schema has {} columns instead of one", fields.len())));
    }
    let column = fields.get(0);
    let list = column.type_as_fixed_size_list().ok_or_else(|| invalid("the column is not a fixed-size list"))?;
    let list_size = usize::try_from(list.listSize()).unwrap_or(0);
    if list_size == 0 {
        return Err(invalid(format!("the column's list size is {}", list.listSize())));
    }
    let items = column.children().ok_or_else(|| invalid("the list has no item type"))?;
    if items.len() != 1 || items.get(0).type_type() != Type::FloatingPoint {
        return Err(invalid("the list does not hold float32"));
    }
    let item = items.get(0);
    let is_f32 = item.type_as_floating_point().is_some_and(|float| float.precision() == Precision::SINGLE);
    if !is_f32 {
        return Err(invalid("the list does not hold float32"));
    }
    if column.dictionary().is_some() || item.dictionary().is_some() {
        return Err(invalid("the column is dictionary-encoded"));
    }
    Ok(list_size)
}

/// Checks that rows, values and buffers agree and lie within the body.
fn check_batch(batch: arrow_ipc::RecordBatch<'_>, body_len: usize, list_size: usize) -> Result<(), SchemaError> {
    if batch.compression().is_some() {
        return Err(invalid("the record batch is compressed; let Kafka compress instead"));
    }
    if batch.variadicBufferCounts().is_some_and(|counts| !counts.is_empty()) {
        return Err(invalid("the record batch has variadic buffers"));
    }
    let nodes = batch.nodes().ok_or_else(|| invalid("the record batch has no nodes"))?;
    let buffers = batch.buffers().ok_or_else(|| invalid("the record batch has no buffers"))?;
    if nodes.len() != 2 || buffers.len() != 3 {
        return Err(invalid(format!("{} nodes and {} buffers instead of 2 and 3", nodes.len(), buffers.len())));
    }
    let (list, values) = (nodes.get(0), nodes.get(1));
    if list.null_count() != 0 || values.null_count() != 0 {
        return Err(invalid("there are nulls"));
    }
    for buffer in buffers.iter() {
        let offset = usize::try_from(buffer.offset()).ok();
        let len = usize::try_from(buffer.length()).ok();
        let end = offset.zip(len).and_then(|(offset, len)| offset.checked_add(len));
        if end.is_none_or(|end| end > body_len) {
            return Err(invalid(format!(
                "a buffer of {} bytes at {} lies outside the body of {body_len} bytes",
                buffer.length(),
                buffer.offset()
            )));
        }
    }
    let rows = usize::try_from(list.length()).map_err(|_| invalid("the number of rows is negative"))?;
    let expected = rows.checked_mul(list_size).ok_or_else(|| invalid("the number of values overflows"))?;
    if batch.length() != list.length() || usize::try_from(values.length()) != Ok(expected) {
        return Err(invalid(format!("{} values in {rows} rows of {list_size}", values.length())));
    }
    let value_bytes = usize::try_from(buffers.get(2).length()).unwrap_or(0);
    if expected.checked_mul(4).is_none_or(|needed| needed > value_bytes) {
        return Err(invalid(format!("{value_bytes} bytes do not hold {expected} values")));
    }
    Ok(())
}

fn invalid(reason: impl Into<String>) -> SchemaError {
    SchemaError::InvalidFeatures(reason.into())
}
