//! Why a file gives no recording, and what to do about it.

use std::io;

/// One variant for each way in which a file can be wrong or say too little.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read at all.
    #[error("cannot be read: check the path and its permissions")]
    Unreadable {
        /// The system's reason.
        source: io::Error,
    },
    /// No bytes.
    #[error("is empty: was it copied whole?")]
    Empty,
    /// Neither bytes nor name say a format that is read.
    #[error("{detail}")]
    UnknownFormat {
        /// What it is, where that can be said, and the way.
        detail: String,
    },
    /// A reader that this build does not have.
    #[error(
        "is {format}, whose reader is not in this build of auscult: build it with `cargo build --release --features hdf5`, \
         or save the file otherwise ({instead})"
    )]
    NotBuilt {
        /// What the file is.
        format: &'static str,
        /// A format that is read.
        instead: &'static str,
    },
    /// The bytes contradict their format.
    #[error("is a damaged {format} file: {detail}; write or copy it anew")]
    Damaged {
        /// What the file is.
        format: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The format allows it, this reader does not know it.
    #[error("is a {format} file with {detail}")]
    Unsupported {
        /// What the file is.
        format: &'static str,
        /// What is not read, and the way.
        detail: String,
    },
    /// A file without a signal.
    #[error("holds no signal: {detail}")]
    NoSignal {
        /// What it holds instead.
        detail: String,
    },
    /// No rate in the file and none given.
    #[error("says no rate ({holds}): give it with --rate HZ, as the recorder was set")]
    NoRate {
        /// Format and signals.
        holds: String,
    },
    /// There is a time axis, and it does not say enough.
    #[error("{detail}")]
    Time {
        /// What is unclear, and which option says it.
        detail: String,
    },
    /// `--variable` or `--time` names what the file does not have.
    #[error("has no variable \"{name}\": it has {has}")]
    NoVariable {
        /// What was asked for.
        name: String,
        /// Names and numbers.
        has: String,
    },
    /// Text that is no table of numbers, or one in more than one way.
    #[error("{detail}")]
    Table {
        /// What is wrong and the way.
        detail: String,
    },
    /// A number among the options that cannot be.
    #[error("{detail}")]
    Option {
        /// Which and why.
        detail: String,
    },
}
