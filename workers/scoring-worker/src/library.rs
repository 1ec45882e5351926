//! Loads models from files, and finds the model for a machine. An unreadable file is kept as an error: chunks of its
//! machines become dead letters with the reason, and all other machines are scored.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auscult_detection::{Manifest, ModelPackage};
use auscult_schemas::{DeadLetterCode, MachineId, ModelRef};

use crate::ModelsConfig;
use crate::device_thread::ModelSlot;
use crate::file_version::FileVersion;

/// Why the library could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The folder cannot be read.
    #[error("cannot read the model folder {path}: {source}; set models.dir to a folder of .safetensors packages")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// No usable model.
    #[error("there is no usable model: {0}; make one with `auscult train DATA_DIR --out FILE.safetensors`")]
    NoModel(String),
}

/// The machines that a model file applies to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// The machine with this id, encoded as a file name.
    Machine(String),
    /// Every machine without its own file.
    Everyone,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(stem) => f.write_str(stem),
            Self::Everyone => f.write_str("every machine without a model of its own"),
        }
    }
}

/// A model that is loaded on the device.
#[derive(Debug)]
pub(crate) struct LoadedModel {
    /// Its slot.
    pub slot: ModelSlot,
    /// Its name and version.
    pub model: ModelRef,
    /// Its manifest.
    pub manifest: Manifest,
}

impl LoadedModel {
    pub(crate) fn of(package: &ModelPackage, slot: ModelSlot) -> Arc<Self> {
        Arc::new(Self { slot, model: package.model_ref(), manifest: package.manifest().clone() })
    }
}

/// A model file with its model, or the reason why there is none.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The file name, or another name if the model does not come from a file.
    pub name: String,
    /// The model, or the error of the file.
    pub model: Result<Arc<LoadedModel>, String>,
}

/// All models, and the machines that they apply to.
#[derive(Debug, Default)]
pub struct ModelLibrary {
    by_owner: BTreeMap<Owner, Entry>,
    /// Packages to load into the first slots, in order.
    packages: Vec<ModelPackage>,
    /// The versions of the files when they were read.
    file_versions: BTreeMap<Owner, FileVersion>,
}

impl ModelLibrary {
    /// Reads the configured files.
    ///
    /// # Errors
    /// [`LibraryError`] if the folder cannot be read or no package is usable.
    pub fn open(config: &ModelsConfig) -> Result<Self, LibraryError> {
        let mut library = Self::default();
        for (owner, path) in model_files(config)? {
            // Taken before the file is read, so that a change during reading is detected at the first check.
            library
                .file_versions
                .extend(FileVersion::of(&path).ok().flatten().map(|file_version| (owner.clone(), file_version)));
            let name = path.display().to_string();
            let package = read_package(&path).map_err(|failure| failure.reason());
            if let Err(reason) = &package {
                tracing::error!(
                    model = name,
                    reason,
                    "model is unusable; chunks of its machines go to the dead letters"
                );
            }
            library.add(owner, name, package);
        }
        if !library.packages.is_empty() {
            return Ok(library);
        }
        let reasons: Vec<String> = library
            .by_owner
            .values()
            .filter_map(|entry| entry.model.as_ref().err().map(|reason| format!("{}: {reason}", entry.name)))
            .collect();
        let reason =
            if reasons.is_empty() { "models.dir holds no .safetensors file".to_owned() } else { reasons.join("; ") };
        Err(LibraryError::NoModel(reason))
    }

    /// A library of packages in memory, one per machine.
    #[must_use]
    pub fn of(packages: impl IntoIterator<Item = (MachineId, ModelPackage)>) -> Self {
        let mut library = Self::default();
        for (machine, package) in packages {
            library.add(Owner::Machine(file_stem(&machine)), machine.to_string(), Ok(package));
        }
        library
    }

    fn add(&mut self, owner: Owner, name: String, package: Result<ModelPackage, String>) {
        let model = package.map(|package| {
            let slot = ModelSlot(self.packages.len() as u64);
            let loaded_model = LoadedModel::of(&package, slot);
            self.packages.push(package);
            loaded_model
        });
        self.by_owner.insert(owner, Entry { name, model });
    }

    /// Removes and returns the packages to load; the device owns them from then on.
    pub(crate) fn take_packages(&mut self) -> Vec<ModelPackage> {
        std::mem::take(&mut self.packages)
    }

    /// The versions of the files when they were read.
    pub(crate) fn file_versions(&self) -> &BTreeMap<Owner, FileVersion> {
        &self.file_versions
    }

