//! The content of a file, before signals, times and settings are distinguished.

use crate::Rate;

/// A file's content.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Source {
    /// The usual name of the format.
    pub format: &'static str,
    /// Columns, channels, vectors.
    pub series: Vec<Series>,
    /// Scalars by name: rates, speeds, settings.
    pub scalars: Vec<(String, f64)>,
    /// What the reader left out or corrected, one sentence each.
    pub notes: Vec<String>,
}

/// A sequence of numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Its name in the file.
    pub name: String,
    /// Series of one group and length may share a time axis, and are channels of one recording.
    pub group: String,
    /// NaN if the file has no number.
    pub values: Vec<f64>,
    /// Unit of the values.
    pub unit: Option<String>,
    /// The rate, if the format states it.
    pub rate: Option<Rate>,
    /// Whether the reader knows that these are seconds of time.
    pub is_seconds: bool,
    /// Whether this is a row of an array that is wider than long, and not a column.
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
