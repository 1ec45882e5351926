//! Writes files completely or not at all.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};

/// Checks that a file can be written, before hours are spent on its content.
///
/// # Errors
/// If its folder is missing, or the path is a folder.
pub fn check_writable(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        bail!(
            "{} is a folder: give a file in it, such as {}",
            path.display(),
            path.join("model.safetensors").display()
        );
    }
    let folder = folder_of(path);
    tempfile::NamedTempFile::new_in(folder).with_context(|| {
        format!("cannot write into the folder {}: make it first, or check its permissions", folder.display())
    })?;
    Ok(())
}

/// Writes a file atomically: its name refers to the old content or the new one, never to a part. It is written beside
/// the target, flushed to disk, and renamed.
///
/// # Errors
/// If the folder is missing or not writable, or the disk is full.
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder_of(path))?;
        file.write_all(bytes)?;
        allow_reading(file.as_file())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| {
        format!("cannot write {}: check the folder, its permissions and the disk's space", path.display())
    })
}

/// Temporary files are readable only by their owner; a model is read by workers of another user.
#[cfg(unix)]
fn allow_reading(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn allow_reading(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        std::fs::write(&path, b"old").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        check_writable(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_and_a_folder_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let lost = folder.path().join("no/such/model.safetensors");
        assert!(format!("{:#}", check_writable(&lost).unwrap_err()).contains("no/such"));
        assert!(format!("{:#}", check_writable(folder.path()).unwrap_err()).contains("is a folder"));
    }
}
