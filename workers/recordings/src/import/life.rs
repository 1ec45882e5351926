//! A folder as one life: the recordings of its files joined, snapshot by snapshot.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::ensure;
use auscult_import::{Imported, Recording};

use super::Importer;
use super::inputs::Input;
use super::words::describe;

/// Lives by folder.
#[derive(Debug, Default)]
pub struct Lives {
    lives: BTreeMap<PathBuf, Life>,
}

/// Snapshots of one machine by format: those that differ from the majority are dropped.
#[derive(Debug, Default)]
struct Life {
    shapes: Vec<Shape>,
}

#[derive(Debug)]
struct Shape {
    format: &'static str,
    first: PathBuf,
    snapshots: usize,
    samples: usize,
    joined: Recording,
    notes: Vec<String>,
}

impl Life {
    fn take(&mut self, path: PathBuf, format: &'static str, recording: Recording, notes: Vec<String>) {
        let samples = recording.samples();
        let is_same = |shape: &&mut Shape| {
            shape.samples == samples
                && shape.joined.rate.hz.to_bits() == recording.rate.hz.to_bits()
                && shape.joined.channels.len() == recording.channels.len()
        };
        match self.shapes.iter_mut().find(is_same) {
            Some(shape) => {
                shape.snapshots += 1;
                for (channel, more) in shape.joined.channels.iter_mut().zip(recording.channels) {
                    channel.samples.extend(more.samples);
                }
            }
            None => self.shapes.push(Shape { format, first: path, snapshots: 1, samples, joined: recording, notes }),
        }
    }
}

impl Importer<'_> {
    /// Adds one file to its folder's life.
    ///
    /// # Errors
    /// If the file contains several recordings.
    pub fn take_snapshot(&mut self, input: &Input, imported: Imported, lives: &mut Lives) -> anyhow::Result<()> {
        let Imported { format, mut recordings, notes } = imported;
        ensure!(
            recordings.len() == 1,
            "it holds {} recordings, where a snapshot of a life is one: take one with --variable{}",
            recordings.len(),
            notes.first().map_or_else(String::new, |note| format!(" ({note})"))
        );
        let folder = match input.folder.file_name() {
            Some(_) => input.folder.clone(),
            None => {
                let parent = input
                    .path
                    .parent()
                    .filter(|parent| !parent.as_os_str().is_empty())
                    .map(std::path::Path::to_path_buf);
                let parent = parent.map_or_else(std::env::current_dir, std::fs::canonicalize)?;
                PathBuf::from(parent.file_name().unwrap_or_else(|| "life".as_ref()))
            }
        };
        lives.lives.entry(folder).or_default().take(input.path.clone(), format, recordings.remove(0), notes);
        Ok(())
    }

    /// Writes each life; returns the number of dropped snapshots.
    ///
    /// # Errors
    /// If a recording already exists or cannot be written.
    pub fn write_lives(&mut self, lives: Lives) -> anyhow::Result<usize> {
        let mut left_out = 0;
        for (folder, life) in lives.lives {
            let mut shapes = life.shapes;
            shapes.sort_by_key(|shape| std::cmp::Reverse(shape.snapshots));
            let mut shapes = shapes.into_iter();
            let Some(mut shape) = shapes.next() else { continue };
            for other in shapes {
                left_out += other.snapshots;
                eprintln!(
                    "error: {}{}: {} samples at {} Hz in {} channels, the {} other snapshots of {} have {} at {} Hz in {}: left out",
                    other.first.display(),
                    if other.snapshots > 1 {
                        format!(" and {} files more", other.snapshots - 1)
                    } else {
                        String::new()
                    },
                    other.samples,
                    other.joined.rate.hz,
                    other.joined.channels.len(),
                    shape.snapshots,
                    folder.display(),
                    shape.samples,
                    shape.joined.rate.hz,
                    shape.joined.channels.len(),
                );
            }
            let path =
                folder.with_file_name(format!("{}.wav", folder.file_name().unwrap_or_default().to_string_lossy()));
            self.check_free(&path)?;
            shape.notes.push(format!("{} snapshots of {} samples joined", shape.snapshots, shape.samples));
            let mut notes = std::mem::take(&mut shape.notes);
            self.write(&shape.first, shape.format, &shape.joined, &path, &mut notes)?;
            let full = self.out.join(&path);
            (self.print)(&format!(
                "{}: {} snapshots of {} samples, {}, {} -> {}",
                folder.display(),
                shape.snapshots,
                shape.samples,
                shape.format,
                describe(&shape.joined, self.settings.reading.unit.is_some()),
                full.display()
            ))?;
            for note in &notes {
                if self.noted.insert(note.clone()) {
                    (self.print)(&format!("    {note}"))?;
                }
            }
            (self.print)(&format!(
                "    auscult lives {} --snapshot {} --sample-rate {} --every TIME",
                full.display(),
                shape.samples,
                shape.joined.rate_hz()
            ))?;
        }
        Ok(left_out)
    }
}
