//! Split folders: `train/normal`, `test/normal`, `test/abnormal/**`, of one machine or of several side by side.
//!
//! If every file has a DCASE name (`normal_id_00_00000000.wav`), the ids in the names distinguish the machines.

use std::path::Path;

use super::clip_name::ClipName;
use super::files::{file_name, folders_below, sounds, sounds_below};
use super::{AbnormalClip, DatasetError, Layout, MachineClips, dcase};

/// The machines below `root`: each folder with `train/normal`, `test/normal` or `test/abnormal` is one.
pub(super) fn machines(root: &Path) -> Result<Vec<MachineClips>, DatasetError> {
    let mut machines = Vec::new();
    for folder in folders_below(root)? {
        let is_split = ["train/normal", "test/normal", "test/abnormal"].iter().any(|part| folder.join(part).is_dir());
        if is_split {
            machines.append(&mut dcase::by_machine(machine(root, &folder)?));
        }
    }
    Ok(machines)
}

fn machine(root: &Path, folder: &Path) -> Result<MachineClips, DatasetError> {
    let inner = folder.strip_prefix(root).unwrap_or(folder);
    let id = if inner.as_os_str().is_empty() {
        file_name(root)
    } else {
        inner.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("_")
    };
    let abnormal = folder.join("test/abnormal");
    let test_abnormal = sounds_below(&abnormal)?
        .into_iter()
        .map(|path| {
            let fault = path.strip_prefix(&abnormal).ok().and_then(Path::parent).and_then(|below| below.iter().next());
            let fault = fault.map(|name| name.to_string_lossy().into_owned());
            AbnormalClip { path, fault }
        })
        .collect();
    Ok(MachineClips {
        train_normal: sounds_below(&folder.join("train/normal"))?,
        test_normal: sounds_below(&folder.join("test/normal"))?,
        test_abnormal,
        // DCASE names are handled by `dcase`, wherever the files are.
        unlabelled: sounds(&folder.join("test"))?.into_iter().filter(|path| ClipName::of(path).is_none()).collect(),
        ..MachineClips::new(id, Layout::Split, folder)
    })
}
