//! Lists folders: sorted, sound files only, with a limited depth.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::DatasetError;
use crate::natural_order::sort_paths;

/// Maximum depth of a machine's folder below DATA_DIR: `<root>/<snr>_<machine>/<machine>/id_XX`.
const MAX_DEPTH: usize = 4;

/// The direct content of a folder: `(subfolders, files)`, both sorted, without hidden ones.
pub(super) fn list(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DatasetError> {
    let unreadable = |source| DatasetError::Unreadable { path: folder.to_owned(), source };
    let mut folders = Vec::new();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if file_name(&path).starts_with('.') {
            continue;
        }
        // Follows links: data sets are often linked together from several disks.
        if path.is_dir() {
            folders.push(path);
        } else {
            files.push(path);
        }
    }
    sort_paths(&mut folders);
    sort_paths(&mut files);
    Ok((folders, files))
}

/// The sound files directly in a folder, sorted; empty if the folder does not exist.
pub(super) fn sounds(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let (_, mut files) = list(folder)?;
    files.retain(|path| is_sound(path));
    Ok(files)
}

/// The sound files in a folder and its subfolders, sorted; empty if the folder does not exist.
pub(super) fn sounds_below(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let mut found = Vec::new();
    if folder.is_dir() {
        for inner in folders_below(folder)? {
            found.append(&mut sounds(&inner)?);
        }
    }
    sort_paths(&mut found);
    Ok(found)
}

/// The folder itself and its subfolders down to [`MAX_DEPTH`], parents before children.
pub(super) fn folders_below(root: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let mut found = vec![root.to_owned()];
    let mut level = vec![root.to_owned()];
    for _ in 0..MAX_DEPTH {
        let mut next = Vec::new();
        for folder in &level {
            next.append(&mut list(folder)?.0);
        }
        found.extend(next.iter().cloned());
        level = next;
    }
    Ok(found)
}

/// Maximum depth for counting files that belong to no layout.
const MAX_COUNTED_DEPTH: usize = 16;

/// Every file below `root`, including hidden ones, sorted.
pub(super) fn all_files(root: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let mut found = Vec::new();
    let mut level = vec![root.to_owned()];
    for _ in 0..MAX_COUNTED_DEPTH {
        let mut next = Vec::new();
        for folder in &level {
            let unreadable = |source| DatasetError::Unreadable { path: folder.clone(), source };
            for entry in std::fs::read_dir(folder).map_err(unreadable)? {
                let path = entry.map_err(unreadable)?.path();
                if path.is_dir() {
                    // A hidden folder belongs to a tool: `.git`, `.venv`.
                    if !file_name(&path).starts_with('.') {
                        next.push(path);
                    }
                } else {
                    found.push(path);
                }
            }
        }
        level = next;
    }
    sort_paths(&mut found);
    Ok(found)
}

/// Whether a file name has the extension of a supported sound format.
pub(super) fn is_sound(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    extension.eq_ignore_ascii_case("wav") || extension.eq_ignore_ascii_case("flac")
}

/// The last component as text.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// One line about the content of a folder, for the error that no layout matches.
pub(super) fn describe(root: &Path) -> Result<String, DatasetError> {
    let (folders, files) = list(root)?;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for file in &files {
        let extension = file.extension().map(|extension| extension.to_string_lossy().into_owned());
        *kinds.entry(extension.map_or("other".to_owned(), |extension| format!(".{extension}"))).or_default() += 1;
    }
    let mut parts = Vec::new();
    if !folders.is_empty() {
        let names: Vec<String> = folders.iter().take(6).map(|folder| file_name(folder)).collect();
        let more = if folders.len() > names.len() { ", …" } else { "" };
        parts.push(format!("folders {}{more}", names.join(", ")));
    }
    for (kind, count) in kinds {
        parts.push(format!("{count} {kind} {}", if count == 1 { "file" } else { "files" }));
    }
    Ok(if parts.is_empty() { "it is empty".to_owned() } else { format!("it holds {}", parts.join("; ")) })
}
