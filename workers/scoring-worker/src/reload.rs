//! Models that change while the worker runs: a thread looks at their files, and what is sound is swapped in between two batches.
//!
//! ```text
//!   files ──every reload_secs──► changed? ──► parse, self-test ──sound──► Change ──► ScoringStage, at a batch boundary
//!                                                └── broken: the old model goes on, an error, a metric
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use auscult_detection::{ClipView, DeviceChoice, Model, ModelPackage, open_device};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::ModelsConfig;
use crate::library::{packages_in, stem_of};

/// Whom a model file serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// The machine whose id, as a file name, is this.
    Machine(String),
    /// Every machine without a file of its own.
    Everyone,
}

/// What tells one version of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Print {
    /// `None` where there is no file.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok(), bytes: metadata.len() })
    }
}

/// What is to be done about a file.
#[derive(Debug)]
pub(crate) enum Change {
    /// A package that has passed its test.
    Sound(Owner, String, Arc<ModelPackage>),
    /// A file that cannot be used: its name, and why.
    Broken(Owner, String, String),
    /// The file has been gone for longer than it takes to put another in its place.
    Gone(Owner),
}

/// The thread that looks. It ends when this is dropped.
#[derive(Debug)]
pub struct Reload {
    pub(crate) changes: Receiver<Change>,
    _end: Sender<()>,
}

impl Reload {
    /// Looks from now on; `prints` are those of the files as they were read. `None` where `models.reload_secs` is 0.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(config: &ModelsConfig, prints: BTreeMap<Owner, Print>) -> std::io::Result<Option<Self>> {
        if config.reload_secs == 0 {
            return Ok(None);
        }
        let (found, changes) = crossbeam_channel::unbounded();
        let (end, ended) = crossbeam_channel::bounded::<()>(0);
        let every = Duration::from_secs(config.reload_secs);
        let mut looker = Looker::new(config, prints);
        std::thread::Builder::new().name("model-reload".to_owned()).spawn(move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                for change in looker.look() {
                    let _ = found.send(change);
                }
            }
        })?;
        Ok(Some(Self { changes, _end: end }))
    }
}

struct Known {
    print: Option<Print>,
    missed: u32,
}

struct Looker {
    config: ModelsConfig,
    known: BTreeMap<Owner, Known>,
}

impl Looker {
    fn new(config: &ModelsConfig, prints: BTreeMap<Owner, Print>) -> Self {
        let known = prints.into_iter().map(|(owner, print)| (owner, Known { print: Some(print), missed: 0 }));
        Self { config: config.clone(), known: known.collect() }
    }

    fn look(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let present = match self.files() {
            Ok(present) => present,
            Err(error) => {
                tracing::warn!(%error, "the models cannot be looked at; those that are loaded go on serving");
                return changes;
            }
        };
        for (owner, path) in &present {
            let Some(print) = Print::of(path) else { continue };
            let known = self.known.entry(owner.clone()).or_insert(Known { print: None, missed: 0 });
            known.missed = 0;
            if known.print == Some(print) {
                continue;
            }
            known.print = Some(print);
            let name = path.display().to_string();
            changes.push(match read_and_test(path) {
                Ok(package) => Change::Sound(owner.clone(), name, Arc::new(package)),
                Err(reason) => Change::Broken(owner.clone(), name, reason),
            });
        }
        self.forget_gone(&present, &mut changes);
        changes
    }

    fn files(&self) -> Result<BTreeMap<Owner, PathBuf>, crate::LibraryError> {
        let mut files = BTreeMap::new();
        if let Some(dir) = &self.config.dir {
            files.extend(packages_in(dir)?.into_iter().map(|path| (Owner::Machine(stem_of(&path)), path)));
        }
        if let Some(path) = self.config.default.as_ref().filter(|path| path.exists()) {
            files.insert(Owner::Everyone, path.clone());
        }
        Ok(files)
    }

