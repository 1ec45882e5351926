//! DCASE Task 2: one machine per id (2020) or section (2021 and later), with the labels in the file names.
//!
//! ```text
//!  <machine type>/train         normal clips
//!                 test          2020, 2022 and later; without labels in an evaluation set
//!                 source_test, target_test    2021
//!                 test_rename   the evaluation set with labelled names, as the baseline renames it
//!                 supplemental  2025 and later: counted, but not used
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::clip_name::{ClipName, Label};
use super::files::{file_name, folders_below, sounds};
use super::{AbnormalClip, DatasetError, Layout, MachineClips};

/// The year whose rules apply to a DCASE machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// 2020: machine ids, no domains.
    Y2020,
    /// 2021: sections, each domain evaluated separately.
    Y2021,
    /// 2022 and later: sections, the anomalies of both domains against each domain's normal clips.
    Y2022,
}

/// The DCASE name of a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DcaseName {
    /// The year's rules.
    pub edition: Edition,
    /// `fan`, `ToyCar`, …
    pub machine_type: String,
    /// Digits of the id or section, as the file names write them.
    pub number: String,
}

/// The machines below `root`: in each folder with `train` or `test` and such names, one for each id or section.
pub(super) fn machines(root: &Path) -> Result<Vec<MachineClips>, DatasetError> {
    let mut machines = Vec::new();
    for folder in folders_below(root)? {
        machines.append(&mut machines_of(&folder)?);
    }
    Ok(machines)
}

/// The use of a subfolder's clips.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Test,
    /// 2021's `source_test` and `target_test`.
    DomainTest,
    /// The test clips again, under labelled names.
    Renamed,
}

const PARTS: [(&str, Part); 5] = [
    ("train", Part::Train),
    ("test", Part::Test),
    ("source_test", Part::DomainTest),
    ("target_test", Part::DomainTest),
    ("test_rename", Part::Renamed),
];

fn machines_of(folder: &Path) -> Result<Vec<MachineClips>, DatasetError> {
    let mut groups = Groups::new(folder, file_name(folder), Layout::Dcase);
    for (name, part) in PARTS {
        for path in sounds(&folder.join(name))? {
            let Some(clip) = ClipName::of(&path) else { continue };
            if clip.label == Label::Supplemental || (part == Part::Train && clip.label != Label::Normal) {
                continue;
            }
            let clips = groups.of(&clip.machine);
            if let Some(dcase) = clips.dcase.as_mut().filter(|_| part == Part::DomainTest) {
                dcase.edition = Edition::Y2021;
            }
            let abnormal = |path| AbnormalClip { path, fault: None };
            match (part, clip.label) {
                (Part::Train, _) => clips.train_normal.push(path),
                (Part::Renamed, Label::Normal) => clips.renamed.normal.push(path),
                (Part::Renamed, Label::Abnormal) => clips.renamed.abnormal.push(abnormal(path)),
                (_, Label::Normal) => clips.test_normal.push(path),
                (_, Label::Abnormal) => clips.test_abnormal.push(abnormal(path)),
                (_, Label::Unlabelled | Label::Supplemental) => clips.unlabelled.push(path),
            }
        }
    }
    Ok(groups.sorted())
}

/// Separates machines whose clips are in the same folders, if every file has such a name; otherwise keeps them as one.
pub(super) fn by_machine(pooled: MachineClips) -> Vec<MachineClips> {
    let abnormal = pooled.test_abnormal.iter().map(|clip| &clip.path);
    let mut paths = pooled.train_normal.iter().chain(&pooled.test_normal).chain(&pooled.unlabelled).chain(abnormal);
    if paths.any(|path| ClipName::of(path).is_none()) {
        return vec![pooled];
    }
    let mut groups = Groups::new(&pooled.folder, pooled.id, pooled.layout);
    let machine_of = |path: &PathBuf| ClipName::of(path).map(|name| name.machine);
    for path in pooled.train_normal {
        if let Some(machine) = machine_of(&path) {
            groups.of(&machine).train_normal.push(path);
        }
    }
    for path in pooled.test_normal {
        if let Some(machine) = machine_of(&path) {
            groups.of(&machine).test_normal.push(path);
        }
    }
    for path in pooled.unlabelled {
        if let Some(machine) = machine_of(&path) {
            groups.of(&machine).unlabelled.push(path);
        }
    }
    for clip in pooled.test_abnormal {
        if let Some(machine) = machine_of(&clip.path) {
            groups.of(&machine).test_abnormal.push(clip);
        }
    }
    groups.sorted()
}

/// Machines under construction, by `id_XX` or `section_XX`.
struct Groups<'a> {
    folder: &'a Path,
    prefix: String,
    layout: Layout,
    machines: BTreeMap<String, MachineClips>,
}

impl<'a> Groups<'a> {
    fn new(folder: &'a Path, prefix: String, layout: Layout) -> Self {
        Self { folder, prefix, layout, machines: BTreeMap::new() }
    }

    fn of(&mut self, machine: &str) -> &mut MachineClips {
        self.machines.entry(machine.to_owned()).or_insert_with(|| {
            let (kind, number) = machine.split_once('_').unwrap_or((machine, ""));
            let edition = if kind == "id" { Edition::Y2020 } else { Edition::Y2022 };
            let name = DcaseName { edition, machine_type: self.prefix.clone(), number: number.to_owned() };
            let mut clips = MachineClips::new(format!("{}_{machine}", self.prefix), self.layout, self.folder);
            clips.dcase = Some(name);
            clips
        })
    }

    fn sorted(mut self) -> Vec<MachineClips> {
        for clips in self.machines.values_mut() {
            clips.sort();
        }
        self.machines.into_values().collect()
    }
}
