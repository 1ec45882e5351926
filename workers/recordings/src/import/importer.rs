//! Writes recordings of imported files into a folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use auscult_import::{Imported, Options, Recording, wav_bytes};

use super::inputs::Input;
use super::manifest::{self, Manifest};
use super::words::{describe, remarks};
use crate::files;

/// Settings of an import.
#[derive(Debug, Clone, Default)]
pub struct ImportSettings {
    /// How files are read.
    pub reading: Options,
    /// Subfolder for the recordings, such as `train/normal`.
    pub split: Option<PathBuf>,
    /// Length of the pieces that recordings are cut into, s; `None` does not cut.
    pub chunk_secs: Option<f64>,
    /// Whether each channel becomes a separate recording.
    pub per_channel: bool,
    /// Whether existing recordings are replaced.
    pub overwrite: bool,
}

/// Writes recordings into a folder, with a manifest.
pub struct Importer<'a> {
    pub(super) settings: &'a ImportSettings,
    pub(super) out: &'a Path,
    manifest: Manifest,
    /// Notes that were already printed.
    pub(super) noted: BTreeSet<String>,
    written: BTreeSet<PathBuf>,
    /// Called with each line of output.
    pub(super) print: &'a mut dyn FnMut(&str) -> anyhow::Result<()>,
}

impl<'a> Importer<'a> {
    /// Opens an existing folder; its manifest is extended.
    ///
    /// # Errors
    /// If the folder's manifest cannot be read.
    pub fn open(
        settings: &'a ImportSettings,
        out: &'a Path,
        print: &'a mut dyn FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let manifest = Manifest::open(out)?;
        Ok(Self { settings, out, manifest, noted: BTreeSet::new(), written: BTreeSet::new(), print })
    }

    /// Writes the manifest.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> anyhow::Result<()> {
        self.manifest.write()
    }

    /// Writes the recordings of one file: all of them or none.
    ///
    /// # Errors
    /// If one already exists or cannot be written.
    pub fn write_file(&mut self, input: &Input, imported: Imported) -> anyhow::Result<()> {
        let Imported { format, recordings, mut notes } = imported;
        let mut pieces: Vec<(String, Recording)> = Vec::new();
        for recording in recordings {
            let stem = join(&input.stem, &recording.name);
            for (stem, one) in self.channels_of(stem, recording) {
                match self.settings.chunk_secs {
                    Some(secs) => pieces.extend(cut(&stem, one, secs, &mut notes)?),
                    None => pieces.push((stem, one)),
                }
            }
        }
        // Determines all names before writing: a file is imported completely or not at all.
        let mut paths = Vec::with_capacity(pieces.len());
        for (stem, _) in &pieces {
            let split = self.settings.split.clone().unwrap_or_default();
            let path = split.join(&input.folder).join(format!("{stem}.wav"));
            self.check_free(&path)?;
            paths.push(path);
        }
        for ((_, recording), path) in pieces.iter().zip(&paths) {
            self.write(&input.path, format, recording, path, &mut notes)?;
        }
        self.report(&input.path, format, &pieces, &paths, &notes)
    }

    fn channels_of(&self, stem: String, recording: Recording) -> Vec<(String, Recording)> {
        if !self.settings.per_channel || recording.channels.len() == 1 {
            return vec![(stem, recording)];
        }
        let Recording { name, rate, rpm, channels } = recording;
        let alone = |(index, channel): (usize, auscult_import::Channel)| {
            let stem = format!("{stem}_{}", index + 1);
            (stem, Recording { name: name.clone(), rate: rate.clone(), rpm, channels: vec![channel] })
        };
        channels.into_iter().enumerate().map(alone).collect()
    }

    pub(super) fn check_free(&mut self, path: &Path) -> anyhow::Result<()> {
        ensure!(
            self.written.insert(path.to_owned()),
            "{} has been written in this run: name the recordings otherwise",
            path.display()
        );
        let full = self.out.join(path);
        ensure!(
            self.settings.overwrite || !full.exists(),
            "{} exists already: say --overwrite, or another --out",
            full.display()
        );
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        source: &Path,
        format: &str,
        recording: &Recording,
        path: &Path,
        notes: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        let bytes = wav_bytes(recording, &manifest::comment(source, recording, self.settings.reading.scale))?;
        let full = self.out.join(path);
        if let Some(folder) = full.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        files::write_whole(&full, &bytes)?;
        notes.extend(remarks(recording, bytes.len()));
        self.manifest.add(source, format, recording, path, self.settings.reading.scale, notes);
        Ok(())
    }

    /// Prints one line for the file, and each note once.
    fn report(
        &mut self,
        source: &Path,
        format: &str,
        pieces: &[(String, Recording)],
        paths: &[PathBuf],
        notes: &[String],
    ) -> anyhow::Result<()> {
        let mut shown: BTreeSet<String> = BTreeSet::new();
        let target = match paths {
            [path] => self.out.join(path).display().to_string(),
            [first, .., last] => {
                format!("{} … {} ({} files)", self.out.join(first).display(), last.display(), paths.len())
            }
            [] => String::new(),
        };
        for (_, recording) in pieces {
            // Pieces of one recording have the same properties.
            let line = describe(recording, self.settings.reading.unit.is_some());
            if shown.insert(line.clone()) && shown.len() <= 8 {
                (self.print)(&format!("{}: {format}, {line} -> {target}", source.display()))?;
            }
        }
        if shown.len() > 8 {
            (self.print)(&format!("{}: and {} recordings more", source.display(), shown.len() - 8))?;
        }
        for note in notes {
            if self.noted.insert(note.clone()) {
                (self.print)(&format!("    {note}"))?;
            }
        }
        Ok(())
    }
}

/// Pieces of `secs` each; a shorter remainder is dropped.
fn cut(
    stem: &str,
    recording: Recording,
    secs: f64,
    notes: &mut Vec<String>,
) -> anyhow::Result<Vec<(String, Recording)>> {
    let len = (secs * recording.rate.hz).round() as usize;
    let samples = recording.samples();
    ensure!(len >= 1, "--chunk-secs {secs} is less than a sample");
    ensure!(samples >= len, "it is {:.3} s long, less than --chunk-secs {secs}", recording.duration_s());
    let rest = samples % len;
    if rest > 0 {
        notes.push(format!("a rest of {:.3} s is left out (--chunk-secs)", rest as f64 / recording.rate.hz));
    }
    let width = (samples / len).to_string().len();
    let piece = |index: usize| {
        let part = |channel: &auscult_import::Channel| auscult_import::Channel {
            samples: channel.samples[index * len..(index + 1) * len].to_vec(),
            name: channel.name.clone(),
            unit: channel.unit.clone(),
        };
        let channels = recording.channels.iter().map(part).collect();
        let name = format!("{stem}_{:0width$}", index + 1);
        (name, Recording { name: String::new(), rate: recording.rate.clone(), rpm: recording.rpm, channels })
    };
    Ok((0..samples / len).map(piece).collect())
}

fn join(stem: &str, name: &str) -> String {
    if name.is_empty() { stem.to_owned() } else { format!("{stem}_{name}") }
}
