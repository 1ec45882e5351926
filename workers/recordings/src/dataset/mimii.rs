//! MIMII's original tree: `<snr>_<machine>/<machine>/id_XX/{normal,abnormal}`, given at any level.
//!
//! The data set has no split. The split is that of the MIMII baseline (MIMII-hitachi/mimii_baseline): for each id, the
//! first normal clips by name, as many as there are abnormal ones, are for the test, and the rest is for training.

use std::collections::BTreeMap;
use std::path::Path;

use super::files::{file_name, folders_below, sounds};
use super::{AbnormalClip, DatasetError, Layout, MachineClips};

/// The machines below `root`: each folder with `normal` or `abnormal` that is not itself `train` or `test` is one.
pub(super) fn machines(root: &Path) -> Result<Vec<MachineClips>, DatasetError> {
    let mut found = Vec::new();
    for folder in folders_below(root)? {
        let has_labels = folder.join("normal").is_dir() || folder.join("abnormal").is_dir();
        let is_part_of_a_split = ["train", "test"].contains(&file_name(&folder).as_str());
        if has_labels && !is_part_of_a_split {
            found.push((Names::of(&folder), machine(&folder)?));
        }
    }

    // The short id is sufficient unless two SNRs of one machine are side by side.
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for (names, _) in &found {
        *uses.entry(names.short.clone()).or_default() += 1;
    }
    Ok(found
        .into_iter()
        .map(|(names, clips)| {
            let id = if uses[&names.short] > 1 { names.long } else { names.short };
            MachineClips { id, ..clips }
        })
        .collect())
}

fn machine(folder: &Path) -> Result<MachineClips, DatasetError> {
    let mut test_normal = sounds(&folder.join("normal"))?;
    let abnormal = sounds(&folder.join("abnormal"))?;
    let train_normal = test_normal.split_off(abnormal.len().min(test_normal.len()));
    let test_abnormal = abnormal.into_iter().map(|path| AbnormalClip { path, fault: None }).collect();
    let empty = MachineClips::new(String::new(), Layout::Mimii, folder);
    Ok(MachineClips { train_normal, test_normal, test_abnormal, ..empty })
}

/// A machine's names, from the end of its absolute path, so that they do not depend on the given level.
struct Names {
    /// `fan_id_00`, or the folder's own name if it is not `id_XX`.
    short: String,
    /// With the prefix of the SNR's folder: `6_dB_fan_id_00`.
    long: String,
}

impl Names {
    fn of(folder: &Path) -> Self {
        let mut parts = folder.iter().rev().map(|part| part.to_string_lossy().into_owned());
        let id = parts.next().unwrap_or_default();
        let machine = parts.next().unwrap_or_default();
        let snr = parts.next().unwrap_or_default();
        let short = if id.starts_with("id_") && !machine.is_empty() { format!("{machine}_{id}") } else { id };
        // `6_dB_fan/fan/id_00`: the SNR's folder name already contains the machine's name.
        let long = match snr.strip_suffix(machine.as_str()) {
            Some(level) => format!("{level}{short}"),
            None => format!("{snr}_{short}"),
        };
        Self { short, long }
    }
}
