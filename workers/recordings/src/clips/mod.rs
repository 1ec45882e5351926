//! Recordings as clips: file, decoder, log-mel, many on all cores, without stopping at a bad one.
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

/// How many recordings are read: what is told meanwhile, and what ends it.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// What is read, in words.
    pub what: &'a str,
    /// Set, it ends the reading with an error.
    pub interrupted: &'a AtomicBool,
    /// Called after each recording, on whichever thread read it.
    pub on_read: &'a (dyn Fn() + Sync),
}

/// Reads recordings on all cores, in the order given. The bad ones are errors in their places.
///
/// # Errors
/// When the spec is none that features can be computed with, or [`Reading::interrupted`] is set before all are read.
pub fn read_clips(
    paths: &[PathBuf],
    spec: &FeatureSpec,
    reading: &Reading<'_>,
) -> anyhow::Result<Vec<anyhow::Result<Clip>>> {
    read_all(paths, spec, reading, read_clip)
}

/// The same of clips to train on.
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

/// Recordings with only their chosen channels; one that lacks any is an error in its place.
#[must_use]
pub fn with_channels(clips: Vec<anyhow::Result<Clip>>, chosen: Option<&[usize]>) -> Vec<anyhow::Result<Clip>> {
    clips.into_iter().map(|clip| clip.and_then(|clip| clip.with_channels(chosen))).collect()
}

/// A share of bad clips above which a folder is not to be trusted.
pub const TOLERATED_BAD_SHARE: f64 = 0.1;

/// Refuses a folder of which more than one clip in ten is bad.
///
/// # Errors
/// Then.
pub fn refuse_too_many_bad(bad: usize, all: usize) -> anyhow::Result<()> {
    if bad as f64 > TOLERATED_BAD_SHARE * all as f64 {
        bail!("{bad} of {all} clips cannot be used, more than one in ten: mend or remove them");
    }
    Ok(())
}
