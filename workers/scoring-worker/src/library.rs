//! Which model serves which machine, read from files. A file that cannot be read is kept as that: the chunks of its
//! machines go to the dead letters with the reason, and all other machines are served.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use auscult_detection::ModelPackage;
use auscult_schemas::{DeadLetterCode, MachineId};

use crate::reload::{Owner, Print};
use crate::{ModelsConfig, Reload};

/// Why no library could be set up.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The folder cannot be read.
    #[error("cannot read the model folder {path}: {source}; set models.dir to a folder of .safetensors packages")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not one usable model.
    #[error("there is no usable model: {0}; make one with `auscult train DATA_DIR --out FILE.safetensors`")]
    NoModel(String),
}

/// Place of a model among the loaded ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shelf(pub usize);

/// A model package, or why there is none.
#[derive(Debug)]
pub struct ModelSource {
    /// The file, or another name where it comes from elsewhere.
    pub name: String,
    /// The package, or what is wrong with the file.
    pub package: Result<ModelPackage, String>,
}

/// All models at hand, and whom they serve.
#[derive(Debug, Default)]
pub struct ModelLibrary {
    sources: Vec<ModelSource>,
    by_machine: BTreeMap<String, Shelf>,
    default: Option<Shelf>,
    /// The files as they were when they were read.
    prints: BTreeMap<Owner, Print>,
}

impl ModelLibrary {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// [`LibraryError`] when the folder cannot be read or not one package is usable.
    pub fn open(config: &ModelsConfig) -> Result<Self, LibraryError> {
        let mut library = Self::default();
        if let Some(dir) = &config.dir {
            for path in packages_in(dir)? {
                library.print(Owner::Machine(stem_of(&path)), &path);
                let shelf = library.add(read(&path));
                library.by_machine.insert(stem_of(&path), shelf);
            }
        }
        if let Some(path) = &config.default {
            library.print(Owner::Everyone, path);
            let shelf = library.add(read(path));
            library.default = Some(shelf);
        }
        for source in &library.sources {
            if let Err(reason) = &source.package {
                tracing::error!(
                    model = source.name,
                    reason,
                    "model is unusable; chunks of its machines go to the dead letters"
                );
            }
        }
        if library.sources.iter().any(|source| source.package.is_ok()) {
            return Ok(library);
        }
        let reasons: Vec<String> = library
            .sources
            .iter()
            .filter_map(|source| source.package.as_ref().err().map(|reason| format!("{}: {reason}", source.name)))
            .collect();
        let reason =
            if reasons.is_empty() { "models.dir holds no .safetensors file".to_owned() } else { reasons.join("; ") };
        Err(LibraryError::NoModel(reason))
    }

    /// A library of packages that are in memory, one a machine.
    #[must_use]
    pub fn of(packages: impl IntoIterator<Item = (MachineId, ModelPackage)>) -> Self {
        let mut library = Self::default();
        for (machine, package) in packages {
            let shelf = library.add(ModelSource { name: machine.to_string(), package: Ok(package) });
            library.by_machine.insert(file_stem(&machine), shelf);
        }
        library
    }

    /// Noted before the file is read: what changes in between is noticed at the first look.
    fn print(&mut self, owner: Owner, path: &Path) {
        self.prints.extend(Print::of(path).map(|print| (owner, print)));
    }

    /// Watches the files from now on.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn watch(&self, config: &ModelsConfig) -> std::io::Result<Option<Reload>> {
        Reload::start(config, self.prints.clone())
    }

    /// The shelf that is this owner's.
    pub(crate) fn shelf_of(&self, owner: &Owner) -> Option<Shelf> {
        match owner {
            Owner::Machine(stem) => self.by_machine.get(stem).copied(),
            Owner::Everyone => self.default,
        }
    }

    /// Puts a model, or what is wrong with it, on the owner's shelf: the one that it has, or a new one.
    pub(crate) fn put(&mut self, owner: &Owner, source: ModelSource) -> Shelf {
        if let Some(shelf) = self.shelf_of(owner) {
            self.sources[shelf.0] = source;
            return shelf;
        }
        let shelf = self.add(source);
        match owner {
            Owner::Machine(stem) => {
                self.by_machine.insert(stem.clone(), shelf);
            }
            Owner::Everyone => self.default = Some(shelf),
        }
        shelf
    }

    /// The owner has no model any more. Gives the shelf that is empty now.
    pub(crate) fn remove(&mut self, owner: &Owner) -> Option<Shelf> {
        match owner {
            Owner::Machine(stem) => self.by_machine.remove(stem),
            Owner::Everyone => self.default.take(),
        }
    }

    fn add(&mut self, source: ModelSource) -> Shelf {
        self.sources.push(source);
        Shelf(self.sources.len() - 1)
    }

    /// Every model, in the order of their shelves.
    #[must_use]
    pub fn sources(&self) -> &[ModelSource] {
        &self.sources
    }

    /// The shelf of the model that serves a machine.
    ///
    /// # Errors
    /// Why there is none, as a dead letter's code and detail.
    pub fn find(&self, machine: &MachineId) -> Result<Shelf, (DeadLetterCode, String)> {
        let own = self.by_machine.get(&file_stem(machine)).copied();
        let shelf = own.or(self.default).ok_or_else(|| {
            let detail = format!(
                "no model serves machine {machine}: put {}.safetensors into models.dir, or set models.default",
                file_stem(machine)
            );
            (DeadLetterCode::UnknownMachine, detail)
        })?;
        let source = &self.sources[shelf.0];
        match &source.package {
            Ok(_) => Ok(shelf),
            Err(reason) => {
                let detail = format!("the model file {} is unusable: {reason}", source.name);
                Err((DeadLetterCode::ModelUnavailable, detail))
            }
        }
    }
}

pub(crate) fn packages_in(dir: &Path) -> Result<Vec<PathBuf>, LibraryError> {
    let unreadable = |source| LibraryError::Folder { path: dir.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> ModelSource {
    let package = std::fs::read(path)
        .map_err(|error| error.to_string())
        .and_then(|bytes| ModelPackage::from_bytes(&bytes).map_err(|error| error.to_string()));
    ModelSource { name: path.display().to_string(), package }
}

/// The file's name without its ending: a machine's id.
pub(crate) fn stem_of(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A machine's id as a file name without its ending.
fn file_stem(machine: &MachineId) -> String {
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
