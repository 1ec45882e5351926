//! Converts recordings to clips: read, decode, log-mel; in parallel on all cores, without stopping at a faulty file.
//!
//! ```text
//!  file ─► read, check, decode ─► extract ─► Clip ─┬─► healthy channels ─► judge
//!                                                  └─► TrainingClip ─────► train
//! ```

mod clip;
mod file;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;
use auscult_features::ChunkExtractor;
use auscult_schemas::FeatureSpec;
use rayon::prelude::*;

pub use clip::Clip;
use file::read_training_clip;
pub use file::{declared_type, decode_file, read_bytes, read_clip, recordings_in, trace_of};

/// Callbacks for reading many recordings.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// What is read, for progress output.
    pub what: &'a str,
    /// If set, reading stops with an error.
    pub interrupted: &'a AtomicBool,
    /// Called after each recording, on whichever thread read it.
    pub on_read: &'a (dyn Fn() + Sync),
}

/// Reads recordings on all cores, in the given order. Faulty ones are errors in their places.
///
/// # Errors
/// If the spec is invalid, or [`Reading::interrupted`] is set before all are read.
pub fn read_clips(
    paths: &[PathBuf],
    spec: &FeatureSpec,
    reading: &Reading<'_>,
) -> anyhow::Result<Vec<anyhow::Result<Clip>>> {
    read_all(paths, spec, reading, read_clip)
}

/// The same for training clips.
///
/// # Errors
/// As [`read_clips`].
pub fn read_training_clips(
    paths: &[PathBuf],
    spec: &FeatureSpec,
    reading: &Reading<'_>,
) -> anyhow::Result<Vec<anyhow::Result<Clip>>> {
    read_all(paths, spec, reading, read_training_clip)
}

fn read_all(
    paths: &[PathBuf],
    spec: &FeatureSpec,
    reading: &Reading<'_>,
    read: impl Fn(&Path, &mut ChunkExtractor) -> anyhow::Result<Clip> + Sync,
) -> anyhow::Result<Vec<anyhow::Result<Clip>>> {
    ChunkExtractor::new(spec.clone())?;
    let new_extractor = || ChunkExtractor::new(spec.clone()).expect("the same spec has been accepted above");
    let clips: Vec<Option<anyhow::Result<Clip>>> = paths
        .par_iter()
        .map_init(new_extractor, |extractor, path| {
            if reading.interrupted.load(Ordering::Relaxed) {
                return None;
            }
            let clip = read(path, extractor);
            (reading.on_read)();
            Some(clip)
        })
        .collect();
    match clips.into_iter().collect() {
        Some(clips) => Ok(clips),
        None => bail!("interrupted while reading {}; nothing was written", reading.what),
    }
}

/// Recordings with only their selected channels; a recording without one of them becomes an error in its place.
#[must_use]
pub fn with_channels(clips: Vec<anyhow::Result<Clip>>, chosen: Option<&[usize]>) -> Vec<anyhow::Result<Clip>> {
    clips.into_iter().map(|clip| clip.and_then(|clip| clip.with_channels(chosen))).collect()
}

/// Maximum share of faulty clips in a folder.
pub const TOLERATED_BAD_SHARE: f64 = 0.1;

/// Rejects a folder in which more than one clip in ten is faulty.
///
/// # Errors
/// If that is the case.
pub fn refuse_too_many_bad(bad: usize, all: usize) -> anyhow::Result<()> {
    if bad as f64 > TOLERATED_BAD_SHARE * all as f64 {
        bail!("{bad} of {all} clips cannot be used, more than one in ten: mend or remove them");
    }
    Ok(())
}
