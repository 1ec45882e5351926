//! Models that change while the worker runs: a thread looks at their files, tries out what is new, and hands over what
//! is sound; the stage takes it over between two batches.
//!
//! ```text
//!   files ──every reload_secs──► changed? ──► parse ──► load and test on the device, in a slot of its own
//!                                               │                 │
//!                                   broken: an error, a metric;   └─sound──► Change ──► ScoringStage, at a batch boundary
//!                                   the old model goes on
//! ```
//!
//! A file that is deleted and put there anew is missing for a moment; only one that is missing in two looks is gone.

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

/// What the stage has to do about a file.
#[derive(Debug)]
pub(crate) enum Change {
    /// A model that has passed its test is on the device.
    Usable { owner: Owner, name: String, model: Arc<LoadedModel> },
    /// A file cannot be used, and its owner has no model from before.
    Unusable { owner: Owner, name: String, reason: String },
    /// The file is gone.
    Removed(Owner),
}

/// The thread that looks. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Reload {
    /// What has been found, in its order.
    pub changes: Receiver<Change>,
    _end: Sender<()>,
}

impl Reload {
    /// Starts to look every so often.
    ///
    /// # Errors
    /// When no thread can be started.
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
    /// As it was when it was last read. `None`: it has never been there.
    file_version: Option<FileVersion>,
    /// It is to be read again even if it does not change.
    is_pending: bool,
    /// Looks in a row in which it was missing.
    missed: u32,
    /// Version of the owner's model. It may be older than the file.
    serving: Option<String>,
    /// What is wrong with the file.
    reported_error: Option<String>,
}

/// Looks at the model files, and remembers what it saw.
pub(crate) struct ModelWatcher {
    config: ModelsConfig,
    device: DeviceThread,
    metrics: ScoringMetrics,
    watched: BTreeMap<Owner, WatchedFile>,
    /// The folder could not be read at the last look.
    is_unreadable: bool,
}

impl ModelWatcher {
    /// Goes on from what the library holds.
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

    /// Looks once.
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
                // Being replaced this very moment.
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
                // It may be for want of memory, which comes and goes.
                watched.is_pending = true;
                self.report_unusable(owner, path, is_changed, reason)
            }
        }
    }

    /// Once for every change of the file, and where the reason is another than before.
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
            // One that has never been there stays what it was at the start: asked for, and missing.
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
