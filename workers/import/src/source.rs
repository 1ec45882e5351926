//! What a file holds, before anyone asks which of it is signal, time or a setting.

use crate::Rate;

/// A file's contents.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Source {
    /// The format as its makers call it.
    pub format: &'static str,
    /// Columns, channels, vectors.
    pub series: Vec<Series>,
    /// Single numbers by name: rates, speeds, settings.
    pub scalars: Vec<(String, f64)>,
    /// What the reader left out or mended, a sentence each.
    pub notes: Vec<String>,
}

/// Numbers in a row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// The file's name for it.
    pub name: String,
    /// Series of one group and length may share a time axis, and are channels of one recording.
    pub group: String,
    /// NaN where the file has no number.
    pub values: Vec<f64>,
    /// Unit of the values.
    pub unit: Option<String>,
    /// The rate, where the format states it.
    pub rate: Option<Rate>,
    /// Whether the reader knows that these are seconds of time.
    pub is_seconds: bool,
    /// Whether this is a row of an array that is wider than it is long, and not a column.
    pub is_row: bool,
}

impl Source {
    pub(crate) fn new(format: &'static str) -> Self {
        Self { format, ..Self::default() }
    }
}

impl Series {
    pub(crate) fn new(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self { name: name.into(), values, ..Self::default() }
    }
}
