//! DATA_DIR: which recordings a folder holds, of which machine, normal or not, for training or for test.
//!
//! ```text
//!  split folders          train/normal   test/normal   test/abnormal/[FAULT/]…
//!  MIMII's own tree       [<snr>_<machine>/][<machine>/][id_XX/]{normal,abnormal}
//!  DCASE Task 2           {train,test,source_test,target_test}/   with the labels in the file names
//! ```
//!
//! Each may be given at any level: one machine, or a folder of several. A sound file ends in `.wav` or `.flac`; other
//! files and hidden ones are passed over. Lists are sorted by path, so that the same folder gives the same order everywhere.

mod dcase;
mod files;
mod mimii;
mod split;

use std::path::{Path, PathBuf};

use auscult_detection::natural_order;
pub use dcase::Domain;
use thiserror::Error;

/// How a folder is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `train/normal`, `test/normal`, `test/abnormal/**`.
    Split,
    /// MIMII's own tree, which has no split: as in the MIMII baseline, the test set is all abnormal clips and as many normal
    /// ones (the first by name), and the rest is for training.
    Mimii,
    /// DCASE Task 2: the labels are in the file names.
    Dcase,
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Split => "split folders (train/normal, test/normal, test/abnormal)",
            Self::Mimii => "MIMII's own tree (id_XX/normal, id_XX/abnormal)",
            Self::Dcase => "DCASE Task 2 (labels in the file names)",
        })
    }
}

/// A recording of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbnormalClip {
    /// The sound file.
    pub path: PathBuf,
    /// The fault, where the folder tells: the name of the subfolder of `test/abnormal`.
    pub fault: Option<String>,
}

/// One machine's recordings, each list sorted by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineClips {
    /// The machine's id, made of folder and file names: `air-compressor`, `fan_id_00`, `fan_section_00`.
    pub id: String,
    /// How its recordings are laid out.
    pub layout: Layout,
    /// Normal sound to train with.
    pub train_normal: Vec<PathBuf>,
    /// Normal sound to test with.
    pub test_normal: Vec<PathBuf>,
    /// Abnormal sound to test with.
    pub test_abnormal: Vec<AbnormalClip>,
}

/// What a DATA_DIR holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// The folder as it was given.
    pub root: PathBuf,
    /// Its machines, sorted by id; at least one.
    pub machines: Vec<MachineClips>,
}

/// Why a folder cannot serve as DATA_DIR, and what to do about it.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// The path is missing or a file.
    #[error("{} is not a folder: give the folder that holds the recordings", path.display())]
    NotAFolder {
        /// The path as given.
        path: PathBuf,
    },
    /// The folder, or one inside it, cannot be listed.
    #[error("cannot list the folder {}: check its permissions", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No layout fits.
    #[error(
        "no machine sound found in {}: {found}.\n\
         Looked for, at this level and up to four below:\n  \
         train/normal, test/normal, test/abnormal[/FAULT]    split folders\n  \
         id_XX/normal, id_XX/abnormal                        MIMII's own tree\n  \
         train/normal_id_XX_*, test/anomaly_id_XX_*,\n  \
         train/section_XX_source_train_normal_*              DCASE Task 2\n\
         each with .wav or .flac files. Sort the recordings into one of these, or give another folder",
        root.display()
    )]
    UnknownLayout {
        /// The folder as given.
        root: PathBuf,
        /// What it does hold.
        found: String,
    },
    /// There is nothing to train with.
    #[error("{} holds no normal clips to train with ({machine}): put recordings of the healthy machine into {}", root.display(), expected.display())]
    NoTrainingClips {
        /// The folder as given.
        root: PathBuf,
        /// The machine, or `any machine`.
        machine: String,
        /// Where such clips would lie.
        expected: PathBuf,
    },
    /// There is nothing to evaluate with.
    #[error("{} holds {normal} normal and {abnormal} abnormal test clips: evaluation needs some of both, in {}", root.display(), expected.display())]
    NoTestClips {
        /// The folder as given.
        root: PathBuf,
        /// Normal test clips found.
        normal: usize,
        /// Abnormal test clips found.
        abnormal: usize,
        /// Where such clips would lie.
        expected: PathBuf,
    },
    /// `--machine` names none that is there.
    #[error("no machine {asked:?} in {}: it holds {known}", root.display())]
    UnknownMachine {
        /// The folder as given.
        root: PathBuf,
        /// What was asked for.
        asked: String,
        /// The ids there are.
        known: String,
    },
}