    /// Every file, usable or not.
    pub(crate) fn entries(&self) -> &BTreeMap<Owner, Entry> {
        &self.by_owner
    }

    /// Replaces the entry of an owner. Returns the previous model.
    pub(crate) fn put(&mut self, owner: Owner, entry: Entry) -> Option<Arc<LoadedModel>> {
        self.by_owner.insert(owner, entry).and_then(|before| before.model.ok())
    }

    /// Removes an owner whose file was deleted. Returns its model.
    pub(crate) fn remove(&mut self, owner: &Owner) -> Option<Arc<LoadedModel>> {
        self.by_owner.remove(owner).and_then(|before| before.model.ok())
    }

    /// The model for a machine.
    ///
    /// # Errors
    /// Why there is none, as a dead letter's code and detail.
    pub(crate) fn find(&self, machine: &MachineId) -> Result<&Arc<LoadedModel>, (DeadLetterCode, String)> {
        let own = self.by_owner.get(&Owner::Machine(file_stem(machine)));
        let entry = own.or_else(|| self.by_owner.get(&Owner::Everyone)).ok_or_else(|| {
            let detail = format!(
                "no model serves machine {machine}: put {}.safetensors into models.dir, or set models.default",
                file_stem(machine)
            );
            (DeadLetterCode::UnknownMachine, detail)
        })?;
        entry.model.as_ref().map_err(|reason| {
            let detail = format!("the model file {} is unusable: {reason}", entry.name);
            (DeadLetterCode::ModelUnavailable, detail)
        })
    }
}

/// Every configured file, whether it exists or not.
pub(crate) fn model_files(config: &ModelsConfig) -> Result<BTreeMap<Owner, PathBuf>, LibraryError> {
    let mut files = BTreeMap::new();
    if let Some(dir) = &config.dir {
        let unreadable = |source| LibraryError::Folder { path: dir.clone(), source };
        for entry in std::fs::read_dir(dir).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "safetensors") {
                files.insert(Owner::Machine(stem_of(&path)), path);
            }
        }
    }
    files.extend(config.default.clone().map(|path| (Owner::Everyone, path)));
    Ok(files)
}

/// Why reading a package failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadFailure {
    /// The file does not exist.
    Missing(String),
    /// It cannot be read; a retry may succeed.
    Unreadable(String),
    /// The content is not a valid package, and will not be until the file changes.
    Malformed(String),
}

impl ReadFailure {
    pub(crate) fn reason(self) -> String {
        match self {
            Self::Missing(reason) | Self::Unreadable(reason) | Self::Malformed(reason) => reason,
        }
    }
}

pub(crate) fn read_package(path: &Path) -> Result<ModelPackage, ReadFailure> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => ReadFailure::Missing(error.to_string()),
        _ => ReadFailure::Unreadable(error.to_string()),
    })?;
    ModelPackage::from_bytes(&bytes).map_err(|error| ReadFailure::Malformed(error.to_string()))
}

/// The file name without its extension: a machine id.
fn stem_of(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A machine id as the name of its model file, without the extension: a character other than letters, digits, `-`, `_`
/// and `.` is encoded as `%` and two hexadecimal digits per byte.
#[must_use]
pub fn file_stem(machine: &MachineId) -> String {
    let mut stem = String::new();
    for byte in machine.as_str().bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if is_plain {
            stem.push(char::from(byte));
        } else {
            stem.push_str(&format!("%{byte:02X}"));
        }
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_id_cannot_leave_the_model_folder() {
        let machine = MachineId::new("../line 1/fan").unwrap();
        assert_eq!(file_stem(&machine), "..%2Fline%201%2Ffan");
    }

    #[test]
    fn a_corrupt_package_among_others_is_named_and_a_folder_of_nothing_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("fan.safetensors"), b"not a package").unwrap();
        let config = ModelsConfig { dir: Some(dir.path().to_owned()), ..ModelsConfig::default() };
        let error = ModelLibrary::open(&config).unwrap_err().to_string();
        assert!(error.contains("fan.safetensors") && error.contains("auscult train"), "{error}");
    }

    #[test]
    fn a_machine_without_a_model_is_unknown() {
        let library = ModelLibrary::default();
        let (code, detail) = library.find(&MachineId::new("pump-3").unwrap()).unwrap_err();
        assert_eq!(code, DeadLetterCode::UnknownMachine);
        assert!(detail.contains("pump-3.safetensors"), "{detail}");
    }
}
