//! The files that engineers have, read into channels of numbers with a rate and a unit. Pure functions of bytes, but
//! for [`read`].
//!
//! ```text
//!  bytes ─► format ─┬─ text      CSV and other columns of numbers, with what their heads say
//!                   ├─ mat       MATLAB v4, v5; with the feature `hdf5` v7.3
//!                   ├─ tdms      NI TDMS with its scales, DAQmx's raw data too
//!                   ├─ uff       universal files, data set 58 and 58b
//!                   ├─ npy       NumPy's .npy and .npz
//!                   ├─ parquet_file, hdf5_file, sound
//!                   │
//!                   └─► Source: series and single numbers, as the file has them
//!                          │
//!                          └─ resolve ─► Recording: which series are signals, at which rate, in which unit
//! ```
//!
//! No rate is guessed: it is what the file says, what a time axis in it shows, or what [`Options::rate_hz`] says, and a
//! [`Recording`] carries which of the three it was. What is left out, cut or rounded is a note of [`Imported`].

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

/// Reads a file of any kind that this crate knows.
///
/// # Errors
/// When it cannot be opened, and as [`read_bytes`].
pub fn read(path: &Path, options: &Options) -> Result<Imported, ImportError> {
    resolve::resolve(open(path, options)?, options)
}

/// Reads what is in a file: every series and single number, nothing chosen yet.
///
/// # Errors
/// When it cannot be opened or is damaged.
pub fn open(path: &Path, options: &Options) -> Result<Source, ImportError> {
    let bytes = std::fs::read(path).map_err(|source| ImportError::Unreadable { source })?;
    format::source(&path.to_string_lossy(), &bytes, options)
}

/// Reads the bytes of a file; `name` decides only where the bytes do not.
///
/// # Errors
/// One [`ImportError`] for each way in which a file can be wrong or say too little; never a panic, whatever the bytes.
pub fn read_bytes(name: &str, bytes: &[u8], options: &Options) -> Result<Imported, ImportError> {
    resolve::resolve(format::source(name, bytes, options)?, options)
}
