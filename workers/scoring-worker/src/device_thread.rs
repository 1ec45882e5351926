//! One operating system thread that owns a device and the models on it.
//!
//! A CUDA context belongs to the thread that made it; handing work to whichever thread is free is how such contexts break.

use std::sync::Arc;

use auscult_detection::{ClipView, DetectionError, Judgement, Model, ModelPackage, OpenedDevice};
use auscult_schemas::Features;
use crossbeam_channel::{Receiver, Sender};

use crate::Shelf;

/// Judgements of one batch under one model, or why there are none.
pub(crate) type Judged = Result<Vec<Judgement>, DetectionError>;

enum Request {
    Judge { shelf: Shelf, clips: Vec<Arc<Features>>, answer: Sender<Judged> },
    Load { shelf: Shelf, package: Arc<ModelPackage>, answer: Sender<Result<(), DetectionError>> },
}

/// A handle to the thread. It ends when the handle is dropped.
#[derive(Debug)]
pub struct DeviceThread {
    requests: Sender<Request>,
}

impl DeviceThread {
    /// Starts the thread and loads the models on it. One entry a shelf; `None` where there is no package.
    ///
    /// # Errors
    /// [`DetectionError`] when the device cannot hold a model; an IO error in it when there can be no more threads.
    pub fn start(device: OpenedDevice, packages: Vec<Option<ModelPackage>>) -> Result<Self, StartError> {
        let (requests, received) = crossbeam_channel::bounded::<Request>(1);
        let (loaded, is_loaded) = crossbeam_channel::bounded(1);
        let name = format!("device-{}", device.name.replace(':', "-"));
        std::thread::Builder::new().name(name).spawn(move || {
            let models: Result<Vec<Option<Model>>, DetectionError> = packages
                .iter()
                .map(|package| package.as_ref().map(|package| Model::load(package, &device.device)).transpose())
                .collect();
            match models {
                Ok(models) => {
                    let _ = loaded.send(Ok(()));
                    serve(models, &device, &received);
                }
                Err(error) => {
                    let _ = loaded.send(Err(error));
                }
            }
        })?;
        is_loaded.recv().map_err(|_| StartError::Ended)??;
        Ok(Self { requests })
    }

    /// Judges clips under the model of one shelf, all in one forward pass; waits for the answer.
    ///
    /// # Panics
    /// When the thread has ended, which only a bug in a model can bring about; the runner then refuses the record at fault.
    pub(crate) fn judge(&self, shelf: Shelf, clips: Vec<Arc<Features>>) -> Judged {
        let (answer, answered) = crossbeam_channel::bounded(1);
        self.requests
            .send(Request::Judge { shelf, clips, answer })
            .expect("the device thread lives as long as its handle");
        answered.recv().expect("the device thread answers every request")
    }

    /// Loads a model onto a shelf, in place of the one that may be there. When it does not load, that one stays.
    ///
    /// # Errors
    /// Why it does not load.
    ///
    /// # Panics
    /// As [`DeviceThread::judge`].
    pub(crate) fn load(&self, shelf: Shelf, package: Arc<ModelPackage>) -> Result<(), DetectionError> {
        let (answer, answered) = crossbeam_channel::bounded(1);
        self.requests
            .send(Request::Load { shelf, package, answer })
            .expect("the device thread lives as long as its handle");
        answered.recv().expect("the device thread answers every request")
    }
}

/// Why a device thread could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A model does not load.
    #[error(transparent)]
    Model(#[from] DetectionError),
    /// No more threads.
    #[error("cannot start the device's thread: {0}")]
    Thread(#[from] std::io::Error),
    /// It ended before it was ready.
    #[error("the device's thread ended while it was loading models: this is a bug, please report it")]
    Ended,
}

fn serve(mut models: Vec<Option<Model>>, device: &OpenedDevice, requests: &Receiver<Request>) {
    for request in requests {
        let (shelf, clips, answer) = match request {
            Request::Judge { shelf, clips, answer } => (shelf, clips, answer),
            Request::Load { shelf, package, answer } => {
                let loaded = Model::load(&package, &device.device).map(|model| {
                    if models.len() <= shelf.0 {
                        models.resize_with(shelf.0 + 1, || None);
                    }
                    models[shelf.0] = Some(model);
                });
                let _ = answer.send(loaded);
                continue;
            }
        };
        let model = models[shelf.0].as_ref().expect("the library only finds shelves that hold a package");
        let views: Vec<ClipView<'_>> = clips
            .iter()
            .map(|clip| ClipView {
                channels: clip.channels,
                frames: clip.frames,
                mels: clip.mels,
                values: &clip.values,
            })
            .collect();
        // A panic here is the request's, not the thread's: the asker sees its channel close and panics in turn.
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| model.judge(&views)));
        if let Ok(judged) = judged {
            let _ = answer.send(judged);
        }
    }
}
