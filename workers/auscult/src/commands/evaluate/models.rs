//! The model or models of an evaluation, and the machines that each one serves.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::bail;
use auscult_detection::{Model, ModelPackage, OpenedDevice};
use auscult_recordings::dataset::{Dataset, MachineClips};
use auscult_schemas::{MachineId, ModelId, ModelRef};
use auscult_scoring_worker::file_stem;

use crate::model_file;

/// A model and its training data.
pub(super) struct LoadedModel {
    pub package: ModelPackage,
    pub model: Model,
}

impl LoadedModel {
    fn read(path: &Path, device: &OpenedDevice) -> anyhow::Result<Self> {
        let package = model_file::read(path)?;
        let model = Model::load(&package, &device.device)?;
        Ok(Self { package, model })
    }

    /// Scores above it are anomalous.
    pub(super) fn threshold(&self) -> f64 {
        self.package.manifest().calibration.threshold
    }
}

/// One model for all machines, or one per machine.
pub(super) struct Models {
    /// The name from the command line.
    name: String,
    loaded: Vec<LoadedModel>,
    /// Index of each machine's model, by machine id.
    of_machine: BTreeMap<String, usize>,
}

impl Models {
    /// Reads a model file, or, from a folder, the file of each machine, named as by `auscult train --out FOLDER` and
    /// the workers.
    ///
    /// # Errors
    /// If a model cannot be read, or the folder has no model for a machine.
    pub(super) fn read(path: &Path, dataset: &Dataset, device: &OpenedDevice) -> anyhow::Result<Self> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let mut models = Self { name, loaded: Vec::new(), of_machine: BTreeMap::new() };
        if !path.is_dir() {
            models.loaded.push(LoadedModel::read(path, device)?);
            models.of_machine = dataset.machines.iter().map(|machine| (machine.id.clone(), 0)).collect();
            return Ok(models);
        }
        let mut missing = Vec::new();
        for machine in &dataset.machines {
            let Some(file) = model_of(path, machine) else {
                missing.push(machine.id.as_str());
                continue;
            };
            models.of_machine.insert(machine.id.clone(), models.loaded.len());
            models.loaded.push(LoadedModel::read(&file, device)?);
        }
        if !missing.is_empty() {
            bail!(
                "{} has no model of {}: train them with `auscult train {} --out {}`, or pick a machine with --machine",
                path.display(),
                missing.join(", "),
                dataset.root.display(),
                path.display()
            );
        }
        Ok(models)
    }

    /// Each model with its machines.
    pub(super) fn with_machines<'a>(
        &'a self,
        dataset: &'a Dataset,
    ) -> impl Iterator<Item = (&'a LoadedModel, Vec<&'a MachineClips>)> {
        self.loaded.iter().enumerate().map(|(index, model)| {
            let is_served = |machine: &&MachineClips| self.of_machine.get(&machine.id) == Some(&index);
            (model, dataset.machines.iter().filter(is_served).collect())
        })
    }

    /// The single model; `None` for a folder with several.
    pub(super) fn only(&self) -> Option<&LoadedModel> {
        match self.loaded.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The target false alarm rate of the thresholds; the highest one, if models differ.
    pub(super) fn wanted_false_alarm_rate(&self) -> f64 {
        let rates = self.loaded.iter().map(|model| model.package.manifest().calibration.false_alarm_rate);
        rates.fold(0.0, f64::max)
    }

    /// The reference of the model, for output.
    pub(super) fn model_ref(&self) -> ModelRef {
        match self.only() {
            Some(model) => model.package.model_ref(),
            None => ModelRef { id: ModelId(self.name.clone()), version: format!("{} models", self.loaded.len()) },
        }
    }
}

/// The model file of a machine in a folder.
fn model_of(folder: &Path, machine: &MachineClips) -> Option<std::path::PathBuf> {
    let named = |stem: &str| folder.join(format!("{stem}.safetensors"));
    // `train` names files by the data set's id; workers escape characters that are invalid in file names.
    let escaped = MachineId::new(&machine.id).ok().map(|id| named(&file_stem(&id)));
    [Some(named(&machine.id)), escaped].into_iter().flatten().find(|file| file.is_file())
}
