//! Finds the model for a machine without loading all models: for `auscult doctor`.

use std::path::Path;

use auscult_schemas::{FeatureSpecHash, MachineId, ModelRef};

use crate::ModelsConfig;
use crate::library::{ReadFailure, file_stem, read_package};

/// The model that a configuration assigns to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// Its name and version.
    pub model: ModelRef,
    /// Hash of the feature spec that it was trained on.
    pub feature_spec: FeatureSpecHash,
    /// Whether it is the default model.
    pub is_default: bool,
}

/// Finds machines' models in the same way as a scoring worker.
#[derive(Debug)]
pub struct ModelLookup {
    config: ModelsConfig,
    /// The default model is read once.
    default: Option<Result<Serving, String>>,
}

impl ModelLookup {
    /// Reads the default model, if there is one.
    #[must_use]
    pub fn new(config: &ModelsConfig) -> Self {
        let default = config.default.clone().map(|path| match read(&path, true) {
            Ok(serving) => Ok(serving),
            Err(failure) => Err(unusable(&path, failure)),
        });
        Self { config: config.clone(), default }
    }

    /// The model for a machine.
    ///
    /// # Errors
    /// Why there is none, and how to fix it.
    pub fn find(&self, machine: &MachineId) -> Result<Serving, String> {
        if let Some(dir) = &self.config.dir {
            let path = dir.join(format!("{}.safetensors", file_stem(machine)));
            match read(&path, false) {
                Ok(serving) => return Ok(serving),
                Err(ReadFailure::Missing(_)) => {}
                Err(failure) => return Err(unusable(&path, failure)),
            }
        }
        self.default.clone().unwrap_or_else(|| Err(format!("there is no {}.safetensors", file_stem(machine))))
    }
}

fn read(path: &Path, is_default: bool) -> Result<Serving, ReadFailure> {
    let package = read_package(path)?;
    let feature_spec = package.manifest().feature_spec_hash;
    Ok(Serving { model: package.model_ref(), feature_spec, is_default })
}

fn unusable(path: &Path, failure: ReadFailure) -> String {
    format!("{} is unusable: {}", path.display(), failure.reason())
}
