//! Identifies a version of a file.

use std::io::ErrorKind;
use std::path::Path;
use std::time::SystemTime;

/// Identifies a version of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileVersion {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl FileVersion {
    /// `None` if the file does not exist.
    pub(crate) fn of(path: &Path) -> std::io::Result<Option<Self>> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self { modified: metadata.modified().ok(), bytes: metadata.len() })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
