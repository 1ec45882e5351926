//! Tables as Parquet, uncompressed or compressed with Snappy or zstd.

use std::fs::File;
use std::path::Path;

use anyhow::Context;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::{Cell, RawTable};

pub(super) fn read(path: &Path) -> anyhow::Result<RawTable> {
    let file = File::open(path).context("cannot be opened: check its path and permissions")?;
    let reader = SerializedFileReader::new(file).context("is no Parquet file, or a damaged one")?;
    let schema = reader.metadata().file_metadata().schema();
    let columns = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None).context("its rows cannot be read")? {
        let unreadable = "cannot be read: is it compressed otherwise than with Snappy or zstd? Then write it so";
        let row = row.with_context(|| format!("row {} {unreadable}", rows.len() + 1))?;
        rows.push(row.get_column_iter().map(|(_, field)| cell(field)).collect());
    }
    Ok(RawTable { columns, rows })
}

fn cell(field: &Field) -> Cell {
    match field {
        Field::Null => Cell::Missing,
        Field::Byte(value) => Cell::Number(f64::from(*value)),
        Field::Short(value) => Cell::Number(f64::from(*value)),
        Field::Int(value) => Cell::Number(f64::from(*value)),
        Field::Long(value) => Cell::Number(*value as f64),
        Field::UByte(value) => Cell::Number(f64::from(*value)),
        Field::UShort(value) => Cell::Number(f64::from(*value)),
        Field::UInt(value) => Cell::Number(f64::from(*value)),
        Field::ULong(value) => Cell::Number(*value as f64),
        Field::Float16(value) => Cell::Number(f64::from(*value)),
        Field::Float(value) => Cell::Number(f64::from(*value)),
        Field::Double(value) => Cell::Number(*value),
        Field::Str(value) => Cell::Text(value.clone()),
        // Text that its writer did not mark as text.
        Field::Bytes(value) => match std::str::from_utf8(value.data()) {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::Other("a cell of bytes".to_owned()),
        },
        other => Cell::Other(other.to_string()),
    }
}
