//! One machine's recordings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::clip_name::Domain;
use super::dcase::DcaseName;
use crate::natural_order::{compare_paths, sort_paths};

/// The layout of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `train/normal`, `test/normal`, `test/abnormal/**`.
    Split,
    /// MIMII's original tree, which has no split: as in the MIMII baseline, the test set is all abnormal clips and as
    /// many normal ones (the first by name), and the rest is for training.
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
    /// The fault, if known: the name of the subfolder of `test/abnormal`.
    pub fault: Option<String>,
}

/// One machine's recordings, each list sorted by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineClips {
    /// The machine's id, made of folder and file names: `air-compressor`, `fan_id_00`, `fan_section_00`.
    pub id: String,
    /// The layout of its recordings.
    pub layout: Layout,
    /// Normal training clips.
    pub train_normal: Vec<PathBuf>,
    /// Normal test clips.
    pub test_normal: Vec<PathBuf>,
    /// Abnormal test clips.
    pub test_abnormal: Vec<AbnormalClip>,
    /// Test clips without a label.
    pub unlabelled: Vec<PathBuf>,
    /// The machine's DCASE name, if the files have such names.
    pub dcase: Option<DcaseName>,
    /// The folder of the recordings; if train and test are in different places, that of the training clips.
    pub folder: PathBuf,
    /// Domains from DCASE's CSV files instead of the clips' names.
    pub(super) domains: BTreeMap<PathBuf, Domain>,
    /// The clips of `test_rename`, until it is known whether they are needed.
    pub(super) renamed: Renamed,
    /// Clips that exist a second time under other names.
    pub(super) other_names: Vec<PathBuf>,
}

/// Clips of an evaluation set under names with labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Renamed {
    pub(super) normal: Vec<PathBuf>,
    pub(super) abnormal: Vec<AbnormalClip>,
}

impl MachineClips {
    pub(super) fn new(id: String, layout: Layout, folder: &Path) -> Self {
        Self {
            id,
            layout,
            train_normal: Vec::new(),
            test_normal: Vec::new(),
            test_abnormal: Vec::new(),
            unlabelled: Vec::new(),
            dcase: None,
            folder: folder.to_owned(),
            domains: BTreeMap::new(),
            renamed: Renamed::default(),
            other_names: Vec::new(),
        }
    }

    /// The domain of one of its clips; `None` if unknown.
    #[must_use]
    pub fn domain_of(&self, path: &Path) -> Option<Domain> {
        self.domains.get(path).copied().or_else(|| Domain::of(path))
    }

    pub(super) fn clips(&self) -> usize {
        self.train_normal.len() + self.test_clips()
    }

    pub(super) fn test_clips(&self) -> usize {
        let renamed = self.renamed.normal.len() + self.renamed.abnormal.len();
        self.test_normal.len() + self.test_abnormal.len() + self.unlabelled.len() + renamed
    }

    /// Every clip in use.
    pub(super) fn all_paths(&self) -> impl Iterator<Item = &Path> {
        let abnormal = self.test_abnormal.iter().map(|clip| clip.path.as_path());
        let others = [&self.train_normal, &self.test_normal, &self.unlabelled];
        others.into_iter().flatten().map(PathBuf::as_path).chain(abnormal)
    }

    pub(super) fn sort(&mut self) {
        sort_paths(&mut self.train_normal);
        sort_paths(&mut self.test_normal);
        self.test_abnormal.sort_by(|a, b| compare_paths(&a.path, &b.path));
        sort_paths(&mut self.unlabelled);
    }

    /// Takes the test clips of the machine's other half.
    pub(super) fn take_test_clips(&mut self, test_half: Self) {
        let Self { test_normal, test_abnormal, unlabelled, renamed, dcase, .. } = test_half;
        (self.test_normal, self.test_abnormal, self.unlabelled, self.renamed) =
            (test_normal, test_abnormal, unlabelled, renamed);
        // Only the test clips distinguish 2021 from later years.
        self.dcase = dcase;
    }

    /// `test_rename` contains the clips of `test` again: each clip is used under one name, the one with a label.
    pub(super) fn use_renamed(&mut self, remarks: &mut Vec<String>) {
        let Renamed { normal, abnormal } = std::mem::take(&mut self.renamed);
        let renamed = normal.len() + abnormal.len();
        if renamed == 0 {
            return;
        }
        let has_labels = !self.test_normal.is_empty() || !self.test_abnormal.is_empty();
        if has_labels {
            self.other_names = normal.into_iter().chain(abnormal.into_iter().map(|clip| clip.path)).collect();
            return;
        }
        remarks.push(format!("{}: labels of its test clips are those of the names in test_rename", self.id));
        (self.test_normal, self.test_abnormal) = (normal, abnormal);
        if self.unlabelled.len() == renamed {
            self.other_names = std::mem::take(&mut self.unlabelled);
        }
    }
}
