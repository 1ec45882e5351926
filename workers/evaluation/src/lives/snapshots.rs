//! The snapshots of a life: segments of one recording, or the files of a folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context, bail, ensure};
use auscult_features::{ChunkExtractor, Clip, Extraction};
use auscult_import::{Options, is_importable};
use auscult_recordings::clips::{declared_type, decode_file};
use auscult_recordings::natural_order::sort_paths;

use super::{LifeOptions, Playback};

/// A file with fewer snapshots than this is a snapshot of a life, not a life.
const FEWEST_IN_A_LIFE: usize = 10;
/// Maximum number of unusable snapshots listed by name; the others are counted.
const NAMED_BAD: usize = 10;

/// The lives at a path, in the order of the numbers in their names: the file itself; the recordings of a folder; its
/// folders of snapshot files; or the folder itself, if its files are too short to be lives.
///
/// # Errors
/// If there are none.
pub fn recordings(path: &Path, snapshot_samples: usize) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let (mut folders, files) = inside(path)?;
    folders.retain(|folder| inside(folder).is_ok_and(|(_, files)| !files.is_empty()));
    let Some(first) = files.first() else {
        ensure!(
            !folders.is_empty(),
            "{} holds no recording: give a folder with one recording a life, or with one folder of snapshot files a life",
            path.display()
        );
        return Ok(folders);
    };
    // An unreadable file is reported when its life is replayed.
    let is_snapshot =
        |file: &PathBuf| read(file).map_or(true, |clip| clip.samples() < FEWEST_IN_A_LIFE * snapshot_samples);
    let are_snapshots =
        files.len() >= FEWEST_IN_A_LIFE && is_snapshot(first) && files.iter().skip(1).take(2).all(is_snapshot);
    Ok(if are_snapshots { vec![path.to_owned()] } else { files })
}

/// Folders, and the sound files in a folder; if there are none, the files that can be imported.
fn inside(folder: &Path) -> anyhow::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let listing = || format!("cannot read {}: check the path", folder.display());
    let (mut folders, mut sounds, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).with_context(listing)? {
        let path = entry.with_context(listing)?.path();
        if path.is_dir() {
            folders.push(path);
        } else if !declared_type(&path).is_empty() {
            sounds.push(path);
        } else if is_importable(&path) {
            others.push(path);
        }
    }
    let mut files = if sounds.is_empty() { others } else { sounds };
    sort_paths(&mut folders);
    sort_paths(&mut files);
    Ok((folders, files))
}

/// A life's name: its file name without the extension, or its folder name.
pub(super) fn machine_of(path: &Path) -> String {
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A recording of any length.
fn read(path: &Path) -> anyhow::Result<Clip> {
    if !declared_type(path).is_empty() {
        let bytes = std::fs::read(path).context("cannot be read: check the path and its permissions")?;
        return decode_file(path, &bytes);
    }
    let imported = auscult_import::read(path, &Options::default())?;
    let [recording] = &imported.recordings[..] else {
        bail!(
            "holds {} recordings of different rates or lengths: `auscult import` parts them",
            imported.recordings.len()
        );
    };
    let channels = recording.channels.iter().map(|channel| channel.samples.clone()).collect();
    Ok(Clip { sample_rate_hz: recording.rate_hz(), channels, ..Clip::default() })
}

/// The results of all snapshots.
pub(super) struct Snapshots {
    /// Each usable one: its index among all, and its features.
    pub features: Vec<(usize, Extraction)>,
    /// Total number, including unusable ones.
    pub all: usize,
    pub bad: usize,
}

impl Snapshots {
    /// Reads and transforms the snapshots. An unusable one is reported and counted, and does not stop the replay.
    ///
    /// # Errors
    /// If a recording of a whole life cannot be read, or on an interrupt.
    pub(super) fn of(
        path: &Path,
        options: &LifeOptions,
        extractor: &mut ChunkExtractor,
        playback: &Playback<'_>,
    ) -> anyhow::Result<Self> {
        let mut taken = Self { features: Vec::new(), all: 0, bad: 0 };
        let samples = options.snapshot_samples;
        if path.is_dir() {
            let (_, files) = inside(path)?;
            for file in &files {
                ensure!(!playback.interrupted.load(Ordering::Relaxed), "interrupted");
                let clip = read(file).and_then(|clip| {
                    ensure!(
                        clip.samples() >= samples,
                        "has {} samples, and a snapshot {samples}: see --snapshot",
                        clip.samples()
                    );
                    Ok(cut(&clip, 0, samples))
                });
                taken.take(&file.display().to_string(), clip, extractor, playback);
                (playback.on_snapshot)(files.len());
            }
        } else {
            let whole = read(path).with_context(|| path.display().to_string())?;
            let count = whole.samples() / samples;
            for index in 0..count {
                ensure!(!playback.interrupted.load(Ordering::Relaxed), "interrupted");
                let name = format!("{}, snapshot {}", path.display(), index + 1);
                taken.take(&name, Ok(cut(&whole, index, samples)), extractor, playback);
                (playback.on_snapshot)(count);
            }
        }
        if taken.bad > NAMED_BAD {
            let (bad, all) = (taken.bad, taken.all);
            (playback.on_note)(&format!("{bad} of {all} snapshots of {} cannot be used", path.display()));
        }
        Ok(taken)
    }

    fn take(
        &mut self,
        name: &str,
        clip: anyhow::Result<Clip>,
        extractor: &mut ChunkExtractor,
        playback: &Playback<'_>,
    ) {
        let features = clip.and_then(|clip| Ok(extractor.extract_clip(&clip)?));
        match features {
            Ok(features) => self.features.push((self.all, features)),
            Err(error) => {
                self.bad += 1;
                if self.bad <= NAMED_BAD {
                    (playback.on_note)(&format!("skipped: {name}: {error:#}"));
                }
            }
        }
        self.all += 1;
    }
}

fn cut(whole: &Clip, index: usize, samples: usize) -> Clip {
    let range = index * samples..(index + 1) * samples;
    let channels = whole.channels.iter().map(|channel| channel[range.clone()].to_vec()).collect();
    Clip {
        sample_rate_hz: whole.sample_rate_hz,
        channels,
        step: whole.step,
        incomplete: whole.incomplete,
        full_scale: whole.full_scale.clone(),
    }
}