    /// A file that is deleted and put there anew is missing for a moment; only one that is missing twice is gone.
    fn forget_gone(&mut self, present: &BTreeMap<Owner, PathBuf>, changes: &mut Vec<Change>) {
        const LOOKS: u32 = 2;
        self.known.retain(|owner, known| {
            if present.contains_key(owner) {
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

fn read_and_test(path: &Path) -> Result<ModelPackage, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let package = ModelPackage::from_bytes(&bytes).map_err(|error| error.to_string())?;
    self_test(&package)?;
    Ok(package)
}

/// A model that cannot judge half a second of noise shall not judge a machine.
fn self_test(package: &ModelPackage) -> Result<(), String> {
    let device = open_device(DeviceChoice::Cpu).map_err(|error| error.to_string())?;
    let model = Model::load(package, &device.device).map_err(|error| error.to_string())?;
    let spec = &package.manifest().feature_spec;
    let frames = spec.frames + 15;
    // Something between -60 and -20 dB in every place; what exactly does not matter.
    let values: Vec<f32> = (0..frames * spec.n_mels).map(|index| -20.0 - ((index * 37) % 41) as f32).collect();
    let view = ClipView { channels: 1, frames, mels: spec.n_mels, values: &values };
    let judged = model.judge(&[view]).map_err(|error| error.to_string())?;
    let is_finite = judged.iter().all(|judgement| judgement.score.is_finite() && judgement.p_value.is_finite());
    if is_finite {
        Ok(())
    } else {
        Err("it judges noise as neither normal nor anomalous: its score is no number".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use auscult_detection::{HoldOut, TrainingClip, TrainingOptions, train};
    use auscult_schemas::ModelId;
    use ndarray::Array2;

    use super::*;

    fn package_bytes(seed: u64) -> Vec<u8> {
        let options = TrainingOptions {
            model_id: ModelId(format!("model-{seed}")),
            epochs: 1,
            seed,
            hold_out: HoldOut::Folds(2),
            ..TrainingOptions::default()
        };
        let clip = |number: usize| TrainingClip {
            name: number.to_string(),
            channels: vec![Array2::from_shape_fn((20, 64), |(frame, mel)| {
                -30.0 - ((frame * 7 + mel * 3 + number * 5) % 11) as f32
            })],
        };
        let clips: Vec<TrainingClip> = (0..10).map(clip).collect();
        train(&clips, &options, &mut |_| std::ops::ControlFlow::Continue(())).unwrap().to_bytes().unwrap()
    }

    fn looker(dir: &Path) -> Looker {
        let config = ModelsConfig { dir: Some(dir.to_owned()), ..ModelsConfig::default() };
        Looker::new(&config, BTreeMap::new())
    }

    #[test]
    fn a_new_file_is_sound_once_and_then_nothing_happens_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let mut looker = looker(dir.path());
        let file = dir.path().join("fan.safetensors");
        std::fs::write(&file, package_bytes(1)).unwrap();
        let changes = looker.look();
        assert!(matches!(&changes[..], [Change::Sound(Owner::Machine(stem), ..)] if stem == "fan"), "{changes:?}");
        assert!(looker.look().is_empty());
        std::fs::write(&file, package_bytes(2)).unwrap();
        assert!(matches!(&looker.look()[..], [Change::Sound(..)]));
    }

    #[test]
    fn a_half_written_file_is_broken_and_sound_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut looker = looker(dir.path());
        let file = dir.path().join("fan.safetensors");
        let whole = package_bytes(1);
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        assert!(matches!(&looker.look()[..], [Change::Broken(..)]));
        assert!(looker.look().is_empty(), "said once");
        std::fs::write(&file, &whole).unwrap();
        assert!(matches!(&looker.look()[..], [Change::Sound(..)]));
    }

    #[test]
    fn a_file_that_is_missing_once_is_being_replaced_and_gone_when_it_is_missing_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mut looker = looker(dir.path());
        let file = dir.path().join("fan.safetensors");
        std::fs::write(&file, package_bytes(1)).unwrap();
        looker.look();
        std::fs::remove_file(&file).unwrap();
        assert!(looker.look().is_empty());
        assert!(matches!(&looker.look()[..], [Change::Gone(_)]));
        assert!(looker.look().is_empty());
    }
}
