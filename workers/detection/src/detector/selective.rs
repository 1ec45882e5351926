//! The wide autoencoder with the *selective Mahalanobis* score: an error is measured by how those of normal sound vary
//! together, in each domain that clips of were learnt from, and the domain that it is nearest to counts.
//!
//! A domain is a set of conditions, such as DCASE's `source` and `target`: another speed, load or background. Clips
//! that name none are one domain by themselves.

use std::collections::BTreeMap;

use auscult_schemas::FeatureSpec;
use rand::rngs::StdRng;

use super::autoencoder::{Engine, mean_errors, read_layers};
use super::network::{self, FittedSound, NetworkDetector};
use super::run;
use super::{Backend, Detector, Observer, Scorer, TrainedDetector, Training, arithmetic_mean};
use crate::error::invalid_package;
use crate::examined::Examined;
use crate::fit::NormalisedLearner;
use crate::forward::{CpuNetwork, ErrorCorrelation, ErrorMoments, Segment, TensorNetwork, Whitening};
use crate::parameters::SelectiveParameters;
use crate::tensors::{NamedTensor, TensorFile, floats};
use crate::{Autoencoder, DetectionError, HoldOut, Manifest, Standardisation, TrainingClip, TrainingOptions, vectors};

/// The name of the domain of clips that name none.
const UNNAMED: &str = "unnamed";

/// A network, and how its errors on normal sound vary together in each domain.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectiveMahalanobis {
    /// The network.
    pub network: Autoencoder,
    /// By the domain's name, at least one, in the order of the names.
    pub domains: BTreeMap<String, Whitening>,
}

impl Detector for SelectiveMahalanobis {
    type Parameters = SelectiveParameters;

    const HELD_OUT_IN_STRETCHES: bool = false;
    const UNIT: &'static str = "";

    fn hold_out(clips: usize) -> HoldOut {
        network::few_fits(clips)
    }

    fn fit(training: &Training<'_>, observe: Observer<'_>) -> Result<TrainedDetector<Self>, DetectionError> {
        run::fit(training, observe)
    }

    fn parameters(&self) -> SelectiveParameters {
        SelectiveParameters { widths: self.network.widths(), domains: self.domains.keys().cloned().collect() }
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let mut tensors = self.network.tensors();
        let whitenings = self.domains.values().enumerate();
        tensors.extend(whitenings.map(|(index, whitening)| floats(whitening_name(index), &whitening.matrix)));
        tensors
    }

    fn read(
        parameters: &SelectiveParameters,
        file: &TensorFile<'_>,
        spec: &FeatureSpec,
    ) -> Result<Self, DetectionError> {
        let SelectiveParameters { widths, domains } = parameters;
        let layers = widths.len().saturating_sub(1);
        file.expect(2 * layers + domains.len(), &format!("{layers} layers, {} domains", domains.len()))?;
        let read = |(index, name): (usize, &String)| {
            let size = spec.vector_len();
            Ok((name.clone(), Whitening { matrix: file.floats_2d(&whitening_name(index), (size, size))? }))
        };
        Ok(Self {
            network: read_layers(widths, file)?,
            domains: domains.iter().enumerate().map(read).collect::<Result<_, DetectionError>>()?,
        })
    }

    fn check(&self, spec: &FeatureSpec) -> Result<(), DetectionError> {
        self.network.check(spec)?;
        if self.domains.is_empty() {
            return Err(invalid_package("it knows no domain".to_owned()));
        }
        for (name, Whitening { matrix }) in &self.domains {
            let is_triangular = matrix.indexed_iter().all(|((row, column), value)| column <= row || *value == 0.0);
            let has_sound_diagonal = matrix.diag().iter().all(|value| *value > 0.0);
            if !is_triangular || !has_sound_diagonal || !matrix.iter().all(|value| value.is_finite()) {
                return Err(invalid_package(format!("the whitening of domain {name:?} is none")));
            }
        }
        Ok(())
    }

    fn scorer(&self, manifest: &Manifest, backend: Backend<'_>) -> Result<Box<dyn Scorer>, DetectionError> {
        self.scorer_of(&manifest.feature_spec, manifest.standardisation.as_ref(), backend)
    }

