//! Import errors, with their fixes.

use std::io;

/// One variant for each way in which a file can be invalid or incomplete.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read at all.
    #[error("cannot be read: check the path and its permissions")]
    Unreadable {
        /// The system's reason.
        source: io::Error,
    },
    /// The file is empty.
    #[error("is empty: was it copied whole?")]
    Empty,
    /// Neither the content nor the name indicate a supported format.
    #[error("{detail}")]
    UnknownFormat {
        /// The format, if known, and the fix.
        detail: String,
    },
    /// A reader that is not part of this build.
    #[error(
        "is {format}, whose reader is not in this build of auscult: build it with `cargo build --release --features hdf5`, \
         or save the file otherwise ({instead})"
    )]
    NotBuilt {
        /// The file's format.
        format: &'static str,
        /// A supported format.
        instead: &'static str,
    },
    /// The content is inconsistent with its format.
    #[error("is a damaged {format} file: {detail}; write or copy it anew")]
    Damaged {
        /// The file's format.
        format: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The format allows it, but this reader does not support it.
    #[error("is a {format} file with {detail}")]
    Unsupported {
        /// The file's format.
        format: &'static str,
        /// What is not supported, and the fix.
        detail: String,
    },
    /// A file without a signal.
    #[error("holds no signal: {detail}")]
    NoSignal {
        /// What it contains instead.
        detail: String,
    },
    /// No rate in the file and none given.
    #[error("says no rate ({holds}): give it with --rate HZ, as the recorder was set")]
    NoRate {
        /// Format and signals.
        holds: String,
    },
    /// The time axis is not sufficient.
    #[error("{detail}")]
    Time {
        /// What is unclear, and the option that specifies it.
        detail: String,
    },
    /// `--variable` or `--time` names something that the file does not contain.
    #[error("has no variable \"{name}\": it has {has}")]
    NoVariable {
        /// The requested name.
        name: String,
        /// Names and numbers.
        has: String,
    },
    /// The text is not a table of numbers, or is ambiguous.
    #[error("{detail}")]
    Table {
        /// The problem and the fix.
        detail: String,
    },
    /// An invalid number in the options.
    #[error("{detail}")]
    Option {
        /// Which and why.
        detail: String,
    },
}
