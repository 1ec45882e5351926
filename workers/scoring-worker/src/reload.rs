//! Models that change while the worker runs: a thread looks at their files, tries out what is new, and hands over what
//! is sound; the stage takes it over between two batches.
//!
//! ```text
//!   files ──every reload_secs──► changed? ──► parse ──► load and test on the device, on a shelf of its own
//!                                               │                 │
//!                                   broken: an error, a metric;   └─sound──► Change ──► ScoringStage, at a batch boundary
//!                                   the old model goes on
//! ```
//!
//! A file that is deleted and put there anew is missing for a moment; only one that is missing in two looks is gone.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::device_thread::DeviceThread;
use crate::event::ScoringEvent;
use crate::library::{ModelLibrary, Owner, ReadFailure, ShelvedModel, model_files, read_package};
use crate::{ModelsConfig, ScoringMetrics};

/// What tells one version of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Print {
    /// `None` where there is no file.
    pub(crate) fn of(path: &Path) -> std::io::Result<Option<Self>> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self { modified: metadata.modified().ok(), bytes: metadata.len() })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What the stage has to do about a file.
#[derive(Debug)]
pub(crate) enum Change {
    /// A model that has passed its test is on the device.
    Sound { owner: Owner, name: String, model: Arc<ShelvedModel> },
    /// A file cannot be used, and its owner has no model from before.
    Broken { owner: Owner, name: String, reason: String },
    /// The file is gone.
    Gone(Owner),
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
    pub(crate) fn start(mut looker: Looker, every: Duration) -> std::io::Result<Self> {
        let (found, changes) = crossbeam_channel::unbounded();
        let (end, ended) = crossbeam_channel::bounded::<()>(0);
        std::thread::Builder::new().name("model-reload".to_owned()).spawn(move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                for change in looker.look() {
                    let _ = found.send(change);
                }
            }
        })?;
        Ok(Self { changes, _end: end })
    }
}

/// What is known of a file.
#[derive(Default)]
struct Known {
    /// As it was when it was last read. `None`: it has never been there.
    print: Option<Print>,
    /// It is to be read again even if it does not change.
    is_pending: bool,
    /// Looks in a row in which it was missing.
    missed: u32,
    /// Version of the owner's model. It may be older than the file.
    serving: Option<String>,
    /// What is wrong with the file.
    complaint: Option<String>,
}

/// Looks at the model files, and remembers what it saw.
pub(crate) struct Looker {
    config: ModelsConfig,
    device: DeviceThread,
    metrics: ScoringMetrics,
    known: BTreeMap<Owner, Known>,
    /// The folder could not be read at the last look.
    is_blind: bool,
}

impl Looker {
    /// Goes on from what the library holds.
    pub(crate) fn new(
        config: &ModelsConfig,
        library: &ModelLibrary,
        device: DeviceThread,
        metrics: ScoringMetrics,
    ) -> Self {
        let mut known = BTreeMap::new();
        for (owner, entry) in library.entries() {
            let print = library.prints().get(owner).copied();
            let complaint = entry.model.as_ref().err().cloned();
            let serving = entry.model.as_ref().ok().map(|model| model.model.version.clone());
            let is_pending = complaint.is_some();
            known.insert(owner.clone(), Known { print, is_pending, missed: 0, serving, complaint });
        }
        Self { config: config.clone(), device, metrics, known, is_blind: false }
    }

    /// Looks once.
    pub(crate) fn look(&mut self) -> Vec<Change> {
        let present = match self.present() {
            Ok(present) => present,
            Err(reason) => {
                if !self.is_blind {
                    tracing::error!(
                        reason,
                        "the model files cannot be looked at; the models that are loaded go on serving"
                    );
                }
                self.is_blind = true;
                return Vec::new();
            }
        };
        self.is_blind = false;
        let mut changes = Vec::new();
        for (owner, (path, print)) in &present {
            changes.extend(self.look_at(owner, path, *print));
        }
        self.forget_gone(&present, &mut changes);
        let unusable = self.known.values().filter(|known| known.complaint.is_some()).count();
        self.metrics.unusable_models.set(i64::try_from(unusable).unwrap_or(i64::MAX));
        changes
    }

    fn present(&self) -> Result<BTreeMap<Owner, (PathBuf, Print)>, String> {
        let mut present = BTreeMap::new();
        for (owner, path) in model_files(&self.config).map_err(|error| error.to_string())? {
            let print = Print::of(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            present.extend(print.map(|print| (owner, (path, print))));
        }
        Ok(present)
    }

    fn look_at(&mut self, owner: &Owner, path: &Path, print: Print) -> Option<Change> {
        let known = self.known.entry(owner.clone()).or_default();
        known.missed = 0;
        let is_changed = known.print != Some(print);
        if !is_changed && !known.is_pending {
            return None;
        }
        known.print = Some(print);
        known.is_pending = false;
        let package = match read_package(path) {
            Ok(package) => package,
            Err(ReadFailure::Missing(_)) => {
                // Being replaced this very moment.
                known.is_pending = true;
                return None;
            }
            Err(failure) => {
                known.is_pending = matches!(failure, ReadFailure::Unreadable(_));
                return self.complain(owner, path, is_changed, failure.reason());
            }
        };
        let version = package.model_ref().version;
        if known.serving.as_ref() == Some(&version) {
            known.complaint = None;
            return None;
        }
        match self.device.add(package.clone()) {
            Ok(shelf) => {
                known.serving = Some(version);
                known.complaint = None;
                let model = ShelvedModel::of(&package, shelf);
                Some(Change::Sound { owner: owner.clone(), name: path.display().to_string(), model })
            }
            Err(reason) => {
                // It may be for want of memory, which comes and goes.
                known.is_pending = true;
                self.complain(owner, path, is_changed, reason)
            }
        }
    }

    /// Once for every change of the file, and where the reason is another than before.
    fn complain(&mut self, owner: &Owner, path: &Path, is_changed: bool, reason: String) -> Option<Change> {
        let known = self.known.entry(owner.clone()).or_default();
        let is_said = !is_changed && known.complaint.as_ref() == Some(&reason);
        if is_said {
            return None;
        }
        let name = path.display().to_string();
        let serving = known.serving.as_deref();
        ScoringEvent::ModelUnusable { file: &name, reason: &reason, serving }.tell(&self.metrics);
        known.complaint = Some(reason.clone());
        known.serving.is_none().then(|| Change::Broken { owner: owner.clone(), name, reason })
    }

    fn forget_gone(&mut self, present: &BTreeMap<Owner, (PathBuf, Print)>, changes: &mut Vec<Change>) {
        const LOOKS: u32 = 2;
        self.known.retain(|owner, known| {
            // One that has never been there stays what it was at the start: asked for, and missing.
            if present.contains_key(owner) || known.print.is_none() {
                return true;
            }
            known.missed += 1;
            if known.missed < LOOKS {
                return true;
            }
            changes.push(Change::Gone(owner.clone()));
            false
        });
    }
}

#[cfg(test)]
pub(crate) mod tests;
