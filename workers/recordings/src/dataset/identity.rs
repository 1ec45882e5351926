//! Unique machine ids: two machines with the same name get the names of the folders in which they differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{DatasetError, MachineClips};

/// Adds names of parent folders as a prefix to machines with the same id, as many as necessary.
///
/// # Errors
/// [`DatasetError::SameId`] if no folder below `root` distinguishes them.
pub(super) fn keep_apart(root: &Path, machines: &mut [MachineClips]) -> Result<(), DatasetError> {
    // Folders above the root are not used: the same tree has the same ids wherever it is.
    let levels = machines.iter().map(|machine| below(root, &machine.folder).len()).max().unwrap_or(0);
    let own: Vec<String> = machines.iter().map(|machine| machine.id.clone()).collect();
    for level in 1..=levels {
        let shared: BTreeSet<String> = shared_ids(machines).into_keys().collect();
        if shared.is_empty() {
            return Ok(());
        }
        for (machine, own) in machines.iter_mut().zip(&own) {
            if shared.contains(&machine.id) {
                let above = below(root, &machine.folder);
                let start = above.len().saturating_sub(1 + level);
                let prefix = above[start..above.len().saturating_sub(1)].join("_");
                machine.id = if prefix.is_empty() { own.clone() } else { format!("{prefix}_{own}") };
            }
        }
    }
    match shared_ids(machines).into_iter().next() {
        None => Ok(()),
        Some((id, folders)) => Err(DatasetError::SameId {
            id,
            folders: folders.iter().map(|folder| folder.display().to_string()).collect(),
        }),
    }
}

/// Ids of more than one machine. Ids that differ only in case count as equal, because some file systems do not
/// distinguish them.
fn shared_ids(machines: &[MachineClips]) -> BTreeMap<String, Vec<&Path>> {
    let mut folders: BTreeMap<String, Vec<&MachineClips>> = BTreeMap::new();
    for machine in machines {
        folders.entry(machine.id.to_lowercase()).or_default().push(machine);
    }
    let mut shared = BTreeMap::new();
    for same in folders.into_values().filter(|same| same.len() > 1) {
        for machine in &same {
            shared.insert(machine.id.clone(), same.iter().map(|machine| machine.folder.as_path()).collect());
        }
    }
    shared
}

fn below(root: &Path, folder: &Path) -> Vec<String> {
    let inner = folder.strip_prefix(root).unwrap_or(folder);
    inner.iter().map(|part| part.to_string_lossy().into_owned()).collect()
}
