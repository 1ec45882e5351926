//! Options that supplement or override the information in a file.

/// How a file is read. By default, only the file's own information is used.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Sample rate, Hz; takes precedence over the file's.
    pub rate_hz: Option<f64>,
    /// Names or numbers (1 is the first) of the series to read; empty: every signal.
    pub variables: Vec<String>,
    /// Name or number of the series with the time.
    pub time: Option<String>,
    /// The unit of that time.
    pub time_unit: Option<TimeUnit>,
    /// The unit of the values; takes precedence over the file's.
    pub unit: Option<String>,
    /// Factor for every value.
    pub scale: Option<f64>,
    /// Whether numbers in a text have a decimal comma, if this is ambiguous.
    pub decimal_comma: Option<bool>,
    /// A table or matrix contains consecutive pieces of one signal, not channels.
    pub snapshots: Option<Snapshots>,
}

/// Unit of a time axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Days, as in spreadsheets and MATLAB's `datenum`.
    Days,
    /// Hours.
    Hours,
    /// Minutes.
    Minutes,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

impl TimeUnit {
    /// Seconds in one.
    #[must_use]
    pub fn seconds(self) -> f64 {
        match self {
            Self::Days => 86_400.0,
            Self::Hours => 3600.0,
            Self::Minutes => 60.0,
            Self::Seconds => 1.0,
            Self::Milliseconds => 1e-3,
            Self::Microseconds => 1e-6,
            Self::Nanoseconds => 1e-9,
        }
    }

    /// Parses a unit in a column header: `s`, `sec`, `ms`, `µs`; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_lowercase().as_str() {
            "d" | "day" | "days" | "tage" => Some(Self::Days),
            "h" | "hr" | "hrs" | "hour" | "hours" | "std" | "stunden" => Some(Self::Hours),
            "min" | "mins" | "minute" | "minutes" | "minuten" => Some(Self::Minutes),
            "s" | "sec" | "secs" | "second" | "seconds" | "sek" | "sekunden" => Some(Self::Seconds),
            "ms" | "msec" | "millisecond" | "milliseconds" => Some(Self::Milliseconds),
            "us" | "µs" | "μs" | "usec" | "microsecond" | "microseconds" => Some(Self::Microseconds),
            "ns" | "nsec" | "nanosecond" | "nanoseconds" => Some(Self::Nanoseconds),
            _ => None,
        }
    }
}

/// The arrangement of one channel's pieces in a table or matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshots {
    /// Each row is one.
    Rows,
    /// Each column is one.
    Columns,
}
