//! Reloads models while the worker runs. A thread checks the files, tests new models, and passes valid ones to the
//! stage, which applies them between two batches.
//!
//! ```text
//!   files ──every reload_secs──► changed? ──► parse ──► load and test on the device, in a new slot
//!                                               │                 │
//!                                   invalid: an error, a metric;  └─valid──► Change ──► ScoringStage, between batches
//!                                   the old model stays in use
//! ```
//!
//! A file that is deleted and written again is missing for a moment; only a file missing in two checks counts as
//! deleted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::device_thread::DeviceThread;
use crate::event::ScoringEvent;
use crate::file_version::FileVersion;
use crate::library::{LoadedModel, ModelLibrary, Owner, ReadFailure, model_files, read_package};
use crate::{ModelsConfig, ScoringMetrics};

/// A change of a file for the stage.
#[derive(Debug)]
pub(crate) enum Change {
    /// A tested model is on the device.
    Usable { owner: Owner, name: String, model: Arc<LoadedModel> },
    /// A file is unusable, and its owner has no earlier model.
    Unusable { owner: Owner, name: String, reason: String },
    /// The file was deleted.
    Removed(Owner),
}

/// The checking thread. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Reload {
    /// The detected changes, in order.
    pub changes: Receiver<Change>,
    _end: Sender<()>,
}

impl Reload {
    /// Starts periodic checks.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn start(mut model_watcher: ModelWatcher, every: Duration) -> std::io::Result<Self> {
        let (found, changes) = crossbeam_channel::unbounded();
        let (end, ended) = crossbeam_channel::bounded::<()>(0);
        std::thread::Builder::new().name("model-reload".to_owned()).spawn(move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                for change in model_watcher.check() {
                    let _ = found.send(change);
                }
            }
        })?;
        Ok(Self { changes, _end: end })
    }
}

/// What is known of a file.
#[derive(Default)]
struct WatchedFile {
    /// The version that was last read. `None`: the file has never existed.
    file_version: Option<FileVersion>,
    /// Whether to read it again even without a change.
    is_pending: bool,
    /// Number of consecutive checks in which it was missing.
    missed: u32,
    /// Version of the owner's model. It may be older than the file.
    serving: Option<String>,
    /// The last reported error of the file.
    reported_error: Option<String>,
}

/// Checks the model files, and remembers their versions.
pub(crate) struct ModelWatcher {
    config: ModelsConfig,
    device: DeviceThread,
    metrics: ScoringMetrics,
    watched: BTreeMap<Owner, WatchedFile>,
    /// Whether the folder was unreadable at the last check.
    is_unreadable: bool,
}

impl ModelWatcher {
    /// Continues from the content of the library.
    pub(crate) fn new(
        config: &ModelsConfig,
        library: &ModelLibrary,
        device: DeviceThread,
        metrics: ScoringMetrics,
    ) -> Self {
        let mut watched = BTreeMap::new();
        for (owner, entry) in library.entries() {
            let file_version = library.file_versions().get(owner).copied();
            let reported_error = entry.model.as_ref().err().cloned();
            let serving = entry.model.as_ref().ok().map(|model| model.model.version.clone());
            let is_pending = reported_error.is_some();
            watched.insert(owner.clone(), WatchedFile { file_version, is_pending, missed: 0, serving, reported_error });
        }
        Self { config: config.clone(), device, metrics, watched, is_unreadable: false }
    }

    /// Checks once.
    pub(crate) fn check(&mut self) -> Vec<Change> {
        let present = match self.present() {
            Ok(present) => present,
            Err(reason) => {
                if !self.is_unreadable {
                    tracing::error!(
                        reason,
                        "the model files cannot be looked at; the models that are loaded go on serving"
                    );
                }
                self.is_unreadable = true;
                return Vec::new();
            }
        };
        self.is_unreadable = false;
        let mut changes = Vec::new();
        for (owner, (path, file_version)) in &present {
            changes.extend(self.check_file(owner, path, *file_version));
        }
        self.forget_removed(&present, &mut changes);
        let unusable = self.watched.values().filter(|watched| watched.reported_error.is_some()).count();
        self.metrics.unusable_models.set(i64::try_from(unusable).unwrap_or(i64::MAX));
        changes
    }

    fn present(&self) -> Result<BTreeMap<Owner, (PathBuf, FileVersion)>, String> {
        let mut present = BTreeMap::new();
        for (owner, path) in model_files(&self.config).map_err(|error| error.to_string())? {
            let file_version = FileVersion::of(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            present.extend(file_version.map(|file_version| (owner, (path, file_version))));
        }
        Ok(present)
    }

    fn check_file(&mut self, owner: &Owner, path: &Path, file_version: FileVersion) -> Option<Change> {
        let watched = self.watched.entry(owner.clone()).or_default();
        watched.missed = 0;
        let is_changed = watched.file_version != Some(file_version);
        if !is_changed && !watched.is_pending {
            return None;
        }
        watched.file_version = Some(file_version);
        watched.is_pending = false;
        let package = match read_package(path) {
            Ok(package) => package,
            Err(ReadFailure::Missing(_)) => {
                // The file is being replaced at this moment.
                watched.is_pending = true;
                return None;
            }
            Err(failure) => {
                watched.is_pending = matches!(failure, ReadFailure::Unreadable(_));
                return self.report_unusable(owner, path, is_changed, failure.reason());
            }
        };
        let version = package.model_ref().version;
        if watched.serving.as_ref() == Some(&version) {
            watched.reported_error = None;
            return None;
        }
        match self.device.add(package.clone()) {
            Ok(slot) => {
                watched.serving = Some(version);
                watched.reported_error = None;
                let model = LoadedModel::of(&package, slot);
                Some(Change::Usable { owner: owner.clone(), name: path.display().to_string(), model })
            }
            Err(reason) => {
                // The cause may be a temporary lack of memory.
                watched.is_pending = true;
                self.report_unusable(owner, path, is_changed, reason)
            }
        }
    }

    /// Reports once per change of the file, and if the reason differs from the previous one.
    fn report_unusable(&mut self, owner: &Owner, path: &Path, is_changed: bool, reason: String) -> Option<Change> {
        let watched = self.watched.entry(owner.clone()).or_default();
        let is_reported = !is_changed && watched.reported_error.as_ref() == Some(&reason);
        if is_reported {
            return None;
        }
        let name = path.display().to_string();
        let serving = watched.serving.as_deref();
        ScoringEvent::ModelUnusable { file: &name, reason: &reason, serving }.report(&self.metrics);
        watched.reported_error = Some(reason.clone());
        watched.serving.is_none().then(|| Change::Unusable { owner: owner.clone(), name, reason })
    }

    fn forget_removed(&mut self, present: &BTreeMap<Owner, (PathBuf, FileVersion)>, changes: &mut Vec<Change>) {
        const LOOKS: u32 = 2;
        self.watched.retain(|owner, watched| {
            // A file that never existed keeps its status from the start: configured, and missing.
            if present.contains_key(owner) || watched.file_version.is_none() {
                return true;
            }
            watched.missed += 1;
            if watched.missed < LOOKS {
                return true;
            }
            changes.push(Change::Removed(owner.clone()));
            false
        });
    }
}

#[cfg(test)]
pub(crate) mod tests;
