//! One operating system thread that owns a device and its models.
//!
//! A CUDA context belongs to the thread that created it; using it from arbitrary threads breaks it. Other threads hold
//! [`ModelSlot`]s. The model in a slot never changes, and a new model gets a new slot, so the same slot always gives
//! the same model.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use auscult_detection::{DetectionError, HealthyClip, Judgement, Model, ModelPackage, OpenedDevice};
use crossbeam_channel::{Receiver, Sender};

use crate::healthy_channels::HealthyChannels;
use crate::self_test::self_test;

/// Slot of a model on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ModelSlot(pub u64);

/// Judgements of one batch under one model, or the error.
pub(crate) type Judged = Result<Vec<Judgement>, DetectionError>;

enum Request {
    Judge { slot: ModelSlot, clips: Vec<Arc<HealthyChannels>>, answer: Sender<Judged> },
    Add { package: Box<ModelPackage>, answer: Sender<Result<ModelSlot, String>> },
    Discard(ModelSlot),
}

/// A handle of the thread. The thread ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub(crate) struct DeviceThread {
    requests: Sender<Request>,
}

impl DeviceThread {
    /// Starts the thread and loads the models on it, into slots 0, 1, 2 and so on.
    ///
    /// # Errors
    /// [`StartError`].
    pub(crate) fn start(device: OpenedDevice, packages: Vec<ModelPackage>) -> Result<Self, StartError> {
        let (requests, received) = crossbeam_channel::bounded::<Request>(1);
        let (loaded, is_loaded) = crossbeam_channel::bounded(1);
        let name = format!("device-{}", device.name.replace(':', "-"));
        std::thread::Builder::new().name(name).spawn(move || {
            let models: Result<BTreeMap<ModelSlot, Model>, DetectionError> = (0..)
                .map(ModelSlot)
                .zip(packages)
                .map(|(slot, package)| Ok((slot, Model::load(&package, &device.device)?)))
                .collect();
            match models {
                Ok(models) => {
                    let _ = loaded.send(Ok(()));
                    DeviceModels { models, device }.serve(&received);
                }
                Err(error) => {
                    let _ = loaded.send(Err(error));
                }
            }
        })?;
        is_loaded.recv().map_err(|_| StartError::Ended)??;
        Ok(Self { requests })
    }

    /// Scores clips with the model in one slot, all in one forward pass; waits for the answer.
    ///
    /// # Panics
    /// If the thread has ended, which only a bug in a model can cause; the runner then rejects the faulty record.
    pub(crate) fn judge(&self, slot: ModelSlot, clips: Vec<Arc<HealthyChannels>>) -> Judged {
        let (answer, answered) = crossbeam_channel::bounded(1);
        self.requests
            .send(Request::Judge { slot, clips, answer })
            .expect("the device thread lives as long as its handle");
        answered.recv().expect("the device thread answers every request")
    }

    /// Loads a model into a new slot and tests it there. Batches wait only during this time.
    ///
    /// # Errors
    /// Why it cannot be loaded, or why its test failed.
    pub(crate) fn add(&self, package: ModelPackage) -> Result<ModelSlot, String> {
        let (answer, answered) = crossbeam_channel::bounded(1);
        let _ = self.requests.send(Request::Add { package: Box::new(package), answer });
        answered
            .recv()
            .unwrap_or_else(|_| Err("loading it panicked: please report it together with the file".to_owned()))
    }

    /// Frees a model; its slot must not be used again.
    pub(crate) fn discard(&self, slot: ModelSlot) {
        let _ = self.requests.send(Request::Discard(slot));
    }
}

/// Why a device thread could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A model cannot be loaded.
    #[error(transparent)]
    Model(#[from] DetectionError),
    /// The operating system cannot start a thread.
    #[error("cannot start the device's thread: {0}")]
    Thread(#[from] std::io::Error),
    /// It ended before it was ready.
    #[error("the device's thread ended while it was loading models: this is a bug, please report it")]
    Ended,
}

struct DeviceModels {
    models: BTreeMap<ModelSlot, Model>,
    device: OpenedDevice,
}

impl DeviceModels {
    /// A panic affects only its request, not the thread: the requester sees a closed channel.
    fn serve(mut self, requests: &Receiver<Request>) {
        let mut next = self.models.keys().last().map_or(0, |slot| slot.0 + 1);
        for request in requests {
            match request {
                Request::Judge { slot, clips, answer } => {
                    if let Ok(judged) = catch_unwind(AssertUnwindSafe(|| self.judge(slot, &clips))) {
                        let _ = answer.send(judged);
                    }
                }
                Request::Add { package, answer } => {
                    let Ok(loaded) = catch_unwind(AssertUnwindSafe(|| self.load(&package))) else { continue };
                    let added = loaded.map(|model| {
                        let slot = ModelSlot(next);
                        next += 1;
                        self.models.insert(slot, model);
                        slot
                    });
                    let _ = answer.send(added);
                }
                Request::Discard(slot) => {
                    self.models.remove(&slot);
                }
            }
        }
    }

    fn judge(&self, slot: ModelSlot, clips: &[Arc<HealthyChannels>]) -> Judged {
        let heard: Vec<HealthyClip<'_>> = clips.iter().map(|clip| clip.clip()).collect();
        self.models.get(&slot).expect("a slot that is asked for holds a model").judge_heard(&heard)
    }

    fn load(&self, package: &ModelPackage) -> Result<Model, String> {
        let model = Model::load(package, &self.device.device).map_err(|error| error.to_string())?;
        self_test(&model)?;
        Ok(model)
    }
}
