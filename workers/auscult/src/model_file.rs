//! Model packages on disk, and output files with a message if they replace a file.

use std::path::Path;

use anyhow::Context;
use auscult_detection::ModelPackage;
use auscult_recordings::files::write_whole;

/// Reads a model package.
///
/// # Errors
/// If the file cannot be read, or is not a valid model package of this build's format. The error names the file.
pub fn read(path: &Path) -> anyhow::Result<ModelPackage> {
    let bytes = std::fs::read(path).with_context(|| {
        format!("cannot read the model {}: check the path, or make it with `auscult train`", path.display())
    })?;
    ModelPackage::from_bytes(&bytes).with_context(|| path.display().to_string())
}

/// Like [`write_whole`], and prints a line on standard error if it replaces a file.
///
/// # Errors
/// Those of [`write_whole`].
pub fn write_and_tell(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let is_there = path.exists();
    write_whole(path, bytes)?;
    if is_there {
        eprintln!("replaced {}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_and_a_foreign_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let lost = folder.path().join("no/such/model.safetensors");
        let foreign = folder.path().join("foreign.safetensors");
        std::fs::write(&foreign, b"not a model").unwrap();
        let error = format!("{:#}", read(&foreign).unwrap_err());
        assert!(error.contains("foreign.safetensors"), "{error}");
        assert!(format!("{:#}", read(&lost).unwrap_err()).contains("auscult train"));
    }
}