    fn summary(&self) -> Option<(&'static str, String)> {
        let names: Vec<&str> = self.domains.keys().map(String::as_str).collect();
        (names != [UNNAMED]).then(|| ("domains", names.join(", ")))
    }
}

impl NetworkDetector for SelectiveMahalanobis {
    type Learner = NormalisedLearner;

    fn fresh(options: &TrainingOptions, rng: &mut StdRng) -> Result<NormalisedLearner, DetectionError> {
        NormalisedLearner::fresh(options.spec.vector_len(), &options.hidden, rng)
    }

    fn around(network: Autoencoder, sound: &FittedSound<'_>) -> Result<Self, DetectionError> {
        let FeatureSpec { n_mels, frames, .. } = *sound.spec;
        let mut clips: BTreeMap<&str, Vec<&TrainingClip>> = BTreeMap::new();
        for clip in &sound.clips {
            clips.entry(clip.domain.as_deref().unwrap_or(UNNAMED)).or_default().push(clip);
        }
        let engine = CpuNetwork::new(&network, sound.scaling, n_mels, frames);
        let mut domains = BTreeMap::new();
        for (name, clips) in clips {
            domains.insert(name.to_owned(), whitening(&engine, &clips, sound.spec)?);
        }
        Ok(Self { network, domains })
    }

    fn scorer_of(
        &self,
        spec: &FeatureSpec,
        scaling: Option<&Standardisation>,
        backend: Backend<'_>,
    ) -> Result<Box<dyn Scorer>, DetectionError> {
        let FeatureSpec { n_mels: mels, frames, .. } = *spec;
        let whitenings: Vec<Whitening> = self.domains.values().cloned().collect();
        let engine = match backend {
            Backend::Cpu => {
                Engine::Cpu(CpuNetwork::new(&self.network, scaling, mels, frames).with_whitenings(whitenings))
            }
            Backend::Tensors(device) => {
                let network = TensorNetwork::new(&self.network, scaling, mels, frames, device)?;
                Engine::Tensor(network.with_whitenings(&whitenings)?)
            }
        };
        Ok(Box::new(SelectiveScorer { engine, mels, frames }))
    }
}

fn whitening_name(domain: usize) -> String {
    format!("domains.{domain:02}.whitening")
}

/// How the network's errors vary together on clips that it was fitted to.
fn whitening(network: &CpuNetwork, clips: &[&TrainingClip], spec: &FeatureSpec) -> Result<Whitening, DetectionError> {
    let channels = || clips.iter().flat_map(|clip| &clip.channels);
    let mut moments = ErrorMoments::new(spec.vector_len());
    for channel in channels() {
        network.visit_errors(&channel.iter().copied().collect::<Vec<f32>>(), |errors| moments.add(errors));
    }
    let mut correlation: ErrorCorrelation = moments.second_pass();
    for channel in channels() {
        network.visit_errors(&channel.iter().copied().collect::<Vec<f32>>(), |errors| correlation.add(errors));
    }
    correlation.whitening(spec.frames).ok_or_else(|| {
        DetectionError::Training("the reconstruction errors are no numbers; lower the learning rate".to_owned())
    })
}

struct SelectiveScorer {
    engine: Engine,
    mels: usize,
    frames: usize,
}

impl Scorer for SelectiveScorer {
    fn examine(&self, channels: &[Segment<'_>]) -> Result<Vec<Examined>, DetectionError> {
        let mut examined = Vec::with_capacity(channels.len());
        for (channel, sums) in channels.iter().zip(self.engine.sums(channels)?) {
            let vectors = vectors::count(channel.len() / self.mels, self.frames);
            let nearest = sums.distances.iter().copied().fold(f64::INFINITY, f64::min);
            let score = (nearest / vectors as f64).max(f64::MIN_POSITIVE);
            examined.push(Examined { score, band_errors: mean_errors(sums.band_errors, vectors, self.frames) });
        }
        Ok(examined)
    }

    fn combine(&self, channel_scores: &[f64]) -> f64 {
        arithmetic_mean(channel_scores)
    }
}
