//! DATA_DIR: the recordings in a folder, with machine, label and split.
//!
//! ```text
//!  split folders          train/normal   test/normal   test/abnormal/[FAULT/]…
//!  MIMII's original tree  [<snr>_<machine>/][<machine>/][id_XX/]{normal,abnormal}
//!  DCASE Task 2           {train,test,source_test,target_test}/   with the labels in the file names
//! ```
//!
//! Each layout may be given at any level: one machine, or a folder of several. Sound files end in `.wav` or `.flac`;
//! unused files are counted, with the reason ([`PassedOver`]). Lists are sorted by path, so that the same folder gives
//! the same order everywhere.
//!
//! ```text
//!  split, dcase, mimii ──► halves      joins train and test folders of one machine in different places
//!                     ──► truth       labels of DCASE's evaluation sets, from the evaluators' CSV files
//!                     ──► identity    makes machine ids unique
//!                     ──► passed_over unused files
//! ```

mod clip_name;
mod dcase;
mod error;
mod files;
mod halves;
mod identity;
mod machine;
mod mimii;
mod passed_over;
mod split;
mod truth;

use std::path::{Path, PathBuf};

use auscult_detection::natural_order;

pub use clip_name::Domain;
pub use dcase::{DcaseName, Edition};
pub use error::DatasetError;
pub use machine::{AbnormalClip, Layout, MachineClips};
pub use passed_over::{PassedOver, PassedOverReason};
use truth::Truth;

/// The content of a DATA_DIR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// The given folder.
    pub root: PathBuf,
    /// Its machines, sorted by id; at least one.
    pub machines: Vec<MachineClips>,
    /// Unused files.
    pub passed_over: Vec<PassedOver>,
    /// Notes on how the machines were assembled: joined halves, sources of labels.
    pub remarks: Vec<String>,
}

impl Dataset {
    /// [`Dataset::discover_with`], with labels found beside or above the recordings.
    ///
    /// # Errors
    /// Those of [`Dataset::discover_with`].
    pub fn discover(root: &Path) -> Result<Self, DatasetError> {
        Self::discover_with(root, None)
    }

    /// Detects the layout of `root` and lists its clips. Opens no sound file. `truth` is the folder of DCASE's
    /// evaluator, for clips without labels in their names; if absent, `root` and the two folders above it are searched.
    ///
    /// # Errors
    /// [`DatasetError`] if the folder cannot be read, no layout matches, or two machines cannot be distinguished. A
    /// machine without training clips or without test clips is not an error here: see [`Dataset::training_clips`] and
    /// [`Dataset::check_testable`].
    pub fn discover_with(root: &Path, truth: Option<&Path>) -> Result<Self, DatasetError> {
        if !root.is_dir() {
            return Err(DatasetError::NotAFolder { path: root.to_owned() });
        }
        // The machine's name may be that of the folder itself, which `.` does not contain.
        let absolute =
            root.canonicalize().map_err(|source| DatasetError::Unreadable { path: root.to_owned(), source })?;

        let mut machines = split::machines(&absolute)?;
        machines.append(&mut dcase::machines(&absolute)?);
        machines.append(&mut mimii::machines(&absolute)?);
        machines.retain(|machine| machine.clips() > 0);
        if machines.is_empty() {
            return Err(DatasetError::UnknownLayout { root: root.to_owned(), found: files::describe(&absolute)? });
        }
        let mut remarks = Vec::new();
        let mut machines = halves::join(machines, &absolute, &mut remarks);
        if let Some(truth) = Truth::find(&absolute, truth)? {
            for machine in &mut machines {
                if let Some(from) = truth.label(machine)? {
                    remarks.push(format!("{}: labels of its test clips are from {}", machine.id, from.display()));
                }
            }
        }
        for machine in &mut machines {
            machine.use_renamed(&mut remarks);
        }
        identity::keep_apart(&absolute, &mut machines)?;
        machines.sort_by(|a, b| natural_order(&a.id, &b.id));
        let passed_over = passed_over::passed_over(&absolute, &machines)?;
        Ok(Self { root: root.to_owned(), machines, passed_over, remarks })
    }

    /// Keeps one machine only: the one whose id is `asked`, or the only one whose id ends in `_asked` (`id_00` for
    /// `fan_id_00`).
    ///
    /// # Errors
    /// [`DatasetError::UnknownMachine`] with a list of the existing ids.
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
    /// [`DatasetError::NoTrainingClips`] if there are none.
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

    /// Checks that there are both normal and abnormal test clips.
    ///
    /// # Errors
    /// [`DatasetError::NoTestClips`] if one class is missing.
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
        let unlabelled = self.unlabelled();
        Err(DatasetError::NoTestClips { root: self.root.clone(), normal, abnormal, unlabelled, expected })
    }

    /// Notes on the folder, one line each: how machines were assembled, and unused sound files.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        let unused = self.passed_over.iter().filter(|files| files.reason != PassedOverReason::NotSound);
        self.remarks.iter().cloned().chain(unused.map(|files| format!("passed over: {files}")))
    }

    /// Number of test clips without a label.
    #[must_use]
    pub fn unlabelled(&self) -> usize {
        self.machines.iter().map(|machine| machine.unlabelled.len()).sum()
    }

    /// The layout, for output: that of the first machine if they differ.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.machines.first().map_or(Layout::Split, |machine| machine.layout)
    }

    /// Number of clips: training, normal test, abnormal test.
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

#[cfg(test)]
mod tests;
