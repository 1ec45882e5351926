//! Writes a fleet's sound as files: normal training sound, and the stream.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::{Fleet, FleetChunk};

/// Why a fleet's sound could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A folder cannot be created.
    #[error("cannot make the folder {}: check its path and permissions", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: check its path, permissions and free space", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Interrupted before a folder was complete.
    #[error("interrupted; {} is not complete", folder.display())]
    Interrupted {
        /// The folder.
        folder: PathBuf,
    },
}

/// Callbacks while files are written.
#[derive(Clone, Copy)]
pub struct Writing<'a> {
    /// If set, writing stops.
    pub interrupted: &'a AtomicBool,
    /// Called after each file, on whichever thread wrote it.
    pub on_written: &'a (dyn Fn() + Sync),
}

impl Fleet {
    /// Writes `clips` clips of normal sound of every machine in the layout of `auscult train`:
    /// `MACHINE/train/normal/00000.wav`.
    ///
    /// # Errors
    /// If a file cannot be written, or on an interrupt.
    pub fn write_training(&self, folder: &Path, clips: u64, writing: &Writing<'_>) -> Result<(), WriteError> {
        self.machines.par_iter().enumerate().try_for_each(|(index, machine)| {
            let normal = folder.join(machine.folder_name()).join("train/normal");
            for number in 0..clips {
                if writing.interrupted.load(Ordering::Relaxed) {
                    return Err(WriteError::Interrupted { folder: folder.to_owned() });
                }
                write_file(&normal.join(format!("{number:05}.wav")), &self.training_wav(index, number, clips))?;
                (writing.on_written)();
            }
            Ok(())
        })
    }

    /// Writes the stream as `MACHINE/TIME.wav`; returns the number of chunks. On an interrupt, it stops after the
    /// current files.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_stream(&self, folder: &Path, writing: &Writing<'_>) -> Result<u64, WriteError> {
        let mut written = 0;
        self.play(|chunk: FleetChunk| {
            if writing.interrupted.load(Ordering::Relaxed) {
                return Ok(ControlFlow::Break(()));
            }
            let machine = &self.machines[chunk.planned.machine];
            // Colons are not allowed in file names on all systems.
            let name = chunk.planned.time.strftime("%Y%m%dT%H%M%SZ.wav").to_string();
            write_file(&folder.join(machine.folder_name()).join(name), &chunk.wav)?;
            written += 1;
            (writing.on_written)();
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(written)
    }
}

/// Writes a file, and creates its folder if it is missing.
///
/// # Errors
/// If either cannot be created.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|source| WriteError::Folder { path: folder.to_owned(), source })?;
    }
    std::fs::write(path, bytes).map_err(|source| WriteError::File { path: path.to_owned(), source })
}
