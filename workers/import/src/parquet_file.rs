//! Parquet: columns of numbers and of times, from pandas, Polars, Spark and historians.

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use crate::{ImportError, Series, Source};

const FORMAT: &str = "Parquet";

pub(crate) fn read(bytes: &[u8]) -> Result<Source, ImportError> {
    let damaged =
        |error: parquet::errors::ParquetError| ImportError::Damaged { format: FORMAT, detail: error.to_string() };
    let reader = SerializedFileReader::new(Bytes::copy_from_slice(bytes)).map_err(damaged)?;
    let metadata = reader.metadata().file_metadata();
    let mut source = Source::new(FORMAT);
    for entry in metadata.key_value_metadata().into_iter().flatten() {
        if let Some(value) = entry.value.as_ref().and_then(|value| value.trim().parse().ok()) {
            source.scalars.push((entry.key.clone(), value));
        }
    }
    let names: Vec<String> = metadata.schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
    let mut columns: Vec<Column> = names.iter().map(|_| Column::default()).collect();
    for row in reader.get_row_iter(None).map_err(damaged)? {
        let row = row.map_err(|error| match error.to_string() {
            text if text.contains("Disabled feature") => ImportError::Unsupported {
                format: FORMAT,
                detail: format!(
                    "columns compressed by {}: write it with Snappy (pandas: compression=\"snappy\"), zstd or none",
                    codec(&text)
                ),
            },
            detail => ImportError::Damaged { format: FORMAT, detail },
        })?;
        for (column, (_, field)) in columns.iter_mut().zip(row.get_column_iter()) {
            column.take(field);
        }
    }
    for (name, column) in names.into_iter().zip(columns) {
        let is_index = name == "__index_level_0__";
        let is_date = column.is_time || column.values.first().is_some_and(|first| *first > 1e14);
        // pandas' own row number, or a time.
        let name = match (is_index, is_date) {
            (true, false) => continue,
            (true, true) => "time".to_owned(),
            (false, _) => name,
        };
        if let Some(what) = column.other {
            source.notes.push(format!("{name} has {what}: left out"));
            continue;
        }
        let (name, unit) = crate::names::split_unit(&name);
        source.series.push(Series { unit, is_seconds: column.is_time, ..Series::new(name, column.values) });
    }
    Ok(source)
}

#[derive(Debug, Default)]
struct Column {
    values: Vec<f64>,
    is_time: bool,
    /// The type of its values, if they are not numbers.
    other: Option<&'static str>,
}

/// The codec that the reader reports as not built in: `flate2` is gzip.
fn codec(text: &str) -> &'static str {
    [("flate2", "gzip"), ("brotli", "Brotli"), ("lz4", "LZ4")]
        .into_iter()
        .find(|(word, _)| text.contains(word))
        .map_or("a codec that is not read", |(_, name)| name)
}

impl Column {
    fn take(&mut self, field: &Field) {
        let value = match field {
            Field::Null => f64::NAN,
            Field::Bool(value) => f64::from(u8::from(*value)),
            Field::Byte(value) => f64::from(*value),
            Field::Short(value) => f64::from(*value),
            Field::Int(value) => f64::from(*value),
            Field::Long(value) => *value as f64,
            Field::UByte(value) => f64::from(*value),
            Field::UShort(value) => f64::from(*value),
            Field::UInt(value) => f64::from(*value),
            Field::ULong(value) => *value as f64,
            Field::Float16(value) => f64::from(*value),
            Field::Float(value) => f64::from(*value),
            Field::Double(value) => *value,
            Field::TimestampMillis(value) => self.time(*value, 1e-3),
            Field::TimestampMicros(value) => self.time(*value, 1e-6),
            Field::TimeMillis(value) => self.time(i64::from(*value), 1e-3),
            Field::TimeMicros(value) => self.time(*value, 1e-6),
            Field::Decimal(value) => decimal(value.data(), value.scale()),
            Field::ListInternal(_) => {
                return self.leave_out("lists in its cells (write their values as rows of a column)");
            }
            Field::Group(_) | Field::MapInternal(_) => {
                return self.leave_out("structs in its cells (write each of their fields as a column)");
            }
            _ => return self.leave_out("values that are no numbers"),
        };
        self.values.push(value);
    }

    fn leave_out(&mut self, what: &'static str) {
        self.other = Some(what);
    }

    fn time(&mut self, value: i64, unit: f64) -> f64 {
        self.is_time = true;
        value as f64 * unit
    }
}

/// An integer of any size, big-endian, with `scale` decimals.
fn decimal(bytes: &[u8], scale: i32) -> f64 {
    let is_negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let whole = bytes.iter().fold(if is_negative { -1_i128 } else { 0 }, |whole, byte| whole << 8 | i128::from(*byte));
    format!("{whole}e{}", -scale).parse().unwrap_or(f64::NAN)
}
