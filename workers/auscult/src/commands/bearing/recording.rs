//! Vibration recordings, from sound files and from measurement files.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use auscult_bearing::{BearingError, BearingExam, BearingFinding, BearingOrders, follows_on};
use auscult_features::content_type_of;
use auscult_import::{Options, is_importable};
use auscult_recordings::clips::decode_file;
use auscult_recordings::import::Origin;
use auscult_recordings::natural_order::sort_paths;

use crate::commands::reading::in_recorded_order;

/// Maximum samples per channel of one recording; beyond it, the recording is examined and a new one starts. It limits
/// the memory for long folders: 64 MiB.
const LONGEST_SAMPLES: usize = 16 << 20;

/// Files unchanged, and the files of folders in the order of the numbers in their names.
///
/// # Errors
/// If a folder cannot be read or contains no recording.
pub(super) fn files_of(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in &in_recorded_order(paths) {
        if path.is_dir() {
            files.append(&mut files_in(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// The sound files of a folder; if it has none, the files that can be imported.
fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listing = || folder.display().to_string();
    let (mut sounds, mut others) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).with_context(listing)? {
        let file = entry.with_context(listing)?.path();
        if !file.is_file() {
            continue;
        }
        if is_sound(&file) {
            sounds.push(file);
        } else if is_importable(&file) {
            others.push(file);
        }
    }
    let mut files = if sounds.is_empty() { others } else { sounds };
    if files.is_empty() {
        bail!("{} holds no recording: name a folder of WAV, FLAC, MATLAB, TDMS, UFF or CSV files", folder.display());
    }
    sort_paths(&mut files);
    Ok(files)
}

fn is_sound(path: &Path) -> bool {
    content_type_of(&path.to_string_lossy()).is_some()
}

/// One recording, from one file or several consecutive ones.
pub(super) struct Recording {
    pub first: PathBuf,
    pub last: PathBuf,
    pub files: usize,
    pub rate_hz: f64,
    /// Speed of the shaft, turns per minute, if the file states it.
    pub rpm: Option<f64>,
    pub channels: Vec<Channel>,
}

/// One channel's samples.
pub(super) struct Channel {
    /// Channel name in the file; empty if it has none.
    pub name: String,
    pub samples: Vec<f32>,
}

impl Recording {
    /// The recordings of a file: one, unless the file has signals of different rates or lengths. Notes on the file are
    /// printed on standard error.
    ///
    /// # Errors
    /// If the file cannot be read or is not a recording.
    pub(super) fn read(path: &Path, options: &Options) -> anyhow::Result<Vec<Self>> {
        if path.is_file() && !is_sound(path) && is_importable(path) {
            return Self::import(path, options);
        }
        let bytes = std::fs::read(path).context("cannot be read: check that it is a file, and its permissions")?;
        let clip = decode_file(path, &bytes)?;
        let origin = Origin::of(path);
        // Of an imported recording, the exact rate, the shaft's speed and the names are known.
        let exact_hz = origin.as_ref().map_or(f64::from(clip.sample_rate_hz), |origin| origin.rate_hz);
        let rpm = origin.as_ref().and_then(|origin| origin.rpm);
        let mut names = origin.into_iter().flat_map(|origin| origin.channels).map(|(name, _)| name);
        let mut channel = |samples| Channel { name: names.next().unwrap_or_default(), samples };
        let channels = clip.channels.into_iter().map(&mut channel).collect();
        Ok(vec![Self::of(path, options.rate_hz.unwrap_or(exact_hz), rpm, channels)])
    }

    fn import(path: &Path, options: &Options) -> anyhow::Result<Vec<Self>> {
        let imported = auscult_import::read(path, options)?;
        for note in &imported.notes {
            eprintln!("note: {}: {note}", path.display());
        }
        let recordings = imported.recordings.into_iter().map(|recording| {
            let channels = recording.channels.into_iter().map(|channel| {
                let name = if recording.name.is_empty() {
                    channel.name
                } else {
                    format!("{} {}", recording.name, channel.name)
                };
                Channel { name, samples: channel.samples }
            });
            Self::of(path, recording.rate.hz, recording.rpm, channels.collect())
        });
        Ok(recordings.collect())
    }

    fn of(path: &Path, rate_hz: f64, rpm: Option<f64>, channels: Vec<Channel>) -> Self {
        Self { first: path.to_owned(), last: path.to_owned(), files: 1, rate_hz, rpm, channels }
    }

    /// Whether every channel continues in `next`.
    pub(super) fn goes_on_with(&self, next: &Self) -> bool {
        let samples = self.channels.first().map_or(0, |channel| channel.samples.len());
        samples < LONGEST_SAMPLES
            && self.rate_hz == next.rate_hz
            && self.rpm == next.rpm
            && self.channels.len() == next.channels.len()
            && self.channels.iter().zip(&next.channels).all(|(one, other)| follows_on(&one.samples, &other.samples))
    }

    pub(super) fn append(&mut self, next: Self) {
        self.last = next.last;
        self.files += 1;
        for (channel, more) in self.channels.iter_mut().zip(next.channels) {
            channel.samples.extend(more.samples);
        }
    }

    /// The finding of each channel, or why there is none.
    ///
    /// # Errors
    /// If the shaft speed is not given.
    pub(super) fn examine(
        &self,
        orders: BearingOrders,
        rpm: Option<f64>,
        slip: f64,
    ) -> anyhow::Result<Vec<Result<BearingFinding, BearingError>>> {
        let Some(rpm) = rpm.or(self.rpm) else {
            bail!("does not say the speed of the shaft: state it with --rpm, turns a minute");
        };
        let exam = BearingExam { orders, shaft_hz: rpm / 60.0, slip };
        Ok(self.channels.iter().map(|channel| exam.examine(&channel.samples, self.rate_hz)).collect())
    }
}
