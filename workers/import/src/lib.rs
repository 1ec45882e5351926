//! Reads measurement files into channels of numbers with a rate and a unit. All functions are pure functions of bytes,
//! except [`read`].
//!
//! ```text
//!  bytes ─► format ─┬─ text      CSV and other columns of numbers, with the information in their headers
//!                   ├─ mat       MATLAB v4, v5; with the feature `hdf5` v7.3
//!                   ├─ tdms      NI TDMS with its scales, including DAQmx raw data
//!                   ├─ uff       universal files, data set 58 and 58b
//!                   ├─ npy       NumPy's .npy and .npz
//!                   ├─ parquet_file, hdf5_file, sound
//!                   │
//!                   └─► Source: series and scalars, as in the file
//!                          │
//!                          └─ resolve ─► Recording: which series are signals, at which rate, in which unit
//! ```
//!
//! Rates are never guessed: a rate comes from the file, from a time axis in it, or from [`Options::rate_hz`], and a
//! [`Recording`] states its source. Everything that is left out, cut or rounded is a note of [`Imported`].

mod axis;
mod cursor;
mod error;
mod format;
#[cfg(feature = "hdf5")]
mod hdf5_file;
mod mat;
mod names;
mod npy;
mod options;
mod parquet_file;
mod recording;
mod resolve;
mod round;
mod sound;
mod source;
mod tdms;
mod text;
mod uff;
mod wav;

use std::path::Path;

pub use error::ImportError;
pub use format::is_importable;
pub use options::{Options, Snapshots, TimeUnit};
pub use recording::{Channel, Imported, Rate, Recording};
pub use source::{Series, Source};
pub use wav::{WavError, wav_bytes};

/// Reads a file of any supported format.
///
/// # Errors
/// If it cannot be opened, and as [`read_bytes`].
pub fn read(path: &Path, options: &Options) -> Result<Imported, ImportError> {
    resolve::resolve(open(path, options)?, options)
}

/// Reads the content of a file: every series and scalar, without selection.
///
/// # Errors
/// If it cannot be opened or is damaged.
pub fn open(path: &Path, options: &Options) -> Result<Source, ImportError> {
    let bytes = std::fs::read(path).map_err(|source| ImportError::Unreadable { source })?;
    format::source(&path.to_string_lossy(), &bytes, options)
}

/// Reads the bytes of a file; `name` is used only if the bytes do not show the format.
///
/// # Errors
/// One [`ImportError`] for each way in which a file can be invalid or incomplete; never a panic, whatever the bytes.
pub fn read_bytes(name: &str, bytes: &[u8], options: &Options) -> Result<Imported, ImportError> {
    resolve::resolve(format::source(name, bytes, options)?, options)
}
