//! DCASE Task 2: the labels are in the file names.
//!
//! ```text
//!  2020    train/normal_id_00_00000000.wav      test/anomaly_id_00_00000012.wav
//!  2021+   train/section_00_source_train_normal_0000_strength_1.wav
//!          test/section_00_target_test_anomaly_0001.wav      (2021: source_test/, target_test/)
//! ```
//!
//! One machine per id or section. Files without a label (the evaluation sets, 2025's `supplemental`) are passed over.

use std::collections::BTreeMap;
use std::path::Path;

use super::files::{file_name, folders_below, sounds};
use super::{AbnormalClip, DatasetError, Layout, MachineClips};

/// The machines below `root`: per folder that holds `train` or `test` with such names, one for each id or section.
pub(super) fn machines(root: &Path) -> Result<Vec<MachineClips>, DatasetError> {
    let mut machines = Vec::new();
    for folder in folders_below(root)? {
        machines.append(&mut machines_of(&folder)?);
    }
    Ok(machines)
}

fn machines_of(folder: &Path) -> Result<Vec<MachineClips>, DatasetError> {
    let mut groups = Groups::new(file_name(folder), Layout::Dcase);
    for (part, is_training) in [("train", true), ("test", false), ("source_test", false), ("target_test", false)] {
        for path in sounds(&folder.join(part))? {
            let Some(labels) = Labels::of(&path) else { continue };
            let clips = groups.of(&labels);
            match (labels.is_normal, is_training) {
                (true, true) => clips.train_normal.push(path),
                (true, false) => clips.test_normal.push(path),
                (false, _) => clips.test_abnormal.push(AbnormalClip { path, fault: None }),
            }
        }
    }
    Ok(groups.sorted())
}

/// Tells machines apart whose clips lie in the same folders, where every file carries such a name; else leaves them as one.
pub(super) fn by_machine(pooled: MachineClips) -> Vec<MachineClips> {
    let abnormal = pooled.test_abnormal.iter().map(|clip| &clip.path);
    let mut paths = pooled.train_normal.iter().chain(&pooled.test_normal).chain(abnormal);
    if paths.any(|path| Labels::of(path).is_none()) {
        return vec![pooled];
    }
    let mut groups = Groups::new(pooled.id, pooled.layout);
    for path in pooled.train_normal {
        if let Some(labels) = Labels::of(&path) {
            groups.of(&labels).train_normal.push(path);
        }
    }
    for path in pooled.test_normal {
        if let Some(labels) = Labels::of(&path) {
            groups.of(&labels).test_normal.push(path);
        }
    }
    for clip in pooled.test_abnormal {
        if let Some(labels) = Labels::of(&clip.path) {
            groups.of(&labels).test_abnormal.push(clip);
        }
    }
    groups.sorted()
}

/// Machines in the making, by id.
struct Groups {
    prefix: String,
    layout: Layout,
    machines: BTreeMap<String, MachineClips>,
}

impl Groups {
    fn new(prefix: String, layout: Layout) -> Self {
        Self { prefix, layout, machines: BTreeMap::new() }
    }

    fn of(&mut self, labels: &Labels) -> &mut MachineClips {
        let id = format!("{}_{}", self.prefix, labels.machine);
        self.machines.entry(id.clone()).or_insert_with(|| MachineClips::new(id, self.layout))
    }

    fn sorted(mut self) -> Vec<MachineClips> {
        for clips in self.machines.values_mut() {
            clips.train_normal.sort();
            clips.test_normal.sort();
            clips.test_abnormal.sort_by(|a, b| a.path.cmp(&b.path));
        }
        self.machines.into_values().collect()
    }
}

/// The conditions that a DCASE clip was recorded under: most training clips are of the source domain, few or none of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// The conditions of the training clips.
    Source,
    /// Another speed, load, microphone or background.
    Target,
}

impl Domain {
    /// The domain that a file's name gives; `None` where it gives none (2020, and recordings that are not DCASE's).
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        Labels::of(path)?.domain
    }

    /// Its name, as file names have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// What a file's name says.
#[derive(Debug, PartialEq, Eq)]
struct Labels {
    /// `id_00` or `section_00`.
    machine: String,
    is_normal: bool,
    domain: Option<Domain>,
}

impl Labels {
    fn of(path: &Path) -> Option<Self> {
        let stem = path.file_stem()?.to_str()?;
        let parts: Vec<&str> = stem.split('_').collect();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_normal = |label: &str| match label {
            "normal" => Some(true),
            "anomaly" => Some(false),
            _ => None,
        };
        match parts.as_slice() {
            [label, "id", id, clip, ..] if is_number(id) && is_number(clip) => Some(Self {
                machine: format!("id_{id}"),
                is_normal: is_normal(label)?,
                domain: None,
                ..TrainingClip::default()
            }),
            ["section", section, domain @ ("source" | "target"), "train" | "test", label, clip, ..]
                if is_number(section) && is_number(clip) =>
            {
                let domain = if *domain == "source" { Domain::Source } else { Domain::Target };
                Some(Self { machine: format!("section_{section}"), is_normal: is_normal(label)?, domain: Some(domain) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Domain, Labels};

    #[test]
    fn names_of_all_years_are_read() {
        let cases = [
            ("normal_id_00_00000000.wav", Some(("id_00", true))),
            ("anomaly_id_06_00000013.wav", Some(("id_06", false))),
            ("section_00_source_train_normal_0000_strength_1_ambient.wav", Some(("section_00", true))),
            ("section_02_target_test_anomaly_0001.flac", Some(("section_02", false))),
            ("section_00_0000.wav", None),
            ("id_00_00000000.wav", None),
            ("section_00_clean_supplemental_0000.wav", None),
            ("preprocess_Reading1.flac", None),
        ];
        for (name, expected) in cases {
            let labels = Labels::of(Path::new(name));
            let read = labels.as_ref().map(|labels| (labels.machine.as_str(), labels.is_normal));
            assert_eq!(read, expected, "{name}");
        }
    }

    #[test]
    fn the_domain_is_read_where_the_name_has_one() {
        let domain = |name| Domain::of(Path::new(name));
        assert_eq!(domain("section_00_source_test_normal_0000.wav"), Some(Domain::Source));
        assert_eq!(domain("test/section_02_target_test_anomaly_0001.flac"), Some(Domain::Target));
        assert_eq!(domain("normal_id_00_00000000.wav"), None);
        assert_eq!(domain("source.wav"), None);
    }
}