impl Dataset {
    /// Recognises the layout of `root` and lists its clips. Opens no sound file.
    ///
    /// # Errors
    /// [`DatasetError`] when the folder cannot be read or no layout fits it. A machine without training or without test
    /// clips is no error here: see [`Dataset::training_clips`] and [`Dataset::check_testable`].
    pub fn discover(root: &Path) -> Result<Self, DatasetError> {
        if !root.is_dir() {
            return Err(DatasetError::NotAFolder { path: root.to_owned() });
        }
        // The machine's name may be that of the folder itself, which `.` does not tell.
        let absolute =
            root.canonicalize().map_err(|source| DatasetError::Unreadable { path: root.to_owned(), source })?;

        let mut machines = split::machines(&absolute)?;
        machines.append(&mut dcase::machines(&absolute)?);
        machines.append(&mut mimii::machines(&absolute)?);
        machines.retain(|machine| machine.clips() > 0);
        if !machines.is_empty() {
            machines.sort_by(|a, b| natural_order(&a.id, &b.id));
            return Ok(Self { root: root.to_owned(), machines });
        }
        Err(DatasetError::UnknownLayout { root: root.to_owned(), found: files::describe(&absolute)? })
    }

    /// Keeps one machine only: that whose id is `asked`, or the only one whose id ends in `_asked` (`id_00` for `fan_id_00`).
    ///
    /// # Errors
    /// [`DatasetError::UnknownMachine`] listing the ids there are.
    pub fn only(mut self, asked: &str) -> Result<Self, DatasetError> {
        let suffix = format!("_{asked}");
        let exact = self.machines.iter().position(|machine| machine.id == asked);
        let by_suffix = || {
            let mut matching = self.machines.iter().enumerate().filter(|(_, machine)| machine.id.ends_with(&suffix));
            let first = matching.next().map(|(index, _)| index);
            if matching.next().is_some() { None } else { first }
        };
        match exact.or_else(by_suffix) {
            Some(index) => {
                self.machines = vec![self.machines.swap_remove(index)];
                Ok(self)
            }
            None => {
                let known = self.machines.iter().map(|machine| machine.id.as_str()).collect::<Vec<_>>().join(", ");
                Err(DatasetError::UnknownMachine { root: self.root, asked: asked.to_owned(), known })
            }
        }
    }

    /// All machines' normal training clips, pooled.
    ///
    /// # Errors
    /// [`DatasetError::NoTrainingClips`] when there is none.
    pub fn training_clips(&self) -> Result<Vec<PathBuf>, DatasetError> {
        let clips: Vec<PathBuf> =
            self.machines.iter().flat_map(|machine| machine.train_normal.iter().cloned()).collect();
        if !clips.is_empty() {
            return Ok(clips);
        }
        let machine = match self.machines.as_slice() {
            [only] => only.id.clone(),
            _ => "any machine".to_owned(),
        };
        let expected = self.root.join(match self.layout() {
            Layout::Split => "train/normal",
            Layout::Mimii => "id_XX/normal (more normal clips than abnormal ones: as many are kept for the test)",
            Layout::Dcase => "train",
        });
        Err(DatasetError::NoTrainingClips { root: self.root.clone(), machine, expected })
    }

    /// Makes sure that there are both normal and abnormal test clips.
    ///
    /// # Errors
    /// [`DatasetError::NoTestClips`] when one kind is missing.
    pub fn check_testable(&self) -> Result<(), DatasetError> {
        let normal = self.machines.iter().map(|machine| machine.test_normal.len()).sum();
        let abnormal = self.machines.iter().map(|machine| machine.test_abnormal.len()).sum();
        if normal > 0 && abnormal > 0 {
            return Ok(());
        }
        let expected = self.root.join(match self.layout() {
            Layout::Split => "test/normal and test/abnormal",
            Layout::Mimii => "id_XX/normal and id_XX/abnormal",
            Layout::Dcase => "test",
        });
        Err(DatasetError::NoTestClips { root: self.root.clone(), normal, abnormal, expected })
    }

    /// The layout, for people: that of the first machine where they differ.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.machines.first().map_or(Layout::Split, |machine| machine.layout)
    }

    /// How many clips there are: training, normal test, abnormal test.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        self.machines.iter().fold((0, 0, 0), |(train, normal, abnormal), machine| {
            (
                train + machine.train_normal.len(),
                normal + machine.test_normal.len(),
                abnormal + machine.test_abnormal.len(),
            )
        })
    }
}

impl MachineClips {
    fn new(id: String, layout: Layout) -> Self {
        Self { id, layout, train_normal: Vec::new(), test_normal: Vec::new(), test_abnormal: Vec::new() }
    }

    fn clips(&self) -> usize {
        self.train_normal.len() + self.test_normal.len() + self.test_abnormal.len()
    }
}

#[cfg(test)]
mod tests;
