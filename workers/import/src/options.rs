//! What a person says where a file does not, or says otherwise.

/// How a file is to be read. The default asks nothing but the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Samples a second, Hz; goes before what the file says.
    pub rate_hz: Option<f64>,
    /// Names or numbers (1 is the first) of the series to take; empty: every signal.
    pub variables: Vec<String>,
    /// Name or number of the series that is the time.
    pub time: Option<String>,
    /// The unit of that time.
    pub time_unit: Option<TimeUnit>,
    /// The unit of the values; goes before what the file says.
    pub unit: Option<String>,
    /// Every value is taken times this.
    pub scale: Option<f64>,
    /// Whether a text's numbers have a decimal comma, where it can be read both ways.
    pub decimal_comma: Option<bool>,
    /// A table or matrix of pieces that follow on one another in time, not of channels.
    pub snapshots: Option<Snapshots>,
}

/// Unit of a time axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Days, as spreadsheets and MATLAB's `datenum` count them.
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

    /// As written in heads of columns: `s`, `sec`, `ms`, `µs`; `None` for any other.
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

/// How the pieces of one channel lie in a table or matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshots {
    /// Each row is one.
    Rows,
    /// Each column is one.
    Columns,
}
